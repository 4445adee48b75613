"""Rows of untyped cells as one table of typed columns."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import pyarrow as pa

from crm_analysis.doors.schema import place_of
from crm_analysis.doors.sources.cell import mark
from crm_analysis.doors.sources.headers import N_SHOWN, Header, Row, find_header, like, skipped
from crm_analysis.doors.sources.kinds import typed_cells
from crm_analysis.doors.sources.opened import Opened, Options, Refusal, named, shown
from crm_analysis.doors.verdict import Defect

BATCH = 20_000


@dataclass(frozen=True)
class Part:
    """A sheet, or whatever else holds rows of cells: its name, and its rows that are not empty, numbered."""

    name: str
    rows: Iterator[Row]


def read_cells(
    parts: Iterable[Part], place: str, options: Options, engine: ibis.BaseBackend, wanted: Sequence[str]
) -> tuple[Opened, dict[str, Header]]:
    """Parts with the same columns, one below the other, as one table of typed columns; and their headers.

    The rows of a part are read to their end before the next part is asked for.
    """
    several = not isinstance(options.sheet, (str, type(None)))
    places = ["source_sheet", "source_row"] if several else ["source_row"]
    raw, headers = ibis.util.gen_name("cells"), dict[str, Header]()
    for part in parts:
        header, rows = find_header(part.rows, has_header=options.header, wanted=wanted)
        if headers:
            header = like(header, part.name, *next(iter(headers.items())))
        else:
            _create(engine, raw, header.names, places)
        headers[part.name] = header
        sheet = [part.name] if several else []
        _insert(engine, raw, ([*map(mark, header.cells(row)), *sheet, row[0]] for row in rows))
    names = list(next(iter(headers.values())).names)
    try:
        if not engine.raw_sql(f"SELECT count(*) FROM {raw}").fetchone()[0]:
            raise Refusal("there are no rows below the header; export it again")
        notes = _broken(engine, raw, place, names, wanted, places)
        name = typed_cells(engine, raw, names, places, options.decimal)
    finally:
        engine.drop_table(raw)
    told = [(f"sheet {shown(part)!r}: " if several else "", header) for part, header in headers.items()]
    reading = [f"{of}header in row {h.number}" for of, h in told if options.header and h.number > 1]
    notes += [skipped(place, of, h) for of, h in told if h.above]
    table = engine.table(name)
    return Opened(
        table, place, parses_text=True, stored=(name,), reading=(*reading,), notes=(*notes,)
    ), headers


def _create(engine: ibis.BaseBackend, raw: str, names: Sequence[str], places: Sequence[str]) -> None:
    columns = [f"{named(column)} VARCHAR" for column in (*names, *places[:-1])]
    engine.raw_sql(f"CREATE TABLE {raw} ({', '.join(columns)}, {places[-1]} BIGINT)")


def _insert(engine: ibis.BaseBackend, raw: str, rows: Iterator[list[Any]]) -> None:
    schema = engine.table(raw).schema().to_pyarrow()
    while batch := list(itertools.islice(rows, BATCH)):
        try:
            arrow = pa.table(list(map(list, zip(*batch, strict=True))), schema=schema)
        except UnicodeEncodeError:
            raise Refusal(f"the text near row {batch[0][-1]} is no Unicode; export it again") from None
        engine.insert(raw, arrow)


def _broken(
    engine: ibis.BaseBackend,
    raw: str,
    place: str,
    names: Sequence[str],
    wanted: Sequence[str],
    places: Sequence[str],
) -> list[Defect]:
    """Cells without a value: refused where a mapped column has them, else told where no mapping is known."""
    found = []
    for name in [name for name in names if name in wanted or not wanted]:
        cell = named(name)
        bad = f"FROM {raw} WHERE {cell}[1] = 'e'"
        if n := engine.raw_sql(f"SELECT count(*) {bad}").fetchone()[0]:
            some = engine.raw_sql(f"SELECT {cell}[2:], {', '.join(places)} {bad} LIMIT {N_SHOWN}").fetchall()
            where = [place_of(dict(zip(places, at, strict=True))) + repr(shows) for shows, *at in some]
            more = ", ..." if n > N_SHOWN else ""
            found.append(f"column {name!r}: {n:,} cells have no value: {', '.join(where)}{more}")
    if not found:
        return []
    sentence = (
        f"{'; '.join(found)}; put them right in the source: let it calculate and save again, write long ids "
        "as text"
    )
    if wanted:
        raise Refusal(sentence)
    return [Defect("cells without a value", "flag", f"{place}: {sentence}")]
