"""Intervals of what two firms' factors make: by the delta method, or from drawn firms."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from crm_analysis.funnel.comparing.clusters import cluster_sums, codes_of, usable
from crm_analysis.funnel.comparing.firm import Firm
from crm_analysis.funnel.comparing.sides import Side
from crm_analysis.rates import level_of, pooled_degrees, t_quantile, t_test

Parts = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Delta:
    """Parts of two firms' factors, with the jacobians of the parts by the logarithms of a firm's factors.

    Opportunities are independent, or hang together in clusters: of the intervals that follow, the wider one
    counts. That of clusters has a t quantile, since its width is learnt from few.
    """

    values: np.ndarray
    jacobians: tuple[np.ndarray, np.ndarray]
    sides: tuple[Side, Side]
    level: float

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the parts, nowhere below that of either way; shape (n_parts, n_parts)."""
        pairs = zip(self.jacobians, self.sides, strict=True)
        return np.sum([jacobian @ side.covariance @ jacobian.T for jacobian, side in pairs], axis=0)

    def design_effect(self, weights: np.ndarray) -> float:
        """Variance of a weighted sum over that of independent opportunities; 1 where it is fixed."""
        alone, *others = (variance for variance, _ in self._spreads(weights))
        return max([alone, *others]) / alone if alone > 0 else 1.0

    def degrees(self, weights: np.ndarray) -> float:
        """Degrees of freedom of the interval of a weighted sum."""
        return max(self._spreads(weights), key=lambda spread: self._half(*spread))[1]

    def ends(self, weights: np.ndarray) -> tuple[float, float]:
        """Interval of a weighted sum of the parts."""
        middle = float(self.values @ weights)
        half = max(self._half(*spread) for spread in self._spreads(weights))
        return middle - half, middle + half

    def p(self, weights: np.ndarray) -> float:
        """Two-sided p of a weighted sum of the parts being 0."""
        middle = float(self.values @ weights)
        spreads = self._spreads(weights)
        return max(t_test(middle / math.sqrt(v), df=df) if v > 0 else 1.0 for v, df in spreads)

    def share_ends(self, k: int) -> tuple[float, float]:
        """Interval of part k's share of the sum of all, which must be clear (Fieller)."""
        everything = np.ones(len(self.values))
        dfs = [df for _, df in self._spreads(everything)]
        part, gap = float(self.values[k]), float(self.values.sum())
        found = [
            _fieller(part, gap, covariance, k, t_quantile(self.level, df=df) ** 2)
            for covariance, df in zip(self._covariances(), dfs, strict=True)
        ]
        return _wider(found)

    def _covariances(self) -> list[np.ndarray]:
        """Covariance of the parts in each way."""
        (j_a, j_b), (a, b) = self.jacobians, self.sides
        return [
            j_a @ x.covariance @ j_a.T + j_b @ y.covariance @ j_b.T
            for x, y in zip(a.ways, b.ways, strict=True)
        ]

    def _spreads(self, weights: np.ndarray) -> list[tuple[float, float]]:
        """Variance of a weighted sum in each way, and its degrees of freedom."""
        moves = [weights @ jacobian for jacobian in self.jacobians]
        found = []
        for pair in zip(*(side.ways for side in self.sides), strict=True):
            parts = [max(float(m @ way.covariance @ m), 0.0) for m, way in zip(moves, pair, strict=True)]
            found.append((sum(parts), pooled_degrees(parts, [way.df for way in pair])))
        return found

    def _half(self, variance: float, df: float) -> float:
        return t_quantile(self.level, df=df) * math.sqrt(variance)


def _fieller(part: float, gap: float, covariance: np.ndarray, k: int, z2: float) -> tuple[float, float]:
    """Shares s for which part - s * gap may be 0; finite, since the gap may not."""
    square = gap**2 - z2 * covariance.sum()
    cross = part * gap - z2 * covariance[k].sum()
    half = math.sqrt(max(cross**2 - square * (part**2 - z2 * covariance[k, k]), 0.0))
    return float((cross - half) / square), float((cross + half) / square)


