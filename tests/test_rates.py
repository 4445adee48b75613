"""Several currencies become one through stated rates, to the last decimal, or are refused."""

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import ibis
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crm_analysis as crm
from crm_analysis.errors import ConfigError, DataError

SHARED = Path("../shared/data")
COLUMNS = {"customer_id": "customer", "occurred_at": "date", "amount": "amount", "currency": "currency"}
DATES = {"observed_from": "2024-01-01", "observed_until": "2024-12-31", "max_set_aside": 1.0}
Q = Decimal("0.0001")


def sales(*rows):
    table = pd.DataFrame(rows, columns=["customer", "date", "amount", "currency"])
    return table.astype({"amount": float, "date": "datetime64[us]", "currency": object})


def rates(*rows, columns=("date", "currency", "rate")):
    table = pd.DataFrame(rows, columns=list(columns))
    return table.astype({"date": "datetime64[us]"}) if "date" in columns else table


def read(*rows, rates=None, currency="CNY", **options):
    return crm.read_transactions(
        sales(*rows), columns=COLUMNS, currency=currency, rates=rates, **DATES | options
    )


def amounts(log):
    rows = log.lines.order_by("customer_id").to_pyarrow().to_pylist()
    return [row["amount"] for row in rows]


def defects(verdict):
    return {defect.name: defect for defect in verdict.defects}


def shared(name):
    if not (SHARED / name).exists():
        pytest.skip(f"{SHARED / name} is not there")
    return SHARED / name


DAILY = rates(
    ("2024-03-01", "EUR", 7.8), ("2024-03-02", "EUR", 7.9), ("2024-03-01", "USD", 7.123456789012)
)  # fmt: skip


# Converting ----------------------------------------------------------------------------------------------


def test_amounts_are_multiplied_by_the_rate_of_their_day_and_keep_what_they_were():
    log = read(
        ("a", "2024-03-01 23:59", 100, "EUR"),
        ("b", "2024-03-02", 100, "EUR"),
        ("c", "2024-03-01", -10, "USD"),
        ("d", "2024-05-01", 5, "CNY"),
        rates=DAILY,
    )
    # -71.23456789012 to four decimals.
    assert amounts(log) == [Decimal(780), Decimal(790), Decimal("-71.2346"), Decimal(5)]
    rows = log.lines.order_by("customer_id").to_pyarrow().to_pylist()
    assert [(r["amount_original"], r["currency"]) for r in rows] == [
        (Decimal(100), "EUR"),
        (Decimal(100), "EUR"),
        (Decimal(-10), "USD"),
        (Decimal(5), "CNY"),
    ]
    assert log.merged.amount.sum().to_pyarrow().as_py() == Decimal("1503.7654")
    assert (
        "2 currencies converted to CNY with rates of 2024-03-01 to 2024-03-02 (DataFrame): CNY 1 rows 5.00 "
        "as they are, EUR 2 rows 200.00 at 7.8 to 7.9, USD 1 rows -10.00 at 7.12346"
    ) in log.verdict.reading
    assert set(defects(log.verdict)) == {"refund netted"}
    assert defects(log.verdict)["refund netted"].share_of_revenue == pytest.approx(71.2346 / 1646.2346)


def test_prices_costs_and_discounts_are_converted_and_the_cost_of_a_line_with_them():
    table = sales(("a", "2024-03-01", 30, "EUR")).assign(n=[3], price=[10.0], cost=[4.0], off=[1.5])
    columns = COLUMNS | {"quantity": "n", "unit_price": "price", "unit_cost": "cost", "discount": "off"}
    log = crm.read_transactions(table, columns=columns, currency="CNY", rates=DAILY, **DATES)
    row = log.lines.to_pyarrow().to_pylist()[0]
    found = {
        name: row[name] for name in ("amount", "unit_price", "unit_cost", "discount", "cost", "quantity")
    }
    assert found == {
        "amount": Decimal(234),
        "unit_price": Decimal(78),
        "unit_cost": Decimal("31.2"),
        "discount": Decimal("11.7"),
        "cost": Decimal("93.6"),
        "quantity": 3.0,
    }


def test_halves_are_rounded_away_from_nothing():
    half = rates(("EUR", 0.5), columns=("currency", "rate"))
    log = read(("a", "2024-03-01", 0.0003, "EUR"), ("b", "2024-03-01", -0.0003, "EUR"), rates=half)
    assert amounts(log) == [Decimal("0.0002"), Decimal("-0.0002")]


