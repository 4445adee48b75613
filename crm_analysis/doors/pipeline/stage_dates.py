"""The second shape: one row per opportunity with the day it entered each stage."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.pipeline import checks
from crm_analysis.doors.pipeline.entries import attributes
from crm_analysis.doors.pipeline.outcomes import CLOSING, ended_at, outcome_checks, with_outcome
from crm_analysis.doors.pipeline.question import ID, OUTCOME, Found, Question, rows_meant, schema_of
from crm_analysis.doors.pipeline.stages import Stages
from crm_analysis.doors.schema import Column, settled
from crm_analysis.errors import ConfigError


def read_stage_dates(question: Question) -> Found:
    """One row per opportunity with the day it entered each stage; losses are a stage with a date too.

    Where no column dates the end, an outcome column and the day of the closing say it.
    """
    names, stages = _stage_columns(question), question.stages
    dated = [Column(_column(name), "time", required=name in names) for name in stages.known]
    columns = {name: column for name, column in question.columns.items() if name != "stages"}
    columns |= {_column(name): column for name, column in names.items()}
    schema = schema_of(ID, *dated, OUTCOME, *CLOSING, Column("created_at", "time"))
    read, notes = rows_meant(replace(question, columns=columns).read(schema), question)
    table = with_outcome(read.table, question.outcomes, stages)
    if "outcome" in table.columns:
        table = settled(_with_ends(table, stages))
    dated_names = [name for name in stages.known if _column(name) in table.columns]
    table = _with_first(table, dated_names)
    wanted = [
        *checks.stage_date_checks(stages, dated_names, question.snapshot_at),
        *(checks.end_checks() if "outcome" in table.columns else []),
        *outcome_checks(table, stages),
        *checks.created_checks(table, "first_at"),
    ]
    table = checks.mark_copies(table, ["opportunity_id"])
    checked = question.check(table, wanted, read)
    return Found(read.place, _unpivoted(checked.kept, dated_names, question.snapshot_at), checked, notes)


def _column(stage: str) -> str:
    """Name of the column with the dates of a stage, in the canonical table."""
    return f"stage {stage}"


def _with_ends(table: ir.Table, stages: Stages) -> ir.Table:
    """Date the won or the lost stage by the day of the closing, where its own column does not.

    What is open by its outcome has no date in a won or lost stage: it was opened again.
    """
    never, outcome = ibis.null("timestamp(6)"), table.outcome
    is_open = ibis.coalesce(outcome == "open", ibis.literal(False))
    own = {name: _date(table, name) for name in (stages.won, *stages.lost)}
    closing = ended_at(table, outcome)
    any_lost = ibis.coalesce(*(own[name] for name in stages.lost))
    by_closing = {
        stages.won: (outcome == "won") & own[stages.won].isnull(),
        stages.lost[0]: (outcome == "lost") & any_lost.isnull(),
    }
    dates = {
        _column(name): ibis.cases(
            (is_open, never), (by_closing.get(name, ibis.literal(False)), closing), else_=date
        )
        for name, date in own.items()
    }
    undated = ibis.or_(*by_closing.values()) & closing.isnull()
    was_closed = is_open & ibis.coalesce(*own.values()).notnull()
    return table.mutate(**dates, is_undated=undated, was_closed=was_closed)


def _date(table: ir.Table, stage: str) -> ir.TimestampValue:
    return table[_column(stage)] if _column(stage) in table.columns else ibis.null("timestamp(6)")


def _with_first(table: ir.Table, names: list[str]) -> ir.Table:
    dates = [table[_column(name)] for name in names]
    # Engines differ on NULL in least(): a missing date is replaced by one that is known.
    known = [ibis.coalesce(date, *dates) for date in dates]
    return table.mutate(first_at=ibis.least(*known), any_at=ibis.coalesce(*dates))


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
    by_outcome = "outcome" in question.columns
    needed = stages.order[:-1] if by_outcome else stages.order
    if missing := [name for name in needed if name not in names]:
        raise ConfigError(f"pipeline: columns.stages has no date column for {missing}; every stage needs one")
    return dict(names)


def _unpivoted(kept: ir.Table, names: list[str], at: dt.date) -> ir.Table:
    """Rows as of a long history: one per opportunity and stage with a date."""
    created = ["created_at"] if "created_at" in kept.columns else []
    parts = [
        kept.select(
            "opportunity_id",
            *created,
            *attributes(kept),
            stage=ibis.literal(name),
            entered_at=kept[_column(name)],
        )
        for name in names
    ]
    rows = ibis.union(*parts)
    return rows.filter(rows.entered_at.date() <= at).cache()
