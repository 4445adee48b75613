"""MBG/CNBD-k: customers buy on schedule, after k stages each time, and may leave after any purchase.

Platzer & Reutterer (2016), "Ticking away the moments", Marketing Science 35(5), and Reutterer, Platzer &
Schroeder (2021), IJRM 38(1). Stages end at random moments at the customer's own rate lambda, and every k-th
is a purchase: times between purchases are Erlang-k, the more even the larger k. With k = 1 it is MBG/NBD.
lambda and alpha are of stages: a customer buys lambda / k times per unit of time.

Given alive, the last purchase was at t_last and 0 to k - 1 stages have ended since. How many, j, is a matter
of chance, and each j makes another Gamma of lambda: of shape r + k x + j and rate alpha + t_observed, with
weight proportional to Gamma(r + k x + j) / j! * ((t_observed - t_last) / (alpha + t_observed)) ** j. The n-th
purchase from now comes with stage n k - j. From this all answers are exact; where the papers' authors
approximate the expected purchases, it is a sum over n.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy.special import betainc, gammaln, logsumexp

from crm_analysis.clv.fitting.fit import Estimation, Fit, maximise
from crm_analysis.clv.fitting.quadrature import over_time
from crm_analysis.clv.fitting.starts import describe, purchase_rate
from crm_analysis.clv.histories import (
    FloatArray,
    Histories,
    IntArray,
    distinct_histories,
    purchase_histories,
)
from crm_analysis.clv.models.leaving import LIMITS, stays_often
from crm_analysis.clv.models.purchases import NEGLIGIBLE, PurchaseModel
from crm_analysis.clv.models.regularity import Regularity
from crm_analysis.clv.models.stages import for_life, log_likelihood, log_stages
from crm_analysis.clv.models.tails import Renewed, Tails
from crm_analysis.clv.units import unit_days
from crm_analysis.errors import ConfigError

BLOCK = 20_000  # purchases looked at together: they stay within the processor's cache
MOST = 12  # stages tried when the likelihood chooses their number


@dataclass(frozen=True, kw_only=True)
class MbgCnbd(PurchaseModel):
    """Four numbers that describe a customer base, and how regular it is.

    While active, a customer ends stages at rate lambda ~ Gamma(r, rate=alpha) per unit of time, buys with
    every k-th, and leaves after any purchase, the first one included, with probability p ~ Beta(a, b).
    """

    name: ClassVar[str] = "MBG/CNBD-k"
    early: ClassVar[int] = 1
    settings: ClassVar[tuple[str, ...]] = ("k", "unit")
    r: float
    alpha: float
    a: float
    b: float
    k: int
    unit: str = "7D"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_stages(self.k)

    @property
    def label(self) -> str:
        """Name with the number of stages: "MBG/CNBD-2"."""
        return f"MBG/CNBD-{self.k}"

    def _log_odds_gone(self, histories: Histories) -> FloatArray:
        shape = self.r + self.k * histories.n_repeat
        since_last = np.log1p((histories.t_observed - histories.t_last) / (self.alpha + histories.t_last))
        stages = logsumexp(log_stages(shape, self._since(histories), self.k), axis=0)
        return np.log(self.a / (self.b + histories.n_repeat)) + shape * since_last - stages

    def _since(self, known: Histories) -> FloatArray:
        return (known.t_observed - known.t_last) / (self.alpha + known.t_observed)

    def _stayed(self, known: Histories) -> FloatArray:
        """Second parameter of the Beta of those alive: they stayed at every purchase."""
        return self.b + known.n_repeat + 1

    def _stages(self, known: Histories) -> tuple[FloatArray, FloatArray]:
        """P(j stages have ended since the last purchase) and the shape of lambda then, (k, rows)."""
        shape = self.r + self.k * known.n_repeat
        weights = log_stages(shape, self._since(known), self.k)
        return np.exp(weights - logsumexp(weights, axis=0)), shape + np.arange(self.k)[:, None]

    def _expected(self, known: Histories, ahead: FloatArray | float) -> FloatArray:
        return self._over_purchases(known, ahead, lambda n, _: 1.0)

    def _expected_pairs(self, known: Histories, ahead: float) -> FloatArray:
        return self._over_purchases(known, ahead, lambda n, _: n - 1)

    def _survives(self, known: Histories, ahead: FloatArray | float) -> FloatArray:
        leaves = lambda n, stayed: self.a / (self.a + stayed + n - 1)  # noqa: E731
        return 1 - self._over_purchases(known, ahead, leaves)

    def _at_least(self, n: FloatArray | int, known: Histories, ahead: FloatArray | float) -> FloatArray:
        # Stage n k - j ends in time, and the customer stays after each of the n - 1 purchases before.
        share = ahead / (self.alpha + known.t_observed + ahead)
        comes = [
            weight * betainc(n * self.k - j, shape, share)
            for j, (weight, shape) in enumerate(zip(*self._stages(known), strict=True))
        ]
        return stays_often(self.a, self._stayed(known), n - 1) * np.sum(comes, axis=0)

    def _tails(self, known: Histories, until: float) -> Tails:
        share = until / (self.alpha + known.t_observed + until)
        return Renewed(*self._stages(known), share, leaving=self.a, staying=self._stayed(known))

    def _over_purchases(
        self,
        known: Histories,
        ahead: FloatArray | float,
        worth: Callable[[FloatArray, FloatArray], FloatArray | float],
    ) -> FloatArray:
        """Sum over n = 1, 2, .. of P(at least n purchases) times the worth of the n-th, given alive."""
        total, ahead = np.zeros(len(known.n_repeat)), np.broadcast_to(ahead, known.n_repeat.shape)
        most = self._most(known, ahead)
        order = np.argsort(most)
        blocks = np.searchsorted(np.cumsum(most[order]), np.arange(BLOCK, most.sum(), BLOCK))
        for rows in np.split(order, np.unique(blocks)):
            if len(rows):
                part, n = known.take(rows), np.arange(1.0, most[rows].max() + 1)
                earned = self._staying(part, n) * worth(n, self._stayed(part)[:, None])
                total[rows] = self._mean(np.cumsum(earned, axis=1), part, ahead[rows])
        return total

    def _most(self, known: Histories, ahead: FloatArray) -> IntArray:
        """More purchases than a customer makes who never leaves, but for a chance of exp(-NEGLIGIBLE)."""
        shape, odds = self.r + self.k * (known.n_repeat + 1), ahead / (self.alpha + known.t_observed)
        stages = shape * odds + np.sqrt(2 * NEGLIGIBLE * shape * odds * (1 + odds)) + NEGLIGIBLE * (1 + odds)
        return np.ceil((stages + self.k) / self.k).astype(np.int64)

    def _staying(self, known: Histories, n: FloatArray) -> FloatArray:
        """P(staying until the n-th purchase), shape (rows, n), for n = 1, 2, .. in a row."""
        stayed, staying = self._stayed(known)[:, None] + n[:-1] - 1, np.ones((len(known.n_repeat), len(n)))
        np.cumprod(stayed / (self.a + stayed), axis=1, out=staying[:, 1:])
        return staying

    def _mean(self, earned: FloatArray, known: Histories, ahead: FloatArray) -> FloatArray:
        """Mean of what is earned by the n-th purchase, shape (rows, n), over the purchases ahead.

        The chances of 1, 2, .. stages are summed, each times what the purchases among them earn. With one
        stage more behind, the chance of m is (shape + m) / shape * (1 - share) times that with one less.
        """
        share = (ahead / (self.alpha + known.t_observed + ahead))[:, None]
        weights, shapes = self._stages(known)
        first, m = shapes[0][:, None], np.arange(1.0, self.k * earned.shape[1] + 1)
        with np.errstate(divide="ignore"):
            grows = np.log((first + m - 1) / m) + np.log(share)
        exactly = np.exp(first * np.log1p(-share) + np.cumsum(grows, axis=1))
        earned = np.concatenate([np.zeros_like(share), earned], axis=1)
        total = np.zeros(len(share))
        for j, weight in enumerate(weights):
            purchases = (m.astype(np.int64) + j) // self.k
            total += weight * np.einsum("ij,ij->i", exactly, earned[:, purchases])
            exactly *= (1 + m / (first + j)) * (1 - share)
        return total

    def _discounted(self, known: Histories, rate: float, until: float | None) -> FloatArray:
        if until is None:
            weights, shapes = self._stages(known)
            return for_life(
                weights, shapes, self.alpha + known.t_observed, rate=rate, a=self.a, b=self._stayed(known)
            )
        # By parts: what is bought early counts for longer.
        by_then = lambda later: rate * np.exp(-rate * later) * self._expected_at(known, later)  # noqa: E731
        gained = over_time(by_then, until=until, scale=self.alpha + known.t_observed, nodes=16)
        return np.exp(-rate * until) * self._expected(known, until) + gained

    def _expected_at(self, known: Histories, later: FloatArray) -> FloatArray:
        rows, moments = later.shape
        return self._expected(known.take(np.repeat(np.arange(rows), moments)), later.ravel()).reshape(
            later.shape
        )

    def _draw(self, histories: Histories, ahead: float, generator: np.random.Generator) -> IntArray:
        weights, shapes = self._stages(histories)
        stage = (generator.random(len(histories.n_repeat)) > np.cumsum(weights, axis=0)).sum(axis=0)
        stage = np.minimum(stage, self.k - 1)
        rate = generator.gamma(shapes[stage, np.arange(len(stage))]) / (self.alpha + histories.t_observed)
        leaving = np.maximum(generator.beta(self.a, self._stayed(histories)), 1e-12)
        purchases = (stage + generator.poisson(rate * ahead)) // self.k
        return np.minimum(purchases, generator.geometric(leaving))


def fit_mbg_cnbd(
    customers: pd.DataFrame, *, k: int | None = None, regularity: Regularity | None = None, unit: str = "7D"
) -> Fit[MbgCnbd]:
    """Fit MBG/CNBD-k by maximum likelihood.

    Parameters
    ----------
    customers : n_repeat, t_last, t_observed in days; histories must be complete from the first purchase.
    k : stages to a purchase; by default the number with the highest likelihood, for which `regularity` is
        needed.
    regularity : of the same customers. The likelihood of k needs the times between all purchases, of which
        n_repeat, t_last and t_observed say nothing: without them, and with k above 1, the log likelihood is
        unknown (NaN), while the parameters are the same.
    unit : the unit of time of the parameters; forecasts do not depend on it.

    Raises
    ------
    ConfigError
        Neither k nor regularity is given, k is no number of stages, or regularity is of other customers.
    DataError
        A history is impossible or a column is missing.
    FitError
        The data do not determine a parameter; the message says which one runs where, and what it means.

    Source: Reutterer, Platzer & Schroeder (2021), IJRM 38(1).
    """
    distinct, _ = distinct_histories(customers)
    histories = purchase_histories(distinct, unit=unit)
    if regularity is not None:
        _check_same(regularity, int(histories.n_customers @ histories.n_repeat))
    if k is not None:
        _check_stages(k)
        return _fit(histories, k, regularity, unit)
    if regularity is None:
        raise ConfigError(
            "fit_mbg_cnbd: say k, or give regularity=purchase_regularity(log), from which k can be estimated"
        )
    best = _fit(histories, 1, regularity, unit)
    for stages in range(2, MOST + 1):
        following = _fit(histories, stages, regularity, unit)
        if following.log_likelihood < best.log_likelihood:
            break
        best = following
    return best


def _fit(histories: Histories, k: int, regularity: Regularity | None, unit: str) -> Fit[MbgCnbd]:
    rate, n = k * purchase_rate(histories), histories.n_customers.sum()
    constant = _intervals(k, regularity, unit) / n if regularity else 0.0

    def rows(parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
        values, slopes = log_likelihood(parameters, histories, k=k)
        return values + constant, slopes

    build: Callable[..., MbgCnbd] = lambda **parameters: MbgCnbd(**parameters, k=k, unit=unit)  # noqa: E731
    fit = maximise(
        Estimation(
            name=MbgCnbd.name,
            parameters=MbgCnbd.parameter_names(),
            build=build,
            rows=rows,
            weights=histories.n_customers,
            starts=[(r, r / rate, a, b) for r, a, b in ((0.6, 0.8, 2.5), (1.5, 0.2, 2.0), (0.1, 2.0, 2.0))],
            limits=LIMITS,
            data=describe(histories),
        )
    )
    return fit if regularity or k == 1 else replace(fit, log_likelihood=np.nan)


def _intervals(k: int, regularity: Regularity, unit: str) -> float:
    """Log likelihood of the times between purchases, as far as the parameters have no say."""
    n = regularity.n_intervals
    return (k - 1) * (regularity.log_days - n * np.log(unit_days(unit))) - n * float(gammaln(k))


def _check_stages(k: Any) -> None:
    if not isinstance(k, int | np.integer) or k < 1:
        raise ConfigError(f"MBG/CNBD-k: k {k!r}; expected a whole number of stages to a purchase, 1 or more")


def _check_same(regularity: Regularity, n_repeat: int) -> None:
    if regularity.n_intervals != n_repeat:
        raise ConfigError(
            f"fit_mbg_cnbd: regularity has {regularity.n_intervals:,} times between purchases, the customers "
            f"have {n_repeat:,}; both must be of the same customers and the same last day"
        )
