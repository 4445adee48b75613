"""Whale curve, 80/20/30, concentration: fixtures with known answers, identities, refusals."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis import base
from crm_analysis.errors import ConfigError, DataError

# Ten customers made so that Sherden's sentence holds to the letter.
SHERDEN = pd.Series([520, 360, 90, 60, 40, 20, 10, -90, -160, -190], index=list("abcdefghij"))
# Hardie's teaching data: number of people who bought 0 .. 5 units.
UNITS = pd.Series(np.repeat([0, 1, 2, 3, 4, 5], [70, 45, 25, 15, 10, 5]))

profits = st.lists(st.integers(-500, 1000), min_size=1, max_size=40).filter(lambda x: sum(x) > 0)


class TestRule:
    def test_sherden(self):
        rule = base.rule_80_20_30(SHERDEN)
        assert (rule.n_customers, rule.n_top, rule.n_bottom) == (10, 2, 3)
        assert rule.gross_profit == 1100
        assert rule.top_profit == 880
        assert rule.top_share_of_gross == pytest.approx(0.80, rel=1e-12)
        assert rule.bottom_profit == -440
        assert rule.lost_share_of_top == 0.5
        assert rule.share_making_80 == 0.2
        assert rule.share_losing == 0.3

    def test_nothing_lost(self):
        rule = base.rule_80_20_30(pd.Series([10.0, 10, 10, 10, 10]))
        assert rule.lost_share_of_top == 0
        assert rule.bottom_profit == 20
        assert rule.top_share_of_gross == pytest.approx(0.2)
        assert rule.share_making_80 == 0.8

    def test_top_customers_who_lose_earn_nothing(self):
        rule = base.rule_80_20_30(pd.Series([10.0, -30, -30, -30]), top=0.5, bottom=0.5)
        assert (rule.top_profit, rule.top_share_of_gross, rule.lost_share_of_top) == (10, 1, 6)

    @settings(max_examples=50, deadline=None)
    @given(values=profits, factor=st.sampled_from([0.01, 2.0, 1000.0]))
    def test_currency_does_not_matter(self, values, factor):
        here, there = base.rule_80_20_30(pd.Series(values)), base.rule_80_20_30(pd.Series(values) * factor)
        for name in ("top_share_of_gross", "lost_share_of_top", "share_making_80", "share_losing"):
            assert getattr(here, name) == pytest.approx(getattr(there, name))


class TestWhaleCurve:
    def test_sherden(self):
        curve = base.whale_curve(SHERDEN.sample(frac=1, random_state=1))
        assert curve.total == 660
        assert curve.peak == pytest.approx(1100 / 660, rel=1e-12)
        assert curve.customers_at_peak == pytest.approx(0.7)
        assert curve.loss_pool == pytest.approx(440 / 660)
        assert curve.table["profit"].tolist() == SHERDEN.tolist()
        assert curve.table.index.tolist() == list("abcdefghij")
        assert curve.table["cumulative_profit"].tolist() == [
            520,
            880,
            970,
            1030,
            1070,
            1090,
            1100,
            1010,
            850,
            660,
        ]
        assert curve.table.loc["b", ["rank", "share_of_customers"]].tolist() == [2, 0.2]

    def test_index_by_hand(self):
        # Curve 0, 1.5, 1 over two customers: area (0 + 1.5)/2 * .5 + (1.5 + 1)/2 * .5 = 1.
        assert base.whale_curve(pd.Series([3.0, -1.0])).stobachoff == pytest.approx(0.5)
        assert base.whale_curve(pd.Series([7.0] * 9)).stobachoff == pytest.approx(0, abs=1e-12)

    @settings(max_examples=50, deadline=None)
    @given(values=profits)
    def test_ends_at_one_and_peaks_where_losses_begin(self, values):
        curve = base.whale_curve(pd.Series(values))
        assert curve.table["share_of_total"].iloc[-1] == pytest.approx(1)
        assert curve.peak == pytest.approx(sum(v for v in values if v > 0) / sum(values))
        assert curve.customers_at_peak == pytest.approx(sum(v > 0 for v in values) / len(values))
        assert 0 <= curve.stobachoff + 1e-12 < 1


class TestConcentration:
    def test_hardie(self):
        buyers = base.concentration(UNITS[UNITS > 0])
        assert buyers.table.loc[0.2, "amount"] == 80
        assert buyers.table.loc[0.2, "share_of_total"] == pytest.approx(0.390, abs=0.0005)
        assert buyers.gini == pytest.approx(0.3085, abs=0.00005)
        assert base.concentration(UNITS).gini == pytest.approx(0.5933, abs=0.00005)

    def test_all_alike_and_one_alone(self):
        alike, alone = base.concentration(pd.Series([5.0] * 4)), base.concentration(pd.Series([9.0, 0, 0, 0]))
        assert (alike.gini, alike.hhi) == (0, 0.25)
        assert (alone.gini, alone.hhi) == (0.75, 1)

    def test_shares_are_rounded_up_and_not_by_the_last_digit(self):
        table = base.concentration(pd.Series(range(1, 11)), top_shares=[0.3, 0.31]).table
        assert table["n_customers"].tolist() == [3, 4]
        assert base.concentration(pd.Series(range(1, 101)), top_shares=[0.07]).table[
            "n_customers"
        ].tolist() == [7]


class TestRefused:
    @pytest.mark.parametrize("function", [base.whale_curve, base.rule_80_20_30, base.concentration])
    def test_gaps_nobody_and_no_profit(self, function):
        with pytest.raises(DataError, match="1 of 2 customers have no figure"):
            function(pd.Series([1.0, np.nan]))
        with pytest.raises(DataError, match="no customers"):
            function(pd.Series([], dtype=float))
        with pytest.raises(DataError, match=r"is (-5|0)\.00 in all"):
            function(pd.Series([-5.0]))

    def test_share_in_percent(self):
        with pytest.raises(ConfigError, match="share of customers 20: expected above 0 and at most 1"):
            base.rule_80_20_30(SHERDEN, top=20)
