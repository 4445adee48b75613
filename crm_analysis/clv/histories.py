"""What a purchase model sees of a customer: n_repeat, t_last and t_observed (the papers' x, t_x and T).

Customer tables are in whole days; a model has a unit of its own ("7D") and sees times in it. Customers
with the same three integers are one row with a count: a likelihood costs what the distinct rows cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from crm_analysis.clv.families import check_setting
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
    n_repeat, t_last, t_observed = _checked(customers)
    days = unit_days(unit)
    return Histories(n_repeat.astype(float), t_last / days, t_observed / days, customer_weights(customers))


def distinct_histories(customers: pd.DataFrame) -> tuple[pd.DataFrame, IntArray]:
    """Distinct rows of (n_repeat, t_last, t_observed) with `n_customers`, and the row of every customer.

    A table counted elsewhere, with its own column `n_customers`, keeps its counts. Rows are sorted by
    n_repeat, then t_observed, then t_last.
    """
    histories = _checked(customers)
    packing = _Packing.of(histories)
    distinct, row = _distinct(packing.pack(histories), packing.size)
    counts = np.bincount(row, _weights(customers), minlength=len(distinct))
    columns = dict(zip(COLUMNS, packing.unpack(distinct), strict=True))
    return pd.DataFrame({**columns, "n_customers": counts.astype(float)}), row


def find_histories(distinct: pd.DataFrame, customers: pd.DataFrame) -> IntArray:
    """Row of `distinct_histories` that is the history of each customer.

    Raises
    ------
    DataError
        A customer's history is impossible, or not among them.
    """
    known, wanted = _checked(distinct), _checked(customers)
    if not len(distinct):
        return np.zeros(0, dtype=np.int64)
    packing = _Packing.of(known)
    keys = packing.pack(known)
    row = np.minimum(np.searchsorted(keys, packing.pack(wanted)), len(keys) - 1)
    new = np.any([a[row] != b for a, b in zip(known, wanted, strict=True)], axis=0)
    if new.any():
        raise DataError("histories: " + _counted(customers, new, "not among those counted"))
    return row


@dataclass(frozen=True)
class _Packing:
    """Histories as single numbers, in the order of n_repeat, t_observed, t_last."""

    since: int
    ends: int
    lasts: int
    size: int

    @classmethod
    def of(cls, histories: tuple[IntArray, IntArray, IntArray]) -> _Packing:
        n_repeat, t_last, t_observed = histories
        since = int(t_observed.min()) if len(t_observed) else 0
        lasts, ends = int(t_last.max(initial=0)) + 1, int(t_observed.max(initial=0)) + 1 - since
        size = (int(n_repeat.max(initial=0)) + 1) * ends * lasts
        if size > np.iinfo(np.int64).max:
            raise DataError(
                f"customers: n_repeat up to {n_repeat.max():,} and t_observed up to {t_observed.max():,} are "
                "too large for purchases and days; expected purchase days, and times in whole days"
            )
        return cls(since, ends, lasts, size)

    def pack(self, histories: tuple[IntArray, IntArray, IntArray]) -> IntArray:
        n_repeat, t_last, t_observed = histories
        return (n_repeat * self.ends + (t_observed - self.since)) * self.lasts + t_last

    def unpack(self, keys: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        pairs, t_last = np.divmod(keys, self.lasts)
        return pairs // self.ends, t_last, pairs % self.ends + self.since


def _distinct(keys: IntArray, size: int) -> tuple[IntArray, IntArray]:
    """Sorted distinct values of `keys`, all in 0 .. size - 1, and the place of every key among them.

    As np.unique, which sorts twice; where the keys are dense nothing is sorted.
    """
    if size <= 10 * len(keys):
        seen = np.zeros(size, dtype=bool)
        seen[keys] = True
        rank = np.cumsum(seen, dtype=np.int32) - 1
        return np.flatnonzero(seen), rank[keys].astype(np.int64)
    order = np.argsort(keys)
    ordered = keys[order]
    first = np.ones(len(keys), dtype=bool)
    first[1:] = ordered[1:] != ordered[:-1]
    row = np.empty(len(keys), dtype=np.int64)
    row[order] = np.cumsum(first) - 1
    return ordered[first], row


def customer_weights(customers: pd.DataFrame) -> FloatArray:
    """Customers that each row stands for: its n_customers, else one."""
    weights = _weights(customers)
    return np.ones(len(customers)) if weights is None else weights


def _weights(customers: pd.DataFrame) -> FloatArray | None:
    """Customers per row; None where every row is one."""
    if "n_customers" not in customers:
        return None
    weights = customers["n_customers"].to_numpy(float)
    bad = ~((weights >= 0) & (weights < np.inf))
    if bad.any():
        row = int(bad.argmax())
        raise DataError(
            f"customers: n_customers {weights[row]} in {bad.sum()} of {len(weights)} rows, first row "
            f"{customers.index[row]!r}; expected how many customers share the history"
        )
    return weights


def check_histories(customers: pd.DataFrame) -> FloatArray:
    """Return n_repeat, t_last and t_observed as rows, in days, once every history in them is possible.

    Raises
    ------
    DataError
        A column is missing; where the columns are those of another setting, the models for it are named. Or
        naming each problem with its count and its first customer: a value is missing, negative or not a whole
        number of days, or the three contradict each other.
    """
    return np.stack([values.astype(float) for values in _checked(customers)])


def _checked(customers: pd.DataFrame) -> tuple[IntArray, IntArray, IntArray]:
    """Return the three as whole numbers; only where something is wrong is it searched for what."""
    check_setting(customers.columns, wanted="purchases")
    n_repeat, t_last, t_observed = (_whole(customers[name]) for name in COLUMNS)
    possible = (n_repeat >= 0) & (t_last >= 0) & (t_last <= t_observed) & ((n_repeat > 0) == (t_last > 0))
    if not possible.all():
        raise DataError("customers: " + "; ".join(_problems(customers)))
    return n_repeat, t_last, t_observed


def _whole(column: pd.Series) -> IntArray:
    """Values as integers, -1 where one is missing or not whole."""
    values = column.to_numpy() if column.dtype.kind in "iu" else column.to_numpy(float)
    with np.errstate(invalid="ignore"):
        whole: IntArray = values.astype(np.int64, copy=False)
    return whole if whole is values else np.where(whole == values, whole, -1)


def _problems(customers: pd.DataFrame) -> list[str]:
    values = np.stack([customers[name].to_numpy(float) for name in COLUMNS])
    return [_counted(customers, bad, what) for what, bad in _impossible(values).items() if bad.any()]


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
