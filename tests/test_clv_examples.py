"""Customers who teach, and one customer's history: against the histories cut by hand."""

import numpy as np
import pandas as pd
import pytest
from clv_cases import cdnow, cdnow_days

import crm_analysis as crm
from crm_analysis.clv import BgNbd, ParetoNbd, customer_history, example_customers, purchase_days
from crm_analysis.errors import DataError

PARETO = ParetoNbd(r=0.553, alpha=10.58, s=0.606, beta=11.66, unit="7D")
UNTIL = "1998-06-30"

# The longest of all is observed for 1,000 days.
CASES = pd.DataFrame(
    [
        ("lately", 6, 970, 1000),
        ("silent", 6, 400, 1000),
        ("once", 0, 0, 900),
        ("new", 0, 0, 60),
        ("twice", 1, 100, 700),
        ("heavy", 80, 700, 710),
    ],
    columns=["customer_id", "n_repeat", "t_last", "t_observed"],
).set_index("customer_id")
CASES["first_at"] = pd.Timestamp("2025-12-31") - pd.to_timedelta(CASES["t_observed"], unit="D")


def patterns(table):
    return table["pattern"].to_dict()


@pytest.fixture(scope="module")
def log():
    return crm.read_transactions(
        cdnow_days()[["customer_id", "date", "amount"]],
        observed_from="1997-01-01",
        observed_until=UNTIL,
        columns={"customer_id": "customer_id", "occurred_at": "date", "amount": "amount"},
        closed_cohort=True,
    )


@pytest.fixture(scope="module")
def chosen():
    return cdnow(UNTIL).sort_values(["n_repeat", "t_last"]).index[[0, 1500, 2000, -40, -1]]


@pytest.fixture(scope="module")
def days(log, chosen):
    return purchase_days(log, customers=chosen)


def test_each_pattern_has_its_customer():
    assert patterns(example_customers(CASES)) == {
        "lately": "often, and lately",
        "silent": "often, then silent",
        "once": "once, long ago",
        "new": "new",
    }


def test_the_choice_does_not_depend_on_the_order_of_rows():
    many = cdnow(UNTIL)
    shuffled = many.sample(frac=1, random_state=np.random.default_rng(3))
    pd.testing.assert_frame_equal(example_customers(many), example_customers(shuffled))


def test_published_sample_shows_what_the_patterns_say():
    table = example_customers(cdnow(UNTIL)).set_index("pattern")
    # Everybody came in the first quarter of 1997: nobody is new.
    assert table.index.tolist() == ["often, and lately", "often, then silent", "once, long ago"]
    gap = table["t_last"] / table["n_repeat"]
    silence = (table["t_observed"] - table["t_last"]) / gap
    assert silence["often, and lately"] <= 1
    assert silence["often, then silent"] >= 3
    assert table["n_repeat"].iloc[0] == table["n_repeat"].iloc[1] >= 3
    p_alive = PARETO.p_alive(table)
    assert p_alive["often, and lately"] > 0.9
    assert p_alive["often, then silent"] < 0.5


def test_values_are_joined_by_customer():
    values = pd.DataFrame({"p_alive": np.arange(6) / 10, "p_buy": np.arange(6) / 20}, CASES.index)
    table = example_customers(CASES, values.iloc[::-1])
    assert table.loc["once", ["p_alive", "p_buy"]].tolist() == [0.2, 0.1]


def test_only_whole_histories_are_shown():
    cut = CASES.assign(history_complete=CASES.index != "silent")
    assert "silent" not in example_customers(cut).index


def test_a_pattern_that_nobody_has_is_left_out():
    assert patterns(example_customers(CASES.loc[["once"]])) == {"once": "once, long ago"}
    assert patterns(example_customers(CASES.loc[["twice"]])) == {}
    assert example_customers(CASES.iloc[:0]).empty
    # Whoever came on the last day is new, however short the log.
    assert patterns(example_customers(CASES.loc[["new"]].assign(t_observed=0))) == {"new": "new"}


