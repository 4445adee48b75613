"""How long it takes, where some are still waiting: product limit of the share that has not gone on.

Those who wait are observed until the same day, so that the only reason for not being seen longer is having
come later. Source: Kaplan & Meier (1958), JASA 53:457; Greenwood's variance, on the complementary log-log
scale.
"""

from __future__ import annotations

import numpy as np

from crm_analysis.rates import normal_quantile


def median_wait(days: np.ndarray, happened: np.ndarray) -> float:
    """Days by which half have gone on; NaN where fewer than half are known to."""
    times, waiting, _ = _product_limit(days, happened)
    below = np.flatnonzero(waiting <= 0.5 + 1e-12)
    return float(times[below[0]]) if len(below) else np.nan


def share_within(
    waits: np.ndarray, happened: np.ndarray, *, days: int, level: float
) -> tuple[float, float, float]:
    """Share gone on within so many days, low and high end; NaN where nobody was observed so long."""
    times, waiting, spread = _product_limit(waits, happened)
    if not len(waits) or (waits.max() < days and not (len(waiting) and waiting[-1] <= 0)):
        return np.nan, np.nan, np.nan
    place = int(np.searchsorted(times, days, side="right")) - 1
    if place < 0:
        return 0.0, 0.0, 1 - (1 - level) ** (1 / len(waits))
    left = float(waiting[place])
    if left <= 0:
        return 1.0, (1 - level) ** (1 / len(waits)), 1.0
    width = normal_quantile(level) * np.sqrt(spread[place]) / abs(np.log(left))
    low, high = left ** np.exp(width), left ** np.exp(-width)
    return 1 - left, float(1 - high), float(1 - low)


def _product_limit(days: np.ndarray, happened: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Days on which somebody went on, the share waiting after them, and Greenwood's sum."""
    days, happened = np.asarray(days, dtype=float), np.asarray(happened, dtype=bool)
    times, gone = np.unique(days[happened], return_counts=True)
    at_risk = len(days) - np.searchsorted(np.sort(days), times, side="left")
    left = at_risk - gone
    with np.errstate(divide="ignore"):
        spread = np.cumsum(gone / (at_risk * left))
    return times, np.cumprod(left / at_risk), spread
