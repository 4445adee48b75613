"""Calendar steps: whole days, weeks, months or years from one day to another.

A step of months or years ends on the day of the month on which it began, or on the last one of a shorter
month.
"""

from __future__ import annotations

import re

from crm_analysis.errors import ConfigError

_STEP = re.compile(r"([1-9]\d*)\s*(day|week|month|year)s?")
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}


def step_of(unit: str) -> tuple[int, str]:
    """How many "day" or "month" a step is: (7, "day") for "1 week", (12, "month") for "1 year".

    Raises
    ------
    ConfigError
        The unit is no whole number of days, weeks, months or years.
    """
    match = _STEP.fullmatch(unit.strip()) if isinstance(unit, str) else None
    if not match:
        raise ConfigError(f"unit {unit!r}: expected whole days, weeks, months or years, such as '1 month'")
    grain = "day" if match[2] in _DAYS else "month"
    return int(match[1]) * (_DAYS | _MONTHS)[match[2]], grain
