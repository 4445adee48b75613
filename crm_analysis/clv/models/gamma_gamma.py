"""Gamma-Gamma: what a customer spends per purchase, from the average of the repeat purchases seen.

Fader & Hardie (2013), "The Gamma-Gamma model of monetary value", brucehardie.com/notes/025. The averages
are mean_repeat_amount over n_paid_repeat purchase days; a purchase for nothing has no say.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy.special import digamma, gammaln

from crm_analysis.clv.fitting.fit import Estimation, Fit, Limit, maximise
from crm_analysis.clv.fitting.parameters import ParameterSet
from crm_analysis.clv.histories import FloatArray, IntArray, customer_weights
from crm_analysis.errors import DataError, FitError

LIMITS = (
    Limit(frozenset(["q", "gamma"]), "infinity", "all customers spend the same on average"),
    Limit(frozenset("p"), "infinity", "a customer's purchases do not differ in amount"),
    Limit(frozenset(["gamma"]), "0", "a customer's purchases do not differ in amount"),
    Limit(frozenset("q"), "0", "a few customers spend so much that the average has no limit"),
)


class SpendModel(ParameterSet):
    """Base of the models of spend: a customer's amounts are Gamma(p, rate=nu), and nu ~ Gamma(q, rate=gamma).

    What is expected of a customer lies between the own average and everybody's, which counts as much as
    q - 1 amounts over p. Someone without a paid repeat purchase is expected to spend like everybody else:
    more than those whose own average is low. That is no error, it is what their silence about money means.
    """

    p: float
    q: float

    @abstractmethod
    def level(self, n_paid_repeat: FloatArray) -> IntArray:
        """Which of the gammas is that of customers with so many paid repeat purchases."""

    def gammas(self, n_paid_repeat: FloatArray) -> FloatArray:
        """Rate of nu's distribution among customers with so many paid repeat purchases."""
        return np.array(list(self.parameters.values())[2:])[self.level(n_paid_repeat)]

    @property
    def mean(self) -> float:
        """Mean amount expected of a customer without a paid repeat purchase; infinite if q <= 1."""
        return float(self.p * self.gammas(np.zeros(1))[0] / (self.q - 1)) if self.q > 1 else np.inf

    def mean_amount(self, n_paid_repeat: FloatArray) -> FloatArray:
        """Mean amount over all customers with so many paid repeat purchases; infinite if q <= 1."""
        with np.errstate(divide="ignore"):
            return self.p * self.gammas(n_paid_repeat) / max(self.q - 1, 0.0)

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
                f"{self.name}: q = {self.q:.3g}, so the mean amount over all customers is infinite and none "
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
        n, mean = paid_amounts(customers)
        return self.p * n + self.q, self.gammas(n) + n * mean


@dataclass(frozen=True, kw_only=True)
class GammaGamma(SpendModel):
    """Three numbers that describe what a customer base spends.

    A customer's amounts are Gamma(p, rate=nu), and nu ~ Gamma(q, rate=gamma). The mean over all customers is
    p * gamma / (q - 1), infinite if q <= 1.
    """

    name: ClassVar[str] = "Gamma-Gamma"
    p: float
    q: float
    gamma: float

    def level(self, n_paid_repeat: FloatArray) -> IntArray:
        """Everybody's is the same."""
        return np.zeros(len(n_paid_repeat), dtype=np.int64)


def fit_gamma_gamma(customers: pd.DataFrame) -> Fit[GammaGamma]:
    """Fit Gamma-Gamma by maximum likelihood to the customers with a paid repeat purchase.

    Parameters
    ----------
    customers : mean_repeat_amount (NaN where none) and n_paid_repeat; n_customers where rows stand for
        several.

    Raises
    ------
    DataError
        A column is missing, or an amount is not positive.
    FitError
        The data do not determine a parameter; the message says which one runs where, and what it means.

    Source: Fader & Hardie (2013), eq. 1a.
    """
    averages = Averages.read(customers, name=GammaGamma.name)
    return maximise(
        Estimation(
            name=GammaGamma.name,
            parameters=GammaGamma.parameter_names(),
            build=GammaGamma,
            rows=lambda parameters: log_likelihood(parameters, averages),
            weights=averages.weights,
            starts=[
                (p, q, averages.mean * max(q - 1, 0.5) / p) for p, q in ((4.0, 3.0), (1.0, 2.0), (20.0, 10.0))
            ],
            limits=LIMITS,
            data=averages.described,
        )
    )


