"""Period numbers counted by hand, the flow that closes, the split that adds up."""

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crm_analysis as crm
from crm_analysis import base
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.workspace import Calendar, Period


def make_log(rows, *, acquired=None, start="2024-01-01", until="2024-12-31", **policies):
    """Log of (customer, order, day, amount[, cost]) rows."""
    frame = pd.DataFrame(rows, columns=["customer", "order", "day", "amount", "cost"][: len(rows[0])])
    frame = frame.assign(day=pd.to_datetime(frame["day"]), quantity=1.0)
    columns = {"customer_id": "customer", "order_id": "order", "occurred_at": "day", "amount": "amount"}
    if "cost" in frame:
        columns |= {"quantity": "quantity", "unit_cost": "cost"}
    if acquired is not None:
        master = pd.DataFrame(list(acquired.items()), columns=["customer_id", "acquired_at"])
        policies["customers"] = ibis.memtable(
            master.assign(acquired_at=pd.to_datetime(master["acquired_at"]))
        )
    return crm.read_transactions(
        frame, columns=columns, observed_from=start, observed_until=until, **policies
    )


# By hand: Ann buys every month, Bob in January and March, Cai once in February and is refunded in March,
# Dan is new in March; Eve bought in February and did not come back.
ROWS = [
    ("ann", "1", "2024-01-05", 100.0, 60.0),
    ("ann", "2", "2024-02-05", 100.0, 60.0),
    ("ann", "3", "2024-03-05", 150.0, 80.0),
    ("ann", "4", "2024-03-25", 50.0, 30.0),
    ("bob", "5", "2024-01-31", 80.0, 50.0),
    ("bob", "6", "2024-03-01", 120.0, 70.0),
    ("cai", "7", "2024-02-29", 60.0, 30.0),
    ("cai", "8", "2024-03-02", -20.0, -10.0),
    ("dan", "9", "2024-03-31", 0.0, 5.0),
    ("eve", "10", "2024-02-10", 40.0, 20.0),
]


@pytest.fixture(scope="module")
def log():
    return make_log(ROWS, until="2024-04-10")


class TestHistory:
    def test_march_by_hand(self, log):
        march = base.period_history(log, by="month").loc["2024-03"]
        counted = {
            "n_customers": 3,  # Ann, Bob, Dan; Cai only got money back
            "n_new": 1,
            "n_returning": 1,
            "n_reactivated": 1,
            "n_opening": 3,
            "n_not_returned": 2,
            "n_orders": 4,
            "revenue": 300,
            "revenue_new": 0,
            "revenue_returning": 200,
            "revenue_reactivated": 120,
            "profit": 300 - 175,
        }
        assert march[list(counted)].to_dict() == counted
        assert march["orders_per_customer"] == pytest.approx(4 / 3)
        assert march["average_order_value"] == pytest.approx(75)
        assert march["repeat_buying_rate"] == pytest.approx(1 / 3)
        assert march["margin"] == pytest.approx(125 / 300)

    def test_unfinished_month_is_marked_and_first_month_compares_with_nothing(self, log):
        history = base.period_history(log, by="month")
        assert history["complete"].tolist() == [True, True, True, False]
        april, january = history.loc["2024-04"], history.loc["2024-01"]
        assert april["n_customers"] == 0
        assert april["n_not_returned"] == 3
        assert np.isnan(april["average_order_value"])
        assert january["n_customers"] == 2
        # Nobody can tell who returned in the log's first month.
        unknown = ["n_opening", "n_returning", "n_reactivated", "n_not_returned", "repeat_buying_rate"]
        assert january[unknown].isna().all()
        assert history["n_new"].tolist() == [2, 2, 1, 0]
        assert history["repeat_buying_rate"].tolist()[1:] == [1 / 2, 1 / 3, 0]
        assert history["new_by"].eq("first seen").all()

    def test_new_customers_are_unknown_while_the_log_burns_in(self):
        log = make_log(ROWS, until="2024-04-10", burn_in="45 days")
        history = base.period_history(log, by="month")
        assert history["n_new"].isna().tolist() == [True, True, False, False]
        assert history["revenue_new"].isna().tolist() == [True, True, False, False]
        assert not base.bridge(log, period="2024-02", compare="2024-01").new_known
        assert base.bridge(log, period="2024-03", compare="2024-02").new_known

    def test_a_customer_master_knows_who_is_new(self):
        known = {
            "ann": "2019-05-01",
            "bob": "2024-01-02",
            "cai": "2023-12-31",
            "dan": "2024-03-30",
            "eve": "2024-06-01",
        }
        history = base.period_history(make_log(ROWS, acquired=known, until="2024-04-10"), by="month")
        # Eve's purchase of 10 February is older than her date in the master, so she was acquired by then.
        assert history["n_new"].tolist() == [1, 1, 1, 0]
        assert history.loc["2024-02", "n_reactivated"] == 1
        assert history["new_by"].eq("acquired_at").all()

    def test_quarters_and_fiscal_years(self, log):
        quarters = base.period_history(log, by="quarter")
        assert quarters.index.tolist() == ["2024Q1", "2024Q2"]
        assert quarters.loc["2024Q1", ["n_customers", "n_orders", "revenue"]].tolist() == [5, 9, 680]
        fiscal = base.period_history(log, by="year", calendar=Calendar(fiscal_year_starts=3))
        assert fiscal.index.tolist() == ["2024", "2025"]
        assert fiscal["revenue"].tolist() == [380, 300]
        assert fiscal["complete"].tolist() == [False, False]

    def test_an_order_without_number_is_its_day(self):
        rows = [
            ("a", None, "2024-01-05", 10.0),
            ("a", None, "2024-01-06", 10.0),
            ("a", "1", "2024-01-07", 10.0),
        ]
        assert base.period_history(make_log(rows, until="2024-01-31"), by="month")["n_orders"].tolist() == [3]

    def test_customers_count_as_in_the_customer_table(self):
        log = random_log(np.random.default_rng(11), master=False)
        year = base.period_summary(log, period="2024").loc["period"]
        customers = crm.summarise_customers(log)
        assert year["n_customers"] == len(customers)
        assert year["n_orders"] == customers["n_orders"].sum()
        refunds_only = log.merged.anti_join(log.purchases, "customer_id").amount.sum().execute() or 0
        assert year["revenue"] == pytest.approx(customers["total_amount"].sum() + float(refunds_only))

    def test_an_order_on_two_days_counts_once_and_customers_may_share_numbers(self):
        rows = [
            ("a", "1", "2024-01-05", 10.0),
            ("a", "1", "2024-01-06", 10.0),
            ("b", "1", "2024-01-07", 10.0),
        ]
        history = base.period_history(make_log(rows, until="2024-01-31"), by="month")
        assert history.loc["2024-01", "n_orders"] == 2
        assert "profit" not in history

    def test_unknown_length_is_refused(self, log):
        with pytest.raises(ConfigError, match="by='week'; expected one of"):
            base.period_history(log, by="week")


