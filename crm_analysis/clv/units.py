"""Lengths of time and discount rates, from a reader's words to a model's unit."""

from __future__ import annotations

import math
import re
from datetime import date

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.workspace import parse_length

DAYS_PER_YEAR = 365.25
CLOCK = "season's clock"  # mark of a table whose times run on one
_UNIT = re.compile(r"(\d+(?:\.\d+)?)D")


def unit_days(unit: str) -> float:
    """Days in a model's unit: 7.0 for "7D" or "1 week", 365.25 for "1 year"."""
    match = _UNIT.fullmatch(unit) if isinstance(unit, str) else None
    try:
        days = float(match[1]) if match else parse_length(unit)
    except ConfigError:
        days = 0.0
    if days == 0:
        raise ConfigError(
            f"unit {unit!r}: expected a number of days such as '7D', or a length such as '1 year'"
        )
    return days


def horizon_days(horizon: str | date, *, observed_until: str | date | None = None) -> float:
    """Days from the end of observation to the horizon.

    Parameters
    ----------
    horizon : a length with its unit ("39 weeks", "12 months" of 30.4375 days), or a date, which counts
        from `observed_until` and includes that whole day.

    Raises
    ------
    ConfigError
        A bare number, a date without `observed_until`, or a date before it.
    """
    if not isinstance(horizon, date) and not _is_date(horizon):
        return parse_length(horizon)
    if observed_until is None:
        raise ConfigError(f"horizon {horizon}: a date needs observed_until, the last day observed")
    days = (pd.Timestamp(horizon) - pd.Timestamp(observed_until)).days
    if days < 0:
        raise ConfigError(f"horizon {horizon} lies before observed_until {observed_until}")
    return float(days)


def _is_date(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) is not None


def discount_per_unit(annual_discount_rate: float, *, unit: str) -> float:
    """Continuous discount rate per `unit` of time: ln(1 + annual rate) times the unit's share of a year."""
    check_rate(annual_discount_rate)
    return math.log1p(annual_discount_rate) * unit_days(unit) / DAYS_PER_YEAR


def check_rate(annual_discount_rate: float) -> None:
    """Refuse a discount rate that is not a share of at least 0 and below 1."""
    if not 0 <= annual_discount_rate < 1:
        raise ConfigError(f"annual_discount_rate {annual_discount_rate}: expected a share, 0.15 for 15%")


def check_one_scale(customers: pd.DataFrame) -> None:
    """Refuse customers whose amounts are in several currencies, or who are not observed until the same day.

    The second shows a table in weeks, or one put together from several: `first_at` and `t_observed` must
    agree on the last day observed. A table without `first_at` or `currency` says nothing of either, and on a
    season's clock (`Season.on_clock` marks it) days are no dates.
    """
    currencies = list(customers["currency"].dropna().unique()) if "currency" in customers else []
    if len(currencies) > 1:
        found = ", ".join(sorted(map(str, currencies)))
        raise DataError(f"customers: amounts in {found}; expected one currency: give the door rates")
    if "first_at" not in customers or not len(customers) or CLOCK in customers.attrs:
        return
    days = customers["t_observed"].to_numpy(np.int64).astype("timedelta64[D]")
    until = customers["first_at"].to_numpy("datetime64[D]") + days
    if until.min() != until.max():
        raise DataError(
            f"customers: by first_at and t_observed they are observed until {until.min()} to {until.max()}; "
            "expected t_observed in days and one last day for all: value tables of other days apart"
        )


def check_share(value: float, name: str) -> None:
    """Refuse a probability, or another share, outside 0 to 1."""
    if not 0 <= value <= 1:
        raise ConfigError(f"{name} {value}: expected a share between 0 and 1, 0.8 for 80%")
