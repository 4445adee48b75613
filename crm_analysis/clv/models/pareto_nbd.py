"""Pareto/NBD: customers buy at their own rate and leave at a moment of their own, unseen.

Schmittlein, Morrison & Colombo (1987), Management Science 33(1); likelihood as in Fader & Hardie (2005),
"A note on deriving the Pareto/NBD model". n_repeat, t_last and t_observed are the papers' x, t_x and T.
The papers write the chance of having left as a difference of two hypergeometric functions, which cancels
for some customers. Here it is the integral that they stand for, over the moment of leaving: always
positive, and its gradient is an integral over the same nodes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy.special import digamma, exprel, gammaln, xlogy

from crm_analysis.clv.fitting.fit import Estimation, Fit, Limit
from crm_analysis.clv.fitting.quadrature import legendre, over_time
from crm_analysis.clv.fitting.starts import describe, fit_histories, purchase_rate
from crm_analysis.clv.fitting.tables import Table
from crm_analysis.clv.histories import (
    BoolArray,
    FloatArray,
    Histories,
    IntArray,
    distinct_histories,
    purchase_histories,
)
from crm_analysis.clv.models.poisson import PoissonModel
from crm_analysis.clv.models.purchases import NEGLIGIBLE

# Logarithms by which the integrand may fall, and the nodes that give ten digits then.
NODES = {2.0: 6, 8.0: 10, math.inf: 20}
NUMBERS = 40_000  # moments of leaving at a time: they stay within the processor's cache

LIMITS = (
    Limit(frozenset(["s", "beta"]), "infinity", "all customers have the same expected lifetime beta / s"),
    Limit(frozenset(["r", "alpha"]), "infinity", "all customers buy at the same rate r / alpha"),
    Limit(frozenset("s"), "0", "no customer is seen to leave, and a model without leaving fits as well"),
    Limit(
        frozenset(["beta"]),
        "infinity",
        "no customer is seen to leave, and a model without leaving fits as well",
    ),
    Limit(frozenset(["beta"]), "0", "customers leave at once or never"),
    Limit(frozenset("r"), "0", "hardly anybody comes back, so the rate of buying is not determined"),
)


@dataclass(frozen=True, kw_only=True)
class ParetoNbd(PoissonModel):
    """Four numbers that describe a customer base.

    While active, a customer buys at rate lambda ~ Gamma(r, rate=alpha) per unit of time; the lifetime is
    exponential with rate mu ~ Gamma(s, rate=beta).
    """

    name: ClassVar[str] = "Pareto/NBD"
    r: float
    alpha: float
    s: float
    beta: float
    unit: str = "7D"

    def _log_odds_gone(self, histories: Histories) -> FloatArray:
        each = np.broadcast_arrays(self.r, self.alpha, self.s, self.beta)
        parameters, chances = np.array(each), np.empty(len(histories.n_repeat))
        for rows, here, part, nodes in _in_parts(parameters, histories):
            chances[rows] = _leaving(here, part, nodes).log_chance
        return chances - _log_alive(parameters, histories)

    def _expected(self, known: Histories, ahead: FloatArray | float) -> FloatArray:
        # beta' / (s - 1) * (1 - (beta' / (beta' + ahead)) ** (s - 1)), written so that s may be 1.
        alpha, beta = self.alpha + known.t_observed, self.beta + known.t_observed
        ages = np.log1p(ahead / beta)
        return (self.r + known.n_repeat) / alpha * beta * ages * exprel((1 - self.s) * ages)

    def _rate(self, known: Histories, ahead: FloatArray) -> FloatArray:
        rate = (self.r + known.n_repeat) / (self.alpha + known.t_observed)
        return rate[:, None] * self._lasts((self.beta + known.t_observed)[:, None], ahead)

    def _survives(self, known: Histories, ahead: FloatArray | float) -> FloatArray:
        return self._lasts(self.beta + known.t_observed, ahead)

    def _lasts(self, beta: FloatArray, ahead: FloatArray | float) -> FloatArray:
        return np.exp(-self.s * np.log1p(ahead / beta))

    def _at_least(self, n: FloatArray | int, known: Histories, ahead: FloatArray | float) -> FloatArray:
        # The n-th purchase would come at y, and the customer is still there at y. Its density, in log(y),
        # falls like a power n before the mode and r' after it: integrated where it is not negligible.
        n, r, alpha = np.asarray(n, dtype=float), self.r + known.n_repeat, self.alpha + known.t_observed
        before, after = NEGLIGIBLE / n, NEGLIGIBLE / r
        mode = np.maximum(np.minimum(ahead, alpha * n / r), np.finfo(float).tiny)
        since = mode * np.exp(-before - np.minimum(1, np.sqrt(2 * before))) / (1 + np.sqrt(after)) ** 2
        spread = np.exp(np.minimum(after + np.minimum(1, np.sqrt(2 * after)), 500))
        until = np.minimum(ahead, alpha * n / r * spread * (1 + np.sqrt(before)) ** 2)
        constant = gammaln(r + n) - gammaln(r) - gammaln(n) - np.log(alpha)

        def density(y: FloatArray) -> FloatArray:
            share = y / (alpha[:, None] + y)
            comes = xlogy((n - 1)[..., None], share) + (r + 1)[:, None] * np.log1p(-share)
            return np.exp(constant[:, None] + comes) * self._lasts((self.beta + known.t_observed)[:, None], y)

        scale = np.minimum(mode, alpha)
        return over_time(density, since=np.minimum(since, until), until=until, scale=scale, nodes=48)

    def _draw(self, histories: Histories, ahead: float, generator: np.random.Generator) -> IntArray:
        rate = generator.gamma(self.r + histories.n_repeat) / (self.alpha + histories.t_observed)
        leaving = generator.gamma(self.s, size=len(rate)) / (self.beta + histories.t_observed)
        with np.errstate(divide="ignore", over="ignore"):
            life = generator.exponential(size=len(rate)) / leaving
        return generator.poisson(rate * np.minimum(life, ahead))

    def _time_scale(self, known: Histories) -> FloatArray:
        return self.beta + known.t_observed


def fit_pareto_nbd(customers: pd.DataFrame, *, unit: str = "7D") -> Fit[ParetoNbd]:
    """Fit Pareto/NBD by maximum likelihood.

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

    Source: Fader & Hardie (2005), "A note on deriving the Pareto/NBD model", section 4.
    """
    distinct, _ = distinct_histories(customers)
    return fit_histories(
        lambda histories: _estimation(histories, unit), purchase_histories(distinct, unit=unit)
    )


def _estimation(histories: Histories, unit: str) -> Estimation[ParetoNbd]:
    rate, life = purchase_rate(histories), float(histories.t_observed.max())
    counts = Table.of(histories.n_repeat, step=1.0)
    return Estimation(
        name=ParetoNbd.name,
        parameters=ParetoNbd.parameter_names(),
        build=lambda **parameters: ParetoNbd(**parameters, unit=unit),
        rows=lambda parameters: log_likelihood(parameters, histories, counts=counts),
        weights=histories.n_customers,
        starts=[
            (r, r / rate, s, beta * life)
            for r, s, beta in ((0.6, 0.6, 0.4), (1.0, 0.3, 0.3), (0.3, 3.0, 3.0))
        ],
        limits=LIMITS,
        data=describe(histories),
    )


def log_likelihood(
    parameters: FloatArray, histories: Histories, *, counts: Table | None = None
) -> tuple[FloatArray, FloatArray]:
    """Log likelihood of each history at (r, alpha, s, beta), and its slopes, shape (4, rows).

    Each parameter may be one number or one per history; `counts` is a table of n_repeat, for the former.
    """
    of_count, r, n = counts or Table(histories.n_repeat), parameters[0], len(histories.n_repeat)
    values, slopes = np.empty(n), np.empty((4, n))
    for rows, here, part, nodes in _in_parts(parameters, histories):
        values[rows], slopes[:, rows] = _over_time(here, part, nodes)
    values += of_count(lambda x: gammaln(r + x) - gammaln(r))
    slopes[0] += of_count(lambda x: digamma(r + x) - digamma(r))
    return values, slopes


def _over_time(parameters: FloatArray, histories: Histories, nodes: int) -> tuple[FloatArray, FloatArray]:
    """Log likelihood but for the gamma functions of n_repeat: alive until the end, or left before."""
    r, alpha, s, beta = parameters
    k, at_alpha, at_beta = r + histories.n_repeat, alpha + histories.t_observed, beta + histories.t_observed
    log_alpha, log_beta = np.log(at_alpha), np.log(at_beta)
    here = -k * log_alpha - s * log_beta
    leaving = _leaving(parameters, histories, nodes)
    either = np.logaddexp(here, leaving.log_chance)
    left = np.exp(leaving.log_chance - either)
    stayed = 1 - left
    slopes = [
        np.log(alpha) - stayed * log_alpha - left * leaving.mean(leaving.log_alpha),
        r / alpha - k * (stayed / at_alpha + left * leaving.mean(1 / leaving.alpha)),
        np.log(beta) - stayed * log_beta + left * (1 / s - leaving.mean(leaving.log_beta)),
        s / beta - stayed * s / at_beta - left * (s + 1) * leaving.mean(1 / leaving.beta),
    ]
    return r * np.log(alpha) + s * np.log(beta) + either, np.stack(slopes)


def _log_alive(parameters: FloatArray, histories: Histories) -> FloatArray:
    r, alpha, s, beta = parameters
    end = histories.t_observed
    return -(r + histories.n_repeat) * np.log(alpha + end) - s * np.log(beta + end)


@dataclass(frozen=True)
class _Leaving:
    """Having left between the last purchase and the end.

    log_chance : its log likelihood, shape (rows,).
    alpha, beta : alpha + y and beta + y at the moments y of leaving, shape (rows, nodes), with logarithms.
    weight : how likely each moment is, given that the customer left; rows sum to 1.
    """

    log_chance: FloatArray
    alpha: FloatArray
    beta: FloatArray
    log_alpha: FloatArray
    log_beta: FloatArray
    weight: FloatArray

    def mean(self, values: FloatArray) -> FloatArray:
        return np.einsum("ij,ij->i", self.weight, values)


def _leaving(parameters: FloatArray, histories: Histories, nodes: int) -> _Leaving:
    """Integrate s (alpha + y)^-(r + x) (beta + y)^-(s + 1) over y from t_last to t_observed.

    On the scale u = log(y + min(alpha, beta)), up to where the integrand has died away.
    """
    r, alpha, s, beta = parameters
    points, weights = legendre(nodes)
    k, since = r + histories.n_repeat, histories.t_last
    nearer, closer = np.minimum(alpha, beta), np.reshape(alpha <= beta, (-1, 1))
    until = _until(parameters, histories)
    low = np.log(nearer + since)
    width = np.log1p((until - since) / (nearer + since))
    log_near = low[:, None] + width[:, None] * points
    near = np.exp(log_near)
    far = near + np.reshape(np.abs(alpha - beta), (-1, 1))
    log_far = np.log(far)
    log_alpha, log_beta = _either(closer, log_near, log_far), _either(~closer, log_near, log_far)
    log_density = log_near - k[:, None] * log_alpha - np.reshape(s + 1, (-1, 1)) * log_beta
    top = log_density[:, :1]
    density = np.exp(log_density - top) * weights
    total = density.sum(axis=1)
    with np.errstate(divide="ignore"):
        log_chance = np.log(s) + top[:, 0] + np.log(total * width)
    at_alpha, at_beta = _either(closer, near, far), _either(~closer, near, far)
    return _Leaving(log_chance, at_alpha, at_beta, log_alpha, log_beta, density / total[:, None])


def _either(first: BoolArray, one: FloatArray, other: FloatArray) -> FloatArray:
    """`one` in the rows that say so, else `other`; no copy where all rows say the same."""
    if first.all() or not first.any():
        return one if first.all() else other
    return np.where(first, one, other)


def _until(parameters: FloatArray, histories: Histories) -> FloatArray:
    r, alpha, s, beta = parameters
    k, since, until = r + histories.n_repeat, histories.t_last, histories.t_observed
    for scale, power in ((np.maximum(alpha, beta), k + s + 1), (alpha, k), (beta, s + 1 + 0 * k)):
        died_away = (scale + since) * np.exp(np.minimum(NEGLIGIBLE / power, 500)) - scale
        until = np.minimum(until, died_away)
    return np.maximum(until, since)


def _in_parts(
    parameters: FloatArray, histories: Histories
) -> Iterator[tuple[IntArray, FloatArray, Histories, int]]:
    """Which histories, their parameters (one column for all, or one each), themselves, and nodes enough."""
    r, alpha, s, beta = parameters
    nearer = np.minimum(alpha, beta) + histories.t_last
    falls = (r + histories.n_repeat + s + 1) * np.log1p((histories.t_observed - histories.t_last) / nearer)
    kinds = np.searchsorted(list(NODES), falls)
    for kind, nodes in enumerate(NODES.values()):
        rows = np.flatnonzero(kinds == kind)
        size = NUMBERS // nodes
        for since in range(0, len(rows), size):
            part = rows[since : since + size]
            yield (
                part,
                parameters[:, part] if parameters.ndim == 2 else parameters,
                histories.take(part),
                nodes,
            )
