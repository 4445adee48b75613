"""How many opportunities are won by a given age, with the open ones counted as open."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import ibis
import pandas as pd

from crm_analysis.funnel.ageing.cumulative import aalen_johansen, age_of_share, last_supported_age
from crm_analysis.funnel.ageing.ends import ages, count_ends
from crm_analysis.workspace import parse_length

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline


@dataclass(frozen=True, eq=False)
class Incidence:
    """Shares won and lost by age.

    table : index `age` (as asked for: "30 days"), columns age_days, n_at_risk, won, won_low, won_high,
        won_se, lost, lost_low, lost_high, lost_se, open. Missing where the age exceeds every observed one.
    curve : index `age_days`, one row per day on which something ended or was last seen; the same columns
        and n_won, n_lost, n_open (that day).
    horizon_days : last age with at least 10 opportunities at risk; the eventual shares are read here.
    eventual : the curve's row at `horizon_days`.
    median_days : age by which half of the wins that happen have happened; NaN without a win. Its interval,
        and other shares than the half, are given by `days_to_win`.
    stalled : open opportunities older than any that ever closed; index opportunity_id, column age_days.
    n_opportunities, n_open : how many the curve rests on, and how many of them are open.
    n_undated : opportunities without a creation date, left out.
    level : of the intervals.
    ends : what was counted: age_days, outcome, n, and owner where mapped (missing: "").
    """

    table: pd.DataFrame
    curve: pd.DataFrame
    horizon_days: int
    eventual: pd.Series
    median_days: float
    stalled: pd.DataFrame
    n_opportunities: int
    n_open: int
    n_undated: int
    level: float
    ends: pd.DataFrame = field(repr=False)


def incidence(
    pipeline: Pipeline,
    *,
    at: Sequence[str] = ("30 days", "90 days"),
    entered_from: dt.date | str | None = None,
    entered_until: dt.date | str | None = None,
    level: float = 0.95,
) -> Incidence:
    """Shares of a pipeline's opportunities won and lost by age, open ones handled as not yet ended.

    Parameters
    ----------
    pipeline : what a door returned.
    at : ages to report, lengths with their unit.
    entered_from, entered_until : first and last creation date looked at, both included; all where not given.
    level : of the intervals, which take opportunities as independent; see `compare_speed` for owners.

    Raises
    ------
    DataError
        No opportunity has a creation date, or some close before they are created.
    ConfigError
        An age is no length with a unit.
    """
    aged = ages(pipeline, entered_from=entered_from, entered_until=entered_until)
    ends, n_undated = count_ends(aged, by=[name for name in ("owner",) if name in aged.columns])
    curve = aalen_johansen(ends["age_days"], outcome=ends["outcome"], n=ends["n"], level=level)
    horizon = last_supported_age(curve)
    closed = ends.loc[ends["outcome"] != "open", "age_days"]
    return Incidence(
        table=_read_at(curve, at),
        curve=curve,
        horizon_days=horizon,
        eventual=curve.loc[[horizon]].iloc[0],
        median_days=age_of_share(curve, share=0.5, horizon_days=horizon),
        stalled=_stalled(aged, oldest_closed=int(closed.max()) if len(closed) else None),
        n_opportunities=int(ends["n"].sum()),
        n_open=int(ends.loc[ends["outcome"] == "open", "n"].sum()),
        n_undated=n_undated,
        level=level,
        ends=ends,
    )


def _stalled(aged: ibis.Table, *, oldest_closed: int | None) -> pd.DataFrame:
    """Open opportunities older than the oldest that closed, oldest first; none where nothing ever closed."""
    if oldest_closed is None:
        return pd.DataFrame({"age_days": pd.Series(dtype="int64")}, index=pd.Index([], name="opportunity_id"))
    older = aged.filter((aged.outcome == "open") & (aged.age_days > oldest_closed))
    found = older.select("opportunity_id", "age_days").to_pandas()
    found = found.sort_values(["age_days", "opportunity_id"], ascending=[False, True])
    return found.set_index("opportunity_id").astype({"age_days": "int64"})


def _read_at(curve: pd.DataFrame, at: Sequence[str]) -> pd.DataFrame:
    """Rows of the curve at the given ages; what no opportunity is old enough to show is missing."""
    days = {age: int(parse_length(age)) for age in at}
    ended = ["n_won", "n_lost", "n_open"]
    rows = [curve.loc[:day].iloc[-1] for day in days.values()]
    table = pd.DataFrame(rows).set_axis(pd.Index(days, name="age")).drop(columns=["n_at_risk", *ended])
    table[[day > curve.index[-1] for day in days.values()]] = math.nan
    table.insert(0, "age_days", list(days.values()))
    table.insert(1, "n_at_risk", [int(curve.loc[day:, ended].to_numpy().sum()) for day in days.values()])
    return table
