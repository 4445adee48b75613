"""How the values of one source column become typed: judged over the whole column, never guessed.

A `Reading` is the typed expression and what makes a row unreadable. Text is read by DuckDB only, with a
pattern before every cast (DuckDB rounds silently, and reads more than it says); typed columns are cast with
expressions that other engines know too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from crm_analysis.doors.dates import time_of
from crm_analysis.doors.numbers import number_of
from crm_analysis.doors.schema import Column
from crm_analysis.doors.shapes import Unclear, missing, says_nothing

MONEY = "decimal(18, 4)"
LARGEST = 10**14


@dataclass(frozen=True)
class Reading:
    """A source column understood: its typed value, and the rows that do not fit.

    text : the content of the row, for messages.     expected : what a readable row looks like.
    empty : rows with a word for nothing, such as "NULL"; where no row has one, `text` is the value as it is.
    slow : the value takes long to compute.
    style : how the values are written where the column settled it, such as "dates day first".
    notes : what should be said of the column, as (name, rest of the sentence after "column 'date' (for
        occurred_at) "), such as ("Excel serial numbers", "holds Excel serial numbers, read as ...").
    """

    value: ir.Value
    unreadable: Any
    text: ir.Value
    expected: str
    empty: Any = None
    slow: bool = False
    style: str = ""
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Habits:
    """What the caller says about the values of a source; None where the column itself must prove it."""

    dates: str | None = None
    decimal: str | None = None
    timezone: str | None = None
    source_timezone: str | None = None


@ibis.udf.scalar.builtin(name="timezone", signature=((dt.string, dt.Timestamp("UTC")), dt.Timestamp()))
def _local_time(zone: str, at: Any) -> Any:
    """DuckDB's and PostgreSQL's: the clock in `zone` at a moment."""


@ibis.udf.scalar.builtin(name="timezone", signature=((dt.string, dt.Timestamp()), dt.Timestamp("UTC")))
def _moment(zone: str, clock: Any) -> Any:
    """DuckDB's and PostgreSQL's: the moment at which the clock in `zone` shows `clock`."""


def read_column(column: Column, raw: ir.Value, *, habits: Habits, parses_text: bool) -> Reading:
    """How `raw` becomes what `column` should hold.

    Raises
    ------
    Unclear
        The type does not fit, or the text can be read in more than one way.
    """
    if isinstance(raw.type(), dt.String) and column.kind not in ("id", "text") and not parses_text:
        raise Unclear(_cast_to_write(column, raw))
    reader = {"id": _id, "text": _id, "money": _money, "number": _number, "time": _time, "day": _day}
    return reader.get(column.kind, _flag)(raw, habits, parses_text)


def _cast_to_write(column: Column, raw: ir.Value) -> str:
    kind = {"money": "NUMERIC(18, 4)", "number": "DOUBLE PRECISION", "time": "TIMESTAMP", "day": "DATE"}
    wanted = kind.get(column.kind, "BOOLEAN")
    return (
        f"is text in the database, {wanted} was expected; "
        f'read a view instead, with CAST("{raw.get_name()}" AS {wanted}) AS "{raw.get_name()}"'
    )


def product(quantity: Any, price: Any) -> Any:
    """Quantity times a price, as money.

    Floating point is exact enough here: below 10**9 its error is a thousandth of the last decimal kept.
    """
    return (quantity * price.cast("float64")).cast(MONEY)


def _id(raw: ir.Value, habits: Habits, parses_text: bool) -> Reading:
    """Text as it is, leading zeros kept; whole numbers as their digits."""
    kind = raw.type()
    if kind.is_string():
        empty = says_nothing(raw) if parses_text else raw.strip() == ""
        return Reading(empty.ifelse(ibis.null("string"), raw), ibis.literal(False), raw, "text", empty)
    if kind.is_floating():
        number = _finite(raw)
        whole = (number == number.floor()) & (number.abs() < 2**53)
        value = whole.ifelse(number, ibis.null(kind)).cast("int64").cast("string")
        return Reading(
            value, ~whole, raw, "a whole number below 2**53 (as a number, a longer one has lost digits)"
        )
    if kind.is_decimal() and kind.scale != 0:
        whole = raw == raw.floor()
        return Reading(raw.cast("decimal(38, 0)").cast("string"), ~whole, raw, "a whole number or text")
    if kind.is_integer() or kind.is_decimal() or kind.is_uuid():
        return Reading(raw.cast("string"), ibis.literal(False), raw, "text")
    raise Unclear(f"holds {kind}, text or a whole number was expected; map another column")


def _finite(raw: ir.Value) -> Any:
    """Floating numbers with NaN as missing."""
    return raw.isnan().ifelse(ibis.null(raw.type()), raw)


def _money(raw: ir.Value, habits: Habits, parses_text: bool) -> Reading:
    kind = raw.type()
    if kind.is_string():
        value = number_of(raw, decimal=habits.decimal, kind=MONEY, whole=14, decimals=4)
        expected = "a number with at most 4 decimals, such as 1234.5"
        return Reading(value, _unread(raw, value), raw, expected)
    if not kind.is_numeric() or kind.is_boolean():
        raise Unclear(f"holds {kind}, a number was expected; map another column")
    if kind.is_decimal() and kind.scale <= 4 and kind.precision - kind.scale <= 14:
        return Reading(raw.cast(MONEY), ibis.literal(False), raw, "a number")
    number = _finite(raw) if kind.is_floating() else raw
    fits = number.abs() < LARGEST
    value = fits.ifelse(number, ibis.null(kind)).cast(MONEY)
    return Reading(value, ~fits, raw, "a number below 10**14")


def _number(raw: ir.Value, habits: Habits, parses_text: bool) -> Reading:
    kind = raw.type()
    if kind.is_string():
        exact = number_of(raw, decimal=habits.decimal, kind="decimal(30, 15)", whole=15, decimals=15)
        return Reading(exact.cast("float64"), _unread(raw, exact), raw, "a number such as 1234.5")
    if not kind.is_numeric() or kind.is_boolean():
        raise Unclear(f"holds {kind}, a number was expected; map another column")
    value = _finite(raw) if kind.is_floating() else raw
    return Reading(value.cast("float64"), ibis.literal(False), raw, "a number")


def _time(raw: ir.Value, habits: Habits, parses_text: bool) -> Reading:
    kind = raw.type()
    if kind.is_string():
        return _text_time(raw, habits)
    if kind.is_date():
        return Reading(raw.cast("timestamp(6)"), ibis.literal(False), raw, "a date")
    if kind.is_timestamp():
        value = _local(raw, habits)
        converted = kind.timezone is not None or habits.source_timezone is not None
        return Reading(value, ibis.literal(False), raw, "a time", slow=converted)
    hint = (
        "; Excel serial numbers or epoch seconds? turn them into dates in the source"
        if kind.is_numeric()
        else ""
    )
    raise Unclear(f"holds {kind}, a date or a time was expected{hint}")


def _day(raw: ir.Value, habits: Habits, parses_text: bool) -> Reading:
    reading = _time(raw, habits, parses_text)
    return replace(reading, value=reading.value.date())


def _local(raw: Any, habits: Habits) -> Any:
    """Local business time without a zone: aware times converted once, naive ones taken as local."""
    kind = raw.type()
    moment = raw
    if kind.timezone is None:
        if habits.source_timezone is None:
            return raw.cast("timestamp(6)")
        moment = _moment(habits.source_timezone, raw.cast("timestamp"))
    if habits.timezone is None:
        raise Unclear(
            "holds times with a zone; set timezone to the local business time, such as 'Asia/Shanghai'"
        )
    return _local_time(habits.timezone, moment).cast("timestamp(6)")


def _text_time(raw: Any, habits: Habits) -> Reading:
    value, order = time_of(raw, dates=habits.dates)
    slow = value.type().timezone is not None or habits.source_timezone is not None
    expected = f"a date, {order}, that exists"
    return Reading(_local(value, habits), _unread(raw, value), raw, expected, slow=slow)


def _unread(raw: Any, value: Any) -> Any:
    """Rows that hold something, of which nothing was read."""
    return value.isnull().ifelse(~missing(raw), False)


def _flag(raw: ir.Value, habits: Habits, parses_text: bool) -> Reading:
    kind = raw.type()
    if kind.is_boolean() or kind.is_integer():
        return Reading(raw.cast("boolean"), ibis.literal(False), raw, "true or false")
    if not kind.is_string():
        raise Unclear(f"holds {kind}, true or false was expected")
    word = raw.strip().lower()
    yes, no = word.isin(("true", "yes", "1", "y", "t")), word.isin(("false", "no", "0", "n", "f"))
    value = ibis.cases((yes, True), (no, False), else_=ibis.null("boolean"))
    return Reading(value, ~missing(raw) & ~(yes | no), raw, "true or false")