@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.decimals(min_value=-(10**9), max_value=10**9, places=4),
            st.integers(0, 8),
            st.sampled_from(["EUR", "USD", "CNY"]),
        ),
        min_size=1,
        max_size=8,
    ),
    st.lists(st.integers(1, 3 * 10**6).map(lambda n: 10 + n / 10**6), min_size=2, max_size=2),
)
def test_converted_amounts_equal_those_computed_by_hand(rows, worth):
    table = pd.DataFrame(rows, columns=["amount", "day", "currency"])
    table["date"] = pd.Timestamp("2024-03-01") + pd.to_timedelta(table["day"], unit="D")
    table["customer"] = [f"{i:03}" for i in range(len(table))]
    days = [dt.date(2024, 3, 1), dt.date(2024, 3, 4)]
    given_rates = [(day, c, r * (1 + i)) for c, r in zip(["EUR", "USD"], worth, strict=True)
                   for i, day in enumerate(days)]  # fmt: skip
    log = crm.read_transactions(table, columns=COLUMNS, currency="CNY", rates=rates(*given_rates), **DATES)
    known = {(c, day): Decimal(repr(r)) for day, c, r in given_rates}
    expected = [
        (amount * (1 if c == "CNY" else known[c, days[day >= 3]])).quantize(Q, ROUND_HALF_UP)
        for amount, day, c in rows
    ]
    assert amounts(log) == expected


def test_the_same_on_an_engine_of_the_callers_and_in_postgresqls_words():
    engine = ibis.duckdb.connect()
    table = engine.create_table(
        "sales", sales(("a", "2024-03-01", 100, "EUR"), ("b", "2024-03-01", 1, "CNY"))
    )
    log = crm.read_transactions(table, columns=COLUMNS, currency="CNY", rates=DAILY, **DATES)
    assert amounts(log) == [Decimal(780), Decimal(1)]
    assert log.lines.get_backend() is engine
    assert "JOIN" in ibis.to_sql(log.lines, dialect="postgres")


# The table of rates --------------------------------------------------------------------------------------


def test_a_day_without_a_rate_takes_the_last_one_before_it_counted_and_not_too_old():
    rows = [("a", "2024-03-09", 10, "EUR"), ("b", "2024-03-02", 1, "EUR"), ("c", "2024-03-03", 1, "EUR")]
    log = read(*rows, rates=DAILY)
    assert amounts(log) == [Decimal(79), Decimal("7.9"), Decimal("7.9")]
    flag = defects(log.verdict)["rates carried forward"]
    assert (flag.n_rows, flag.share_of_rows, flag.consequence) == (2, pytest.approx(2 / 3), "flag")
    assert "2 of 3 rows lie on 2 days without a rate" in flag.found
    assert "up to 7 days old" in flag.found
    with pytest.raises(DataError) as error:
        read(*rows, ("d", "2024-03-10", 1, "EUR"), ("e", "2024-02-29", 1, "EUR"), rates=DAILY)
    assert str(error.value) == (
        "DataFrame: DataFrame has no rate of the day, nor one at most 7 days older, for EUR on 2 days (2 "
        "rows), first 2024-02-29; complete the rates, or set max_age_days"
    )
    longer = crm.read_rates(DAILY, currency="CNY", max_age_days=8)
    assert len(amounts(read(*rows, ("d", "2024-03-10", 1, "EUR"), rates=longer))) == 4


def test_constant_rates_are_flagged():
    log = read(
        ("a", "2024-03-01", 10, "EUR"), ("b", "2024-09-01", 1, "CNY"),
        rates=rates(("EUR", 7.5), columns=("currency", "rate")),
    )  # fmt: skip
    assert amounts(log) == [Decimal(75), Decimal(1)]
    flag = defects(log.verdict)["constant rates"]
    assert (flag.n_rows, flag.consequence) == (1, "flag")
    assert "1 currency converted to CNY with constant rates (DataFrame): " in str(log.verdict.reading)


