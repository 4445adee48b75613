"""Stays: every time an opportunity was in a stage, for how long, and how it left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from crm_analysis.errors import DataError

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

EXITS = ("advanced", "lost", "back", "there")


def stays_of(pipeline: Pipeline) -> ibis.Table:
    """One row per stay in a stage that is not the won one; days there are whole days.

    Columns: opportunity_id, sequence, stage_number, entered_on, left_on (the snapshot while it is there),
    days, exit ("advanced", "lost", "back" or "there"). A deal that comes back to a stage stays there anew.

    Raises
    ------
    DataError
        The shape does not know when stages were entered, or some are left before they are entered.
    """
    if pipeline.shape == "current stage":
        raise DataError(
            "pipeline: the shape 'current stage' does not know when a stage was entered, so the time in "
            "stages is refused; give a stage history, dates per stage, or dated snapshots"
        )
    history = pipeline.history
    order = ibis.window(group_by=history.opportunity_id, order_by=history.sequence)
    steps = history.mutate(
        next_on=history.entered_on.lead().over(order),
        next_number=ibis.coalesce(history.stage_number, -1).lead().over(order),
    )
    steps = steps.filter(steps.stage_number < len(pipeline.stages) - 1)
    left_on = ibis.coalesce(steps.next_on, ibis.literal(pipeline.snapshot_at))
    way = ibis.cases(
        (steps.next_on.isnull(), "there"),
        (steps.next_number < 0, "lost"),
        (steps.next_number > steps.stage_number, "advanced"),
        else_="back",
    )
    found = steps.select(
        "opportunity_id",
        "sequence",
        "stage_number",
        "entered_on",
        left_on=left_on,
        days=left_on.delta(steps.entered_on, unit="day").cast("int64"),
        exit=way,
    ).cache()
    if n := int(found.filter(found.days < 0).count().to_pyarrow().as_py()):
        raise DataError(f"pipeline: {n} stays in a stage end before they begin; correct their dates")
    return found
