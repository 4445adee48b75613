"""One firm's factors, leads to deal value, and how sure their logarithms are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crm_analysis.funnel.comparing.basis import Basis
from crm_analysis.funnel.comparing.clusters import Clustered, cluster_covariance, widest
from crm_analysis.funnel.comparing.firm import Firm


@dataclass(frozen=True, eq=False)
class Side:
    """A firm's factors with what their variances are taken from.

    factors : leads, one rate per transition and, for revenue, the deal value; shape (n,).
    smoothed : the same with rates of exactly 0 or 1 moved by half an opportunity.
    ways : covariances of the logarithms: of independent opportunities, then by each cluster.
    covariance : of the logarithms, nowhere below any of these.
    """

    factors: np.ndarray
    smoothed: np.ndarray
    ways: tuple[Clustered, ...]
    covariance: np.ndarray
    entrants: int
    n_rates: int

    @property
    def log_variance(self) -> np.ndarray:
        """Of the logarithms of independent opportunities; shape (n,)."""
        return np.diag(self.ways[0].covariance)

    @property
    def df(self) -> float:
        """Degrees of freedom of the way with the fewest."""
        return min(way.df for way in self.ways)

    def design_effect(self, way: int, first: int, last: int) -> float:
        """Variance of the logarithm of rates `first` to `last` over that of independent opportunities."""
        rates = slice(1 + first, 2 + last)
        alone = self.ways[0].covariance[rates, rates].sum()
        return float(self.ways[way].covariance[rates, rates].sum() / alone)


def find_sides(a: Firm, b: Firm, basis: Basis, clusters: Sequence[str]) -> tuple[Side, Side]:
    """Return the factors of both firms; a firm without some cluster is independent in that way."""
    rates, smoothed, rate_variance = _rates(np.array([a.counts, b.counts]))
    sides = []
    for i, firm in enumerate((a, b)):
        end = [basis.deals[i]] if basis.deals else []
        values, variances = [value for value, _ in end], [variance for _, variance in end]
        log_variance = np.array([basis.leads_variance[i], *rate_variance[i], *variances])
        factors = np.array([basis.leads[i], *smoothed[i], *values])
        alone = Clustered(np.diag(log_variance), np.inf)
        ways = [alone]
        for name in clusters:
            found = cluster_covariance(
                firm, name, factors=factors, log_variance=log_variance, own_deals=basis.own_deals[i]
            )
            ways.append(found or alone)
        sides.append(
            Side(
                factors=np.array([basis.leads[i], *rates[i], *values]),
                smoothed=factors,
                ways=tuple(ways),
                covariance=widest(log_variance, [way.covariance for way in ways[1:]]),
                entrants=int(firm.counts[0]),
                n_rates=rates.shape[1],
            )
        )
    return sides[0], sides[1]


def _rates(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rates of two firms; the same moved off 0 and 1; variances of their logarithms. Each of shape (2, K).

    A transition that only one firm tried has that firm's rate on both sides and so no part in the gap.
    """
    n, k = counts[:, :-1], counts[:, 1:]
    tried = n > 0
    own = np.where(tried, k / np.maximum(n, 1), np.nan)
    inner = np.where((k == 0) | (k == n), (k + 0.5) / (n + 1), k / np.maximum(n, 1))
    rates = np.where(tried, own, np.where(tried[::-1], own[::-1], 1.0))
    smoothed = np.where(tried | ~tried[::-1], inner, inner[::-1])
    return rates, smoothed, (1 - smoothed) / (smoothed * np.maximum(n, 1))
