"""Maximum likelihood, once for every model: starts, optimality, covariance, intervals, delta method.

A model supplies its log likelihood with the gradient, and starts taken from the data. The climb runs in
log parameters, where positive numbers are unbounded and intervals cannot cross zero. Nothing is
penalised: where the data do not determine a parameter the fit fails and says which, and what it means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar

import numpy as np
import pandas as pd
from scipy.optimize import brentq, minimize
from scipy.special import chdtri, ndtri

from crm_analysis.clv.histories import FloatArray
from crm_analysis.clv.parameters import ParameterSet
from crm_analysis.errors import ConfigError, FitError

M = TypeVar("M", bound=ParameterSet)
Rows = Callable[[FloatArray], tuple[FloatArray, FloatArray]]

SEARCHED = 14.0  # each log parameter is searched this far around its start: a factor of a million
UNDETERMINED = 5.0  # a standard error of a log parameter beyond this spans a factor of 20,000
LOWER = 0.01  # log likelihood by which a summit may lie below what a start without a summit reached
ENOUGH = 1e-6  # an optimum is accepted when one more Newton step would gain less log likelihood


@dataclass(frozen=True)
class Limit:
    """Where parameters may run to, and what it means for the customers when they do."""

    parameters: frozenset[str]
    to: Literal["0", "infinity"]
    meaning: str


@dataclass(frozen=True)
class Estimation(Generic[M]):
    """What a model supplies to be fitted.

    build : a model from its parameters by name.
    rows : of the natural parameters in order, the log likelihood of one customer in each row, shape (rows,),
        and its slopes, shape (parameters, rows).
    weights : customers who share each row; a resample of customers is other weights.
    starts : natural parameters; the later ones are tried only when the first does not reach an optimum.
    data : the customers in words, for the message of a fit that fails.
    """

    name: str
    parameters: tuple[str, ...]
    build: Callable[..., M]
    rows: Rows
    weights: FloatArray
    starts: Sequence[Sequence[float]]
    limits: Sequence[Limit]
    data: str

    @property
    def n_customers(self) -> int:
        """Customers over all rows."""
        return int(self.weights.sum())

    def log_likelihood(self, natural: FloatArray) -> tuple[float, FloatArray]:
        """Log likelihood of all customers, and its gradient.

        Not matrix products: BLAS would start threads for a millisecond of work, and its sums depend on how
        many.
        """
        values, slopes = self.rows(natural)
        return float((self.weights * values).sum()), (self.weights * slopes).sum(axis=1)

    def objective(self, position: FloatArray) -> tuple[float, FloatArray]:
        """Log likelihood and gradient at log parameters."""
        natural = np.exp(position)
        value, gradient = self.log_likelihood(natural)
        return value, gradient * natural


@dataclass(frozen=True)
class _Optimum:
    position: FloatArray
    start: FloatArray
    value: float
    gradient: FloatArray
    information: FloatArray

    @property
    def gain(self) -> float:
        """Log likelihood that one more Newton step would add; infinite where the surface is not a hill."""
        if not np.isfinite(self.information).all() or np.linalg.eigvalsh(self.information)[0] <= 0:
            return np.inf
        return float(self.gradient @ np.linalg.solve(self.information, self.gradient)) / 2

    @property
    def determined(self) -> bool:
        """Whether this is a summit, inside the region searched and narrower than `UNDETERMINED`."""
        if not self.gain < ENOUGH or np.abs(self.position - self.start).max() > SEARCHED - 1e-6:
            return False
        return bool(np.sqrt(np.diag(np.linalg.inv(self.information))).max() < UNDETERMINED)


@dataclass(frozen=True)
class Fit(Generic[M]):
    """A fitted model and what is needed to doubt it.

    model : the parameters, ready to score any customers.
    log_likelihood : on the natural time scale, so that models fitted to the same customers compare.
    covariance : of the parameters on their natural scale; index and columns are their names.
    starts : one row per start tried, with the log likelihood and the parameters it reached.
    """

    model: M
    log_likelihood: float
    n_customers: int
    covariance: pd.DataFrame
    starts: pd.DataFrame
    _estimation: Estimation[M] = field(repr=False, compare=False)

    @property
    def aic(self) -> float:
        """Akaike's criterion: 2 per parameter less twice the log likelihood."""
        return 2 * len(self.covariance) - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's criterion: log(n_customers) per parameter less twice the log likelihood."""
        return float(np.log(self.n_customers) * len(self.covariance) - 2 * self.log_likelihood)

    @property
    def standard_errors(self) -> pd.Series:
        """Standard errors of the parameters, on their natural scale."""
        variances = np.diag(self.covariance)
        return pd.Series(np.sqrt(variances), self.covariance.index, name="standard_error")

    def confidence_intervals(self, *, kind: str = "log-wald", level: float = 0.95) -> pd.DataFrame:
        """Return the columns estimate, low, high per parameter.

        Parameters
        ----------
        kind : "log-wald" (symmetric in the logarithm, never below 0) or "profile" (where the best log
            likelihood with that parameter held falls by half the chi-square quantile; 0 or infinity where
            it never does).
        """
        intervals = {"log-wald": _log_wald, "profile": _profile}
        if kind not in intervals:
            raise ConfigError(f"confidence_intervals: kind {kind!r}; known are {sorted(intervals)}")
        limits = intervals[kind](self, level)
        return pd.DataFrame(
            {"estimate": self._natural, "low": limits[:, 0], "high": limits[:, 1]}, self.covariance.index
        )

    def standard_error(self, function: Callable[[M], Any]) -> Any:
        """Give the standard error of anything computed from the model, by the delta method.

        Parameters
        ----------
        function : takes a model and returns a number, an array or a Series; the answer has its shape.
            It describes where the number computed lies if the model is right, not what one customer does.
        """
        step = 1e-4
        slopes = [
            (np.asarray(function(self._moved(i, step))) - np.asarray(function(self._moved(i, -step))))
            / (2 * step)
            for i in range(len(self.covariance))
        ]
        slope = np.stack(slopes)
        error = np.sqrt(np.einsum("i...,ij,j...->...", slope, self._log_covariance, slope))
        like = function(self.model)
        return pd.Series(error, like.index, name=like.name) if isinstance(like, pd.Series) else error[()]

    def draw_model(self, generator: np.random.Generator) -> M:
        """Draw one model that the data do not rule out: log parameters normal around the estimates."""
        spread = np.linalg.cholesky(self._log_covariance)
        moved = np.log(self._natural) + spread @ generator.standard_normal(len(spread))
        return replace(self.model, **dict(zip(self.covariance.index, np.exp(moved), strict=True)))  # type: ignore[type-var]

    @property
    def _natural(self) -> FloatArray:
        return np.array(list(self.model.parameters.values()))

    @property
    def _log_covariance(self) -> FloatArray:
        return self.covariance.to_numpy() / np.outer(self._natural, self._natural)

    def _moved(self, i: int, step: float) -> M:
        name = self.covariance.index[i]
        return replace(self.model, **{name: self._natural[i] * np.exp(step)})  # type: ignore[type-var]


