"""Large texts are typed while they are read, where their first rows prove how.

What the first rows prove is held against every row while it is read, cast and stored, all in one pass. Where
one row is not as they prove, the text is read as any other: loaded whole, judged, then typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir

from crm_analysis.doors.schema import Column, Schema
from crm_analysis.doors.shapes import Shapes, full
from crm_analysis.doors.sources.files import is_delimited_text
from crm_analysis.doors.sources.mapped import Mapped, MappedColumns
from crm_analysis.doors.sources.opened import Opened, Options, held_still, shown
from crm_analysis.doors.sources.text import Prepared, prepared
from crm_analysis.doors.sources.totals import ends_with, named_total

QUICK_FROM = 32 << 20
N_FIRST = 19_000
PLAIN = r"-?9{1,14}(?:\.(9{1,4}))?"
CLEAR_DECIMALS = {1, 2, 4}
FEW_LOOKS = 4
PROVEN = "source_proven"
# Between these no date stands for none (`values.sentinels`), in whatever time zone.
USUAL = ("1970-01-02", "2099-12-30")


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
    with held_still(path), prepared(path, options, wanted) as text:
        if text.layout.n_fields != len(text.dialect.names) or text.layout.n_fields < 2:
            return None
        try:
            with _unread(text, engine) as (first, rows):
                return _typed(text, first, rows, schema, columns, options)
        except duckdb.Error:
            # Whatever it is, it is told when the text is read as a whole.
            return None


def _large_text(source: Any, folder: Path | str) -> Path | None:
    if not isinstance(source, (str, Path)):
        return None
    path = Path(folder) / source
    try:
        large = path.is_file() and path.stat().st_size >= QUICK_FROM
        return path if large and is_delimited_text(path) else None
    except (OSError, ValueError):
        # What no system can open is told when it is opened.
        return None


@contextmanager
def _unread(text: Prepared, engine: ibis.BaseBackend) -> Iterator[tuple[ir.Table, ir.Table]]:
    """First rows of a text, and all of them, which are read where they are asked for."""
    rows, first = ibis.util.gen_name("rows"), ibis.util.gen_name("first")
    try:
        engine.raw_sql(f"CREATE VIEW {rows} AS FROM {text.layout.reader()}")
        engine.raw_sql(f"CREATE TABLE {first} AS FROM {rows} LIMIT {N_FIRST}")
        yield engine.table(first), engine.table(rows)
    finally:
        engine.drop_table(first, force=True)
        engine.drop_view(rows, force=True)


def _typed(
    text: Prepared, first: ir.Table, rows: ir.Table, schema: Schema, columns: Mapped, options: Options
) -> Quick | None:
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
    stored = _stored(found, guards, first, rows)
    n_rows = _proven_rows(stored, _dated(found))
    if not n_rows or _may_end_with_totals(found, stored, n_rows) or text.swallows(rows, n_rows):
        stored.get_backend().drop_table(stored.get_name())
        return None
    return Quick(found, stored.mutate(**text.numbers(stored, n_rows)).drop(PROVEN))


def _dated(found: MappedColumns) -> list[str]:
    return [column.name for column, _ in found.parts() if column.kind in ("time", "day")]


def _stored(found: MappedColumns, guards: list[Any], first: ir.Table, rows: ir.Table) -> ir.Table:
    """All rows, typed as the first ones are, and whether each is as these prove: TRUE, or NULL in ids.

    Values are computed in a view below, so that the guards do not compute them again.
    """
    engine, source = rows.get_backend(), found.opened.table
    made = found.multiply()
    below = {f"raw:{name}": source[name] for name in source.columns}
    below |= {f"typed:{name}": reading.value for name, reading in found.readings.items()}
    values = source.select(**below).op().replace({first.op(): rows.op()}).to_expr()
    view = engine.create_view(ibis.util.gen_name("values"), values)
    known = {value.op(): view[name].op() for name, value in below.items()}
    dated = _dated(found)
    wheres = [r.undated if name in dated else r.odd for name, r in found.readings.items()]
    wheres += [reading.unreadable for reading in made.values()]
    proven = reduce(and_, [*guards, *(~where for where in wheres if where is not None)])
    wanted = found.table(**{PROVEN: proven}).op().values
    table = view.select(**{name: value.replace(known).to_expr() for name, value in wanted.items()})
    try:
        return engine.create_table(ibis.util.gen_name("typed"), table)
    finally:
        engine.drop_view(view.get_name(), force=True)


def _proven_rows(stored: ir.Table, dated: list[str]) -> int:
    """Rows, where all are as the first ones prove and no date is one that may stand for none; else 0."""
    ends = {f"{end} {name}": getattr(stored[name], end)() for name in dated for end in ("min", "max")}
    found = stored.agg(n=stored.count(), proven=stored[PROVEN].all(), **ends).to_pyarrow().to_pylist()[0]
    if found["proven"] is False or not found["n"]:
        return 0
    usual = all(USUAL[0] < f"{found[name]:%Y-%m-%d}" < USUAL[1] for name in ends)
    return int(found["n"]) if usual else 0


def _may_end_with_totals(found: MappedColumns, stored: ir.Table, n_rows: int) -> bool:
    """Whether one of the last rows is called a total: whether it is one, the whole text must say."""
    ids = [stored[name] for name in found.ids]
    return bool(ids) and any(ends_with(stored, named_total(ids), n_rows))


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
    if column.kind in ("id", "text", "as it is"):
        return ibis.literal(True)
    shapes = Shapes.of(raw)
    if not shapes.shapes or not shapes.complete:
        return None
    if column.kind in ("time", "day"):
        return _like(shapes, raw)
    return _plain_number(shapes, raw) if column.kind in ("money", "number") else None


def _like(shapes: Shapes, raw: Any) -> Any:
    """Whether a time looks like one of the first; where it does, it is what its digits say, or none at all.

    A sign for each digit is looked for, which takes a third of the time of a pattern of digits.
    """
    looks = {shape.shape.replace("9", "_") for shape in shapes.shapes}
    if len(looks) > FEW_LOOKS or any(sign in look for look in looks for sign in "%\\"):
        return shapes.have(shapes.shapes)
    return reduce(or_, (raw.like(look) for look in sorted(looks)))


def _plain_number(shapes: Shapes, raw: Any) -> Any:
    """Pattern of plain numbers with as many decimals as the first ones have, which prove the sign."""
    found = [re.fullmatch(PLAIN, shape.shape) for shape in shapes.shapes]
    if not all(found):
        return None
    decimals = {len(match[1] or "") for match in found if match}
    if decimals != {0} and not decimals & CLEAR_DECIMALS:
        return None
    parts = [rf"\.[0-9]{{{n}}}" if n else "" for n in sorted(decimals)]
    return full(raw, rf"-?[0-9]{{1,14}}(?:{'|'.join(parts)})")
