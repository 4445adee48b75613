"""How long contracts lasted: what a model of renewals sees of customers.

A tenure counts the periods completed. A contract that `ended` was not renewed after them; one that did not
is still running, and has been renewed as many times. Contracts alike are one row with a count, so that ten
million customers cost what their distinct tenures cost.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crm_analysis.clv.families import SETTINGS, check_setting
from crm_analysis.clv.histories import BoolArray, FloatArray
from crm_analysis.errors import DataError

Contracts = Sequence[int] | pd.Series | pd.DataFrame


def contract_tenures(contracts: Contracts) -> pd.DataFrame:
    """Distinct tenures with how many customers had each.

    Parameters
    ----------
    contracts : one of
        survivors of one cohort, customers at the start and after each renewal ([1000, 631, 468, ...]);
        survivors of several cohorts, one row each, NaN after the last renewal seen;
        one row per customer: tenure (whole periods completed), ended (True where the contract was not
        renewed after them), and n_customers where a row stands for several.

    Returns
    -------
    DataFrame, sorted: tenure (int), ended (bool), n_customers (float, above 0). A contract that runs in its
    first period (tenure 0) says nothing and is kept.

    Raises
    ------
    DataError
        Survivors grow, are shares instead of counts, or have gaps; a tenure is impossible; the table is one
        of purchases.
    """
    if not isinstance(contracts, pd.DataFrame):
        return _counted(_from_survivors([np.asarray(contracts, dtype=float)]))
    if set(contracts.columns) & {name for kind in SETTINGS.values() for name in kind.columns}:
        check_setting(contracts.columns, wanted="contracts")
        return _counted(_from_customers(contracts))
    return _counted(_from_survivors([_cohort(row, name) for name, row in contracts.iterrows()]))


def check_tenures(contracts: pd.DataFrame) -> tuple[FloatArray, BoolArray]:
    """Return tenure and ended of every row, once they are possible.

    Raises
    ------
    DataError
        A column is missing, or a tenure is missing, negative or not whole, or ended before it began.
    """
    check_setting(contracts.columns, wanted="contracts")
    tenure = contracts["tenure"].to_numpy(float)
    if contracts["ended"].dtype != bool and not contracts["ended"].isin([True, False]).all():
        raise DataError("contracts: ended must be True or False in every row; False is still running")
    ended = contracts["ended"].to_numpy(bool)
    problems = {
        "a tenure that is missing, negative or not whole (it counts periods completed)": ~(
            (tenure >= 0) & (tenure == np.round(tenure))
        ),
        "a contract that ended before its first period was over (tenure 0)": (tenure == 0) & ended,
    }
    for what, bad in problems.items():
        if bad.any():
            first = int(bad.argmax())
            raise DataError(
                f"contracts: {what} in {bad.sum()} of {len(contracts)} rows, first "
                f"{contracts.index[first]!r}: tenure {contracts['tenure'].iloc[first]}"
            )
    return tenure, ended


def _from_customers(contracts: pd.DataFrame) -> pd.DataFrame:
    tenure, ended = check_tenures(contracts)
    n = contracts["n_customers"].to_numpy(float) if "n_customers" in contracts else np.ones(len(contracts))
    if not ((n >= 0) & (n < np.inf)).all():
        raise DataError(
            "contracts: n_customers must be a count in every row: how many contracts it stands for"
        )
    return pd.DataFrame({"tenure": tenure, "ended": ended, "n_customers": n})


def _from_survivors(cohorts: list[FloatArray]) -> pd.DataFrame:
    for survivors in cohorts:
        _check_survivors(survivors)
    parts = [
        pd.DataFrame(
            {
                "tenure": np.append(np.arange(1, len(survivors)), len(survivors) - 1),
                "ended": np.arange(len(survivors)) < len(survivors) - 1,
                "n_customers": np.append(-np.diff(survivors), survivors[-1]),
            }
        )
        for survivors in cohorts
    ]
    return pd.concat(parts, ignore_index=True)


def _cohort(row: pd.Series, name: object) -> FloatArray:
    survivors = row.to_numpy(float)
    seen = ~np.isnan(survivors)
    last = int(seen.sum())
    if not seen[:last].all():
        raise DataError(
            f"survivors: cohort {name!r} has a gap; expected NaN only after the last renewal seen"
        )
    return survivors[:last]


def _check_survivors(survivors: FloatArray) -> None:
    shown = f"survivors {survivors[:6].tolist()}"
    if survivors.ndim != 1 or len(survivors) == 0:
        raise DataError("survivors: expected customers at the start and after each renewal, [1000, 631, 468]")
    if not np.isfinite(survivors).all() or (survivors < 0).any() or (survivors % 1 != 0).any():
        raise DataError(
            f"{shown}: expected whole numbers of customers; shares become counts times the cohort's size"
        )
    if (np.diff(survivors) > 0).any():
        period = int(np.diff(survivors).argmax()) + 1
        raise DataError(
            f"{shown}: they grow at renewal {period}; a cohort only loses customers; those who came "
            "later are another one"
        )


def _counted(rows: pd.DataFrame) -> pd.DataFrame:
    keys = 2 * rows["tenure"].to_numpy(np.int64) + rows["ended"].to_numpy(bool)
    counts = np.bincount(keys, rows["n_customers"].to_numpy(float))
    there = np.flatnonzero(counts > 0)
    return pd.DataFrame({"tenure": there // 2, "ended": there % 2 == 1, "n_customers": counts[there]})
