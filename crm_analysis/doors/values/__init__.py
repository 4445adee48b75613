"""How the values of one source column become typed: judged over the whole column, never guessed.

A `Reading` is the typed expression and what makes a row unreadable. Text is read by DuckDB only, and only
where its shape is understood (DuckDB rounds silently, and reads more than it says); typed columns are cast
with expressions that other engines know too.
"""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from crm_analysis.doors.schema import Column
from crm_analysis.doors.shapes import Unclear, missing, stripped
from crm_analysis.doors.values.dates import times_of
from crm_analysis.doors.values.ids import read_id, read_words
from crm_analysis.doors.values.numbers import Size, numbers_of
from crm_analysis.doors.values.reading import Habits, Reading
from crm_analysis.doors.values.sentinels import with_sentinels
from crm_analysis.doors.values.zones import local

__all__ = ["LARGEST", "MONEY", "Habits", "Reading", "product", "read_column", "read_product"]

MONEY = "decimal(18, 4)"
PRECISE = "decimal(30, 15)"
LARGEST = 10**14
# Prices may be finer than money: what they are multiplied with makes money of them.
PRICES = ("unit_price", "unit_cost")


def read_column(column: Column, raw: ir.Value, *, habits: Habits, parses_text: bool) -> Reading:
    """How `raw` becomes what `column` should hold.

    Raises
    ------
    Unclear
        The type does not fit, or the text can be read in more than one way.
    """
    words = ("id", "text", "as it is")
    if isinstance(raw.type(), dt.String) and column.kind not in words and not parses_text:
        raise Unclear(_cast_to_write(column, raw))
    if column.name in PRICES and (raw.type().is_string() or raw.type().is_decimal()):
        return _price(raw, habits)
    reader = {"id": _id, "text": _id, "money": _money, "number": _number, "time": _time, "day": _day}
    if column.kind in ("text", "as it is") and raw.type().is_string() and parses_text:
        return read_words(raw)
    if column.kind == "as it is":
        return _as_it_is(raw, habits, parses_text)
    return reader.get(column.kind, _flag)(raw, habits, parses_text)


def _cast_to_write(column: Column, raw: ir.Value) -> str:
    kind = {"money": "NUMERIC(18, 4)", "number": "DOUBLE PRECISION", "time": "TIMESTAMP", "day": "DATE"}
    wanted = kind.get(column.kind, "BOOLEAN")
    return (
        f"is text in the database, {wanted} was expected; "
        f'read a view instead, with CAST("{raw.get_name()}" AS {wanted}) AS "{raw.get_name()}"'
    )


# Products ------------------------------------------------------------------------------------------------


def product(quantity: Any, price: Any) -> Any:
    """Quantity times a price, as money, rounded half up once; NULL where money does not hold it.

    Floating point is exact enough here: below 10**9 its error is a thousandth of the last decimal kept. What
    lies a hair below half a unit of it is made half again before it is rounded.
    """
    amount = quantity * price.cast("float64")
    fits = (amount.abs() < LARGEST).ifelse(amount, None)
    return fits.cast("decimal(27, 9)").cast(MONEY)


def read_product(quantity: Reading, price: Reading) -> Reading:
    """Amount of a quantity and a unit price; every pass over the rows would multiply again."""
    fine = price.value if price.exact is None else price.exact
    value = product(quantity.value, fine)
    too_large = value.isnull() & quantity.value.notnull() & fine.notnull()
    text = quantity.text.cast("string") + " x " + price.text.cast("string")
    return Reading(value, too_large, text, "a product below 10**14", slow=True)


# Ids -----------------------------------------------------------------------------------------------------


def _id(raw: ir.Value, habits: Habits, parses_text: bool) -> Reading:
    """Text as it is, leading zeros kept; whole numbers as their digits."""
    kind = raw.type()
    if kind.is_string():
        if parses_text:
            return read_id(raw)
        value = (stripped(raw) == "").ifelse(ibis.null("string"), raw)
        return Reading(value, ibis.literal(False), raw, "text")
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


