"""Maximum likelihood, once for every model: starts, optimality, covariance, intervals, delta method.

A model supplies the log likelihood of its rows with their slopes, and starts taken from the data. Nothing is
penalised: where the data do not determine a parameter the fit fails and says which, and what it means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic

import numpy as np
import pandas as pd

from crm_analysis.clv.fitting import intervals
from crm_analysis.clv.fitting.bootstrap import Bootstrap, bootstrap
from crm_analysis.clv.fitting.climb import Optimum, climb
from crm_analysis.clv.fitting.estimation import Estimation, Limit, M
from crm_analysis.clv.histories import FloatArray
from crm_analysis.errors import ConfigError, FitError

__all__ = ["Estimation", "Fit", "Limit", "maximise"]

LOWER = 0.01  # log likelihood by which a summit may lie below what a start without a summit reached


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

    def confidence_intervals(
        self,
        *,
        kind: str = "log-wald",
        level: float = 0.95,
        generator: np.random.Generator | None = None,
        refits: int = 200,
    ) -> pd.DataFrame:
        """Return the columns estimate, low, high per parameter.

        Parameters
        ----------
        kind : "log-wald" (symmetric in the logarithm, never below 0; a coefficient's own scale), "profile"
            (where the best log likelihood with that parameter held falls by half the chi-square quantile; 0
            or infinity where it never does) or "bootstrap" (quantiles over refits to resampled customers).
        generator, refits : for "bootstrap" only.
        """
        if kind == "bootstrap":
            if generator is None:
                raise ConfigError(
                    "confidence_intervals: kind 'bootstrap' needs a generator, such as "
                    "numpy.random.default_rng(1)"
                )
            return self.bootstrap(generator=generator, refits=refits).confidence_intervals(level=level)
        limits = intervals.limits(self, kind, level)
        return pd.DataFrame(
            {"estimate": self._natural, "low": limits[:, 0], "high": limits[:, 1]}, self.covariance.index
        )

    def bootstrap(self, *, generator: np.random.Generator, refits: int = 200) -> Bootstrap[M]:
        """Refit to resampled customers: intervals of parameters, and of anything computed from the model."""
        return bootstrap(self.model, self._estimation, self._position, generator=generator, refits=refits)

    def standard_error(self, function: Callable[[M], Any]) -> Any:
        """Give the standard error of anything computed from the model, by the delta method.

        Parameters
        ----------
        function : takes a model and returns a number, an array or a Series; the answer has its shape.
            It describes where the number computed lies if the model is right, not what one customer does.
        """
        step = 1e-4
        slopes = [
            (np.asarray(function(self._moved(offset))) - np.asarray(function(self._moved(-offset))))
            / (2 * step)
            for offset in step * np.eye(len(self.covariance))
        ]
        slope = np.stack(slopes)
        error = np.sqrt(np.einsum("i...,ij,j...->...", slope, self._position_covariance, slope))
        like = function(self.model)
        return pd.Series(error, like.index, name=like.name) if isinstance(like, pd.Series) else error[()]

    def draw_model(self, generator: np.random.Generator) -> M:
        """Draw one model that the data do not rule out: log parameters normal around the estimates."""
        spread = np.linalg.cholesky(self._position_covariance)
        return self._moved(spread @ generator.standard_normal(len(spread)))

    @property
    def _natural(self) -> FloatArray:
        return np.array(list(self.model.parameters.values()))

    @property
    def _position(self) -> FloatArray:
        return self._estimation.position(self._natural)

    @property
    def _position_covariance(self) -> FloatArray:
        stretch = self._estimation.stretch(self._position)
        return self.covariance.to_numpy() / np.outer(stretch, stretch)

    def _moved(self, offset: FloatArray) -> M:
        return self._estimation.model(self._position + offset)


def maximise(estimation: Estimation[M]) -> Fit[M]:
    """Fit a model by maximum likelihood.

    Raises
    ------
    FitError
        No start reached a summit: the message names the parameters that run to a boundary and what
        that means.
    """
    reached: list[Optimum] = []
    for start in estimation.starts:
        reached.append(climb(estimation, estimation.position(np.asarray(start, dtype=float))))
        if reached[-1].determined:
            break
    best, highest = reached[-1], max(reached, key=lambda optimum: optimum.value)
    if not best.determined or best.value < highest.value - LOWER:
        raise FitError(_explain(estimation, highest, len(reached)))
    stretch, names = estimation.stretch(best.position), list(estimation.parameters)
    return Fit(
        model=estimation.model(best.position),
        log_likelihood=best.value,
        n_customers=estimation.n_customers,
        covariance=pd.DataFrame(np.linalg.inv(best.information) * np.outer(stretch, stretch), names, names),
        starts=pd.DataFrame(
            [[optimum.value, *estimation.natural(optimum.position)] for optimum in reached],
            columns=["log_likelihood", *names],
        ),
        _estimation=estimation,
    )


def _explain(estimation: Estimation[Any], stopped: Optimum, n_starts: int) -> str:
    values = dict(zip(estimation.parameters, estimation.natural(stopped.position), strict=True))
    shown = ", ".join(f"{name} {value:.3g}" for name, value in values.items())
    return (
        f"{estimation.name}: no optimum inside the parameter space after {n_starts} starts, on "
        f"{estimation.data}. {_running(estimation, stopped)} It stopped at {shown}. "
        "Another model may be determined, or this one by more customers."
    )


def _running(estimation: Estimation[Any], stopped: Optimum) -> str:
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
