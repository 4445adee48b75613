"""Whether conversion rises or falls from cohort to cohort."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from crm_analysis.funnel.counting.breakdowns import Grain, cohort_table
from crm_analysis.funnel.counting.counts import StageCounts, transitions
from crm_analysis.rates import normal_quantile

FEWEST_COHORTS = 3


def conversion_trend(counts: StageCounts, *, by: Grain = "M") -> pd.DataFrame:
    """Change of each rate from one cohort to the next, over the cohorts that are old enough to judge whole.

    Parameters
    ----------
    by : "W", "M", "Q" or "Y": the length of the cohorts' periods.

    Returns
    -------
    DataFrame, index transition, and in the last row "all to " and the won stage (of all that are judged);
    n_cohorts (with anybody to convert), n, share (of all of them), change (of the share, per period), low,
    high. The change and its interval are missing with fewer than 3 cohorts, or where every one or no one
    converts.

    Source: the slope and its variance are those of Armitage (1955), Biometrics 11:375.
    """
    table = cohort_table(counts, by=by)
    table = table[table["is_mature"]].assign(
        period=lambda t: t["cohort"].dt.to_period(by).map(lambda p: p.ordinal)
    )
    names = transitions(counts.stages)
    rows = []
    for stage in counts.stages[1:]:
        here = table[table["stage"] == stage]
        rows.append((here["period"], here["share_of_previous"] * here["n_previous"], here["n_previous"]))
    last = table[table["stage"] == counts.stages[-1]]
    rows.append((last["period"], last["n_entered"], last["n_judged"]))
    found = [
        _trend(*(column.fillna(0).to_numpy(dtype=float) for column in row), level=counts.level)
        for row in rows
    ]
    index = pd.Index([*names, f"all to {counts.stages[-1]}"], name="transition")
    return pd.DataFrame(found, index=index)


def slope_of_rates(place: np.ndarray, k: np.ndarray, n: np.ndarray) -> tuple[float, float]:
    """Weighted slope of the rates k / n over `place`, and its standard error where there is no trend."""
    share, middle = k.sum() / n.sum(), (n * place).sum() / n.sum()
    spread = float((n * (place - middle) ** 2).sum())
    if spread <= 0 or not 0 < share < 1:
        return math.nan, math.nan
    slope = float(((place - middle) * (k - n * share)).sum()) / spread
    return slope, math.sqrt(share * (1 - share) / spread)


def _trend(place: np.ndarray, k: np.ndarray, n: np.ndarray, *, level: float) -> dict[str, float]:
    tried = n > 0
    place, k, n = place[tried], k[tried], n[tried]
    enough = len(n) >= FEWEST_COHORTS
    slope, error = slope_of_rates(place, k, n) if enough else (math.nan, math.nan)
    half = normal_quantile(level) * error
    return {
        "n_cohorts": len(n),
        "n": int(n.sum()),
        "share": float(k.sum() / n.sum()) if len(n) else math.nan,
        "change": slope,
        "low": slope - half,
        "high": slope + half,
    }
