"""NBD: customers buy at their own rate and never leave.

Ehrenberg (1959), Applied Statistics 8(1), 26-41. The limit of BG/NBD and Pareto/NBD where nobody is seen to
leave, and what these are to be compared with where somebody is: P(alive) is 1, a forecast knows no decline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy.special import betainc, digamma, gammaln

from crm_analysis.clv.fitting.fit import Estimation, Fit, Limit, maximise
from crm_analysis.clv.fitting.starts import describe, purchase_rate
from crm_analysis.clv.histories import (
    FloatArray,
    Histories,
    IntArray,
    distinct_histories,
    purchase_histories,
)
from crm_analysis.clv.models.poisson import PoissonModel, poisson_gamma
from crm_analysis.clv.models.tails import Renewed, Tails

LIMITS = (
    Limit(frozenset(["r", "alpha"]), "infinity", "all customers buy at the same rate"),
    Limit(frozenset("r"), "0", "hardly anybody comes back, so the rate of buying is not determined"),
)


@dataclass(frozen=True, kw_only=True)
class Nbd(PoissonModel):
    """Two numbers that describe a customer base: a customer buys at rate lambda ~ Gamma(r, rate=alpha)."""

    name: ClassVar[str] = "NBD"
    r: float
    alpha: float
    unit: str = "7D"

    def _log_odds_gone(self, histories: Histories) -> FloatArray:
        return np.full(len(histories.n_repeat), -np.inf)

    def _expected(self, known: Histories, ahead: FloatArray | float) -> FloatArray:
        return (self.r + known.n_repeat) / (self.alpha + known.t_observed) * ahead

    def _rate(self, known: Histories, ahead: FloatArray) -> FloatArray:
        return self._expected(known, 1.0)[:, None] * np.ones_like(ahead)

    def _survives(self, known: Histories, ahead: FloatArray | float) -> FloatArray:
        return np.ones_like(known.n_repeat)

    def _at_least(self, n: FloatArray | int, known: Histories, ahead: FloatArray | float) -> FloatArray:
        share = ahead / (self.alpha + known.t_observed + ahead)
        return np.asarray(betainc(n, self.r + known.n_repeat, share))

    def _tails(self, known: Histories, until: float) -> Tails:
        shape, share = self.r + known.n_repeat, until / (self.alpha + known.t_observed + until)
        return Renewed(
            np.ones((1, len(shape))), shape[None], share, leaving=0.0, staying=np.ones_like(known.n_repeat)
        )

    def _exactly(self, n: FloatArray | int, known: Histories, ahead: FloatArray | float) -> FloatArray:
        return poisson_gamma(n, self.r + known.n_repeat, ahead / (self.alpha + known.t_observed + ahead))

    def _draw(self, histories: Histories, ahead: float, generator: np.random.Generator) -> IntArray:
        rate = generator.gamma(self.r + histories.n_repeat) / (self.alpha + histories.t_observed)
        return generator.poisson(rate * ahead)

    def _time_scale(self, known: Histories) -> FloatArray:
        return self.alpha + known.t_observed


def fit_nbd(customers: pd.DataFrame, *, unit: str = "7D") -> Fit[Nbd]:
    """Fit NBD by maximum likelihood.

    Parameters
    ----------
    customers : n_repeat, t_last, t_observed in days; t_last has no say.
    unit : the unit of time of the parameters; forecasts do not depend on it.

    Raises
    ------
    DataError
        A history is impossible or a column is missing.
    FitError
        The data do not determine a parameter; the message says which one runs where, and what it means.
    """
    distinct, _ = distinct_histories(customers)
    histories = purchase_histories(distinct, unit=unit)
    rate = purchase_rate(histories)
    return maximise(
        Estimation(
            name=Nbd.name,
            parameters=Nbd.parameter_names(),
            build=lambda **parameters: Nbd(**parameters, unit=unit),
            rows=lambda parameters: log_likelihood(parameters, histories),
            weights=histories.n_customers,
            starts=[(r, r / rate) for r in (0.5, 2.0, 0.1)],
            limits=LIMITS,
            data=describe(histories),
        )
    )


def log_likelihood(parameters: FloatArray, histories: Histories) -> tuple[FloatArray, FloatArray]:
    """Log likelihood of each history at (r, alpha), and its slopes, shape (2, rows)."""
    r, alpha = parameters
    x, t = histories.n_repeat, histories.t_observed
    row = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - (r + x) * np.log(alpha + t)
    slopes = [digamma(r + x) - digamma(r) - np.log1p(t / alpha), r / alpha - (r + x) / (alpha + t)]
    return row, np.stack(slopes)