def test_amounts_that_need_no_rate_need_none():
    log = read(
        ("a", "2024-03-01", 10, "CNY"),
        ("b", "2023-03-01", 10, "EUR"),
        ("c", None, 10, "EUR"),
        ("d", "2024-03-01", None, "GBP"),
        rates=DAILY,
    )
    assert log.set_aside == {"time missing": 1, "before observed_from": 1, "amount missing": 1}
    assert "all amounts in CNY, as they are" in log.verdict.reading
    assert amounts(log) == [Decimal(10)]


def test_a_currency_without_rates_is_refused_by_name():
    with pytest.raises(DataError) as error:
        read(
            ("a", "2024-03-01", 1, "GBP"),
            ("b", "2024-03-01", 1, "rmb"),
            ("c", "2024-03-01", 1, "¥"),
            rates=DAILY,
        )
    assert str(error.value) == (
        "DataFrame: no rate for GBP, RMB (write CNY), ¥ (write CNY or JPY) in DataFrame, which has CNY, EUR, "
        "USD; add the rates, or put the codes right"
    )


def test_pairs_are_taken_in_the_direction_of_the_own_currency():
    columns = ("date", "currency", "to_currency", "rate")
    pairs = rates(
        ("2024-03-01", "EUR", "CNY", 7.8),
        ("2024-03-01", "CNY", "EUR", 0.128),
        ("2024-03-01", "EUR", "USD", 1.1),
        columns=columns,
    )
    assert amounts(read(("a", "2024-03-01", 10, "EUR"), rates=pairs)) == [Decimal(78)]
    with pytest.raises(DataError, match="no rates into GBP: to_currency holds CNY, EUR, USD"):
        crm.read_rates(pairs, currency="GBP")


def test_inverse_quoting_is_stated_by_an_option():
    inverse = rates(("2024-03-01", "EUR", 0.125))
    given = crm.read_rates(inverse, currency="CNY", quoted="foreign per own")
    assert amounts(read(("a", "2024-03-01", 10, "EUR"), rates=given)) == [Decimal(80)]
    with pytest.raises(ConfigError, match=r"quoted = 'per unit': 'own per foreign' \(7.80 CNY for one EUR\)"):
        crm.read_rates(inverse, currency="CNY", quoted="per unit")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            [("2024-03-01", "EUR", 7.8), ("2024-03-01", "eur ", 7.9)],
            "1 times several rates for one currency and day, first EUR on 2024-03-01: 7.8 and 7.9",
        ),
        ([("2024-03-01", "EUR", 0.0)], r"1 of 1 rows \(100.0%\) have a rate that is not above 0"),
        ([("2024-03-01", "EUR", -7.8)], "have a rate that is not above 0"),
        ([("2024-03-01", "EUR", None)], "have no rate"),
        ([(None, "EUR", 7.8)], "have no date"),
        ([("2024-03-01", None, 7.8)], "have no currency"),
        (
            [("2024-03-01", "EUR", 7.8), ("2024-03-02", "EUR", 0.128), ("2024-03-03", "EUR", 0.129)],
            "1 rates are more than 3 times, or less than a third of, the rate before: first EUR from 7.8 on "
            "2024-03-01 to 0.128 on 2024-03-02",
        ),
        ([("2024-03-01", "JPY", 4.9), ("2024-03-02", "JPY", 490.0)], "JPY from 4.9 .* to 490"),
        ([("2024-03-01", "CNY", 0.138)], "one CNY is worth 0.138 CNY, 1 was expected"),
    ],
)
def test_rates_that_cannot_be_are_refused(rows, sentence):
    with pytest.raises(DataError, match=sentence) as error:
        crm.read_rates(rates(*rows), currency="CNY")
    assert error.value.verdict.status == "REFUSE"


def test_rates_that_move_by_less_or_come_twice_alike_are_taken():
    crm.read_rates(
        rates(("2024-03-01", "EUR", 1.0), ("2024-03-02", "EUR", 3.0), ("2024-03-02", "EUR", 3.0)),
        currency="CNY",
    )


# Rows without a rate, or without a currency --------------------------------------------------------------