def test_purchase_days_are_those_of_the_customers_asked_for(days, chosen):
    raw = cdnow_days()[lambda d: d["customer_id"].isin(chosen)].sort_values(["customer_id", "date"])
    assert days.index.tolist() == raw["customer_id"].tolist()
    assert days.tolist() == raw["date"].tolist()


def test_days_with_a_refund_only_are_no_purchases():
    rows = [
        ("a", "2024-01-01", 9.0),
        ("a", "2024-01-05", -4.0),
        ("a", "2024-02-01", 0.0),
        ("b", "2024-01-01", 1),
    ]
    log = crm.read_transactions(
        pd.DataFrame(rows, columns=["c", "d", "m"]).astype({"d": "datetime64[us]"}),
        columns={"customer_id": "c", "occurred_at": "d", "amount": "m"},
        observed_from="2024-01-01",
        observed_until="2024-03-31",
    )
    found = purchase_days(log, customers=["a"])
    assert found.dt.strftime("%Y-%m-%d").tolist() == ["2024-01-01", "2024-02-01"]


def test_a_history_ends_with_what_is_said_now(days, chosen):
    customers = cdnow(UNTIL).loc[chosen]
    now = PARETO.p_alive(customers), PARETO.p_buy(customers, horizon="39 weeks")
    for customer in chosen:
        last = customer_history(
            PARETO, days, customer_id=customer, observed_until=UNTIL, horizon="39 weeks"
        ).iloc[-1]
        assert (
            last[["n_repeat", "t_last", "t_observed"]].tolist()
            == customers.loc[customer, ["n_repeat", "t_last", "t_observed"]].tolist()
        )
        assert last["p_alive"] == pytest.approx(now[0][customer], rel=1e-9)
        assert last["p_buy"] == pytest.approx(now[1][customer], rel=1e-6)


def test_a_day_knows_nothing_of_what_came_later(days, chosen):
    customer = chosen[-2]
    history = customer_history(PARETO, days, customer_id=customer, observed_until=UNTIL)
    for until in ("1997-09-30", "1998-01-15"):
        then = cdnow(until).loc[[customer]]
        row = history.loc[until]
        assert (
            row[["n_repeat", "t_last", "t_observed"]].tolist()
            == then[["n_repeat", "t_last", "t_observed"]].iloc[0].tolist()
        )
        assert row["p_alive"] == pytest.approx(PARETO.p_alive(then).iloc[0], rel=1e-9)
        earlier = customer_history(PARETO, days, customer_id=customer, observed_until=until)
        pd.testing.assert_frame_equal(earlier, history.loc[:until])


def test_a_purchase_proves_a_customer_and_silence_takes_away(days, chosen):
    customer = chosen[-2]
    history = customer_history(PARETO, days, customer_id=customer, observed_until=UNTIL)
    assert history["bought"].sum() == (days.index == customer).sum()
    np.testing.assert_allclose(history["p_alive"][history["bought"]], 1)
    assert (history["p_alive"].diff()[~history["bought"]] < 0).all()
    assert history.index[0] == days[[customer]].min()
    assert len(history) == (pd.Timestamp(UNTIL) - history.index[0]).days + 1


def test_bg_nbd_lets_nobody_leave_who_never_came_back(days, chosen):
    model = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
    history = customer_history(model, days, customer_id=chosen[0], observed_until=UNTIL)
    assert (history["p_alive"] == 1).all()
    assert history["p_buy"].iloc[-1] < 0.2 < history["p_buy"].iloc[0]


def test_a_customer_without_purchases_is_refused(days, chosen):
    with pytest.raises(DataError, match="customer 'nobody' has no purchase until 1998-06-30"):
        customer_history(PARETO, days, customer_id="nobody", observed_until=UNTIL)
    with pytest.raises(DataError, match="no purchase until 1996-12-31"):
        customer_history(PARETO, days, customer_id=chosen[0], observed_until="1996-12-31")
