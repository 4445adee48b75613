"""How the values of one source column become typed: judged over the whole column, never guessed.

A `Reading` is the typed expression and what makes a row unreadable. Text is read by DuckDB only, with a
pattern before every cast (DuckDB rounds silently, and reads more than it says); typed columns are cast with
expressions that other engines know too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from crm_analysis.doors.schema import PLACES, Column, place_of

MONEY = "decimal(18, 4)"
MISSING = ("", "NULL", "null", "nan", "NaN", "NAN", "None", "NA", "N/A", "#N/A", "n/a")
LARGEST = 10**14
CLOCK = r"(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?"
ZONE = r"(?: ?Z| ?[+-]\d{2}:?\d{2})"
DATES = {
    "year first": r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})",
    "yyyymmdd": r"((?:19|20|21)\d{2})(\d{2})(\d{2})",
    "year and month": r"(\d{4})[-/](\d{1,2})",
    "day and month": r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})",
}
# Where year, month and day stand among the groups of the pattern.
ORDERS = {
    "year first": r"\1-\2-\3",
    "yyyymmdd": r"\1-\2-\3",
    "year and month": r"\1-\2-01",
    "day first": r"\3-\2-\1",
    "month first": r"\3-\1-\2",
}


class Unclear(Exception):
    """A column that can be read in more than one way, or in none; the message is one sentence."""


@dataclass(frozen=True)
class Reading:
    """A source column understood: its typed value, and the rows that do not fit.

    text : the content of the row, for messages.     expected : what a readable row looks like.
    empty : rows with a word for nothing, such as "NULL"; where no row has one, `text` is the value as it is.
    slow : the value takes long to compute.
    """

    value: ir.Value
    unreadable: Any
    text: ir.Value
    expected: str
    empty: Any = None
    slow: bool = False


@dataclass(frozen=True)
class Habits:
    """What the caller says about the values of a source; None where the column itself must prove it."""

    dates: str | None = None
    decimal: str | None = None
    timezone: str | None = None
    source_timezone: str | None = None


@ibis.udf.scalar.builtin
def try_strptime(text: str, form: str) -> dt.Timestamp(scale=6):  # type: ignore[valid-type]
    """DuckDB's: the time that `text` is in the format `form`, else NULL."""


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
        f"column {raw.get_name()!r} (for {column.name}) is text in the database, {wanted} was expected; "
        f'read a view instead, with CAST("{raw.get_name()}" AS {wanted}) AS "{raw.get_name()}"'
    )


def product(quantity: Any, price: Any) -> Any:
    """Quantity times a price, as money.

    Floating point is exact enough here: below 10**9 its error is a thousandth of the last decimal kept.
    """
    return (quantity * price.cast("float64")).cast(MONEY)


def _missing(text: ir.StringValue) -> ir.BooleanValue:
    return text.isnull() | _says_nothing(text)


def _says_nothing(text: ir.StringValue) -> ir.BooleanValue:
    """Text is a word for nothing; blanks around it are taken off only where there are some, which is slow."""
    has_blanks = (text < "!") | text.endswith(" ") | text.endswith("\t")
    stripped = text.strip().isin(MISSING)
    return ibis.cases((text.isin(MISSING), True), (has_blanks, stripped), else_=False)


def _full(text: ir.StringValue, pattern: str) -> ir.BooleanValue:
    return text.re_search(f"^(?:{pattern})$")


def _id(raw: ir.Value, habits: Habits, parses_text: bool) -> Reading:
    """Text as it is, leading zeros kept; whole numbers as their digits."""
    kind = raw.type()
    if kind.is_string():
        empty = _says_nothing(raw) if parses_text else raw.strip() == ""
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
        plain, fits = _plain_number(raw, habits.decimal, whole=r"\d{1,14}", n_decimals=4)
        value = fits.ifelse(plain, ibis.null("string")).try_cast(MONEY)
        unreadable = ~_missing(raw) & value.isnull()
        return Reading(value, unreadable, raw, "a number with at most 4 decimals, such as 1234.5")
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
        plain, fits = _plain_number(raw, habits.decimal, whole=r"\d{1,15}", n_decimals=15)
        value = fits.ifelse(plain, ibis.null("string")).try_cast("float64")
        return Reading(value, ~_missing(raw) & value.isnull(), raw, "a number such as 1234.5")
    if not kind.is_numeric() or kind.is_boolean():
        raise Unclear(f"holds {kind}, a number was expected; map another column")
    value = _finite(raw) if kind.is_floating() else raw
    return Reading(value.cast("float64"), ibis.literal(False), raw, "a number")


