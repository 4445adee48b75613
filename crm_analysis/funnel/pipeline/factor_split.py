"""The difference of two velocities, split over their factors."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel.pipeline.factors import FACTORS, Velocity
from crm_analysis.rates import normal_quantile
from crm_analysis.split import log_mean_split, shapley_split


def split_velocity(
    a: Velocity, b: Velocity, *, method: Literal["log-mean", "shapley"] = "log-mean", level: float = 0.95
) -> pd.DataFrame:
    """The difference of two velocities, split exactly over the four factors.

    Returns
    -------
    DataFrame, index `factor`; a, b, contribution (they add up to a's velocity less b's), low, high. The
    intervals are the delta method's, and have no width between plain numbers.

    Raises
    ------
    DataError
        A velocity has a factor that is not known.

    Source: see `crm_analysis.split`; days to win enter as 1 / c.
    """
    splits = {"log-mean": log_mean_split, "shapley": shapley_split}
    if method not in splits:
        raise ConfigError(f"velocity: method={method!r}; expected one of {list(splits)}")
    sides = [np.array([x.n, x.v, x.w, x.c]) for x in (a, b)]
    for name, side in zip("ab", sides, strict=True):
        if np.isnan(side).any():
            unknown = [f for f, value in zip(FACTORS, side, strict=True) if math.isnan(value)]
            raise DataError(f"velocity: {unknown} of {name} is not known, so there is nothing to split")
    logs = np.zeros(8)

    def parts(change: np.ndarray) -> np.ndarray:
        both = [side * np.exp(part) for side, part in zip(sides, np.split(change, 2, axis=-1), strict=True)]
        return splits[method](*(np.concatenate([x[..., :3], 1 / x[..., 3:]], axis=-1) for x in both))

    step = 1e-5
    jacobian = (parts(step * np.eye(8)) - parts(-step * np.eye(8))).T / (2 * step)
    covariance = np.zeros((8, 8))
    covariance[:4, :4], covariance[4:, 4:] = a.covariance, b.covariance
    half = normal_quantile(level) * np.sqrt(np.diag(jacobian @ covariance @ jacobian.T).clip(min=0))
    middle = parts(logs)
    return pd.DataFrame(
        {"a": sides[0], "b": sides[1], "contribution": middle, "low": middle - half, "high": middle + half},
        index=pd.Index(FACTORS, name="factor"),
    )
