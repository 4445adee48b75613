"""How many opportunities are won within a week, a month, a quarter of their creation, and ever."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import ibis
import pandas as pd

from crm_analysis.errors import ConfigError
from crm_analysis.funnel.ageing.cumulative import aalen_johansen, last_supported_age
from crm_analysis.funnel.ageing.ends import ages, count_ends
from crm_analysis.rates import wilson
from crm_analysis.workspace import parse_length

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

HORIZONS = ("7 days", "14 days", "30 days", "90 days", "ever")
# Period of creation: how it is truncated, and how its name is made from its first day.
PERIODS = {"month": "M", "quarter": "Q", "year": "Y"}


def won_within(
    pipeline: Pipeline,
    horizons: Sequence[str] = HORIZONS,
    *,
    by: str | None = None,
    entered_from: dt.date | str | None = None,
    entered_until: dt.date | str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Share of opportunities won within given times of their creation, open ones as not yet ended.

    Parameters
    ----------
    horizons : lengths with their unit, or "ever": until the age of the latest win that is seen while 10
        opportunities or more are at risk.
    by : "month", "quarter" or "year" of creation, or a column of the opportunities ("source"); all together
        where not given.
    entered_from, entered_until : first and last creation date looked at, both included.
    level : of the intervals.

    Returns
    -------
    DataFrame, index `horizon`, or (`group`, `horizon`) with `by` (periods are named "2025-03", "2025Q1",
        "2025"; a missing value is ""):
    horizon_days : of "ever", the age of the latest win.
    n : opportunities created.
    won, low, high : share won by then, from all of them (Aalen-Johansen); missing where none is old enough.
    n_old_enough : created that long ago, so that the outcome by then is known.
    n_won : of those, won by then;   share, share_low, share_high : n_won / n_old_enough (Wilson).
    complete : all of them are old enough. Where not, the rest is not yet known, which is not "not won".

    Raises
    ------
    ConfigError
        A horizon is no length, or there is no such column.
    DataError
        As `incidence`.
    """
    aged = ages(pipeline, entered_from=entered_from, entered_until=entered_until)
    aged = aged.mutate(group=_group(aged, by))
    ends, _ = count_ends(aged, by=["group"])
    days = _days(horizons, ends)
    known = _known(aged, pipeline.snapshot_at, days)
    tables = {
        _name(str(group), by): _table(rows, known[str(group)], days, level)
        for group, rows in ends.groupby("group", sort=True)
    }
    return pd.concat(tables, names=["group"]) if by is not None else next(iter(tables.values()))


def _group(aged: ibis.Table, by: str | None) -> Any:
    if by is None:
        return ibis.literal("")
    if by in PERIODS:
        return aged.created_on.truncate(PERIODS[by]).cast("string")
    if by not in aged.columns:
        expected = [*PERIODS, *sorted(aged.columns)]
        raise ConfigError(f"won_within: by = {by!r}; expected one of {expected}")
    return ibis.coalesce(aged[by].cast("string"), "")


def period_name(first_day: str, by: str) -> str:
    """Name of the month, quarter or year that begins on a day: "2025-03", "2025Q1", "2025"."""
    return str(pd.Period(first_day[:10], freq=PERIODS[by]))


def _name(group: str, by: str | None) -> str:
    return period_name(group, by) if by in PERIODS and by is not None else group


def _days(horizons: Sequence[str], ends: pd.DataFrame) -> dict[str, int]:
    """Days of each horizon; those of "ever" are read off all opportunities together."""
    curve = aalen_johansen(ends["age_days"], outcome=ends["outcome"], n=ends["n"])
    won = curve.loc[: last_supported_age(curve), "n_won"]
    latest = int(won.index[won > 0].max()) if (won > 0).any() else int(won.index[-1])
    return {horizon: latest if horizon == "ever" else int(parse_length(horizon)) for horizon in horizons}


def _known(aged: ibis.Table, snapshot_at: dt.date, days: dict[str, int]) -> dict[str, dict[str, int]]:
    """Of each group: n, and for each horizon how many are old enough and how many of these were won."""
    dated = aged.filter(aged.created_on.notnull())  # noqa: PD004, Ibis knows this name only
    seen = ibis.literal(snapshot_at).delta(dated.created_on, unit="day")
    counts: dict[str, Any] = {"n": dated.count()}
    for horizon, limit in days.items():
        in_time = (dated.outcome == "won") & (dated.age_days <= limit)
        counts[f"old enough {horizon}"] = (seen >= limit).ifelse(1, 0).sum()
        counts[f"won {horizon}"] = ((seen >= limit) & in_time).ifelse(1, 0).sum()
    rows = dated.group_by("group").agg(**counts).to_pyarrow().to_pylist()
    return {row.pop("group"): row for row in rows}


def _table(ends: pd.DataFrame, known: dict[str, int], days: dict[str, int], level: float) -> pd.DataFrame:
    curve = aalen_johansen(ends["age_days"], outcome=ends["outcome"], n=ends["n"], level=level)
    rows = {horizon: _row(curve, known, horizon, limit, level) for horizon, limit in days.items()}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("horizon")
    return table.astype({"horizon_days": int, "n": int, "n_old_enough": int, "n_won": int, "complete": bool})


def _row(
    curve: pd.DataFrame, known: dict[str, int], horizon: str, limit: int, level: float
) -> dict[str, Any]:
    n, n_old, n_won = (known[name] for name in ("n", f"old enough {horizon}", f"won {horizon}"))
    at = curve.loc[:limit].iloc[-1]
    low, high = wilson(n_won, n=n_old, level=level)
    unknown = n_old == 0
    return {
        "horizon_days": limit,
        "n": n,
        **{
            name: math.nan if unknown else float(at[column])
            for name, column in (("won", "won"), ("low", "won_low"), ("high", "won_high"))
        },
        "n_old_enough": n_old,
        "n_won": n_won,
        "share": math.nan if unknown else n_won / n_old,
        "share_low": math.nan if unknown else low,
        "share_high": math.nan if unknown else high,
        "complete": n_old == n,
    }
