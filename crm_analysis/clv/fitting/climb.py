"""The climb to the top of a likelihood, in few evaluations.

First by the scores of the customers: the sum of their outer products is the information where the model is
right, and costs nothing beyond the gradient. Then by Newton's method with the observed information. Where
that ends on no summit, by BFGS from the same start: slower, and at home on any surface.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize

from crm_analysis.clv.fitting.estimation import Estimation
from crm_analysis.clv.histories import FloatArray

SEARCHED = 14.0  # each log parameter is searched this far around its start: a factor of a million
UNDETERMINED = 5.0  # a standard error of a log parameter beyond this spans a factor of 20,000
ENOUGH = 1e-6  # an optimum is accepted when one more Newton step would gain less log likelihood
WELL = 16.0  # information from which a curvature is beyond doubt: a standard error of a quarter
NEAR = 1e-2  # gain from which Newton's method arrives at once
CLOSE = 1.0  # gain from which it arrives in a few steps: taken where the scores lead on slowly


@dataclass(frozen=True)
class Optimum:
    """Where a climb ended: log likelihood, gradient and observed information, at a position."""

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


def climb(estimation: Estimation[Any], start: FloatArray) -> Optimum:
    """Climb from a position to the summit, or to where there is none."""
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        optimum = _polish(estimation, start, *_follow_scores(estimation, start))
        if optimum.determined:
            return optimum
        top = ascend(estimation, start, np.eye(len(start)))
        return _polish(estimation, start, top, *estimation.objective(top))


def ascend(estimation: Estimation[Any], start: FloatArray, directions: FloatArray) -> FloatArray:
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


def _follow_scores(
    estimation: Estimation[Any], start: FloatArray, at_most: int = 30
) -> tuple[FloatArray, float, FloatArray]:
    """Newton's method with the scores' outer products for the information, damped where a step fails."""
    position, damping, last = start, 1e-4, np.inf
    value, gradient, outer = estimation.scored(position)
    for _ in range(at_most):
        step = np.linalg.lstsq(outer + damping * np.diag(np.diag(outer)), gradient, rcond=None)[0]
        step /= max(1.0, float(np.abs(step).max()))
        gain = float(gradient @ step) / 2
        slow = last / 4 < gain < CLOSE
        if slow or not gain > NEAR or np.abs(position + step - start).max() > SEARCHED:
            break
        there = estimation.scored(position + step)
        if there[0] > value:
            last = gain
            position, (value, gradient, outer), damping = position + step, there, max(damping / 10, 1e-9)
        else:
            damping = max(10 * damping, 1e-2)
    return position, value, gradient


def _polish(
    estimation: Estimation[Any], start: FloatArray, position: FloatArray, value: float, gradient: FloatArray
) -> Optimum:
    """Newton's method with the observed information, from near the summit."""
    information = _information(estimation, position, gradient)
    for _ in range(4):
        here = Optimum(position, start, value, gradient, information)
        if not 1e-12 < here.gain < np.inf:
            break
        step = np.linalg.solve(information, gradient)
        step /= max(1.0, float(np.abs(step).max()))
        next_value, next_gradient = estimation.objective(position + step)
        if not next_value > value - ENOUGH:
            break
        position, value, gradient = position + step, next_value, next_gradient
        if np.abs(step).max() > 1e-3:
            information = _information(estimation, position, gradient)
    reached = Optimum(position, start, value, gradient, information)
    return replace(reached, information=_sure_information(estimation, reached))


def _information(estimation: Estimation[Any], position: FloatArray, gradient: FloatArray) -> FloatArray:
    """Observed information at a position: minus the difference of the analytic gradient, on one side."""
    there = [estimation.objective(position + 1e-5 * step)[1] for step in np.eye(len(position))]
    return _symmetric((gradient - np.stack(there)) / 1e-5)


def _sure_information(estimation: Estimation[Any], optimum: Optimum) -> FloatArray:
    """Observed information that rounding did not feign: where there is little, both sides, further off."""
    information, position = optimum.information, optimum.position
    if np.isfinite(information).all() and np.linalg.eigvalsh(information)[0] > WELL:
        return information
    steps = 1e-3 * np.eye(len(position))
    sides = [[estimation.objective(position + side * step)[1] for side in (-1, 1)] for step in steps]
    return _symmetric(np.array([before - after for before, after in sides]) / 2e-3)


def _symmetric(matrix: FloatArray) -> FloatArray:
    return (matrix + matrix.T) / 2
