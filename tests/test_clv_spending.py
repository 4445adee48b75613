"""Spending on winning and on keeping: the optimum against a search, Pfeifer's identity, refusals."""

import numpy as np
import pytest
from scipy.optimize import minimize

from crm_analysis.clv.plans.spending import (
    ResponseCurve,
    best_spending,
    response_curve,
    spending_curve,
    spending_value,
)
from crm_analysis.errors import ConfigError

WIN, KEEP = response_curve((5, 0.2), ceiling=0.4), response_curve((10, 0.4), ceiling=0.7)
CASE = {"acquisition": WIN, "retention": KEEP, "margin": 50, "annual_discount_rate": 0.2}


class TestCurve:
    def test_passes_through_what_is_known(self):
        assert WIN.rate(0) == 0
        assert WIN.rate(5) == pytest.approx(0.2)
        assert WIN.rate(1e4) == pytest.approx(0.4)

    def test_two_points_find_the_ceiling(self):
        again = response_curve((12, WIN.rate(12)), (5, WIN.rate(5)))
        assert (again.ceiling, again.steepness) == pytest.approx((WIN.ceiling, WIN.steepness))

    def test_marginal_cost_is_the_slope_and_turned_back(self):
        slope = (WIN.rate(7.001) - WIN.rate(6.999)) / 0.002
        assert WIN.marginal_cost(7) == pytest.approx(1 / slope, rel=1e-6)
        assert WIN.spend_at(WIN.marginal_cost(7)) == pytest.approx(7)
        assert WIN.spend_at(WIN.marginal_cost(0) / 2) == 0


class TestOptimum:
    def test_no_other_spending_is_worth_more(self):
        found = best_spending(**CASE)
        searched = minimize(
            lambda s: -spending_value(**CASE, acquisition_spend=s[0], retention_spend=s[1]).customer_equity,
            [5, 10],
            method="Nelder-Mead",
            options={"xatol": 1e-7, "fatol": 1e-10},
        )
        assert found.customer_equity == pytest.approx(-searched.fun, rel=1e-8)
        assert found.table["spend"].tolist() == pytest.approx(searched.x.tolist(), rel=1e-4)

    @pytest.mark.parametrize("margin", [20, 50, 400])
    @pytest.mark.parametrize("rate", [0.05, 0.2])
    def test_the_last_customer_won_and_kept_cost_what_a_customer_is_worth(self, margin, rate):
        """Pfeifer (2005)."""
        found = best_spending(**CASE | {"margin": margin, "annual_discount_rate": rate})
        assert found.table["marginal_cost"].tolist() == pytest.approx([found.clv] * 2)

    def test_value_is_the_sum_over_the_years(self):
        plan = spending_value(**CASE, acquisition_spend=5, retention_spend=10)
        kept, years = KEEP.rate(10), np.arange(1, 400)
        by_hand = 50 + ((50 * kept - 10) * kept ** (years - 1) / 1.2**years).sum()
        assert plan.clv == pytest.approx(by_hand)
        assert plan.customer_equity == pytest.approx(0.2 * by_hand - 5)

    def test_the_published_form_of_the_value(self):
        """Blattberg & Deighton write a m - A + a (m - R / r) r' / (1 - r'), r' = r / (1 + d)."""
        plan = spending_value(**CASE, acquisition_spend=4, retention_spend=12)
        won, kept = WIN.rate(4), KEEP.rate(12)
        after = kept / 1.2
        form = won * 50 - 4 + won * (50 - 12 / kept) * after / (1 - after)
        assert plan.customer_equity == pytest.approx(form)

    def test_where_keeping_costs_more_than_it_brings_nothing_is_spent(self):
        dear = ResponseCurve(0.7, 0.001)
        found = best_spending(**CASE | {"retention": dear, "acquisition": dear})
        assert found.table["spend"].tolist() == [0, 0]
        assert (found.clv, found.customer_equity) == (50, 0)

    def test_the_curve_peaks_at_the_optimum(self):
        best = best_spending(**CASE).table.loc["retention", "spend"]
        curve = spending_curve(
            retention=KEEP, margin=50, annual_discount_rate=0.2, spends=[best - 1, best, best + 1]
        )
        assert curve["clv"].idxmax() == best


def test_refused():
    with pytest.raises(ConfigError, match=r"expected one .spend, rate. with a ceiling or two without"):
        response_curve((5, 0.2))
    with pytest.raises(ConfigError, match=r"rate 0\.5 reaches the ceiling 0\.4"):
        response_curve((5, 0.5), ceiling=0.4)
    with pytest.raises(ConfigError, match="show no falling returns"):
        response_curve((5, 0.1), (10, 0.3))
    with pytest.raises(ConfigError, match="margin 0; expected one above 0"):
        best_spending(**CASE | {"margin": 0})
    with pytest.raises(ConfigError, match="ceiling 40"):
        ResponseCurve(40, 0.1)
