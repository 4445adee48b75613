"""An opened source becomes a canonical table: columns mapped, every value typed, or all problems told."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import and_, or_
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pandas as pd

from crm_analysis.doors.schema import N_EXAMPLES, PLACES, Schema, as_view, place_of
from crm_analysis.doors.sources.engine import default_engine
from crm_analysis.doors.sources.files import open_source
from crm_analysis.doors.sources.mapped import Mapped, MappedColumns
from crm_analysis.doors.sources.opened import Opened, Options, Refusal, shown
from crm_analysis.doors.sources.quick import typed_at_once
from crm_analysis.doors.sources.totals import is_dated_total, is_total
from crm_analysis.doors.values.reading import Reading
from crm_analysis.doors.verdict import Defect, Verdict
from crm_analysis.errors import ConfigError


@dataclass(frozen=True)
class SourceTable:
    """A canonical table: the schema's columns, typed; then the source's other columns as `source:NAME`.

    names : canonical column -> what it is called in the source.
    """

    table: ir.Table
    place: str
    reading: tuple[str, ...] = ()
    notes: tuple[Defect, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)

    def judged(self, verdict: Verdict) -> Verdict:
        """Verdict of a door on this table, with how the source was read and what was noticed there."""
        found = tuple(replace(defect, found=self._named(defect.found)) for defect in verdict.defects)
        return replace(verdict, defects=(*self.notes, *found), reading=self.reading)

    def _named(self, sentence: str) -> str:
        """Sentence with the names that the columns have in the source."""
        for name, source in self.names.items():
            if name != source:
                sentence = sentence.replace(f"({name})", f"({name}, column {source!r})")
        return sentence


def read_table(
    source: Any, schema: Schema, *, columns: Mapped, engine: ibis.BaseBackend | None = None, **options: Any
) -> SourceTable:
    """Source as a canonical, typed table; text is parsed once, into DuckDB.

    Parameters
    ----------
    source : path, "package:NAME/path/inside", "env:VARIABLE" (a database URL), DataFrame or Ibis table.
    columns : canonical name -> name in the source; {} takes the columns that already have canonical names.
    options : see `Options`.

    Raises
    ------
    DataError
        With every problem found: columns missing, values unreadable or readable in two ways.
    """
    chosen = Options.of(options, door=schema.name)
    _check_names(schema, columns)
    place = _place(source)
    try:
        engine, wanted = engine or default_engine(), _wanted(columns)
        quick = typed_at_once(source, schema, columns, chosen, engine, wanted)
        if quick is not None:
            return _as_source(quick.columns, as_view(quick.table))
        return typed(open_source(source, chosen, engine, wanted), schema, columns, chosen)
    except Refusal as refusal:
        raise _refused(place, [f"{place}: {refusal}"]) from None
    except duckdb.Error as error:
        # A file that is damaged inside, or gone, shows it when it is read.
        raise _refused(place, [f"{place}: DuckDB cannot read it ({shown(error)[:300]})"]) from None


def _refused(place: str, sentences: list[str], defects: list[Defect] | None = None) -> Exception:
    found = [Defect("unreadable", "refuse", sentence) for sentence in sentences]
    return Verdict(place, defects=(*found, *(defects or []))).refused()


def _check_names(schema: Schema, columns: Mapped) -> None:
    known = [column.name for column in schema.columns]
    if unknown := sorted(set(columns) - set(known)):
        raise ConfigError(
            f"{schema.name}: columns names {', '.join(unknown)}; a column may be one of {known}"
        )


def _wanted(columns: Mapped) -> list[str]:
    """Source columns that the mapping names."""
    named = [name if isinstance(name, str) else list(name.values()) for name in columns.values()]
    return list(itertools.chain.from_iterable([n] if isinstance(n, str) else n for n in named))


def _place(source: Any) -> str:
    if isinstance(source, (str, Path)):
        return str(source) if str(source).startswith("env:") else shown(Path(str(source)).name)
    return "DataFrame" if isinstance(source, pd.DataFrame) else "table"


def typed(opened: Opened, schema: Schema, columns: Mapped, options: Options) -> SourceTable:
    """Canonical columns of an opened source; everything that cannot be read, or is not there, at once."""
    found = MappedColumns.of(opened, schema, columns, options)
    found.look_closer()
    found.counts |= found.count(found.multiply())
    totals = _total_rows(found)
    defects = _unreadable(found, totals)
    if found.problems or defects:
        raise _refused(opened.place, found.problems, defects)
    table = found.table(**({} if totals is None else {"source_total": totals}))
    slow = bool(opened.stored) or (opened.parses_text and any(r.slow for r in found.readings.values()))
    return _as_source(found, _written(table, opened.stored) if slow else as_view(table))


def _as_source(found: MappedColumns, table: ir.Table) -> SourceTable:
    return SourceTable(
        table,
        found.opened.place,
        reading=(*found.opened.reading, *found.styles),
        notes=(*found.opened.notes, *found.notes),
        names=found.names,
    )


def _total_rows(found: MappedColumns) -> Any:
    """Rows that are totals, where there are any; only text and tables in our hands are looked through."""
    opened, readings = found.opened, found.readings
    dated = [name for name in readings if found.schema.column(name).kind in ("time", "day")]
    if not opened.parses_text or not dated:
        return None
    undated = None
    if all(found.counts.get(f"missing {name}") for name in dated):
        undated = is_total(opened.table, reduce(and_, (readings[name].undated for name in dated)))
        if undated is not None and not opened.table.count(where=undated).to_pyarrow().as_py():
            undated = None
    ids = found.ids
    if not ids or "amount" not in readings:
        return undated
    values, n_rows = [readings[name].value for name in ids], found.counts["rows"]
    with_date = is_dated_total(opened.table, values, readings["amount"].value, undated, n_rows)
    both = [where for where in (undated, with_date) if where is not None]
    return reduce(or_, both) if both else None


def _unreadable(found: MappedColumns, totals: Any) -> list[Defect]:
    """Values that have no reading, per column, with the first of them and their lines; totals need none."""
    readings, counts, names = found.readings, found.counts, found.names
    if totals is not None:
        readings = {n: replace(r, unreadable=r.unreadable & ~totals) for n, r in readings.items()}
        counts = counts | found.count(readings)
    return [
        _unreadable_defect(found.opened, reading, names.get(name, name), name, n, counts["rows"])
        for name, reading in readings.items()
        if (n := counts.get(f"unreadable {name}", 0))
    ]


def _unreadable_defect(
    opened: Opened, reading: Reading, source: str, name: str, n_bad: int, n_rows: int
) -> Defect:
    places = [column for column in PLACES if column in opened.table.columns]
    bad = opened.table.filter(reading.unreadable).select(*places, value=reading.text.cast("string"))
    rows = bad.order_by(places or "value").limit(N_EXAMPLES).to_pyarrow().to_pylist()
    shown = tuple(f"{place_of(row)}{row['value']!r}" for row in rows)
    found = (
        f"{opened.place}: column {source!r} (for {name}): {n_bad:,} of {n_rows:,} values cannot be read: "
        f"{', '.join(shown)}{', ...' if n_bad > len(shown) else ''}; {reading.expected} was expected; "
        "put them right in the source, or leave them empty"
    )
    return Defect(f"{name} unreadable", "refuse", found, n_bad, n_bad / n_rows, examples=shown)


def _written(table: ir.Table, stored: tuple[str, ...]) -> ir.Table:
    """Write typed values down once, where each pass would parse text or convert times again."""
    engine = table.get_backend()
    name = ibis.util.gen_name("typed")
    engine.create_table(name, table)
    for raw in stored:
        engine.drop_table(raw)
    return engine.table(name)
