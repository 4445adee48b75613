"""How fast two firms turn opportunities into wins and money."""

from __future__ import annotations

import pandas as pd

from crm_analysis.errors import DataError
from crm_analysis.funnel.ageing.horizons import won_within
from crm_analysis.funnel.ageing.same_period import share_in_period
from crm_analysis.funnel.pipeline.factor_split import split_velocity
from crm_analysis.funnel.pipeline.factors import Velocity, velocity
from crm_analysis.funnel.telling.comparisons import Comparison

HORIZONS = ("30 days", "90 days", "ever")


def wins_in_time(c: Comparison) -> pd.DataFrame:
    """Shares won within 30 and 90 days of creation, ever, and in the calendar month of creation.

    Returns
    -------
    DataFrame, index (firm, horizon); horizon_days (missing for the month), n, won with low and high
    (Aalen-Johansen; of the month, of those created in months that are over, Wilson). Opportunities created
    since `c.since`.
    """
    tables = {}
    for name, pipeline in zip(c.names, c.pipelines, strict=True):
        table = won_within(pipeline, HORIZONS, entered_from=c.since)[
            ["horizon_days", "n", "won", "low", "high"]
        ]
        month = share_in_period(pipeline, entered_from=c.since)
        row = {"n": month["n_created"], "won": month["share"], "low": month["low"], "high": month["high"]}
        tables[name] = pd.concat([pd.DataFrame([row], index=["the month it came in"]), table])[list(table)]
    return pd.concat(tables, names=["firm", "horizon"]).astype({"horizon_days": "Int64", "n": "int64"})


def velocities(c: Comparison) -> tuple[Velocity, Velocity] | None:
    """Velocity of both firms' opportunities created since `c.since`; None where one has no win or no date."""
    try:
        a, b = (velocity(pipeline, since=c.since) for pipeline in c.pipelines)
    except DataError:
        return None
    return None if min(a.per_day, b.per_day) == 0 else (a, b)


def velocity_table(a: Velocity, b: Velocity) -> pd.DataFrame:
    """Split the difference of two velocities over its factors, with a row for the whole.

    Columns and index as `split_velocity`; the row "Velocity" has both velocities and their difference.
    """
    table = split_velocity(a, b)
    table.loc["Velocity", ["a", "b", "contribution"]] = [a.per_day, b.per_day, a.per_day - b.per_day]
    return table


def paces_table(c: Comparison, a: Velocity, b: Velocity) -> pd.DataFrame:
    """Both firms' velocity with its factors, one row per firm: every column has a unit of its own."""
    table = velocity_table(a, b)[["a", "b"]].set_axis(list(c.names), axis="columns")
    return table.T.rename_axis(index="firm", columns=None)
