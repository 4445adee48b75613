"""What a comparison of two firms gives: the gap, its parts, and how sure each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from crm_analysis.funnel.counting.counts import StageCounts

Per = Literal["1000 entrants", "spend", "revenue"]
Method = Literal["log-mean", "shapley"]
Intervals = Literal["delta", "bootstrap"]
Cluster = Literal["auto", "owner", "account_id"]
Counts = StageCounts | Sequence[int]
DealValue = float | Sequence[float] | pd.Series


@dataclass(frozen=True, eq=False)
class Gap:
    """The gap a - b between two firms and its split.

    gap, gap_low, gap_high : value_a - value_b with its interval; in `unit`.
    value_a, value_b : the two results, in `unit`.
    contributions : index `transition` (leads first, then the transitions, then the deal value where one was
        given); contribution, low, high (in `unit`; they add up to the gap), and share, share_low, share_high
        of the gap. Shares and their intervals are missing where the gap's interval holds 0: a share of what
        may be nothing says nothing.
    covariance : of the contributions, rows and columns as there.
    conversion, conversion_low, conversion_high : the transitions' contributions together, in `unit`.
    p_largest : probability that a row's contribution, in the direction of the gap, is the largest of all.
    p_gap : of there being no gap, two-sided.
    factors : index as contributions; a, b, ratio (a / b, missing where b is 0): the ratios multiply to
        value_a / value_b. An untried transition (nobody entered its stage) has the other firm's rate here,
        1 where neither tried.
    log_covariance : of the logarithms of a's and of b's factors, rows and columns as there.
    degrees : degrees of freedom of the two; infinite where opportunities are taken as independent.
    stages : index `transition`; n_a, k_a, rate_a, low_a, high_a and the same for b (Wilson), difference
        (a - b) with low and high (Newcombe), z, p, p_holm (score test, adjusted by Holm for the number of
        transitions), smallest_visible (the difference that would have been seen with a probability of 80%),
        design_effect_a, design_effect_b (variance of the rate over that of independent opportunities: the
        interval and the test of the difference are those of so many times fewer; 1 where that of independent
        ones is the wider). Rates and differences are missing where nobody entered the stage before; the
        intervals then say that nothing is known.
    pairs : index `transition`, a row for each two neighbouring transitions taken as one ("Lead to
        Proposal"): first, second (their contributions), opposite (they have opposite signs), contribution,
        low, high, share of the two together, n_a, rate_a, n_b, rate_b, difference, difference_low,
        difference_high, p.
    orders : index as contributions; log_mean, shapley, lowest and highest over all orders of replacement.
    unit : "wins", "wins per 1,000 entrants", "revenue per 100,000 CNY", ...
    method, intervals, level : how it was made.
    n_entrants : opportunities that the rates of a and of b rest on.
    window_days : conversion windows of a and b in days; None for plain counts.
    clusters : index `cluster` ("owner", "account_id"): by what opportunities hang together, with n_a, n_b
        (how many of them) and largest_a, largest_b (the share of the opportunities that the largest has).
        Empty where opportunities are taken as independent; a firm with one owner is, beside one with more.
    design_effect : variance of the gap over that of independent opportunities.
    """

    gap: float
    gap_low: float
    gap_high: float
    value_a: float
    value_b: float
    contributions: pd.DataFrame
    covariance: pd.DataFrame
    conversion: float
    conversion_low: float
    conversion_high: float
    p_largest: pd.Series
    p_gap: float
    factors: pd.DataFrame
    log_covariance: tuple[pd.DataFrame, pd.DataFrame]
    degrees: tuple[float, float]
    stages: pd.DataFrame
    pairs: pd.DataFrame
    orders: pd.DataFrame
    unit: str
    method: Method
    intervals: Intervals
    level: float
    n_entrants: tuple[int, int]
    window_days: tuple[int | None, int | None]
    clusters: pd.DataFrame
    design_effect: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval of the gap leaves out 0."""
        return self.gap_low > 0 or self.gap_high < 0

    @property
    def largest(self) -> str:
        """Row with the largest contribution in the direction of the gap."""
        return largest_part(self.contributions["contribution"], self.gap)


def largest_part(contributions: pd.Series, gap: float) -> str:
    """Row that accounts for most of a gap; where all are exactly 0, the first transition."""
    ahead = contributions * (-1.0 if gap < 0 else 1.0)
    moved = ahead[ahead != 0]
    return str(moved.idxmax() if len(moved) else ahead.index[1])
