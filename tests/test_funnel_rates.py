"""Intervals, tests and sizes against published tables and R."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_analysis.errors import DataError
from crm_analysis.funnel import (
    clopper_pearson,
    holm,
    newcombe,
    p_greater,
    ratio_interval,
    sample_size,
    score_test,
    smallest_visible_difference,
    wilson,
)
from crm_analysis.rates import level_of, normal_quantile, pooled_degrees, power, t_quantile, t_test


@pytest.mark.parametrize(("a", "b"), [((56, 70), (48, 80)), ((0, 10), (0, 20)), ((10, 10), (0, 20))])
def test_swapped_groups_mirror_the_interval(a, b):
    low, high = newcombe(*a, k_b=b[0], n_b=b[1])
    assert newcombe(*b, k_b=a[0], n_b=a[1]) == pytest.approx((-high, -low))


def test_holm_keeps_the_order_of_the_input():
    # By hand: sorted .01, .02, .04 times 3, 2, 1, and never below the one before.
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])


def test_size_and_power_belong_together():
    n = sample_size(0.30, 0.25)
    assert power(0.30, 0.25, n_a=n, n_b=n) == pytest.approx(0.8, abs=1e-6)
    visible = smallest_visible_difference(0.25, n_a=3000, n_b=3000)
    assert power(0.25 + visible, 0.25, n_a=3000, n_b=3000) == pytest.approx(0.8, abs=1e-6)
    assert sample_size(0.3, 0.3) == math.inf


def test_the_smallest_visible_difference_is_looked_for_downward_near_one():
    visible = smallest_visible_difference(0.99, n_a=200, n_b=200)
    assert power(0.99 - visible, 0.99, n_a=200, n_b=200) == pytest.approx(0.8, abs=1e-6)


def test_nothing_tried_is_nothing_known():
    assert wilson(0, n=0) == (0.0, 1.0)
    assert newcombe(0, 0, k_b=5, n_b=10) == pytest.approx((0.0 - wilson(5, n=10)[1], 1 - wilson(5, n=10)[0]))
    assert score_test(0, 0, k_b=5, n_b=10) == (0.0, 1.0)
    assert clopper_pearson(0, n=0) == (0.0, 1.0)
    assert ratio_interval(0, 0, k_b=5, n_b=10) == ratio_interval(0, 7, k_b=0, n_b=10) == (0.0, math.inf)
    assert p_greater(0, 0, k_b=0, n_b=0) == pytest.approx(0.5)
    assert smallest_visible_difference(0.5, n_a=0, n_b=10) == 1.0


def test_a_count_above_its_base_is_refused():
    for interval in (wilson, clopper_pearson):
        with pytest.raises(DataError, match="rate: 11 of 10; expected a count between 0 and 10"):
            interval(11, n=10)
    with pytest.raises(DataError, match=r"11 of 10 and 1 of 2 with prior \(1.0, 1.0\); expected counts"):
        p_greater(11, 10, k_b=1, n_b=2)
    with pytest.raises(DataError, match="a prior above 0"):
        p_greater(1, 10, k_b=1, n_b=2, prior=(0, 1))


@given(st.integers(0, 200), st.integers(1, 200), st.integers(0, 200), st.integers(1, 200))
def test_intervals_hold_their_estimates(k_a, n_a, k_b, n_b):
    k_a, k_b = min(k_a, n_a), min(k_b, n_b)
    low, high = wilson(k_a, n=n_a)
    assert 0 <= low <= k_a / n_a <= high <= 1
    low, high = newcombe(k_a, n_a, k_b=k_b, n_b=n_b)
    assert -1 <= low <= k_a / n_a - k_b / n_b <= high <= 1


def test_wilson_covers():
    rng = np.random.default_rng(3)
    drawn = rng.binomial(60, 0.2, 4000)
    inside = [low <= 0.2 <= high for low, high in (wilson(k, n=60) for k in drawn)]
    # The mean coverage of the interval is its level; at one n and p it moves by a few points.
    assert np.mean(inside) == pytest.approx(0.95, abs=0.02)


def test_few_degrees_of_freedom_ask_for_more():
    # Table of Student's t: 12.706 at 1 degree, 2.228 at 10; normal at infinity.
    assert t_quantile(0.95, df=1) == pytest.approx(12.706, abs=5e-4)
    assert t_quantile(0.95, df=10) == pytest.approx(2.228, abs=5e-4)
    assert t_quantile(0.95, df=math.inf) == normal_quantile(0.95)
    assert t_test(2.228139, df=10) == pytest.approx(0.05, abs=1e-6)
    assert t_test(1.959964, df=math.inf) == pytest.approx(0.05, abs=1e-6)
    assert level_of(normal_quantile(0.9)) == pytest.approx(0.9)


def test_degrees_of_freedom_of_a_sum():
    """Satterthwaite: two equal variances have both degrees, and one that is nothing adds none."""
    assert pooled_degrees([2.0, 2.0], [10, 10]) == pytest.approx(20)
    assert pooled_degrees([2.0, 0.0], [10, 3]) == pytest.approx(10)
    assert pooled_degrees([2.0, 1.0], [10, math.inf]) == pytest.approx(9 / 0.4)
    assert pooled_degrees([0.0, 0.0], [10, 10]) == math.inf


def test_a_prior_pulls_a_small_firm_to_its_history():
    flat = p_greater(3, 4, k_b=2, n_b=8)
    known = p_greater(3, 4, k_b=2, n_b=8, prior=(20.0, 30.0))
    assert 0.5 < known < flat < 1
    assert p_greater(2, 8, k_b=3, n_b=4) == pytest.approx(1 - flat)


def test_a_ratio_without_wins_has_one_open_end():
    low, high = ratio_interval(0, 40, k_b=8, n_b=40)
    assert (low, math.isfinite(high)) == (0.0, True)
    low, high = ratio_interval(8, 40, k_b=0, n_b=40)
    assert (low > 0, high) == (True, math.inf)
