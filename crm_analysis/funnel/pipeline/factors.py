"""Velocity: what a cohort of opportunities brings per day, as a product of four factors.

n opportunities, times the share won, times the value of a won deal, over the days that winning takes. The
win rate is won / (won + lost) of the same cohort. Two biases are built into the formula and are shown beside
it: the open ones are in n and not in the rate, as if they would go the way of the closed ones; and the days
are those of deals that are done, so that the slow ones, which are open, are left out. A pipeline full of
forgotten deals therefore looks fast.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel.pipeline.cohorts import cohort_of
from crm_analysis.funnel.pipeline.owner_clusters import Clusters, rate_ends, ratio_influence

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

FACTORS = ("Opportunities", "Deal value", "Win rate", "Days to win")
Days = Literal["won", "closed"]


@dataclass(frozen=True, eq=False)
class Velocity:
    """n * v * w / c, from plain numbers or measured by `velocity`.

    n : opportunities.   v : mean value of a won deal, 1 where wins are counted.   w : won / (won + lost).
    c : mean days to win. v and c are missing (NaN) where nothing was won, w where nothing was closed.
    table : index `factor`; value, low, high, n_behind (how many deals it is the mean of). Empty for plain
        numbers.
    per_day, low, high : the product and its interval; 0 where nothing of what was closed was won.
    cohort : n_won, n_lost, n_open, n_undated (without a creation date, left out), n_won_without_amount,
        median_days, mean_days_closed, mean_age_open (days), n_older (open and older than any deal of the
        cohort that closed). Empty for plain numbers.
    covariance : of the logarithms of n, v, w and c.
    clusters : "owner" where the intervals take the deals of one owner as alike, "opportunity", or "".
    level : of the intervals.
    """

    n: float
    v: float
    w: float
    c: float
    low: float = math.nan
    high: float = math.nan
    table: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    cohort: pd.Series = field(default_factory=lambda: pd.Series(dtype=float), repr=False)
    covariance: np.ndarray = field(default_factory=lambda: np.zeros((4, 4)), repr=False)
    clusters: str = ""
    level: float = 0.95

    def __post_init__(self) -> None:
        values = {"n": self.n, "v": self.v, "w": self.w, "c": self.c}
        wrong = {k: x for k, x in values.items() if x < 0 or math.isinf(x)}
        if wrong or self.c == 0 or self.w > 1:
            raise ConfigError(
                f"velocity: {values}; expected numbers of at least 0, w a share, and c above 0 days"
            )

    @property
    def per_day(self) -> float:
        """N * v * w / c."""
        return 0.0 if self.w == 0 else self.n * self.v * self.w / self.c


def velocity(
    pipeline: Pipeline,
    *,
    since: dt.date | str | None = None,
    until: dt.date | str | None = None,
    days: Days = "won",
    level: float = 0.95,
) -> Velocity:
    """Velocity of the opportunities created from `since` until `until`, with its factors and intervals.

    Parameters
    ----------
    since, until : first and last day of creation, both included; all where not given.
    days : "won": c is the mean days to win. "closed": the mean days to any close, as some tools have it.
    level : of the intervals. n is a count of what came and is taken as known; the others vary between
        deals, and between owners where eight or more are mapped.

    Raises
    ------
    DataError
        Nobody was created in that time, some close before they are created, or all wins took 0 days.
    ConfigError
        An argument is misspelt.

    Notes
    -----
    Where no amount is mapped, v is 1 and velocity counts wins per day. Intervals of v, c and the product are
    normal on the logarithm, with the sandwich variance of clustered ratios and Student's quantile; that of
    w is Wilson's with the trials that clustering leaves.
    """
    if days not in ("won", "closed"):
        raise ConfigError(f"velocity: days={days!r}; expected 'won' or 'closed'")
    deals, n_undated = cohort_of(pipeline, since=since, until=until)
    clusters = Clusters.of(deals)
    won, lost = ((deals["outcome"] == end).to_numpy(float) for end in ("won", "lost"))
    closed = won + lost
    timed = won if days == "won" else closed
    spent = np.where(timed > 0, deals["days"].to_numpy(float), 0.0)
    if timed.any() and not spent.any():
        raise DataError(
            f"velocity: all {timed.sum():.0f} deals closed on the day they came, so there are no days to "
            "divide by; is created_on the day of the order?"
        )
    known = won * deals["amount"].notna() if "amount" in deals else won
    amount = np.where(known > 0, deals["amount"].to_numpy(float), 0.0) if "amount" in deals else won
    parts = [(amount, np.asarray(known, float)), (won, closed), (spent, timed)]
    values = [_ratio(*part) for part in parts]
    covariance = np.zeros((4, 4))
    if all(value > 0 for value in values):
        influence = np.column_stack([ratio_influence(*part) for part in parts])
        covariance[1:, 1:] = clusters.covariance(influence)
    z = clusters.quantile(level)
    ends = [_ends(value, covariance[k, k], z) for k, value in enumerate(values, 1)]
    ends[1] = rate_ends(won, closed, clusters=clusters, level=level)
    table = pd.DataFrame(
        {
            "value": [float(len(deals)), *values],
            "low": [float(len(deals)), *(low for low, _ in ends)],
            "high": [float(len(deals)), *(high for _, high in ends)],
            "n_behind": [len(deals), *(int(below.sum()) for _, below in parts)],
        },
        index=pd.Index(FACTORS, name="factor"),
    )
    v, w, c = values
    sign = np.array([1.0, 1.0, 1.0, -1.0])
    product = 0.0 if w == 0 else len(deals) * v * w / c
    low, high = _ends(product, float(sign @ covariance @ sign), z)
    return Velocity(
        n=float(len(deals)),
        v=v,
        w=w,
        c=c,
        low=low,
        high=high,
        table=table,
        cohort=_beside(deals, pipeline, known=known, n_undated=n_undated),
        covariance=covariance,
        clusters=clusters.unit,
        level=level,
    )


def _ratio(above: np.ndarray, below: np.ndarray) -> float:
    return float(above.sum() / below.sum()) if below.sum() else math.nan


def _ends(value: float, log_variance: float, z: float) -> tuple[float, float]:
    """Interval on the logarithm; missing where the value is, or where nothing is known of its spread."""
    if not value > 0 or math.isinf(z):
        return math.nan, math.nan
    half = z * math.sqrt(max(log_variance, 0.0))
    return value * math.exp(-half), value * math.exp(half)


def _beside(deals: pd.DataFrame, pipeline: Pipeline, *, known: np.ndarray, n_undated: int) -> pd.Series:
    """What stands beside the factors, so that their bias can be seen."""
    won, lost, open_ = (deals["outcome"] == end for end in ("won", "lost", "open"))
    closed = deals.loc[won | lost, "days"]
    ages = deals.loc[open_, "days"]
    values = {
        "n_won": won.sum(),
        "n_lost": lost.sum(),
        "n_open": open_.sum(),
        "n_undated": n_undated,
        "n_won_without_amount": won.sum() - float(np.sum(known)),
        "median_days": deals.loc[won, "days"].median(),
        "mean_days_closed": closed.mean(),
        "mean_age_open": ages.mean(),
        "n_older": (ages > closed.max()).sum() if len(closed) else 0,
    }
    return pd.Series(values, dtype=float)
