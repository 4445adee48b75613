"""A clock that runs with the season: on it every purchase model holds as it is.

Customers buy at their own rate times the index of the month. Let the days of a strong month be long and
those of a weak one short, in proportion to the index, and the rate is constant again. So nothing in a model
changes: the customer table is put on the season's clock, and so is the horizon. A whole year is as long as
before, since the index has mean 1 over its days. It is the purchases that have a season here; who leaves by
the calendar (Pareto/NBD) does so on the season's clock too, which differs within a year only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from crm_analysis.clv.histories import FloatArray
from crm_analysis.clv.units import CLOCK, horizon_days
from crm_analysis.errors import ConfigError, DataError

if TYPE_CHECKING:
    from crm_analysis.doors.transactions import Transactions

MONTH_DAYS = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
Day = str | date


@dataclass(frozen=True)
class Season:
    """How strong each month is.

    index : January to December, mean 1 over the days of a year.
    source : "given", "estimated", or "none": all ones, and forecasts are not seasonally adjusted.
    standard_errors : of the index, where it was estimated.
    p_value : chance of an index as uneven as was found if no month differed; None where none was looked for.
    reason : why there is none: "" (nobody asked), "short log", or "chance" (no month differs beyond it).
    """

    index: tuple[float, ...]
    source: Literal["given", "estimated", "none"]
    standard_errors: tuple[float, ...] | None = None
    p_value: float | None = None
    reason: Literal["", "short log", "chance"] = ""

    @property
    def adjusted(self) -> bool:
        """Whether forecasts on this clock are seasonally adjusted."""
        return self.source != "none"

    @property
    def table(self) -> pd.DataFrame:
        """Index by month (1 to 12), with its 95% range where it was estimated."""
        months = pd.RangeIndex(1, 13, name="month")
        errors = np.array(self.standard_errors) if self.standard_errors else np.full(12, np.nan)
        index = np.array(self.index)
        factor = np.exp(1.96 * errors / index)
        return pd.DataFrame({"index": index, "low": index / factor, "high": index * factor}, months)

    def on_clock(self, customers: pd.DataFrame, *, observed_until: Day) -> pd.DataFrame:
        """Return the customers with t_last and t_observed in whole days of the season's clock.

        Parameters
        ----------
        customers : first_at, n_repeat, t_last and t_observed, as `summarise_customers` gives them.
        observed_until : last day observed, which t_observed counts to.

        Raises
        ------
        DataError
            t_observed does not count from first_at to observed_until: the table is of another day.
        """
        if not self.adjusted:
            return customers
        first, last, until = _days_of(customers, observed_until)
        t_last = np.round(self.elapsed(first, last)).astype(np.int64)
        t_last = np.where(customers["n_repeat"] > 0, np.maximum(t_last, 1), 0)
        t_observed = np.round(self.elapsed(first, until)).astype(np.int64)
        on_clock = customers.assign(t_last=t_last, t_observed=np.maximum(t_observed, t_last))
        on_clock.attrs[CLOCK] = self.index
        return on_clock

    def split(self, log: Transactions, *, at: Day, until: Day) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the two tables of `split_holdout`, on this clock."""
        from crm_analysis.customers import split_holdout  # reads a log, and so needs the engine

        known, happened = split_holdout(log, at=at, until=until)
        return self.on_clock(known, observed_until=at), self.holdout_on_clock(happened, observed_until=at)

    def holdout_on_clock(self, holdout: pd.DataFrame, *, observed_until: Day) -> pd.DataFrame:
        """Return a holdout (see `split_holdout`) with its duration in days of the season's clock.

        Parameters
        ----------
        observed_until : last day of the calibration, after which the holdout begins.
        """
        days = {
            float(d): self.days(f"{d} days", observed_until=observed_until)
            for d in holdout["duration"].unique()
        }
        return holdout.assign(duration=holdout["duration"].astype(float).map(days))

    def elapsed(self, since: np.ndarray, until: np.ndarray) -> FloatArray:
        """Days on the season's clock from the end of one date to the end of another, element by element."""
        return self._between(_end_of(since), _end_of(until))

    def days(self, horizon: Day, *, observed_until: Day) -> float:
        """Return the length of a horizon, which begins at the end of `observed_until`, on this clock."""
        days = horizon_days(horizon, observed_until=observed_until)
        begin = _end_of(np.array([observed_until], dtype="datetime64[D]"))
        return float(self._between(begin, begin + days)[0])

    def length(self, horizon: Day, *, observed_until: Day) -> str:
        """Return the same as a horizon in words, for the models: "365.08 days"."""
        return f"{self.days(horizon, observed_until=observed_until):.6f} days"

    def _between(self, begin: FloatArray, end: FloatArray) -> FloatArray:
        """Days on the season's clock between moments, in days since 1970; a day is as strong as its month."""
        low, high = int(np.floor(np.min(begin, initial=0))), int(np.ceil(np.max(end, initial=1)))
        dates = np.arange(low, high).astype("datetime64[D]").astype("datetime64[M]").astype(int)
        clock = np.concatenate([[0.0], np.cumsum(np.array(self.index)[dates % 12])])
        edges = np.arange(low, high + 1)
        return np.interp(end, edges, clock) - np.interp(begin, edges, clock)


