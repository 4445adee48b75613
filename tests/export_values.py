"""Exports whose layout is sound and whose values are not: amounts, dates, ids, rows that are no sales."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from export_files import (
    CLIENTS,
    COLUMNS,
    HEADER,
    REFUNDED,
    SALES,
    TIMED,
    Export,
    comma,
    grouped,
    indian,
    inserted,
    plain,
    refund_as,
    sales,
    sum_of,
    table,
    with_field,
)
from judged import Sale

# Amounts -----------------------------------------------------------------------------------------------

WHOLE = tuple(s._replace(amount=Decimal(1234 + 1001 * i)) for i, s in enumerate(SALES) if i < 8)
# One price below one is what proves the sign of the others.
LITRES = tuple(
    s._replace(amount=Decimal("0.125") if i == 9 else Decimal(1234 + 7 * i) / 1000)
    for i, s in enumerate(SALES)
)
ROUND = tuple(s._replace(amount=Decimal(1100 + 100 * i)) for i, s in enumerate(SALES))


def amounts(name: str, style: Callable[[Decimal], str], expect: str, *words: str, **more: Any) -> Export:
    rows = more.get("sales", SALES)
    return Export(name, table(rows, delimiter=";", amount=style).encode(), expect, words, **more)


def odd_amount(name: str, value: str, expect: str, *words: str, **more: Any) -> Export:
    """One amount, in line 8, that is none."""
    return Export(name, with_field(8, "amount", value, delimiter=";").encode(), expect, words, **more)


def alternating(*styles: Callable[[Decimal], str]) -> Callable[[Decimal], str]:
    """Styles in turn, by the last digits of the amount."""
    return lambda amount: styles[int(amount) % len(styles)](amount)


def without(number: int) -> tuple[Sale, ...]:
    return tuple(s for i, s in enumerate(SALES) if i != number)


AMOUNTS = [
    amounts("german_amounts.csv", grouped(".", ","), "accepted"),
    amounts("swiss_amounts.csv", grouped("'"), "accepted"),
    amounts("swiss_amounts_typographic.csv", grouped("’"), "accepted"),
    amounts("french_amounts.csv", grouped("\u202f", ","), "accepted"),
    amounts("amounts_with_hard_blanks.csv", grouped("\u00a0", ","), "accepted"),
    amounts("amounts_with_blanks.csv", grouped(" ", ","), "accepted"),
    amounts(
        "indian_amounts.csv",
        indian,
        "accepted",
        sales=tuple(s._replace(amount=s.amount * 1000) for s in SALES),
    ),
    amounts("dollars.csv", lambda a: f"${a:,.2f}", "accepted"),
    amounts("euros_behind.csv", lambda a: comma(a) + " €", "accepted"),
    amounts("code_behind.csv", lambda a: plain(a) + " CHF", "accepted"),
    amounts(
        "yuan_signs_of_two_widths.csv",
        alternating(lambda a: f"￥{a:,.2f}", lambda a: f"¥{a:.2f}"),
        "accepted or flagged",
    ),
    amounts(
        "two_currency_signs.csv",
        alternating(lambda a: f"${a:.2f}", lambda a: f"€{a:.2f}"),
        "refused",
        "$",
        "€",
        "currenc",
    ),
    amounts(
        "two_codes.csv",
        alternating(lambda a: f"{a:.2f} USD", lambda a: f"{a:.2f} EUR"),
        "refused",
        "USD",
        "EUR",
    ),
    amounts(
        "sign_on_some.csv",
        alternating(plain, lambda a: f"${a:.2f}"),
        "flagged or refused or accepted",
        sales=SALES,
    ),
    amounts("thousands_as_k.csv", lambda a: f"${a / 1000}K", "accepted or flagged or refused", sales=ROUND),
    amounts(
        "some_thousands_as_k.csv",
        alternating(plain, lambda a: f"{a / 1000}K"),
        "accepted or flagged or refused",
        sales=ROUND,
    ),
    amounts("refunds_in_parentheses.csv", refund_as("(", ")"), "flagged", "refund", sales=REFUNDED),
    amounts("refunds_with_trailing_minus.csv", refund_as("", "-"), "flagged", "refund", sales=REFUNDED),
    amounts(
        "refunds_with_true_minus.csv",
        refund_as("−", ""),
        "flagged or refused",
        "refund|line 8",
        sales=REFUNDED,
    ),
    amounts(
        "refunds_minus_before_sign.csv",
        alternating(lambda a: f"-${-a:.2f}" if a < 0 else f"${a:.2f}"),
        "flagged",
        "refund",
        sales=REFUNDED,
    ),
    amounts("debit_and_credit.csv", refund_as("", " CR"), "refused", "line 8", sales=REFUNDED),
    amounts(
        "point_of_thousands_or_decimals.csv",
        lambda a: f"{a:,.0f}".replace(",", "."),
        "asked",
        "1.234",
        sales=WHOLE,
        settles={"decimal": ","},
    ),
    amounts(
        "comma_of_thousands_or_decimals.csv",
        lambda a: f"{a:,.0f}",
        "asked",
        "1,234",
        sales=WHOLE,
        settles={"decimal": "."},
    ),
    amounts("point_and_comma.csv", alternating(plain, comma), "refused", "line"),
    amounts("three_decimals.csv", lambda a: f"{a:.3f}", "accepted", sales=LITRES),
    amounts(
        "three_decimals_with_comma.csv", lambda a: f"{a:.3f}".replace(".", ","), "accepted", sales=LITRES
    ),
    odd_amount("five_decimals.csv", "12.34567", "refused", "line 8", "12.34567"),
    odd_amount(
        "five_decimals_of_nothing.csv",
        "102.80000",
        "accepted or refused",
        sales=tuple(s._replace(amount=Decimal("102.8")) if i == 6 else s for i, s in enumerate(SALES)),
    ),
    odd_amount("percent.csv", "12%", "refused", "line 8", "12%"),
    odd_amount("word.csv", "on request", "refused", "line 8", "on request"),
    odd_amount("dash.csv", "-", "refused or flagged", "line 8", sales=without(6)),
    odd_amount("amount_of_null.csv", "NULL", "flagged", "no amount", sales=without(6)),
    odd_amount("a_sum_of_two.csv", "10.00+2.50", "refused", "line 8"),
    odd_amount("too_large.csv", "123456789012345678.00", "refused", "line 8"),
    odd_amount(
        "full_width_digits.csv",
        "１２．５０",
        "refused or accepted or flagged",
        sales=tuple(s._replace(amount=Decimal("12.5")) if i == 6 else s for i, s in enumerate(SALES)),
    ),
    odd_amount("arabic_digits.csv", "١٢", "refused", "line 8"),
    odd_amount(
        "exponent.csv",
        "1.2E+3",
        "refused or accepted or flagged",
        sales=tuple(s._replace(amount=Decimal(1200)) if i == 6 else s for i, s in enumerate(SALES)),
    ),
    odd_amount("infinite.csv", "inf", "refused", "line 8"),
    odd_amount("two_signs.csv", "--5.00", "refused", "line 8"),
    odd_amount("date_for_amount.csv", "2023-05-05", "refused", "line 8", "2023-05-05"),
]

# Currencies --------------------------------------------------------------------------------------------


def with_currency(codes: Sequence[str], **more: Any) -> dict[str, Any]:
    head = ",".join([*HEADER, "currency"])
    lines = table(header=None).splitlines()
    body = [f"{row},{codes[i % len(codes)]}" for i, row in enumerate(lines)]
    content = "\n".join([head, *body]).encode() + b"\n"
    return {"content": content, "columns": COLUMNS | {"currency": "currency"}} | more


CURRENCIES = [
    Export("one_currency.csv", expect="accepted", **with_currency(["EUR"])),
    Export(
        "two_currencies.csv", expect="refused", words=("EUR", "USD", "rates"), **with_currency(["EUR", "USD"])
    ),
    Export(
        "two_currencies_not_mapped.csv",
        expect="refused or flagged",
        words=("currenc",),
        **with_currency(["EUR", "USD"], columns=COLUMNS),
    ),
    Export(
        "a_currency_missing.csv",
        expect="refused or flagged",
        words=("currenc",),
        **with_currency(["EUR", "EUR", ""]),
    ),
]

# Dates -------------------------------------------------------------------------------------------------

EARLY = tuple(s._replace(at=dt.datetime(2023, 1 + i % 12, 1 + i % 11)) for i, s in enumerate(SALES))
NINETIES = tuple(s._replace(at=s.at.replace(year=1997)) for s in SALES)
BERLIN = ZoneInfo("Europe/Berlin")
SUMMER = dt.datetime(2023, 10, 29, 0, 30, tzinfo=dt.UTC)
CLOCKS = tuple(
    s._replace(at=(SUMMER + dt.timedelta(hours=i - 12)).astimezone(BERLIN).replace(tzinfo=None))
    for i, s in enumerate(SALES)
)
EPOCH = dt.datetime(1970, 1, 1)
EXCEL = dt.datetime(1899, 12, 30)
# A serial of five decimals is exact to the second only where the time of day is a fraction of this kind.
QUARTERS = tuple(s._replace(at=s.at + dt.timedelta(hours=6 * (i % 4))) for i, s in enumerate(SALES))


def dated(
    name: str,
    rows: Sequence[Sale],
    style: Callable[[dt.datetime], str],
    expect: str,
    *words: str,
    **more: Any,
) -> Export:
    lines = [";".join([s.customer, style(s.at), plain(s.amount), s.order]) for s in rows]
    return Export(name, "\n".join([";".join(HEADER), *lines]).encode(), expect, words, sales=rows, **more)


def odd_date(name: str, value: str, expect: str, *words: str, **more: Any) -> Export:
    """One date, in line 8, that is none."""
    return Export(name, with_field(8, "sold_on", value).encode(), expect, words, **more)


def form(pattern: str) -> Callable[[dt.datetime], str]:
    return lambda at: at.strftime(pattern)


def half_converted(at: dt.datetime) -> str:
    """What Excel of another country leaves: days up to 12 taken for months and turned into dates."""
    return at.strftime("%Y-%d-%m 00:00:00" if at.day <= 12 else "%d/%m/%Y")


def with_offset() -> bytes:
    """Times over the end of summer time, some written in local time and some in UTC."""
    lines = [",".join(HEADER)]
    for i, s in enumerate(SALES):
        at = SUMMER + dt.timedelta(hours=i - 12)
        written = f"{at:%Y-%m-%dT%H:%M:%SZ}" if i % 5 == 0 else at.astimezone(BERLIN).isoformat()
        lines.append(f"{s.customer},{written},{s.amount},{s.order}")
    return "\n".join(lines).encode()


def with_placeholders() -> bytes:
    text = table() + "K001,1900-01-01,55.00,R3001\nK002,9999-12-31,66.00,R3002\n"
    return text.encode()


def some_in_utc() -> Callable[[dt.datetime], str]:
    return lambda at: at.strftime("%Y-%m-%dT%H:%M:%S" + ("Z" if at.day % 2 else ""))


TWO_DIGITS = {"dates": "%d.%m.%y"}
DATES = [
    dated("day_first_of_a_half_day.csv", TIMED, form("%d.%m.%Y %I:%M %p"), "accepted"),
    dated("month_first_of_a_half_day.csv", TIMED, form("%m/%d/%Y %I:%M:%S %p"), "accepted"),
    dated("iso_with_seconds.csv", TIMED, form("%Y-%m-%dT%H:%M:%S.000"), "accepted"),
    dated(
        "year_first_of_two_signs.csv",
        SALES,
        lambda at: f"{at:%Y-%m-%d}" if at.month % 2 else f"{at.year}/{at.month}/{at.day}",
        "accepted or flagged or refused",
    ),
    dated("compact.csv", SALES, form("%Y%m%d"), "accepted or flagged"),
    dated("chinese.csv", TIMED, lambda at: f"{at.year}年{at.month}月{at.day}日 {at:%H:%M}", "accepted"),
    dated("month_names.csv", SALES, form("%d-%b-%Y"), "accepted or asked", settles={"dates": "%d-%b-%Y"}),
    dated(
        "month_names_first.csv", SALES, form("%b %d, %Y"), "accepted or asked", settles={"dates": "%b %d, %Y"}
    ),
    dated(
        "no_day_over_twelve.csv",
        EARLY,
        form("%d/%m/%Y"),
        "asked",
        "day first",
        settles={"dates": "day first"},
    ),
    dated(
        "no_day_over_twelve_of_months.csv",
        EARLY,
        form("%m-%d-%Y"),
        "asked",
        "month first",
        settles={"dates": "month first"},
    ),
    dated(
        "two_digit_years_of_the_nineties.csv",
        NINETIES,
        form("%d.%m.%y"),
        "accepted or flagged or asked",
        settles=TWO_DIGITS,
        observed=("1997-01-01", "1997-12-31"),
    ),
    dated("two_digit_years.csv", SALES, form("%d.%m.%y"), "flagged or asked or accepted", settles=TWO_DIGITS),
    dated(
        "two_digit_years_of_three_readings.csv",
        EARLY,
        lambda at: at.strftime("%d/%m/") + "23",
        "asked",
        settles={"dates": "%d/%m/%y"},
    ),
    dated("half_converted_by_a_spreadsheet.csv", SALES, half_converted, "refused", "sold_on", "line"),
    dated(
        "excel_serials.csv",
        QUARTERS,
        lambda at: (
            f"{(at - EXCEL) / dt.timedelta(days=1):g}"
            if at == at.replace(hour=0)
            else f"{(at - EXCEL) / dt.timedelta(days=1)}"
        ),
        "flagged or asked",
        "serial|Excel",
        settles={"dates": "excel serial"},
    ),
    dated(
        "excel_serials_of_1904.csv",
        SALES,
        lambda at: str((at - EXCEL).days - 1462),
        "accepted or flagged",
        "serial|Excel",
        settles={"dates": "excel serial 1904"},
        stated={"dates": "excel serial 1904"},
    ),
    dated(
        "epoch_seconds.csv",
        TIMED,
        lambda at: str(int((at - EPOCH).total_seconds())),
        "flagged or asked",
        "epoch",
        settles={"dates": "epoch seconds"},
        stated={"timezone": "UTC"},
    ),
    dated(
        "epoch_milliseconds.csv",
        TIMED,
        lambda at: str(int((at - EPOCH).total_seconds() * 1000)),
        "flagged or asked",
        "epoch",
        settles={"dates": "epoch milliseconds"},
        stated={"timezone": "UTC"},
    ),
    dated(
        "serials_and_dates.csv",
        SALES,
        lambda at: f"{at:%Y-%m-%d}" if at.month % 2 else str((at - EXCEL).days),
        "refused",
        "sold_on",
    ),
    dated(
        "some_times_in_utc.csv",
        TIMED,
        some_in_utc(),
        "refused",
        "sold_on",
        stated={"timezone": "Asia/Shanghai"},
    ),
    dated("zone_names.csv", TIMED, form("%Y-%m-%d %H:%M EST"), "refused", "EST"),
    Export(
        "offsets_over_the_end_of_summer_time.csv",
        with_offset(),
        "accepted",
        sales=CLOCKS,
        stated={"timezone": "Europe/Berlin"},
    ),
    Export(
        "offsets_and_no_timezone.csv",
        with_offset(),
        "asked",
        ("timezone",),
        sales=CLOCKS,
        settles={"timezone": "Europe/Berlin"},
    ),
    Export(
        "placeholder_dates.csv",
        with_placeholders(),
        "flagged",
        ("1900-01-01", "9999-12-31"),
        stated={"max_set_aside": 0.2},
    ),
    odd_date("no_leap_year.csv", "2023-02-29", "refused", "line 8", "2023-02-29", "sold_on"),
    odd_date("month_thirteen.csv", "2023-13-01", "refused", "line 8", "2023-13-01"),
    odd_date("day_zero.csv", "0000-00-00", "refused or flagged", "line 8|0000-00-00", sales=without(6)),
    odd_date("hour_twenty_five.csv", "2023-04-09 25:00:00", "refused", "line 8"),
    odd_date("minute_sixty.csv", "2023-04-09 10:60", "refused", "line 8"),
    odd_date("a_date_and_a_word.csv", "2023-04-09 (est.)", "refused", "line 8"),
    odd_date("year_in_the_future.csv", "2203-04-09", "flagged", "after observed_until", sales=without(6)),
]

# Ids ---------------------------------------------------------------------------------------------------

LONG = tuple(f"12345678901234567{i:02d}" for i in range(7))
PADDED = ("7", "07", "007", "0007", "70", "700", "7000")
NUMBERS = ("12346", "12347", "12348", "18287", "15311", "14911", "12583")


def decorated(
    name: str,
    decorate: Callable[[int, str], str],
    expect: str,
    *words: str,
    clients: Sequence[str] = CLIENTS,
    **more: Any,
) -> Export:
    rows = sales(clients)
    written = [s._replace(customer=decorate(i, s.customer)) for i, s in enumerate(rows)]
    return Export(name, table(written).encode(), expect, words, sales=rows, **more)


TESTERS = sales(("TEST-1", "K001", "K002", "K003", "test-account", "K004", "K005"))
IDS = [
    decorated("ids_of_nineteen_digits.csv", lambda i, c: c, "accepted", clients=LONG),
    decorated("ids_with_leading_zeros.csv", lambda i, c: c, "accepted", clients=PADDED),
    decorated("ids_as_floats.csv", lambda i, c: f"{c}.0", "flagged or accepted", clients=NUMBERS),
    decorated(
        "padded_ids_as_floats.csv",
        lambda i, c: f"{c}.0",
        "flagged or accepted",
        clients=("007", "0070", "012", "12", "100", "0100", "9"),
    ),
    decorated(
        "some_ids_as_floats.csv",
        lambda i, c: f"{c}.0" if i % 2 else c,
        "flagged or refused",
        "12",
        clients=NUMBERS,
    ),
    decorated(
        "ids_in_scientific_notation.csv",
        lambda i, c: f"{int(c):.5E}",
        "flagged or refused",
        "E+18",
        "scientific|Excel|digits",
        clients=LONG,
    ),
    decorated(
        "ids_with_invisible_signs.csv",
        lambda i, c: f"{c}\u200b" if i % 9 == 2 else f"{c} " if i % 7 == 3 else c,
        "flagged or refused",
        "invisible|zero-width|blank",
    ),
    decorated(
        "ids_with_marks_in_between.csv",
        lambda i, c: f"\ufeff{c}" if i == 12 else c,
        "flagged or refused",
        "invisible|mark|zero-width",
    ),
    decorated(
        "an_id_of_blanks.csv",
        lambda i, c: "  \u3000" if i == 5 else c,
        "flagged",
        "customer",
        clients=CLIENTS,
    ),
    decorated("a_customer_called_total.csv", lambda i, c: c, "accepted", clients=("Total", *CLIENTS[1:])),
    decorated(
        "a_customer_called_null.csv",
        lambda i, c: c,
        "flagged",
        "customer",
        clients=("Null Ltd", "NULL", *CLIENTS[2:]),
        stated={"max_set_aside": 0.5},
    ),
    decorated(
        "a_customer_called_nan.csv",
        lambda i, c: c,
        "accepted",
        clients=("Nan", "Na", "none given", *CLIENTS[3:]),
    ),
    decorated(
        "ids_of_signs.csv",
        lambda i, c: c,
        "accepted",
        clients=("../etc", "=1+1", "<b>", "a|b", "%s", "{x}", "'; --"),
    ),
    Export(
        "test_customers.csv",
        table(TESTERS).encode(),
        "flagged",
        ("test",),
        sales=[s for s in TESTERS if not s.customer.lower().startswith("test")],
        stated={"test_customers": ["TEST-1", "test-*"], "max_set_aside": 0.5},
    ),
]
# A name that is a word for nothing is no name: its rows are set aside, not given to one large customer.
IDS = [
    Export(**{**vars(e), "sales": [s for s in e.sales if s.customer != "NULL"]})
    if e.name == "a_customer_called_null.csv"
    else Export(**{**vars(e), "sales": without(5)})
    if e.name == "an_id_of_blanks.csv"
    else e
    for e in IDS
]

# Rows that are no sales --------------------------------------------------------------------------------


def with_subtotals() -> bytes:
    """A line below each month with what it comes to."""
    lines, month = [",".join(HEADER)], []
    for i, s in enumerate(SALES):
        month.append(s)
        lines.append(f"{s.customer},{s.at:%Y-%m-%d},{s.amount:.2f},{s.order}")
        if i == len(SALES) - 1 or SALES[i + 1].at.month != s.at.month:
            lines.append(f"Subtotal {s.at:%B},,{sum_of(month)},")
            month = []
    return "\n".join([*lines, f"Total,,{sum_of(SALES)},"]).encode()


def ended(last: str) -> bytes:
    return (table() + last + "\n").encode()


PARTS = (
    *SALES,
    SALES[3]._replace(at=SALES[3].at + dt.timedelta(days=4), amount=Decimal("17.10")),
    SALES[3]._replace(at=SALES[3].at + dt.timedelta(days=11), amount=Decimal("8.40")),
)
NAMED_TOTAL = sales(("Total", *CLIENTS[1:]))
LATE = "K006,2024-01-08,-12.50,R2001"
ROWS = [
    Export(
        "subtotals.csv", with_subtotals(), "flagged or refused", ("total",), stated={"max_set_aside": 0.5}
    ),
    Export(
        "a_customer_called_total_beside_a_total.csv",
        (table(NAMED_TOTAL) + f"Total,,{sum_of(SALES)},\n").encode(),
        "flagged or refused",
        ("total",),
        sales=NAMED_TOTAL,
    ),
    Export("total_below.csv", ended(f"Total,,{sum_of(SALES)},"), "flagged or refused", ("total",)),
    Export("total_in_chinese.csv", ended(f"合计,,{sum_of(SALES)},"), "flagged or refused", ("total",)),
    Export("total_in_german.csv", ended(f"Summe,,{sum_of(SALES)},"), "flagged or refused", ("total",)),
    Export(
        "total_with_a_date.csv",
        ended(f"Grand Total,2023-12-31,{sum_of(SALES)},"),
        "flagged or refused",
        ("total",),
    ),
    Export(
        "total_without_a_word.csv", ended(f",,{sum_of(SALES)},"), "flagged or refused", ("total|customer",)
    ),
    Export(
        "total_above.csv",
        inserted(table(), 2, f"TOTAL,,{sum_of(SALES)},").encode(),
        "flagged or refused",
        ("total",),
    ),
    Export("total_of_another_sum.csv", ended("Total,,99.00,"), "flagged or refused", ("total",)),
    Export("refund_after_the_window.csv", ended(LATE), "flagged", ("after observed_until",)),
    Export("deliveries_in_parts.csv", table(PARTS).encode(), "flagged", ("day|part|deliver",), sales=PARTS),
    Export(
        "doubled_rows.csv",
        ended(table().splitlines()[5]),
        "flagged",
        ("duplicate",),
        sales=(*SALES, SALES[4]),
    ),
    Export(
        "doubled_rows_dropped.csv",
        ended(table().splitlines()[5]),
        "flagged",
        ("duplicate",),
        stated={"drop_duplicates": True},
    ),
]
VALUES = [*AMOUNTS, *CURRENCIES, *DATES, *IDS, *ROWS]
