"""How far each number of a plan may be off before the customer is worth nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.optimize import brentq

from crm_analysis.clv.histories import FloatArray
from crm_analysis.clv.plans.cash_flow import cash_flow_value, expected_flow


@dataclass(frozen=True)
class BreakEven:
    """Where a planned cash flow earns nothing, one number at a time, the others as planned.

    value : of the plan.
    payback, payback_undiscounted : first year in which the cumulative value is not below 0; None for never.
    internal_rate : the discount rate at which the value is 0; None where the cash does not turn from paid
        to received exactly once, so that there is none or more than one.
    max_acquisition_cost : what winning the customer may cost.
    max_retention_cost : what keeping the customer may cost in every year.
    min_retention_probability : the chance of keeping the customer from year to year that is needed; 0 where
        the first year pays for everything, None where not even certainty is enough.
    """

    value: float
    payback: int | None
    payback_undiscounted: int | None
    internal_rate: float | None
    max_acquisition_cost: float
    max_retention_cost: float
    min_retention_probability: float | None


def break_even(
    *,
    revenue: Sequence[float],
    retention_cost: float | Sequence[float],
    acquisition_cost: float,
    annual_discount_rate: float,
    timing: str,
    retention_probability: float = 1.0,
) -> BreakEven:
    """Find where a plan breaks even; parameters and refusals as those of `cash_flow_value`."""
    plan: dict[str, Any] = {
        "revenue": revenue,
        "retention_cost": retention_cost,
        "acquisition_cost": acquisition_cost,
        "annual_discount_rate": annual_discount_rate,
        "timing": timing,
        "retention_probability": retention_probability,
    }
    flow = cash_flow_value(**plan)
    scale = float(np.abs(revenue).sum()) or 1.0
    return BreakEven(
        value=flow.value,
        payback=flow.payback,
        payback_undiscounted=cash_flow_value(**plan | {"annual_discount_rate": 0.0}).payback,
        internal_rate=_internal_rate(*_payments(**plan)),
        max_acquisition_cost=_root_of_line(_value_at(plan, "acquisition_cost"), scale),
        max_retention_cost=_root_of_line(_value_at(plan, "retention_cost"), scale),
        min_retention_probability=_least(_value_at(plan, "retention_probability")),
    )


def _value_at(plan: dict[str, Any], name: str) -> Callable[[float], float]:
    return lambda number: cash_flow_value(**plan | {name: number}).value


def _root_of_line(value: Callable[[float], float], scale: float) -> float:
    """Where a value that falls linearly is 0."""
    start = value(0.0)
    return scale * start / (start - value(scale))


def _least(value: Callable[[float], float]) -> float | None:
    if value(0.0) >= 0:
        return 0.0
    return float(brentq(value, 0, 1, xtol=1e-12)) if value(1.0) >= 0 else None


def _payments(
    *, revenue: Sequence[float], acquisition_cost: float, timing: str, **rest: Any
) -> tuple[FloatArray, FloatArray]:
    """Times, each once and in order, and the cash paid or received at each."""
    when, flow = expected_flow(revenue, rest["retention_cost"], rest["retention_probability"], timing)
    started = flow.index.to_numpy() - 1.0
    moments = np.concatenate([started + when.revenue, started + when.retention, [when.acquisition]])
    cash = np.concatenate([flow["revenue"], -flow["retention_cost"], [-acquisition_cost]])
    times, moment = np.unique(moments, return_inverse=True)
    return times, np.bincount(moment, cash).astype(float)


def _internal_rate(times: FloatArray, cash: FloatArray) -> float | None:
    signs = np.sign(cash[cash != 0])
    if sum(before != after for before, after in pairwise(signs)) != 1 or signs[0] > 0:
        return None
    # In the logarithm of the yearly growth, so that rates near -100% and far above 100% are found alike.
    growth = brentq(lambda log: float(cash @ np.exp(-log * times)), -2, 20, xtol=1e-14)
    return float(np.expm1(growth))
