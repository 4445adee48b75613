"""Our totals beside the ledger's: every difference split over its reasons, to the cent."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crm_analysis as crm
from crm_analysis.doors.control.labels import period_of
from crm_analysis.doors.control.reason import Reason
from crm_analysis.doors.control.split import split
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.workspace import Calendar, Control

COLUMNS = {"customer_id": "customer", "occurred_at": "date", "amount": "amount", "order_id": "order"}
DATES = {"observed_from": "2024-01-01", "observed_until": "2024-12-31", "max_set_aside": 1.0}


def read(ledger, *rows, columns=COLUMNS, **options):
    table = pd.DataFrame(rows, columns=["customer", "order", "date", "amount"])
    table = table.astype({"amount": float, "date": "datetime64[us]"})
    return crm.read_transactions(table, columns=columns, control=ledger, **DATES | options)


@pytest.fixture
def ledger(tmp_path):
    def write(text, **options):
        (tmp_path / "ledger.csv").write_text(text, encoding="utf-8")
        return Control(source=str(tmp_path / "ledger.csv"), **options)

    return write


def refusal(*args, **options):
    with pytest.raises(DataError) as error:
        read(*args, **options)
    assert error.value.verdict.status == "REFUSE"
    return str(error.value)


# January: 1,000 sold, 200 taken back in February. February: 3,000 sold, 50 without a customer.
SALES = (
    ("a", "1", "2024-01-05 10:00", 1000),
    ("b", "2", "2024-02-05 10:00", 3000),
    ("a", "1", "2024-02-20 10:00", -200),
    (None, "3", "2024-02-06 10:00", 50),
)


# Side by side --------------------------------------------------------------------------------------------


def test_totals_that_agree_are_shown_beside_the_ledgers(ledger):
    log = read(
        ledger("period,revenue,orders\n2024-01,1000,1\n2024-02,2800.4,1\n2023-12,9,9\n2025-01,9,9\n"), *SALES
    )
    assert log.control.loc["2024-01"].to_dict() == {
        "revenue": 1000, "ledger_revenue": 1000, "difference": 0, "share": 0, "accounted": 0, "rest": 0,
        "reasons": "", "orders": 1, "ledger_orders": 1, "orders_difference": 0,
    }  # fmt: skip
    assert log.control.loc["2024-02", ["difference", "rest"]].tolist() == pytest.approx([-0.4, -0.4])
    assert list(log.control.index) == ["2024-01", "2024-02"]
    said = "2 periods of ledger.csv compared; not observed whole, and left out: 2023-12, 2025-01"
    assert said in log.verdict.reading
    assert "control" not in str([defect.name for defect in log.verdict.defects])
    assert log.as_of("2024-06-30").control is None
    assert log.as_of("2024-06-30").control_reasons is None


def test_a_ledger_outside_the_observed_time_is_refused(ledger):
    with pytest.raises(ConfigError, match="no period of the ledger lies within 2024-01-01 to 2024-12-31"):
        read(ledger("period,revenue\n2023-12,1\n"), *SALES)


def test_a_difference_within_the_tolerance_is_no_refusal(ledger):
    text = "period,revenue\n2024-01,1005\n2024-02,2800\n"
    assert read(ledger(text, tolerance=0.005), *SALES).control.loc["2024-01", "difference"] == -5
    exactly = ledger("period,revenue\n2024-01,1250\n2024-02,2800\n", tolerance=0.2)
    assert read(exactly, *SALES).control.loc["2024-01", "difference"] == -250
    text = "period,revenue\n2024-01,1005\n2024-02,2800\n"
    assert "more than 0.40% in 1 of 2 periods, most in 2024-01" in refusal(
        ledger(text, tolerance=0.004), *SALES
    )


# Reasons -------------------------------------------------------------------------------------------------


def test_a_ledger_before_refunds_is_said_to_be_one(ledger):
    assert refusal(ledger("period,revenue\n2024-01,1000\n2024-02,3000\n"), *SALES) == (
        "ledger.csv: our revenue differs from the ledger's by more than 0.50% in 1 of 2 periods, most in "
        "2024-02: ours 200.00 lower (2,800.00, the ledger's 3,000.00); refunds of 200.00 account for it: the "
        'ledger is before refunds: set refunds = "set aside"'
    )


def test_a_ledger_after_refunds_is_said_to_be_one_where_they_are_set_aside(ledger):
    said = refusal(ledger("period,revenue\n2024-01,1000\n2024-02,2800\n"), *SALES, refunds="set aside")
    assert "ours 200.00 higher" in said
    assert (
        "rows set aside as refund of 200.00 account for it: the ledger is after refunds: set refunds" in said
    )


def test_two_reasons_account_for_it_together(ledger):
    said = refusal(ledger("period,revenue\n2024-01,1000\n2024-02,3050\n"), *SALES)
    assert (
        "ours 250.00 lower (2,800.00, the ledger's 3,050.00); refunds (-200.00) and rows set aside "
        "as customer missing (-50.00) account for it: the ledger is before refunds" in said
    )


def test_the_reasons_are_kept_one_row_per_period_measure_and_reason(ledger):
    control = ledger("period,revenue\n2024-01,1000\n2024-02,3057\n", tolerance=0.2)
    log = read(control, *SALES)
    table = log.control_reasons.set_index(["period", "reason"]).sort_index()
    assert table.loc[("2024-02", "refunds"), ["amount", "accounted"]].tolist() == [-200, 0]
    assert table.loc[("2024-02", "set aside: customer missing"), "amount"] == -50
    assert table.loc[("2024-02", "not accounted for"), "accounted"] == -257
    assert set(table["measure"]) == {"revenue"}
    # The order of January, refunded in February: dated by its order the refund is January's.
    assert table.loc[("2024-01", "day merge"), "amount"] == 200
    assert log.control.loc["2024-02", "reasons"] == ""


def test_what_nothing_accounts_for_is_shown_beside_the_largest_reasons(ledger):
    said = refusal(ledger("period,revenue\n2024-01,1000\n2024-02,3657\n"), *SALES)
    assert said.endswith(
        "the ledger's 3,657.00); no reason and no two of them account for it (refunds -200.00, day merge "
        "-200.00, part deliveries -200.00); look at refunds, missing ids and the time zone, or set "
        "control.tolerance"
    )


def test_a_reason_that_leaves_little_is_named_with_what_is_left(ledger):
    said = refusal(ledger("period,revenue\n2024-01,1000\n2024-02,3007\n"), *SALES)
    assert "refunds of 200.00 account for most of it, 7.00 is left: the ledger is before refunds" in said


def test_refunds_of_rows_without_a_customer_belong_to_the_refunds(ledger):
    rows = [*SALES, (None, "3", "2024-02-25", -20)]
    after = refusal(ledger("period,revenue\n2024-01,1000\n2024-02,2830\n"), *rows)
    assert "rows set aside as customer missing of 30.00 account for it" in after
    before = refusal(ledger("period,revenue\n2024-01,1000\n2024-02,3050\n"), *rows)
    assert "refunds (-200.00) and sales of rows set aside as customer missing (-50.00) account" in before


def test_a_reason_that_holds_in_many_periods_goes_before_one_that_fits_by_chance(ledger):
    rows = [
        ("a", "1", "2024-01-05", 1000), ("a", "9", "2024-01-20", -50), (None, "3", "2024-01-06", 50),
        ("b", "2", "2024-02-05", 3000), (None, "4", "2024-02-06", 70),
    ]  # fmt: skip
    said = refusal(ledger("period,revenue\n2024-01,1000\n2024-02,3070\n"), *rows)
    assert "rows set aside as customer missing of 70.00 account for it, as in 2 of the 2 periods" in said


def test_duplicates_that_the_ledger_does_not_hold(ledger):
    rows = [("a", "1", "2024-01-05", 100)] * 3 + [("b", "2", "2024-01-07", 500)]
    kept = refusal(ledger("period,revenue\n2024-01,600\n"), *rows)
    assert "ours 200.00 higher" in kept
    assert "exact duplicates of 200.00 account for it: the ledger holds no duplicates: set drop_dupl" in kept
    dropped = refusal(ledger("period,revenue\n2024-01,800\n"), *rows, drop_duplicates=True)
    assert "rows set aside as exact duplicate of 200.00 account for it" in dropped


def test_orders_and_refunds_that_the_ledger_dates_by_their_order(ledger):
    rows = [
        ("a", "1", "2024-01-31", 100), ("a", "1", "2024-02-02", 40), ("a", "1", "2024-02-20", -25),
        ("b", "2", "2024-01-05", 500), ("b", "3", "2024-02-05", 700),
    ]  # fmt: skip
    by_refund = refusal(ledger("period,revenue\n2024-01,575\n2024-02,740\n"), *rows)
    assert (
        "refunds of other days of 25.00 account for it, as in 2 of the 2 periods: the ledger dates refunds"
        in by_refund
    )
    by_order = refusal(ledger("period,revenue\n2024-01,615\n2024-02,700\n"), *rows)
    assert "later deliveries of 15.00 account for it" in by_order
    assert "the ledger dates an order by its first day" in by_order


CLOCK = (
    ("a", "1", "2024-01-31 23:50", 100),
    ("a", "2", "2024-02-01 00:30", 7),
    ("a", "3", "2024-02-01 07:59", 11),
    ("a", "4", "2024-02-01 08:00", 1000),
    ("a", "5", "2024-01-31 15:59", 500),
    ("a", "6", "2024-01-31 16:00", 300),
)


def test_a_ledger_in_days_of_utc(ledger):
    # Midnight of UTC is eight in the morning in Shanghai: 7 + 11 of 1 February are January's there.
    said = refusal(ledger("period,revenue\n2024-01,918\n2024-02,1000\n"), *CLOCK, timezone="Asia/Shanghai")
    assert (
        "sales around midnight of 18.00 account for it, as in 2 of the 2 periods: the ledger's days are those"
        in said
    )
    # West of it the other way round: 19:00 of the day before.
    west = refusal(ledger("period,revenue\n2024-01,800\n2024-02,1118\n"), *CLOCK, timezone="America/New_York")
    assert "sales around midnight of 100.00 account for it" in west


def test_times_of_utc_that_were_read_as_local(ledger):
    # 16:00 and later of 31 January, UTC, is 1 February in Shanghai.
    said = refusal(ledger("period,revenue\n2024-01,500\n2024-02,1418\n"), *CLOCK, timezone="Asia/Shanghai")
    assert (
        "sales around midnight of 400.00 account for it, as in 2 of the 2 periods: the times of the" in said
    )
    assert 'set source_timezone = "UTC"' in said


def test_times_without_a_clock_do_not_move(ledger):
    rows = [("a", "1", "2024-01-31", 100), ("b", "2", "2024-02-01", 50)]
    control = ledger("period,revenue\n2024-01,120\n2024-02,40\n", tolerance=1.0)
    assert "days of UTC" not in set(read(control, *rows, timezone="Asia/Shanghai").control_reasons["reason"])


def test_money_that_the_ledger_does_not_convert(ledger):
    table = pd.DataFrame(
        {"customer": ["a", "b"], "date": pd.to_datetime(["2024-01-05"] * 2), "amount": [100.0, 500.0],
         "money": ["EUR", "CNY"]}
    )  # fmt: skip
    columns = {"customer_id": "customer", "occurred_at": "date", "amount": "amount", "currency": "money"}
    rates = pd.DataFrame({"currency": ["EUR"], "rate": [7.5]})

    def said(text):
        with pytest.raises(DataError) as error:
            crm.read_transactions(
                table, columns=columns, currency="CNY", rates=rates, control=ledger(text), **DATES
            )
        return str(error.value)

    assert "exchange differences of 650.00 account for it: the ledger adds up amounts that are" in said(
        "period,revenue\n2024-01,600\n"
    )
    only = said("period,revenue\n2024-01,500\n")
    assert "sales in other currencies of 750.00 account for it: the ledger holds sales in CNY only" in only


# Units and taxes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("2024-01,1.0\n2024-02,2.8\n", "its revenue is in thousands: multiply it by 1000 in the ledger"),
        ("2024-01,100000\n2024-02,280000\n", "its revenue is in hundredths"),
        # 13% and 19%.
        ("2024-01,1130\n2024-02,3164\n", "1.1300 times ours in every period: possibly after a value"),
        ("2024-01,840.34\n2024-02,2352.94\n", "possibly before a value added tax of 19%"),
    ],
)  # fmt: skip
def test_a_constant_factor_is_named_and_never_applied(ledger, text, sentence):
    assert sentence in refusal(ledger(f"period,revenue\n{text}"), *SALES)


def test_a_factor_of_one_period_only_is_none(ledger):
    assert "tax" not in refusal(ledger("period,revenue\n2024-01,1130\n2024-02,2800\n"), *SALES)


def test_a_constant_factor_that_is_no_tax(ledger):
    rows = [*SALES, ("c", "7", "2024-03-05", 500)]
    text = "period,revenue\n2024-01,7234\n2024-02,20255.2\n2024-03,3617\n"
    assert "it is 7.2340 times ours in every period: another unit, currency or tax?" in refusal(
        ledger(text), *rows
    )


# Orders --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("orders", "sentence"),
    [
        (4, "ours 1 lower (3, the ledger's 4); orders set aside as customer missing (-1) account for it"),
        (
            5,
            "ours 2 lower (3, the ledger's 5); part deliveries (-2) account for it: the ledger counts each",
        ),
        (2, "ours 1 higher (3, the ledger's 2); orders refunded whole (+1) account for it"),
        (9, "ours 6 lower (3, the ledger's 9); no reason and no two of them account for it"),
    ],
)
def test_orders_are_reconciled_too(ledger, orders, sentence):
    rows = [
        ("a", "1", "2024-01-05", 100), ("a", "1", "2024-01-06", 100), ("a", "1", "2024-01-07", 100),
        ("b", "2", "2024-01-05", 100), ("b", "2", "2024-01-09", -100), ("c", "3", "2024-01-05", 100),
        (None, "4", "2024-01-05", 1), (None, "4", "2024-01-05", 0.5),
    ]  # fmt: skip
    said = refusal(ledger(f"period,revenue,orders\n2024-01,400,{orders}\n"), *rows)
    assert f"by more than 0.50% in 1 of 1 periods, most in 2024-01: {sentence}" in said
    assert "our orders differ" in said


def test_a_second_delivery_is_an_order_to_some_ledgers(ledger):
    rows = [("a", "1", "2024-01-05", 100), ("a", "1", "2024-01-06", 100), ("b", "2", "2024-01-05", 100)]
    said = refusal(ledger("period,revenue,orders\n2024-01,300,3\n"), *rows)
    assert "ours 1 lower (2, the ledger's 3); part deliveries (-1) account for it" in said


def test_without_an_order_number_a_day_is_an_order(ledger):
    rows = [("a", None, "2024-01-05", 1), ("a", None, "2024-01-06", 1), ("a", "1", "2024-01-07", 1)]
    log = read(ledger("period,revenue,orders\n2024-01,3,3\n"), *rows)
    assert log.control["orders"].tolist() == [3]


# The ledger ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("2025-03", "2025-03"), ("2025-3", "2025-03"), ("2025/03", "2025-03"), ("03/2025", "2025-03"),
        ("202503", "2025-03"), ("Mar 2025", "2025-03"), ("March 2025", "2025-03"), ("2025年3月", "2025-03"),
        ("2025-03-01", "2025-03"), ("2025-03-31", "2025-03"), ("2025-03-01 00:00:00", "2025-03"),
        ("2025Q1", "2025Q1"), ("2025-Q1", "2025Q1"), ("Q1 2025", "2025Q1"), ("2025年第1季度", "2025Q1"),
        ("2025", "2025"), ("2025年", "2025"), ("FY2025", "2025"),
    ],
)  # fmt: skip
def test_periods_are_understood_as_people_write_them(text, label):
    assert period_of(text, Calendar()).label == label


@pytest.mark.parametrize(
    "text", ["2025-13", "2025-03-15", "Q5 2025", "Marz 2025", "25-03", "total", "2025-00"]
)
def test_what_is_no_period_is_refused(text):
    with pytest.raises(ConfigError, match="a month such as '2025-12'"):
        period_of(text, Calendar())


def test_a_ledger_with_names_and_decimals_of_its_own(ledger):
    control = ledger(
        "Monat;Umsatz netto;Auftraege\n01/2024;1.000,00;1\n02/2024;2.800,00;1\n",
        columns={"period": "Monat", "revenue": "Umsatz netto", "orders": "Auftraege"},
        decimal=",",
    )
    assert read(control, *SALES).control["difference"].tolist() == [0, 0]


def test_a_ledger_with_dates(tmp_path):
    table = pd.DataFrame({"month": pd.to_datetime(["2024-01-31", "2024-02-29"]), "revenue": [1000.0, 2800.0]})
    table.to_parquet(tmp_path / "ledger.parquet")
    control = Control(
        source=str(tmp_path / "ledger.parquet"), columns={"period": "month", "revenue": "revenue"}
    )
    assert read(control, *SALES).control.index.tolist() == ["2024-01", "2024-02"]


def test_a_ledger_that_is_unclear_is_refused_with_everything_that_is(ledger):
    said = refusal(ledger("period,revenue\n2024-01,1000\nJan 2024,1\n2024-02,\nspring,5\n"), *SALES)
    assert said.splitlines() == [
        "ledger.csv: period 'spring': a month such as '2025-12', a quarter such as '2025Q4', a year, or the "
        "first or last day of a month was expected",
        "ledger.csv: period 2024-01 is there twice; one row was expected",
        "ledger.csv: 2024-02 has no revenue; complete it, or leave out the row",
    ]
    dates = "period,revenue\n2024-01-01,1\n2024-04-01,1\n2024-07-01,1\n"
    assert "more than a month apart: write '2025Q1' if they mean quarters" in refusal(ledger(dates), *SALES)


# Identities ----------------------------------------------------------------------------------------------

AMOUNTS = st.decimals(min_value=-1000, max_value=1000, places=2)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS), min_size=1, max_size=5))
def test_reasons_and_rest_are_the_difference_to_the_cent(rows):
    labels = pd.Index([f"2024-{i + 1:02}" for i in range(len(rows))], name="period")
    table = pd.DataFrame(rows, index=labels, columns=["gap", "x", "y", "z"]).astype(float)
    reasons = [Reason(name, table[name], "", family) for name, family in (("x", "1"), ("y", "1"), ("z", "2"))]
    found = split(table["gap"], reasons, table[["x", "y", "z"]], 0.01)
    total = found.to_frame("revenue").groupby("period")["accounted"].sum()
    assert (total - table["gap"]).abs().max() < 0.005
    taken = (found.accounted != 0).sum(axis="columns")
    assert taken.max() <= 2
    assert not ((found.accounted["x"] != 0) & (found.accounted["y"] != 0)).any()


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", None]),
        st.sampled_from(["1", "2", "3"]),
        st.sampled_from(["2024-01-05", "2024-01-31 23:30", "2024-02-01 00:30", "2024-02-20"]),
        st.sampled_from([-40, -3, 5, 60, 100]),
    ),
    min_size=1,
    max_size=10,
)


@settings(max_examples=8, deadline=None)
@given(ROWS, st.booleans(), st.booleans())
def test_planted_reasons_are_found(tmp_path_factory, rows, before_refunds, with_missing_customers):
    rows = [("z", "9", "2024-01-10", 5000), ("z", "8", "2024-02-10", 7000), *rows]
    table = pd.DataFrame(rows, columns=["customer", "order", "date", "amount"])
    held = table[(table["amount"] > 0) | (not before_refunds)]
    held = held[held["customer"].notna() | with_missing_customers]
    months = held.groupby(held["date"].str[:7])["amount"].sum()
    folder = tmp_path_factory.mktemp("ledger")
    (folder / "l.csv").write_text("period,revenue\n" + "".join(f"{m},{v}\n" for m, v in months.items()))
    log = read(Control(source=str(folder / "l.csv"), tolerance=1.0), *rows)
    assert log.control["rest"].abs().max() <= 0.5
    sums = log.control_reasons.query("measure == 'revenue'").groupby("period")["accounted"].sum()
    assert (sums - log.control["difference"]).abs().max() < 0.005


def test_two_reasons_that_cannot_both_be_so_are_not_added_up():
    labels = pd.Index(["2024-01"], name="period")
    table = pd.DataFrame({"x": [30.0], "y": [70.0]}, index=labels)
    gap = pd.Series([100.0], labels)
    for families, names in ((("1", "1"), []), (("1", "2"), ["x", "y"])):
        reasons = [Reason(n, table[n], "", family) for n, family in zip("xy", families, strict=True)]
        assert split(gap, reasons, table, 0.01).names("2024-01") == names
