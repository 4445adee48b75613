"""Numbers: exact or refused; the signs around them are understood, never the digits guessed."""

from decimal import Decimal

import duckdb
import numpy as np
import pandas as pd
import pytest
from value_tables import COLUMNS, flags, frame, read, refusal, values

from crm_analysis.doors.values import product

AS_PRODUCT = COLUMNS | {"amount": {"quantity": "n", "unit_price": "price"}}


def amounts(written, **options):
    return values(frame(amount=written), "amount", **options)


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("$1,234.50", "1234.5"),
        ("-$5.00", "-5"),
        ("$-5.00", "-5"),
        ("($5.25)", "-5.25"),
        ("$(5.25)", "-5.25"),
        ("5.25-", "-5.25"),
        ("(1,234.50)", "-1234.5"),
        ("\u22125.25", "-5.25"),
        ("\u20135.25", "-5.25"),
        ("+5.25", "5.25"),
        ("€ 5.25", "5.25"),
        ("5.25 €", "5.25"),
        ("CHF 1'234.50", "1234.5"),
        ("1’234.50", "1234.5"),
        ("R$ 5.25", "5.25"),
        ("5.25 USD", "5.25"),
        ("￥2,470.85", "2470.85"),
        ("¥5.25", "5.25"),
        ("5.25元", "5.25"),
        ("RMB 5.25", "5.25"),
        ("₹1,23,456.78", "123456.78"),
        ("1 234.50", "1234.5"),
        ("1\u00a0234.50", "1234.5"),
        ("1\u202f234.50", "1234.5"),
        ("１，２３４．５０", "1234.5"),
        ("￥１２．５", "12.5"),
        ("US$5.25", "5.25"),
        ("£0.5", "0.5"),
        (".50", "0.5"),
        ("7.", "7"),
        ("-.5", "-0.5"),
        ("1,234,567", "1234567"),
        ("5,00,000", "500000"),
        ("0005.10", "5.1"),
    ],
)
def test_a_number_is_read_whatever_stands_around_it(written, read_as):
    assert amounts([written, None]) == [Decimal(read_as), None]


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("1.234,50 €", "1234.5"),
        ("1 234,50", "1234.5"),
        ("-5,25", "-5.25"),
        ("1'234,50", "1234.5"),
        ("(5,1)", "-5.1"),
    ],
)
def test_decimal_commas_too(written, read_as):
    assert amounts([written]) == [Decimal(read_as)]
    assert read(frame(amount=[written])).reading == ("'amount': decimal comma",)


@pytest.mark.parametrize(
    "written",
    [
        "5%",
        "1.5E+03",
        "(5",
        "5)",
        "-(5)",
        "(-5)",
        "--5",
        "-5-",
        "$€5",
        "$5$",
        "1,23,45",
        "12,34.5",
        "1 23",
        "5 000 0",
        "1'23",
        "1 234,567.8",
        "EUR",
        "-",
        "$",
        "5,",
        "0x10",
        "1.2.3",
        "5 6",
        "١٢",
        "1_000",
        "5 stk",
        "∞",
    ],
)
def test_what_is_no_plain_number_is_refused_by_line(written):
    assert f"line 3 {written!r}" in refusal(frame(amount=["1.5", written]))


def test_currencies_are_not_mixed():
    message = refusal(frame(amount=["$5.00", "€5.00", "$6.00"]))
    assert "names several currencies: 2 rows such as line 2 '$5.00', 1 rows such as line 3 '€5.00'" in message
    assert "several currencies" in refusal(frame(amount=["5.00 USD", "5.00 CHF"]))
    assert amounts(["¥5.00", "￥5.00", "5.00元", "CNY 5.00"]) == [Decimal(5)] * 4


