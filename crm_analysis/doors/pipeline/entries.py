"""Checked rows become the stage history and one row per opportunity, as they stood at a date.

Rows are put in order of time within their opportunity; rows with the same time in the declared order of their
stages, the lost ones last. A row that repeats the stage of the row before it changed something else, such as
the amount: it makes no new entry, and brings its values. Moves back are entries like any other.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.pipeline.stages import Stages

ATTRIBUTES = (
    "owner",
    "amount",
    "source",
    "segment",
    "account_id",
    "lost_reason",
    "phone",
    "email",
    "expected_close",
)
# What the history keeps as it was at each entry.
AS_THEN = ("owner", "amount", "expected_close")


def attributes(table: ir.Table) -> list[str]:
    """List the optional columns that the table has."""
    return [name for name in ATTRIBUTES if name in table.columns]


def stage_history(rows: ir.Table, *, stages: Stages) -> ir.Table:
    """One row per stage entry.

    Parameters
    ----------
    rows : opportunity_id, stage, entered_at, and any of `AS_THEN`.

    Returns
    -------
    opportunity_id, sequence (from 0), stage, stage_number (NULL where lost), entered_at, entered_on, and
    owner, amount and expected_close as they were then.
    """
    entries = _in_order(rows, stages).filter(lambda t: t.is_entry)
    within = ibis.window(group_by=entries.opportunity_id, order_by=entries.position)
    numbered = entries.mutate(
        sequence=ibis.row_number().over(within).cast("int64"), entered_on=entries.entered_at.date()
    )
    return numbered.select(_history_columns(numbered))


def _history_columns(table: ir.Table) -> list[str]:
    fixed = ["opportunity_id", "sequence", "stage", "stage_number", "entered_at", "entered_on"]
    return [*fixed, *(name for name in AS_THEN if name in table.columns)]


def opportunities(rows: ir.Table, *, stages: Stages) -> ir.Table:
    """One row per opportunity: where it began, how far it came, how it stands, and its latest values.

    The owner is the one of the last row, which may be nobody; of the other values the last known one counts.
    `closed_on` is the day of the last entry, where that closed it. A `created_at` among the rows goes before
    the first entry.
    """
    steps = _in_order(rows, stages)
    found = steps.group_by("opportunity_id").agg(
        created_on=_created_at(steps).date(),
        first_stage_number=steps.stage_number.max(where=steps.position == 0),
        furthest_stage_number=steps.stage_number.max(),
        current_stage=steps.stage.max(where=steps.is_last),
        changed_on=steps.entered_at.max(where=steps.is_entry).date(),
        **{name: _latest(steps, name) for name in attributes(rows)},
    )
    closed_on = stages.is_closed(found.current_stage).ifelse(found.changed_on, ibis.null("date"))
    return _finished(found.mutate(closed_on=closed_on), stages)


def _created_at(steps: ir.Table) -> Any:
    first = steps.entered_at.min()
    return ibis.coalesce(steps.created_at.min(), first) if "created_at" in steps.columns else first


def _latest(steps: ir.Table, name: str) -> Any:
    if name == "owner":
        return steps.owner.max(where=steps.is_last)
    return steps[name].argmax(steps.position, where=steps[name].notnull())


def changes(rows: ir.Table, name: str, *, stages: Stages) -> ir.Table:
    """Every change of a value: opportunity_id, changed_at, stage, before, after.

    An owner may change to and from nobody (NULL); other values are passed over where they are not known.
    """
    steps = _in_order(rows, stages)
    if name != "owner":
        steps = steps.filter(steps[name].notnull())
    within = ibis.window(group_by=steps.opportunity_id, order_by=steps.position)
    placed = steps.mutate(before=steps[name].lag().over(within), n_before=ibis.row_number().over(within))
    changed = placed.filter((placed.n_before > 0) & ~placed[name].identical_to(placed.before))
    return changed.select(
        "opportunity_id", "stage", "before", changed_at=changed.entered_at, after=changed[name]
    ).select("opportunity_id", "changed_at", "stage", "before", "after")


def _in_order(rows: ir.Table, stages: Stages) -> ir.Table:
    """Give every row its position in its opportunity, whether it enters a stage, whether it is the last."""
    numbered = rows.mutate(stage_number=stages.number(rows.stage), rank=stages.rank(rows.stage))
    # Rows alike in time and stage are ordered by their values, so that the order of the file never counts.
    order = [numbered[name] for name in ("entered_at", "rank", *attributes(rows))]
    within = ibis.window(group_by=numbered.opportunity_id, order_by=order)
    placed = numbered.mutate(
        before=numbered.stage.lag().over(within),
        after=numbered.stage.lead().over(within),
        position=ibis.row_number().over(within),
    )
    is_entry = placed.before.isnull() | (placed.before != placed.stage)
    return placed.mutate(is_entry=is_entry, is_last=placed.after.isnull())


def current_only(rows: ir.Table, *, stages: Stages, at: dt.date) -> tuple[ir.Table, ir.Table]:
    """History and opportunities at the day `at`, where the source knows the current stage only.

    Parameters
    ----------
    rows : opportunity_id, stage, created_at, closed_at, seen_on (when the stage was current), and values;
        last_stage where an outcome column left the stage in which an opportunity ended.

    Returns
    -------
    stage_history and opportunities as above. An opportunity that had not closed at `at` has no stage, unless
    it was seen by then. When a stage was entered is not known: NULL, but for the first stage and for the end.
    """
    rows = rows.filter(ibis.coalesce(rows.created_at.date(), rows.seen_on) <= at)
    closed = stages.is_closed(rows.stage)
    closed_on = closed.ifelse(rows.closed_at.date(), ibis.null("date"))
    known = closed.ifelse(closed_on, rows.seen_on) <= at
    stage = known.ifelse(rows.stage, ibis.null("string"))
    furthest = stages.number(stage)
    if "last_stage" in rows.columns:
        last = known.ifelse(rows.last_stage, ibis.null("string"))
        furthest = ibis.coalesce(furthest, stages.number(last))
    found = rows.mutate(
        created_on=rows.created_at.date(),
        first_stage_number=ibis.null("int64"),
        furthest_stage_number=furthest,
        current_stage=stage,
        closed_on=known.ifelse(closed_on, ibis.null("date")),
    )
    return _current_entries(rows.filter(known), stages), _finished(found, stages)


def _current_entries(rows: ir.Table, stages: Stages) -> ir.Table:
    """Entry of the stage of today, after that of the last stage before the end where it is known."""
    closed = stages.is_closed(rows.stage)
    begun = (rows.stage == stages.order[0]).ifelse(rows.created_at, ibis.null("timestamp(6)"))
    now = rows.mutate(sequence=ibis.literal(0, "int64"), entered_at=closed.ifelse(rows.closed_at, begun))
    if "last_stage" in rows.columns:
        has_last = closed & rows.last_stage.isin(stages.order[:-1])
        now = now.mutate(sequence=has_last.ifelse(ibis.literal(1, "int64"), ibis.literal(0, "int64")))
        last = rows.filter(has_last)
        begun = (last.last_stage == stages.order[0]).ifelse(last.created_at, ibis.null("timestamp(6)"))
        last = last.mutate(stage=last.last_stage, sequence=ibis.literal(0, "int64"), entered_at=begun)
        now = now.union(last.select(*now.columns))
    now = now.mutate(stage_number=stages.number(now.stage), entered_on=now.entered_at.date())
    return now.select(_history_columns(now))


def _finished(found: ir.Table, stages: Stages) -> ir.Table:
    outcome = stages.outcome(found.current_stage)
    added = {"outcome": outcome}
    if "lost_reason" in found.columns:
        added["lost_reason"] = (outcome == "lost").ifelse(found.lost_reason, ibis.null("string"))
    numbers = ["first_stage_number", "furthest_stage_number"]
    fixed = ["opportunity_id", "created_on", *numbers, "current_stage", "outcome", "closed_on"]
    return found.mutate(**added).select(*fixed, *attributes(found))
