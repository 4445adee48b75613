"""Limits of parameters: from the curvature at the estimate, or from the likelihood all the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtri, ndtri

from crm_analysis.clv.fitting.climb import SEARCHED, ascend
from crm_analysis.clv.histories import FloatArray
from crm_analysis.errors import ConfigError

if TYPE_CHECKING:
    from crm_analysis.clv.fitting.fit import Fit


def limits(fit: Fit[Any], kind: str, level: float) -> FloatArray:
    """Low and high of each parameter, shape (parameters, 2).

    Raises
    ------
    ConfigError
        The kind is unknown, or the level no share.
    """
    kinds = {"log-wald": _log_wald, "profile": _profile}
    if kind not in kinds:
        raise ConfigError(f"confidence_intervals: kind {kind!r}; known are {sorted([*kinds, 'bootstrap'])}")
    check_level(level)
    estimation = fit._estimation
    return np.array([estimation.natural(side) for side in kinds[kind](fit, level).T]).T


def check_level(level: float) -> None:
    """Refuse a level that is not a share between 0 and 1."""
    if not 0 < level < 1:
        raise ConfigError(f"level {level}: expected a share between 0 and 1, such as 0.95")


def _log_wald(fit: Fit[Any], level: float) -> FloatArray:
    width = ndtri((1 + level) / 2) * np.sqrt(np.diag(fit._position_covariance))
    return fit._position[:, None] + np.outer(width, [-1, 1])


def _profile(fit: Fit[Any], level: float) -> FloatArray:
    fall = chdtri(1, 1 - level) / 2
    return np.array(
        [[_profile_limit(fit, i, side, fall) for side in (-1, 1)] for i in range(len(fit.covariance))]
    )


def _profile_limit(fit: Fit[Any], held: int, side: int, fall: float) -> float:
    """Find the position of parameter `held` at which the best log likelihood has fallen by `fall`."""
    centre, covariance = fit._position, fit._position_covariance
    along = covariance[:, held] / np.sqrt(covariance[held, held])  # where all go per standard error of one
    others = np.arange(len(centre)) != held
    directions = np.zeros((len(centre), others.sum()))
    within = np.linalg.inv(np.linalg.inv(covariance)[np.ix_(others, others)])
    directions[others] = np.linalg.cholesky(within) * np.sqrt(fit.n_customers)
    highest = fit._estimation.objective(centre)[0]  # `log_likelihood` may count more, or be unknown

    def fallen(distance: float) -> float:
        best = ascend(fit._estimation, centre + side * along * distance, directions)
        return highest - fit._estimation.objective(best)[0] - fall

    far = 2.0
    while fallen(far) < 0:
        far *= 1.5
        if far * along[held] > SEARCHED:
            return side * np.inf
    distance = brentq(fallen, 0.0, far, xtol=1e-4)
    return float(centre[held] + side * along[held] * distance)
