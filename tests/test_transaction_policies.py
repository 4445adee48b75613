"""Rows of a purchase log that can be treated in more than one way: by stated rules, counted, in the open."""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crm_analysis as crm
from crm_analysis.doors.transactions.days import unusual_runs
from crm_analysis.doors.transactions.orders import far_bin
from crm_analysis.errors import ConfigError, DataError

SHARED = Path("../shared/data")
DATES = {"observed_from": "2024-01-01", "observed_until": "2024-12-31"}
NAMES = ["customer_id", "order_id", "occurred_at", "product_id", "quantity", "unit_price"]
COLUMNS = {name: name for name in NAMES} | {"amount": {"quantity": "quantity", "unit_price": "unit_price"}}
del COLUMNS["quantity"], COLUMNS["unit_price"]


def frame(*rows):
    table = pd.DataFrame(rows, columns=NAMES)
    return table.astype({"occurred_at": "datetime64[us]", "quantity": float, "unit_price": float})


def read(*rows, columns=COLUMNS, **options):
    options = {"cancelled_orders": "C", "max_set_aside": 1.0} | DATES | options
    return crm.read_transactions(frame(*rows), columns=columns, **options)


def days(*rows, columns=None, **options):
    """Log of (customer, order, day, amount)."""
    table = pd.DataFrame(rows, columns=["customer_id", "order_id", "occurred_at", "amount"])
    table = table.astype({"occurred_at": "datetime64[us]", "amount": float})
    names = columns or {name: name for name in table.columns}
    return crm.read_transactions(table, columns=names, **(DATES | {"max_set_aside": 1.0} | options))


def merged(log):
    rows = log.merged.order_by("customer_id", "occurred_on", "order_id").to_pyarrow().to_pylist()
    return [(r["customer_id"], r["order_id"], f"{r['occurred_on']:%m-%d}", int(r["amount"])) for r in rows]


def defects(verdict):
    return {defect.name: defect for defect in verdict.defects}


def shared(name):
    if not (SHARED / name).exists():
        pytest.skip(f"{SHARED / name} is not there")
    return SHARED / name


# Cancellations -------------------------------------------------------------------------------------------

BOUGHT = (
    ("a", "1", "2024-02-01", "tea", 3, 10),
    ("a", "2", "2024-03-01", "tea", 3, 10),
    ("a", "3", "2024-04-01", "tea", 9, 10),
)


def test_a_cancellation_undoes_the_latest_equal_sale_and_the_next_one_the_one_before():
    log = read(*BOUGHT, ("a", "C4", "2024-05-01", "tea", -3, 10), ("a", "C5", "2024-06-01", "tea", -3, 10))
    assert merged(log) == [("a", "1", "02-01", 0), ("a", "2", "03-01", 0), ("a", "3", "04-01", 90)]
    assert (
        "2 without the id of their order were matched to a sale"
        in defects(log.verdict)["refund netted"].found
    )


def test_a_sale_is_undone_once_and_never_by_a_cancellation_before_it():
    log = read(
        ("a", "C1", "2024-01-15", "tea", -3, 10),
        ("a", "2", "2024-02-01", "tea", 3, 10),
        ("a", "C3", "2024-03-01", "tea", -3, 10),
        ("a", "C4", "2024-04-01", "tea", -3, 10),
    )
    assert merged(log) == [("a", "C1", "01-15", -30), ("a", "2", "02-01", 0), ("a", "C4", "04-01", -30)]
    flag = defects(log.verdict)["refund netted"]
    assert "2 found no sale in the log and stand on their own day" in flag.found
    assert "biased down on days of refunds that stand alone" in flag.bias


def test_a_part_is_taken_back_from_the_latest_sale_that_was_large_enough_while_enough_is_left():
    log = read(
        *BOUGHT,
        ("a", "C4", "2024-05-01", "tea", -5, 10),
        ("a", "C5", "2024-05-02", "tea", -4, 10),
        ("a", "C6", "2024-05-03", "tea", -2, 10),
    )
    assert merged(log) == [
        ("a", "1", "02-01", 30),
        ("a", "2", "03-01", 30),
        ("a", "3", "04-01", 0),
        ("a", "C6", "05-03", -20),
    ]
    assert "2 of them to a part of it" in defects(log.verdict)["refund netted"].found


def test_a_part_is_not_taken_back_from_a_sale_that_was_too_small():
    log = read(
        *BOUGHT[1:][::-1], ("a", "5", "2024-04-20", "tea", 3, 10), ("a", "C6", "2024-05-01", "tea", -5, 10)
    )
    assert ("a", "3", "04-01", 40) in merged(log)


