"""Multiples of a margin, the cases of Berger & Nasr, values of firms: sums by hand, identities, refusals."""

import numpy as np
import pytest
from scipy.integrate import quad

from crm_analysis.clv.plans.firm_value import BassGrowth, customer_base_value
from crm_analysis.clv.plans.migration import migration_value, recency_transitions
from crm_analysis.clv.plans.multiples import (
    fixed_life_error,
    margin_multiple,
    margin_multiples,
    payment_cases,
)
from crm_analysis.clv.plans.retained import continuous_value, retained_value
from crm_analysis.errors import ConfigError

FIRM = {"n_customers": 100, "margin": 10, "retention_probability": 0.8, "annual_discount_rate": 0.12}
RATES = {"retention_probability": 0.75, "annual_discount_rate": 0.2}


class TestMultiples:
    @pytest.mark.parametrize("growth", [0.0, 0.05, -0.1])
    @pytest.mark.parametrize(
        ("first_payment", "first", "kept"),
        [("today", 0, 0), ("just received", 1, 1), ("end of period", 1, 0)],
    )
    def test_each_case_is_its_sum(self, first_payment, first, kept, growth):
        n = np.arange(600)
        payments = (1 + growth) ** n * 0.8 ** (n + kept) / 1.1 ** (n + first)
        multiple = margin_multiple(
            retention_probability=0.8, annual_discount_rate=0.1, first_payment=first_payment, growth=growth
        )
        assert multiple == pytest.approx(payments.sum())

    def test_what_has_just_been_received_is_the_difference_of_two_cases(self):
        cases = payment_cases(100, retention_probability=0.8, annual_discount_rate=0.1)
        assert cases["today"] - cases["just received"] == pytest.approx(100)
        assert cases["end of period"] * 1.1 == pytest.approx(cases["today"])

    def test_the_table_holds_the_function(self):
        table = margin_multiples([0.6, 0.9], annual_discount_rates=[0.1, 0.16], growth=0.02)
        assert table.loc[0.9, 0.1] == margin_multiple(
            retention_probability=0.9, annual_discount_rate=0.1, first_payment="just received", growth=0.02
        )
        assert table.shape == (2, 2)

    def test_a_fixed_life_is_worth_too_much_at_any_retention(self):
        for kept in (0.1, 0.5, 0.8, 0.95):
            error = fixed_life_error(margin=100, retention_probability=kept, annual_discount_rate=0.12)
            assert error.error > 0
            assert error.fixed_life_value == pytest.approx(error.value * (1 + error.error))
        five = fixed_life_error(margin=1, retention_probability=0.8, annual_discount_rate=0.1)
        assert five.expected_life == pytest.approx(5)
        assert five.fixed_life_value == pytest.approx(sum(1.1**-t for t in range(1, 6)))

    def test_refused(self):
        with pytest.raises(ConfigError, match="first_payment 'now': expected one of"):
            margin_multiple(**RATES, first_payment="now")
        with pytest.raises(ConfigError, match="retention_probability 75: expected a share"):
            margin_multiple(retention_probability=75, annual_discount_rate=0.2, first_payment="today")
        with pytest.raises(ConfigError, match="no finite sum"):
            margin_multiple(
                retention_probability=1, annual_discount_rate=0.05, first_payment="today", growth=0.05
            )
        with pytest.raises(ConfigError, match="expected a probability below 1"):
            fixed_life_error(margin=1, retention_probability=1, annual_discount_rate=0.1)


