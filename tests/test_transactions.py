"""The door for purchases: every row accounted for, refunds and doubles by stated rules, nothing guessed."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import ibis
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crm_analysis as crm
from crm_analysis.errors import ConfigError, DataError

SHARED = Path("../shared/data")
COLUMNS = {"customer_id": "customer", "occurred_at": "date", "amount": "amount", "order_id": "order"}
DATES = {"observed_from": "2024-01-01", "observed_until": "2024-12-31"}
MASTER = "package:lifetimes/datasets/CDNOW_master.txt"


def frame(*rows):
    table = pd.DataFrame(rows, columns=["customer", "order", "date", "amount"])
    return table.astype({"amount": float, "date": "datetime64[us]"})


def read(*rows, columns=COLUMNS, **options):
    options = DATES | {"max_set_aside": 1.0} | options
    return crm.read_transactions(frame(*rows), columns=columns, **options)


def purchases(log):
    return log.purchases.order_by("customer_id", "occurred_on", "order_id").to_pyarrow().to_pylist()


def defects(verdict):
    return {defect.name: defect for defect in verdict.defects}


def shared(name):
    if not (SHARED / name).exists():
        pytest.skip(f"{SHARED / name} is not there")
    return SHARED / name


def online_retail(**options):
    columns = {
        "customer_id": "CustomerID",
        "occurred_at": "InvoiceDate",
        "order_id": "InvoiceNo",
        "amount": {"quantity": "Quantity", "unit_price": "UnitPrice"},
    }
    dates = {"observed_from": "2010-12-01", "observed_until": "2011-12-09"}
    source = shared("online_retail_2011/online_retail.parquet")
    return crm.read_transactions(
        source, columns=columns, cancelled_orders="C", max_set_aside=0.3, **dates, **options
    )


# Rows ----------------------------------------------------------------------------------------------------


def test_rows_are_set_aside_under_the_first_reason():
    log = read(
        ("a", "1", "2024-03-01", 10),
        (None, "2", "2023-03-01", 10),
        ("b", "3", None, None),
        ("b", "4", "2023-12-31 23:59:59", 10),
        ("b", "5", "2025-01-01", 10),
        ("b", "6", "2024-12-31 23:59:59", None),
    )
    assert log.set_aside == {
        "customer missing": 1,
        "time missing": 1,
        "before observed_from": 1,
        "after observed_until": 1,
        "amount missing": 1,
    }
    assert log.n_rows_in == 6
    assert log.lines.count().to_pyarrow().as_py() == 1
    assert sorted(log.set_aside_rows.reason.to_pyarrow().to_pylist()) == sorted(log.set_aside)
    assert log.verdict.status == "FLAG"


def test_bounds_are_whole_days():
    log = read(("a", "1", "2024-01-01 00:00:00", 1), ("a", "2", "2024-12-31 23:59:59.999999", 2))
    assert log.set_aside == {}
    assert log.verdict.status == "PASS"


def test_more_rows_set_aside_than_allowed_are_refused_with_the_verdict():
    with pytest.raises(DataError) as error:
        read(("a", "1", "2024-03-01", 10), (None, "2", "2024-03-01", 10), max_set_aside=0.05)
    assert str(error.value) == (
        "DataFrame: 50.0% of 2 rows would be set aside, 5.0% are allowed (customer missing 1); put the "
        "source right, or set max_set_aside if this is as it should be"
    )
    assert error.value.verdict.status == "REFUSE"
    assert defects(error.value.verdict)["customer missing"].n_rows == 1
    verdict = crm.check_transactions(frame((None, "2", "2024-03-01", 10)), columns=COLUMNS, **DATES)
    assert verdict == crm.check_transactions(frame((None, "2", "2024-03-01", 10)), columns=COLUMNS, **DATES)
    assert {d.name for d in verdict.defects if d.consequence == "refuse"} == {
        "too many rows set aside",
        "no rows",
    }


def test_check_answers_with_a_verdict_where_a_column_is_missing():
    verdict = crm.check_transactions(frame(), columns=COLUMNS | {"amount": "eur"}, **DATES)
    assert verdict.status == "REFUSE"
    assert "no column 'eur' (for amount)" in verdict.defects[0].found


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", None]),
            st.sampled_from(["1", "2", None]),
            st.sampled_from([None, "2023-12-31", "2024-01-01", "2024-06-01", "2024-12-31", "2025-01-01"]),
            st.sampled_from([None, -5, 0, 5]),
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from(["net in order", "set aside"]),
    st.booleans(),
)
def test_rows_in_are_rows_kept_and_rows_set_aside(rows, refunds, drop):
    table = pd.concat([frame(*rows), frame(("z", "9", "2024-02-01", 1))])
    log = crm.read_transactions(
        table, columns=COLUMNS, refunds=refunds, drop_duplicates=drop, max_set_aside=1.0, **DATES
    )
    kept, aside = (t.count().to_pyarrow().as_py() for t in (log.lines, log.set_aside_rows))
    assert log.n_rows_in == len(table) == kept + aside
    assert sum(log.set_aside.values()) == aside
    merged = log.merged.agg(
        n=(log.merged.n_lines + log.merged.n_refunds).sum(), total=log.merged.amount.sum()
    )
    assert merged.to_pyarrow().to_pylist() == [
        {"n": kept, "total": log.lines.amount.sum().to_pyarrow().as_py()}
    ]


def test_exact_duplicates_are_counted_and_dropped_only_on_request():
    rows = [("a", "1", "2024-03-01", 10)] * 3 + [("a", "1", "2024-03-01", 11)]
    kept = read(*rows)
    assert defects(kept.verdict)["exact duplicate"].n_rows == 2
    assert purchases(kept)[0]["amount"] == Decimal(41)
    dropped = read(*rows, drop_duplicates=True)
    assert dropped.set_aside == {"exact duplicate": 2}
    assert purchases(dropped)[0]["amount"] == Decimal(21)


def test_rows_that_differ_in_a_column_that_is_not_mapped_are_no_duplicates():
    table = frame(("a", "1", "2024-03-01", 10), ("a", "1", "2024-03-01", 10)).assign(product=["x", "y"])
    log = crm.read_transactions(table, columns=COLUMNS, **DATES)
    assert log.verdict.status == "PASS"


def test_several_currencies_are_refused_with_their_totals():
    table = frame(("a", "1", "2024-03-01", 10), ("a", "2", "2024-03-01", 5)).assign(money=["EUR", "USD"])
    with pytest.raises(DataError, match=r"several currencies .*EUR 1 rows 10.00, USD 1 rows 5.00"):
        crm.read_transactions(table, columns=COLUMNS | {"currency": "money"}, **DATES)


# Refunds -------------------------------------------------------------------------------------------------

LATE = (
    ("a", "1", "2024-03-01", 100),
    ("a", "1", "2024-03-01", 20),
    ("a", "1", "2024-04-10", -30),
    ("a", "2", "2024-04-10", 50),
    ("b", "8", "2024-05-01", -7),
)


def test_a_late_refund_is_taken_off_its_order_and_a_refund_alone_is_no_purchase():
    log = read(*LATE)
    found = [
        (r["customer_id"], r["order_id"], r["occurred_on"].isoformat(), r["amount"], r["n_lines"])
        for r in purchases(log)
    ]
    assert found == [("a", "1", "2024-03-01", Decimal(90), 2), ("a", "2", "2024-04-10", Decimal(50), 1)]
    flag = defects(log.verdict)["refund netted"]
    assert (flag.n_rows, flag.share_of_revenue) == (2, pytest.approx(37 / 207))
    assert log.merged.amount.sum().to_pyarrow().as_py() == Decimal(133)


def test_a_late_refund_is_not_known_before_its_day():
    early = read(*LATE).as_of("2024-04-09")
    assert [row["amount"] for row in purchases(early)] == [Decimal(120)]
    assert early.observed_until == dt.date(2024, 4, 9)
    with pytest.raises(
        ConfigError, match="as_of 2025-01-01 lies outside the observed 2024-01-01 to 2024-12-31"
    ):
        read(*LATE).as_of("2025-01-01")


def test_refunds_set_aside_leave_revenue_before_refunds():
    log = read(*LATE, refunds="set aside")
    assert log.set_aside == {"refund": 2}
    assert log.lines.amount.sum().to_pyarrow().as_py() == Decimal(170)
    with pytest.raises(ConfigError, match="refunds = 'ignore': 'net in order' or 'net in period' or"):
        read(*LATE, refunds="ignore")


def test_cancellations_are_refunds_and_positive_ones_are_refused():
    log = read(
        ("a", "1", "2024-03-01", 10),
        ("a", "C1", "2024-03-02", -10),
        ("b", "C2", "2024-03-02", 0),
        cancelled_orders="C",
    )
    assert [row["order_id"] for row in purchases(log)] == ["1"]
    with pytest.raises(DataError, match="cancel an order with a positive amount"):
        read(("a", "C1", "2024-03-01", 10), cancelled_orders="C")


def test_an_order_over_two_days_stays_one_order_of_two_purchases():
    log = read(("a", "1", "2024-03-01", 10), ("a", "1", "2024-03-03", 5), ("a", "1", "2024-03-09", -3))
    assert [row["amount"] for row in purchases(log)] == [Decimal(7), Decimal(5)]
    assert crm.summarise_customers(log).loc["a", ["n_orders", "n_purchase_days"]].tolist() == [1, 2]


def test_a_purchase_for_nothing_is_a_purchase_and_is_flagged():
    log = read(("a", "1", "2024-03-01", 0))
    assert len(purchases(log)) == 1
    assert defects(log.verdict)["amount zero"].n_rows == 1


def test_cost_of_goods_of_lines_and_orders():
    table = frame(("a", "1", "2024-03-01", 10), ("a", "1", "2024-04-01", -5)).assign(
        n=[2.0, -1.0], cost=[3.1, 3.1]
    )
    columns = COLUMNS | {"quantity": "n", "unit_cost": "cost"}
    log = crm.read_transactions(table, columns=columns, **DATES)
    assert [row["cost"] for row in purchases(log)] == [Decimal("3.1")]
    assert crm.summarise_customers(log)["total_profit"].tolist() == [pytest.approx(1.9)]


# The beginning of the log --------------------------------------------------------------------------------


def monthly(counts):
    months = pd.date_range("2024-01-01", periods=len(counts), freq="MS")
    ids = [(f"{m:%m}-{i}", m) for m, n in zip(months, counts, strict=True) for i in range(n)]
    return [(each, each, month, 10) for each, month in ids]


def test_a_log_that_begins_in_the_middle_of_lives_is_flagged_with_the_number_of_older_customers():
    log = read(*monthly([60, 30, 12, 10, 10, 10, 10, 10, 10, 10, 10, 10]))
    flag = defects(log.verdict)["log begins mid-life"]
    assert flag.n_rows == 50 + 20 + 2
    assert "biased up" in flag.bias
    # First seen in the first six months: these may be older than the log.
    customers = crm.summarise_customers(log)
    assert customers["history_complete"].sum() == 5 * 10


@pytest.mark.parametrize(("n_first", "flagged"), [(39, False), (40, True)])
def test_fewer_than_thirty_older_customers_say_nothing(n_first, flagged):
    log = read(*monthly([n_first, *[10] * 11]))
    assert ("log begins mid-life" in defects(log.verdict)) == flagged
    assert (log.burn_in_days > 0) == flagged


def test_a_steady_log_and_a_closed_cohort_are_not_flagged():
    assert "log begins mid-life" not in defects(read(*monthly([10] * 12)).verdict)
    cohort = read(*monthly([60, 30, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0]), closed_cohort=True)
    assert cohort.verdict.status == "PASS"
    assert crm.summarise_customers(cohort)["history_complete"].all()


def test_burn_in_and_the_customer_master_say_whose_history_is_complete():
    rows = [("a", "1", "2024-01-20", 10), ("b", "2", "2024-02-20", 10), ("c", "3", "2024-02-21", 10)]
    stated = crm.summarise_customers(read(*rows, burn_in="40 days"))
    assert stated["history_complete"].tolist() == [False, True, True]
    master = crm.read_customers(
        pd.DataFrame({"id": ["a", "b"], "won": pd.to_datetime(["2024-01-01", "2023-12-31"])}),
        columns={"customer_id": "id", "acquired_at": "won"},
    )
    known = crm.summarise_customers(read(*rows, customers=master))
    assert known["history_complete"].tolist() == [True, False, True]
    assert known["acquired_at"].dt.strftime("%Y-%m-%d").tolist() == ["2024-01-01", "2023-12-31", "2024-02-21"]


def test_a_customer_twice_in_the_master_is_refused():
    with pytest.raises(DataError, match=r"2 of 2 rows .* share their customer_id with another row"):
        crm.read_customers(pd.DataFrame({"id": ["a", "a"]}), columns={"customer_id": "id"})


# Arguments -----------------------------------------------------------------------------------------------


def test_dates_are_given_and_in_order():
    with pytest.raises(TypeError, match="observed_until"):
        crm.read_transactions(frame(), columns=COLUMNS, observed_from="2024-01-01")
    with pytest.raises(ConfigError, match="observed_until 2023-01-01 lies before observed_from 2024-01-01"):
        read(observed_until="2023-01-01")
    with pytest.raises(
        ConfigError, match="observed_from = 'January': a date such as '2025-12-31' was expected"
    ):
        read(observed_from="January")
    with pytest.raises(ConfigError, match="no option refund; options"):
        read(refund="set aside")


def test_the_input_is_left_as_it_was():
    table = frame(*LATE)
    before = table.copy(deep=True)
    crm.read_transactions(table, columns=COLUMNS, **DATES)
    pd.testing.assert_frame_equal(table, before)


def test_the_same_accounting_on_an_engine_of_the_callers():
    table = ibis.duckdb.connect().create_table("sales", frame(*LATE, (None, "9", "2024-05-01", 1)))
    log = crm.read_transactions(table, columns=COLUMNS, max_set_aside=1.0, **DATES)
    assert log.set_aside == {"customer missing": 1}
    assert log.lines.get_backend() is table.get_backend()
    expected = crm.summarise_customers(read(*LATE))
    pd.testing.assert_frame_equal(crm.summarise_customers(log), expected)
    master = pd.DataFrame({"id": ["a"], "won": pd.to_datetime(["2023-06-01"])})
    known = crm.read_customers(master, columns={"customer_id": "id", "acquired_at": "won"})
    log = crm.read_transactions(table, columns=COLUMNS, max_set_aside=1.0, customers=known, **DATES)
    assert crm.summarise_customers(log)["acquired_at"].dt.strftime("%Y-%m-%d").tolist() == ["2023-06-01"]


def test_checks_and_customers_are_known_to_postgresql():
    engine = ibis.duckdb.connect()
    schema = {"customer": "string", "order": "string", "date": "timestamp(6)", "amount": "decimal(18, 4)"}
    table = engine.create_table("sales", frame(*LATE).astype({"amount": float}), schema=None)
    log = crm.read_transactions(table.cast(schema), columns=COLUMNS, **DATES)
    for expression in (log.lines, log.purchases, log.set_aside_rows):
        assert "SELECT" in ibis.to_sql(expression, dialect="postgres")


# Published logs ------------------------------------------------------------------------------------------


def test_cdnow_master_has_its_published_facts():
    columns = {"customer_id": "customer_id", "occurred_at": "date", "amount": "dollar_value"}
    log = crm.read_transactions(
        MASTER, columns=columns, observed_from="1997-01-01", observed_until="1998-06-30", closed_cohort=True
    )
    assert log.n_rows_in == 69659
    assert log.set_aside == {}
    facts = log.lines.agg(customers=log.lines.customer_id.nunique(), revenue=log.lines.amount.sum())
    assert facts.to_pyarrow().to_pylist() == [{"customers": 23570, "revenue": Decimal("2500315.63")}]
    assert {name: defect.n_rows for name, defect in defects(log.verdict).items()} == {
        "amount zero": 80,
        "exact duplicate": 255,
    }
    assert log.lines.customer_id.min().to_pyarrow().as_py() == "00001"


def test_online_retail_sales_only():
    log = online_retail(refunds="set aside")
    paid = log.lines.filter(log.lines.amount > 0)
    facts = paid.agg(
        n=paid.count(),
        customers=paid.customer_id.nunique(),
        orders=paid.order_id.nunique(),
        revenue=paid.amount.sum(),
    )
    assert facts.to_pyarrow().to_pylist() == [
        {"n": 397884, "customers": 4338, "orders": 18532, "revenue": Decimal("8911407.904")}
    ]
    assert log.set_aside["customer missing"] == 135080
    customers = crm.summarise_customers(log).query("total_amount > 0")
    assert (customers["n_orders"] > 1).mean() == pytest.approx(0.655832, abs=5e-7)
    assert (customers["n_repeat"] > 0).mean() == pytest.approx(0.643154, abs=5e-7)
    assert customers.loc["14646", "total_amount"] == pytest.approx(280206.02)
    assert "log begins mid-life" in defects(log.verdict)


def test_online_retail_net_of_cancellations():
    log = online_retail()
    facts = log.lines.agg(
        n=log.lines.count(),
        customers=log.lines.customer_id.nunique(),
        orders=log.lines.order_id.nunique(),
        revenue=log.lines.amount.sum(),
    )
    assert facts.to_pyarrow().to_pylist() == [
        {"n": 406829, "customers": 4372, "orders": 22190, "revenue": Decimal("8300065.814")}
    ]


def test_complete_journey_in_new_york_time():
    columns = {
        "customer_id": "household_id",
        "occurred_at": "transaction_timestamp",
        "amount": "sales_value",
        "order_id": "basket_id",
    }
    log = crm.read_transactions(
        shared("completejourney/transactions.parquet"), columns=columns, observed_from="2017-01-01",
        observed_until="2017-12-31", timezone="America/New_York", source_timezone="UTC",
    )  # fmt: skip
    assert log.set_aside == {}
    facts = log.lines.agg(
        n=log.lines.count(),
        customers=log.lines.customer_id.nunique(),
        orders=log.lines.order_id.nunique(),
        revenue=log.lines.amount.sum(),
    )
    assert facts.to_pyarrow().to_pylist() == [
        {"n": 1469307, "customers": 2469, "orders": 155848, "revenue": Decimal("4596039.58")}
    ]
    customers = crm.summarise_customers(log)
    assert (customers["n_orders"] > 1).mean() == pytest.approx(0.987444, abs=5e-7)
    assert (customers["n_repeat"] > 0).mean() == pytest.approx(0.986229, abs=5e-7)
