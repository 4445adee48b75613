"""How sure sums and their ratios are, where the deals of one owner may be alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from crm_analysis.funnel.ageing.resampling import MIN_OWNERS
from crm_analysis.rates import wilson

NOBODY = "(no owner)"


@dataclass(frozen=True, eq=False)
class Clusters:
    """Which deals may be alike: those of one owner, or none.

    codes : cluster of each deal, 0 .. n - 1.
    unit : "owner" or "opportunity".
    """

    codes: np.ndarray
    n: int
    unit: str

    @staticmethod
    def of(deals: pd.DataFrame) -> Clusters:
        """Owners where at least eight are known; deals without an owner are one more cluster."""
        if "owner" in deals and deals["owner"].nunique() >= MIN_OWNERS:
            codes, owners = pd.factorize(deals["owner"].fillna(NOBODY))
            return Clusters(codes, len(owners), "owner")
        return Clusters(np.arange(len(deals)), len(deals), "opportunity")

    def covariance(self, influence: np.ndarray) -> np.ndarray:
        """Covariance of estimates from the deals' influence on each, shape (deals, estimates).

        The sandwich of clustered sums, n / (n - 1) times; 0 where there is one deal only.
        """
        if self.n < 2:
            return np.zeros((influence.shape[1], influence.shape[1]))
        sums = np.column_stack([np.bincount(self.codes, column, self.n) for column in influence.T])
        return self.n / (self.n - 1) * sums.T @ sums

    def quantile(self, level: float) -> float:
        """Half width of an interval in standard errors: Student's, with clusters - 1 degrees of freedom."""
        return float(student.ppf(0.5 + level / 2, self.n - 1)) if self.n > 1 else math.inf


def ratio_influence(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Influence of each deal on the logarithm of sum(numerator) / sum(denominator); both sums above 0."""
    return numerator / numerator.sum() - denominator / denominator.sum()


def rate_ends(won: np.ndarray, tried: np.ndarray, *, clusters: Clusters, level: float) -> tuple[float, float]:
    """Interval of sum(won) / sum(tried): Wilson's, with fewer trials where the deals of one owner are alike.

    Source: Korn & Graubard (1998), Survey Methodology 24:193, with a score interval.
    """
    k, n = float(won.sum()), float(tried.sum())
    if k in (0, n):
        return wilson(k, n=n, level=level)
    rate = k / n
    variance = float(clusters.covariance(((won - rate * tried) / n)[:, None])[0, 0])
    stretch = (clusters.quantile(level) / student.ppf(0.5 + level / 2, math.inf)) ** 2
    deff = max(variance / (rate * (1 - rate) / n) * stretch, 1.0)
    return wilson(k / deff, n=n / deff, level=level)