def maximise(estimation: Estimation[M]) -> Fit[M]:
    """Fit a model by maximum likelihood.

    Raises
    ------
    FitError
        No start reached a summit: the message names the parameters that run to a boundary and what
        that means.
    """
    reached: list[_Optimum] = []
    for start in estimation.starts:
        reached.append(_climb(estimation, np.log(np.asarray(start, dtype=float))))
        if reached[-1].determined:
            break
    best, highest = reached[-1], max(reached, key=lambda optimum: optimum.value)
    if not best.determined or best.value < highest.value - LOWER:
        raise FitError(_explain(estimation, highest, len(reached)))
    natural = np.exp(best.position)
    names = list(estimation.parameters)
    return Fit(
        model=estimation.build(**dict(zip(names, natural.tolist(), strict=True))),
        log_likelihood=best.value,
        n_customers=estimation.n_customers,
        covariance=pd.DataFrame(np.linalg.inv(best.information) * np.outer(natural, natural), names, names),
        starts=pd.DataFrame(
            [[optimum.value, *np.exp(optimum.position)] for optimum in reached],
            columns=["log_likelihood", *names],
        ),
        _estimation=estimation,
    )


def _climb(estimation: Estimation[Any], start: FloatArray) -> _Optimum:
    """BFGS to the neighbourhood, then Newton's method to the summit."""
    position = _ascend(estimation, start, np.eye(len(start)))
    value, gradient = estimation.objective(position)
    information = _information(estimation, position)
    for _ in range(4):
        here = _Optimum(position, start, value, gradient, information)
        if not 1e-12 < here.gain < np.inf:
            break
        step = np.linalg.solve(information, gradient)
        step /= max(1.0, float(np.abs(step).max()))
        next_value, next_gradient = estimation.objective(position + step)
        if not next_value > value - ENOUGH:
            break
        position, value, gradient = position + step, next_value, next_gradient
        if np.abs(step).max() > 1e-4:
            information = _information(estimation, position)
    return _Optimum(position, start, value, gradient, information)


