"""How sure a rate is, how sure a difference of two rates is, and what would have been too small to see.

Every function takes counts: `k` of `n`. Nothing was tried (`n` = 0) gives the interval 0 to 1, and a
difference between -1 and 1: nothing is known, which is not the same as a rate of 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from statistics import NormalDist
from typing import Any

import numpy as np

from crm_analysis.errors import DataError


def normal_quantile(level: float) -> float:
    """Half width, in standard errors, of a two-sided interval that holds `level` of a normal distribution."""
    return NormalDist().inv_cdf(0.5 + level / 2)


def t_quantile(level: float, *, df: float) -> float:
    """The same for a t distribution; the normal one where `df` is infinite."""
    if math.isinf(df):
        return normal_quantile(level)
    return float(_special().stdtrit(df, 0.5 + level / 2))


def level_of(quantile: float) -> float:
    """Level of the normal interval of so many standard errors: the inverse of `normal_quantile`."""
    return math.erf(quantile / math.sqrt(2))


def t_test(t: float, *, df: float) -> float:
    """Two-sided p of a statistic with `df` degrees of freedom; normal where they are infinite."""
    return math.erfc(abs(t) / math.sqrt(2)) if math.isinf(df) else float(2 * _special().stdtr(df, -abs(t)))


def pooled_degrees(variances: Sequence[float], dfs: Sequence[float]) -> float:
    """Degrees of freedom of a sum of independent variances, each with its own.

    Source: Satterthwaite (1946), Biometrics Bulletin 2:110.
    """
    total = sum(variances)
    unsure = sum(v**2 / df for v, df in zip(variances, dfs, strict=True))
    return total**2 / unsure if unsure > 0 else math.inf


def wilson(k: float, *, n: float, level: float = 0.95, df: float = math.inf) -> tuple[float, float]:
    """Low and high end of the score interval of the rate k / n, both in [0, 1].

    Where the spread of k was estimated, with `df` degrees of freedom, the quantile is that of t.

    Raises
    ------
    DataError
        k lies outside 0 to n.

    Source: Wilson (1927), JASA 22:209; Newcombe (1998), Statistics in Medicine 17:857, method 3.
    """
    if not 0 <= k <= n:
        raise DataError(f"rate: {k} of {n}; expected a count between 0 and {n}")
    if n == 0:
        return 0.0, 1.0
    z = t_quantile(level, df=df)
    middle = (k + z**2 / 2) / (n + z**2)
    half = z * math.sqrt(k * (n - k) / n + z**2 / 4) / (n + z**2)
    # At 0 of n and n of n the formula gives exactly 0 and 1, but for rounding.
    return (0.0 if k == 0 else middle - half), (1.0 if k == n else middle + half)


def clopper_pearson(k: int, *, n: int, level: float = 0.95) -> tuple[float, float]:
    """Low and high end of the interval that holds the rate at least so often, whatever it is.

    Wider than `wilson`, which holds it so often on average.

    Raises
    ------
    DataError
        k lies outside 0 to n.

    Source: Clopper & Pearson (1934), Biometrika 26:404.
    """
    if not 0 <= k <= n:
        raise DataError(f"rate: {k} of {n}; expected a count between 0 and {n}")
    if n == 0:
        return 0.0, 1.0
    ends = import_module("scipy.stats").binomtest(k, n).proportion_ci(level, method="exact")
    return float(ends.low), float(ends.high)


def newcombe(
    k_a: float, n_a: float, *, k_b: float, n_b: float, level: float = 0.95, df: float = math.inf
) -> tuple[float, float]:
    """Low and high end of the interval of the difference k_a / n_a - k_b / n_b, both in [-1, 1].

    Source: Newcombe (1998), Statistics in Medicine 17:873, method 10 (hybrid score).
    """
    (low_a, high_a), (low_b, high_b) = (
        wilson(k, n=n, level=level, df=df) for k, n in ((k_a, n_a), (k_b, n_b))
    )
    if n_a == 0 or n_b == 0:
        return low_a - high_b, high_a - low_b
    a, b = k_a / n_a, k_b / n_b
    return a - b - math.hypot(a - low_a, high_b - b), a - b + math.hypot(high_a - a, b - low_b)


def ratio_interval(k_a: int, n_a: int, *, k_b: int, n_b: int, level: float = 0.95) -> tuple[float, float]:
    """Low and high end of the interval of the ratio (k_a / n_a) / (k_b / n_b), from 0 to infinity.

    Where a count is 0, half an opportunity is added to each side's counts for the end that would not be
    known; where nothing was tried, nothing is known.

    Source: Katz, Baptista, Azen & Pike (1978), Biometrics 34:469.
    """
    if n_a == 0 or n_b == 0 or k_a == k_b == 0:
        return 0.0, math.inf
    half = 0.5 * (k_a == 0 or k_b == 0)
    a, b, m_a, m_b = k_a + half, k_b + half, n_a + half, n_b + half
    spread = normal_quantile(level) * math.sqrt(max(1 / a - 1 / m_a + 1 / b - 1 / m_b, 0.0))
    ratio = (a / m_a) / (b / m_b)
    return (
        ratio * math.exp(-spread) if k_a else 0.0,
        ratio * math.exp(spread) if k_b else math.inf,
    )


def p_greater(
    k_a: float, n_a: float, *, k_b: float, n_b: float, prior: tuple[float, float] = (1.0, 1.0)
) -> float:
    """Probability that the true rate of a is above that of b, both with the same beta prior.

    Parameters
    ----------
    prior : as many successes and failures as were known before; (1, 1) knows nothing. A small firm may take
        its own or its trade's history, such as (12.0, 88.0) for 12% of a hundred.

    Raises
    ------
    DataError
        A count above its base, or a prior that is not above 0.
    """
    if min(prior) <= 0 or not (0 <= k_a <= n_a and 0 <= k_b <= n_b):
        raise DataError(
            f"rate: {k_a} of {n_a} and {k_b} of {n_b} with prior {prior}; expected counts between 0 and n, "
            "and a prior above 0"
        )
    a, b = (prior[0] + k_a, prior[1] + n_a - k_a), (prior[0] + k_b, prior[1] + n_b - k_b)
    nodes, weights = _nodes()
    # Over quantiles of a, in pieces where b's distribution function rises from 0 to 1.
    inside = _special().betaincinv(*b, np.array([1e-12, 1e-6, 0.01, 0.5, 0.99, 1 - 1e-6, 1 - 1e-12]))
    cuts = np.unique(np.concatenate([[0.0], _special().betainc(*a, inside), [1.0]]))
    middle, half = (cuts[1:] + cuts[:-1])[:, None] / 2, (cuts[1:] - cuts[:-1])[:, None] / 2
    below = _special().betainc(*b, _special().betaincinv(*a, middle + half * nodes))
    return float((half * weights * below).sum())


def score_test(k_a: float, n_a: float, *, k_b: float, n_b: float) -> tuple[float, float]:
    """Score z of the difference k_a / n_a - k_b / n_b with pooled variance, and its two-sided p.

    z squared is Pearson's chi-squared without continuity correction. Where nothing was tried, or
    everything gave the same result, there is no evidence: z = 0 and p = 1.
    """
    if n_a == 0 or n_b == 0:
        return 0.0, 1.0
    pooled = (k_a + k_b) / (n_a + n_b)
    se = math.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b))
    z = (k_a / n_a - k_b / n_b) / se if se > 0 else 0.0
    return z, math.erfc(abs(z) / math.sqrt(2))


def holm(p_values: Sequence[float]) -> np.ndarray:
    """p-values adjusted for having tested all of them, in the given order, each at most 1.

    Source: Holm (1979), Scandinavian Journal of Statistics 6:65.
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    steps = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> np.ndarray:
    """p-values adjusted so that, of those below a limit, that share at most is false, on average.

    Finds more than `holm` where many are tested; a page of a few transitions uses `holm`.

    Source: Benjamini & Hochberg (1995), JRSS B 57:289.
    """
    p = np.asarray(p_values, dtype=float)
    return np.asarray(import_module("scipy.stats").false_discovery_control(p)) if len(p) else p


