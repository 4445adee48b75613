"""What a purchase model sees of a customer: n_repeat, t_last and t_observed (the papers' x, t_x and T).

Customer tables are in whole days; a model has a unit of its own ("7D") and sees times in it. Customers
with the same three integers are one row with a count: a likelihood costs what the distinct rows cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from crm_analysis.clv.units import unit_days
from crm_analysis.errors import DataError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

COLUMNS = ["n_repeat", "t_last", "t_observed"]


@dataclass(frozen=True)
class Histories:
    """Purchase histories, times in a model's unit; `n_customers` counts who shares each."""

    n_repeat: FloatArray
    t_last: FloatArray
    t_observed: FloatArray
    n_customers: FloatArray

    def take(self, rows: IntArray | slice) -> Histories:
        """The histories at these positions."""
        columns = (self.n_repeat, self.t_last, self.t_observed, self.n_customers)
        return Histories(*(column[rows] for column in columns))


def purchase_histories(customers: pd.DataFrame, *, unit: str) -> Histories:
    """One history per row of `customers` (or per distinct row, with its `n_customers`), times in `unit`."""
    n_repeat, t_last, t_observed = check_histories(customers)
    days = unit_days(unit)
    return Histories(n_repeat, t_last / days, t_observed / days, _weights(customers))


def distinct_histories(customers: pd.DataFrame) -> tuple[pd.DataFrame, IntArray]:
    """Distinct rows of (n_repeat, t_last, t_observed) with `n_customers`, and the row of every customer.

    A table counted elsewhere, with its own column `n_customers`, keeps its counts.
    """
    n_repeat, t_last, t_observed = check_histories(customers).astype(np.int64)
    base = int(t_observed.max(initial=0)) + 1
    packed = (n_repeat * base + t_last) * base + t_observed
    distinct, row = np.unique(packed, return_inverse=True)
    table = {
        "n_repeat": distinct // base**2,
        "t_last": distinct // base % base,
        "t_observed": distinct % base,
        "n_customers": np.bincount(row, _weights(customers), minlength=len(distinct)),
    }
    return pd.DataFrame(table), row


def _weights(customers: pd.DataFrame) -> FloatArray:
    return customers["n_customers"].to_numpy(float) if "n_customers" in customers else np.ones(len(customers))


def weighted_sum(histories: Histories, values: FloatArray) -> float:
    """Sum over customers of what each history contributes.

    Not a matrix product: BLAS would start threads for a millisecond of work, and its sums depend on how many.
    """
    return float((histories.n_customers * values).sum())


def check_histories(customers: pd.DataFrame) -> FloatArray:
    """Return n_repeat, t_last and t_observed as rows, in days, once every history in them is possible.

    Raises
    ------
    DataError
        Naming each problem with its count and its first customer: a column is missing, a value is
        missing, negative or not a whole number of days, or the three contradict each other.
    """
    if missing := [name for name in COLUMNS if name not in customers]:
        raise DataError(f"customers: no column {missing}; columns present: {list(customers.columns)}")
    values = np.stack([customers[name].to_numpy(float) for name in COLUMNS])
    problems = [_counted(customers, bad, what) for what, bad in _impossible(values).items() if bad.any()]
    if problems:
        raise DataError("customers: " + "; ".join(problems))
    return values


def _impossible(values: FloatArray) -> dict[str, BoolArray]:
    n_repeat, t_last, t_observed = values
    finite = np.isfinite(values).all(axis=0)
    whole = ~finite | (values == np.round(values)).all(axis=0)
    return {
        "a missing value among n_repeat, t_last, t_observed": ~finite,
        "a negative value among n_repeat, t_last, t_observed": (values < 0).any(axis=0),
        "n_repeat, t_last or t_observed not whole (customer tables are in days: multiply weeks by 7)": ~whole,
        "t_last exceeds t_observed": t_last > t_observed,
        "t_last is 0 although n_repeat is not": (n_repeat > 0) & (t_last == 0),
        "n_repeat is 0 although t_last is not": (n_repeat == 0) & (t_last > 0),
    }


def _counted(customers: pd.DataFrame, bad: BoolArray, what: str) -> str:
    first = int(bad.argmax())
    row = ", ".join(f"{name} {customers[name].iloc[first]}" for name in COLUMNS)
    return f"{what} in {bad.sum()} of {len(customers)} rows, first customer {customers.index[first]!r}: {row}"
