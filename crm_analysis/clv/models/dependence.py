"""Do customers who buy more often also spend more per purchase? The spend model assumes that they do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from crm_analysis.clv.histories import FloatArray, customer_weights

WEAK = 0.1  # below, a rank correlation says that 1% of the variation is shared


@dataclass(frozen=True)
class Dependence:
    """Spearman's rank correlation of paid repeat purchases and their mean amount, with its 95% interval.

    kind : "none" (the interval holds 0), "weak" (below 0.1 in size), "positive" or "negative"; "unknown" of
        fewer than 10 customers, or without variation.
    n_customers : with a paid repeat purchase.
    """

    correlation: float
    low: float
    high: float
    n_customers: int

    @property
    def kind(self) -> str:
        """What it says of the spend model's assumption."""
        if np.isnan(self.correlation):
            return "unknown"
        if self.low <= 0 <= self.high:
            return "none"
        if abs(self.correlation) < WEAK:
            return "weak"
        return "positive" if self.correlation > 0 else "negative"


def frequency_and_amount(customers: pd.DataFrame) -> Dependence:
    """Measure the dependence over the customers with a paid repeat purchase.

    Interval by Fisher's transformation with the variance (1 + rho^2 / 2) / (n - 3) of Bonett & Wright (2000),
    Psychometrika 65(1), 23-28; NaN where unknown.
    """
    paid = customers[customers["n_paid_repeat"] > 0]
    weights = customer_weights(paid)
    n = int(weights.sum())
    columns = ("n_paid_repeat", "mean_repeat_amount")
    x, y = (_ranks(paid[name].to_numpy(float), weights) for name in columns)
    if n < 10 or not (np.ptp(x) > 0 and np.ptp(y) > 0):
        return Dependence(np.nan, np.nan, np.nan, n)
    covariance = np.cov(x, y, aweights=weights)
    rho = float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))
    width = ndtri(0.975) * np.sqrt((1 + rho**2 / 2) / (n - 3))
    low, high = np.tanh(np.arctanh(rho) + width * np.array([-1, 1]))
    return Dependence(rho, float(low), float(high), n)


def _ranks(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Mean rank of those who share a value, customers counted."""
    _, place = np.unique(values, return_inverse=True)
    tied = np.bincount(place, weights)
    return (np.cumsum(tied) - tied / 2)[place]
