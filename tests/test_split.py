"""The exact split of two products against published splits, and its identities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crm_analysis.errors import DataError
from crm_analysis.split import log_mean_split, range_over_orders, shapley_split

# A: 10000 > 3000 > 1500 > 600 > 240, B: 10000 > 3200 > 800 > 310 > 120, as leads and rates.
TOY_A = np.array([10000, 0.3, 0.5, 0.4, 0.4])
TOY_B = np.array([10000, 0.32, 0.25, 310 / 800, 120 / 310])

# Unit test of the R package LMDIR (Heun), tests/testthat/test_lmdi.R: rows are segments.
LMDIR_0 = np.array([[1, 10, 2], [4, 5, 3]])
LMDIR_T = np.array([[4, 5, 3], [5, 6, 4]])
LMDIR_Z = [[50.47438029, -25.23719014, 14.76280986], [19.31568569, 15.78206435, 24.90224996]]


def test_log_mean_split_as_published():
    parts = log_mean_split(LMDIR_T, LMDIR_0)
    assert parts == pytest.approx(np.array(LMDIR_Z), abs=5e-9)
    assert parts.sum(axis=0) == pytest.approx([69.79006598, -9.455125793, 39.66505981], abs=5e-9)


def test_a_zero_factor_takes_the_whole_difference_as_published():
    a, b = LMDIR_T.copy(), LMDIR_0.copy()
    b[0, 0] = 0
    assert log_mean_split(a, b)[0] == pytest.approx([60, 0, 0])
    a, b = LMDIR_T.copy(), LMDIR_0.copy()
    a[1, 2] = 0
    assert log_mean_split(a, b)[1] == pytest.approx([0, 0, -60])


def test_two_zero_factors_share_the_difference_and_two_empty_sides_have_none():
    assert log_mean_split([0, 0, 3], [2, 5, 4]) == pytest.approx([-20, -20, 0])
    assert log_mean_split([0, 2, 3], [2, 0, 4]) == pytest.approx([0, 0, 0])


def test_zero_rules_are_the_limit_of_ever_smaller_factors():
    a, b = np.array([0.0, 3.0, 2.0]), np.array([2.0, 5.0, 4.0])
    nearly = log_mean_split(np.array([1e-250, 3.0, 2.0]), b)
    # The other factors' parts vanish as 1 / ln of the small one: 40 ln(10 / 3) / (250 ln 10).
    assert nearly == pytest.approx(log_mean_split(a, b), abs=0.09)


@pytest.mark.parametrize(
    ("a", "b", "effects"),
    [
        # Das Gupta (1993), tables 2.1, 2.3, 2.5, 2.7; inputs as transcribed in the R package DasGuptR.
        ([16591, 0.825974], [10930, 0.717892], [4369.912713, 1487.262361]),
        (
            [84.90502, 0.75756, 0.51065],
            [51.78746, 0.45919, 0.52638],
            [10.434033, 10.560848, -0.667008],
        ),
        (
            [32.7, 0.29, 0.473, 0.986],
            [25.3, 0.214, 0.279, 0.949],
            [0.688941, 0.812538, 1.382906, 0.104755],
        ),
        (
            [0.72, 0.97, 0.97, 0.56, 16.158],
            [0.58, 0.76, 0.84, 0.66, 16.573],
            [1.090978, 1.229844, 0.72784, -0.839871, -0.129019],
        ),
    ],
)
def test_shapley_split_as_published(a, b, effects):
    assert shapley_split(np.array(a), np.array(b)) == pytest.approx(
        effects, abs=5e-7 * max(1, effects[0] > 99)
    )


def test_splits_of_the_toy_funnel():
    assert log_mean_split(TOY_A, TOY_B) == pytest.approx([0, -11.173129, 120, 5.496443, 5.676686], abs=1e-6)
    assert shapley_split(TOY_A, TOY_B) == pytest.approx(
        [0, -11.664651, 120.0625, 5.707661, 5.894489], abs=1e-6
    )
    lowest, highest = range_over_orders(TOY_A, TOY_B)
    assert lowest == pytest.approx([0, -16, 112.5, 3.629032, 3.75], abs=1e-6)
    assert highest == pytest.approx([0, -7.5, 128, 8, 8.258065], abs=1e-6)


def test_pipeline_velocity_split():
    """Velocity is n * value * rate / days: 2777.78 against 2000 a day, split over its four factors."""
    a, b = np.array([40, 25000, 0.25, 1 / 90]), np.array([50, 20000, 0.2, 1 / 100])
    assert log_mean_split(a, b) == pytest.approx([-528.3225, 528.3225, 528.3225, 249.4553], abs=5e-5)


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
