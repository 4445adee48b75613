"""Time in the simulated world: days since 2020-01-01 as floats, and a clock that runs faster in season."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[Any]

BEGINNING = np.datetime64("2020-01-01", "D")


def day_number(date: str) -> int:
    """Whole days from the beginning of the world to `date` (YYYY-MM-DD)."""
    return int((np.datetime64(date, "D") - BEGINNING).astype(int))


LOG_FROM = day_number("2022-01-01")
LOG_END = day_number("2026-01-01")  # first moment after the last observed day, 2025-12-31
FUTURE_END = day_number("2028-01-01")  # the truth knows 24 months more than the log
YEAR = 365.25

# What an average month sells is 1: November and December peak, February (Spring Festival) is the trough.
SEASON = np.array([0.92, 0.68, 0.98, 0.97, 1.00, 1.03, 0.94, 0.93, 1.03, 1.02, 1.26, 1.24])

_DAYS = BEGINNING + np.arange(FUTURE_END)
_EDGES = np.arange(FUTURE_END + 1, dtype=float)
_CLOCK = np.concatenate([[0.0], np.cumsum(SEASON[_DAYS.astype("datetime64[M]").astype(int) % 12])])


def seasonal_time(at: Array) -> Array:
    """Season-weighted days elapsed at the calendar moments `at`."""
    return np.interp(at, _EDGES, _CLOCK)


def calendar_time(elapsed: Array) -> Array:
    """Calendar moments at which `elapsed` season-weighted days have passed; infinite after 2027."""
    return np.interp(elapsed, _CLOCK, _EDGES, right=np.inf)


def timestamps(at: Array) -> Array:
    """Calendar moments as datetime64[us] between 9:00 and 18:00, in whole minutes; NaN, infinity: NaT."""
    known = np.isfinite(at)
    days = np.floor(np.where(known, at, 0.0))
    minutes = 540 + np.floor((np.where(known, at, 0.0) - days) * 540)
    moments = BEGINNING.astype("datetime64[m]") + (days * 1440 + minutes).astype("timedelta64[m]")
    return np.where(known, moments, np.datetime64("NaT")).astype("datetime64[us]")


def dates(at: Array) -> Array:
    """Calendar moments as datetime64[us] at midnight; NaN, infinity: NaT."""
    return timestamps(at).astype("datetime64[D]").astype("datetime64[us]")


def in_log(at: pd.Series) -> pd.Series:
    """Tell which moments lie in the log, 2022-01-01 to 2025-12-31."""
    return at.between(LOG_FROM, LOG_END, inclusive="left")


def year_of(at: Array) -> Array:
    """Calendar years since 2020 of the moments `at`, as integers."""
    return (BEGINNING + np.floor(at).astype(int)).astype("datetime64[Y]").astype(int) - 50


def month_starts(first: int, end: int) -> Array:
    """Day numbers at which the months in [`first`, `end`) begin."""
    months = np.arange(BEGINNING + first, BEGINNING + end, dtype="datetime64[D]").astype("datetime64[M]")
    return (np.unique(months).astype("datetime64[D]") - BEGINNING).astype(int)