def _plain_number(raw: Any, decimal: str | None, *, whole: str, n_decimals: int) -> tuple[Any, Any]:
    """Text with a decimal point and no thousands signs, and whether it has the shape of a number."""
    point = decimal or _decimal_sign(raw)
    other = "," if point == "." else "."
    p, o = re.escape(point), re.escape(other)
    grouped = rf"\d{{1,3}}(?:{o}\d{{3}}){{1,4}}"
    pattern = rf"[+-]?(?:(?:{whole}|{grouped})(?:{p}\d{{0,{n_decimals}}}0*)?|{p}\d{{1,{n_decimals}}}0*)"
    text = raw.strip()
    return text.replace(other, "").replace(point, "."), _full(text, pattern)


def _decimal_sign(raw: Any) -> str:
    """Decimal sign that the column proves; a point where it has whole numbers only."""
    proofs = {
        "point": _proofs(".", ","),
        "comma": _proofs(",", "."),
        "unclear": r"[+-]?[1-9]\d{0,2}[.,]\d{3}",
    }
    table, text = _column_alone(raw)
    seen = table.agg(**{name: _full(text, pattern).sum() for name, pattern in proofs.items()})
    n = {name: int(count or 0) for name, count in seen.to_pyarrow().to_pylist()[0].items()}
    if n["point"] and n["comma"]:
        raise Unclear(
            f"mixes numbers with a decimal point and with a comma: {_some(raw, proofs['point'], n=1)} "
            f"and {_some(raw, proofs['comma'], n=1)}; export the column in one style"
        )
    if n["unclear"] and not n["point"] and not n["comma"]:
        raise Unclear(
            f"is ambiguous: in {_some(raw, proofs['unclear'])} the sign may mark decimals or thousands, and "
            'no row proves which; set decimal = "." or decimal = ","'
        )
    return "," if n["comma"] else "."


def _column_alone(raw: Any) -> tuple[ir.Table, Any]:
    """Column as a table of its own, and its text without blanks around it."""
    table = raw.name("value").as_table()
    return table, table.value.strip()


def _some(raw: Any, pattern: str, *, n: int = 2) -> str:
    """Show the first rows with a value of some shape, for a message."""
    table = raw.op().rel.to_expr()
    places = [name for name in PLACES if name in table.columns]
    found = table.filter(_full(raw.strip(), pattern)).select(*places, value=raw)
    rows = found.order_by(places or "value").limit(n).to_pyarrow().to_pylist()
    return " and ".join(f"{place_of(row)}{row['value']!r}" for row in rows)


def _proofs(point: str, other: str) -> str:
    """Pattern of numbers in which `point` can only be the decimal sign."""
    p, o = re.escape(point), re.escape(other)
    return (
        rf"[+-]?(?:\d*{p}(?:\d{{1,2}}|\d{{4,}})|(?:0|\d{{4,}}){p}\d{{3}}"
        rf"|\d{{1,3}}(?:{o}\d{{3}})+{p}\d*|\d{{1,3}}(?:{o}\d{{3}}){{2,}})"
    )


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
    text = raw.strip()
    if habits.dates and "%" in habits.dates:
        value = try_strptime(text, habits.dates)
        return _read_text_time(raw, value, f"a date in the format {habits.dates!r}", habits)
    order, zoned = _date_order(raw, habits.dates)
    pattern = rf"^{DATES[_family_of(order)]}({CLOCK})({ZONE if zoned else ''})$"
    n_groups = 2 if order == "year and month" else 3
    iso = text.re_replace(pattern, rf"{ORDERS[order]}\{n_groups + 1}\{n_groups + 2}")
    fitting = text.re_search(pattern).ifelse(iso, ibis.null("string"))
    value = fitting.try_cast("timestamp('UTC')" if zoned else "timestamp(6)")
    return _read_text_time(raw, value, f"a date, {order}", habits)


def _read_text_time(raw: Any, value: Any, expected: str, habits: Habits) -> Reading:
    unreadable = ~_missing(raw) & value.isnull()
    return Reading(_local(value, habits), unreadable, raw, f"{expected}, that exists")