# Numbers -------------------------------------------------------------------------------------------------


def _finite(raw: ir.Value) -> Any:
    """Floating numbers with NaN as missing."""
    return raw.isnan().ifelse(ibis.null(raw.type()), raw)


def _money(raw: ir.Value, habits: Habits, parses_text: bool) -> Reading:
    """Money with four decimals; of floating numbers the digits beyond are noise, and are rounded."""
    kind = raw.type()
    if kind.is_string():
        return _text_number(
            raw, habits, MONEY, Size(14, 4), "a number with at most 4 decimals, such as 1234.5"
        )
    if not kind.is_numeric() or kind.is_boolean():
        raise Unclear(f"holds {kind}, a number was expected; map another column")
    if kind.is_decimal():
        return _decimal(raw)
    number = _finite(raw) if kind.is_floating() else raw
    fits = number.abs() < LARGEST
    value = fits.ifelse(number, ibis.null(kind)).cast(MONEY)
    return Reading(value, ~fits, raw, "a number below 10**14")


def _decimal(raw: Any) -> Reading:
    """Money of decimals: of one with digits beyond the fourth decimal nothing is made, as of a text."""
    if not _may_be_finer(raw.type()):
        number, unread = _below_largest(raw, LARGEST)
        return Reading(number.cast(MONEY), unread, raw, "a number below 10**14")
    number, too_large = _below_largest(raw, LARGEST - 1)
    lost = ibis.coalesce(_is_finer(number), ibis.literal(False))
    value = lost.ifelse(ibis.null(raw.type()), number).cast(MONEY)
    return Reading(value, too_large | lost, raw, "a number below 10**14 with at most 4 decimals")


def _may_be_finer(kind: Any) -> bool:
    return kind.scale is None or kind.scale > 4


def _below_largest(raw: Any, largest: int) -> tuple[Any, Any]:
    """Decimals that money holds, and where there are others; a narrow type cannot even be compared."""
    kind = raw.type()
    if kind.precision is not None and kind.precision - kind.scale < 14 + (kind.scale <= 4):
        return raw, ibis.literal(False)
    fits = raw.abs() < largest
    return fits.ifelse(raw, ibis.null(kind)), ~fits


def _is_finer(number: Any) -> Any:
    """Whether a decimal has digits beyond the fourth decimal; of the widest, no rounding may be compared."""
    kind = number.type()
    if kind.precision == 38 and kind.scale > 38 - 15:
        return number.cast("string").re_search(r"\.[0-9]{4}[0-9]*[1-9]")
    return number != number.round(4)


def _text_number(raw: Any, habits: Habits, kind: str, size: Size, expected: str) -> Reading:
    found = numbers_of(raw, decimal=habits.decimal, kind=kind, size=size)
    unread = _unread(raw, found.value)
    return Reading(found.value, unread, raw, expected, style=found.style, notes=found.notes)


def _price(raw: Any, habits: Habits) -> Reading:
    """Price of text or of decimals; with more decimals than money has, all of them count in products."""
    if raw.type().is_decimal():
        return _decimal_price(raw)
    found = numbers_of(raw, decimal=habits.decimal, kind=PRECISE, size=Size(14, 15))
    if found.n_decimals <= 4:
        return _money(raw, habits, parses_text=True)
    style = ", ".join(filter(None, [found.style, f"prices with {found.n_decimals} decimals, shown with 4"]))
    value, unread = found.value.round(4).cast(MONEY), _unread(raw, found.value)
    return Reading(value, unread, raw, "a price", exact=found.value, style=style, notes=found.notes)


def _decimal_price(raw: Any) -> Reading:
    if not _may_be_finer(raw.type()):
        return _decimal(raw)
    number, too_large = _below_largest(raw, LARGEST - 1)
    return Reading(number.cast(MONEY), too_large, raw, "a price below 10**14", exact=number)


