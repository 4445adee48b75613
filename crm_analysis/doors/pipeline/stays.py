"""Stays: every time an opportunity was in a stage, for how long, and how it left."""

from __future__ import annotations

import datetime as dt

import ibis
import ibis.expr.types as ir

from crm_analysis.errors import DataError

EXITS = ("advanced", "lost", "back", "there")
LOST, STILL_THERE = -1, -2


def stays_of(history: ir.Table, *, n_stages: int, snapshot_at: dt.date, shape: str) -> ir.Table:
    """One row per stay in a stage before the won one; days there are whole days.

    Parameters
    ----------
    history : of a pipeline.
    n_stages : number of its stages, the won one included.

    Returns
    -------
    opportunity_id, sequence, stage, stage_number, entered_on, left_on (the snapshot while it is there), days,
    to (stage number, -1 lost, -2 still there) and exit ("advanced", "lost", "back" or "there"). A deal that
    comes back to a stage stays there anew.

    Raises
    ------
    DataError
        The shape does not know when stages were entered, or some are left before they are entered.
    """
    if shape == "current stage":
        raise DataError(
            "pipeline: the shape 'current stage' does not know when a stage was entered, so the time in "
            "stages is refused; give a stage history, dates per stage, or dated snapshots"
        )
    order = ibis.window(group_by=history.opportunity_id, order_by=history.sequence)
    following = ibis.coalesce(history.stage_number, LOST).lead().over(order)
    steps = history.select(
        "opportunity_id",
        "sequence",
        "stage",
        "stage_number",
        "entered_on",
        left_on=ibis.coalesce(history.entered_on.lead().over(order), ibis.literal(snapshot_at)),
        to=ibis.coalesce(following, STILL_THERE).cast("int64"),
    )
    way = ibis.cases(
        (steps.to == STILL_THERE, "there"),
        (steps.to == LOST, "lost"),
        (steps.to > steps.stage_number, "advanced"),
        else_="back",
    )
    days = steps.left_on.delta(steps.entered_on, unit="day").cast("int64")
    found = steps.filter(steps.stage_number < n_stages - 1).mutate(days=days, exit=way).cache()
    if n := int(found.filter(found.days < 0).count().to_pyarrow().as_py()):
        raise DataError(f"pipeline: {n} stays in a stage end before they begin; correct their dates")
    return found