def _family_of(order: str) -> str:
    return "day and month" if order in ("day first", "month first") else order


def _date_order(raw: Any, stated: str | None) -> tuple[str, bool]:
    """Which order of year, month and day the column proves, and whether its times carry a zone."""
    if stated and stated not in ORDERS:
        raise Unclear(
            f"cannot be read with dates = {stated!r}; write one of {sorted(ORDERS)} or a format such as "
            "'%d/%m/%Y'"
        )
    shapes = _shapes(raw)
    families: dict[tuple[str, bool], list[dict[str, Any]]] = {}
    for shape in shapes:
        if (found := _family(shape["example"])) is not None:
            families.setdefault(found, []).append(shape)
    if stated:
        return stated, any(zoned for _, zoned in families)
    if not families:
        return _no_date(shapes)
    if len(families) > 1:
        examples = [
            f"{rows[0]['example']!r} ({sum(r['n'] for r in rows)} rows)" for rows in families.values()
        ]
        raise Unclear(f"mixes date formats: {', '.join(examples)}; export the column in one format")
    (family, zoned), rows = next(iter(families.items()))
    return (_day_or_month(raw, rows) if family == "day and month" else family), zoned


def _shapes(raw: Any) -> list[dict[str, Any]]:
    """Shapes of the values (digits as 9), most frequent first, with their day-like maxima."""
    table, text = _column_alone(raw)
    parts = f"^{DATES['day and month']}"
    table = table.filter(~_missing(text)).select(
        text=text,
        shape=text.re_replace("[0-9]", "9"),
        first=text.re_extract(parts, 1).try_cast("int64"),
        second=text.re_extract(parts, 2).try_cast("int64"),
    )
    shapes = table.group_by("shape").agg(
        n=table.count(), example=table.text.min(), first=table["first"].max(), second=table["second"].max()
    )
    return shapes.order_by(ibis.desc("n"), "shape").limit(500).to_pyarrow().to_pylist()


def _family(example: str) -> tuple[str, bool] | None:
    for family, pattern in DATES.items():
        for zone in ("", ZONE):
            if re.fullmatch(pattern + CLOCK + zone, example):
                return family, bool(zone)
    return None


def _no_date(shapes: Sequence[dict[str, Any]]) -> tuple[str, bool]:
    if not shapes:
        return "year first", False
    example = shapes[0]["example"]
    numeric = re.fullmatch(r"\d{5}(\.\d+)?|\d{10}|\d{13}", example)
    hint = " (an Excel serial number, or an epoch?)" if numeric else ""
    raise Unclear(
        f"holds no dates that are understood, such as {example!r}{hint}; export them as 2024-12-31, or set "
        "dates to their format, such as '%d.%m.%y'"
    )


def _day_or_month(raw: Any, shapes: Sequence[dict[str, Any]]) -> str:
    first, second = (max(shape[part] for shape in shapes) for part in ("first", "second"))
    over = r"(?:1[3-9]|[2-9]\d)"
    if first > 12 and second > 12:
        raise Unclear(
            f"mixes day-first and month-first dates, such as {_some(raw, rf'{over}[-/.].*', n=1)} and "
            f"{_some(raw, rf'..?[-/.]{over}[-/.].*', n=1)}; export the column in one format"
        )
    if first <= 12 and second <= 12:
        raise Unclear(
            f"is ambiguous: {_some(raw, DATES['day and month'] + CLOCK)} may be day first or month first, "
            'and no row has a number over 12 to prove it; set dates = "day first" or dates = "month first"'
        )
    return "day first" if first > 12 else "month first"


def _flag(raw: ir.Value, habits: Habits, parses_text: bool) -> Reading:
    kind = raw.type()
    if kind.is_boolean() or kind.is_integer():
        return Reading(raw.cast("boolean"), ibis.literal(False), raw, "true or false")
    if not kind.is_string():
        raise Unclear(f"holds {kind}, true or false was expected")
    word = raw.strip().lower()
    yes, no = word.isin(("true", "yes", "1", "y", "t")), word.isin(("false", "no", "0", "n", "f"))
    value = ibis.cases((yes, True), (no, False), else_=ibis.null("boolean"))
    return Reading(value, ~_missing(raw) & ~(yes | no), raw, "true or false")
