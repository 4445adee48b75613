"""Columns of text by the shapes of their values: what a whole column proves, and what it leaves open.

A shape is a value with every digit written as 9. A column has few of them, however many rows: those of some
rows are taken, then those of rows that have none of these, until all rows are told by the shapes that are
known. Asking whether a row has one of a few shapes is many times faster than writing its shape down.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.schema import PLACES, place_of

MISSING = ("", "NULL", "null", "nan", "NaN", "NAN", "None", "NA", "N/A", "#N/A", "n/a")
MOST = 1000
FEW = 60
ROUNDS = 6
SAMPLE = 20_000
# Full-width digits and signs, as Chinese and Japanese input methods write them.
WIDE = str.maketrans("０１２３４５６７８９，．－＋（）：／％", "0123456789,.-+():/%")


class Unclear(Exception):
    """A column that can be read in more than one way, or in none; the message is one sentence."""


@dataclass(frozen=True)
class Shape:
    """A shape, how many of the rows looked at have it, and the smallest of their values."""

    shape: str
    n: int
    example: str

    def fits(self, pattern: str) -> bool:
        """Whether the shape, but for blanks around it, has the pattern."""
        return re.fullmatch(pattern, self.shape.strip(), re.ASCII) is not None


@dataclass(frozen=True)
class Shapes:
    """The shapes of a column, frequent ones first, words for nothing left out.

    raw : the column as it is.     text : the same with full-width digits and signs as plain ones.
    complete : False where there were more than `MOST` of them.
    """

    raw: Any
    text: Any
    shapes: tuple[Shape, ...]
    complete: bool

    @classmethod
    def of(cls, raw: Any) -> Shapes:
        """Shapes of a column of text."""
        rows, complete = _shapes(raw)
        text = raw
        if any(row["shape"].translate(WIDE) != row["shape"] for row in rows):
            text = _narrow(raw)
            rows, complete = _shapes(text)
        present = [row for row in rows if row["shape"].strip() not in MISSING]
        present.sort(key=lambda row: (-row["n"], row["shape"]))
        return cls(raw, text, tuple(Shape(**row) for row in present), complete)

    def all_are(self, pattern: str) -> bool:
        """Whether every value has the pattern, without blanks around it."""
        return self.complete and all(
            re.fullmatch(pattern, shape.shape, re.ASCII) is not None for shape in self.shapes
        )

    def have(self, shapes: Iterable[Shape]) -> ir.BooleanValue:
        """Whether a row has one of the shapes; NULL where it is NULL."""
        return _have(self.text, [shape.shape for shape in shapes])

    def count(self, *groups: Iterable[Shape]) -> list[int]:
        """Rows of the whole column that have a shape of each group."""
        measures = {f"n{i}": self.have(group).sum() for i, group in enumerate(groups)}
        row = table_of(self.raw).agg(**measures).to_pyarrow().to_pylist()[0]
        return [int(n or 0) for n in row.values()]

    def first(self, where: Any, *, n: int = 2) -> str:
        """Show the first rows that fulfil a condition, for a message."""
        table = table_of(self.raw)
        places = [name for name in PLACES if name in table.columns]
        found = table.filter(where).select(*places, value=self.raw)
        rows = found.order_by(places or "value").limit(n).to_pyarrow().to_pylist()
        return " and ".join(f"{place_of(row)}{row['value']!r}" for row in rows)

    def first_like(self, pattern: str, *, n: int = 2) -> str:
        """Show the first rows that have a pattern somewhere."""
        return self.first(self.text.re_search(pattern), n=n)


def table_of(raw: Any) -> ir.Table:
    """Table that a column, or what is made of it, comes from."""
    return next(iter(raw.op().relations)).to_expr()


def is_of_spark(raw: Any) -> bool:
    """Whether a column lies in Spark."""
    return any(engine.name == "pyspark" for engine in table_of(raw)._find_backends()[0])


def stripped(text: Any) -> Any:
    """Text without blanks around it: what Ibis tells Spark to strip are the letters v and f too."""
    return text.re_replace(r"^\s+|\s+$", "") if is_of_spark(text) else text.strip()


def _narrow(raw: Any) -> Any:
    signs = "".join(map(chr, WIDE))
    return raw.translate(signs, signs.translate(WIDE))


def _shapes(text: Any) -> tuple[list[dict[str, Any]], bool]:
    """Shape, rows looked at and smallest value of all shapes; and whether these are all."""
    table = table_of(text)
    rest = table.filter(text.notnull())
    found: dict[str, dict[str, Any]] = {}
    for _ in range(ROUNDS):
        rows = _grouped(rest.select(value=text).limit(SAMPLE))
        found |= {row["shape"]: row for row in rows}
        if len(found) <= MOST and sum(row["n"] for row in rows) < SAMPLE:
            return list(found.values()), True
        if len(found) > FEW:
            break
        rest = table.filter(~_have(text, list(found)))
    rows = _grouped(table.filter(text.notnull()).select(value=text))
    return rows[:MOST], len(rows) <= MOST


def _grouped(table: ir.Table) -> list[dict[str, Any]]:
    groups = table.group_by(shape=_shape(table.value))
    found = groups.agg(n=table.count(), example=table.value.min()).order_by(ibis.desc("n"), "shape")
    return found.limit(MOST + 1).to_pyarrow().to_pylist()


def _shape(text: Any) -> Any:
    return text.translate("0123456789", "9" * 10)


def _have(text: Any, shapes: list[str]) -> Any:
    if not shapes:
        return ibis.literal(False)
    if len(shapes) > FEW:
        return _shape(text).isin(shapes)
    return full(text, "|".join(map(pattern_of, shapes)))


def pattern_of(shape: str) -> str:
    """Pattern of the values that have a shape."""
    escaped = re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", shape)
    return escaped.replace("9", "[0-9]")


def full(text: Any, pattern: str) -> ir.BooleanValue:
    """Whether a text has the pattern from its beginning to its end."""
    return text.re_search(f"^(?:{pattern})$")


def missing(text: ir.StringValue) -> ir.BooleanValue:
    """Whether a value is NULL or a word for nothing."""
    return text.isnull() | says_nothing(text)


def says_nothing(text: ir.StringValue) -> ir.BooleanValue:
    """Whether a text is a word for nothing; blanks are taken off only where there are some: that is slow."""
    stripped = text.strip().isin(MISSING)
    return ibis.cases((text.isin(MISSING), True), (has_edges(text), stripped), else_=False)


def has_edges(text: ir.StringValue) -> ir.BooleanValue:
    """Whether a text begins or ends with a blank."""
    return (text < "!") | text.endswith(" ") | text.endswith("\t")