def season_finding(season: Season) -> tuple[str, dict[str, float]]:
    """Say where an index comes from, or why there is none, with the strongest and the weakest month.

    Returns
    -------
    key : "given", "estimated", "short_log", "chance" or "none" (nobody asked).
    values : strongest and weakest (months, 1 to 12), high and low (their index), each with its 95% range
        (high_from, high_to, low_from, low_to), and p_value; NaN where not estimated.
    """
    table = season.table
    strongest, weakest = int(np.argmax(season.index)), int(np.argmin(season.index))
    values: dict[str, float] = {"strongest": strongest + 1, "weakest": weakest + 1}
    for name, month in (("high", strongest), ("low", weakest)):
        index, low, high = table.to_numpy(float)[month]
        values |= {name: float(index), f"{name}_from": float(low), f"{name}_to": float(high)}
    key = season.source if season.adjusted else season.reason.replace(" ", "_") or "none"
    return key, values | {"p_value": np.nan if season.p_value is None else season.p_value}


NO_SEASON = Season((1.0,) * 12, "none")


def given_season(index: Sequence[float]) -> Season:
    """Return the season of an index that somebody knows; only its proportions matter.

    Raises
    ------
    ConfigError
        Not 12 numbers, or one that is not positive and finite.
    """
    values = np.asarray(index, dtype=float)
    if values.shape != (12,):
        raise ConfigError(f"season: {values.size} numbers {list(index)}; expected 12, January to December")
    if not ((values > 0) & np.isfinite(values)).all():
        raise ConfigError(
            f"season: {list(index)}; expected positive numbers, such as 0.8 for a month that sells 20% less"
        )
    return Season(tuple(normalised(values).tolist()), "given")


def normalised(index: FloatArray) -> FloatArray:
    """Scale an index so that its mean over the days of a year is 1."""
    return index * MONTH_DAYS.sum() / (index @ MONTH_DAYS)


def _days_of(customers: pd.DataFrame, observed_until: Day) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first = customers["first_at"].to_numpy("datetime64[D]")
    until = np.datetime64(str(observed_until)[:10], "D")
    wrong = (until - first).astype(int) != customers["t_observed"].to_numpy()
    if wrong.any():
        row = customers[wrong].iloc[0]
        raise DataError(
            f"season: in {wrong.sum()} of {len(customers)} customers t_observed does not count from first_at "
            f"to {until}, first customer {customers.index[wrong][0]!r}: first_at {row['first_at']:%Y-%m-%d}, "
            f"t_observed {row['t_observed']}; give the day up to which the table was made, once"
        )
    return first, first + customers["t_last"].to_numpy().astype("timedelta64[D]"), np.array([until])


def _end_of(dates: np.ndarray) -> FloatArray:
    return dates.astype("datetime64[D]").astype(float) + 1