class TestRetained:
    def test_case_1_two_renewals_by_hand(self):
        value = retained_value(260, marketing_cost=50, **RATES, cycles=2)
        income = 260 * (1 + 0.75 / 1.2 + (0.75 / 1.2) ** 2)
        assert value == pytest.approx(income - 50 * (1.2**-0.5 + 0.75 * 1.2**-1.5))

    def test_case_2_cycles_of_a_quarter_and_of_two_years(self):
        quarters = retained_value(10, marketing_cost=2, **RATES, cycles=8, cycles_per_year=4)
        i = np.arange(9)
        income = 10 * (0.75 ** (i / 4) / 1.2 ** (i / 4)).sum()
        cost = 2 * (0.75 ** (i[:-1] / 4) / 1.2 ** ((i[:-1] + 0.5) / 4)).sum()
        assert quarters == pytest.approx(income - cost)
        two_years = retained_value(10, marketing_cost=2, **RATES, cycles=1, cycles_per_year=0.5)
        assert two_years == pytest.approx(10 + 10 * 0.75**2 / 1.2**2 - 2 / 1.2)

    def test_case_3_contributions_that_grow_and_level_off(self):
        rises = [10 + 2 * min(t, 3) ** 2 for t in range(6)]
        by_hand = sum(m * (0.75 / 1.2) ** t for t, m in enumerate(rises))
        assert retained_value(rises, marketing_cost=0, **RATES, cycles=5) == pytest.approx(by_hand)
        flat = retained_value([7] * 6, marketing_cost=3, **RATES, cycles=5)
        assert flat == pytest.approx(retained_value(7, marketing_cost=3, **RATES, cycles=5))

    def test_case_4_is_the_limit_of_ever_shorter_cycles(self):
        flow = continuous_value(100, **RATES, years=3)
        factor = np.log(1.2 / 0.75)
        assert flow == pytest.approx(100 * (1 - np.exp(-3 * factor)) / factor)
        daily = retained_value(100 / 5000, marketing_cost=0, **RATES, cycles=15_000, cycles_per_year=5000)
        assert daily == pytest.approx(flow, rel=1e-3)
        rising = continuous_value(lambda t: 10 * t**2, **RATES, years=2)
        assert rising == pytest.approx(quad(lambda t: 10 * t**2 * np.exp(-factor * t), 0, 2)[0])

    def test_case_5_customers_who_come_back_is_a_migration_chain(self):
        """Their recursion: who buys in period t is who bought in t - j, paused, and bought again."""
        p = [0.4, 0.2, 0.1]
        bought = [1.0]
        for t in range(1, 7):
            paused = [np.prod([1 - q for q in p[: j - 1]]) * p[j - 1] for j in range(1, 4)]
            bought.append(sum(bought[t - j] * paused[j - 1] for j in range(1, 4) if t >= j))
        by_hand = sum(50 * share / 1.2**t for t, share in enumerate(bought))
        chain = recency_transitions(p)
        value = migration_value(chain, [50, 0, 0, 0], rate_per_period=0.2, periods=6)
        assert value[1] == pytest.approx(by_hand)

    def test_without_an_end_it_is_a_very_long_life(self):
        long = retained_value(260, marketing_cost=50, **RATES, cycles=500, cycles_per_year=2)
        endless = retained_value(260, marketing_cost=50, **RATES, cycles=None, cycles_per_year=2)
        assert endless == pytest.approx(long)

    def test_refused(self):
        with pytest.raises(ConfigError, match="2 values for today and 5 renewals"):
            retained_value([1, 2], marketing_cost=0, **RATES, cycles=5)
        with pytest.raises(ConfigError, match="without an end"):
            retained_value([1, 2], marketing_cost=0, **RATES, cycles=None)
        with pytest.raises(ConfigError, match="expected none below 0"):
            retained_value(1, marketing_cost=0, **RATES, cycles=-1)
        with pytest.raises(ConfigError, match="without an end"):
            retained_value(1, marketing_cost=0, retention_probability=1, annual_discount_rate=0, cycles=None)


class TestFirmValue:
    def test_today_s_customers_and_those_to_come(self):
        today = customer_base_value(**FIRM)
        assert today == pytest.approx(100 * 10 * 2.5)
        grown = customer_base_value(**FIRM, new_customers=40, acquisition_cost=15, tax_rate=0.25)
        assert grown == pytest.approx(0.75 * (140 * 25 - 40 * 15))

    def test_quarters_are_the_sum_of_their_payments(self):
        quarter = np.arange(1, 2000) / 4
        by_hand = 1000 * (0.8**quarter / 1.12**quarter).sum()
        assert customer_base_value(**FIRM, periods_per_year=4) == pytest.approx(by_hand)

    def test_bass_flows_add_up_and_peak_where_they_say(self):
        growth = BassGrowth(innovation=0.01, imitation=0.4, market=1000)
        assert growth.customers(0) == 0
        assert growth.new_customers(periods=200).sum() == pytest.approx(1000)
        flow = np.gradient(growth.customers(np.arange(0, 30, 0.01)), 0.01)
        assert flow.argmax() * 0.01 == pytest.approx(growth.peak_period, abs=0.011)
        assert flow.max() == pytest.approx(growth.peak_customers, rel=1e-4)
        falling = BassGrowth(innovation=0.5, imitation=0.1, market=100)
        assert (falling.peak_period, falling.peak_customers) == (0, 50)
        assert (falling.new_customers(periods=20).diff().dropna() < 0).all()

    def test_refused(self):
        with pytest.raises(ConfigError, match="tax_rate 38: expected a share"):
            customer_base_value(**FIRM, tax_rate=38)
        with pytest.raises(ConfigError, match="new_customers -1"):
            customer_base_value(**FIRM, new_customers=-1)
        with pytest.raises(ConfigError, match="market 0; expected all above 0"):
            BassGrowth(innovation=0.01, imitation=0.4, market=0)
