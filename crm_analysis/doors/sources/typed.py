"""An opened source becomes a canonical table: columns mapped, every value typed, or all problems told."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import and_
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
from crm_analysis.doors.sources.totals import is_total
from crm_analysis.doors.values.reading import Reading
from crm_analysis.doors.verdict import Defect, Verdict
from crm_analysis.errors import ConfigError

Mapped = Mapping[str, str | dict[str, str]]


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
    names = {column.name: name for column, name in _parts(schema, mapping)}
    problems = _absent(opened, schema, mapping)
    readings = _readings(opened, schema, mapping, options, problems)
    counts = _count(opened, readings)
    _look_closer(opened, readings, counts, problems, names)
    _multiply(opened, mapping, readings, counts)
    totals = _total_rows(opened, schema, readings, counts)
    defects = _unreadable(opened, readings, names, counts, totals)
    if problems or defects:
        raise _refused(opened.place, problems, defects)
    table = _projection(opened, readings, names, totals)
    slow = bool(opened.stored) or (opened.parses_text and any(r.slow for r in readings.values()))
    return SourceTable(
        _written(table, opened.stored) if slow else as_view(table),
        opened.place,
        reading=(*opened.reading, *_styles(readings, names)),
        notes=(*opened.notes, *_notes(opened, readings, names)),
        names=names,
    )


def _readings(
    opened: Opened, schema: Schema, mapping: Mapped, options: Options, problems: list[str]
) -> dict[str, Reading]:
    """How each mapped column is read; what is unclear goes to the problems."""
    readings: dict[str, Reading] = {}
    for column, name in _parts(schema, mapping):
        if name not in opened.table.columns:
            continue
        try:
            readings[column.name] = values.read_column(
                column, opened.table[name], habits=options.habits, parses_text=opened.parses_text
            )
        except Unclear as unclear:
            problems.append(_unclear(opened, column.name, name, unclear))
    return readings


def _unclear(opened: Opened, column: str, name: str, unclear: Unclear) -> str:
    return f"{opened.place}: column {name!r} (for {column}) {unclear}"


def _look_closer(
    opened: Opened,
    readings: dict[str, Reading],
    counts: dict[str, int],
    problems: list[str],
    names: dict[str, str],
) -> None:
    """Read the columns again that have odd rows."""
    again: dict[str, Reading] = {}
    for name, reading in readings.items():
        if counts.get(f"odd {name}") and reading.closer:
            try:
                again[name] = reading.closer()
            except Unclear as unclear:
                problems.append(_unclear(opened, name, names[name], unclear))
    changed = {name: reading for name, reading in again.items() if reading is not readings[name]}
    readings |= changed
    counts |= _count(opened, changed)


def _multiply(opened: Opened, mapping: Mapped, readings: dict[str, Reading], counts: dict[str, int]) -> None:
    """Amounts of a quantity and a unit price, where both could be read."""
    for name, where in mapping.items():
        if not isinstance(where, str) and {"quantity", "unit_price"} <= set(readings):
            readings[name] = values.read_product(readings["quantity"], readings["unit_price"])
            counts |= _count(opened, {name: readings[name]})


def _total_rows(opened: Opened, schema: Schema, readings: dict[str, Reading], counts: dict[str, int]) -> Any:
    """Rows that are totals, where there are any: looked for only where all dates of a row can be missing."""
    dated = [name for name in readings if schema.column(name).kind in ("time", "day")]
    if not opened.parses_text or not dated or not all(counts.get(f"missing {name}") for name in dated):
        return None
    undated = reduce(and_, (readings[name].undated for name in dated))
    found = is_total(opened.table, undated)
    return found if found is not None and opened.table.count(where=found).to_pyarrow().as_py() else None


def _styles(readings: dict[str, Reading], names: dict[str, str]) -> list[str]:
    """How each column is written, where the column itself settled it."""
    return [f"{names[name]!r}: {reading.style}" for name, reading in readings.items() if reading.style]


def _notes(opened: Opened, readings: dict[str, Reading], names: dict[str, str]) -> list[Defect]:
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


def _count(opened: Opened, readings: dict[str, Reading]) -> dict[str, int]:
    """Rows in all; per column those unreadable, those that need a closer look, and times that are missing."""
    asked = {
        f"{what} {name}": where.sum()
        for name, reading in readings.items()
        for what, where in _questions(reading)
        if where is not None and not where.equals(ibis.literal(False))
    }
    if not asked:
        return {}
    counts = opened.table.agg(rows=opened.table.count(), **asked).to_pyarrow().to_pylist()[0]
    return {name: int(n or 0) for name, n in counts.items()}


def _questions(reading: Reading) -> list[tuple[str, Any]]:
    return [("unreadable", reading.unreadable), ("odd", reading.odd), ("missing", reading.undated)]


def _unreadable(
    opened: Opened,
    readings: dict[str, Reading],
    names: dict[str, str],
    counts: dict[str, int],
    totals: Any,
) -> list[Defect]:
    """Values that have no reading, per column, with the first of them and their lines; totals need none."""
    if totals is not None:
        readings = {n: replace(r, unreadable=r.unreadable & ~totals) for n, r in readings.items()}
        counts = counts | _count(opened, readings)
    return [
        _unreadable_defect(opened, reading, names.get(name, name), name, n, counts["rows"])
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


def _projection(opened: Opened, readings: dict[str, Reading], names: dict[str, str], totals: Any) -> ir.Table:
    """Typed columns, totals marked, row numbers, and the source's other columns as they are."""
    found = {name: reading.value for name, reading in readings.items()}
    if totals is not None:
        found["source_total"] = totals
    numbers = {c: opened.table[c] for c in PLACES if c in opened.table.columns}
    used = set(names.values()) | set(numbers)
    others = {f"source:{c}": opened.table[c] for c in opened.table.columns if c not in used}
    return opened.table.select(**found, **numbers, **others)


def _written(table: ir.Table, stored: tuple[str, ...]) -> ir.Table:
    """Write typed values down once, where each pass would parse text or convert times again."""
    engine = table.get_backend()
    name = ibis.util.gen_name("typed")
    engine.create_table(name, table)
    for raw in stored:
        engine.drop_table(raw)
    return engine.table(name)
