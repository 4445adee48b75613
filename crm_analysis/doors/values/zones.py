"""Moments and clocks: times with a zone become local business time, once."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.datatypes as dt

from crm_analysis.doors.shapes import Unclear
from crm_analysis.doors.values.reading import Habits


@ibis.udf.scalar.builtin(name="timezone", signature=((dt.string, dt.Timestamp("UTC")), dt.Timestamp()))
def _local_time(zone: str, at: Any) -> Any:
    """DuckDB's and PostgreSQL's: the clock in `zone` at a moment."""


@ibis.udf.scalar.builtin(name="timezone", signature=((dt.string, dt.Timestamp()), dt.Timestamp("UTC")))
def moment(zone: str, clock: Any) -> Any:
    """DuckDB's and PostgreSQL's: the moment at which the clock in `zone` shows `clock`."""


def local(raw: Any, habits: Habits) -> Any:
    """Local business time without a zone: aware times converted once, naive ones taken as local."""
    at = raw
    if raw.type().timezone is None:
        if habits.source_timezone is None:
            return raw.cast("timestamp(6)")
        at = moment(habits.source_timezone, raw.cast("timestamp"))
    if habits.timezone is None:
        raise Unclear(
            "holds times with a zone; set timezone to the local business time, such as 'Asia/Shanghai'"
        )
    return _local_time(habits.timezone, at).cast("timestamp(6)")
