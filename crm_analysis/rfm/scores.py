"""R, F and M scores of each customer, from the customer table and the cut points alone."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.rfm.cut_points import CutPoints, Method, Monetary, fit_cut_points, place

_VALUES = ("days_since_last", "n_orders", "total_amount", "total_profit")


@dataclass(frozen=True, eq=False)
class Scores:
    """Scored customers, with the cut points that made the scores and the date they were counted at.

    table : index of the customers; days_since_last, n_orders, total_amount, total_profit where known;
        r, f, m (int, 1 is worst), rfm (text such as "543").
    """

    table: pd.DataFrame
    cut_points: CutPoints
    at: dt.date

    def __str__(self) -> str:
        c = self.cut_points
        return (
            f"{len(self.table)} customers scored at {self.at}: {c.method}, {c.bins} bins, M is {c.monetary}, "
            f"cut points fitted at {c.fitted_at}"
        )


def score(
    customers: pd.DataFrame,
    *,
    at: dt.date | str | None = None,
    bins: int = 5,
    method: Method = "independent",
    cut_points: CutPoints | None = None,
    monetary: Monetary = "total_amount",
) -> Scores:
    """R, F and M scores of each customer, 1 (worst) to `bins` (best); equal values get equal scores.

    Independent scores cut each measure at its own quantiles. Nested ones cut F within each R score and M
    within each R and F score, which fills the cells evenly but makes an F of 3 mean different things.

    Parameters
    ----------
    customers : one row per customer: days_since_last (days), n_orders, and the `monetary` column.
    at : the analysis date. It is proven from last_at + days_since_last where the table has last_at, and
        has to be given where it has not.
    cut_points : kept from an earlier period; they then decide bins, method and monetary as well.

    Raises
    ------
    DataError
        A column is missing, holds gaps, or was counted at another date than `at`.
    ConfigError
        The analysis date is neither in the table nor given, or an argument contradicts `cut_points`.
    """
    if cut_points is not None:
        _check_agreement(cut_points, bins=bins, method=method, monetary=monetary)
        monetary = cut_points.monetary
    values = _measures(customers, monetary)
    date = _analysis_date(customers, at)
    kept = cut_points or fit_cut_points(values, bins=bins, method=method, monetary=monetary, at=date)
    scored = place(values, kept)
    shown = customers[[c for c in _VALUES if c in customers]]
    return Scores(pd.concat([shown, scored], axis="columns"), kept, date)


def _check_agreement(kept: CutPoints, *, bins: int, method: str, monetary: str) -> None:
    asked = {"bins": (bins, 5), "method": (method, "independent"), "monetary": (monetary, "total_amount")}
    for name, (value, default) in asked.items():
        if value not in (default, getattr(kept, name)):
            raise ConfigError(
                f"score: {name}={value!r}, but the cut points were fitted with {getattr(kept, name)!r}; "
                "leave it out, or fit new cut points"
            )


def _measures(customers: pd.DataFrame, monetary: str) -> pd.DataFrame:
    """Return days, orders and money as columns r, f, m, checked all at once."""
    columns = {"days_since_last": "r", "n_orders": "f", monetary: "m"}
    if missing := [c for c in columns if c not in customers]:
        hint = "; total_profit needs unit_cost and quantity in the log" if "total_profit" in missing else ""
        raise DataError(f"rfm: no column {missing}; columns present: {list(customers.columns)}{hint}")
    if customers.empty:
        raise DataError("rfm: no customers to score")
    values = customers[list(columns)].astype("float64")
    problems = [f"{n} without {c}" for c in columns if (n := int((~np.isfinite(values[c])).sum()))]
    if n := int((values["days_since_last"] < 0).sum()):
        problems.append(f"{n} with a purchase after the analysis date (days_since_last below 0)")
    if problems:
        raise DataError(f"rfm: of {len(values)} customers {', '.join(problems)}; a score needs all three")
    return values.rename(columns=columns)


def _analysis_date(customers: pd.DataFrame, at: dt.date | str | None) -> dt.date:
    given = None if at is None else pd.Timestamp(at).date()
    if "last_at" not in customers:
        if given is None:
            raise ConfigError(
                "rfm: the analysis date is missing; give at=, the day days_since_last counts to"
            )
        return given
    counted = customers["last_at"].dt.normalize() + pd.to_timedelta(customers["days_since_last"], unit="D")
    dates = sorted(counted.dt.date.unique())
    if len(dates) > 1:
        raise DataError(f"rfm: days_since_last was counted to {dates[0]} for some and {dates[-1]} for others")
    if given not in (None, dates[0]):
        raise DataError(
            f"rfm: days_since_last was counted to {dates[0]}, not to {given}; "
            f"summarise the log as of {given} first"
        )
    return dates[0]


def score_cells(scores: Scores) -> pd.DataFrame:
    """One row per R and F score: n_customers, total and mean of M's column (NaN where nobody is).

    Returns
    -------
    DataFrame, bins x bins rows: r, f, n_customers, total_amount, mean_amount (or ..._profit)
    """
    column = scores.cut_points.monetary
    every = pd.MultiIndex.from_product([range(1, scores.cut_points.bins + 1)] * 2, names=["r", "f"])
    groups = scores.table.groupby(["r", "f"])[column]
    cells = pd.DataFrame({"n_customers": groups.size(), column: groups.sum()}).reindex(every, fill_value=0)
    cells[column.replace("total", "mean")] = groups.mean().reindex(every)
    return cells.reset_index()
