"""Each transition's rates of two firms and their difference, tested, with what was too small to see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.funnel.comparing.sides import Side
from crm_analysis.rates import (
    holm,
    newcombe,
    pooled_degrees,
    score_test,
    smallest_visible_difference,
    t_test,
    wilson,
)


def stage_tests(
    counts: tuple[np.ndarray, np.ndarray], sides: tuple[Side, Side], names: Sequence[str], *, level: float
) -> pd.DataFrame:
    """Columns as `Gap.stages`.

    Opportunities that hang together count for fewer: n and k are divided by the design effect.

    Source: Rao & Scott (1992), Biometrics 48:577 (effective numbers).
    """
    rows = [rates_tested(counts, sides, k, k, level=level) for k in range(len(names))]
    table = pd.DataFrame(rows, index=pd.Index(list(names), name="transition"))
    table.insert(list(table).index("p") + 1, "p_holm", holm(table["p"].tolist()))
    return table


def rates_tested(
    counts: tuple[np.ndarray, np.ndarray], sides: tuple[Side, Side], first: int, last: int, *, level: float
) -> dict[str, float]:
    """Test transitions `first` to `last` as one, in each way; the wider interval of the difference counts."""
    (n_a, k_a), (n_b, k_b) = ((int(n[first]), int(n[last + 1])) for n in counts)
    found = []
    for way, pair in enumerate(zip(*(side.ways for side in sides), strict=True)):
        # Owners who happen to be alike are no evidence that they always are.
        of_a, of_b = (max(side.design_effect(way, first, last), 0.01) for side in sides)
        dfs = (pair[0].df, pair[1].df)
        found.append(rate_test((n_a, k_a), (n_b, k_b), effects=(of_a, of_b), dfs=dfs, level=level))
    return _wider(found)


def _wider(ways: list[dict[str, float]]) -> dict[str, float]:
    """Return the way with the wider interval of the difference, each firm's interval and the test as wide."""
    row = max(ways, key=lambda way: way["high"] - way["low"]).copy()
    for firm in "ab":
        low, high = f"low_{firm}", f"high_{firm}"
        row |= max(({low: way[low], high: way[high]} for way in ways), key=_width)
    unsure = max(ways, key=lambda way: way["p"])
    visible = max(way["smallest_visible"] for way in ways)
    return row | {"z": unsure["z"], "p": unsure["p"], "smallest_visible": visible}


def _width(ends: Any) -> float:
    low, high = ends.values()
    return high - low


def rate_test(
    a: tuple[int, int],
    b: tuple[int, int],
    *,
    effects: tuple[float, float],
    dfs: tuple[float, float],
    level: float,
) -> dict[str, float]:
    """Rates of (n, k) of two firms, their intervals, their difference, its test and its smallest size."""
    (n_a, k_a), (n_b, k_b) = a, b
    rate_a, rate_b = (k / n if n else math.nan for n, k in (a, b))
    m_a, h_a, m_b, h_b = n_a / effects[0], k_a / effects[0], n_b / effects[1], k_b / effects[1]
    df = _difference_degrees((h_a, m_a), (h_b, m_b), dfs)
    (low_a, high_a), (low_b, high_b) = (
        wilson(h, n=m, level=level, df=d) for h, m, d in ((h_a, m_a, dfs[0]), (h_b, m_b, dfs[1]))
    )
    low, high = newcombe(h_a, m_a, k_b=h_b, n_b=m_b, level=level, df=df)
    z, _ = score_test(h_a, m_a, k_b=h_b, n_b=m_b)
    visible = smallest_visible_difference(rate_b, n_a=m_a, n_b=m_b, level=level, df=df) if n_b else 1.0
    return {
        "n_a": n_a, "k_a": k_a, "rate_a": rate_a, "low_a": low_a, "high_a": high_a,
        "n_b": n_b, "k_b": k_b, "rate_b": rate_b, "low_b": low_b, "high_b": high_b,
        "difference": rate_a - rate_b, "low": low, "high": high,
        "z": z, "p": t_test(z, df=df), "smallest_visible": visible,
        "design_effect_a": effects[0], "design_effect_b": effects[1],
    }  # fmt: skip


def _difference_degrees(a: tuple[float, float], b: tuple[float, float], dfs: tuple[float, float]) -> float:
    """Degrees of freedom of a difference of two rates (k, n), each of effective numbers."""
    variances = [((k + 0.5) * (n - k + 0.5)) / (n + 1) ** 3 for k, n in (a, b)]
    return pooled_degrees(variances, dfs)
