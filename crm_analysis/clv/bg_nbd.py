"""BG/NBD: customers buy at their own rate and may leave after any purchase.

Fader, Hardie & Lee (2005), "Counting your customers the easy way", Marketing Science 24(2).
n_repeat, t_last and t_observed are the paper's x, t_x and T. Someone who never came back has had no
repeat purchase to leave after, so P(alive) is 1: for a base of one-time buyers read P(buy) instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy.special import betainc, betaln, digamma, gammaln, hyp2f1

from crm_analysis.clv.fit import Estimation, Fit, Limit, maximise
from crm_analysis.clv.histories import (
    FloatArray,
    Histories,
    IntArray,
    distinct_histories,
    purchase_histories,
)
from crm_analysis.clv.purchases import PurchaseModel
from crm_analysis.clv.quadrature import over_time
from crm_analysis.clv.starts import describe, purchase_rate

LIMITS = (
    Limit(frozenset("ab"), "infinity", "every customer leaves after a purchase with the same probability"),
    Limit(frozenset("a"), "0", "no customer is seen to leave, and a model without leaving fits as well"),
    Limit(
        frozenset("b"), "infinity", "no customer is seen to leave, and a model without leaving fits as well"
    ),
    Limit(frozenset("b"), "0", "customers leave after their first repeat purchase or never"),
    Limit(frozenset(["r", "alpha"]), "infinity", "all customers buy at the same rate"),
    Limit(frozenset("r"), "0", "hardly anybody comes back, so the rate of buying is not determined"),
)


@dataclass(frozen=True, kw_only=True)
class BgNbd(PurchaseModel):
    """Four numbers that describe a customer base.

    While active, a customer buys at rate lambda ~ Gamma(r, rate=alpha) per unit of time, and leaves after
    any repeat purchase with probability p ~ Beta(a, b).
    """

    name: ClassVar[str] = "BG/NBD"
    r: float
    alpha: float
    a: float
    b: float
    unit: str = "7D"

    def _log_odds_gone(self, histories: Histories) -> FloatArray:
        x = histories.n_repeat
        since_last = np.log1p((histories.t_observed - histories.t_last) / (self.alpha + histories.t_last))
        odds = np.log(self.a) - np.log(self.b + np.maximum(x, 1) - 1) + (self.r + x) * since_last
        return np.where(x > 0, odds, -np.inf)

    def _expected(self, known: Histories, ahead: FloatArray | float) -> FloatArray:
        # Eq. 10 after Euler's transformation, which keeps the hypergeometric series moderate for heavy
        # buyers. It is 0/0 where a = 1 or a + b + x = 1; there, and nearby, the rate is integrated.
        a, b = self.a, self.b
        share = ahead / (self.alpha + known.t_observed + ahead)
        c = a + b + known.n_repeat - 1
        singular = (abs(a - 1) < 1e-5) | (c < 0.05)
        with np.errstate(divide="ignore", invalid="ignore"):
            closed = c / (a - 1) * (1 - (1 - share) ** (a - 1) * hyp2f1(a + b - 1 - self.r, a - 1, c, share))
        if not singular.any():
            return closed
        by_rate = over_time(
            lambda later: self._rate(known, later), until=ahead, scale=self._time_scale(known)
        )
        return np.where(singular, by_rate, closed)

    def _rate(self, known: Histories, ahead: FloatArray) -> FloatArray:
        # r' / alpha' * 2F1(r' + 1, a; a + b + x; -ahead / alpha') after Pfaff's transformation.
        x, alpha = known.n_repeat[:, None], self.alpha + known.t_observed[:, None]
        horizon = alpha + ahead
        leaving = hyp2f1(self.a + self.b - self.r - 1, self.a, self.a + self.b + x, ahead / horizon)
        return (self.r + x) / alpha * (alpha / horizon) ** self.a * leaving

    def _survives(self, known: Histories, ahead: FloatArray | float) -> FloatArray:
        # The mean of exp(-lambda * p * ahead), transformed likewise.
        alpha = self.alpha + known.t_observed
        both = self.a + self.b + known.n_repeat
        share = ahead / (alpha + ahead)
        return (1 - share) ** self.a * hyp2f1(self.a + self.b - self.r, self.a, both, share)

    def _at_least(self, n: FloatArray | int, known: Histories, ahead: FloatArray | float) -> FloatArray:
        # n purchases would come in time, and the customer stays after each of the n - 1 before.
        x, alpha = known.n_repeat, self.alpha + known.t_observed
        stays = np.exp(betaln(self.a, self.b + x + n - 1) - betaln(self.a, self.b + x))
        return stays * betainc(n, self.r + x, ahead / (alpha + ahead))

    def _draw(self, histories: Histories, ahead: float, generator: np.random.Generator) -> IntArray:
        x = histories.n_repeat
        rate = generator.gamma(self.r + x) / (self.alpha + histories.t_observed)
        leaving = np.maximum(generator.beta(self.a, self.b + x), 1e-12)
        return np.minimum(generator.poisson(rate * ahead), generator.geometric(leaving))

    def _stays(self, known: Histories) -> FloatArray:
        return (self.b + known.n_repeat) / (self.a + self.b + known.n_repeat)

    def _time_scale(self, known: Histories) -> FloatArray:
        return self.alpha + known.t_observed


def fit_bg_nbd(customers: pd.DataFrame, *, unit: str = "7D") -> Fit[BgNbd]:
    """Fit BG/NBD by maximum likelihood.

    Parameters
    ----------
    customers : n_repeat, t_last, t_observed in days; histories must be complete from the first purchase.
    unit : the unit of time of the parameters; forecasts do not depend on it.

    Raises
    ------
    DataError
        A history is impossible or a column is missing.
    FitError
        The data do not determine a parameter; the message says which one runs where, and what it means.

    Source: Fader, Hardie & Lee (2005), Marketing Science 24(2), eq. 6.
    """
    distinct, _ = distinct_histories(customers)
    histories = purchase_histories(distinct, unit=unit)
    rate = purchase_rate(histories)
    return maximise(
        Estimation(
            name=BgNbd.name,
            parameters=BgNbd.parameter_names(),
            build=lambda **parameters: BgNbd(**parameters, unit=unit),
            rows=lambda parameters: log_likelihood(parameters, histories),
            weights=histories.n_customers,
            starts=[(r, r / rate, a, b) for r, a, b in ((0.4, 0.8, 2.5), (1.0, 0.2, 2.0), (0.1, 2.0, 2.0))],
            limits=LIMITS,
            data=describe(histories),
        )
    )


def log_likelihood(parameters: FloatArray, histories: Histories) -> tuple[FloatArray, FloatArray]:
    """Log likelihood of each history at (r, alpha, a, b), and its slopes, shape (4, rows).

    Each parameter may be one number or one per history.
    """
    r, alpha, a, b = parameters
    x, t_last, t_observed = histories.n_repeat, histories.t_last, histories.t_observed
    before = b + np.maximum(x, 1) - 1
    log_last, log_observed = np.log(alpha + t_last), np.log(alpha + t_observed)
    here = -(r + x) * log_observed
    gone = np.where(x > 0, np.log(a / before) - (r + x) * log_last, -np.inf)
    either = np.logaddexp(here, gone)
    left = np.exp(gone - either)
    stayed = 1 - left
    row = (
        gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x) - betaln(a, b) + either
    )  # fmt: skip
    shared = digamma(a + b) - digamma(a + b + x)
    slopes = [
        digamma(r + x) - digamma(r) + np.log(alpha) - stayed * log_observed - left * log_last,
        r / alpha - (r + x) * (stayed / (alpha + t_observed) + left / (alpha + t_last)),
        shared + left / a,
        shared + digamma(b + x) - digamma(b) - left / before,
    ]
    return row, np.stack(slopes)
