"""Files with one and the same schema, one below the other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import ibis

from crm_analysis.doors.schema import PLACES
from crm_analysis.doors.sources.kinds import marked, typed_cells
from crm_analysis.doors.sources.opened import Opened, Refusal, named, quoted


def stack(opened: Sequence[Opened], engine: ibis.BaseBackend, decimal: str | None) -> Opened:
    """Several files as one table; `source_file` names the file of a row.

    Columns are the same if their names are, in any order. Where files hold a column in different types, its
    values are judged together, like the cells of a workbook.
    """
    first, columns = opened[0], _columns(opened[0])
    for other in opened[1:]:
        _refuse_different(first, other)
    places = [p for p in PLACES if p != "source_file" and any(p in each.table.columns for each in opened)]
    mixed = [name for name in columns if not _one_type([each.table.schema()[name] for each in opened])]
    parts = [_part(engine, each, columns, mixed, places) for each in opened]
    name = ibis.util.gen_name("stacked")
    engine.raw_sql(f"CREATE VIEW {name} AS {' UNION ALL '.join(parts)}")
    stored = tuple(itertools.chain.from_iterable(each.stored for each in opened))
    if mixed:
        others = [c for c in (*columns, *places, "source_file") if c not in mixed]
        name = typed_cells(engine, name, mixed, others, decimal)
        stored = (*stored, name)
    return Opened(
        engine.table(name), f"{len(opened)} files", parses_text=True, stored=stored,
        reading=_readings(opened), notes=tuple(itertools.chain.from_iterable(each.notes for each in opened)),
    )  # fmt: skip


def _columns(opened: Opened) -> list[str]:
    return [name for name in opened.table.columns if name not in PLACES]


def _refuse_different(first: Opened, other: Opened) -> None:
    ours, theirs = _columns(first), _columns(other)
    if absent := [name for name in ours if name not in theirs]:
        lacks, has, missing = other, first, absent
    elif absent := [name for name in theirs if name not in ours]:
        lacks, has, missing = first, other, absent
    else:
        return
    raise Refusal(
        f"{lacks.place} has the columns {_columns(lacks)}, but not {missing}, which {has.place} has; files "
        "that are read together need the same columns"
    )


def _one_type(types: Sequence[ibis.DataType]) -> bool:
    """Whether DuckDB puts values of these types into one column without changing any of them."""
    kinds = {kind(nullable=True) for kind in types}
    return len(kinds) == 1 or all(kind.is_integer() or (kind.is_boolean() and False) for kind in kinds)


def _part(
    engine: ibis.BaseBackend, opened: Opened, columns: list[str], mixed: list[str], places: list[str]
) -> str:
    """Query of one file in the columns of all."""
    schema = opened.table.schema()
    cells = [f"{marked(c, schema[c])} AS {named(c)}" if c in mixed else named(c) for c in columns]
    numbers = [named(p) if p in schema else f"NULL AS {named(p)}" for p in places]
    file = f"'{quoted(opened.place)}' AS source_file"
    return f"SELECT {', '.join([*cells, *numbers, file])} FROM ({engine.compile(opened.table)})"


def _readings(opened: Sequence[Opened]) -> tuple[str, ...]:
    """How the files were read: once where all were read alike."""
    alike = len({each.reading for each in opened}) == 1
    found = [*opened[0].reading] if alike else []
    if not alike:
        found = [f"{each.place}: {'; '.join(each.reading)}" for each in opened if each.reading]
    columns = _columns(opened[0])
    found += [f"{each.place}: columns in another order" for each in opened if _columns(each) != columns]
    return tuple(found)
