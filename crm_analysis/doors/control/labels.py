"""Which period a ledger means: the ways in which people write a month, a quarter or a year."""

from __future__ import annotations

import calendar as names
import re

from crm_analysis.errors import ConfigError
from crm_analysis.workspace import Calendar, Period

_MONTHS = {
    name.lower(): i
    for several in (names.month_name, names.month_abbr)
    for i, name in enumerate(several)
    if name
}
_FORMS = tuple(
    re.compile(form)
    for form in (
        r"(?P<year>\d{4})",
        r"(?P<year>\d{4})\s*年",
        r"FY\s*(?P<year>\d{4})",
        r"(?P<year>\d{4})(?P<month>0[1-9]|1[0-2])",
        r"(?P<year>\d{4})[-/. ](?P<month>\d{1,2})",
        r"(?P<month>\d{1,2})[-/. ](?P<year>\d{4})",
        r"(?P<year>\d{4})\s*年\s*(?P<month>\d{1,2})\s*月",
        r"(?P<name>[A-Za-z]{3,9})\.?[-/ ]?(?P<year>\d{4})",
        r"(?P<year>\d{4})[-/ ]?(?P<name>[A-Za-z]{3,9})",
        r"(?P<year>\d{4})\s*[-/ ]?\s*[Qq](?P<quarter>[1-4])",
        r"[Qq](?P<quarter>[1-4])\s*[-/ ]?\s*(?P<year>\d{4})",
        r"(?P<year>\d{4})\s*年\s*第?\s*(?P<quarter>[1-4])\s*季度?",
        r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})(?:[T ]00:00(?::00)?(?:\.0+)?)?",
    )
)


def period_of(text: str, calendar: Calendar) -> Period:
    """Period that a ledger calls so: "2025-03", "03/2025", "Mar 2025", "2025年3月", "Q1 2025", "2025".

    A date is its month, if it is the month's first or last day.

    Raises
    ------
    ConfigError
        None of these.
    """
    found = next((match for form in _FORMS if (match := form.fullmatch(text.strip()))), None)
    parts = found.groupdict() if found else {}
    month = _MONTHS.get((parts.get("name") or "").lower()) or int(parts.get("month") or 0)
    if found and parts.get("quarter"):
        return Period.parse(f"{parts['year']}Q{parts['quarter']}", calendar)
    if found and 1 <= month <= 12 and _is_a_whole_month(int(parts["year"]), month, parts.get("day")):
        return Period.parse(f"{parts['year']}-{month:02}", calendar)
    if found and set(parts) == {"year"}:
        return Period.parse(parts["year"], calendar)
    raise ConfigError(
        f"period {text!r}: a month such as '2025-12', a quarter such as '2025Q4', a year, or the first or "
        "last day of a month was expected"
    )


def _is_a_whole_month(year: int, month: int, day: str | None) -> bool:
    return day is None or int(day) in (1, names.monthrange(year, month)[1])