def test_a_currency_in_some_rows_only_is_noted():
    noted = flags(frame(amount=["$5.00", "6.00", "7.00"]))["currency not always named"]
    assert "names a currency in 1 rows, such as line 2 '$5.00', and none in 2, such as line 3 '6.00'" in noted
    assert flags(frame(amount=["$5.00", "$6.00", None])) == {}


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("$342.09K", "342090"),
        ("1.2M", "1200000"),
        ("1.23456M", "1234560"),
        ("3万", "30000"),
        ("1.5亿", "150000000"),
        ("¥3.25万元", "32500"),
        ("2bn", "2000000000"),
        ("-1.5k", "-1500"),
        ("($1.5K)", "-1500"),
        ("1,5 M", "1500000"),
    ],
)
def test_shortened_amounts_are_multiplied_exactly_and_told(written, read_as):
    assert amounts([written]) == [Decimal(read_as)]
    assert f"line 2 {written!r}" in flags(frame(amount=[written]))["rounded amounts"]


def test_each_amount_is_read_by_its_own_suffix():
    written = ["$342.09K", "$1.2M", "$900", "$12"]
    assert amounts(written) == [Decimal(342090), Decimal(1200000), Decimal(900), Decimal(12)]
    told = flags(frame(amount=written))["rounded amounts"]
    assert "such as line 2 '$342.09K': K as 1,000, M as 1,000,000" in told
    assert "2 rows have no suffix, such as line 4 '$900', and are read as they are" in told
    assert "no suffix" not in flags(frame(amount=["5.5K", "1.2M", ""]))["rounded amounts"]
    assert amounts(["3万", "12"]) == [Decimal(30000), Decimal(12)]


def test_amounts_shortened_in_two_scripts_are_refused():
    assert "shortens amounts in two ways: line 2 '5.5K' and line 3 '12.5万'" in refusal(
        frame(amount=["5.5K", "12.5万"])
    )


def test_no_digit_is_lost():
    assert amounts(["99999999999999.9999", "0.0001"]) == [Decimal("99999999999999.9999"), Decimal("0.0001")]
    assert amounts(["$1.50000000", "2.25"])[0] == Decimal("1.5")
    assert "line 2 '1.23456'" in refusal(frame(amount=["1.23456", "1.50000"]))
    assert "line 2 '100000000000000'" in refusal(frame(amount=["100000000000000"]))
    assert "line 2 '99999999999999.9K'" in refusal(frame(amount=["99999999999999.9K"]))
    assert "line 2 '1.23456789K'" in refusal(frame(amount=["1.23456789K", "1K"]))


def test_the_sign_of_three_digits_is_asked_for_unless_proven():
    assert "the sign may mark decimals or thousands" in refusal(frame(amount=["$1.234"]))
    assert amounts(["$1.234", "$0.125"])[0] == Decimal("1.234")
    assert amounts(["1.234 €", "0,125 €"])[0] == Decimal(1234)
    assert amounts(["1,234", "1,23,456"])[0] == Decimal(1234)
    assert amounts(["1.234"], decimal=",") == [Decimal(1234)]


def test_a_fine_price_counts_in_full():
    table = frame(date=["2024-01-05"] * 2, n=["1000", "3"], price=["0.123456", "0.5"])
    assert values(table, "amount", AS_PRODUCT) == [Decimal("123.456"), Decimal("1.5")]
    assert values(table, "unit_price", AS_PRODUCT) == [Decimal("0.1235"), Decimal("0.5")]
    assert read(table, AS_PRODUCT).reading == ("'price': prices with 6 decimals, shown with 4",)
    assert "line 2 '0.123456'" in refusal(frame(amount=["0.123456"]))


def test_products_round_half_up_once():
    rng = np.random.default_rng(7)
    quantities = rng.integers(-9_999, 9_999, 4_000) / 1000
    prices = rng.integers(0, 99_999, 4_000) / 100
    table = frame(
        date=["2024-01-05"] * 4_000, n=[f"{q:.3f}" for q in quantities], price=[f"{p:.2f}" for p in prices]
    )
    exact = [
        (Decimal(f"{q:.3f}") * Decimal(f"{p:.2f}")).quantize(Decimal("0.0001"), "ROUND_HALF_UP")
        for q, p in zip(quantities, prices, strict=True)
    ]
    assert values(table, "amount", AS_PRODUCT) == exact


