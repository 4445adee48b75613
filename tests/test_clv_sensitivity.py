"""One input moved at a time: counted by hand, with any function, refusals."""

import pytest

from crm_analysis.clv.plans.cash_flow import cash_flow_value
from crm_analysis.clv.plans.firm_value import customer_base_value
from crm_analysis.clv.plans.payback import break_even
from crm_analysis.clv.plans.tornado import sensitivity
from crm_analysis.errors import ConfigError

PLAN = {
    "revenue": [110, 121],
    "retention_cost": 0,
    "acquisition_cost": 50,
    "annual_discount_rate": 0.1,
    "timing": "end of period",
    "retention_probability": 0.9,
}


def test_a_plan_by_hand():
    table = sensitivity(
        cash_flow_value,
        PLAN,
        vary={"acquisition_cost": (40, 80), "revenue": 0.1, "retention_probability": (0.5, 1)},
    )
    assert table["value"].unique().tolist() == pytest.approx([140])
    assert table.index.tolist() == ["retention_probability", "acquisition_cost", "revenue"]
    cost = table.loc["acquisition_cost"]
    assert cost[["input_low", "input_high", "low", "high"]].tolist() == pytest.approx([40, 80, 150, 110])
    assert cost[["swing", "change_low", "change_high"]].tolist() == pytest.approx([40, 1 / 14, -3 / 14])
    revenue = table.loc["revenue"]
    assert revenue[["low", "high"]].tolist() == pytest.approx([121, 159])
    assert revenue[["input_low", "input_high"]].isna().all()
    kept = table.loc["retention_probability"]
    assert kept[["low", "high"]].tolist() == pytest.approx([100, 150])


def test_unasked_every_number_moves_by_a_tenth():
    table = sensitivity(cash_flow_value, PLAN)
    moved = {"revenue", "acquisition_cost", "annual_discount_rate", "retention_probability"}
    assert set(table.index) == moved  # nothing is paid for keeping, and a timing is no number
    assert table["swing"].is_monotonic_decreasing
    cost = table.loc["acquisition_cost", ["low", "high"]]
    assert cost.tolist() == pytest.approx([145, 135])


def test_any_function_and_any_answer():
    bare = sensitivity(lambda a, b: a * b, {"a": 2, "b": 5}, vary={"a": 0.5})
    assert bare.loc["a", ["low", "high", "value"]].tolist() == [5, 15, 10]
    payback = sensitivity(break_even, PLAN, vary={"revenue": 0.1}, answer="max_acquisition_cost")
    assert payback["value"]["revenue"] == pytest.approx(190)


def test_effects_of_margin_and_acquisition_cost_differ_by_the_whole_value():
    """What is earned less what is spent is the value: so the effects of 1% differ by 1%."""
    inputs = {
        "n_customers": 30,
        "margin": 4,
        "retention_probability": 0.7,
        "annual_discount_rate": 0.12,
        "new_customers": 12,
        "acquisition_cost": 7,
        "tax_rate": 0.38,
    }
    change = sensitivity(customer_base_value, inputs, vary=dict.fromkeys(inputs, 0.01))["change_high"]
    assert change["margin"] + change["acquisition_cost"] == pytest.approx(0.01)
    assert change["retention_probability"] > 0 > change["annual_discount_rate"]


def test_refused():
    with pytest.raises(ConfigError, match=r"vary \['colour'\]; expected some of \['revenue'"):
        sensitivity(cash_flow_value, PLAN, vary={"colour": 0.1})
    with pytest.raises(
        ConfigError, match=r"retention_probability = 1\.08.*: retention_probability 1.08.*narrower"
    ):
        sensitivity(cash_flow_value, PLAN, vary={"retention_probability": 0.2})
