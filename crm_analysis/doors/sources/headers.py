"""Where the header of a sheet is, and which of its cells belong to a column."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from crm_analysis.doors.sources.cell import is_filled, words
from crm_analysis.doors.sources.opened import Refusal, clean_name, shown, unlike_names
from crm_analysis.doors.verdict import Defect

# A header further down than this is not looked for.
HEADER_WITHIN = 100
N_SHOWN = 3

Row = tuple[int, Sequence[Any]]


@dataclass(frozen=True)
class Header:
    """The row that names the columns: its number, the names, where they stand, and what was above it."""

    number: int
    names: tuple[str, ...]
    positions: tuple[int, ...]
    above: tuple[str, ...] = ()

    def cells(self, row: Row) -> list[Any]:
        """Cells of the named columns; nothing may stand in the others."""
        number, cells = row
        wide = len(cells)
        found = [cells[i] if i < wide else None for i in self.positions]
        if wide - cells.count(None) > len(found) - found.count(None):
            self._refuse_unnamed(number, cells)
        return found

    def _refuse_unnamed(self, number: int, cells: Sequence[Any]) -> None:
        places = [i for i, c in enumerate(cells) if is_filled(c) and i not in self.positions]
        if places:
            raise Refusal(
                f"row {number} has {str(cells[places[0]])[:40]!r} in cell {places[0] + 1}, a column that the "
                f"header in row {self.number} does not name; give every column a name"
            )


def find_header(
    rows: Iterator[Row], *, has_header: bool, wanted: Sequence[str]
) -> tuple[Header, Iterator[Row]]:
    """Header, and the rows below it.

    It is the first row that names all columns `wanted`; else the one that names most of them; else the first
    one that fills as many cells as any row with different texts.
    """
    start = list(itertools.islice(rows, HEADER_WITHIN))
    if not start:
        raise Refusal("there are no rows; export it again")
    if not has_header:
        wide = max(len(cells) for _, cells in start)
        numbered = Header(0, tuple(str(i) for i in range(1, wide + 1)), tuple(range(wide)))
        return numbered, itertools.chain(start, rows)
    names = [[clean_name(words(cell)) for cell in cells] for _, cells in start]
    i = _best(names, wanted) if wanted else _first_full(start, names)
    positions = tuple(position for position, name in enumerate(names[i]) if name)
    above = [next(filter(None, row), "") for row in names[:i]]
    found = unlike_names([names[i][position] for position in positions])
    header = Header(start[i][0], tuple(found), positions, tuple(above))
    return header, itertools.chain(start[i + 1 :], rows)


def _best(names: list[list[str]], wanted: Sequence[str]) -> int:
    there = [len(set(wanted) & set(row)) for row in names]
    return there.index(max(there))


def _first_full(start: list[Row], names: list[list[str]]) -> int:
    """Index of the first row of different texts that is as wide as rows get; 0 where there is none."""
    wide = max(sum(map(bool, row)) for row in names)
    for i, ((_, cells), row) in enumerate(zip(start, names, strict=True)):
        filled = [name for name in row if name]
        texts = all(isinstance(cell, str) for cell in cells if is_filled(cell))
        if len(filled) == wide == len(set(filled)) and texts:
            return i
    return 0


def like(header: Header, part: str, first_part: str, first: Header) -> Header:
    """Return the header with its columns in the order of the first part."""
    if different := sorted(set(header.names) ^ set(first.names)):
        raise Refusal(
            f"{shown(part)!r} has the columns {list(header.names)}, {shown(first_part)!r} "
            f"{list(first.names)}; what is read together needs the same columns: {different} are not in both"
        )
    at = dict(zip(header.names, header.positions, strict=True))
    return replace(header, names=first.names, positions=tuple(at[name] for name in first.names))


def skipped(place: str, of: str, header: Header) -> Defect:
    """Tell of the rows above a header."""
    n, titles = len(header.above), ", ".join(repr(shown(title)[:40]) for title in header.above[:N_SHOWN])
    found = (
        f"{place}: {of}header in row {header.number}; {n} {'row' if n == 1 else 'rows'} above it "
        f"{'was' if n == 1 else 'were'} skipped: {titles}{', ...' if n > N_SHOWN else ''}"
    )
    return Defect("rows above the header", "flag", found, n)