def test_a_product_that_money_does_not_hold_is_refused():
    table = frame(date=["2024-01-05"] * 2, n=["1", "10000000000"], price=["2.5", "10000000000"])
    message = refusal(table, AS_PRODUCT)
    assert "(for amount): 1 of 2 values cannot be read: line 3 '10000000000 x 10000000000'" in message
    assert values(table.iloc[:1], "amount", AS_PRODUCT) == [Decimal("2.5")]
    import ibis

    huge = ibis.memtable(pd.DataFrame({"q": [1e300, 2.0], "p": [1e300, 2.0]}))
    assert product(huge.q, huge.p).to_pyarrow().to_pylist() == [None, Decimal(4)]


# Decimals of typed sources -------------------------------------------------------------------------------


def typed_amounts(folder, written, kind, column="amount", **others):
    path = folder / "sales.parquet"
    more = "".join(f", {value} AS {name}" for name, value in others.items())
    rows = " UNION ALL ".join(
        f"SELECT 'C1' AS customer, DATE '2024-01-05' AS date, {value}::{kind} AS {column}{more}"
        for value in written
    )
    duckdb.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet)")
    return path


@pytest.mark.parametrize("kind", ["DECIMAL(38, 10)", "DECIMAL(12, 6)", "DECIMAL(38, 30)"])
def test_decimals_beyond_the_fourth_are_refused_in_typed_sources_too(tmp_path, kind):
    found = refusal(typed_amounts(tmp_path, ["1.50000", "0.00001", "-2.12345"], kind))
    assert "2 of 3 values cannot be read" in found
    assert "-2.12345" in found
    assert "at most 4 decimals" in found


@pytest.mark.parametrize(
    ("kind", "written", "read_as"),
    [
        ("DECIMAL(38, 10)", ["1.5000", "-0.0001", "NULL", "9999"], ["1.5", "-0.0001", None, "9999"]),
        ("DECIMAL(38, 30)", ["99999999", "0.0001"], ["99999999", "0.0001"]),
        ("DECIMAL(38, 4)", ["99999999999999.9999"], ["99999999999999.9999"]),
        ("DOUBLE", ["0.1 + 0.2", "1.00001"], ["0.3", "1"]),
    ],
)  # fmt: skip
def test_decimals_with_zeros_beyond_the_fourth_and_floats_are_money(tmp_path, kind, written, read_as):
    path = typed_amounts(tmp_path, [f"({each})" for each in written], kind)
    found = read(path).table.amount.to_pyarrow().to_pylist()
    assert found == [each if each is None else Decimal(each) for each in read_as]


@pytest.mark.parametrize("written", ["99999999.99999", "-99999999.99999"])
def test_what_would_round_up_to_more_than_its_type_holds_is_refused(tmp_path, written):
    assert "cannot be read" in refusal(typed_amounts(tmp_path, [written], "DECIMAL(38, 30)"))
    largest = written.replace("99999999.", "99999999999999.")
    assert "cannot be read" in refusal(typed_amounts(tmp_path, [largest], "DECIMAL(20, 6)"))
    assert "cannot be read" in refusal(typed_amounts(tmp_path, ["100000000000000.5"], "DECIMAL(38, 10)"))


def test_finer_prices_of_typed_sources_count_in_full(tmp_path):
    path = typed_amounts(tmp_path, ["0.00125", "2.5"], "DECIMAL(38, 10)", column="price", n=1000)
    columns = COLUMNS | {"amount": {"quantity": "n", "unit_price": "price"}}
    table = read(path, columns).table
    assert table.amount.to_pyarrow().to_pylist() == [Decimal("1.25"), Decimal(2500)]
    assert table.unit_price.to_pyarrow().to_pylist() == [Decimal("0.0013"), Decimal("2.5")]


@pytest.mark.parametrize(
    ("columns", "kind"), [({"quantity": "n", "unit_price": "price"}, "BASE TABLE"), ("price", "VIEW")]
)
def test_products_are_computed_once_and_plain_columns_are_left_where_they_are(tmp_path, columns, kind):
    path = typed_amounts(tmp_path, ["2.5"], "DOUBLE", column="price", n=3)
    table = read(path, COLUMNS | {"amount": columns}).table
    tables = table.get_backend().raw_sql("SELECT table_name, table_type FROM information_schema.tables")
    assert dict(tables.fetchall())[table.get_name()] == kind
