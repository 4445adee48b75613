"""Everything known of each transition of two firms, one row per transition."""

from __future__ import annotations

import math

import pandas as pd

from crm_analysis.errors import DataError
from crm_analysis.funnel.comparing.changes import what_if
from crm_analysis.funnel.comparing.gap import Gap
from crm_analysis.funnel.pipeline.staying import time_in_stages
from crm_analysis.funnel.telling.comparisons import Comparison
from crm_analysis.rates import wilson

# A split by another method that differs by more than this share of the gap is worth a footnote.
WORTH_SAYING = 0.05


def tested_rates(c: Comparison) -> pd.DataFrame:
    """Rates of each transition with their difference, tested.

    Returns
    -------
    DataFrame, index `transition`; n_a, rate_a, n_b, rate_b, difference (a - b) with low and high, p_holm,
    smallest_visible.
    """
    columns = ["n_a", "rate_a", "n_b", "rate_b", "difference", "low", "high", "p_holm", "smallest_visible"]
    return c.gap.stages[columns]


def parts_of_gap(c: Comparison) -> pd.DataFrame:
    """What each transition accounts for, how long it takes, who is stuck there, and what a change is worth.

    Returns
    -------
    DataFrame, index `transition`; contribution, low, high (in the gap's unit), share with share_low and
    share_high, p_largest; median_days_a, median_days_b in the stage before (who is still there counts as
    still there), n_stuck_a, n_stuck_b (there longer than any stay that is over); and, for the firm behind,
    one_point (change of its wins with one point more) and match_other (with the other firm's rate). Times
    are left out where a pipeline does not know when stages were entered.
    """
    parts = c.gap.contributions.join(c.gap.p_largest).loc[c.gap.stages.index]
    behind = "b" if c.gap.gap >= 0 else "a"
    worth = what_if(c.gap)[[f"plus_{behind}", f"match_{behind}"]].set_axis(
        ["one_point", "match_other"], axis=1
    )
    return parts.join(_times(c)).join(worth)


def _times(c: Comparison) -> pd.DataFrame:
    """Median days and who is stuck in the stage before each transition."""
    try:
        tables = [time_in_stages(pipeline) for pipeline in c.pipelines]
    except DataError:
        return pd.DataFrame(index=c.gap.stages.index)
    if not c.stages_known:
        return pd.DataFrame(index=c.gap.stages.index)
    times = {
        f"{name}_{firm}": table[column].to_numpy()
        for name, column in (("median_days", "median_days"), ("n_stuck", "n_older_there"))
        for firm, table in zip("ab", tables, strict=True)
    }
    return pd.DataFrame(times, index=c.gap.stages.index)


def split_depends(gap: Gap) -> dict[str, float | str] | None:
    """Where the split by another method differs most, if by more than 5% of the gap.

    Returns
    -------
    transition, log_mean, shapley, lowest, highest (over all orders of replacement) and unit; None where no
    row differs so much, or there is no clear gap.
    """
    differs = (gap.orders["shapley"] - gap.orders["log_mean"]).abs()
    if not gap.is_clear or differs.max() <= WORTH_SAYING * abs(gap.gap):
        return None
    transition = str(differs.idxmax())
    row = {str(name): float(value) for name, value in gap.orders.loc[transition].items()}
    return row | {"transition": transition, "unit": gap.unit}


def rates_by_segment(c: Comparison) -> pd.DataFrame:
    """Segments' shares and win rates of both firms, with what mix and rates account for in the gap.

    Returns
    -------
    DataFrame, index the mapped name; share_a, rate_a, low_a, high_a and the same for b (Wilson), mix and
    rate with their intervals.
    """
    assert c.mix is not None, "funnel: no segments and no sources are mapped"
    table = c.mix.table.copy()
    for firm in "ab":
        n = table[f"n_{firm}"].to_numpy()
        rate = table[f"rate_{firm}"].to_numpy(float)
        ends = [wilson(0 if math.isnan(r) else round(r * k), n=k) for r, k in zip(rate, n, strict=True)]
        table[[f"low_{firm}", f"high_{firm}"]] = ends
    return table
