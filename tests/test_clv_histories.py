"""Purchase histories: counted once each, in days, and refused where they cannot have happened."""

import numpy as np
import pandas as pd
import pytest

from crm_analysis.clv.histories import COLUMNS, distinct_histories, purchase_histories
from crm_analysis.errors import DataError


def histories(n: int, *, longest: int, most: int, seed: int = 1) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    t_observed = generator.integers(longest // 2, longest, n)
    n_repeat = generator.integers(0, most, n)
    t_last = np.where(n_repeat > 0, np.ceil(t_observed * generator.random(n)).clip(1), 0).astype(int)
    return pd.DataFrame({"n_repeat": n_repeat, "t_last": t_last, "t_observed": t_observed})


# Dense keys are counted in a table of all that are possible, sparse ones are sorted.
@pytest.mark.parametrize(("longest", "most"), [(10, 3), (2_000, 4), (50_000, 900)], ids=str)
def test_every_customer_finds_their_own_history_and_counts_add_up(longest, most):
    customers = histories(5_000, longest=longest, most=most)
    distinct, row = distinct_histories(customers)
    pd.testing.assert_frame_equal(distinct[COLUMNS].iloc[row].reset_index(drop=True), customers)
    by_pandas = customers.groupby(COLUMNS).size().rename("n_customers").astype(float).reset_index()
    by_pandas = by_pandas.sort_values(["n_repeat", "t_observed", "t_last"], ignore_index=True)
    pd.testing.assert_frame_equal(distinct, by_pandas[distinct.columns])


def test_counts_taken_elsewhere_are_kept():
    customers = histories(500, longest=30, most=3).assign(n_customers=np.arange(500.0))
    distinct, row = distinct_histories(customers)
    assert distinct["n_customers"].sum() == customers["n_customers"].sum()
    first = customers[row == 0]["n_customers"].sum()
    assert distinct["n_customers"].iloc[0] == first


def test_types_of_numbers_change_nothing():
    customers = histories(300, longest=40, most=5)
    expected, row = distinct_histories(customers)
    for kind in ("float64", "int32", "uint16", "Int64"):
        found, same = distinct_histories(customers.astype(kind))
        pd.testing.assert_frame_equal(found, expected)
        np.testing.assert_array_equal(same, row)


def test_no_customers_have_no_histories():
    distinct, row = distinct_histories(histories(0, longest=10, most=2))
    assert (len(distinct), len(row)) == (0, 0)


def test_a_model_sees_days_in_its_own_unit():
    customers = histories(10, longest=300, most=4)
    weeks = purchase_histories(customers, unit="7D")
    np.testing.assert_allclose(7 * weeks.t_last, customers["t_last"])
    np.testing.assert_allclose(7 * weeks.t_observed, customers["t_observed"])
    np.testing.assert_array_equal(weeks.n_repeat, customers["n_repeat"])
    assert (weeks.n_customers == 1).all()


WRONG = {
    "a missing value": {"t_last": [np.nan, 5]},
    "a negative value": {"n_repeat": [-1, 2]},
    r"not whole \(customer tables are in days": {"t_observed": [9.5, 10]},
    "t_last exceeds t_observed": {"t_last": [11, 5]},
    "t_last is 0 although n_repeat is not": {"t_last": [0, 5]},
    "n_repeat is 0 although t_last is not": {"n_repeat": [0, 2]},
}


@pytest.mark.parametrize(("message", "change"), WRONG.items(), ids=WRONG)
def test_refuses_histories_that_cannot_have_happened(message, change):
    good = pd.DataFrame({"n_repeat": [1, 2], "t_last": [3, 5], "t_observed": [10, 10]}, ["a", "b"])
    for read in (distinct_histories, lambda table: purchase_histories(table, unit="7D")):
        with pytest.raises(DataError, match=f"{message}.* in 1 of 2 rows, first customer 'a'"):
            read(good.assign(**change))


def test_all_problems_are_named_at_once():
    bad = pd.DataFrame({"n_repeat": [1, -2], "t_last": [30, 5], "t_observed": [10, 10]})
    with pytest.raises(DataError, match=r"negative value.*; t_last exceeds t_observed"):
        distinct_histories(bad)


def test_refuses_counts_that_are_none():
    customers = histories(3, longest=10, most=2).assign(n_customers=[1, np.nan, -1])
    with pytest.raises(DataError, match="n_customers nan in 2 of 3 rows, first row 1"):
        distinct_histories(customers)


def test_refuses_times_that_are_no_days():
    late = 2 * 10**9
    moments = pd.DataFrame({"n_repeat": [0, 9], "t_last": [0, late], "t_observed": [0, late]})
    with pytest.raises(DataError, match=r"t_observed up to 2,000,000,000 are too large .* whole days"):
        distinct_histories(moments)
