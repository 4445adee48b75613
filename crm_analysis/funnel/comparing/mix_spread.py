"""How sure the parts of a gap by segment are: by the delta method, or from drawn firms."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from crm_analysis.funnel.comparing.cells import CellCounts, draw_counts
from crm_analysis.funnel.comparing.clusters import effective_clusters
from crm_analysis.funnel.comparing.intervals import few_clusters_quantile
from crm_analysis.funnel.comparing.mixing import mix_parts
from crm_analysis.funnel.comparing.odds import OddsRatio, mantel_haenszel
from crm_analysis.rates import level_of, normal_quantile, pooled_degrees, t_quantile

Function = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Ends:
    """Intervals of what two firms' counts by segment give."""

    a: CellCounts
    b: CellCounts
    level: float

    def by_delta(self) -> tuple[np.ndarray, np.ndarray]:
        """Low and high end of each of `MixParts.flat`."""
        values = mix_parts(self.a.reached, self.b.reached).flat
        half = self._half(_flat)
        return values - half, values + half

    def drawn(self, n_draws: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Percentiles of drawn firms, of opportunities and of clusters; the wider ones for each part."""
        dfs = [min((_degrees(sums) for sums in c.clusters), default=math.inf) for c in (self.a, self.b)]
        together = sum(df for df in dfs if math.isfinite(df)) or math.inf
        few = few_clusters_quantile(self.level, df=together, fewest=min(dfs))
        found = []
        for way in range(1 + max(len(self.a.clusters), len(self.b.clusters))):
            draws = _flat(*(draw_counts(c, way, n_draws, rng) for c in (self.a, self.b)))
            level = level_of(few if way else normal_quantile(self.level))
            found.append(np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0))
        ends = np.array(found)
        widest = (ends[:, 1] - ends[:, 0]).argmax(axis=0)
        low, high = (np.take_along_axis(ends[:, side], widest[None], axis=0)[0] for side in (0, 1))
        return low, high

    def _half(self, function: Function) -> np.ndarray:
        """Half the width of each interval: the widest of all ways that opportunities may hang together."""
        jacobians = jacobian(function, self.a.smoothed(), self.b.smoothed())
        a, b = (variances(cells, j) for cells, j in zip((self.a, self.b), jacobians, strict=True))
        halves = []
        for way in range(max(len(a), len(b))):
            (of_a, df_a), (of_b, df_b) = (ways[way] if way < len(ways) else ways[0] for ways in (a, b))
            pairs = zip(of_a, of_b, strict=True)
            quantiles = [t_quantile(self.level, df=pooled_degrees(pair, (df_a, df_b))) for pair in pairs]
            halves.append(quantiles * np.sqrt(of_a + of_b))
        return np.max(halves, axis=0)

    def odds_ratio(self) -> OddsRatio:
        """Common odds ratio, its interval the wider of independent opportunities and of clusters."""
        (n_a, k_a), (n_b, k_b) = ((c.reached[:, 0], c.reached[:, -1]) for c in (self.a, self.b))
        found = mantel_haenszel(k_a, n_a, k_b=k_b, n_b=n_b, level=self.level)
        if not (self.a.clusters or self.b.clusters) or not 0 < found.low < found.high < math.inf:
            return found
        half = max(float(self._half(_log_odds_ratio)[0]), math.log(found.high / found.ratio))
        return replace(found, low=found.ratio * math.exp(-half), high=found.ratio * math.exp(half))


def _flat(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return mix_parts(a, b).flat


def _log_odds_ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Logarithm of the common odds ratio, of counts (..., S, K + 1); shape (..., 1)."""
    n_a, k_a, n_b, k_b = a[..., 0], a[..., -1], b[..., 0], b[..., -1]
    total = np.maximum(n_a + n_b, 1e-9)
    for_a, for_b = k_a * (n_b - k_b) / total, (n_a - k_a) * k_b / total
    return np.log(for_a.sum(axis=-1) / for_b.sum(axis=-1))[..., None]


def jacobian(function: Function, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Change of what `function` gives, shape (m,), with each count of a and of b; each (m, S * (K + 1))."""
    return _moved(lambda x: function(x, b), a), _moved(lambda x: function(a, x), b)


def _moved(function: Callable[[np.ndarray], np.ndarray], counts: np.ndarray) -> np.ndarray:
    steps = (1e-4 * np.maximum(counts, 1e-3)).ravel()
    moves = np.diag(steps).reshape(-1, *counts.shape)
    return ((function(counts + moves) - function(counts - moves)) / (2 * steps)[:, None]).T


def variances(counts: CellCounts, jacobian: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Variance that one firm adds to each result in each way, and its degrees of freedom.

    Opportunities (the first way), or clusters of them, are drawn with their segment and all that they
    reached; a cluster's error is divided by the root of 1 less its share (see `comparing.clusters`).
    """
    smoothed = counts.smoothed()
    ended = -np.diff(smoothed, axis=1, append=0)
    by_stage = jacobian.reshape(len(jacobian), *counts.reached.shape).cumsum(axis=2)
    errors = by_stage - (by_stage * ended).sum(axis=(1, 2), keepdims=True) / ended.sum()
    found = [((errors**2 * ended).sum(axis=(1, 2)), math.inf)]
    for sums in counts.clusters:
        size = sums[..., 0].sum(axis=1)
        weight = size / size.sum()
        scores = sums.reshape(len(sums), -1) @ jacobian.T
        scores -= weight[:, None] * scores.sum(axis=0)
        found.append(((scores**2 / (1 - weight)[:, None]).sum(axis=0), _degrees(sums)))
    return found


def _degrees(sums: np.ndarray) -> float:
    return effective_clusters(sums[..., 0].sum(axis=1)) - 1
