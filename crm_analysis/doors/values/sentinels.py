"""Dates that stand for none: 1900-01-01, 9999-12-31 and the like, far outside the dates of a column."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import ibis

from crm_analysis.doors.shapes import full, table_of
from crm_analysis.doors.values.reading import Reading

SENTINELS = [
    dt.date.fromisoformat(day)
    for day in (
        "0001-01-01", "1753-01-01", "1800-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1901-01-01",
        "1970-01-01", "2099-12-31", "9999-12-31",
    )
]  # fmt: skip
FAR = dt.timedelta(days=5 * 365)
# No digit but 0, in the form of a date or of a number.
ZEROS = r"[0:/. T-]*0[0:/. T年月日-]*"


def with_sentinels(reading: Reading, raw: Any, at: Any) -> Reading:
    """Reading of times that takes a closer look at days which may stand for none; `at` before conversion."""
    odd = _day(at).isin(SENTINELS)
    if raw.type().is_string():
        odd = odd | reading.unreadable
    return replace(reading, odd=odd, closer=lambda: _closer(reading, raw, at))


def _day(at: Any) -> Any:
    return at.date()


def _closer(reading: Reading, raw: Any, at: Any) -> Reading:
    day, zeros = _day(at), raw.notnull() & ibis.literal(False)
    if raw.type().is_string():
        zeros = reading.unreadable & full(raw.strip(), ZEROS)
    far = _far(day)
    stands_for_none = day.isin(far) if far else ibis.literal(False)
    counts = _counts(raw, day, far, zeros)
    if not counts:
        return reading
    told = " and ".join(f"{day} ({n:,} rows)" for day, n in counts.items())
    note = ("sentinel dates", f"holds {told}, far from its other dates; they are read as missing")
    return replace(
        reading,
        value=stands_for_none.ifelse(None, reading.value),
        unreadable=reading.unreadable & ~zeros,
        notes=(*reading.notes, note),
    )


def _far(day: Any) -> list[dt.date]:
    """Sentinels that lie years outside the other dates; none where there are no others."""
    table = table_of(day)
    other = ~day.isin(SENTINELS)
    row = table.agg(low=day.min(where=other), high=day.max(where=other)).to_pyarrow().to_pylist()[0]
    if row["low"] is None:
        return []
    return [one for one in SENTINELS if row["low"] - one > FAR or one - row["high"] > FAR]


def _counts(raw: Any, day: Any, far: list[dt.date], zeros: Any) -> dict[str, int]:
    """Rows of each sentinel, and those with zeros only."""
    table = table_of(raw)
    asked = {str(one): (day == one).sum() for one in far} | {"zeros only": zeros.cast("int64").sum()}
    row = table.agg(**asked).to_pyarrow().to_pylist()[0]
    return {name: int(n) for name, n in row.items() if n}
