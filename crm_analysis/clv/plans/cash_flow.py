"""The value of one customer from a planned cash flow, with the moment of each payment stated.

The same plan gives values that differ by a factor of two with the moment at which cash is thought to
flow. So `timing` has no default, and one call shows all conventions side by side. Retention is a word for
contracts: its probability is the chance that a contract which runs this year still runs in the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.clv.histories import FloatArray
from crm_analysis.clv.units import check_rate, check_share
from crm_analysis.errors import ConfigError


@dataclass(frozen=True)
class _Timing:
    """When cash flows: revenue and retention within their period (0 start, 1 end), acquisition in periods."""

    revenue: float
    retention: float
    acquisition: float = 0.0


TIMINGS = {
    "end of period": _Timing(1, 1),
    "start of period": _Timing(0, 0),
    "mid-period": _Timing(0.5, 0.5),
    "retention at start, revenue at end": _Timing(1, 0),
    "all at end, acquisition too": _Timing(1, 1, 1),
}


@dataclass(frozen=True)
class CashFlow:
    """What a planned cash flow is worth today.

    value : present value of revenue less retention less acquisition cost.
    table : index period (a year); revenue, retention_cost, net, present_value (of the net), cumulative
        (present values so far, less the acquisition cost). Expected ones, where the customer may leave.
    payback : first period in which the cumulative value is not below 0, or None.
    """

    value: float
    table: pd.DataFrame
    timing: str

    @property
    def payback(self) -> int | None:
        """First period in which the cumulative value is not below 0; None if it never gets there."""
        reached = self.table.index[self.table["cumulative"] >= 0]
        return int(reached[0]) if len(reached) else None


def cash_flow_value(
    *,
    revenue: Sequence[float],
    retention_cost: float | Sequence[float],
    acquisition_cost: float,
    annual_discount_rate: float,
    timing: str,
    retention_probability: float = 1.0,
) -> CashFlow:
    """Discount a planned cash flow, one revenue per year.

    Parameters
    ----------
    retention_cost : the same every year, or one per year.
    acquisition_cost : paid once, today unless `timing` says otherwise.
    timing : "end of period", "start of period", "mid-period", "retention at start, revenue at end" or
        "all at end, acquisition too" (at the end of the first year).
    retention_probability : chance that a customer of one year is one in the next. The first year is
        certain: the cash of year t, costs too, counts with the probability to the power t - 1.

    Raises
    ------
    ConfigError
        An unknown timing, a rate or a probability that is not a share, or costs that are not one per year
        of revenue.
    """
    check_rate(annual_discount_rate)
    when, flow = expected_flow(revenue, retention_cost, retention_probability, timing)
    factor = lambda periods: (1 + annual_discount_rate) ** -np.asarray(periods, dtype=float)  # noqa: E731
    started = flow.index.to_numpy() - 1
    received, paid = flow["revenue"].to_numpy(), flow["retention_cost"].to_numpy()
    present = received * factor(started + when.revenue) - paid * factor(started + when.retention)
    cumulative = present.cumsum() - acquisition_cost * factor(when.acquisition)
    table = flow.assign(net=received - paid, present_value=present, cumulative=cumulative)
    return CashFlow(float(cumulative[-1]), table, timing)


def expected_flow(
    revenue: Sequence[float],
    retention_cost: float | Sequence[float],
    retention_probability: float,
    timing: str,
) -> tuple[_Timing, pd.DataFrame]:
    """Check a plan; when its cash flows, and its revenue and retention_cost as expected, one row a year."""
    if timing not in TIMINGS:
        raise ConfigError(f"timing {timing!r}: expected one of {list(TIMINGS)}")
    check_share(retention_probability, "retention_probability")
    periods = np.arange(1, len(revenue) + 1)
    still = retention_probability ** (periods - 1.0)
    expected = {
        "revenue": np.asarray(revenue, dtype=float) * still,
        "retention_cost": _per_period(retention_cost, len(revenue)) * still,
    }
    return TIMINGS[timing], pd.DataFrame(expected, pd.Index(periods, name="period"))


def cash_flow_conventions(
    *,
    revenue: Sequence[float],
    retention_cost: float | Sequence[float],
    acquisition_cost: float,
    annual_discount_rate: float,
    retention_probability: float = 1.0,
) -> pd.DataFrame:
    """Value the same plan under every convention, so that a number is never quoted without its own.

    Returns
    -------
    DataFrame, index convention: value, difference (from "end of period"), payback (period, NaN for never).
    Besides the timings: no retention cost in the first year, and no discounting.
    """
    cost = _per_period(retention_cost, len(revenue)).tolist()
    later, rate = [0.0, *cost[1:]], annual_discount_rate
    plans: dict[str, tuple[str, list[float], float]] = {
        **{timing: (timing, cost, rate) for timing in TIMINGS},
        "end of period, no retention cost in the first": ("end of period", later, rate),
        "start of period, no retention cost in the first": ("start of period", later, rate),
        "undiscounted": ("end of period", cost, 0.0),
    }
    flows = {
        name: cash_flow_value(
            revenue=revenue,
            retention_cost=paid,
            acquisition_cost=acquisition_cost,
            annual_discount_rate=discount,
            timing=timing,
            retention_probability=retention_probability,
        )
        for name, (timing, paid, discount) in plans.items()
    }
    values = pd.Series({name: flow.value for name, flow in flows.items()}, dtype=float)
    paybacks = pd.Series({name: flow.payback for name, flow in flows.items()}, dtype=float)
    difference = values - flows["end of period"].value
    table = pd.DataFrame({"value": values, "difference": difference, "payback": paybacks})
    return table.rename_axis("convention")


def past_value(
    contributions: Sequence[float], *, periods_ago: Sequence[float], rate_per_period: float
) -> float:
    """What a customer has brought so far, in today's money: each contribution with its interest since.

    Source: past customer value in Kumar & Reinartz, Customer Relationship Management, sum of
    contribution * (1 + rate) ** periods_ago.
    """
    amounts, ages = np.asarray(contributions, dtype=float), np.asarray(periods_ago, dtype=float)
    if amounts.shape != ages.shape or (ages < 0).any():
        raise ConfigError(
            f"past_value: {amounts.size} contributions and periods_ago {list(periods_ago)}; "
            "expected one age each, none below 0"
        )
    return float(amounts @ (1 + rate_per_period) ** ages)


def _per_period(cost: float | Sequence[float], n: int) -> FloatArray:
    costs = np.asarray(cost, dtype=float)
    if n == 0 or costs.ndim > 1 or (costs.ndim == 1 and len(costs) != n):
        raise ConfigError(
            f"retention_cost: {costs.size} values for {n} years of revenue; expected one, or one each"
        )
    return np.broadcast_to(costs, n)
