"""Customers who can buy only at fixed occasions: a yearly appeal, a weekly market, a race.

What a model sees of a customer: n_repeat (at how many occasions after the first purchase the customer
bought), last_opportunity (the number of the last of them, 0 without one) and n_opportunities (how many there
were): the papers' x, t_x and n. The occasion of the first purchase is number 0 and counts for none of them.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import pandas as pd

from crm_analysis.clv.families import SETTINGS, check_setting
from crm_analysis.clv.histories import (
    BoolArray,
    Histories,
    IntArray,
    distinct_histories,
    purchase_histories,
)
from crm_analysis.clv.steps import step_of
from crm_analysis.errors import ConfigError, DataError

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from crm_analysis.doors.transactions import Transactions

COLUMNS = SETTINGS["opportunities"].columns
TIMES = ("n_repeat", "t_last", "t_observed")


def opportunities_of(incidence: pd.DataFrame) -> pd.DataFrame:
    """Count what each customer did from a table of who bought when.

    Parameters
    ----------
    incidence : one row per customer, one column per occasion in order; 1 or True where the customer bought, 0
        or False where not; missing where the occasion was not one for the customer (not yet held, say), at
        the end of a row only.

    Returns
    -------
    DataFrame with the index of `incidence`: n_repeat, last_opportunity, n_opportunities, all counted from the
    customer's first purchase. Rows without a purchase are no customers and are left out.

    Raises
    ------
    DataError
        A value is neither 0 nor 1, or one is missing before the end of a row.
    """
    bought = incidence.to_numpy(float)
    seen = ~np.isnan(bought)
    if not np.isin(bought[seen], (0, 1)).all():
        raise DataError(
            "incidence: expected 0 or 1 in every cell: bought on the occasion or not, not how often"
        )
    if (seen[:, 1:] & ~seen[:, :-1]).any():
        first = incidence.index[(seen[:, 1:] & ~seen[:, :-1]).any(axis=1)][0]
        raise DataError(f"incidence: a missing occasion lies between others, first customer {first!r}")
    made = np.where(seen, bought, 0.0) > 0
    first_at, last_at = made.argmax(axis=1), made.shape[1] - 1 - made[:, ::-1].argmax(axis=1)
    table = {
        "n_repeat": made.sum(axis=1) - 1,
        "last_opportunity": last_at - first_at,
        "n_opportunities": seen.sum(axis=1) - 1 - first_at,
    }
    return pd.DataFrame(table, incidence.index).iloc[np.flatnonzero(made.any(axis=1))]


def summarise_opportunities(log: Transactions, *, every: str) -> pd.DataFrame:
    """Count at how many occasions each customer of a log bought.

    Parameters
    ----------
    every : from one occasion to the next: "1 year", "1 week". Occasions are counted from `observed_from`;
        days after the last whole one are left out, and so are customers first seen in them. To hold back the
        end, give `log.as_of(date)`.

    Returns
    -------
    DataFrame, index customer_id, sorted: n_repeat, last_opportunity, n_opportunities. Purchases of the same
    occasion count once.

    Raises
    ------
    ConfigError
        The log is shorter than two occasions.
    """
    count, grain = step_of(every)
    whole = _steps(log.observed_from, log.observed_until + dt.timedelta(days=1), grain) // count
    if whole < 2:
        raise ConfigError(
            f"opportunities: {log.observed_from} to {log.observed_until} holds {whole} of '{every}'; "
            "expected at least 2, the first to begin and one to come back"
        )
    bought = log.purchases.mutate(occasion=_occasion(log.purchases.occurred_on, log.observed_from, every))
    bought = bought.filter(bought.occasion < whole)
    table = bought.group_by("customer_id").agg(
        first=bought.occasion.min(), last=bought.occasion.max(), n=bought.occasion.nunique()
    )
    counted = table.select(
        "customer_id",
        n_repeat=(table.n - 1).cast("int64"),
        last_opportunity=(table["last"] - table["first"]).cast("int64"),
        n_opportunities=(whole - 1 - table["first"]).cast("int64"),
    )
    return counted.to_pandas().set_index("customer_id").sort_index()


def opportunity_histories(customers: pd.DataFrame) -> tuple[Histories, IntArray]:
    """Distinct histories with how many customers share each, and the row of every customer.

    Raises
    ------
    DataError
        A column is missing or is of another setting, or a history is impossible; all problems at once.
    """
    check_setting(customers.columns, wanted="opportunities")
    values = np.stack([customers[name].to_numpy(float) for name in COLUMNS])
    wrong = {what: bad for what, bad in _impossible(values).items() if bad.any()}
    if wrong:
        raise DataError(
            "customers: " + "; ".join(_counted(customers, bad, what) for what, bad in wrong.items())
        )
    others = ["n_customers"] if "n_customers" in customers else []
    renamed = customers[[*COLUMNS, *others]].rename(columns=dict(zip(COLUMNS, TIMES, strict=True)))
    distinct, row = distinct_histories(renamed)
    return purchase_histories(distinct, unit="1D"), row


def _impossible(values: np.ndarray) -> dict[str, BoolArray]:
    n_repeat, last, n = values
    whole = np.isfinite(values).all(axis=0) & (values == np.round(values)).all(axis=0)
    return {
        "a count of opportunities that is missing or not whole": ~whole,
        "a negative count": (values < 0).any(axis=0),
        "last_opportunity exceeds n_opportunities": last > n,
        "n_repeat exceeds last_opportunity (at most one purchase counts per occasion)": n_repeat > last,
        "n_repeat is 0 although last_opportunity is not": (n_repeat == 0) & (last > 0),
    }


def _counted(customers: pd.DataFrame, bad: BoolArray, what: str) -> str:
    first = int(bad.argmax())
    row = ", ".join(f"{name} {customers[name].iloc[first]}" for name in COLUMNS)
    return f"{what} in {bad.sum()} of {len(customers)} rows, first customer {customers.index[first]!r}: {row}"


def _steps(since: dt.date, until: dt.date, grain: str) -> int:
    """Whole days or months from one day to another."""
    if grain == "day":
        return (until - since).days
    return (until.year - since.year) * 12 + until.month - since.month - (until.day < since.day)


def _occasion(day: Any, since: dt.date, every: str) -> ir.IntegerColumn:
    """Number of the occasion that a day belongs to, as an expression for any engine."""
    count, grain = step_of(every)
    if grain == "day":
        passed = day.delta(ibis.date(since), unit="day")
    else:
        early = (day.day() < since.day).ifelse(1, 0)
        passed = (day.year() - since.year) * 12 + day.month() - since.month - early
    return (passed / count).floor().cast("int64")