def power(
    rate_a: float, rate_b: float, *, n_a: float, n_b: float, level: float = 0.95, df: float = math.inf
) -> float:
    """Probability that the score test sees the difference between two true rates.

    For groups of one size this is R's `power.prop.test`, which leaves out the other tail.
    """
    if n_a == 0 or n_b == 0:
        return 0.0
    pooled = (n_a * rate_a + n_b * rate_b) / (n_a + n_b)
    se_equal = math.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b))
    se = math.sqrt(rate_a * (1 - rate_a) / n_a + rate_b * (1 - rate_b) / n_b)
    excess = abs(rate_a - rate_b) - t_quantile(level, df=df) * se_equal
    return NormalDist().cdf(excess / se) if se > 0 else float(excess > 0)


def smallest_visible_difference(
    rate: float,
    *,
    n_a: float,
    n_b: float,
    wanted_power: float = 0.8,
    level: float = 0.95,
    df: float = math.inf,
) -> float:
    """Smallest difference from `rate` (of group b) that would have been seen with the wanted power.

    Looked for upward from `rate`, and downward where no higher rate would have been seen; 1 where no
    difference, however large, would have been.
    """

    def seen(difference: float, sign: int) -> bool:
        return power(rate + sign * difference, rate, n_a=n_a, n_b=n_b, level=level, df=df) >= wanted_power

    for sign, room in ((1, 1 - rate), (-1, rate)):
        if room > 0 and seen(room, sign):
            low, high = 0.0, room
            for _ in range(50):
                middle = (low + high) / 2
                low, high = (low, middle) if seen(middle, sign) else (middle, high)
            return high
    return 1.0


def sample_size(rate_a: float, rate_b: float, *, wanted_power: float = 0.8, level: float = 0.95) -> float:
    """Opportunities needed in each of two groups to see the difference between two true rates.

    Infinite where the rates are equal. As R's `power.prop.test`, not rounded up.
    """
    if rate_a == rate_b:
        return math.inf
    pooled = (rate_a + rate_b) / 2
    spread_equal = normal_quantile(level) * math.sqrt(2 * pooled * (1 - pooled))
    spread = NormalDist().inv_cdf(wanted_power) * math.sqrt(rate_a * (1 - rate_a) + rate_b * (1 - rate_b))
    return ((spread_equal + spread) / (rate_a - rate_b)) ** 2


@cache
def _nodes() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights that give ten digits of an integral over quantiles."""
    return np.polynomial.legendre.leggauss(300)


def _special() -> Any:
    return import_module("scipy.special")
