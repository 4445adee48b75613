"""The first shape: a row whenever an opportunity entered a stage, or changed anything else."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.pipeline import checks
from crm_analysis.doors.pipeline.entries import attributes
from crm_analysis.doors.pipeline.names import not_declared
from crm_analysis.doors.pipeline.outcomes import outcome_checks, with_outcome
from crm_analysis.doors.pipeline.question import (
    ID,
    STAGE,
    Found,
    Question,
    only_columns,
    rows_meant,
    schema_of,
)
from crm_analysis.doors.pipeline.stages import Stages
from crm_analysis.doors.schema import Check, Column, flag_rows
from crm_analysis.doors.sources import SourceTable
from crm_analysis.doors.verdict import Defect

SCHEMA = schema_of(
    ID,
    STAGE,
    Column("entered_at", "time", required=True),
    Column("from_stage", "text"),
    Column("created_at", "time"),
)


def read_history(question: Question) -> Found:
    """Long stage history: a row per stage entry, and per change of anything else."""
    read = question.read(SCHEMA)
    return found_entries(read, question, [checks.repeated("flag"), checks.at_once()])


def found_entries(read: SourceTable, question: Question, more: Sequence[Check]) -> Found:
    """Check rows that each say that an opportunity was in a stage at a time."""
    stages = question.stages
    read, notes = rows_meant(read, question)
    table = _with_declared(read.table, stages)
    table = with_outcome(table, question.outcomes, stages)
    wanted = [
        *checks.entry_checks(question.snapshot_at),
        *outcome_checks(table, stages),
        not_declared(table, stages),
        *more,
        *checks.created_checks(table, "entered_at"),
    ]
    table = checks.mark_copies(table, ["opportunity_id", "entered_at"])
    checked = question.check(table, wanted, read)
    rows, first = _with_first_stages(_with_last_stages(checked.kept, stages), stages, read.place)
    rows = only_columns(rows, "opportunity_id", "stage", "entered_at", "created_at")
    return Found(read.place, rows, checked, (*notes, *first))


def _with_declared(table: ir.Table, stages: Stages) -> ir.Table:
    names = [name for name in ("stage", "from_stage") if name in table.columns]
    return table.mutate(**{name: stages.declared(table[name]) for name in names})


def _with_last_stages(kept: ir.Table, stages: Stages) -> ir.Table:
    """Rows of the stage in which an opportunity ended, where an outcome column says that it has ended."""
    if "last_stage" not in kept.columns:
        return kept
    within = _in_time(kept, stages)
    ends = kept.mutate(outcome_before=kept.outcome.lag().over(within))
    is_end = (ends.stage != ends.last_stage) & ibis.coalesce(
        ends.outcome_before == "open", ibis.literal(True)
    )
    left = ends.filter(is_end).drop("outcome_before")
    return kept.union(left.mutate(stage=left.last_stage).select(*kept.columns))


def _in_time(rows: ir.Table, stages: Stages) -> ibis.expr.builders.WindowBuilder:
    return ibis.window(group_by=rows.opportunity_id, order_by=[rows.entered_at, stages.rank(rows.stage)])


def _with_first_stages(kept: ir.Table, stages: Stages, name: str) -> tuple[ir.Table, list[Defect]]:
    """Rows of the stage that an opportunity left on its first row, where its creation is dated."""
    if "from_stage" not in kept.columns:
        return kept, []
    within = _in_time(kept, stages)
    placed = kept.mutate(before=kept.stage.lag().over(within), position=ibis.row_number().over(within))
    moved = placed.from_stage.notnull() & (placed.from_stage != placed.stage)
    placed = placed.mutate(is_first=(placed.position == 0) & moved, is_dated=_is_dated(placed))
    first = placed.filter(placed.is_first)
    unknown = {column: ibis.null(first[column].type()) for column in attributes(first)}
    first = first.mutate(stage=first.from_stage, entered_at=_begun(first, stages), **unknown)
    return kept.union(first.select(*kept.columns)), flag_rows(
        placed, [_not_dated(), _missing_steps()], name=name
    )


def _is_dated(placed: ir.Table) -> ir.BooleanValue:
    if "created_at" not in placed.columns:
        return ibis.literal(False)
    return ibis.coalesce(placed.created_at.date() <= placed.entered_at.date(), ibis.literal(False))


def _begun(first: ir.Table, stages: Stages) -> ir.TimestampValue:
    """When the stage was entered that the first row leaves: at creation, else at the latest when it was left.

    Within one moment the declared order decides, so that a first step back needs a moment of its own.
    """
    is_back = stages.rank(first.from_stage) > stages.rank(first.stage)
    left = is_back.ifelse(first.entered_at - ibis.interval(seconds=1), first.entered_at)
    if "created_at" not in first.columns:
        return left
    return first.is_dated.ifelse(ibis.least(first.created_at, left), left)


def _not_dated() -> Check:
    return Check(
        "first stage not dated",
        "flag",
        lambda t: t.is_first & ~t.is_dated,
        "are the first of their opportunity and leave a stage (from_stage) whose own entry is not there; it "
        "counts as entered when it was left: map created_at, or add the rows of creation",
        "created_on is late and times to close are short; who never left the first stage may be missing",
        ("opportunity_id", "from_stage", "stage"),
        counted="stage entries",
    )


def _missing_steps() -> Check:
    return Check(
        "steps missing",
        "flag",
        lambda t: (t.position > 0) & ~t.is_at_once & (t.from_stage != t.before),
        "leave a stage (from_stage) that is not the one of the row before: steps are missing in between",
        "entries are too few, and times in stage too long",
        ("opportunity_id", "before", "from_stage", "stage"),
        counted="stage entries",
    )
