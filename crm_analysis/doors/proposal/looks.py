"""Columns of a source looked at before anything is mapped: what their first rows could be read as."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.doors import values
from crm_analysis.doors.schema import PLACES, Column, Kind
from crm_analysis.doors.shapes import MISSING, Unclear, missing
from crm_analysis.doors.sources.opened import Opened, Options

ROWS_LOOKED_AT = 20_000
SHOWN = 50
READABLE = 0.8
CHOICES = {
    "time": [{"dates": "day first"}, {"dates": "month first"}],
    "money": [{"decimal": "."}, {"decimal": ","}],
}


@dataclass(frozen=True)
class Fit:
    """A column read as one kind of value.

    share : of the values that are filled, those that can be read.
    style : how they are written, such as "dates day first", where the column settles it.
    choices : options of which one has to be set, because the column does not settle it.
    problem : why it cannot be read, or cannot be read in one way only.
    notes : what the doors say of the column beside.
    low, high, total : smallest and largest value and, of money, the sum.
    """

    share: float = 0.0
    style: str = ""
    choices: tuple[dict[str, str], ...] = ()
    problem: str = ""
    notes: tuple[str, ...] = ()
    low: Any = None
    high: Any = None
    total: Any = None
    n_negative: int = 0

    @property
    def fits(self) -> bool:
        """Whether most values can be read so."""
        return self.share >= READABLE


@dataclass(frozen=True)
class Look:
    """A source column: its name, how many rows are filled, how many values differ, some of them."""

    name: str
    type: str
    n_rows: int
    n_filled: int
    n_distinct: int
    examples: tuple[str, ...]

    @property
    def near_unique(self) -> bool:
        """Whether nearly every row has a value of its own."""
        return self.n_filled > 0 and self.n_distinct >= 0.95 * self.n_filled


class Looked:
    """A source that was opened, and its columns.

    names : of the columns, in the order of the source.
    table : all rows; its columns are what the source holds, text as text.
    """

    def __init__(self, opened: Opened, options: Options) -> None:
        self.opened = opened
        # Times with a zone are looked at in UTC where the local time is not known yet.
        self.habits = replace(options, timezone=options.timezone or "UTC").habits
        self.table = opened.table
        self.names = [name for name in opened.table.columns if name not in PLACES]
        self._sample = _sample(opened)
        self._cells = self._sample.select(self.names).to_pyarrow()
        self._is_whole = self._cells.num_rows < ROWS_LOOKED_AT

    @functools.cached_property
    def n_rows(self) -> int:
        """Rows of the whole source."""
        return self._cells.num_rows if self._is_whole else int(self.table.count().to_pyarrow().as_py())

    @functools.cache  # noqa: B019 - lives as long as one proposal
    def n_filled(self, name: str) -> int:
        """Rows of the whole column that hold something."""
        return self.look(name).n_filled if self._is_whole else _count(self.table, ~_empty(self.table[name]))

    def is_empty(self, name: str) -> Any:
        """Whether a row holds nothing in a column."""
        return _empty(self.table[name])

    def count(self, where: Any) -> int:
        """Rows of the whole source for which a predicate holds."""
        return _count(self.table, where)

    @functools.cache  # noqa: B019
    def n_distinct(self, name: str) -> int:
        """Different values of the whole column."""
        if self._is_whole:
            return self.look(name).n_distinct
        column = self.table[name]
        return int(column.nunique(where=~_empty(column)).to_pyarrow().as_py())

    @functools.cache  # noqa: B019
    def look(self, name: str) -> Look:
        """What the first rows hold in a column."""
        counts = self._counts(name)
        return Look(
            name,
            str(self.table[name].type()),
            self._cells.num_rows,
            sum(counts.values()),
            len(counts),
            tuple(text for text, _ in self.frequent(name)),
        )

    def frequent(self, name: str) -> list[tuple[str, int]]:
        """Most frequent values among the first rows, as text, with their counts."""
        return _first(self._counts(name))

    def all_values(self, name: str) -> list[tuple[str, int]]:
        """Most frequent values of the whole column, as text, with their counts."""
        if self._is_whole:
            return self.frequent(name)
        rows = self.table.filter(~_empty(self.table[name])).select(value=self.table[name])
        counts = rows.group_by("value").agg(n=rows.count()).order_by(ibis.desc("n"), "value").limit(SHOWN)
        return [(_text(row["value"]), row["n"]) for row in counts.to_pyarrow().to_pylist()]

    @functools.cache  # noqa: B019
    def _counts(self, name: str) -> Counter[str]:
        """How often each value is there among the first rows, words for nothing left out."""
        found = Counter(self._cells[name].to_pylist())
        return Counter({_text(v): n for v, n in found.items() if v is not None and not _is_nothing(v)})

    @functools.cache  # noqa: B019
    def fit(self, name: str, kind: Kind, role: str = "") -> Fit:
        """How the first rows of a column read as `kind`; `role` is the canonical column, where it matters."""
        return self._fit(self._sample, name, Column(role, kind))

    @functools.cache  # noqa: B019
    def whole_fit(self, name: str, kind: Kind, role: str = "") -> Fit:
        """How the whole column reads as `kind`."""
        if self._is_whole:
            return self.fit(name, kind, role)
        return self._fit(self.table, name, Column(role, kind))

    def reading(self, name: str, kind: Kind, role: str = "") -> values.Reading:
        """The doors' own reading of a whole column.

        Raises
        ------
        Unclear
            It can be read in more than one way, or in none.
        """
        return self._read(self.table, name, Column(role, kind), self.habits)

    def _read(self, table: ir.Table, name: str, column: Column, habits: values.Habits) -> values.Reading:
        """Return the reading, after the closer look that odd rows ask for."""
        read = values.read_column(column, table[name], habits=habits, parses_text=self.opened.parses_text)
        closer = getattr(read, "closer", None)
        if closer is None or read.odd is None or not _count(table, read.odd):
            return read
        return closer()  # type: ignore[no-any-return]

    def _fit(self, table: ir.Table, name: str, column: Column) -> Fit:
        try:
            return _measured(table, self._read(table, name, column, self.habits), column.kind)
        except Unclear as unclear:
            return self._settled(table, name, column, str(unclear))

    def _settled(self, table: ir.Table, name: str, column: Column, problem: str) -> Fit:
        """Fit where an option has to settle it: the options under which most values are read."""
        found = []
        for choice in CHOICES.get(column.kind, []):
            try:
                read = self._read(table, name, column, replace(self.habits, **choice))
                found.append((choice, _measured(table, read, column.kind)))
            except Unclear:
                continue
        found = [(choice, fit) for choice, fit in found if fit.fits]
        if not found:
            return Fit(problem=problem)
        choices = tuple(choice for choice, _ in found)
        return Fit(share=found[0][1].share, choices=choices, problem=problem)


def _sample(opened: Opened) -> ir.Table:
    """First rows, in a table of their own where the engine is ours."""
    first = opened.table.limit(ROWS_LOOKED_AT)
    if not opened.parses_text:
        return first
    name = ibis.util.gen_name("sample")
    opened.table.get_backend().create_table(name, first, temp=True)
    return opened.table.get_backend().table(name)


def _count(table: ir.Table, where: Any) -> int:
    return int(table.count(where=where).to_pyarrow().as_py())


def _empty(column: ir.Value) -> Any:
    return missing(column) if column.type().is_string() else column.isnull()


def _first(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:SHOWN]


def _is_nothing(value: Any) -> bool:
    return value.strip() in MISSING if isinstance(value, str) else value != value


def _text(value: Any) -> str:
    """Text of a value: whole numbers by their digits, as ids are read."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _measured(table: ir.Table, reading: values.Reading, kind: Kind) -> Fit:
    """Share that is readable, and the smallest, largest and summed value."""
    value = reading.value
    asked = {"read": value.count(), "unread": table.count(where=reading.unreadable)}
    if kind in ("time", "day", "money", "number"):
        asked |= {"low": value.min(), "high": value.max()}
    if kind in ("money", "number"):
        asked |= {"total": value.sum(), "negative": (value < 0).sum()}
    row = table.agg(**asked).to_pyarrow().to_pylist()[0]
    n_read, n_unread = int(row["read"] or 0), int(row["unread"] or 0)
    return Fit(
        share=n_read / (n_read + n_unread) if n_read else 0.0,
        style=reading.style,
        problem=f"{n_unread:,} not readable, {reading.expected} was expected" if n_unread else "",
        notes=tuple(sentence for _, sentence in reading.notes),
        low=row.get("low"),
        high=row.get("high"),
        total=row.get("total"),
        n_negative=int(row.get("negative") or 0),
    )
