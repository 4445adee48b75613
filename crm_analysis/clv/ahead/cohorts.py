"""Does one model hold for all customers alike? Fit and forecast by year of acquisition, or by any group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtri

from crm_analysis.clv.ahead.holdout import holdout_horizon
from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.histories import FloatArray
from crm_analysis.clv.models.purchases import PurchaseModel
from crm_analysis.clv.units import unit_days
from crm_analysis.clv.worth.value import model_of
from crm_analysis.errors import DataError

if TYPE_CHECKING:
    from crm_analysis.clv.ahead.choice import Choice
    from crm_analysis.doors.store import OpenWorkspace


def cohort_errors(
    purchases: Fit[PurchaseModel] | PurchaseModel,
    customers: pd.DataFrame,
    *,
    holdout: pd.DataFrame | None = None,
    by: str | pd.Series | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Set what a pooled model expects of each group beside what the group bought.

    Parameters
    ----------
    customers : those the model was fitted to, on the clock it was fitted on.
    holdout : what they did next (`split_holdout`, on the same clock): then the forecast is judged. Without
        it the fit: repeat purchases so far beside what is expected of new customers as old as they.
    by : a column of `customers` or a Series by customer; by default the year of `acquired_at`.

    Returns
    -------
    DataFrame, index group, and "all" as last row: n_customers, expected, actual, error (expected / actual
    - 1), low and high (where the error of the group lies, at `level` for all groups together, chance being
    taken from how much customers differ), flagged: the error of all customers lies outside, so that these are
    other customers than the rest. A model that is wrong for everybody alike has an error and no flag.
    """
    model, group = model_of(purchases), _groups(customers, by)
    expected, actual = _so_far(model, customers) if holdout is None else _ahead(model, customers, holdout)
    table = pd.DataFrame({"expected": expected, "actual": actual}, customers.index).groupby(group.to_numpy())
    rows = table.sum()
    rows.insert(0, "n_customers", table.size())
    overall = expected.sum() / actual.sum() - 1 if actual.sum() else np.nan
    # A group's actual total varies around what it would be if the model were off by as much as it is overall.
    apart = pd.Series(actual - expected / (1 + overall), customers.index).groupby(group.to_numpy())
    error = np.sqrt(apart.var(ddof=1) * apart.size())
    z = ndtri((1 + level ** (1 / max(len(rows), 1))) / 2)
    rows["error"] = _error(rows["expected"], rows["actual"])
    rows["low"] = _error(rows["expected"], rows["actual"] + z * error)
    rows["high"] = _error(rows["expected"], rows["actual"] - z * error)
    rows["flagged"] = (overall < rows["low"]) | (overall > rows["high"])
    total = [len(customers), expected.sum(), actual.sum(), overall, np.nan, np.nan, rows["flagged"].any()]
    rows.loc["all"] = total
    return rows.rename_axis("group").astype({"n_customers": int, "flagged": bool})


def errors_by_group(choice: Choice, *, by: str | pd.Series | None = None) -> pd.DataFrame:
    """`cohort_errors` of the model chosen: of its last forecast that can be checked, else of its fit.

    Parameters
    ----------
    choice : with a model of purchases.
    by : as for `cohort_errors`.
    """
    if choice.purchases is None or choice.name is None:
        raise DataError("errors_by_group: the customers determine no model; check choice.purchases first")
    if not choice.tested:
        return cohort_errors(choice.purchases, choice.fitted, by=by)
    last = choice.origins[-1]
    fit = last.models.purchases[choice.name]
    return cohort_errors(fit, last.calibration, holdout=last.holdout, by=by)


def errors_by_history(choice: Choice, *, cut: str = "cut") -> pd.DataFrame | None:
    """`cohort_errors` of the last forecast that can be checked: complete histories by year, cut ones apart.

    Parameters
    ----------
    cut : name of the group of customers who may be older than the log, whom no model is fitted to.

    Returns
    -------
    None where the model chosen was not tried on an earlier day.
    """
    if not choice.tested or choice.name is None:
        return None
    last = choice.origins[-1]
    years = _groups(last.known, None)
    by = years.where(last.known["history_complete"], cut)
    return cohort_errors(last.models.purchases[choice.name], last.known, holdout=last.happened, by=by)


def flagged_groups(table: pd.DataFrame | None) -> tuple[str, list[str], dict[str, float]]:
    """Say whether one model holds for all groups.

    Parameters
    ----------
    table : `cohort_errors`; None where no forecast can be checked.

    Returns
    -------
    key: "untested" (None), "alike", "single" (one is flagged), "apart" (several) or "one" (there
        are no two groups).
    names : of the groups flagged.
    values : n (groups), n_flagged, share (of customers, in these groups),
    lowest and highest error of these, and error of all.
    """
    if table is None:
        return "untested", [], {}
    groups = table.drop(index="all")
    flagged = groups[groups["flagged"]]
    key = "one" if len(groups) < 2 else ("alike", "single", "apart")[min(len(flagged), 2)]
    values = {
        "n": len(groups),
        "n_flagged": len(flagged),
        "share": float(flagged["n_customers"].sum() / max(groups["n_customers"].sum(), 1)),
        "lowest": float(flagged["error"].min()),
        "highest": float(flagged["error"].max()),
        "error": float(table["error"].iloc[-1]),
    }
    return key, [str(name) for name in flagged.index], values


def master_groups(workspace: OpenWorkspace, firm: str, column: str) -> pd.Series:
    """Return a column of a firm's customer master by customer; empty without the master or the column."""
    master = workspace.customers(firm)
    if master is None or column not in master.columns or column == "customer_id":
        return pd.Series(dtype=object, name=column)
    rows = master.select("customer_id", column).to_pandas()
    return rows.drop_duplicates("customer_id").set_index("customer_id")[column]


def _groups(customers: pd.DataFrame, by: str | pd.Series | None) -> pd.Series:
    if by is None:
        by = customers["acquired_at" if "acquired_at" in customers else "first_at"].dt.year.rename("acquired")
    if isinstance(by, str):
        if by not in customers:
            raise DataError(f"cohort_errors: no column {by!r}; columns present: {list(customers.columns)}")
        by = customers[by]
    groups = by.reindex(customers.index)
    return groups.astype(object).where(groups.notna(), "unknown")


def _so_far(model: PurchaseModel, customers: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    ages, row = np.unique(customers["t_observed"].to_numpy(), return_inverse=True)
    return model._expected_new(ages / unit_days(model.unit))[row], customers["n_repeat"].to_numpy(float)


def _ahead(
    model: PurchaseModel, customers: pd.DataFrame, holdout: pd.DataFrame
) -> tuple[FloatArray, FloatArray]:
    expected = model.expected_purchases(customers, horizon=holdout_horizon(holdout))
    return expected.to_numpy(), holdout["n_holdout"].reindex(customers.index).to_numpy(float)


def _error(expected: pd.Series, actual: pd.Series) -> pd.Series:
    """Expected / actual - 1; infinite where nothing, or less, was bought."""
    return (expected / actual).where(~(actual <= 0), np.inf) - 1