def _number(raw: ir.Value, habits: Habits, parses_text: bool) -> Reading:
    kind = raw.type()
    if kind.is_string():
        exact = _text_number(raw, habits, PRECISE, Size(15, 15), "a number such as 1234.5")
        return exact.mapped(lambda value: value.cast("float64"))
    if not kind.is_numeric() or kind.is_boolean():
        raise Unclear(f"holds {kind}, a number was expected; map another column")
    value = _finite(raw) if kind.is_floating() else raw
    return Reading(value.cast("float64"), ibis.literal(False), raw, "a number")


def _unread(raw: Any, value: Any) -> Any:
    """Rows that hold something, of which nothing was read."""
    return value.isnull().ifelse(~missing(raw), False)


# Times ---------------------------------------------------------------------------------------------------


def _time(raw: ir.Value, habits: Habits, parses_text: bool) -> Reading:
    kind = raw.type()
    if kind.is_string():
        return _text_time(raw, raw, habits)
    if kind.is_date():
        at = raw.cast("timestamp(6)")
        return with_sentinels(Reading(at, ibis.literal(False), raw, "a date"), raw, at)
    if kind.is_timestamp():
        converted = kind.timezone is not None or habits.source_timezone is not None
        reading = Reading(local(raw, habits), ibis.literal(False), raw, "a time", slow=converted)
        return with_sentinels(reading, raw, raw)
    if kind.is_numeric() and not kind.is_boolean() and parses_text:
        return _text_time(raw, _digits(raw), habits)
    hint = "; turn the numbers into dates in a view" if kind.is_numeric() else ""
    raise Unclear(f"holds {kind}, a date or a time was expected{hint}")


def _digits(raw: Any) -> Any:
    """Numbers as text, without decimals where they have none."""
    if raw.type().is_integer():
        return raw.cast("string")
    return raw.try_cast("decimal(28, 10)").cast("string").re_replace(r"\.0+$", "")


def _text_time(raw: Any, text: Any, habits: Habits) -> Reading:
    times = times_of(text, stated=habits.dates)
    slow = times.value.type().timezone is not None or habits.source_timezone is not None
    reading = Reading(
        local(times.value, habits),
        _unread(text, times.value),
        raw,
        times.expected,
        slow=slow,
        style=times.style,
        notes=times.notes,
    )
    return with_sentinels(reading, text, times.value)


def _day(raw: ir.Value, habits: Habits, parses_text: bool) -> Reading:
    return _time(raw, habits, parses_text).mapped(lambda at: at.date())


# Anything ------------------------------------------------------------------------------------------------


def _as_it_is(raw: ir.Value, habits: Habits, parses_text: bool) -> Reading:
    """Value of the type that the source has; times become local ones, and NaN is missing."""
    kind = raw.type()
    if kind.is_nested() or kind.is_json() or kind.is_binary():
        raise Unclear(
            f"holds {kind}, a plain value was expected; leave it out, or map a part of it in a view"
        )
    if kind.is_string():
        return _id(raw, habits, parses_text)
    if kind.is_timestamp():
        return _time(raw, habits, parses_text)
    value = _finite(raw) if kind.is_floating() else raw
    return Reading(value, ibis.literal(False), raw, "any value")


# Flags ---------------------------------------------------------------------------------------------------


def _flag(raw: ir.Value, habits: Habits, parses_text: bool) -> Reading:
    kind = raw.type()
    if kind.is_boolean():
        return Reading(raw, ibis.literal(False), raw, "true or false")
    if kind.is_numeric():
        # Flags of which some are missing are often floating numbers.
        number = _finite(raw) if kind.is_floating() else raw
        value = ibis.cases((number == 1, True), (number == 0, False), else_=ibis.null("boolean"))
        return Reading(value, number.notnull() & ~number.isin((0, 1)), raw, "true or false")
    if not kind.is_string():
        raise Unclear(f"holds {kind}, true or false was expected")
    word = stripped(raw).lower()
    yes, no = word.isin(("true", "yes", "1", "y", "t")), word.isin(("false", "no", "0", "n", "f"))
    value = ibis.cases((yes, True), (no, False), else_=ibis.null("boolean"))
    return Reading(value, ~missing(raw) & ~(yes | no), raw, "true or false")
