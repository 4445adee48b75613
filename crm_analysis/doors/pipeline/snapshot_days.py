"""The day of each snapshot: in the name of its file, or else of the folder that it lies in."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from crm_analysis.errors import ConfigError

_MONTHS = {name.lower(): n for names in (calendar.month_abbr, calendar.month_name)
           for n, name in enumerate(names) if name} | {"sept": 9}  # fmt: skip
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_YEAR_FIRST = (
    # A time of day may follow without a sign between: 20250131060000.
    re.compile(r"(?<!\d)(?P<y>\d{4})[-_.]?(?P<m>\d{2})[-_.]?(?P<d>\d{2})(?:\d{4}(?:\d{2})?)?(?!\d)"),
    re.compile(r"(?P<y>\d{4})年(?P<m>\d{1,2})月(?P<d>\d{1,2})日"),
)
_YEAR_LAST = (
    re.compile(r"(?<!\d)(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})(?!\d)"),
    re.compile(rf"(?<!\d)(?P<d>\d{{1,2}})[-_. ]?(?P<m>{_MONTH})[-_. ]?(?P<y>\d{{4}})(?!\d)", re.IGNORECASE),
    re.compile(
        rf"(?<![a-z])(?P<m>{_MONTH})[-_. ]?(?P<d>\d{{1,2}})[-_., ]+(?P<y>\d{{4}})(?!\d)", re.IGNORECASE
    ),
)
_TWO_WAYS = re.compile(r"(?<!\d)(\d{1,2})[-_](\d{1,2})[-_](\d{4})(?!\d)")
_MONTH_ONLY = re.compile(
    rf"(?<!\d)\d{{4}}[-_.]?(?:0[1-9]|1[0-2])(?!\d)|(?<![a-z])(?:{_MONTH})[-_. ]?\d{{4}}|\d{{4}}年\d{{1,2}}月",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _TwoWays:
    """Two numbers and a year: day and month, or month and day."""

    first: int
    second: int
    year: int

    def day(self, day_first: bool) -> dt.date:
        month, day = (self.second, self.first) if day_first else (self.first, self.second)
        return dt.date(self.year, month, day)


def days_of(files: Sequence[Path], root: Path, *, dates: str | None = None) -> dict[Path, dt.date]:
    """Day of every file.

    Parameters
    ----------
    root : folder of the snapshots; names of folders above it say nothing.
    dates : "day first" or "month first", where names such as 01-02-2025 do not prove it.

    Raises
    ------
    ConfigError
        A name carries no day, several, or one that can be read in two ways.
    """
    found = {file: _found_in(file, root) for file in files}
    two_ways = {file: day for file, day in found.items() if isinstance(day, _TwoWays)}
    day_first = _day_first(two_ways, dates) if two_ways else True
    return {file: _settled(file, day, day_first) for file, day in found.items()}


def _settled(file: Path, day: dt.date | _TwoWays, day_first: bool) -> dt.date:
    try:
        return day.day(day_first) if isinstance(day, _TwoWays) else day
    except ValueError:
        raise _no_day(file) from None


def _found_in(file: Path, root: Path) -> dt.date | _TwoWays:
    """Day in the name of the file, or in that of the nearest folder that has one."""
    inside = file.relative_to(root) if file.is_relative_to(root) else Path(file.name)
    for name in reversed(inside.parts):
        days = _days_in(name)
        if len(days) == 1:
            return days.pop()
        if days:
            break
    raise _no_day(file)


def _days_in(name: str) -> set[dt.date | _TwoWays]:
    try:
        for patterns in (_YEAR_FIRST, _YEAR_LAST):
            if days := set(_dates(name, patterns)):
                return {*days}
    except ValueError:
        return set()
    return {_TwoWays(*map(int, parts)) for parts in _TWO_WAYS.findall(name)}


def _dates(name: str, patterns: Sequence[re.Pattern[str]]) -> Iterator[dt.date]:
    for pattern in patterns:
        for match in pattern.finditer(name):
            month = match["m"].lower()
            yield dt.date(int(match["y"]), _MONTHS.get(month) or int(month), int(match["d"]))


def _no_day(file: Path) -> ConfigError:
    month = None if _days_in(file.name) else _MONTH_ONLY.search(file.name)
    what = f"carries a month, {month[0]!r}, and not the day" if month else "does not carry one date"
    return ConfigError(
        f"pipeline: the name {file.name!r} {what}; name snapshots such as deals_2025-01-31.csv, "
        "or map snapshot_on to a column of dates"
    )


def _day_first(found: dict[Path, _TwoWays], dates: str | None) -> bool:
    """Whether the first number is the day: where one is over 12, or the two are always the same."""
    if dates in ("day first", "month first"):
        return dates == "day first"
    first, second = (any(getattr(day, part) > 12 for day in found.values()) for part in ("first", "second"))
    if first != second:
        return first
    if all(day.first == day.second for day in found.values()):
        return True
    raise ConfigError(
        f"pipeline: the names of the snapshots {sorted(file.name for file in found)[:2]} can be read day "
        'first or month first; set dates = "day first" or "month first", or write the year first'
    )
