"""Planned cash flows: the course example under every convention, counted by hand, and its refusals."""

import pytest

from crm_analysis.clv.cash_flow import cash_flow_conventions, cash_flow_value
from crm_analysis.errors import ConfigError

PLAN = {
    "revenue": [1000, 1500, 2000, 2000, 2000],
    "retention_cost": 500,
    "acquisition_cost": 2500,
    "annual_discount_rate": 0.15,
}


@pytest.mark.parametrize(
    ("timing", "value"),
    [
        ("end of period", 1280.60),
        ("start of period", 1847.68),
        ("mid-period", 1554.24),
        ("retention at start, revenue at end", 1029.18),
        ("all at end, acquisition too", 1606.68),
    ],
)
def test_course_example_under_each_timing(timing, value):
    assert cash_flow_value(**PLAN, timing=timing).value == pytest.approx(value, abs=0.005)


def test_course_example_year_by_year():
    flow = cash_flow_value(**PLAN, timing="end of period")
    assert flow.table["present_value"].tolist() == pytest.approx(
        [434.78, 756.14, 986.27, 857.63, 745.77], abs=0.005
    )
    cumulative = [-2065.22, -1309.07, -322.80, 534.83, 1280.60]
    assert flow.table["cumulative"].tolist() == pytest.approx(cumulative, abs=0.005)
    assert flow.table["net"].tolist() == [500, 1000, 1500, 1500, 1500]
    assert flow.payback == 4
    assert flow.value + PLAN["acquisition_cost"] == pytest.approx(3780.60, abs=0.005)


def test_one_call_shows_all_conventions():
    table = cash_flow_conventions(**PLAN)
    published = {
        "end of period": 1280.60,
        "start of period": 1847.68,
        "mid-period": 1554.24,
        "retention at start, revenue at end": 1029.18,
        "all at end, acquisition too": 1606.68,
        "end of period, no retention cost in the first": 1715.38,
        "start of period, no retention cost in the first": 2347.68,
        "undiscounted": 3500.00,
    }
    assert table["value"].to_dict() == pytest.approx(published, abs=0.005)
    assert table["difference"]["undiscounted"] == pytest.approx(3500 - 1280.60, abs=0.005)


def test_three_cases_of_constant_retention():
    """Fader & Hardie (2012), note 24: margin 100, retention .8, discount .1 over a life without end."""
    surviving = [100 * 0.8**t for t in range(400)]
    plan = {"retention_cost": 0, "acquisition_cost": 0, "annual_discount_rate": 0.1}
    immediate = cash_flow_value(revenue=surviving, timing="start of period", **plan).value
    assert immediate == pytest.approx(366.67, abs=0.005)
    assert immediate - 100 == pytest.approx(266.67, abs=0.005)
    assert cash_flow_value(revenue=surviving, timing="end of period", **plan).value == pytest.approx(
        333.33, abs=0.005
    )


def test_costs_by_year_and_plans_that_never_pay_back():
    plan = PLAN | {"retention_cost": [0, 500, 500, 500, 500]}
    assert cash_flow_value(**plan, timing="end of period").value == pytest.approx(1715.38, abs=0.005)
    assert cash_flow_value(**(PLAN | {"acquisition_cost": 9999}), timing="mid-period").payback is None


def test_refuses_plans_without_a_timing_or_with_a_wrong_one():
    with pytest.raises(TypeError, match="timing"):
        cash_flow_value(**PLAN)
    with pytest.raises(ConfigError, match="timing 'end of year': expected one of"):
        cash_flow_value(**PLAN, timing="end of year")
    with pytest.raises(ConfigError, match="annual_discount_rate 15"):
        cash_flow_value(**(PLAN | {"annual_discount_rate": 15}), timing="end of period")
    with pytest.raises(ConfigError, match="retention_cost: 2 values for 5 years of revenue"):
        cash_flow_value(**(PLAN | {"retention_cost": [500, 500]}), timing="end of period")
