"""How much to spend on winning customers, and how much on keeping them.

Blattberg & Deighton (1996), Harvard Business Review 74(4), 136-144: what is spent buys a rate (of prospects
who become customers, of customers who stay a year) that rises towards a ceiling with falling returns. A
customer pays the margin at once and again at every renewal; keeping is paid at renewals, by those who were
customers before. Retention is a word for contracts. The best spending makes the last customer won and the
last one kept cost the same, and both cost what a customer is worth (Pfeifer 2005, Journal of Targeting,
Measurement and Analysis for Marketing 13(2), 179-188).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from crm_analysis.clv.units import check_rate
from crm_analysis.errors import ConfigError

Point = tuple[float, float]


@dataclass(frozen=True)
class ResponseCurve:
    """Rate that spending buys: ceiling * (1 - exp(-steepness * spend)).

    ceiling : rate that no spending exceeds, a share.
    steepness : per unit of money.
    """

    ceiling: float
    steepness: float

    def __post_init__(self) -> None:
        if not (0 < self.ceiling <= 1 and 0 < self.steepness < np.inf):
            raise ConfigError(
                f"response curve: ceiling {self.ceiling} and steepness {self.steepness}; expected a share "
                "above 0, and a number above 0"
            )

    def rate(self, spend: float) -> float:
        """Share of those on whom `spend` is spent each."""
        return float(-self.ceiling * np.expm1(-self.steepness * spend))

    def marginal_cost(self, spend: float) -> float:
        """What the last customer won or kept costs: 1 over the slope of the rate."""
        return float(np.exp(self.steepness * spend) / (self.ceiling * self.steepness))

    def spend_at(self, marginal_cost: float) -> float:
        """Spending at which the last customer costs so much; 0 where even the first costs more."""
        return max(float(np.log(self.ceiling * self.steepness * marginal_cost)) / self.steepness, 0.0)


def response_curve(*points: Point, ceiling: float | None = None) -> ResponseCurve:
    """Response curve from what is known: today's point and a judged ceiling, or two points.

    Parameters
    ----------
    points : (spend per head, rate): one with a `ceiling`, or two without.
    ceiling : rate that would be reached if money were no object.

    Raises
    ------
    ConfigError
        Points that lie on no such curve: a rate not above 0 or not below the ceiling, or a second point that
        is no better than the first, or better in proportion to its spending (no falling returns).
    """
    if len(points) != (2 if ceiling is None else 1) or any(s <= 0 or not 0 < r < 1 for s, r in points):
        raise ConfigError(
            f"response_curve: points {points}, ceiling {ceiling}; expected one (spend, rate) with a ceiling "
            "or two without, spend above 0 and rate between 0 and 1"
        )
    if ceiling is None:
        ceiling = _ceiling(*sorted(points))
    spend, rate = points[0]
    if rate >= ceiling:
        raise ConfigError(f"response_curve: rate {rate} reaches the ceiling {ceiling}; expected one below it")
    return ResponseCurve(ceiling, float(np.log(ceiling / (ceiling - rate))) / spend)


def _ceiling(first: Point, second: Point) -> float:
    (less, low), (more, high) = first, second
    ratio = high / low
    if not 1 < ratio < more / less:
        raise ConfigError(
            f"response_curve: points {first} and {second} show no falling returns; expected the second rate "
            "above the first, by less than in proportion to the spending"
        )
    # The gap of (1 - exp(-k more)) / (1 - exp(-k less)) to the ratio falls in k, from more / less to 1.
    gap = lambda k: np.expm1(-k * more) / np.expm1(-k * less) - ratio  # noqa: E731
    steepness = brentq(gap, 1e-9 / more, 700 / less)
    return float(-low / np.expm1(-steepness * less))


@dataclass(frozen=True)
class SpendingPlan:
    """What to spend, and what comes of it.

    clv : value of a customer won, first margin included, acquisition not taken off.
    customer_equity : value per prospect: rate of acquisition x clv less what was spent on the prospect.
    table : index "acquisition", "retention": spend (per prospect; per customer and renewal), rate,
        marginal_cost (of the last customer won or kept: the clv, where anything is spent at the best).
    """

    clv: float
    customer_equity: float
    table: pd.DataFrame


def spending_value(
    *,
    acquisition: ResponseCurve,
    retention: ResponseCurve,
    margin: float,
    annual_discount_rate: float,
    acquisition_spend: float,
    retention_spend: float,
) -> SpendingPlan:
    """Value of a prospect under a given spending, say today's; see `best_spending`.

    Parameters
    ----------
    acquisition, retention : curves, see `response_curve`.
    margin : per customer and year, before what is spent on keeping.
    """
    check_rate(annual_discount_rate)
    clv = _customer_value(retention, margin, annual_discount_rate, retention_spend)
    spends = {"acquisition": (acquisition, acquisition_spend), "retention": (retention, retention_spend)}
    rows = [(spend, curve.rate(spend), curve.marginal_cost(spend)) for curve, spend in spends.values()]
    names = ["spend", "rate", "marginal_cost"]
    equity = acquisition.rate(acquisition_spend) * clv - acquisition_spend
    return SpendingPlan(clv, equity, pd.DataFrame(rows, pd.Index(spends, name="for"), names))


def best_spending(
    *, acquisition: ResponseCurve, retention: ResponseCurve, margin: float, annual_discount_rate: float
) -> SpendingPlan:
    """Spending per prospect and per customer that makes a prospect worth most.

    What is spent on keeping does not depend on how customers are won; what may be spent on winning depends
    on what a customer is worth. Where the first customer costs more than that, nothing is spent.
    """
    check_rate(annual_discount_rate)
    if margin <= 0:
        raise ConfigError(f"best_spending: margin {margin}; expected one above 0")
    value = lambda spend: _customer_value(retention, margin, annual_discount_rate, spend)  # noqa: E731
    # Above 0 as long as the last customer kept costs less than a customer is worth.
    gain = lambda spend: value(spend) - retention.marginal_cost(spend)  # noqa: E731
    kept = float(brentq(gain, 0, margin * (1 + annual_discount_rate), xtol=1e-12)) if gain(0) > 0 else 0.0
    return spending_value(
        acquisition=acquisition,
        retention=retention,
        margin=margin,
        annual_discount_rate=annual_discount_rate,
        acquisition_spend=acquisition.spend_at(value(kept)),
        retention_spend=kept,
    )


def _customer_value(retention: ResponseCurve, margin: float, rate: float, spend: float) -> float:
    """Margin today, then a year at a time: spending at the renewal by all, margin by those who stay."""
    renewed = retention.rate(spend) / (1 + rate)
    return (margin - spend / (1 + rate)) / (1 - renewed)


def spending_curve(
    *, retention: ResponseCurve, margin: float, annual_discount_rate: float, spends: Sequence[float]
) -> pd.DataFrame:
    """Value of a customer by what is spent on keeping: index spend; rate, clv. It rises, then falls."""
    check_rate(annual_discount_rate)
    rows = [(retention.rate(s), _customer_value(retention, margin, annual_discount_rate, s)) for s in spends]
    return pd.DataFrame(rows, pd.Index(spends, name="spend"), ["rate", "clv"])
