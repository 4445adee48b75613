"""Do customers who buy more often also spend more per purchase? The spend model assumes that they do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

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
    ranks = paid[["n_paid_repeat", "mean_repeat_amount"]].rank()
    n = len(ranks)
    if n < 10 or (ranks.std() == 0).any():
        return Dependence(np.nan, np.nan, np.nan, n)
    rho = float(np.corrcoef(ranks.to_numpy().T)[0, 1])
    width = ndtri(0.975) * np.sqrt((1 + rho**2 / 2) / (n - 3))
    low, high = np.tanh(np.arctanh(rho) + width * np.array([-1, 1]))
    return Dependence(rho, float(low), float(high), n)