def test_rows_without_a_currency_are_set_aside_unless_they_are_said_to_be_in_the_own():
    rows = [("a", "2024-03-01", 10, "EUR"), ("b", "2024-03-01", 10, None), ("c", "2024-03-01", 10, "CNY")]
    log = read(*rows, rates=DAILY)
    assert log.set_aside == {"currency missing": 1}
    own = read(*rows, rates=DAILY, missing_currency="own")
    assert amounts(own) == [Decimal(78), Decimal(10), Decimal(10)]
    assert own.lines.currency.nunique().to_pyarrow().as_py() == 2
    with pytest.raises(ConfigError, match="missing_currency = 'ignore': 'set aside' or 'own' was expected"):
        read(*rows, rates=DAILY, missing_currency="ignore")
    with pytest.raises(ConfigError, match="missing_currency = 'own' needs currency"):
        read(*rows, currency=None, missing_currency="own")


def test_codes_differ_only_in_case_and_blanks():
    log = read(("a", "2024-03-01", 10, " eur"), ("b", "2024-03-01", 1, "EUR"), currency="eur")
    assert log.verdict.status == "PASS"
    assert log.lines.currency.to_pyarrow().to_pylist() == ["EUR", "EUR"]


def test_several_currencies_or_one_that_is_not_the_workspaces_are_refused_without_rates():
    with pytest.raises(DataError) as error:
        read(("a", "2024-03-01", 10, "EUR"), ("b", "2024-03-01", 5, "USD"), currency=None)
    assert str(error.value) == (
        "DataFrame: several currencies in the column currency (EUR 1 rows 10.00, USD 1 rows 5.00); one was "
        "expected: set rates (a table of date, currency and rate) to convert them, or keep the rows of one "
        "currency"
    )
    with pytest.raises(
        DataError, match=r"amounts are in EUR \(EUR 1 rows 10.00\), the workspace in CNY: set"
    ):
        read(("a", "2024-03-01", 10, "EUR"))
    assert read(("a", "2024-03-01", 10, "EUR"), currency=None).verdict.status == "PASS"
    assert read(("a", "2024-03-01", 10, "EUR"), currency="EUR").verdict.status == "PASS"


def test_rates_need_a_currency_and_a_column():
    with pytest.raises(ConfigError, match="rates need currency"):
        read(("a", "2024-03-01", 10, "EUR"), currency=None, rates=DAILY)
    plain = {name: column for name, column in COLUMNS.items() if name != "currency"}
    with pytest.raises(ConfigError, match="rates need a column for currency"):
        crm.read_transactions(
            sales(("a", "2024-03-01", 1, "EUR")), columns=plain, currency="CNY", rates=DAILY, **DATES
        )


# Workspaces and published logs ---------------------------------------------------------------------------

TOML = """
name = "Two currencies"
currency = "CNY"
timezone = "Asia/Shanghai"
output = "out"
[firms.a]
name = "A"
observed_from = 2024-01-01
observed_until = 2024-12-31
[firms.a.transactions]
source = "sales.csv"
columns = { customer_id = "customer", occurred_at = "date", amount = "amount", currency = "currency" }
[firms.a.rates]
source = "rates.csv"
columns = { date = "day", currency = "code", rate = "value" }
quoted = "foreign per own"
"""