@dataclass(frozen=True)
class Averages:
    """Average amounts over several purchases each, and what no parameter changes of their likelihood.

    n : purchases of each row; counts, which : the distinct ones, and the one of every row.
    weights : customers who share each row.
    """

    n: FloatArray
    counts: FloatArray
    which: IntArray
    total: FloatArray
    log_total: FloatArray
    log_mean: FloatArray
    weights: FloatArray

    @classmethod
    def read(cls, customers: pd.DataFrame, *, name: str) -> Averages:
        """Averages of the customers with a paid repeat purchase; refuse fewer than two."""
        n, mean = paid_amounts(customers)
        paid = n > 0
        weights = customer_weights(customers)[paid]
        if weights.sum() < 2:
            raise FitError(
                f"{name}: nothing to fit, {weights.sum():.0f} of {customer_weights(customers).sum():.0f} "
                "customers made a paid repeat purchase"
            )
        return cls.of(n[paid], mean[paid], weights)

    @classmethod
    def of(cls, n: FloatArray, mean: FloatArray, weights: FloatArray | None = None) -> Averages:
        """Averages `mean` over `n` purchases."""
        counts, which = np.unique(n, return_inverse=True)
        weights = np.ones(len(n)) if weights is None else weights
        return cls(n, counts, which, n * mean, np.log(n * mean), np.log(mean), weights)

    @property
    def mean(self) -> float:
        """Mean amount over all purchases."""
        return float((self.weights * self.total).sum() / (self.weights * self.n).sum())

    @property
    def described(self) -> str:
        """The customers in words."""
        return f"{self.weights.sum():,.0f} customers with a paid repeat purchase"


def log_likelihood(
    parameters: tuple[float, float, FloatArray | float] | FloatArray, averages: Averages
) -> tuple[FloatArray, FloatArray]:
    """Log likelihood of each average at (p, q, gamma), and its slopes, shape (3, rows).

    gamma may be one number per row.
    """
    p, q, gamma = parameters
    n, counts, which = averages.n, averages.counts, averages.which
    # Everything but the totals depends on the count alone: special functions once per distinct count.
    constant = gammaln(p * counts + q) - gammaln(p * counts) - gammaln(q)
    log_gamma, both = np.log(gamma), gamma + averages.total
    log_both, shape = np.log(both), p * n + q
    share = averages.log_total - log_both
    row = constant[which] + p * n * share - averages.log_mean + q * (log_gamma - log_both)
    shared = digamma(p * counts + q)
    slopes = [
        (counts * (shared - digamma(p * counts)))[which] + n * share,
        (shared - digamma(q))[which] + log_gamma - log_both,
        q / gamma - shape / both,
    ]
    return row, np.stack(slopes)


def paid_amounts(customers: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """n_paid_repeat and mean_repeat_amount, 0 where there is none, once no row contradicts itself."""
    columns = ["mean_repeat_amount", "n_paid_repeat"]
    if missing := [name for name in columns if name not in customers]:
        raise DataError(f"customers: no column {missing}; columns present: {list(customers.columns)}")
    n = customers["n_paid_repeat"].to_numpy(float)
    mean = customers["mean_repeat_amount"].to_numpy(float)
    bad = ~(n >= 0) | (n != np.floor(n)) | ((n > 0) & ~((mean > 0) & (mean < np.inf)))
    if bad.any():
        first = int(bad.argmax())
        raise DataError(
            f"customers: mean_repeat_amount {mean[first]} over n_paid_repeat {n[first]} in {int(bad.sum())} "
            f"of {len(customers)} rows, first customer {customers.index[first]!r}; expected a positive "
            "average of the paid repeat purchases"
        )
    return n, np.where(n > 0, mean, 0.0)
