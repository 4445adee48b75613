"""Customers who may leave after a purchase: what BG/NBD and MBG/NBD share.

The two differ in one thing, whether the first purchase is one to leave after. So a customer with n_repeat
has had n_repeat chances to leave, or one more. Formulas are those of the two papers with the chances in
the place of n_repeat where they mean chances.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
import pandas as pd
from scipy.special import betainc, betaln, digamma, gammaln, hyp2f1

from crm_analysis.clv.fitting.fit import Estimation, Fit, Limit
from crm_analysis.clv.fitting.quadrature import over_time
from crm_analysis.clv.fitting.starts import describe, fit_histories, purchase_rate
from crm_analysis.clv.fitting.tables import HistoryTables
from crm_analysis.clv.histories import (
    FloatArray,
    Histories,
    IntArray,
    distinct_histories,
    purchase_histories,
)
from crm_analysis.clv.models.poisson import PoissonModel, poisson_gamma
from crm_analysis.clv.models.tails import Renewed, Tails

ROWS = 50_000  # histories at a time: what is computed of them stays within the processor's cache

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
class LeavingModel(PoissonModel):
    """Four numbers: purchases at rate lambda ~ Gamma(r, rate=alpha), leaving with probability p ~ Beta(a, b).

    early : chances to leave before the first repeat purchase, 0 or 1.
    """

    early: ClassVar[int]
    r: float
    alpha: float
    a: float
    b: float
    unit: str = "7D"

    def _log_odds_gone(self, histories: Histories) -> FloatArray:
        x, chances = histories.n_repeat, histories.n_repeat + self.early
        since_last = np.log1p((histories.t_observed - histories.t_last) / (self.alpha + histories.t_last))
        odds = np.log(self.a) - np.log(self.b + np.maximum(chances, 1) - 1) + (self.r + x) * since_last
        return np.where(chances > 0, odds, -np.inf)

    def _stayed(self, known: Histories) -> FloatArray:
        """Second parameter of the Beta of those alive: they stayed at every chance."""
        return self.b + known.n_repeat + self.early

    def _expected(self, known: Histories, ahead: FloatArray | float) -> FloatArray:
        # Eq. 10 after Euler's transformation, which keeps the hypergeometric series moderate for heavy
        # buyers. It is 0/0 where a = 1 or a + b + chances = 1; there, and nearby, the rate is integrated.
        a, share = self.a, ahead / (self.alpha + known.t_observed + ahead)
        c = a + self._stayed(known) - 1
        singular = (abs(a - 1) < 1e-5) | (c < 0.05)
        more = a + self.b + self.early - 1 - self.r
        with np.errstate(divide="ignore", invalid="ignore"):
            closed = c / (a - 1) * (1 - (1 - share) ** (a - 1) * hyp2f1(more, a - 1, c, share))
        if not singular.any():
            return closed
        rate = lambda later: self._rate(known, later)  # noqa: E731
        return np.where(singular, over_time(rate, until=ahead, scale=self._time_scale(known)), closed)

    def _rate(self, known: Histories, ahead: FloatArray) -> FloatArray:
        # r' / alpha' * 2F1(r' + 1, a; a + b'; -ahead / alpha') after Pfaff's transformation.
        x, alpha = known.n_repeat[:, None], (self.alpha + known.t_observed)[:, None]
        a, both = np.reshape(self.a, (-1, 1)), (self.a + self._stayed(known))[:, None]
        more = np.reshape(self.a + self.b + self.early - self.r - 1, (-1, 1))
        share = ahead / (alpha + ahead)
        return (self.r + x) / alpha * (1 - share) ** a * hyp2f1(more, a, both, share)

    def _survives(self, known: Histories, ahead: FloatArray | float) -> FloatArray:
        # The mean of exp(-lambda * p * ahead), transformed likewise.
        share = ahead / (self.alpha + known.t_observed + ahead)
        both, more = self.a + self._stayed(known), self.a + self.b + self.early - self.r
        return (1 - share) ** self.a * hyp2f1(more, self.a, both, share)

    def _at_least(self, n: FloatArray | int, known: Histories, ahead: FloatArray | float) -> FloatArray:
        # n purchases would come in time, and the customer stays after each of the n - 1 before.
        share = ahead / (self.alpha + known.t_observed + ahead)
        return stays_often(self.a, self._stayed(known), n - 1) * betainc(n, self.r + known.n_repeat, share)

    def _tails(self, known: Histories, until: float) -> Tails:
        shape, share = self.r + known.n_repeat, until / (self.alpha + known.t_observed + until)
        return Renewed(
            np.ones((1, len(shape))), shape[None], share, leaving=self.a, staying=self._stayed(known)
        )

    def _exactly(self, n: FloatArray | int, known: Histories, ahead: FloatArray | float) -> FloatArray:
        # Stays n - 1 times; then leaves, so that what would come later does not, or stays and nothing comes.
        shape, share = self.r + known.n_repeat, ahead / (self.alpha + known.t_observed + ahead)
        leaves = self.a / (self.a + self._stayed(known) + n - 1)
        ends = leaves * betainc(n, shape, share) + (1 - leaves) * poisson_gamma(n, shape, share)
        return stays_often(self.a, self._stayed(known), n - 1) * ends

    def _draw(self, histories: Histories, ahead: float, generator: np.random.Generator) -> IntArray:
        rate = generator.gamma(self.r + histories.n_repeat) / (self.alpha + histories.t_observed)
        leaving = np.maximum(generator.beta(self.a, self._stayed(histories)), 1e-12)
        return np.minimum(generator.poisson(rate * ahead), generator.geometric(leaving))

    def _stays(self, known: Histories) -> FloatArray:
        return self._stayed(known) / (self.a + self._stayed(known))

    def _time_scale(self, known: Histories) -> FloatArray:
        return self.alpha + known.t_observed


L = TypeVar("L", bound=LeavingModel)


def stays_often(a: float, b: FloatArray, n: FloatArray | float) -> FloatArray:
    """P(staying at each of n chances), where leaving has probability p ~ Beta(a, b)."""
    return np.exp(betaln(a, b + n) - betaln(a, b))


def fit_leaving(model: type[L], customers: pd.DataFrame, *, unit: str) -> Fit[L]:
    """Fit one of the two by maximum likelihood; see `fit_bg_nbd`."""
    distinct, _ = distinct_histories(customers)
    return fit_histories(
        lambda histories: _estimation(model, histories, unit), purchase_histories(distinct, unit=unit)
    )


def _estimation(model: type[L], histories: Histories, unit: str) -> Estimation[L]:
    rate, tables = purchase_rate(histories), HistoryTables.of(histories, unit=unit)
    build: Callable[..., L] = lambda **parameters: model(**parameters, unit=unit)  # noqa: E731
    return Estimation(
        name=model.name,
        parameters=model.parameter_names(),
        build=build,
        rows=lambda parameters: log_likelihood(parameters, histories, early=model.early, tables=tables),
        weights=histories.n_customers,
        starts=[(r, r / rate, a, b) for r, a, b in ((0.4, 0.8, 2.5), (1.0, 0.2, 2.0), (0.1, 2.0, 2.0))],
        limits=LIMITS,
        data=describe(histories),
    )


def log_likelihood(
    parameters: FloatArray, histories: Histories, *, early: int, tables: HistoryTables | None = None
) -> tuple[FloatArray, FloatArray]:
    """Log likelihood of each history at (r, alpha, a, b), and its slopes, shape (4, rows).

    Each parameter may be one number or one per history; `tables` are of the histories, and for the former.
    """
    tables = tables or HistoryTables.plain(histories)
    n = len(histories.n_repeat)
    values, slopes = np.empty(n), np.empty((4, n))
    for since in range(0, n, ROWS):
        part = slice(since, since + ROWS)
        here = parameters[:, part] if parameters.ndim == 2 else parameters
        _fill(values[part], slopes[:, part], here, histories.n_repeat[part], early, tables.part(part))
    return values, slopes


def _fill(
    values: FloatArray,
    slopes: FloatArray,
    parameters: FloatArray,
    x: FloatArray,
    early: int,
    tables: HistoryTables,
) -> None:
    r, alpha, a, b = parameters
    of_count, of_last, of_end = tables.n_repeat, tables.t_last, tables.t_observed
    before = lambda x: b + np.maximum(x + early, 1) - 1  # noqa: E731
    log_end, per_end = of_end(lambda t: np.log(alpha + t)), of_end(lambda t: 1 / (alpha + t))
    waited = log_end - of_last(lambda t: np.log(alpha + t))
    log_odds = of_count(lambda x: np.where(x + early > 0, np.log(a / before(x)), -np.inf)) + (r + x) * waited
    less = np.exp(-np.abs(log_odds))
    left = np.where(log_odds > 0, 1.0, less) / (1 + less)
    bought = of_count(
        lambda x: gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x + early) - betaln(a, b)
    )
    values[:] = bought - (r + x) * log_end + np.maximum(log_odds, 0) + np.log1p(less)
    slopes[0] = of_count(lambda x: digamma(r + x) - digamma(r) + np.log(alpha)) - log_end + left * waited
    slopes[1] = r / alpha - (r + x) * (per_end + left * (of_last(lambda t: 1 / (alpha + t)) - per_end))
    stayed = of_count(lambda x: digamma(a + b) - digamma(a + b + x + early))
    slopes[2] = stayed + left / a
    slopes[3] = (
        stayed
        + of_count(lambda x: digamma(b + x + early) - digamma(b))
        - left * of_count(lambda x: 1 / before(x))
    )
