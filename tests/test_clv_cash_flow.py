"""Planned cash flows: counted by hand, identities, where they break even, refusals.

The course example under every convention is in tests/published/deterministic.py.
"""

import numpy as np
import pytest

from crm_analysis.clv.plans.cash_flow import TIMINGS, cash_flow_conventions, cash_flow_value, past_value
from crm_analysis.clv.plans.payback import break_even
from crm_analysis.errors import ConfigError

PLAN = {
    "revenue": [1000, 1500, 2000, 2000, 2000],
    "retention_cost": 500,
    "acquisition_cost": 2500,
    "annual_discount_rate": 0.15,
}
# Two years, 10%: 110 and 121 less 11 each, at the end of the year; 60 to win the customer.
SMALL = {"revenue": [121, 132], "retention_cost": 11, "acquisition_cost": 60, "annual_discount_rate": 0.1}


class TestValue:
    def test_two_years_by_hand(self):
        flow = cash_flow_value(**SMALL, timing="end of period")
        assert flow.table["net"].tolist() == [110, 121]
        assert flow.table["present_value"].tolist() == pytest.approx([100, 100])
        assert flow.table["cumulative"].tolist() == pytest.approx([40, 140])
        assert (flow.payback, flow.value) == (1, pytest.approx(140))
        split = cash_flow_value(**SMALL, timing="retention at start, revenue at end")
        assert split.value == pytest.approx(121 / 1.1 - 11 + 132 / 1.21 - 11 / 1.1 - 60)

    def test_who_may_leave_pays_and_costs_with_the_chance_to_be_there(self):
        flow = cash_flow_value(**SMALL, timing="end of period", retention_probability=0.5)
        assert flow.table["revenue"].tolist() == [121, 66]
        assert flow.table["retention_cost"].tolist() == [11, 5.5]
        assert flow.value == pytest.approx(100 + 50 - 60)
        first_year_only = cash_flow_value(**SMALL, timing="end of period", retention_probability=0)
        assert first_year_only.value == pytest.approx(40)

    def test_an_endless_contract_is_the_multiple(self):
        plan = {"retention_cost": 0, "acquisition_cost": 0, "annual_discount_rate": 0.1}
        flow = cash_flow_value(revenue=[100] * 400, retention_probability=0.8, timing="end of period", **plan)
        assert flow.value == pytest.approx(100 / 0.3)

    def test_costs_by_year_and_plans_that_never_pay_back(self):
        plan = PLAN | {"retention_cost": [0, 500, 500, 500, 500]}
        gained = (
            cash_flow_value(**plan, timing="end of period").value
            - cash_flow_value(**PLAN, timing="end of period").value
        )
        assert gained == pytest.approx(500 / 1.15)
        assert cash_flow_value(**(PLAN | {"acquisition_cost": 9999}), timing="mid-period").payback is None

    def test_one_call_shows_all_conventions(self):
        table = cash_flow_conventions(**PLAN, retention_probability=0.9)
        assert table.index.tolist()[: len(TIMINGS)] == list(TIMINGS)
        for timing in TIMINGS:
            flow = cash_flow_value(**PLAN, timing=timing, retention_probability=0.9)
            assert table["value"][timing] == flow.value
            assert table["payback"][timing] == flow.payback
        assert table["difference"]["end of period"] == 0
        still = 0.9 ** np.arange(5)
        assert table["value"]["undiscounted"] == pytest.approx(
            ((np.array(PLAN["revenue"]) - 500) * still).sum() - 2500
        )

    def test_the_past_has_earned_interest(self):
        assert past_value([100, 10], periods_ago=[2, 0], rate_per_period=0.1) == pytest.approx(131)
        assert past_value([], periods_ago=[], rate_per_period=0.1) == 0


class TestBreakEven:
    @pytest.mark.parametrize("timing", TIMINGS)
    @pytest.mark.parametrize("kept", [1.0, 0.9])
    def test_every_number_put_into_the_plan_leaves_nothing(self, timing, kept):
        plan = PLAN | {"timing": timing, "retention_probability": kept}
        even = break_even(**plan)
        for changed in (
            {"acquisition_cost": even.max_acquisition_cost},
            {"retention_cost": even.max_retention_cost},
            {"retention_probability": even.min_retention_probability},
            {"annual_discount_rate": even.internal_rate},
        ):
            assert cash_flow_value(**plan | changed).value == pytest.approx(0, abs=1e-6)
        assert even.value == cash_flow_value(**plan).value

    def test_payback_with_and_without_interest(self):
        even = break_even(**PLAN, timing="end of period")
        assert (even.payback, even.payback_undiscounted) == (4, 3)

    def test_plans_without_such_a_number(self):
        poor = break_even(**(PLAN | {"acquisition_cost": 9000}), timing="end of period")
        assert (poor.min_retention_probability, poor.payback, poor.payback_undiscounted) == (None, None, None)
        assert poor.internal_rate < 0
        back = [500, 1000, 1500, 1500, 1500] * (1 + poor.internal_rate) ** -np.arange(1.0, 6)
        assert back.sum() == pytest.approx(9000)
        easy = break_even(**(PLAN | {"acquisition_cost": 400}), timing="end of period")
        assert easy.min_retention_probability == 0
        assert break_even(**(PLAN | {"acquisition_cost": 0}), timing="end of period").internal_rate is None
        turns_twice = PLAN | {"revenue": [9000, 0, 0, 0, 400], "retention_cost": [0, 5000, 0, 0, 0]}
        assert break_even(**turns_twice, timing="end of period").internal_rate is None


class TestRefused:
    def test_plans_without_a_timing_or_with_a_wrong_one(self):
        with pytest.raises(TypeError, match="timing"):
            cash_flow_value(**PLAN)
        with pytest.raises(ConfigError, match="timing 'end of year': expected one of"):
            cash_flow_value(**PLAN, timing="end of year")
        with pytest.raises(ConfigError, match="annual_discount_rate 15"):
            cash_flow_value(**(PLAN | {"annual_discount_rate": 15}), timing="end of period")
        with pytest.raises(ConfigError, match="retention_probability 90: expected a share"):
            cash_flow_value(**PLAN, timing="end of period", retention_probability=90)

    def test_costs_that_do_not_fit_the_years(self):
        with pytest.raises(ConfigError, match="retention_cost: 2 values for 5 years of revenue"):
            cash_flow_value(**(PLAN | {"retention_cost": [500, 500]}), timing="end of period")
        with pytest.raises(ConfigError, match="2 contributions and periods_ago \\[1\\]"):
            past_value([1, 2], periods_ago=[1], rate_per_period=0.1)
        with pytest.raises(ConfigError, match="none below 0"):
            past_value([1], periods_ago=[-1], rate_per_period=0.1)
