"""One row per customer: by hand, against the published CDNOW summary, across engines and orders of rows."""

import importlib.util
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest

import crm_analysis as crm
from crm_analysis.errors import ConfigError

COLUMNS = {"customer_id": "customer", "occurred_at": "date", "amount": "amount", "order_id": "order"}
CDNOW = {"customer_id": "2", "occurred_at": "3", "amount": "5"}
LOG = [
    # a: two orders on the first day; a free one; a repeat with a refund the day after; a refund on its own.
    ("a", "1", "2024-01-10 09:00", 10.00),
    ("a", "2", "2024-01-10 17:30", 5.50),
    ("a", "3", "2024-02-01 12:00", 0.00),
    ("a", "4", "2024-03-01 08:00", 40.00),
    ("a", "4", "2024-03-02 08:00", -15.00),
    ("a", "9", "2024-03-05 08:00", -1.00),
    # b: bought once, for nothing.
    ("b", "5", "2024-02-20 10:00", 0.00),
    # c: one order delivered on two days; the first day is worth more than the repeat.
    ("c", "6", "2024-03-30 10:00", 100.10),
    ("c", "6", "2024-03-31 23:59", 0.20),
    # d: refunds only, no customer of this log.
    ("d", "7", "2024-02-02 10:00", -8.00),
]
DATES = {"observed_from": "2024-01-01", "observed_until": "2024-03-31"}


def read(rows=LOG, columns=COLUMNS, **dates):
    frame = pd.DataFrame(rows, columns=["customer", "order", "date", "amount"]).astype(
        {"date": "datetime64[us]"}
    )
    return crm.read_transactions(frame, columns=columns, **(DATES | dates))


@pytest.fixture(scope="module")
def cdnow():
    sample = "package:lifetimes/datasets/CDNOW_sample.txt"
    return crm.read_transactions(
        sample,
        columns=CDNOW,
        header=False,
        observed_from="1997-01-01",
        observed_until="1998-06-30",
        closed_cohort=True,
    )


def test_customers_counted_by_hand():
    found = crm.summarise_customers(read())
    expected = pd.DataFrame(
        {
            "first_at": pd.to_datetime(["2024-01-10", "2024-02-20", "2024-03-30"]),
            "last_at": pd.to_datetime(["2024-03-01", "2024-02-20", "2024-03-31"]),
            "acquired_at": pd.to_datetime(["2024-01-10", "2024-02-20", "2024-03-30"]),
            "n_orders": [4, 1, 1],
            "n_purchase_days": [3, 1, 2],
            "n_repeat": [2, 0, 1],
            "t_last": [51, 0, 1],
            "t_observed": [81, 40, 1],
            "days_since_last": [30, 40, 0],
            "total_amount": [39.50, 0.0, 100.30],
            "mean_repeat_amount": [25.0, np.nan, 0.20],
            "n_paid_repeat": [1, 0, 1],
            "history_complete": [True, True, True],
        },
        index=pd.Index(["a", "b", "c"], name="customer_id", dtype="str"),
    )
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert [
        str(found[name].dtype) for name in ("first_at", "n_repeat", "total_amount", "history_complete")
    ] == [
        "datetime64[us]",
        "int64",
        "float64",
        "bool",
    ]


def test_without_order_ids_an_order_is_a_purchase_day():
    columns = {name: where for name, where in COLUMNS.items() if name != "order_id"}
    found = crm.summarise_customers(read(columns=columns))
    assert found["n_orders"].tolist() == found["n_purchase_days"].tolist() == [3, 1, 2]
    # Without ids a refund stays on its own day, and is still taken off the customer's total.
    assert found.loc["a", "total_amount"] == 39.50
    assert found.loc["a", "mean_repeat_amount"] == 40.0


def test_an_order_without_an_id_is_its_day():
    rows = [("a", None, "2024-01-10", 1.0), ("a", None, "2024-01-11", 1.0), ("a", "1", "2024-01-11", 1.0)]
    assert crm.summarise_customers(read(rows)).loc["a", ["n_orders", "n_purchase_days"]].tolist() == [3, 2]