def _ascend(estimation: Estimation[Any], start: FloatArray, directions: FloatArray) -> FloatArray:
    """Go from `start` along any combination of `directions` (columns) to the top, by BFGS.

    Not L-BFGS-B: its four-by-four algebra goes through BLAS threads and takes ten times the likelihood.
    """
    n = estimation.n_customers

    def downhill(moved: FloatArray) -> tuple[float, FloatArray]:
        position = start + directions @ moved
        if np.abs(position - start).max() > SEARCHED:
            return np.inf, np.zeros(len(moved))
        value, gradient = estimation.objective(position)
        return -value / n, -(directions.T @ gradient) / n

    with np.errstate(invalid="ignore", over="ignore"):
        at_start = np.zeros(directions.shape[1])
        found = minimize(downhill, at_start, jac=True, method="BFGS", options={"gtol": 1e-7, "maxiter": 200})
    return start + directions @ found.x


def _information(estimation: Estimation[Any], position: FloatArray, step: float = 1e-4) -> FloatArray:
    """Observed information in log parameters: minus the central difference of the analytic gradient."""
    rows = [
        (estimation.objective(position - offset)[1] - estimation.objective(position + offset)[1]) / (2 * step)
        for offset in step * np.eye(len(position))
    ]
    information = np.stack(rows)
    return (information + information.T) / 2


def _explain(estimation: Estimation[Any], stopped: _Optimum, n_starts: int) -> str:
    values = dict(zip(estimation.parameters, np.exp(stopped.position), strict=True))
    shown = ", ".join(f"{name} {value:.3g}" for name, value in values.items())
    return (
        f"{estimation.name}: no optimum inside the parameter space after {n_starts} starts, on "
        f"{estimation.data}. {_running(estimation, stopped)} It stopped at {shown}. "
        "Another model may be determined, or this one by more customers."
    )


def _running(estimation: Estimation[Any], stopped: _Optimum) -> str:
    """Name the parameters along the flattest direction that went far, and where they went."""
    flattest = np.abs(np.linalg.eigh(np.nan_to_num(stopped.information))[1][:, 0])
    went = np.where(flattest > 0.25 * flattest.max(), stopped.position - stopped.start, 0.0)
    far = np.abs(went) > 0.5 * np.abs(went).max()
    direction = {
        name: "infinity" if way > 0 else "0"
        for name, way, moved in zip(estimation.parameters, went, far, strict=True)
        if moved
    }
    for limit in estimation.limits:
        if all(direction.get(name) == limit.to for name in limit.parameters):
            names = " and ".join(sorted(limit.parameters, key=estimation.parameters.index))
            verb = "run" if len(limit.parameters) > 1 else "runs"
            return f"{names} {verb} to {limit.to}: {limit.meaning}."
    runs = " and ".join(f"{name} to {to}" for name, to in direction.items())
    return f"The likelihood is flat as {runs}: the data do not determine them."


def _log_wald(fit: Fit[Any], level: float) -> FloatArray:
    width = ndtri((1 + level) / 2) * np.sqrt(np.diag(fit._log_covariance))
    return fit._natural[:, None] * np.exp(np.outer(width, [-1, 1]))


def _profile(fit: Fit[Any], level: float) -> FloatArray:
    fall = chdtri(1, 1 - level) / 2
    return np.array(
        [[_profile_limit(fit, i, side, fall) for side in (-1, 1)] for i in range(len(fit.covariance))]
    )


def _profile_limit(fit: Fit[Any], held: int, side: int, fall: float) -> float:
    """Find the value of parameter `held` at which the best log likelihood has fallen by `fall`."""
    centre, covariance = np.log(fit._natural), fit._log_covariance
    along = covariance[:, held] / np.sqrt(covariance[held, held])  # where all go per standard error of one
    others = np.arange(len(centre)) != held
    directions = np.zeros((len(centre), others.sum()))
    within = np.linalg.inv(np.linalg.inv(covariance)[np.ix_(others, others)])
    directions[others] = np.linalg.cholesky(within) * np.sqrt(fit.n_customers)

    def fallen(distance: float) -> float:
        best = _ascend(fit._estimation, centre + side * along * distance, directions)
        return fit.log_likelihood - fit._estimation.objective(best)[0] - fall

    far = 2.0
    while fallen(far) < 0:
        far *= 1.5
        if far * along[held] > SEARCHED:
            return np.inf if side > 0 else 0.0
    distance = brentq(fallen, 0.0, far, xtol=1e-4)
    return float(np.exp(centre[held] + side * along[held] * distance))
