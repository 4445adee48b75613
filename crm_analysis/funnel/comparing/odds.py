"""One odds ratio over several strata, each compared within itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from crm_analysis.rates import normal_quantile


@dataclass(frozen=True)
class OddsRatio:
    """Common odds ratio of a over b; low and high at `level`, chi2 and p of there being no difference.

    Where no stratum has both outcomes and both firms, nothing is known: ratio 1, from 0 to infinity, p 1.
    """

    ratio: float
    low: float
    high: float
    chi2: float
    p: float
    level: float


def mantel_haenszel(
    k_a: np.ndarray,
    n_a: np.ndarray,
    *,
    k_b: np.ndarray,
    n_b: np.ndarray,
    level: float = 0.95,
    corrected: bool = True,
) -> OddsRatio:
    """Odds ratio common to all strata, by Mantel and Haenszel.

    Parameters
    ----------
    k_a, n_a, k_b, n_b : successes and trials of a and b per stratum, shape (S,).
    corrected : the test, for continuity.

    Notes
    -----
    A ratio of 0 or infinity (no successes on one side) has an interval that ends there: from 0 up, or up to
    infinity, its other end left open. Sources: Mantel & Haenszel (1959), JNCI 22:719; variance of Robins,
    Breslow & Greenland (1986), Biometrics 42:311.
    """
    k_a, n_a, k_b, n_b = (np.asarray(x, dtype=float) for x in (k_a, n_a, k_b, n_b))
    total = n_a + n_b
    used = (n_a > 0) & (n_b > 0)
    k_a, n_a, k_b, n_b, total = (x[used] for x in (k_a, n_a, k_b, n_b, total))
    for_a, for_b = k_a * (n_b - k_b) / total, (n_a - k_a) * k_b / total
    chi2, p = _test(k_a, n_a, k_b, n_b, 0.5 if corrected else 0.0)
    top, bottom = for_a.sum(), for_b.sum()
    if top == 0 or bottom == 0:
        ratio = 1.0 if top == bottom else (0.0 if top == 0 else math.inf)
        return OddsRatio(ratio, 0.0, math.inf, chi2, p, level)
    agree, differ = (k_a + n_b - k_b) / total, (n_a - k_a + k_b) / total
    variance = (
        (agree * for_a).sum() / (2 * top**2)
        + (agree * for_b + differ * for_a).sum() / (2 * top * bottom)
        + (differ * for_b).sum() / (2 * bottom**2)
    )
    ratio, half = float(top / bottom), normal_quantile(level) * math.sqrt(variance)
    return OddsRatio(ratio, ratio * math.exp(-half), ratio * math.exp(half), chi2, p, level)


def _test(
    k_a: np.ndarray, n_a: np.ndarray, k_b: np.ndarray, n_b: np.ndarray, correction: float
) -> tuple[float, float]:
    """Chi-squared and its p."""
    total, wins = n_a + n_b, k_a + k_b
    more = total > 1
    variance = (n_a * n_b * wins * (total - wins))[more] / (total**2 * (total - 1))[more]
    if variance.sum() == 0:
        return 0.0, 1.0
    beyond = max(abs((k_a - n_a * wins / total).sum()) - correction, 0.0)
    chi2 = float(beyond**2 / variance.sum())
    return chi2, math.erfc(math.sqrt(chi2 / 2))
