"""Delimiter and header of a text: what the names that are wanted prove, or what cuts all lines alike."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from crm_analysis.doors.sources.opened import (
    MAX_COLUMNS,
    Options,
    Refusal,
    clean_name,
    header_names,
    unlike_names,
)
from crm_analysis.doors.verdict import Defect

DELIMITERS = (",", ";", "\t", "|")
BLANKS = "whitespace"
LOOK_AHEAD = 1 << 18
N_RECORDS = 1_000
N_SHOWN = 3
SEP_LINE = re.compile('"?sep=([^"\r\n])"?[;,\t ]*(?:\r\n|\r|\n|$)', re.IGNORECASE)


@dataclass(frozen=True)
class Record:
    """Cells of a row, and the lines from `first` to `last` in which it stands."""

    cells: list[str]
    first: int
    last: int


@dataclass(frozen=True)
class Dialect:
    """How a text is cut.

    names : of the columns; `n_fields` may be more, where the header ends in empty cells.
    n_above : lines above the first row.     quotes_above : they hold quotes, in which lines may end.
    reading, notes : what the file settled, and what was skipped.
    """

    delimiter: str
    names: list[str]
    n_fields: int
    n_above: int = 0
    quotes_above: bool = False
    reading: tuple[str, ...] = ()
    notes: tuple[Defect, ...] = ()


@dataclass(frozen=True)
class _Start:
    """Beginning of a text: its lines from the one after `n_above`; `whole` if there are no others."""

    text: str
    whole: bool
    n_above: int = 0
    sep: str | None = None


def find_dialect(path: Path, place: str, options: Options, wanted: Sequence[str]) -> Dialect:
    """Delimiter and header that the first lines prove, or that the caller states."""
    start = _start(path)
    stated = _checked(options.delimiter) if options.delimiter is not None else start.sep
    wanted = wanted if options.header else []
    tables = {d: _records(start, d) for d in ([stated] if stated else [*DELIMITERS, BLANKS])}
    found = (stated, _header_at(tables[stated], wanted)) if stated else _settled(tables, wanted)
    if found is None or not tables[found[0]]:
        raise Refusal(
            f"the delimiter is not clear from the first line {start.text.strip().splitlines()[:1]}; "
            'set delimiter to one of "," ";" "\\t" "|" or "whitespace"'
        )
    delimiter, at = found
    above, first = tables[delimiter][:at], tables[delimiter][at]
    dialect = _below(first, delimiter, wanted) if options.header else _unnamed(first, delimiter)
    n_above = first.last if options.header else start.n_above
    lines = io.StringIO(start.text, newline="").readlines()[: n_above - start.n_above]
    told = [f"delimiter {delimiter!r}"] if delimiter not in (",", options.delimiter) else []
    told += [f"header in line {first.first}"] if options.header and first.first > start.n_above + 1 else []
    return replace(
        dialect,
        n_above=n_above,
        quotes_above=any('"' in line for line in lines),
        reading=(*told, *dialect.reading),
        notes=_skipped(place, above, first.first) if options.header else (),
    )


def _skipped(place: str, above: list[Record], header: int) -> tuple[Defect, ...]:
    """Say which lines stand above the header, unless they are blank."""
    if not above:
        return ()
    titles = [" ".join(filter(None, record.cells)) for record in above]
    some = ", ".join(repr(title[:40]) for title in titles[:N_SHOWN])
    n_rows = len(above)
    found = (
        f"{place}: {n_rows} {'row' if n_rows == 1 else 'rows'} above the header in line {header} "
        f"{'was' if n_rows == 1 else 'were'} skipped: {some}{', ...' if len(titles) > N_SHOWN else ''}"
    )
    return (Defect("rows above the header", "flag", found, n_rows),)


def _start(path: Path) -> _Start:
    with path.open(encoding="utf-8-sig", newline="") as file:
        text = file.read(LOOK_AHEAD)
        whole = not file.read(1)
    if (sep := SEP_LINE.match(text)) is None:
        return _Start(text, whole)
    return _Start(text[sep.end() :], whole, n_above=1, sep=_checked(sep[1]))


def _checked(delimiter: str) -> str:
    """A delimiter that can be one: a single sign of ASCII that is no letter, digit, quote or line end."""
    if delimiter == BLANKS:
        return delimiter
    is_sign = isinstance(delimiter, str) and len(delimiter) == 1 and delimiter.isascii()
    if not is_sign or delimiter.isalnum() or delimiter in "\"'\r\n\\ \x00":
        raise Refusal(
            f'delimiter {delimiter!r} cannot be one; write one of "," ";" "\\t" "|" or "whitespace"'
        )
    return delimiter


def _records(start: _Start, delimiter: str) -> list[Record]:
    """First records under a delimiter, blank lines left out; without the last one, which may be cut."""
    lines = io.StringIO(start.text, newline="")
    cut = _cut_at_blanks(lines) if delimiter == BLANKS else _cut_at(lines, delimiter)
    rows = [replace(r, first=r.first + start.n_above, last=r.last + start.n_above) for r in cut]
    return [row for row in (rows if start.whole else rows[:-1]) if row.cells]


def _cut_at_blanks(lines: io.StringIO) -> list[Record]:
    cut = (re.findall("[^ \t]+", line.strip(" \t\r\n")) for line in lines)
    return [Record(cells, i, i) for i, cells in zip(range(1, N_RECORDS + 1), cut, strict=False)]


def _cut_at(lines: io.StringIO, delimiter: str) -> list[Record]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
    records: list[Record] = []
    last = 0
    try:
        for cells in reader:
            records.append(Record(cells, last + 1, last := reader.line_num))
            if len(records) == N_RECORDS:
                break
    except csv.Error:
        # What is wrong there is told, with its line, when DuckDB reads it.
        records.append(Record([], last + 1, last + 1))
    return records


def _header_at(records: list[Record], wanted: Sequence[str]) -> int:
    """Index of the first record that names all that is wanted; 0 where none does."""
    return next((i for i, record in enumerate(records) if _names_all(record, wanted)), 0)


def _names_all(record: Record, wanted: Sequence[str]) -> bool:
    return bool(wanted) and set(wanted) <= {_name(cell, wanted) for cell in record.cells}


def _name(cell: str, wanted: Sequence[str]) -> str:
    """Name of a column as it is wanted; else without what cannot be seen."""
    return cell.strip() if cell.strip() in wanted else clean_name(cell)


def _settled(tables: dict[str, list[Record]], wanted: Sequence[str]) -> tuple[str, int] | None:
    """Delimiter under which a record names what is wanted; else the one that cuts all lines alike.

    Blanks are looked at last, since every text has some.
    """
    if all(len(record.cells) == 1 for records in tables.values() for record in records):
        return DELIMITERS[0], _header_at(tables[DELIMITERS[0]], wanted)
    at = {delimiter: _header_at(records, wanted) for delimiter, records in tables.items()}
    at[BLANKS] = 0
    evidence: tuple[Callable[[str], bool], ...] = (
        lambda d: _names_all(tables[d][at[d]], wanted),
        lambda d: len(tables[d][0].cells) > 1 and len({len(r.cells) for r in tables[d]}) == 1,
        lambda d: bool(wanted or d != BLANKS) and len(tables[d][0].cells) > 1,
    )
    for proves in evidence:
        for candidates in (DELIMITERS, (BLANKS,)):
            found = [d for d in candidates if tables[d] and proves(d)]
            if found:
                return (found[0], at[found[0]]) if len(found) == 1 else None
    return None


def _below(header: Record, delimiter: str, wanted: Sequence[str]) -> Dialect:
    """Dialect of the rows below a header."""
    if len(header.cells) > 2 * MAX_COLUMNS:
        raise Refusal(
            f"the header has {len(header.cells):,} columns, at most {MAX_COLUMNS:,} are read; export fewer"
        )
    cells = list(header.cells)
    while cells and not clean_name(cells[-1]):
        cells.pop()
    n_empty = len(header.cells) - len(cells)
    names = [_name(cell, wanted) for cell in cells]
    if _names_all(header, wanted):
        names = unlike_names([name or f"column {i}" for i, name in enumerate(names, start=1)])
    else:
        header_names(names)
    if not names:
        raise Refusal(f"the header in line {header.first} is empty; the first row must name all columns")
    told = tuple(
        f"header {cell!r} as {name!r}"
        for cell, name in zip(cells, names, strict=True)
        if cell.strip() != name
    )
    # DuckDB lets a line end with one delimiter more; for a single empty cell nothing has to be declared.
    n_fields = len(header.cells) if n_empty > 1 else len(names)
    return Dialect(delimiter, names, n_fields, reading=told)


def _unnamed(first: Record, delimiter: str) -> Dialect:
    names = unlike_names([str(i) for i in range(1, len(first.cells) + 1)])
    return Dialect(delimiter, names, len(names))
