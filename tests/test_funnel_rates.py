"""Intervals, tests and sizes against published tables and R."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_analysis.errors import DataError
from crm_analysis.funnel import (
    holm,
    newcombe,
    sample_size,
    score_test,
    smallest_visible_difference,
    wilson,
)
from crm_analysis.rates import power


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        # Newcombe (1998), Statistics in Medicine 17:857, Table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_as_published(k, n, low, high):
    assert wilson(k, n=n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("a", "b", "low", "high"),
    [
        # Newcombe (1998), Statistics in Medicine 17:873, Table II, method 10.
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_newcombe_as_published(a, b, low, high):
    assert newcombe(*a, k_b=b[0], n_b=b[1]) == pytest.approx((low, high), abs=5e-5)
    # Swapped groups mirror the interval.
    assert newcombe(*b, k_b=a[0], n_b=a[1]) == pytest.approx((-high, -low), abs=5e-5)


def test_score_test_as_in_r():
    """R: prop.test(c(56, 48), c(70, 80), correct = FALSE)."""
    z, p = score_test(56, 70, k_b=48, n_b=80)
    assert z**2 == pytest.approx(7.023411, abs=5e-7)
    assert p == pytest.approx(0.00804508, abs=5e-9)


def test_holm_rejects_as_published():
    """Benjamini & Hochberg (1995), JRSS B 57:289, section 3.2: Holm rejects three of fifteen."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719]
    p += [0.6528, 0.759, 1.0]
    assert (holm(p) <= 0.05).sum() == 3


def test_holm_keeps_the_order_of_the_input():
    # By hand: sorted .01, .02, .04 times 3, 2, 1, and never below the one before.
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])


def test_size_and_power_as_in_r():
    """R: power.prop.test(p1 = .25, p2 = .3, power = .8) and (n = 3000, p1 = .25, power = .8)."""
    assert sample_size(0.30, 0.25) == pytest.approx(1250.717, abs=5e-3)
    assert power(0.30, 0.25, n_a=1250.717, n_b=1250.717) == pytest.approx(0.8, abs=1e-6)
    # R's root is found to 1e-4 of the rate; ours has the wanted power to 1e-6.
    visible = smallest_visible_difference(0.25, n_a=3000, n_b=3000)
    assert 0.25 + visible == pytest.approx(0.2819487, abs=2e-5)
    assert power(0.25 + visible, 0.25, n_a=3000, n_b=3000) == pytest.approx(0.8, abs=1e-6)
    assert sample_size(0.3, 0.3) == math.inf


def test_the_smallest_visible_difference_is_looked_for_downward_near_one():
    visible = smallest_visible_difference(0.99, n_a=200, n_b=200)
    assert power(0.99 - visible, 0.99, n_a=200, n_b=200) == pytest.approx(0.8, abs=1e-6)


def test_nothing_tried_is_nothing_known():
    assert wilson(0, n=0) == (0.0, 1.0)
    assert newcombe(0, 0, k_b=5, n_b=10) == pytest.approx((0.0 - wilson(5, n=10)[1], 1 - wilson(5, n=10)[0]))
    assert score_test(0, 0, k_b=5, n_b=10) == (0.0, 1.0)
    assert smallest_visible_difference(0.5, n_a=0, n_b=10) == 1.0


def test_a_count_above_its_base_is_refused():
    with pytest.raises(DataError, match="rate: 11 of 10; expected a count between 0 and 10"):
        wilson(11, n=10)


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
