"""Everything known of each transition of two firms, one row per transition."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from crm_analysis.errors import DataError
from crm_analysis.funnel.comparing.changes import what_if
from crm_analysis.funnel.comparing.gap import Gap
from crm_analysis.funnel.pipeline.staying import time_in_stages
from crm_analysis.funnel.telling.comparisons import Comparison
from crm_analysis.funnel.telling.hinting import opposed
from crm_analysis.rates import wilson

# What a reader of segments wants to see: their share, their rate, and what each accounts for.
MIX_COLUMNS = ["share_a", "rate_a", "share_b", "rate_b", "mix", "mix_low", "mix_high"]
MIX_COLUMNS += ["rates", "rates_low", "rates_high"]
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


def opposed_rates(gap: Gap) -> pd.DataFrame:
    """Neighbouring transitions of opposite signs, each two as one.

    Returns
    -------
    DataFrame, index `transition`; rate_a, rate_b, difference with difference_low and difference_high, and
    contribution with contribution_low and contribution_high; no rows where all neighbours agree.
    """
    found = opposed(gap).rename(columns={"low": "contribution_low", "high": "contribution_high"})
    rates = ["rate_a", "rate_b", "difference", "difference_low", "difference_high"]
    return found[[*rates, "contribution", "contribution_low", "contribution_high"]]


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


def split_depends(gap: Gap) -> dict[Any, Any] | None:
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
    row = gap.orders.astype(float).loc[transition].to_dict()
    return {**row, "transition": transition, "unit": gap.unit}


def rates_by_segment(c: Comparison) -> pd.DataFrame:
    """Segments' shares and win rates of both firms, with what mix and rates account for in the gap.

    Returns
    -------
    DataFrame, index the mapped name; share_a, rate_a, low_a, high_a and the same for b (Wilson), mix and
    rates with their intervals, in wins per 1,000 entrants.
    """
    assert c.mix is not None, "funnel: no segments and no sources are mapped"
    table = c.mix.table.rename(columns={f"rate{end}": f"rates{end}" for end in ("", "_low", "_high")})
    for firm in "ab":
        n = table[f"n_{firm}"].to_numpy()
        rate = table[f"rate_{firm}"].to_numpy(float)
        ends = [wilson(0 if math.isnan(r) else round(r * k), n=k) for r, k in zip(rate, n, strict=True)]
        table[[f"low_{firm}", f"high_{firm}"]] = ends
    return table


def mix_table(c: Comparison) -> pd.DataFrame:
    """Columns of `rates_by_segment` to be read, with a last row of what mix and rates account for."""
    table = rates_by_segment(c)[MIX_COLUMNS]
    assert c.mix is not None, "funnel: no segments and no sources are mapped"
    sums = [getattr(c.mix, f"{name}{end}") for name in ("mix", "rate") for end in ("", "_low", "_high")]
    table.loc["Total", MIX_COLUMNS[4:]] = sums
    return table


def firms_table(c: Comparison) -> pd.DataFrame:
    """What the comparison rests on, one row per firm.

    Returns
    -------
    DataFrame, index `firm`; n_judged, n_won, share_won and won_per_1000 (of them), n_open_in_time and
    share_open when their time was up, n_not_yet_known and share_not_yet_known (of all created), window_days;
    and of all opportunities ever, n_open_now, n_stalled, share_stalled, median_days (to win),
    share_won_in_the_end.
    """
    return pd.DataFrame([_firm(c, i) for i in range(2)], index=pd.Index(c.names, name="firm"))


def _firm(c: Comparison, i: int) -> dict[str, float]:
    counts, found = c.counts[i], c.incidences[i]
    n, won, still_open = counts.counts[0], counts.counts[-1], int(counts.table["n_open"].sum())
    return {
        "n_judged": n,
        "n_won": won,
        "share_won": won / n,
        "won_per_1000": 1000 * won / n,
        "n_open_in_time": still_open,
        "share_open": still_open / n,
        "n_not_yet_known": counts.n_not_yet_known,
        "share_not_yet_known": counts.n_not_yet_known / counts.n_entrants,
        "window_days": counts.window_days or 0,
        "n_open_now": found.n_open,
        "n_stalled": len(found.stalled),
        "share_stalled": len(found.stalled) / found.n_open if found.n_open else 0.0,
        "median_days": found.median_days,
        "share_won_in_the_end": float(found.eventual["won"]),
    }


def gap_table(gap: Gap) -> pd.DataFrame:
    """Contributions with a last row, "Total", that holds the gap and its interval."""
    table = gap.contributions.join(gap.p_largest)
    clear = gap.is_clear
    table.loc["Total", ["contribution", "low", "high"]] = [gap.gap, gap.gap_low, gap.gap_high]
    table.loc["Total", "share"] = 1.0 if clear else math.nan
    return table