def test_a_workspace_converts_by_its_rates_and_anew_when_they_change(tmp_path):
    files = {
        "w.toml": TOML,
        "sales.csv": "customer,date,amount,currency\nx,2024-03-01,10,EUR\ny,2024-03-01,3,CNY\n",
        "rates.csv": "day,code,value\n2024-03-01,EUR,0.125\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    log = crm.open_workspace(tmp_path / "w.toml").transactions("a")
    assert amounts(log) == [Decimal(80), Decimal(3)]
    assert "1 currency converted to CNY with rates of 2024-03-01" in str(log.verdict.reading)
    assert crm.open_workspace(tmp_path / "w.toml").transactions("a").verdict == log.verdict
    (tmp_path / "rates.csv").write_text("day,code,value\n2024-03-01,EUR,0.1\n")
    assert amounts(crm.open_workspace(tmp_path / "w.toml").transactions("a")) == [Decimal(100), Decimal(3)]


def contoso(**options):
    columns = {
        "customer_id": "customer_key", "occurred_at": "order_date", "amount": "net_revenue",
        "order_id": "order_key", "currency": "currency_code",
    }  # fmt: skip
    dates = {"observed_from": "2021-01-01", "observed_until": "2024-12-31"}
    return crm.read_transactions(shared("contoso/sales.parquet"), columns=columns, **dates, **options)


def test_contoso_is_refused_without_rates_with_its_totals():
    found = (
        r"AUD 462 rows 383,513.90, CAD 829 rows 798,042.32, EUR 1,814 rows 1,614,299.46, GBP 685 rows "
        r"687,264.95, USD 4,004 rows 3,822,818.40"
    )
    with pytest.raises(DataError, match=found):
        contoso()


def test_contoso_is_converted_with_its_rates_to_the_cent():
    pairs = shared("contoso/fx.parquet")
    names = {"date": "date", "currency": "from_currency", "to_currency": "to_currency", "rate": "exchange"}
    log = contoso(currency="USD", rates=crm.read_rates(pairs, currency="USD", columns=names))
    total = log.lines.amount.sum().to_pyarrow().as_py()
    table, fx = pd.read_parquet(shared("contoso/sales.parquet")), pd.read_parquet(pairs)
    fx = fx[fx["to_currency"] == "USD"]
    known = {
        (d, c): Decimal(repr(r))
        for d, c, r in zip(fx["date"], fx["from_currency"], fx["exchange"], strict=True)
    }
    columns = (table["net_revenue"], table["order_date"], table["currency_code"])
    # Money has four decimals, before and after; some amounts of this source have more.
    by_hand = sum(
        (Decimal(repr(a)).quantize(Q, ROUND_HALF_UP) * known[d, c]).quantize(Q, ROUND_HALF_UP)
        for a, d, c in zip(*columns, strict=True)
    )
    assert total.quantize(Decimal("0.01")) == by_hand.quantize(Decimal("0.01")) == Decimal("7302606.13")
    assert "GBP 685 rows 687,264.95 at 1.05962 to 1.41715" in str(log.verdict.reading)


def test_a_file_of_three_currencies_is_asked_about():
    columns = {
        "customer_id": "customer_id",
        "occurred_at": "order_date",
        "amount": "amount",
        "currency": "currency",
    }
    verdict = crm.check_transactions(
        shared("nasty/currency_mixed.csv"),
        columns=columns,
        observed_from="2023-01-01",
        observed_until="2025-12-31",
    )
    assert verdict.status == "REFUSE"
    assert "several currencies in the column currency" in str(verdict)


# Not mapped ----------------------------------------------------------------------------------------------


def unmapped(spellings, name="currency", **columns):
    n = len(spellings)
    table = sales(*[("C1", "2024-01-05", 1.5, None)] * n).drop(columns="currency")
    plain = {ours: theirs for ours, theirs in COLUMNS.items() if ours != "currency"}
    return crm.check_transactions(table.assign(**{name: spellings}, **columns), columns=plain, **DATES)


@pytest.mark.parametrize(
    "name", ["currency", "Currency_Code", "币种", "Währung", "W\u0061\u0308hrung", "MONEDA", "order currency"]
)
def test_several_currencies_of_a_column_that_is_not_mapped_are_refused(name):
    (found,) = [d for d in unmapped(["EUR", "usd", "EUR "], name).defects if d.consequence == "refuse"]
    assert f"column {name!r} names several currencies (EUR 2 rows 3.00, USD 1 rows 1.50)" in found.found
    assert "map currency" in found.found


@pytest.mark.parametrize(
    ("spellings", "refused"),
    [
        (["EUR", "eur", " EUR", None, "", "NULL"], False),
        (["€", "EUR"], False),
        (["$", "US$", "USD"], False),
        (["CNY", "RMB", "¥"], False),
        (["€", "$"], True),
        (["kr", "SEK"], False),
        (["SEK", "DKK"], True),
        (["cash", "card"], False),
        (["EUR", "by invoice"], False),
        ([f"{a}{b}X" for a in "ABCDEFG" for b in "ABCDEFG"], False),
    ],
)
def test_one_currency_and_what_is_none_are_not_refused(spellings, refused):
    assert ("several currencies" in {d.name for d in unmapped(spellings).defects}) == refused


def test_only_a_column_of_that_name_and_rows_that_count_are_looked_at():
    several = ["EUR", "USD", "EUR"]
    assert unmapped(several, "origin").status == unmapped(["EUR"] * 3).status
    outside = pd.to_datetime(["2024-01-05", "2023-01-05", "2024-01-05"])
    names = {d.name for d in unmapped(several, date=outside).defects}
    assert "before observed_from" in names
    assert "several currencies" not in names
