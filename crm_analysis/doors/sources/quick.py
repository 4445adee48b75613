"""Large texts are typed while they are read, where their first rows prove how.

What the first rows prove is held against every row while it is read, cast and stored, all in one pass. The
first row that they do not prove ends it, and the text is read as any other: loaded whole, judged, then typed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir

from crm_analysis.doors.schema import Column, Schema
from crm_analysis.doors.shapes import Shapes, full
from crm_analysis.doors.sources.files import is_delimited_text
from crm_analysis.doors.sources.mapped import Mapped, MappedColumns
from crm_analysis.doors.sources.opened import Opened, Options, shown
from crm_analysis.doors.sources.text import Prepared, prepared

QUICK_FROM = 32 << 20
N_FIRST = 19_000
PLAIN = r"(-?)(9{1,14})(?:\.(9{1,4}))?"
CLEAR_DECIMALS = {1, 2, 4}


@ibis.udf.scalar.builtin
def error(message: str) -> str:  # type: ignore[empty-body]
    """DuckDB's: end the query."""


@dataclass(frozen=True)
class Quick:
    """A large text that was typed while it was read; `table` holds all its rows, `columns` what they are."""

    columns: MappedColumns
    table: ir.Table


def typed_at_once(
    source: Any,
    schema: Schema,
    columns: Mapped,
    options: Options,
    engine: ibis.BaseBackend,
    wanted: list[str],
) -> Quick | None:
    """Canonical table of a large text; None where it has to be loaded and judged as a whole."""
    path = _large_text(source, options.folder)
    if path is None:
        return None
    with prepared(path, options, wanted) as text:
        if text.layout.n_fields != len(text.dialect.names) or text.layout.n_fields < 2:
            return None
        try:
            return _typed(text, schema, columns, options, engine)
        except duckdb.Error:
            # Whatever it is, it is told when the text is read as a whole.
            return None


def _large_text(source: Any, folder: Path | str) -> Path | None:
    if not isinstance(source, (str, Path)):
        return None
    path = Path(folder) / source
    large = path.is_file() and path.stat().st_size >= QUICK_FROM
    return path if large and is_delimited_text(path) else None


def _typed(
    text: Prepared, schema: Schema, columns: Mapped, options: Options, engine: ibis.BaseBackend
) -> Quick | None:
    rows, head = ibis.util.gen_name("rows"), ibis.util.gen_name("head")
    try:
        engine.raw_sql(f"CREATE VIEW {rows} AS FROM {text.layout.reader()}")
        engine.raw_sql(f"CREATE TABLE {head} AS FROM {rows} LIMIT {N_FIRST}")
        first = engine.table(head)
        opened = Opened(
            first.select(**text.columns(first)),
            shown(text.place),
            parses_text=True,
            reading=text.reading,
            notes=text.dialect.notes,
        )
        found = MappedColumns.of(opened, schema, columns, options)
        guards = _guards(found)
        if guards is None:
            return None
        table = _ending_at_others(found, guards).op().replace({first.op(): engine.table(rows).op()})
        return Quick(found, _stored(engine, table.to_expr(), text))
    finally:
        engine.drop_table(head, force=True)
        engine.drop_view(rows, force=True)


def _stored(engine: ibis.BaseBackend, table: ir.Table, text: Prepared) -> ir.Table:
    name = ibis.util.gen_name("typed")
    engine.create_table(name, table)
    stored = engine.table(name)
    return stored.mutate(**text.numbers(stored, int(stored.count().to_pyarrow().as_py())))


def _ending_at_others(found: MappedColumns, guards: list[Any]) -> ir.Table:
    """Typed table of which no row is made where one is not as the first ones prove."""
    readings = found.readings | found.multiply()
    odd = [
        where for r in readings.values() for where in (r.unreadable, r.odd, r.undated) if where is not None
    ]
    proven = [ibis.coalesce(guard, ibis.literal(False)) for guard in guards]
    proven += [~ibis.coalesce(where, ibis.literal(False)) for where in odd]
    name, reading = next(iter(readings.items()))
    ends = error("a row that the first ones do not prove").cast(reading.value.type())
    return found.table(**{name: reduce(and_, proven).ifelse(reading.value, ends)})


def _guards(found: MappedColumns) -> list[Any] | None:
    """What each row must fulfil to be read as the first ones are; None where they do not prove how."""
    counts = found.count(found.readings)
    if found.problems or any(n for what, n in counts.items() if what != "rows"):
        return None
    guards = []
    for column, name in found.parts():
        guard = _proven(column, found.opened.table[name])
        if guard is None or found.readings[column.name].notes:
            return None
        guards.append(guard)
    return guards


def _proven(column: Column, raw: Any) -> Any:
    if column.kind in ("id", "text"):
        return ibis.literal(True)
    shapes = Shapes.of(raw)
    if not shapes.shapes or not shapes.complete:
        return None
    if column.kind in ("time", "day"):
        return shapes.have(shapes.shapes)
    return _plain_number(shapes, raw) if column.kind in ("money", "number") else None


def _plain_number(shapes: Shapes, raw: Any) -> Any:
    """Pattern of plain numbers with as many decimals as the first ones have, which prove the sign."""
    found = [re.fullmatch(PLAIN, shape.shape) for shape in shapes.shapes]
    if not all(found):
        return None
    decimals = {len(match[3] or "") for match in found if match}
    if decimals != {0} and not decimals & CLEAR_DECIMALS:
        return None
    parts = [f"\\.[0-9]{{{n}}}" if n else "" for n in sorted(decimals)]
    return raw.isnull() | full(raw, f"-?[0-9]{{1,14}}(?:{'|'.join(parts)})")
