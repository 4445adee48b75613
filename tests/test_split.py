"""The exact split of two products against published splits, and its identities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crm_analysis.errors import DataError
from crm_analysis.split import log_mean_split, range_over_orders, shapley_split


def test_two_zero_factors_share_the_difference_and_two_empty_sides_have_none():
    assert log_mean_split([0, 0, 3], [2, 5, 4]) == pytest.approx([-20, -20, 0])
    assert log_mean_split([0, 2, 3], [2, 0, 4]) == pytest.approx([0, 0, 0])


def test_zero_rules_are_the_limit_of_ever_smaller_factors():
    a, b = np.array([0.0, 3.0, 2.0]), np.array([2.0, 5.0, 4.0])
    nearly = log_mean_split(np.array([1e-250, 3.0, 2.0]), b)
    # The other factors' parts vanish as 1 / ln of the small one: 40 ln(10 / 3) / (250 ln 10).
    assert nearly == pytest.approx(log_mean_split(a, b), abs=0.09)


positive = arrays(float, 5, elements=st.floats(1e-3, 1e3))
any_factor = arrays(float, 4, elements=st.one_of(st.just(0.0), st.floats(1e-3, 1e3)))


@given(positive, positive)
def test_parts_add_up_and_swapping_flips_every_sign(a, b):
    gap = a.prod() - b.prod()
    size = max(a.prod(), b.prod())
    for split in (log_mean_split, shapley_split):
        parts = split(a, b)
        scale = max(size, np.abs(parts).max())
        assert parts.sum() == pytest.approx(gap, abs=1e-9 * scale)
        assert split(b, a) == pytest.approx(-parts, abs=1e-12 * scale)


@given(any_factor, any_factor)
def test_zeros_leave_everything_finite_and_exact(a, b):
    for split in (log_mean_split, shapley_split):
        parts = split(a, b)
        assert np.isfinite(parts).all()
        assert parts.sum() == pytest.approx(
            a.prod() - b.prod(), rel=1e-9, abs=1e-9 * max(1, np.abs(parts).max())
        )


@given(positive)
def test_equal_factors_have_no_part(a):
    b = a.copy()
    b[2] *= 1.7
    parts = log_mean_split(a, b)
    assert parts[[0, 1, 3, 4]] == pytest.approx(0)
    assert parts[2] == pytest.approx(a.prod() - b.prod(), rel=1e-9)
    assert log_mean_split(a, a) == pytest.approx(0)


@given(positive, positive)
def test_the_average_lies_within_the_orders(a, b):
    lowest, highest = range_over_orders(a, b)
    parts, slack = shapley_split(a, b), 1e-9 * max(a.prod(), b.prod(), np.abs(highest).max())
    assert (lowest - slack <= parts).all()
    assert (parts <= highest + slack).all()


@given(positive, positive, st.floats(1e-3, 1e3))
def test_the_unit_of_a_factor_only_scales_the_parts(a, b, unit):
    scale = np.array([unit, 1, 1, 1, 1])
    assert log_mean_split(a * scale, b * scale) == pytest.approx(
        unit * log_mean_split(a, b), rel=1e-6, abs=1e-9
    )


def test_nearly_equal_products_lose_no_digits():
    b = np.array([3.0, 0.2, 0.7])
    a = b * np.array([1 + 1e-9, 1, 1])
    assert log_mean_split(a, b)[0] == pytest.approx(0.42e-9, rel=1e-6)


def test_too_many_factors_are_refused():
    with pytest.raises(DataError, match="15 factors; expected at most 14, so merge stages"):
        shapley_split(np.ones(15), np.ones(15))
