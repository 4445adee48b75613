"""Columns of text by the shapes of their values: what a whole column proves, and what it leaves open.

A shape is a value with every digit written as 9. A column has few of them, however many rows: they are
counted by the engine, once, and judged here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.schema import PLACES, place_of

MISSING = ("", "NULL", "null", "nan", "NaN", "NAN", "None", "NA", "N/A", "#N/A", "n/a")
MOST = 1000


class Unclear(Exception):
    """A column that can be read in more than one way, or in none; the message is one sentence."""


@dataclass(frozen=True)
class Shape:
    """A shape, how many rows have it, and the smallest of their values."""

    shape: str
    n: int
    example: str

    def fits(self, pattern: str) -> bool:
        """Whether the shape, but for blanks around it, has the pattern."""
        return re.fullmatch(pattern, self.shape.strip(), re.ASCII) is not None


@dataclass(frozen=True)
class Shapes:
    """The shapes of a column, most frequent first, words for nothing left out.

    complete : False where there were more than `MOST` of them.
    """

    raw: Any
    shapes: tuple[Shape, ...]
    complete: bool

    @classmethod
    def of(cls, raw: Any) -> Shapes:
        """Count the shapes of a column of text."""
        table = raw.name("value").as_table()
        shapes = table.group_by(shape=table.value.translate("0123456789", "9" * 10))
        found = shapes.agg(n=table.count(), example=table.value.min()).order_by(ibis.desc("n"), "shape")
        rows = found.limit(MOST + 1).to_pyarrow().to_pylist()
        present = [row for row in rows if row["shape"] is not None and row["shape"].strip() not in MISSING]
        return cls(raw, tuple(Shape(**row) for row in present), complete=len(rows) <= MOST)

    def count(self, pattern: str) -> int:
        """Rows whose shape has the pattern."""
        return sum(shape.n for shape in self.shapes if shape.fits(pattern))

    def all_are(self, pattern: str) -> bool:
        """Whether every value has the pattern, without blanks around it."""
        return self.complete and all(
            re.fullmatch(pattern, shape.shape, re.ASCII) is not None for shape in self.shapes
        )

    def first(self, pattern: str, *, n: int = 2) -> str:
        """Show the first rows with a value of that pattern, for a message."""
        table = self.raw.op().rel.to_expr()
        places = [name for name in PLACES if name in table.columns]
        found = table.filter(full(self.raw.strip(), pattern)).select(*places, value=self.raw)
        rows = found.order_by(places or "value").limit(n).to_pyarrow().to_pylist()
        return " and ".join(f"{place_of(row)}{row['value']!r}" for row in rows)


def full(text: ir.StringValue, pattern: str) -> ir.BooleanValue:
    """Whether a text has the pattern from its beginning to its end."""
    return text.re_search(f"^(?:{pattern})$")


def missing(text: ir.StringValue) -> ir.BooleanValue:
    """Whether a value is NULL or a word for nothing."""
    return text.isnull() | says_nothing(text)


def says_nothing(text: ir.StringValue) -> ir.BooleanValue:
    """Whether a text is a word for nothing; blanks are taken off only where there are some: that is slow."""
    has_blanks = (text < "!") | text.endswith(" ") | text.endswith("\t")
    stripped = text.strip().isin(MISSING)
    return ibis.cases((text.isin(MISSING), True), (has_blanks, stripped), else_=False)
