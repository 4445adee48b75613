"""What a scorecard judges by: hand-counted facts, discounts from the log, gaps that mean something."""

import pandas as pd
import pytest

import crm_analysis as crm
from crm_analysis import selection
from crm_analysis.errors import ConfigError, DataError

WHO = pd.Index(["a", "b", "c", "d"], name="customer_id")
CUSTOMERS = pd.DataFrame({"n_orders": [5, 2, 1, 9], "days_since_last": [3, 40, 400, 7]}, index=WHO)
PROFIT = pd.DataFrame(
    {
        "revenue": [100.0, 50.0, -10.0],
        "cost_of_goods": [60.0, 30.0, -6.0],
        "cost_to_serve": [20.0, 25.0, 5.0],
        "profit": [20.0, -5.0, -9.0],
    },
    index=WHO[[0, 1, 3]],
)
VALUES = pd.DataFrame(
    {
        "value_12m": [7.0, 3.0, 0.5, 4.0],
        "p_buy": [0.9, 0.6, 0.1, 0.8],
        "purchases_p10": [1.0, 0.0, 0.0, 1.0],
        "purchases_p90": [6.0, 2.0, 1.0, 5.0],
    },
    index=WHO,
)
LOG = pd.DataFrame(
    [
        ("a", "2024-01-05", 90.0, 10.0),
        ("a", "2024-02-05", 60.0, 40.0),
        ("b", "2024-02-06", 50.0, 0.0),
        ("c", "2024-02-07", 40.0, 10.0),
        ("c", "2024-03-08", -80.0, -20.0),
        ("d", "2024-01-02", 20.0, None),
    ],
    columns=["customer", "date", "amount", "discount"],
).astype({"date": "datetime64[us]"})


def read(columns=("discount",)):
    mapped = {"customer_id": "customer", "occurred_at": "date", "amount": "amount"}
    return crm.read_transactions(
        LOG,
        columns=mapped | {name: name for name in columns},
        observed_from="2024-01-01",
        observed_until="2024-03-31",
    )


def test_facts_by_hand():
    facts = selection.customer_facts(CUSTOMERS, profit=PROFIT, values=VALUES)
    assert facts.index.equals(WHO)
    assert facts["profit"].tolist() == [20.0, -5.0, 0.0, -9.0]
    assert facts["value_12m"].tolist() == VALUES["value_12m"].tolist()
    # d was served and brought no revenue.
    assert facts["cost_to_serve_share"].tolist() == [0.2, 0.5, 0.0, 1.0]
    costly = PROFIT.assign(cost_to_serve=[20.0, 150.0, 5.0])
    facts_of_costly = selection.customer_facts(CUSTOMERS, profit=costly, values=VALUES)
    assert facts_of_costly["cost_to_serve_share"].tolist() == [0.2, 3.0, 0.0, 3.0]
    assert "discount_share" not in facts


def test_facts_without_service_have_no_share_of_it():
    facts = selection.customer_facts(CUSTOMERS, profit=PROFIT.assign(cost_to_serve=0.0), values=VALUES)
    assert "cost_to_serve_share" not in facts
    only_costs = PROFIT.assign(revenue=0.0)
    facts = selection.customer_facts(CUSTOMERS, profit=only_costs, values=VALUES)
    assert facts["cost_to_serve_share"].tolist() == [1.0, 1.0, 0.0, 1.0]


def test_without_a_model_the_profit_goes_on_and_losses_do_not():
    facts = selection.customer_facts(CUSTOMERS, profit=PROFIT, values=None)
    assert facts["value_12m"].tolist() == [20.0, 0.0, 0.0, 0.0]
    assert facts[["p_buy", "purchases_p10", "purchases_p90"]].isna().all(axis=None)


def test_everybody_has_a_value():
    with pytest.raises(DataError, match="1 of 4 customers have no value_12m"):
        selection.customer_facts(CUSTOMERS, profit=PROFIT, values=VALUES.drop(index="b"))