@pytest.mark.parametrize(
    "other",
    [
        ("b", "C4", "2024-05-01", "tea", -3, 10),
        ("a", "C4", "2024-05-01", "jam", -3, 10),
        ("a", "C4", "2024-05-01", "tea", -3, 11),
        ("a", "C4", "2024-05-01", None, -3, 10),
        ("a", "C4", "2024-05-01", "tea", -10, 10),
    ],
)
def test_another_customer_product_price_or_more_than_was_sold_is_no_match(other):
    log = read(*BOUGHT, other)
    assert "refund_of" not in log.merged.columns
    assert next(row for row in merged(log) if row[1] == "C4")[2] == "05-01"


def test_a_refund_that_carries_the_id_of_an_order_outside_the_log_is_not_matched_by_chance():
    log = read(*BOUGHT, ("a", "0", "2024-05-01", "tea", -3, 10))
    assert ("a", "0", "05-01", -30) in merged(log)


def test_without_products_one_amount_takes_back_the_same_amount():
    rows = (("a", "1", "2024-02-01", 50), ("a", "2", "2024-03-01", 40), ("a", "C3", "2024-04-01", -50))
    log = days(*rows, cancelled_orders="C")
    assert merged(log) == [("a", "1", "02-01", 0), ("a", "2", "03-01", 40)]
    assert "by customer_id, price" in defects(log.verdict)["refund netted"].found


def test_refunds_of_a_log_without_orders_are_netted_on_the_day_of_their_sale():
    columns = {name: name for name in ("customer_id", "occurred_at", "amount")}
    log = days(("a", "1", "2024-02-01", 50), ("a", "1", "2024-04-01", -50), columns=columns)
    rows = log.merged.to_pyarrow().to_pylist()
    assert [(f"{r['occurred_on']:%m-%d}", r["amount"], r["n_lines"]) for r in rows] == [("02-01", 0, 1)]


def test_refunds_net_in_period_stay_on_their_own_day():
    rows = (("a", "1", "2024-02-01", 50), ("a", "1", "2024-04-01", -20))
    assert merged(days(*rows)) == [("a", "1", "02-01", 30)]
    log = days(*rows, refunds="net in period")
    assert merged(log) == [("a", "1", "02-01", 50), ("a", "1", "04-01", -20)]
    assert crm.summarise_customers(log).loc["a", ["total_amount", "n_purchase_days"]].tolist() == [30, 1]
    assert "taken off on their own day" in defects(log.verdict)["refund netted"].found
    assert merged(log.as_of("2024-04-02")) == merged(log)


def test_money_off_without_goods_and_goods_back_for_nothing_are_what_they_are():
    log = read(("a", "1", "2024-02-01", "tea", 1, 50), ("a", "A2", "2024-03-01", "debt", 1, -20),
               ("a", "3", "2024-04-01", "tea", -7, 0))  # fmt: skip
    assert defects(log.verdict)["adjustment"].n_rows == 1
    assert defects(log.verdict)["goods back for nothing"].n_rows == 1
    assert crm.summarise_customers(log).loc["a", "n_purchase_days"] == 1


PRODUCTS = st.tuples(
    st.sampled_from(["a", "b"]),
    st.sampled_from(["1", "2", "3", "C4", "C5", None]),
    st.integers(1, 9).map(lambda month: f"2024-{month:02d}-01"),
    st.sampled_from(["tea", "jam", None]),
    st.sampled_from([1, 2, 5, -1, -2, -5]),
    st.just(10),
).map(lambda row: (*row[:4], -abs(row[4]) if str(row[1]).startswith("C") else row[4], row[5]))


@settings(max_examples=12, deadline=None)
@given(
    st.lists(PRODUCTS, min_size=1, max_size=10),
    st.sampled_from(["net in order", "net in period", "set aside"]),
    st.sampled_from(["each day", "first day"]),
    st.sampled_from([(), ("b",), ("*b*",)]),
)
def test_rows_and_money_are_kept_or_set_aside_by_every_policy_and_as_of_any_day(rows, refunds, parts, tests):
    rows = [("z", "99", "2024-01-01", "tea", 1, 10), *rows]
    options = {"refunds": refunds, "part_deliveries": parts, "test_customers": tests}
    log = read(*rows, **options)
    kept, aside = (t.count().to_pyarrow().as_py() for t in (log.lines, log.set_aside_rows))
    assert len(rows) == log.n_rows_in == kept + aside == log.verdict.n_kept + sum(log.set_aside.values())
    sums = log.merged.agg(n=(log.merged.n_lines + log.merged.n_refunds).sum(), money=log.merged.amount.sum())
    assert sums.to_pyarrow().to_pylist() == [
        {"n": kept, "money": log.lines.amount.sum().to_pyarrow().as_py()}
    ]
    then = read(*rows, **options | {"observed_until": "2024-05-15"})
    assert merged(log.as_of("2024-05-15")) == merged(then)


