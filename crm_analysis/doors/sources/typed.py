"""An opened source becomes a canonical table: columns mapped, every value typed, or all problems told."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pandas as pd

from crm_analysis.doors import values
from crm_analysis.doors.schema import N_EXAMPLES, PLACES, Column, Schema, as_view, place_of
from crm_analysis.doors.shapes import Unclear
from crm_analysis.doors.sources.engine import default_engine
from crm_analysis.doors.sources.files import open_source
from crm_analysis.doors.sources.opened import Opened, Options, Refusal, shown
from crm_analysis.doors.verdict import Defect, Verdict
from crm_analysis.errors import ConfigError

Mapped = Mapping[str, str | dict[str, str]]


@dataclass(frozen=True)
class SourceTable:
    """A canonical table: the schema's columns, typed; then the source's other columns as `source:NAME`."""

    table: ir.Table
    place: str
    reading: tuple[str, ...] = ()
    notes: tuple[Defect, ...] = ()

    def judged(self, verdict: Verdict) -> Verdict:
        """Verdict of a door on this table, with how the source was read and what was noticed there."""
        return replace(verdict, defects=(*self.notes, *verdict.defects), reading=self.reading)


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
        opened = open_source(source, chosen, engine or default_engine(), _wanted(columns))
        return typed(opened, schema, columns, chosen)
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
    mapping = columns or {c.name: c.name for c in schema.columns if c.name in opened.table.columns}
    if schema.may_lack:
        kept = {*schema.required, *(n for n, w in mapping.items() if w in opened.table.columns)}
        mapping = {name: where for name, where in mapping.items() if name in kept}
    problems = _absent(opened, schema, mapping)
    readings: dict[str, values.Reading] = {}
    for column, name in _parts(schema, mapping):
        if name not in opened.table.columns:
            continue
        try:
            raw = opened.table[name]
            readings[column.name] = values.read_column(
                column, raw, habits=options.habits, parses_text=opened.parses_text
            )
        except Unclear as unclear:
            problems.append(f"{opened.place}: column {name!r} (for {column.name}) {unclear}")
    names = {column.name: name for column, name in _parts(schema, mapping)}
    counts = _count(opened, readings)
    defects = _unreadable(opened, readings, names, counts)
    if problems or defects:
        raise _refused(opened.place, problems, defects)
    typed = {name: r.value if counts.get(f"empty {name}", 1) else r.text for name, r in readings.items()}
    table = _projection(opened, mapping, typed, names)
    slow = bool(opened.stored) or (opened.parses_text and any(r.slow for r in readings.values()))
    return SourceTable(
        _written(table, opened.stored) if slow else as_view(table),
        opened.place,
        reading=(*opened.reading, *_styles(readings, names)),
        notes=(*opened.notes, *_notes(opened, readings, names)),
    )


def _styles(readings: dict[str, values.Reading], names: dict[str, str]) -> list[str]:
    """How each column is written, where the column itself settled it."""
    return [f"{names[name]!r}: {reading.style}" for name, reading in readings.items() if reading.style]


def _notes(opened: Opened, readings: dict[str, values.Reading], names: dict[str, str]) -> list[Defect]:
    return [
        Defect(what, "flag", f"{opened.place}: column {names[name]!r} (for {name}) {sentence}")
        for name, reading in readings.items()
        for what, sentence in reading.notes
    ]


def _absent(opened: Opened, schema: Schema, mapping: Mapped) -> list[str]:
    """Sentences about required columns that are not mapped, and mapped ones that are not there."""
    present = [name for name in opened.table.columns if name not in PLACES]
    known = f"columns present: {present}"
    unmapped = [
        f"{opened.place}: no column is mapped to {name}, which {schema.name} needs; {known}; "
        f"set columns = {{ {name} = ... }}"
        for name in schema.required
        if name not in mapping
    ]
    return unmapped + [
        f"{opened.place}: no column {name!r} (for {column.name}); {known}; correct columns, or the export"
        for column, name in _parts(schema, mapping)
        if name not in present
    ]


def _parts(schema: Schema, mapping: Mapped) -> list[tuple[Column, str]]:
    """Canonical column and source name; an amount of `{quantity, unit_price}` is read as its two parts."""
    found: dict[str, tuple[Column, str]] = {}
    for name, where in mapping.items():
        if isinstance(where, str):
            found[name] = (schema.column(name), where)
        elif set(where) == {"quantity", "unit_price"} and schema.column(name).kind == "money":
            found |= {part: (schema.column(part), where[part]) for part in where}
        else:
            raise ConfigError(
                f"{schema.name}: columns.{name} = {dict(where)}: a name was expected, or for an amount "
                "{ quantity = ..., unit_price = ... }"
            )
    return list(found.values())


def _count(opened: Opened, readings: dict[str, values.Reading]) -> dict[str, int]:
    """Rows in all; per column those that are unreadable, and those with a word for nothing."""
    asked = {
        f"{what} {name}": where.sum()
        for name, reading in readings.items()
        for what, where in (("unreadable", reading.unreadable), ("empty", reading.empty))
        if where is not None and not where.equals(ibis.literal(False))
    }
    if not asked:
        return {}
    counts = opened.table.agg(rows=opened.table.count(), **asked).to_pyarrow().to_pylist()[0]
    return {name: int(n or 0) for name, n in counts.items()}


def _unreadable(
    opened: Opened, readings: dict[str, values.Reading], names: dict[str, str], counts: dict[str, int]
) -> list[Defect]:
    """Values that have no reading, per column, with the first of them and their lines."""
    return [
        _unreadable_defect(opened, reading, names[name], name, n, counts["rows"])
        for name, reading in readings.items()
        if (n := counts.get(f"unreadable {name}", 0))
    ]


def _unreadable_defect(
    opened: Opened, reading: values.Reading, source: str, name: str, n_bad: int, n_rows: int
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


def _projection(
    opened: Opened, mapping: Mapped, typed: dict[str, ir.Value], names: dict[str, str]
) -> ir.Table:
    """Typed columns, amounts multiplied out, row numbers, and the source's other columns as they are."""
    for name, where in mapping.items():
        if not isinstance(where, str):
            typed[name] = values.product(typed["quantity"], typed["unit_price"])
    numbers = {c: opened.table[c] for c in PLACES if c in opened.table.columns}
    used = set(names.values()) | set(numbers)
    others = {f"source:{c}": opened.table[c] for c in opened.table.columns if c not in used}
    return opened.table.select(**typed, **numbers, **others)


def _written(table: ir.Table, stored: tuple[str, ...]) -> ir.Table:
    """Write typed values down once, where each pass would parse text or convert times again."""
    engine = table.get_backend()
    name = ibis.util.gen_name("typed")
    engine.create_table(name, table)
    for raw in stored:
        engine.drop_table(raw)
    return engine.table(name)
