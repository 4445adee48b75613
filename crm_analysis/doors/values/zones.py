"""Moments and clocks: times with a zone become local business time, once."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.datatypes as dt

from crm_analysis.doors.shapes import Unclear, is_of_spark, table_of
from crm_analysis.doors.values.reading import Habits


@ibis.udf.scalar.builtin(name="timezone", signature=((dt.string, dt.Timestamp("UTC")), dt.Timestamp()))
def _local_time(zone: str, at: Any) -> Any:
    """DuckDB's and PostgreSQL's: the clock in `zone` at a moment."""


@ibis.udf.scalar.builtin(name="timezone", signature=((dt.string, dt.Timestamp()), dt.Timestamp("UTC")))
def moment(zone: str, clock: Any) -> Any:
    """DuckDB's and PostgreSQL's: the moment at which the clock in `zone` shows `clock`."""


@ibis.udf.scalar.builtin(
    name="convert_timezone", signature=((dt.string, dt.string, dt.Timestamp()), dt.Timestamp())
)
def _other_clock(zone: str, other: str, clock: Any) -> Any:
    """Spark's: what the clock in `other` shows when that in `zone` shows `clock`."""


@ibis.udf.scalar.builtin(name="typeof", signature=((dt.Timestamp(),), dt.string))
def _spark_type(at: Any) -> Any:
    """Spark's: timestamp is a moment, timestamp_ntz a clock; Ibis shows both without a zone."""


def local(raw: Any, habits: Habits) -> Any:
    """Local business time without a zone: aware times converted once, naive ones taken as local."""
    in_spark = is_of_spark(raw)
    is_aware = _is_spark_moment(raw) if in_spark else raw.type().timezone is not None
    if not is_aware and habits.source_timezone is None:
        return raw.cast("timestamp(6)")
    if habits.timezone is None:
        raise Unclear(
            "holds times with a zone; set timezone to the local business time, such as 'Asia/Shanghai'"
        )
    if in_spark and not is_aware:
        # In the hour that comes twice in autumn Spark takes the first, DuckDB and PostgreSQL the second.
        raise Unclear(
            "holds clocks of another zone (source_timezone), which are not converted in Spark; leave "
            "source_timezone out, and convert them to the local business time in a view"
        )
    if in_spark:
        # Sessions of Ibis run in UTC, so that a moment shows the clock there.
        return _other_clock("UTC", habits.timezone, raw).cast("timestamp(6)")
    at = raw if is_aware else moment(habits.source_timezone, raw.cast("timestamp"))
    return _local_time(habits.timezone, at).cast("timestamp(6)")


def _is_spark_moment(raw: Any) -> bool:
    kinds = table_of(raw).select(kind=_spark_type(raw)).limit(1).to_pyarrow().to_pylist()
    return bool(kinds) and kinds[0]["kind"] == "timestamp"
