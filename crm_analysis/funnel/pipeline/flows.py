"""Whether as many deals are open as the flow through the pipeline would hold."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

import ibis
import pandas as pd

from crm_analysis.doors.transactions import as_date
from crm_analysis.errors import ConfigError

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

ALL = "(all)"


def flow_check(pipeline: Pipeline, *, since: dt.date | str, until: dt.date | str) -> pd.DataFrame:
    """Whether as many deals are open as the flow through the pipeline would hold: Little's law.

    Where what enters leaves again, the mean number there is the number that enters per day times the mean
    days it stays. If more are there than those that left would account for, some are left lying, or the
    pipeline grows.

    Parameters
    ----------
    since, until : first and last day looked at, both included; `until` not after the snapshot.

    Returns
    -------
    DataFrame, index `stage`: "(all)", then each stage where the shape knows when they were entered;
    n_entered and entered_per_day in that time, n_left and mean_days (of those that left in that time),
    expected (entered_per_day times mean_days), mean_there (over the days), there (at the end of `until`),
    ratio (there / expected). Missing where nothing left.

    Source: Little (1961), Operations Research 9:383.
    """
    first, last = as_date(since, "since"), as_date(until, "until")
    if not first <= last <= pipeline.snapshot_at:
        raise ConfigError(
            f"flow: since {first}, until {last}; expected two days in order, not after {pipeline.snapshot_at}"
        )
    deals = pipeline.opportunities
    deals = deals.filter(deals.created_on.notnull())  # noqa: PD004
    rows = {ALL: _flow(deals.select(start="created_on", end="closed_on"), first, last)}
    if pipeline.shape != "current stage":
        stays = pipeline.stays
        left = (stays.exit == "there").ifelse(ibis.null("date"), stays.left_on)
        stays = stays.select("stage_number", start="entered_on", end=left)
        for k, stage in enumerate(pipeline.stages[:-1]):
            rows[stage] = _flow(stays.filter(stays.stage_number == k), first, last)
    table = pd.DataFrame(rows).T.rename_axis("stage")
    return table.astype(dict.fromkeys(["n_entered", "n_left", "there"], "int64"))


def _flow(spans: ibis.Table, first: dt.date, last: dt.date) -> dict[str, float]:
    """Flow through one place; whoever comes and goes on one day stays 0 days, and is never there."""
    until = ibis.literal(last)
    entered = spans.start.between(first, last)
    left = spans.end.between(first, last)
    there = (spans.start <= until) & (spans.end.isnull() | (spans.end > until))  # noqa: PD003
    # Present from the evening of the first day to the evening before the last.
    begun = ibis.greatest(spans.start, ibis.literal(first))
    gone = ibis.least(ibis.coalesce(spans.end, until + ibis.interval(days=1)), until + ibis.interval(days=1))
    overlap = ibis.greatest(gone.delta(begun, unit="day").cast("int64"), 0)
    found = spans.aggregate(
        n_entered=entered.sum(),
        n_left=left.sum(),
        mean_days=spans.end.delta(spans.start, unit="day").cast("float64").mean(where=left),
        days_there=overlap.sum(),
        there=there.sum(),
    ).to_pandas()
    row = found.fillna({"n_entered": 0, "n_left": 0, "days_there": 0, "there": 0}).iloc[0]
    n_days = (last - first).days + 1
    per_day = float(row["n_entered"]) / n_days
    mean_days = float(row["mean_days"]) if row["n_left"] else math.nan
    expected = per_day * mean_days
    return {
        "n_entered": float(row["n_entered"]),
        "entered_per_day": per_day,
        "n_left": float(row["n_left"]),
        "mean_days": mean_days,
        "expected": expected,
        "mean_there": float(row["days_there"]) / n_days,
        "there": float(row["there"]),
        "ratio": float(row["there"]) / expected if expected > 0 else math.nan,
    }