class TestSummary:
    def test_three_columns_of_a_report(self, log):
        summary = base.period_summary(log, period="2024-03")
        assert summary.index.tolist() == ["period", "previous", "year_before"]
        assert summary["label"].tolist() == ["2024-03", "2024-02", "2023-03"]
        assert summary["revenue"].tolist()[:2] == [300, 200]
        assert summary["complete"].tolist() == [True, True, False]
        assert summary["n_days_observed"].tolist() == [31, 29, 0]
        assert summary.loc["year_before", ["n_customers", "revenue"]].isna().all()

    def test_later_purchases_do_not_reach_back(self, log):
        whole = base.period_summary(log, period="2024-02").drop(columns=["start", "end"])
        early = log.as_of("2024-02-29")
        pd.testing.assert_frame_equal(
            whole, base.period_summary(early, period="2024-02").drop(columns=["start", "end"])
        )

    def test_a_period_outside_the_log_is_refused(self, log):
        with pytest.raises(
            ConfigError, match=r"period 2023-12 .* was not observed; the log holds 2024-01-01 to"
        ):
            base.period_summary(log, period="2023-12")


class TestBridge:
    def test_march_against_february_by_hand(self, log):
        bridge = base.bridge(log, period="2024-03", compare="2024-02")
        assert bridge.flow[["n_customers", "revenue", "n_orders", "profit"]].T.to_dict("list") == {
            "opening": [3, 200, 3, 90],  # customers, revenue, orders, profit
            "not returned": [-2, -120, -2, -60],  # Cai, less the refund of 20, and Eve
            "returning": [0, 100, 1, 50],
            "reactivated": [1, 120, 1, 50],
            "new": [1, 0, 1, -5],
            "closing": [3, 300, 4, 125],
        }
        factors = bridge.revenue
        assert factors["before"].tolist() == [3, 1, pytest.approx(200 / 3)]
        assert factors["after"].tolist() == [3, pytest.approx(4 / 3), 75]
        assert factors.loc["customers", "contribution"] == 0
        assert factors["contribution"].sum() == pytest.approx(100, rel=1e-12)
        mean = 100 / np.log(1.5)
        assert factors.loc["order value", "contribution"] == pytest.approx(mean * np.log(75 / (200 / 3)))
        assert bridge.profit["contribution"].sum() == pytest.approx(35, rel=1e-12)
        assert bridge.profit.index.tolist() == ["customers", "orders per customer", "order value", "margin"]
        assert bridge.new_by == "first seen"

    def test_periods_that_do_not_adjoin_name_whom_they_miss(self, log):
        flow = base.bridge(log, period="2024-03", compare="2024-01").flow
        assert flow.loc["returning", "revenue"] == 320 - 180
        # Cai bought in between and got 20 back in March.
        assert flow.loc["refunds only"].tolist() == [0, 0, -20, -10]
        rows = [*ROWS, ("eve", "11", "2024-03-09", 70.0, 30.0)]
        flow = base.bridge(make_log(rows), period="2024-03", compare="2024-01").flow
        assert flow.loc["acquired in between", ["n_customers", "revenue"]].tolist() == [1, 70]

    @settings(max_examples=6, deadline=None)
    @given(seed=st.integers(0, 10_000), master=st.booleans())
    def test_flow_and_factors_close_and_agree_with_the_history(self, seed, master):
        log = random_log(np.random.default_rng(seed), master=master)
        bridge = base.bridge(log, period="2024Q3", compare="2024Q2")
        history = base.period_history(log, by="quarter")
        reached = bridge.flow.iloc[:-1].sum()
        np.testing.assert_allclose(reached, bridge.flow.loc["closing"], rtol=1e-9, atol=1e-9)
        third = history.loc["2024Q3"]
        assert bridge.flow.loc["closing", ["n_customers", "revenue"]].tolist() == pytest.approx(
            [third["n_customers"], third["revenue"]]
        )
        assert bridge.flow.loc["new", "n_customers"] == third["n_new"]
        assert bridge.flow.loc["not returned", "n_customers"] == -third["n_not_returned"]
        assert third["n_customers"] == third[["n_new", "n_returning", "n_reactivated"]].sum()
        change = history.loc["2024Q3", "revenue"] - history.loc["2024Q2", "revenue"]
        assert bridge.revenue["contribution"].sum() == pytest.approx(change, rel=1e-9)

    def test_history_equals_pandas(self):
        log = random_log(np.random.default_rng(3), master=False)
        rows = log.merged.execute()
        rows["month"] = pd.to_datetime(rows["occurred_on"]).dt.strftime("%Y-%m")
        bought = rows[rows["n_lines"] > 0]
        history = base.period_history(log, by="month")
        active = bought.groupby("month")["customer_id"].agg(set)
        assert history["n_customers"].to_dict() == active.map(len).to_dict()
        assert history["n_orders"].to_dict() == bought.groupby("month")["order_id"].nunique().to_dict()
        np.testing.assert_allclose(history["revenue"], rows.groupby("month")["amount"].sum().astype(float))
        for before, month in zip(active.index, active.index[1:], strict=False):
            assert history.loc[month, "n_returning"] == len(active[before] & active[month])
            seen = set().union(*active.loc[:before])
            assert history.loc[month, "n_new"] == len(active[month] - seen)

    def test_incomparable_periods_are_refused(self, log):
        with pytest.raises(ConfigError, match=r"2024-04 .* is not observed from end to end"):
            base.bridge(log, period="2024-04", compare="2024-03")
        with pytest.raises(ConfigError, match="2024-02 does not lie before 2024-02"):
            base.bridge(log, period="2024-02", compare="2024-02")
        with pytest.raises(ConfigError, match="2024Q1 does not lie before 2024-03"):
            base.bridge(log, period="2024-03", compare=Period.parse("2024Q1"))

    def test_a_period_without_purchases_has_no_factors(self):
        with pytest.raises(DataError, match=r"2024-05 has 0 active customers and revenue 0\.00"):
            base.bridge(make_log(ROWS), period="2024-05", compare="2024-03")

    def test_loss_has_no_logarithm(self):
        rows = [("a", "1", "2024-01-05", 10.0, 20.0), ("a", "2", "2024-02-05", 10.0, 5.0)]
        bridge = base.bridge(make_log(rows), period="2024-02", compare="2024-01")
        assert bridge.profit is None
        assert bridge.flow.loc["closing", "profit"] == 5


def random_log(rng, *, master):
    n = 400
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 366, n), unit="D")
    customers = [f"c{i}" for i in rng.integers(0, 90, n)]
    amounts = np.where(rng.random(n) < 0.1, -1, 1) * rng.integers(0, 9000, n) / 100
    rows = list(zip(customers, [str(i) for i in range(n)], days, amounts, amounts * 0.6, strict=True))
    known = {f"c{i}": str(d.date()) for i, d in enumerate(days[:60])} if master else None
    return make_log(rows, acquired=known, closed_cohort=True)


def test_where_nothing_changed_no_factor_has_a_share():
    rows = [
        ("c1", "1", pd.Timestamp(2024, 1, 5), 10.0, 6.0),
        ("c1", "2", pd.Timestamp(2024, 2, 5), 10.0, 6.0),
    ]
    bridge = base.bridge(make_log(rows, closed_cohort=True), period="2024-02", compare="2024-01")
    assert bridge.revenue["contribution"].tolist() == [0, 0, 0]
    assert bridge.revenue["share_of_change"].isna().all()
