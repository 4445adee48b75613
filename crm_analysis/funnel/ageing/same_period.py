"""How many of a month's opportunities are won within that same month, and how many ever."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel.ageing.ends import ages, count_ends
from crm_analysis.funnel.ageing.horizons import PERIODS, period_name, won_within
from crm_analysis.rates import wilson

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline


@dataclass(frozen=True, eq=False)
class WonInPeriod:
    """Opportunities won in the calendar period in which they were created.

    table : index `period` ("2025-03", "2025Q1" or "2025"), without gaps between the first and the last:
        n_created; n_won_in_period; share, low, high (Wilson; missing where nothing was created); complete
        (the period is over at the snapshot: the share will not change); n_won (so far), n_open; ever,
        ever_low, ever_high (share won in the end, Aalen-Johansen; missing until all of the period are as
        old as the latest win).
    overall : the same of all complete periods together (n_created, n_won_in_period, share, low, high, n_won,
        n_open), and ever, ever_low, ever_high from all opportunities.
    by, level : as asked for.
    """

    table: pd.DataFrame
    overall: pd.Series
    by: str
    level: float


def won_in_period(
    pipeline: Pipeline,
    *,
    by: str = "month",
    entered_from: dt.date | str | None = None,
    entered_until: dt.date | str | None = None,
    level: float = 0.95,
) -> WonInPeriod:
    """Share of the opportunities created in a period and won before it ended, beside the share ever won.

    Parameters
    ----------
    by : "month", "quarter" or "year", of the calendar.
    entered_from, entered_until : first and last creation date looked at, both included.

    Raises
    ------
    ConfigError
        There is no such period.
    DataError
        As `incidence`; or no period is over at the snapshot.
    """
    period: dict[str, Any] = {"entered_from": entered_from, "entered_until": entered_until}
    table, done = _periods(pipeline, by, level, **period)
    names = {"won": "ever", "low": "ever_low", "high": "ever_high"}
    ever = won_within(pipeline, ["ever"], level=level, **period)[list(names)].rename(columns=names)
    each = won_within(pipeline, ["ever"], by=by, level=level, **period).droplevel("horizon")
    table.index = pd.Index([str(p) for p in table.index], name="period")
    eventual = each.loc[each["complete"], list(names)].reindex(table.index).rename(columns=names)
    shares = pd.DataFrame([_share(row, level) for _, row in table.iterrows()], index=table.index)
    first = ["n_created", "n_won_in_period"]
    return WonInPeriod(
        table=table[first].join(shares).join(table.drop(columns=first)).join(eventual),
        overall=pd.concat([done, ever.iloc[0]]),
        by=by,
        level=level,
    )


def share_in_period(
    pipeline: Pipeline,
    *,
    by: str = "month",
    entered_from: dt.date | str | None = None,
    entered_until: dt.date | str | None = None,
    level: float = 0.95,
) -> pd.Series:
    """`won_in_period(...).overall` without the shares ever won, which take most of the time."""
    return _periods(pipeline, by, level, entered_from=entered_from, entered_until=entered_until)[1]


def _periods(pipeline: Pipeline, by: str, level: float, **period: Any) -> tuple[pd.DataFrame, pd.Series]:
    """Counts of every period, with whether it is over; and those of all that are over, with their share."""
    if by not in PERIODS:
        raise ConfigError(f"won_in_period: by = {by!r}; expected one of {list(PERIODS)}")
    table = _counted(pipeline, by, **period)
    table["complete"] = [p.end_time.date() <= pipeline.snapshot_at for p in table.index]
    if not table["complete"].any():
        raise DataError(
            f"won_in_period: no {by} is over at {pipeline.snapshot_at}; give a shorter period than {by!r}"
        )
    done = table.loc[table["complete"], ["n_created", "n_won_in_period", "n_won", "n_open"]].sum()
    return table, pd.concat([done, pd.Series(_share(done, level))])


def _counted(pipeline: Pipeline, by: str, **period: Any) -> pd.DataFrame:
    """n_created, n_won_in_period, n_won and n_open of every period from the first to the last."""
    aged = ages(pipeline, **period)
    count_ends(aged)
    aged = aged.filter(aged.created_on.notnull())  # noqa: PD004, Ibis knows this name only
    won = aged.outcome == "won"
    unit = PERIODS[by]
    same = won & (aged.closed_on.truncate(unit) == aged.created_on.truncate(unit))
    counts = {
        "n_created": aged.count(),
        "n_won_in_period": same.ifelse(1, 0).sum(),
        "n_won": won.ifelse(1, 0).sum(),
        "n_open": (aged.outcome == "open").ifelse(1, 0).sum(),
    }
    found = aged.group_by(first_day=aged.created_on.truncate(unit).cast("string")).agg(**counts).to_pandas()
    named = [pd.Period(period_name(day, by), freq=unit) for day in found.pop("first_day")]
    found.index = pd.PeriodIndex(named, name="period")
    every = pd.period_range(found.index.min(), found.index.max(), freq=unit, name="period")
    return found.reindex(every, fill_value=0).astype("int64")


def _share(counts: pd.Series, level: float) -> dict[str, float]:
    n, k = float(counts["n_created"]), float(counts["n_won_in_period"])
    if n == 0:
        return dict.fromkeys(("share", "low", "high"), float("nan"))
    low, high = wilson(k, n=n, level=level)
    return {"share": k / n, "low": low, "high": high}
