"""Money that moves between periods where the ledger's midnight is that of another time zone."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pandas as pd

from crm_analysis.doors.control.reason import Reason

if TYPE_CHECKING:
    from crm_analysis.doors.transactions import Transactions

QUARTERS_OF_A_DAY = 96


@dataclass(frozen=True)
class Clocks:
    """Time zones that a ledger may be kept in: ours, and that of the source where it is another."""

    local: str | None = None
    source: str | None = None


def of_clocks(log: Transactions, bounds: list[dt.date], clocks: Clocks) -> list[Reason]:
    """Money that moves between periods where midnight is that of another zone."""
    if clocks.local is None:
        return []
    near = _near_midnight(log, bounds)
    if near.empty or not (near["quarter"] > 0).any():
        return []
    local = ZoneInfo(clocks.local)
    zones = {"UTC": ZoneInfo("UTC")} | ({clocks.source: ZoneInfo(clocks.source)} if clocks.source else {})
    found = []
    for name, zone in zones.items():
        later = {day: _ahead(local, day) - _ahead(zone, day) for day in bounds}
        said = f"the ledger's days are those of {name}"
        found.append(Reason(f"days of {name}", _shifted(near, later), said, "clock", "sales around midnight"))
    if clocks.source is None:
        later = {day: -_ahead(local, day) for day in bounds}
        said = 'the times of the source are those of UTC: set source_timezone = "UTC"'
        found.append(
            Reason("times read as local", _shifted(near, later), said, "clock", "sales around midnight")
        )
    return found


def _near_midnight(log: Transactions, bounds: list[dt.date]) -> pd.DataFrame:
    """Money per quarter of an hour on the days at which a period ends or begins: day, quarter, value."""
    days = sorted({*bounds, *(day - dt.timedelta(days=1) for day in bounds)})
    lines = log.lines.filter(log.lines.occurred_on.isin(days))
    at = lines.occurred_at
    quarter = (at.hour() * 4 + (at.minute() / 15).floor()).cast("int64")
    rows = lines.group_by(day=lines.occurred_on, quarter=quarter).agg(
        value=lines.amount.sum().cast("float64")
    )
    return rows.to_pandas().assign(day=lambda t: pd.to_datetime(t["day"]))


def _shifted(near: pd.DataFrame, offsets: dict[dt.date, int]) -> pd.Series:
    """Money that moves if a day begins so many quarters of an hour after local midnight, or before it."""
    moved: dict[pd.Timestamp, float] = {}
    for bound, later in offsets.items():
        day = pd.Timestamp(bound)
        before = day - pd.Timedelta(days=1)
        if later >= 0:
            money = near.loc[(near["day"] == day) & (near["quarter"] < later), "value"].sum()
        else:
            late = near["quarter"] >= QUARTERS_OF_A_DAY + later
            money = -near.loc[(near["day"] == before) & late, "value"].sum()
        moved[day] = moved.get(day, 0.0) + money
        moved[before] = moved.get(before, 0.0) - money
    return pd.Series(moved).round(4)


def _ahead(zone: ZoneInfo, day: dt.date) -> int:
    """Quarters of an hour that the clock is ahead of UTC at the beginning of a day."""
    ahead = dt.datetime.combine(day, dt.time(), zone).utcoffset() or dt.timedelta()
    return round(ahead / dt.timedelta(minutes=15))