def test_discounts_are_a_share_of_what_would_have_been_paid():
    share = selection.discount_share(
        read(), since=pd.Timestamp("2024-01-01").date(), until=pd.Timestamp("2024-03-31").date()
    )
    # c gave back more than was bought; d's discount is not known.
    assert share.to_dict() == pytest.approx({"a": 0.25, "b": 0.0, "c": 0.0, "d": 0.0})
    within = selection.discount_share(
        read(), since=pd.Timestamp("2024-02-05").date(), until=pd.Timestamp("2024-02-07").date()
    )
    assert within.to_dict() == pytest.approx({"a": 0.4, "b": 0.0, "c": 0.2})
    facts = selection.customer_facts(CUSTOMERS, profit=PROFIT, values=VALUES, discount_share=within)
    assert facts["discount_share"].tolist() == pytest.approx([0.4, 0.0, 0.2, 0.0])


def test_a_log_without_discounts_has_no_share():
    assert selection.discount_share(read(columns=()), since=LOG.date.min(), until=LOG.date.max()) is None


def test_criteria_are_those_known_and_never_misspelt():
    facts = selection.customer_facts(CUSTOMERS, profit=PROFIT, values=VALUES)
    wanted = ["profit", "days_since_last", "discount_share", "cost_to_serve_share"]
    assert selection.known_criteria(facts, wanted=wanted) == {
        "profit": "higher",
        "days_since_last": "lower",
        "cost_to_serve_share": "lower",
    }
    with pytest.raises(ConfigError, match=r"criteria: unknown \['proft'\]; expected some of \['profit', "):
        selection.known_criteria(facts, wanted=["proft"])


def test_losses_by_what_most_of_them_is():
    money = pd.DataFrame(
        {
            "revenue": [100.0, 100.0, 100.0, 0.0, -50.0, 100.0, 0.0],
            "cost_of_goods": [60.0, 60.0, 110.0, 0.0, -30.0, 130.0, 0.0],
            "cost_to_serve": [10.0, 45.0, 12.0, 7.0, 2.0, 12.0, 0.0],
        },
        index=["earns", "served", "mostly served", "idle", "refunded", "below cost", "nothing"],
    )
    facts = money.assign(profit=money["revenue"] - money["cost_of_goods"] - money["cost_to_serve"])
    losers = selection.loss_makers(facts)
    assert losers["value_at_stake"].to_dict() == {
        "below cost": 42.0,
        "mostly served": 22.0,
        "refunded": 22.0,
        "idle": 7.0,
        "served": 5.0,
    }
    assert losers["kind"].tolist() == ["goods", "service", "goods", "idle", "service"]


SMALL = """
name = "Small"
currency = "CNY"
timezone = "Asia/Shanghai"
[firms.a]
name = "Firm A"
observed_from = 2024-01-01
observed_until = 2024-03-31
[firms.a.transactions]
source = "log.csv"
columns = { customer_id = "customer", occurred_at = "date", amount = "amount" }
[firms.a.service]
source = "service.csv"
[costs]
visit = 30.0
[value]
margin = 0.5
"""


def test_profit_over_time_counts_months_observed_from_end_to_end(tmp_path):
    (tmp_path / "small.toml").write_text(SMALL)
    log = LOG.drop(columns="discount").to_csv(index=False)
    (tmp_path / "log.csv").write_text(f"{log}e,2024-03-09,0\n")
    (tmp_path / "service.csv").write_text("customer_id,occurred_at,kind\nb,2024-02-09,visit\n")
    ws = crm.open_workspace(tmp_path / "small.toml")
    period = crm.workspace.Period.parse("2024-03")
    found = selection.profit_over_time(ws, "a", period=period, months=2)
    # March: a 30, b 25 - 30, c -20, e 0; February: a 75, b 25 - 30, c 20, d 10. The year before was not seen.
    assert found.loc["period"].tolist() == pytest.approx([5.0, 2.0, 0.5])
    assert found.loc["previous"].tolist() == pytest.approx([100.0, 1.0, 0.25])
    assert found.loc["year_before"].isna().all()
    given = selection.profit_over_time(ws, "a", period=period, months=2, margin=1.0)
    assert given.loc["period", "profit"] == pytest.approx(60 + 50 - 30 - 40)
    short = selection.profit_over_time(ws, "a", period=period, months=4)
    assert short.isna().all(axis=None)
