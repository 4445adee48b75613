"""Refits to resampled customers: what the estimates would have been with other customers of the same kind.

Resampling customers is drawing other weights for the distinct rows. Each refit starts from the estimate with
the scores and curvatures that every row has there, so that the first Newton step costs no likelihood; a few
more with the same curvature end it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Generic

import numpy as np
import pandas as pd

from crm_analysis.clv.fitting.climb import climb
from crm_analysis.clv.fitting.estimation import Estimation, M
from crm_analysis.clv.fitting.intervals import check_level
from crm_analysis.clv.histories import FloatArray
from crm_analysis.errors import ConfigError, FitError

CLOSE = 5e-5  # a refit ends with a step that gains less, the last one taken: 0.01 standard errors
FAILED = 0.01  # share of resamples without an optimum beyond which quantiles would leave out the tails


@dataclass(frozen=True)
class Bootstrap(Generic[M]):
    """A model refitted to resampled customers.

    model : the estimate; parameters : one row per refit.
    n_failed : resamples that determine no optimum, left out.
    """

    model: M
    parameters: pd.DataFrame
    n_failed: int
    _build: Callable[..., M] = field(repr=False, compare=False)

    def confidence_intervals(self, *, level: float = 0.95) -> pd.DataFrame:
        """Return the columns estimate, low, high per parameter: quantiles over the refits."""
        return self._table(pd.Series(self.model.parameters), self.parameters.to_numpy(), level)

    def interval(self, function: Callable[[M], Any], *, level: float = 0.95) -> pd.DataFrame:
        """Quantiles over the refits of anything computed from the model.

        Parameters
        ----------
        function : takes a model and returns a number, an array or a Series.

        Returns
        -------
        DataFrame, columns estimate, low, high; one row per value, with the index of a Series.
        """
        estimate = function(self.model)
        index = estimate.index if isinstance(estimate, pd.Series) else None
        refitted = [np.ravel(np.asarray(function(model))) for model in self.models]
        return self._table(pd.Series(np.ravel(np.asarray(estimate)), index), np.array(refitted), level)

    @property
    def models(self) -> list[M]:
        """The model of each refit."""
        names = [str(name) for name in self.parameters]
        return [self._build(**dict(zip(names, row, strict=True))) for row in self.parameters.to_numpy()]

    def _table(self, estimate: pd.Series, refitted: FloatArray, level: float) -> pd.DataFrame:
        check_level(level)
        low, high = np.quantile(refitted, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return pd.DataFrame({"estimate": estimate, "low": low, "high": high})


def bootstrap(
    model: M,
    estimation: Estimation[M],
    position: FloatArray,
    *,
    generator: np.random.Generator,
    refits: int,
) -> Bootstrap[M]:
    """Refit a model to `refits` resamples of its customers, each of as many.

    Parameters
    ----------
    position : of the estimate, where every refit starts.

    Raises
    ------
    ConfigError
        Fewer than 2 refits.
    FitError
        More than one resample in a hundred determines no optimum.
    """
    if refits < 2:
        raise ConfigError(f"bootstrap: refits {refits}; expected at least 2, and 200 or more for limits")
    n, scores, curvatures = estimation.n_customers, *_curvatures(estimation, position)
    shares = estimation.weights / estimation.weights.sum()
    found: list[FloatArray] = []
    for drawn in range(1, refits + 1):
        resampled = replace(estimation, weights=generator.multinomial(n, shares).astype(float))
        gradient = (resampled.weights * scores).sum(axis=1)
        information = (resampled.weights * curvatures).sum(axis=-1)
        there = _refit(resampled, position, gradient, information)
        if there is not None:
            found.append(estimation.natural(there))
        elif drawn - len(found) > FAILED * refits:
            raise FitError(
                f"{estimation.name}: {drawn - len(found)} of the first {drawn} resamples of "
                f"{estimation.data} determine no optimum, and quantiles over the others would leave out the "
                "tails; kind 'profile' shows how far the parameters may go"
            )
    table = pd.DataFrame(found, columns=list(estimation.parameters))
    return Bootstrap(model, table, refits - len(found), estimation.build)


def _curvatures(estimation: Estimation[Any], position: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Scores (parameters, rows) and minus their slopes (parameters, parameters, rows) at a position."""
    step = 1e-4
    scores = estimation.scores(position)[1]
    slopes = [
        (estimation.scores(position - offset)[1] - estimation.scores(position + offset)[1]) / (2 * step)
        for offset in step * np.eye(len(position))
    ]
    curvatures = np.stack(slopes)
    return scores, (curvatures + curvatures.swapaxes(0, 1)) / 2


def _refit(
    estimation: Estimation[Any], start: FloatArray, gradient: FloatArray, information: FloatArray
) -> FloatArray | None:
    """Newton's method, the information corrected by what each step showed; else a climb of its own."""
    position = start
    for _ in range(8):
        step = np.linalg.lstsq(information, gradient, rcond=None)[0]
        if not 0 <= gradient @ step / 2 < np.inf or np.abs(step).max() > 1:
            break
        position = position + step
        if gradient @ step / 2 < CLOSE:
            return position
        before, gradient = gradient, estimation.objective(position)[1]
        shown = before - gradient
        if not shown @ step > 0:
            break
        # As in BFGS: along the step the information is the one seen, across it the one that was.
        expected = information @ step
        information = information + np.outer(shown, shown) / (shown @ step)
        information -= np.outer(expected, expected) / (expected @ step)
    optimum = climb(estimation, start)
    return optimum.position if optimum.determined else None