def test_matching_is_known_to_postgresql_and_leaves_nothing_there_for_long(monkeypatch):
    engine = ibis.duckdb.connect()
    table = engine.create_table("sales", frame(*BOUGHT, ("a", "C4", "2024-05-01", "tea", -3, 10)))
    log = crm.read_transactions(table, columns=COLUMNS, cancelled_orders="C", **DATES)
    assert merged(log) == merged(read(*BOUGHT, ("a", "C4", "2024-05-01", "tea", -3, 10)))
    # Temporary tables of the session are all that an engine of others is given.
    assert [name for name in engine.list_tables() if not name.startswith("ibis_cached")] == ["sales"]
    monkeypatch.setattr("crm_analysis.doors.transactions.cancellations.written", lambda table: table)
    log = crm.read_transactions(table, columns=COLUMNS, cancelled_orders="C", **DATES)
    for expression in (log.merged, log.lines):
        assert "OVER" in ibis.to_sql(expression, dialect="postgres")


# Orders --------------------------------------------------------------------------------------------------


def test_orders_on_several_days_are_flagged_and_moved_on_request():
    rows = (("a", "1", "2024-03-01", 10), ("a", "1", "2024-03-05", 20), ("b", "2", "2024-03-02", 70))
    flag = defects(days(*rows).verdict)["orders on several days"]
    assert (flag.n_rows, flag.share_of_revenue) == (1, pytest.approx(0.3))
    assert flag.examples == ("order_id 1, customer_id a, 2024-03-01 and 2024-03-05",)
    assert "biased up" in flag.bias
    log = days(*rows, ("a", "1", "2024-03-09", -5), part_deliveries="first day")
    assert merged(log) == [("a", "1", "03-01", 25), ("b", "2", "03-02", 70)]
    assert crm.summarise_customers(log).loc["a", "n_purchase_days"] == 1


def test_a_refund_on_another_day_makes_no_part_delivery():
    log = days(("a", "1", "2024-03-01", 10), ("a", "1", "2024-03-05", -2))
    assert list(defects(log.verdict)) == ["refund netted"]


def test_an_id_of_several_customers_is_flagged():
    flag = defects(days(("a", "1", "2024-03-01", 10), ("b", "1", "2024-03-01", 30)).verdict)
    assert list(flag) == ["order of several customers"]
    assert "1 of 1 order ids (100.0%) belong to several customers" in flag["order of several customers"].found


def bulk(*more, **options):
    small = [(f"c{i}", f"{i}", "2024-03-01", 80 + i) for i in range(40)]
    return days(*small, ("big", "99", "2024-03-02", 50_000), *more, **options)


def test_an_order_that_carries_totals_is_named_and_set_aside_on_request():
    flag = defects(bulk().verdict)["bulk order"]
    assert (flag.n_rows, flag.consequence) == (1, "flag")
    assert flag.share_of_revenue == pytest.approx(50_000 / 53_980)
    assert flag.examples == ("order_id 99, customer_id big, 2024-03-02: 50,000.00",)
    log = bulk(("big", "99", "2024-03-05", -5), bulk_orders="set aside")
    assert log.set_aside == {"bulk order": 2}
    assert log.lines.amount.sum().to_pyarrow().as_py() == Decimal(3980)
    assert log.set_aside_rows.reason.to_pyarrow().to_pylist() == ["bulk order"] * 2
    assert log.verdict.n_kept == 40
    with pytest.raises(DataError, match=r"4\.8% of 42 rows would be set aside, 1\.0% are allowed"):
        bulk(("big", "99", "2024-03-05", -5), bulk_orders="set aside", max_set_aside=0.01)


def test_a_bulk_order_and_its_cancellation_are_named_as_such():
    flag = defects(bulk(("big", "C1", "2024-03-05", -50_000), cancelled_orders="C").verdict)["bulk order"]
    assert "1 of them were cancelled in full" in flag.found
    assert flag.examples[0].endswith("cancelled in full")


