"""Dates written as numbers: days as Excel counts them, seconds or milliseconds since 1970."""

from __future__ import annotations

from typing import Any

from crm_analysis.doors.shapes import full
from crm_analysis.doors.values.zones import moment

# Day 25,569 of Excel is 1970-01-01; its days 10,000 to 73,050 are 1927-05-18 to 2099-12-31.
DAY_1970, FIRST, LAST = 25_569, 10_000, 73_050
FROM_1904 = 1_462
MS_PER_DAY = 86_400_000
LATEST_SECOND = 4_102_444_800
STATED = {
    "excel serial": "an Excel serial number from 10000 to 73050",
    "excel serial 1904": "an Excel serial number, counted from 1904",
    "epoch seconds": "seconds since 1970, up to the year 2100",
    "epoch milliseconds": "milliseconds since 1970, up to the year 2100",
}


def time_of_number(text: Any, style: str) -> Any:
    """Time of texts that count in the style, NULL where they do not; epochs are moments."""
    number = full(text, r"[0-9]{1,13}(?:\.[0-9]+)?").ifelse(text, None).try_cast("float64")
    if style.startswith("excel"):
        days = number + FROM_1904 if style.endswith("1904") else number
        days = days.between(FIRST, LAST + 1).ifelse(days, None)
        return ((days - DAY_1970) * MS_PER_DAY).round().cast("int64").as_timestamp("ms").cast("timestamp(6)")
    seconds = number / 1000 if style == "epoch milliseconds" else number
    seconds = (seconds < LATEST_SECOND).ifelse(seconds, None)
    return moment("UTC", (seconds * 1_000).round().cast("int64").as_timestamp("ms").cast("timestamp"))
