"""Three of the four shapes of a pipeline: what the source must hold, and how it becomes rows of entries."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.pipeline import checks
from crm_analysis.doors.pipeline.entries import attributes
from crm_analysis.doors.pipeline.stages import Stages
from crm_analysis.doors.schema import Check, Checked, Column, Schema, check_rows
from crm_analysis.doors.sources import SourceTable, read_table
from crm_analysis.doors.verdict import Defect
from crm_analysis.errors import ConfigError

ID = Column("opportunity_id", "id", required=True)
STAGE = Column("stage", "text", required=True)
VALUES = (
    Column("owner", "text"),
    Column("amount", "money"),
    Column("source", "text"),
    Column("segment", "text"),
    Column("account_id", "id"),
    Column("lost_reason", "text"),
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
    """A source after its checks; `rows` as `entries` takes them; `notes` are defects of the whole."""

    name: str
    rows: ir.Table
    checked: Checked
    notes: tuple[Defect, ...] = ()


def schema_of(*columns: Column) -> Schema:
    """Return the schema of a shape: its own columns, then those that every shape may have."""
    return Schema("pipeline", (*columns, *VALUES))


def read_history(question: Question) -> Found:
    """Long stage history: a row per stage entry, and per change of anything else."""
    read = question.read(schema_of(ID, STAGE, Column("entered_at", "time", required=True)))
    return found_entries(read, question, [checks.repeated("flag"), checks.at_once()])


def found_entries(read: SourceTable, question: Question, more: Sequence[Check]) -> Found:
    """Check rows that each say that an opportunity was in a stage at a time."""
    table, notes = _one_pipeline(read, question)
    table = table.mutate(stage=question.stages.declared(table.stage))
    wanted = [
        *checks.entry_checks(question.snapshot_at),
        checks.not_declared(table, question.stages),
        *more,
    ]
    table = checks.mark_copies(table, ["opportunity_id", "entered_at"])
    checked = question.check(table, wanted, read)
    rows = _only(checked.kept, "opportunity_id", "stage", "entered_at", "created_at")
    return Found(read.place, rows, checked, notes)


def read_stage_dates(question: Question) -> Found:
    """One row per opportunity with the day it entered each stage; losses are a stage with a date too."""
    names = _stage_columns(question)
    order = question.stages.order
    dated = [Column(f"stage {name}", "time", required=name in order) for name in question.stages.known]
    columns = {name: column for name, column in question.columns.items() if name != "stages"}
    columns |= {f"stage {name}": column for name, column in names.items()}
    read = read_table(question.source, schema_of(ID, *dated), columns=columns, **question.options)
    table, notes = _one_pipeline(read, question)
    dates = [table[f"stage {name}"] for name in names]
    # Engines differ on NULL in least(): a missing date is replaced by one that is known.
    known = [ibis.coalesce(date, *dates) for date in dates]
    table = table.mutate(first_at=ibis.least(*known), any_at=ibis.coalesce(*dates))
    table = checks.mark_copies(table, ["opportunity_id"])
    wanted = checks.stage_date_checks(question.stages, list(names), question.snapshot_at)
    checked = question.check(table, wanted, read)
    return Found(read.place, _unpivoted(checked.kept, list(names), question.snapshot_at), checked, notes)


def _stage_columns(question: Question) -> dict[str, str]:
    names, stages = question.columns.get("stages"), question.stages
    if not isinstance(names, Mapping):
        raise ConfigError(
            'pipeline: the shape "stage dates" needs the date column of every stage: '
            f"columns = {{ ..., stages = {{ {stages.order[0]!r} = 'name of its column', ... }} }}"
        )
    if stages.renamed:
        raise ConfigError(
            'pipeline: renamed_stages means nothing in the shape "stage dates", where columns.stages names '
            "the declared stages; leave it out"
        )
    if unknown := sorted(set(names) - set(stages.known)):
        raise ConfigError(
            f"pipeline: columns.stages names {unknown}, not declared; declared: {list(stages.known)}"
        )
    if missing := [name for name in stages.order if name not in names]:
        raise ConfigError(f"pipeline: columns.stages has no date column for {missing}; every stage needs one")
    return dict(names)


def _unpivoted(kept: ir.Table, names: list[str], at: dt.date) -> ir.Table:
    """Rows as of a long history: one per opportunity and stage with a date."""
    parts = [
        kept.select(
            "opportunity_id",
            *attributes(kept),
            stage=ibis.literal(name),
            entered_at=kept[f"stage {name}"],
        )
        for name in names
    ]
    rows = ibis.union(*parts)
    return rows.filter(rows.entered_at.date() <= at).cache()


def read_current_stage(question: Question) -> Found:
    """One row per opportunity with its stage now, the day it was created and the day it was closed."""
    dates = [Column("created_at", "time", required=True), Column("closed_at", "time", required=True)]
    read = question.read(schema_of(ID, STAGE, *dates))
    table, notes = _one_pipeline(read, question)
    table = table.mutate(stage=question.stages.declared(table.stage))
    wanted = [
        *checks.current_stage_checks(question.stages, question.snapshot_at),
        checks.not_declared(table, question.stages),
    ]
    table = checks.mark_copies(table, ["opportunity_id"])
    checked = question.check(table, wanted, read)
    rows = _only(checked.kept, "opportunity_id", "stage", "created_at", "closed_at")
    rows = rows.mutate(seen_on=ibis.literal(question.snapshot_at))
    return Found(read.place, rows, checked, (*notes, _furthest_unknown(read.place)))


def _furthest_unknown(name: str) -> Defect:
    found = (
        f"{name}: only the current stage of each opportunity is known, so the furthest stage of lost ones is "
        "not: stage rates are refused, while win rate, incidence and velocity work"
    )
    return Defect("furthest stage unknown", "flag", found, bias="none on win rate, incidence and velocity")


def _one_pipeline(read: SourceTable, question: Question) -> tuple[ir.Table, tuple[Defect, ...]]:
    """Rows of the pipeline that is meant; those of others in the same file belong to other questions."""
    table, wanted = read.table, question.pipeline
    if "pipeline" not in table.columns:
        if wanted is None:
            return table, ()
        raise ConfigError(f"pipeline: pipeline = {wanted!r} needs a column mapped to pipeline")
    names = table.filter(table.pipeline.notnull()).select("pipeline").distinct()
    there = sorted(row["pipeline"] for row in names.to_pyarrow().to_pylist())
    if wanted is None and len(there) > 1:
        found = f"{read.place}: holds {len(there)} pipelines, {there}; set pipeline to the one that is meant"
        return table, (Defect("several pipelines", "refuse", found),)
    if wanted is not None and wanted not in there:
        raise ConfigError(f"pipeline: {read.place} has no pipeline {wanted!r}; pipelines there: {there}")
    return (table if wanted is None else table.filter(table.pipeline == wanted)), ()


def _only(table: ir.Table, *columns: str) -> ir.Table:
    """Keep these columns and the optional ones, written down: what follows asks for them many times."""
    return table.select(*(name for name in columns if name in table.columns), *attributes(table)).cache()
