"""The mapped columns of an opened source: which they are, how each is read, and what cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.doors import values
from crm_analysis.doors.schema import PLACES, Column, Schema
from crm_analysis.doors.shapes import Unclear
from crm_analysis.doors.sources.opened import Opened, Options
from crm_analysis.doors.values.reading import Reading
from crm_analysis.doors.verdict import Defect
from crm_analysis.errors import ConfigError

Mapped = Mapping[str, str | dict[str, str]]


@dataclass
class MappedColumns:
    """Canonical columns of an opened source.

    names : canonical column -> what it is called in the source.
    readings : canonical column -> how it is read.     problems : sentences on what is unclear or not there.
    counts : "rows", and per column "unreadable NAME", "odd NAME" and "missing NAME".
    """

    opened: Opened
    schema: Schema
    mapping: Mapped
    options: Options
    readings: dict[str, Reading] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, opened: Opened, schema: Schema, columns: Mapped, options: Options) -> MappedColumns:
        """Columns of a source, read as a first look at each tells."""
        mapping = columns or {c.name: c.name for c in schema.columns if c.name in opened.table.columns}
        if schema.may_lack:
            kept = {*schema.required, *(n for n, w in mapping.items() if w in opened.table.columns)}
            mapping = {name: where for name, where in mapping.items() if name in kept}
        found = cls(opened, schema, mapping, options)
        found.problems += found._absent()
        found._read()
        return found

    @property
    def names(self) -> dict[str, str]:
        """What each mapped column is called in the source."""
        return {column.name: name for column, name in self.parts()}

    @property
    def ids(self) -> list[str]:
        """Canonical columns of ids that were read."""
        return [name for name in self.readings if self.schema.column(name).kind == "id"]

    def _read(self) -> None:
        """Read each mapped column; what is unclear goes to the problems."""
        for column, name in self.parts():
            if name in self.opened.table.columns:
                raw, habits = self.opened.table[name], self.options.habits
                try:
                    self.readings[column.name] = values.read_column(
                        column, raw, habits=habits, parses_text=self.opened.parses_text
                    )
                except Unclear as unclear:
                    self.problems.append(self._unclear(column.name, unclear))

    def look_closer(self) -> None:
        """Count what is odd, and read the columns again in which something is."""
        self.counts |= self.count(self.readings)
        changed: dict[str, Reading] = {}
        for name, reading in self.readings.items():
            if self.counts.get(f"odd {name}") and reading.closer:
                try:
                    changed[name] = reading.closer()
                except Unclear as unclear:
                    self.problems.append(self._unclear(name, unclear))
        changed = {name: reading for name, reading in changed.items() if reading is not self.readings[name]}
        self.readings |= changed
        self.counts |= self.count(changed)

    def _unclear(self, column: str, unclear: Unclear) -> str:
        return f"{self.opened.place}: column {self.names[column]!r} (for {column}) {unclear}"

    def multiply(self) -> dict[str, Reading]:
        """Amounts of a quantity and a unit price, where both could be read: added, and returned."""
        made = {
            name: values.read_product(self.readings["quantity"], self.readings["unit_price"])
            for name, where in self.mapping.items()
            if not isinstance(where, str) and {"quantity", "unit_price"} <= set(self.readings)
        }
        self.readings |= made
        return made

    def count(self, readings: Mapping[str, Reading]) -> dict[str, int]:
        """Rows in all; per column those unreadable, those that need a closer look, and missing times."""
        asked = {
            f"{what} {name}": where.sum()
            for name, reading in readings.items()
            for what, where in _questions(reading)
            if where is not None and not where.equals(ibis.literal(False))
        }
        if not asked:
            return {}
        table = self.opened.table
        counts = table.agg(rows=table.count(), **asked).to_pyarrow().to_pylist()[0]
        return {name: int(n or 0) for name, n in counts.items()}

    @property
    def styles(self) -> list[str]:
        """How each column is written, where the column itself settled it."""
        names = self.names
        return [f"{names[name]!r}: {r.style}" for name, r in self.readings.items() if r.style]

    @property
    def notes(self) -> list[Defect]:
        """What is to be said of the columns."""
        place, names = self.opened.place, self.names
        return [
            Defect(what, "flag", f"{place}: column {names[name]!r} (for {name}) {sentence}")
            for name, reading in self.readings.items()
            for what, sentence in reading.notes
        ]

    def table(self, **further: ir.Value) -> ir.Table:
        """Typed columns and further ones, row numbers, and the source's other columns as they are."""
        source = self.opened.table
        found = {name: reading.value for name, reading in self.readings.items()} | further
        numbers = {c: source[c] for c in PLACES if c in source.columns}
        used = set(self.names.values()) | set(numbers)
        others = {f"source:{c}": source[c] for c in source.columns if c not in used}
        return source.select(**found, **numbers, **others)

    def _absent(self) -> list[str]:
        """Sentences about required columns that are not mapped, and mapped ones that are not there."""
        present = [name for name in self.opened.table.columns if name not in PLACES]
        place, known = self.opened.place, f"columns present: {present}"
        unmapped = [
            f"{place}: no column is mapped to {name}, which {self.schema.name} needs; {known}; "
            f"set columns = {{ {name} = ... }}"
            for name in self.schema.required
            if name not in self.mapping
        ]
        return unmapped + [
            f"{place}: no column {name!r} (for {column.name}); {known}; correct columns, or the export"
            for column, name in self.parts()
            if name not in present
        ]

    def parts(self) -> list[tuple[Column, str]]:
        """Canonical column and source name; an amount of quantity and unit price is read as these two."""
        schema, found = self.schema, dict[str, tuple[Column, str]]()
        for name, where in self.mapping.items():
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


def _questions(reading: Reading) -> list[tuple[str, Any]]:
    return [("unreadable", reading.unreadable), ("odd", reading.odd), ("missing", reading.undated)]
