"""Each transition's rates of two firms and their difference, tested, with what was too small to see."""

from __future__ import annotations

import math
from collections.abc import Sequence

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
    effects, dfs = [side.design_effects for side in sides], (sides[0].df, sides[1].df)
    rows = [
        rate_test(
            *((int(n[k]), int(n[k + 1])) for n in counts),
            effects=(float(effects[0][k]), float(effects[1][k])),
            dfs=dfs,
            level=level,
        )
        for k in range(len(names))
    ]
    table = pd.DataFrame(rows, index=pd.Index(list(names), name="transition"))
    table.insert(list(table).index("p") + 1, "p_holm", holm(table["p"].tolist()))
    return table


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