def test_order_of_rows_changes_nothing():
    forward, backward = (crm.summarise_customers(read(rows)) for rows in (LOG, LOG[::-1]))
    pd.testing.assert_frame_equal(forward, backward)


def test_money_is_exact_where_floats_are_not():
    rows = [("a", str(i), "2024-01-10", 0.1) for i in range(10)] + [("a", "x", "2024-01-10", -1.0)]
    assert crm.summarise_customers(read(rows)).loc["a", "total_amount"] == 0.0


def test_as_of_an_earlier_day_is_the_log_that_ended_then():
    early = crm.summarise_customers(read().as_of("2024-03-01"))
    cut = [row for row in LOG if row[2] < "2024-03-02"]
    pd.testing.assert_frame_equal(early, crm.summarise_customers(read(cut, observed_until="2024-03-01")))
    assert early.loc["a", "mean_repeat_amount"] == 40.0


def test_holdout_holds_what_came_after():
    calibration, holdout = crm.split_holdout(read(), at="2024-02-01", until="2024-03-15")
    assert calibration.index.tolist() == holdout.index.tolist() == ["a"]
    assert calibration.loc["a", ["n_repeat", "t_observed"]].tolist() == [1, 22]
    assert holdout.loc["a"].tolist() == [1, 24.0, 43]
    with pytest.raises(
        ConfigError, match="at 2024-03-31 and until 2024-03-31 must be in order within the observed"
    ):
        crm.split_holdout(read(), at="2024-03-31")


def test_table_stays_in_the_engine():
    table = crm.customer_table(read())
    assert isinstance(table, ibis.Table)
    assert table.count().to_pyarrow().as_py() == 3


@pytest.mark.parametrize("dialect", ["postgres"])
def test_table_is_one_expression_that_other_engines_know(dialect):
    engine = ibis.duckdb.connect()
    frame = pd.DataFrame(LOG, columns=["customer", "order", "date", "amount"]).astype(
        {"date": "datetime64[us]"}
    )
    table = engine.create_table("sales", frame)
    log = crm.read_transactions(table, columns=COLUMNS, **DATES)
    assert "GROUP BY" in ibis.to_sql(
        crm.customer_table(log).drop("mean_repeat_amount", "n_paid_repeat"), dialect=dialect
    )


def test_the_published_summary_of_cdnow(cdnow):
    found = crm.summarise_customers(cdnow.as_of("1997-09-30"))
    folder = Path(importlib.util.find_spec("lifetimes").submodule_search_locations[0]) / "datasets"
    published = pd.read_csv(folder / "cdnow_customers_summary.csv")
    assert len(found) == len(published) == 2357
    assert found["n_repeat"].tolist() == published["frequency"].tolist()
    # The published ones are weeks, rounded to two decimals.
    np.testing.assert_allclose(found["t_last"] / 7, published["recency"], atol=0.00501)
    np.testing.assert_allclose(found["t_observed"] / 7, published["T"], atol=0.00501)


def test_the_published_spend_of_cdnow(cdnow):
    calibration, holdout = crm.split_holdout(cdnow, at="1997-09-30", until="1998-06-30")
    folder = Path(importlib.util.find_spec("lifetimes").submodule_search_locations[0]) / "datasets"
    published = pd.read_csv(folder / "cdnow_customers_summary_with_transactions.csv")
    spend = calibration["mean_repeat_amount"].fillna(0.0)
    np.testing.assert_allclose(spend, published["zbar"], atol=0.00501)
    # Fader, Hardie and Lee (2005): 946 repeat buyers, 2,457 repeat purchases; 1,882 in the 39 weeks after.
    assert (calibration["n_repeat"].gt(0).sum(), calibration["n_repeat"].sum()) == (946, 2457)
    assert (holdout["n_holdout"].sum(), holdout["n_holdout"].gt(0).sum(), holdout["duration"].iloc[0]) == (
        1882,
        684,
        273,
    )
