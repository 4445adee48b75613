"""The third shape: one row per opportunity with its stage now, and the days it was created and closed."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.pipeline import checks
from crm_analysis.doors.pipeline.names import not_declared
from crm_analysis.doors.pipeline.outcomes import CLOSING, ended_at, outcome_checks, with_outcome
from crm_analysis.doors.pipeline.question import (
    ID,
    OUTCOME,
    STAGE,
    Found,
    Question,
    only_columns,
    rows_meant,
    schema_of,
)
from crm_analysis.doors.pipeline.stages import Stages
from crm_analysis.doors.schema import Column, Schema
from crm_analysis.doors.verdict import Defect

COLUMNS = ("opportunity_id", "stage", "last_stage", "created_at", "closed_at")


def read_current_stage(question: Question) -> Found:
    """One row per opportunity with its stage now; with an outcome column, the stage in which it ended."""
    stages = question.stages
    read, notes = rows_meant(question.read(_schema(question)), question)
    table = read.table.mutate(stage=stages.declared(read.table.stage))
    table = with_outcome(table, question.outcomes, stages)
    if "outcome" not in table.columns:
        table = table.mutate(closed_at=ended_at(table, stages.outcome(table.stage)))
    else:
        table = table.mutate(closed_at=ended_at(table, table.outcome))
    wanted = [
        *checks.current_stage_checks(stages, question.snapshot_at),
        *outcome_checks(table, stages),
        not_declared(table, stages),
    ]
    table = checks.mark_copies(table, ["opportunity_id"])
    checked = question.check(table, wanted, read)
    rows = only_columns(checked.kept, *COLUMNS).mutate(seen_on=ibis.literal(question.snapshot_at))
    known = _shows_the_furthest(rows, stages)
    note = _last_is_furthest(read.place) if known else _furthest_unknown(read.place)
    return Found(read.place, rows, checked, (*notes, note), furthest_known=known)


def _schema(question: Question) -> Schema:
    """`closed_at` is needed, unless wins and losses have a column of their own."""
    apart = {"won_at", "lost_at"} & set(question.columns)
    closing = [Column(c.name, "time", required=c.name == "closed_at" and not apart) for c in CLOSING]
    return schema_of(ID, STAGE, Column("created_at", "time", required=True), *closing, OUTCOME)


def _shows_the_furthest(rows: ir.Table, stages: Stages) -> bool:
    """Whether every lost opportunity has the stage in which it was lost."""
    if "last_stage" not in rows.columns:
        return False
    hidden = rows.filter(rows.stage.isin(stages.lost) & rows.last_stage.notin(stages.order))
    return hidden.limit(1).to_pyarrow().num_rows == 0


def _furthest_unknown(name: str) -> Defect:
    found = (
        f"{name}: only the current stage of each opportunity is known, so the furthest stage of lost ones is "
        "not: stage rates are refused, while win rate, incidence and velocity work"
    )
    return Defect("furthest stage unknown", "flag", found, bias="none on win rate, incidence and velocity")


def _last_is_furthest(name: str) -> Defect:
    found = (
        f"{name}: of each opportunity the last stage is known, and taken as the furthest; when it was "
        "entered is not known"
    )
    bias = (
        "stage rates lean low where opportunities had moved back, and high where a stage was entered after "
        "the window; win rate, incidence and velocity are not touched"
    )
    return Defect("last stage taken as furthest", "flag", found, bias=bias)
