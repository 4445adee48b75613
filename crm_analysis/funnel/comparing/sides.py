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
    log_variance : of the logarithms of independent opportunities; shape (n,).
    covariance : of the logarithms, clusters allowed for; shape (n, n).
    df : degrees of freedom of that covariance.
    """

    factors: np.ndarray
    smoothed: np.ndarray
    log_variance: np.ndarray
    covariance: np.ndarray
    df: float
    entrants: int
    n_rates: int

    @property
    def design_effects(self) -> np.ndarray:
        """Variance of each rate's logarithm over that of independent opportunities; shape (K,)."""
        rates = slice(1, 1 + self.n_rates)
        return np.diag(self.covariance)[rates] / self.log_variance[rates]


def find_sides(a: Firm, b: Firm, basis: Basis, clusters: Sequence[str]) -> tuple[Side, Side]:
    """Return the factors of both firms."""
    rates, smoothed, rate_variance = _rates(np.array([a.counts, b.counts]))
    sides = []
    for i, firm in enumerate((a, b)):
        end = [basis.deals[i]] if basis.deals else []
        values, variances = [value for value, _ in end], [variance for _, variance in end]
        log_variance = np.array([basis.leads_variance[i], *rate_variance[i], *variances])
        factors = np.array([basis.leads[i], *smoothed[i], *values])
        ways = _clustered(firm, factors, log_variance, own_deals=basis.own_deals[i], clusters=clusters)
        sides.append(
            Side(
                factors=np.array([basis.leads[i], *rates[i], *values]),
                smoothed=factors,
                log_variance=log_variance,
                covariance=widest(log_variance, [way.covariance for way in ways]),
                df=min((way.df for way in ways), default=np.inf),
                entrants=int(firm.counts[0]),
                n_rates=rates.shape[1],
            )
        )
    return sides[0], sides[1]


def _clustered(
    firm: Firm, factors: np.ndarray, log_variance: np.ndarray, *, own_deals: bool, clusters: Sequence[str]
) -> list[Clustered]:
    found = [
        cluster_covariance(firm, name, factors=factors, log_variance=log_variance, own_deals=own_deals)
        for name in clusters
    ]
    return [way for way in found if way is not None]


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
