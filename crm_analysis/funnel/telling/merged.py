"""Neighbouring transitions whose contributions point in opposite directions, judged as one."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pandas as pd

from crm_analysis.funnel.comparing.gap import Gap
from crm_analysis.rates import newcombe, normal_quantile, score_test


def merge_opposed(gap: Gap) -> pd.DataFrame:
    """Merge every two neighbouring transitions whose contributions have opposite signs.

    A firm that lets more opportunities through at one stage often sees fewer of them go on at the next:
    only both together say whether it does better.

    Returns
    -------
    DataFrame, index `transition` ("Lead to Proposal"): first and second (the two transitions),
    n_a, k_a, rate_a, n_b, k_b, rate_b (of those who entered the first, who left the second), difference
    (a - b) with difference_low, difference_high (Newcombe), p (score test, of this pair alone),
    contribution with low and high (in the gap's unit: the sum of the two, which the split gives exactly),
    and offset: the smaller contribution over the larger, in size.
    """
    rows = [_merge(gap, *pair) for pair in pairwise(map(str, gap.stages.index)) if _opposed(gap, *pair)]
    columns = [name for name in _COLUMNS if name != "transition"]
    table = pd.DataFrame(rows, columns=["transition", *columns]).set_index("transition")
    return table.astype({name: float for name in columns if name not in ("first", "second")})


_COLUMNS = (
    "transition", "first", "second", "n_a", "k_a", "rate_a", "n_b", "k_b", "rate_b",
    "difference", "difference_low", "difference_high", "p", "contribution", "low", "high", "offset",
)  # fmt: skip


def _opposed(gap: Gap, first: str, second: str) -> bool:
    parts = gap.contributions["contribution"]
    return float(parts[first]) * float(parts[second]) < 0


def _merge(gap: Gap, first: str, second: str) -> dict[str, float | str]:
    n_a, n_b = gap.stages[["n_a", "n_b"]].astype(float).loc[first].tolist()
    k_a, k_b = gap.stages[["k_a", "k_b"]].astype(float).loc[second].tolist()
    low, high = newcombe(k_a, n_a, k_b=k_b, n_b=n_b, level=gap.level)
    rate_a, rate_b = (k / n if n else math.nan for k, n in ((k_a, n_a), (k_b, n_b)))
    sizes = gap.contributions["contribution"][[first, second]].abs()
    return {
        "transition": _name(first, second, list(map(str, gap.stages.index))),
        "first": first,
        "second": second,
        **{"n_a": n_a, "k_a": k_a, "rate_a": rate_a, "n_b": n_b, "k_b": k_b, "rate_b": rate_b},
        **{"difference": rate_a - rate_b, "difference_low": low, "difference_high": high},
        "p": score_test(k_a, n_a, k_b=k_b, n_b=n_b)[1],
        **_sum(gap, [first, second]),
        "offset": float(sizes.min() / sizes.max()),
    }


def _sum(gap: Gap, names: list[str]) -> dict[str, float]:
    """Contribution of several rows together; its interval holds how they move together."""
    middle = float(gap.contributions["contribution"][names].sum())
    variance = float(gap.covariance.loc[names, names].to_numpy().sum())
    half = normal_quantile(gap.level) * float(np.sqrt(max(variance, 0.0)))
    return {"contribution": middle, "low": middle - half, "high": middle + half}


def _name(first: str, second: str, names: list[str]) -> str:
    """From the stage where the first begins to the one where the second ends: what both have is between."""
    cuts = [i for i in range(len(first)) if first.startswith(" to ", i)]
    for cut in cuts:
        middle = first[cut + 4 :]
        if second.startswith(f"{middle} to "):
            return f"{first[:cut]} to {second[len(middle) + 4 :]}"
    return f"{first} + {second}"