def test_large_orders_of_a_log_without_ids_are_days():
    columns = {name: name for name in ("customer_id", "occurred_at", "amount")}
    log = bulk(columns=columns, bulk_orders="set aside")
    assert log.set_aside == {"bulk order": 1}
    assert log.lines.customer_id.max().to_pyarrow().as_py() != "big"


def test_orders_of_usual_spread_hold_no_bulk_order():
    amounts = np.random.default_rng(5).lognormal(4, 1, 3000).round(2)
    log = days(*[(f"c{i}", f"{i}", "2024-03-01", amount) for i, amount in enumerate(amounts)])
    assert "bulk order" not in defects(log.verdict)


def test_a_large_order_that_carries_little_is_none():
    small = [(f"c{i}", f"{i}", "2024-03-01", 99 + i % 3) for i in range(400)]
    flags = [defects(days(*small, ("big", "b", "2024-03-02", amount)).verdict) for amount in (390, 420)]
    assert ["bulk order" in flag for flag in flags] == [False, True]


def test_the_share_of_duplicates_is_that_of_the_copies():
    log = days(*[("a", "1", "2024-03-01", 10)] * 3, ("a", "1", "2024-03-01", 11))
    assert defects(log.verdict)["exact duplicate"].share_of_revenue == pytest.approx(20 / 41)


def test_the_limit_is_five_modified_z_scores_above_the_median():
    bins, counts = np.array([0.0, 1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 3.0, 2.0, 1.0])
    assert far_bin(bins, counts) == pytest.approx(2 + 5 / 0.6745)
    assert far_bin(np.array([3.0]), np.array([9.0])) is None


# Customers and amounts -----------------------------------------------------------------------------------


def test_test_customers_are_set_aside_where_listed_and_flagged_where_not():
    names = ["TEST01", "TEST02", "4711", "contest", "demo shop", "测试用户", "sample.x", "Testa"]
    rows = [(name, f"{i}", "2024-03-01", 10) for i, name in enumerate(names)]
    flag = defects(days(*rows).verdict)["suspicious customer"]
    assert (flag.n_rows, flag.share_of_revenue) == (5, pytest.approx(5 / 8))
    assert "5 of 8 customers" in flag.found
    log = days(*rows, test_customers=["TEST*", "4711", "*sh?p"])
    assert log.set_aside == {"test customer": 4}
    assert defects(log.verdict)["suspicious customer"].n_rows == 2
    with pytest.raises(ConfigError, match="test_customers is a list"):
        days(*rows, test_customers="TEST*")


def test_signs_of_patterns_are_signs_in_other_places():
    log = days(("a.b-1", "1", "2024-03-01", 10), ("axb-1", "2", "2024-03-01", 10), test_customers=["?.b-*"])
    assert log.lines.customer_id.to_pyarrow().to_pylist() == ["axb-1"]


def test_an_amount_that_is_not_quantity_times_price_is_flagged():
    table = frame(("a", "1", "2024-02-01", "x", 2, 10), ("a", "2", "2024-02-01", "x", 2, 10),
                  ("a", "3", "2024-02-01", "x", 2, 10))  # fmt: skip
    table = table.assign(amount=[20.01, 18.0, 15.0], discount=[0.0, 2.0, 2.0])
    columns = {name: name for name in table.columns}
    flag = defects(crm.read_transactions(table, columns=columns, **DATES).verdict)["amount differs"]
    assert flag.n_rows == 1
    assert flag.share_of_revenue == pytest.approx(15 / 53.01)
    assert flag.found.endswith("; in all they come to 15.00, their products to 18.00: 3.00 less")
    more = table.assign(amount=[30.0, 30.5, 18.0]).drop(columns="discount")
    columns = {name: name for name in more.columns}
    found = defects(crm.read_transactions(more, columns=columns, **DATES).verdict)["amount differs"].found
    assert found.endswith("; in all they come to 78.50, their products to 60.00: 18.50 more")


def test_amounts_that_are_all_zero_are_said_in_one_sentence():
    verdict = days(("a", "1", "2024-03-01", 0), ("b", "2", "2024-03-01", 0)).verdict
    assert (
        "all 2 rows kept have a zero amount (0.00): shares of revenue are undefined"
        in verdict.defects[0].found
    )


# Days ----------------------------------------------------------------------------------------------------


def daily(first, last, *, without=()):
    every = pd.date_range(first, last)
    kept = [day for day in every if not any(a <= f"{day:%m-%d}" <= b for a, b in without)]
    return [("a", f"{day:%m%d}", day, 10) for day in kept]


