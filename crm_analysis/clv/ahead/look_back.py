"""Days in the past on which a forecast could have been made that can be checked today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from crm_analysis.workspace import add_months

SHORTEST_DAYS = 28  # below, a holdout says next to nothing
FITTED_DAYS = 180  # what a past fit must have seen of customers with complete histories


@dataclass(frozen=True)
class LookBack:
    """Forecasts made at the end of `at`, checked until the end of `until`."""

    at: date
    until: date

    @property
    def days(self) -> int:
        """Length of the time in which forecasts are checked."""
        return (self.until - self.at).days

    @property
    def unit(self) -> str:
        """Word for the length: "months" for 12 of them, else "weeks" where they are whole, else "days"."""
        if self.until == _months_after(self.at, 12):
            return "months"
        return "days" if self.days % 7 else "weeks"

    @property
    def n(self) -> int:
        """Length in that unit."""
        return {"months": 12, "weeks": self.days // 7, "days": self.days}[self.unit]


def longest_look_back(customers: pd.DataFrame, *, observed_until: date) -> LookBack | None:
    """Return the last 12 months, or the later half of a shorter time; None where that is under four weeks.

    Parameters
    ----------
    customers : those with complete histories; the time begins with the first of them.
    """
    if customers.empty:
        return None
    n_days = (observed_until - _since(customers)).days + 1
    at = max(_months_after(observed_until, -12), observed_until - timedelta(days=n_days // 2))
    return LookBack(at, observed_until) if (observed_until - at).days >= SHORTEST_DAYS else None


def look_backs(customers: pd.DataFrame, *, observed_until: date) -> list[LookBack]:
    """Return three days in the past, earliest first, each followed by the same length of time.

    The last is that of `longest_look_back`; the others lie six and twelve months before it, so that both
    halves of the year are tried. Where the customers of `FITTED_DAYS`, or of two thirds of the time before
    the last day, would not have been seen by then, they lie closer. Empty without a longest look back.
    """
    longest = longest_look_back(customers, observed_until=observed_until)
    if longest is None:
        return []
    since, last = _since(customers), longest.at
    n_days = (last - since).days
    earliest = since + timedelta(days=min(FITTED_DAYS, n_days * 2 // 3))
    if (first := _months_after(last, -12)) >= earliest and longest.unit == "months":
        days = [first, _months_after(last, -6), last]
        return [LookBack(day, _months_after(day, 12)) for day in days]
    days = [earliest, earliest + (last - earliest) // 2, last]
    return [LookBack(day, day + timedelta(days=longest.days)) for day in days]


def _since(customers: pd.DataFrame) -> date:
    return pd.Timestamp(customers["first_at"].min()).date()


def _months_after(day: date, n_months: int) -> date:
    """Return the same day of another month; the last day of a month goes to the last day of the other."""
    return add_months(day + timedelta(days=1), n_months) - timedelta(days=1)