def delta(parts: Parts, a: Side, b: Side, *, level: float) -> Delta:
    """Parts at the firms' factors, with the Jacobian by the logarithms of the smoothed ones."""
    n, step = len(a.factors), 1e-5
    moves = np.exp(np.vstack([np.eye(n), -np.eye(n)]) * step)
    by_a, by_b = parts(a.smoothed * moves, b.smoothed), parts(a.smoothed, b.smoothed * moves)
    jacobians = [((moved[:n] - moved[n:]) / (2 * step)).T for moved in (by_a, by_b)]
    return Delta(parts(a.factors, b.factors) + 0.0, (jacobians[0], jacobians[1]), (a, b), level)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Parts of drawn firms, once for each way of drawing; the wider interval counts.

    draws : per way, shape (n_draws, n).
    quantiles : per way, how many standard errors the interval has on each side.
    """

    draws: Sequence[np.ndarray]
    quantiles: Sequence[float]

    def ends(self, weights: np.ndarray) -> tuple[float, float]:
        """Interval of a weighted sum of the parts."""
        pairs = zip(self.draws, self.quantiles, strict=True)
        return _wider([_percentiles(draws @ weights, quantile) for draws, quantile in pairs])

    def share_ends(self, k: int) -> tuple[float, float]:
        """Interval of part k's share of the sum of all."""
        found = []
        for draws, quantile in zip(self.draws, self.quantiles, strict=True):
            total = draws.sum(axis=1)
            found.append(_percentiles(draws[total != 0, k] / total[total != 0], quantile))
        return _wider(found)

    @property
    def widest(self) -> np.ndarray:
        """Draws whose sum spreads most."""
        return max(self.draws, key=lambda draws: float(draws.sum(axis=1).std()))


def few_clusters_quantile(level: float, *, df: float, fewest: float) -> float:
    """Return how far out the percentiles of drawn clusters have to be taken, in standard errors.

    Drawing G clusters understates a variance by 1 - 1/G and knows nothing of its own error.

    Parameters
    ----------
    df : degrees of freedom of the interval.    fewest : those of the firm with the fewest clusters.

    Source: Hesterberg (2015), The American Statistician 69:371, expanded percentiles.
    """
    return t_quantile(level, df=df) * (math.sqrt((fewest + 1) / fewest) if math.isfinite(fewest) else 1.0)


def _percentiles(draws: np.ndarray, quantile: float) -> tuple[float, float]:
    level = level_of(quantile)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _wider(intervals: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return max(intervals, key=lambda ends: ends[1] - ends[0])


def draw_independent(side: Side, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Factors of firms drawn from the fitted one: nested binomial counts, gamma leads and deal value."""
    drawn = np.empty((n_draws, len(side.factors)))
    n = np.full(n_draws, side.entrants)
    for k, (mean, variance) in enumerate(zip(side.smoothed, side.log_variance, strict=True)):
        if 1 <= k <= side.n_rates:
            went_on = rng.binomial(n, mean)
            drawn[:, k] = np.where(n > 0, went_on / np.maximum(n, 1), mean)
            n = went_on
        else:
            drawn[:, k] = _gamma(mean, variance, n_draws, rng)
    return drawn


def draw_clusters(firm: Firm, side: Side, cluster: str, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Factors of firms whose clusters are drawn anew; leads, and a firm without clusters, stay independent.

    Clusters with the same sums are drawn together, so that many small ones take no longer.
    """
    labels = firm.labels(cluster)
    if labels is None or not usable(firm, cluster):
        return draw_independent(side, n_draws, rng)
    sums = cluster_sums(firm, codes_of(labels))
    has_deals = len(side.factors) > 1 + side.n_rates
    alike, times = np.unique(sums if has_deals else sums[:, :-2], axis=0, return_counts=True)
    totals = rng.multinomial(len(sums), times / len(sums), n_draws) @ alike
    drawn = np.empty((n_draws, len(side.factors)))
    drawn[:, 0] = _gamma(side.smoothed[0], side.log_variance[0], n_draws, rng)
    for k in range(side.n_rates):
        n = totals[:, k]
        drawn[:, k + 1] = np.where(n > 0, totals[:, k + 1] / np.maximum(n, 1), side.smoothed[k + 1])
    if has_deals:
        valued = totals[:, -2]
        drawn[:, -1] = np.where(valued > 0, totals[:, -1] / np.maximum(valued, 1), side.smoothed[-1])
    return drawn


def draw_factors(side: Side, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Factors whose logarithms have the firm's covariance: t with its degrees of freedom; rates at most 1."""
    values, vectors = np.linalg.eigh(side.covariance)
    noise = rng.standard_normal((n_draws, len(values))) * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    if math.isfinite(side.df):
        noise *= np.sqrt(side.df / rng.chisquare(side.df, n_draws))[:, None]
    # One degree of freedom knows no bounds, floating point does.
    drawn = side.smoothed * np.exp(np.clip(noise, -30.0, 30.0))
    rates = slice(1, 1 + side.n_rates)
    drawn[:, rates] = np.minimum(drawn[:, rates], 1.0)
    return drawn


def _gamma(mean: float, variance: float, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    return rng.gamma(1 / variance, mean * variance, n_draws) if variance > 0 else np.full(n_draws, mean)
