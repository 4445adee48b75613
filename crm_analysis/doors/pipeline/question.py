"""What was asked of the door, what a source answered, and which of its rows are meant."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.pipeline.entries import attributes
from crm_analysis.doors.pipeline.outcomes import Outcomes
from crm_analysis.doors.pipeline.stages import Stages
from crm_analysis.doors.schema import Check, Checked, Column, Schema, check_rows
from crm_analysis.doors.shapes import stripped
from crm_analysis.doors.sources import SourceTable, read_table
from crm_analysis.doors.verdict import Defect
from crm_analysis.errors import ConfigError

ID = Column("opportunity_id", "id", required=True)
STAGE = Column("stage", "text", required=True)
OUTCOME = Column("outcome", "text")
VALUES = (
    Column("owner", "text"),
    Column("amount", "money"),
    Column("source", "text"),
    Column("segment", "text"),
    Column("account_id", "id"),
    Column("lost_reason", "text"),
    Column("phone", "text"),
    Column("email", "text"),
    Column("expected_close", "day"),
    Column("pipeline", "text"),
)


@dataclass(frozen=True)
class Question:
    """What was asked of the door: a source and its columns, the declared stages, the day it is seen at."""

    source: Any
    columns: Mapping[str, Any]
    stages: Stages
    snapshot_at: dt.date
    pipeline: str | None
    only: Mapping[str, str | Sequence[str]]
    outcomes: Outcomes
    max_set_aside: float
    options: dict[str, Any]

    def read(self, schema: Schema) -> SourceTable:
        """Read the source as a canonical table."""
        return read_table(self.source, schema, columns=self.columns, **self.options)

    def check(self, table: ir.Table, wanted: Sequence[Check], read: SourceTable) -> Checked:
        """Apply checks to the rows of the source."""
        checked = check_rows(table, wanted, name=read.place, max_set_aside=self.max_set_aside, in_order=False)
        return replace(checked, verdict=read.judged(checked.verdict))


@dataclass(frozen=True)
class Found:
    """A source after its checks; `rows` as `entries` takes them; `notes` are defects of the whole.

    furthest_known : whether the rows show how far lost opportunities had come.
    """

    name: str
    rows: ir.Table
    checked: Checked
    notes: tuple[Defect, ...] = ()
    furthest_known: bool = True


def schema_of(*columns: Column) -> Schema:
    """Return the schema of a shape: its own columns, then those that every shape may have."""
    return Schema("pipeline", (*columns, *VALUES))


def rows_meant(read: SourceTable, question: Question) -> tuple[SourceTable, tuple[Defect, ...]]:
    """Rows of the pipeline that is meant, and of `only`; all others belong to other questions.

    They are neither kept nor set aside, and how many there are stands in the reading.
    """
    notes = _about_pipelines(read, question)
    wanted = {name: _listed(values) for name, values in question.only.items()}
    columns = {name: _column(read, question, name) for name in wanted}
    if question.pipeline is not None:
        columns["pipeline"], wanted["pipeline"] = "pipeline", [question.pipeline]
    if not wanted:
        return read, notes
    for name, values in wanted.items():
        notes = (*notes, *_not_there(read, columns[name], name, values))
    table = read.table
    meant = ibis.and_(*(_text(table, columns[name]).isin(values) for name, values in wanted.items()))
    count = table.agg(n=table.count(where=meant), of=table.count()).to_pyarrow().to_pylist()[0]
    which = ", ".join(f"{name} {' or '.join(map(repr, values))}" for name, values in wanted.items())
    line = f"the {count['n']:,} of {count['of']:,} rows with {which}"
    return replace(read, table=table.filter(meant), reading=(*read.reading, line)), notes


def _listed(values: str | Sequence[str]) -> list[str]:
    return [values] if isinstance(values, str) else [str(value) for value in values]


def _text(table: ir.Table, column: str) -> ir.StringValue:
    return stripped(table[column].cast("string"))


def _column(read: SourceTable, question: Question, name: str) -> str:
    """Column of the typed table that is called `name` in the source."""
    mapped = {source: role for role, source in question.columns.items() if isinstance(source, str)}
    column = mapped.get(name, f"source:{name}")
    if column not in read.table.columns:
        there = [c.removeprefix("source:") for c in read.table.columns if c.startswith("source:")]
        raise ConfigError(
            f"pipeline: only names the column {name!r}, which {read.place} does not have; "
            f"columns there: {sorted({*mapped, *there})}"
        )
    return column


def _not_there(read: SourceTable, column: str, name: str, values: list[str]) -> list[Defect]:
    """Refuse values asked for that no row has: a misspelt one would be a pipeline without those rows."""
    if column == "pipeline" and name == "pipeline":
        return []
    text = _text(read.table, column)
    rows = read.table.select(value=text).distinct().order_by("value").limit(50).to_pyarrow().to_pylist()
    there = [row["value"] for row in rows if row["value"] is not None]
    missing = [value for value in values if value not in there]
    if not missing or len(rows) == 50:
        return []
    found = f"{read.place}: only asks for {name} {missing}, which no row has; values there: {there[:10]}"
    return [Defect("only finds nothing", "refuse", found)]


def _about_pipelines(read: SourceTable, question: Question) -> tuple[Defect, ...]:
    table, wanted = read.table, question.pipeline
    if "pipeline" not in table.columns:
        if wanted is None:
            return ()
        raise ConfigError(f"pipeline: pipeline = {wanted!r} needs a column mapped to pipeline")
    names = table.filter(table.pipeline.notnull()).select("pipeline").distinct()
    there = sorted(row["pipeline"] for row in names.to_pyarrow().to_pylist())
    if wanted is None and len(there) > 1:
        found = f"{read.place}: holds {len(there)} pipelines, {there}; set pipeline to the one that is meant"
        return (Defect("several pipelines", "refuse", found),)
    if wanted is not None and wanted not in there:
        raise ConfigError(f"pipeline: {read.place} has no pipeline {wanted!r}; pipelines there: {there}")
    return () if wanted is None or len(there) == 1 else tuple(_moved(read, wanted))


def _moved(read: SourceTable, wanted: str) -> list[Defect]:
    """Find opportunities of the pipeline that is meant which are in another one too."""
    table = read.table
    by_id = table.group_by("opportunity_id").agg(
        here=(table.pipeline == wanted).any(), n=table.pipeline.nunique()
    )
    moved = by_id.filter(by_id.here & (by_id.n > 1) & by_id.opportunity_id.notnull())
    n, of = (int(t.count().to_pyarrow().as_py()) for t in (moved, by_id.filter(by_id.here)))
    if not n:
        return []
    some = moved.order_by("opportunity_id").limit(3).to_pyarrow().to_pylist()
    return [
        Defect(
            "in several pipelines",
            "flag",
            f"{read.place}: {n:,} of {of:,} opportunities ({n / of:.1%}) of {wanted!r} have rows in another "
            "pipeline too, which are not read",
            n,
            n / of,
            examples=tuple(f"opportunity_id {row['opportunity_id']}" for row in some),
            bias="they seem to begin late, or to stay open where they had left",
        )
    ]


def only_columns(table: ir.Table, *columns: str) -> ir.Table:
    """Keep these columns and the optional ones, written down: what follows asks for them many times."""
    return table.select(*(name for name in columns if name in table.columns), *attributes(table)).cache()
