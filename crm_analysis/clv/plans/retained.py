"""Customers who are kept with one probability, where income and marketing move at different times.

The cases of Berger & Nasr (1998), Journal of Interactive Marketing 12(1), 17-30. Income comes at the start
of each cycle, while the customer is still one; marketing is paid in the middle of the cycle before, for
everybody who was a customer at its start. Case 1: a cycle of one year. Case 2a: several cycles a year; 2b:
several years a cycle (`cycles_per_year` below 1). Case 3: contributions that differ from cycle to cycle.
Case 4: a continuous flow. Case 5, customers who come back after a pause, is a migration chain:
`migration_value`. Cases 1 to 4 are for contracts, where a customer who has left is gone for good.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.integrate import quad

from crm_analysis.clv.units import check_rate, check_share
from crm_analysis.errors import ConfigError


def retained_value(
    contribution: float | Sequence[float],
    *,
    marketing_cost: float,
    retention_probability: float,
    annual_discount_rate: float,
    cycles: int | None,
    cycles_per_year: float = 1.0,
) -> float:
    """Value of a new customer over the first payment, today, and up to `cycles` renewals.

    Parameters
    ----------
    contribution : gross contribution per cycle, before marketing: the same each time, or one for today and
        one for each renewal.
    marketing_cost : per customer and cycle, to keep the customer.
    retention_probability, annual_discount_rate : per *year*; a cycle has its share of both.
    cycles : number of renewals offered; None for no end.
    cycles_per_year : 4 for quarterly cycles, 1 / 3 for one cycle in three years.

    Raises
    ------
    ConfigError
        A probability or rate that is no share, contributions that are not one per payment, an endless
        sequence of them, or a life that neither ends nor is discounted.
    """
    check_rate(annual_discount_rate)
    check_share(retention_probability, "retention_probability")
    if cycles_per_year <= 0 or (cycles is not None and cycles < 0):
        raise ConfigError(
            f"retained_value: cycles {cycles}, cycles_per_year {cycles_per_year}; expected none below 0"
        )
    amounts = np.asarray(contribution, dtype=float)
    kept = retention_probability ** (1 / cycles_per_year)
    worth = (1 + annual_discount_rate) ** (-1 / cycles_per_year)
    if cycles is None:
        return _endless(amounts, marketing_cost, kept, worth)
    if amounts.ndim > 1 or (amounts.ndim == 1 and len(amounts) != cycles + 1):
        raise ConfigError(
            f"contribution: {amounts.size} values for today and {cycles} renewals; expected one, or one each"
        )
    renewal = np.arange(cycles + 1)
    income = np.broadcast_to(amounts, cycles + 1) @ (kept * worth) ** renewal
    return float(income - marketing_cost * (kept ** renewal[:-1] * worth ** (renewal[:-1] + 0.5)).sum())


def _endless(amounts: np.ndarray, marketing_cost: float, kept: float, worth: float) -> float:
    if amounts.ndim or kept * worth >= 1:
        raise ConfigError(
            "retained_value: without an end (cycles=None) one contribution for all cycles is expected, and "
            "a retention_probability below 1 or a discount rate above 0"
        )
    return float((amounts - marketing_cost * worth**0.5) / (1 - kept * worth))


def continuous_value(
    contribution: float | Callable[[float], float],
    *,
    retention_probability: float,
    annual_discount_rate: float,
    years: float,
) -> float:
    """Value of a continuous flow of contributions per year, marketing taken off: Berger & Nasr's case 4.

    Parameters
    ----------
    contribution : per year: a constant, or a function of the years since today.
    """
    check_rate(annual_discount_rate)
    check_share(retention_probability, "retention_probability")
    flow = contribution if callable(contribution) else lambda _: contribution
    factor = retention_probability / (1 + annual_discount_rate)
    value, _ = quad(lambda t: flow(t) * factor**t, 0, years, limit=200)
    return float(value)
