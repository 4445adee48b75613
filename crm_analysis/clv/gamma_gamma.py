"""Gamma-Gamma: what a customer spends per purchase, from the average of the repeat purchases seen.

Fader & Hardie (2013), "The Gamma-Gamma model of monetary value", brucehardie.com/notes/025. The averages
are mean_repeat_amount over n_paid_repeat purchase days; a purchase for nothing has no say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy.special import digamma, gammaln

from crm_analysis.clv.fit import Estimation, Fit, Limit, maximise
from crm_analysis.clv.histories import FloatArray
from crm_analysis.clv.parameters import ParameterSet
from crm_analysis.errors import DataError, FitError

LIMITS = (
    Limit(frozenset(["q", "gamma"]), "infinity", "all customers spend the same on average"),
    Limit(frozenset("p"), "infinity", "a customer's purchases do not differ in amount"),
    Limit(frozenset(["gamma"]), "0", "a customer's purchases do not differ in amount"),
    Limit(frozenset("q"), "0", "a few customers spend so much that the average has no limit"),
)


@dataclass(frozen=True, kw_only=True)
class GammaGamma(ParameterSet):
    """Three numbers that describe what a customer base spends.

    A customer's amounts are Gamma(p, rate=nu), and nu ~ Gamma(q, rate=gamma). The mean over all customers is
    p * gamma / (q - 1), infinite if q <= 1.
    """

    name: ClassVar[str] = "Gamma-Gamma"
    p: float
    q: float
    gamma: float

    @property
    def mean(self) -> float:
        """Mean amount over all customers; infinite if q <= 1."""
        return self.p * self.gamma / (self.q - 1) if self.q > 1 else np.inf

    def expected_amount(self, customers: pd.DataFrame) -> pd.Series:
        """Amount expected per purchase: between the customer's own average and everybody's.

        Raises
        ------
        DataError
            mean_repeat_amount or n_paid_repeat is missing or contradictory.
        FitError
            q <= 1 and a customer never came back: there is no finite mean to expect.
        """
        shape, rate = self._learned(customers)
        if (shape <= 1).any():
            raise FitError(
                f"Gamma-Gamma: q = {self.q:.3g}, so the mean amount over all customers is infinite and none "
                f"can be expected of {int((shape <= 1).sum())} customers without a paid repeat purchase. "
                "A few amounts carry the fit: look at the largest ones."
            )
        return pd.Series(self.p * rate / (shape - 1), customers.index, name="expected_amount")

    def draw_amounts(
        self, customers: pd.DataFrame, purchases: pd.Series, *, generator: np.random.Generator
    ) -> pd.Series:
        """Draw what each customer spends in total on that many purchases."""
        shape, rate = self._learned(customers)
        scale = rate / generator.gamma(shape)
        return pd.Series(generator.gamma(self.p * purchases) * scale, customers.index, name="amount")

    def _learned(self, customers: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
        n, mean = _amounts(customers)
        return self.p * n + self.q, self.gamma + n * mean


def fit_gamma_gamma(customers: pd.DataFrame) -> Fit[GammaGamma]:
    """Fit Gamma-Gamma by maximum likelihood to the customers with a paid repeat purchase.

    Parameters
    ----------
    customers : mean_repeat_amount (NaN where none) and n_paid_repeat.

    Raises
    ------
    DataError
        A column is missing, or an amount is not positive.
    FitError
        The data do not determine a parameter; the message says which one runs where, and what it means.

    Source: Fader & Hardie (2013), eq. 1a.
    """
    n, mean = _amounts(customers)
    n, mean = n[n > 0], mean[n > 0]
    if len(n) < 2:
        raise FitError(
            f"Gamma-Gamma: nothing to fit, {len(n)} of {len(customers)} customers made a paid repeat purchase"
        )
    average = float(np.average(mean, weights=n))
    return maximise(
        Estimation(
            name=GammaGamma.name,
            parameters=GammaGamma.parameter_names(),
            build=GammaGamma,
            rows=lambda parameters: log_likelihood(parameters, n, mean),
            weights=np.ones(len(n)),
            starts=[(p, q, average * max(q - 1, 0.5) / p) for p, q in ((4.0, 3.0), (1.0, 2.0), (20.0, 10.0))],
            limits=LIMITS,
            data=f"{len(n):,} customers with a paid repeat purchase",
        )
    )


def log_likelihood(parameters: FloatArray, n: FloatArray, mean: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log likelihood of each average `mean` over `n` amounts at (p, q, gamma), and its slopes, (3, rows)."""
    p, q, gamma = parameters
    counts, which = np.unique(n, return_inverse=True)
    total = n * mean
    # Everything but the totals depends on the count alone: special functions once per distinct count.
    constant = gammaln(p * counts + q) - gammaln(p * counts) - gammaln(q) + q * np.log(gamma)
    log_total, log_both = np.log(total), np.log(gamma + total)
    row = constant[which] + p * n * log_total - np.log(mean) - (p * n + q) * log_both
    shared = digamma(p * counts + q)
    slopes = [
        (counts * (shared - digamma(p * counts)))[which] + n * (log_total - log_both),
        (shared - digamma(q) + np.log(gamma))[which] - log_both,
        q / gamma - (p * n + q) / (gamma + total),
    ]
    return row, np.stack(slopes)


def _amounts(customers: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    columns = ["mean_repeat_amount", "n_paid_repeat"]
    if missing := [name for name in columns if name not in customers]:
        raise DataError(f"customers: no column {missing}; columns present: {list(customers.columns)}")
    n = customers["n_paid_repeat"].to_numpy(float)
    mean = customers["mean_repeat_amount"].to_numpy(float)
    bad = (n < 0) | np.isnan(n) | ((n > 0) & ~((mean > 0) & (mean < np.inf)))
    if bad.any():
        first = int(bad.argmax())
        raise DataError(
            f"customers: mean_repeat_amount {mean[first]} over n_paid_repeat {n[first]} in {int(bad.sum())} "
            f"of {len(customers)} rows, first customer {customers.index[first]!r}; expected a positive "
            "average of the paid repeat purchases"
        )
    return n, np.where(n > 0, mean, 0.0)