def test_a_hole_in_a_daily_log_is_named():
    log = days(*daily("2024-01-01", "2024-12-31", without=[("03-04", "03-17")]))
    flag = defects(log.verdict)["days without rows"]
    assert "no rows from 2024-03-04 to 2024-03-17 (14 days in all)" in flag.found


def test_rows_that_end_early_or_begin_late_are_named():
    found = defects(days(*daily("2024-02-01", "2024-12-09")).verdict)
    assert set(found) == {"first rows missing", "last rows missing"}
    assert (
        "the last row is of 2024-12-09, 22 days before observed_until 2024-12-31"
        in found["last rows missing"].found
    )
    assert "the first row is of 2024-02-01, 31 days after observed_from" in found["first rows missing"].found


def test_weekends_holidays_and_small_logs_are_no_holes():
    week = pd.bdate_range("2024-01-01", "2024-12-31")
    assert "days without rows" not in defects(days(*[("a", f"{d:%m%d}", d, 10) for d in week]).verdict)
    has_rows = np.random.default_rng(3).random((1000, 365)) < 0.15
    assert sum(bool(unusual_runs(each)) for each in has_rows) <= 10


def test_months_that_were_not_observed_whole_are_said():
    log = days(("a", "1", "2024-03-01", 10), observed_from="2024-01-09", observed_until="2024-11-09")
    assert log.verdict.reading[-2:] == (
        "the first month, 2024-01, from its day 9",
        "the last month, 2024-11, to its day 9",
    )
    assert log.verdict.status == "PASS"


# Files of the collection ---------------------------------------------------------------------------------

FILES = {
    "refunds_and_zeros": {},
    "all_zero": {},
    "duplicate_rows": {},
    "missing_ids": {"max_set_aside": 0.1},
    "missing_dates": {"max_set_aside": 0.1},
    "one_customer": {},
}


@pytest.mark.parametrize("name", FILES)
def test_files_give_their_totals_and_say_what_they_must(name):
    entries = json.loads(shared("nasty/manifest.json").read_text())
    entry = next(each for each in entries if each["file"] == f"{name}.csv")
    names = {
        "customer_id": "customer_id",
        "order_id": "order_id",
        "occurred_at": "order_date",
        "amount": "amount",
    }
    log = crm.read_transactions(shared(f"nasty/{name}.csv"), columns=names, **DATES | FILES[name])
    lines, totals = log.lines, entry["totals"]
    found = lines.agg(
        rows=lines.count(), customers=lines.customer_id.nunique(), orders=lines.order_id.nunique(),
        amount=lines.amount.sum(), first=lines.occurred_on.min(), last=lines.occurred_on.max(),
    ).to_pyarrow().to_pylist()[0]  # fmt: skip
    expected = totals | {"amount": Decimal(totals["amount"])}
    assert found == expected | {key: dt.date.fromisoformat(totals[key]) for key in ("first", "last")}
    said = str(log.verdict)
    for word in entry["must_name"]:
        choices = word["any"] if isinstance(word, dict) else [word]
        assert any(choice in said for choice in choices)
    assert (log.verdict.status == "PASS") == (entry["expect"] == "accept")


def test_online_retail_matches_cancellations_to_their_sales():
    columns = {
        "customer_id": "CustomerID",
        "occurred_at": "InvoiceDate",
        "order_id": "InvoiceNo",
        "product_id": "StockCode",
        "amount": {"quantity": "Quantity", "unit_price": "UnitPrice"},
    }
    source = shared("online_retail_2011/online_retail.parquet")
    dates = {"observed_from": "2010-12-01", "observed_until": "2011-12-09"}
    log = crm.read_transactions(source, columns=columns, cancelled_orders="C", max_set_aside=0.3, **dates)
    found = defects(log.verdict)
    assert "7,136 without the id of their order" in found["refund netted"].found
    assert "1,769 found no sale" in found["refund netted"].found
    assert found["bulk order"].examples[0] == (
        "order_id 581483, customer_id 16446, 2011-12-09: 168,469.60, cancelled in full"
    )
    assert "no rows from 2010-12-24 to 2011-01-03" in found["days without rows"].found
    merged = log.merged.select("order_id", "amount").to_pyarrow()
    assert pc.sum(merged["amount"]).as_py() == Decimal("8300065.814")
    assert merged.filter(pc.equal(merged["order_id"], "581483"))["amount"].to_pylist() == [0]
