"""How closely a model follows the customers it was fitted to: by count, and over time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from crm_analysis.clv.ahead.season import NO_SEASON, Season
from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.histories import FloatArray
from crm_analysis.clv.models.purchases import PurchaseModel
from crm_analysis.clv.units import unit_days
from crm_analysis.clv.worth.value import model_of
from crm_analysis.customers import customer_table
from crm_analysis.errors import DataError
from crm_analysis.workspace import parse_length

if TYPE_CHECKING:
    from crm_analysis.clv.ahead.kept import FirmModels
    from crm_analysis.doors.transactions import Transactions

EXPECTED = 5  # customers in a class, below which chi-square says nothing of it


def frequency_fit(
    purchases: Fit[PurchaseModel] | PurchaseModel, customers: pd.DataFrame, *, up_to: int = 7
) -> pd.DataFrame:
    """Count customers by n_repeat, beside the number that the model expects of new customers as old as they.

    Returns
    -------
    DataFrame, index n_repeat "0" .. and "`up_to`+": actual, expected; both sum to the number of customers.
    """
    model = model_of(purchases)
    ages, n_customers = np.unique(customers["t_observed"], return_counts=True)
    tables = [model.purchase_distribution_new(horizon=f"{age} days", up_to=up_to - 1) for age in ages]
    expected = n_customers @ np.stack(tables)
    actual = np.bincount(customers["n_repeat"].clip(upper=up_to), minlength=up_to + 1)
    names = pd.Index([*map(str, range(up_to)), f"{up_to}+"], name="n_repeat")
    return pd.DataFrame({"actual": actual, "expected": [*expected, len(customers) - expected.sum()]}, names)


def chi_square(table: pd.DataFrame, *, n_parameters: int) -> tuple[float, float]:
    """Pearson's chi-square of a `frequency_fit`, and the probability of one as large if the model is right.

    Degrees of freedom: counts less 1 less the parameters fitted to the same customers; NaN below 1.
    """
    statistic = float(((table["actual"] - table["expected"]) ** 2 / table["expected"]).sum())
    freedom = len(table) - 1 - n_parameters
    return statistic, float(chdtrc(freedom, statistic)) if freedom > 0 else np.nan


def judge_counts(table: pd.DataFrame, *, n_parameters: int) -> tuple[str, dict[str, float | str]]:
    """Say whether a `frequency_fit` is "close" (what is off may be chance), "off", or "unknown".

    Classes in which fewer than 5 customers are expected join the one below: chi-square needs as many.

    Returns
    -------
    key ("unknown": too few classes are left); values: statistic, p_value, and of the class that is off most
    n_repeat, actual and expected customers, and largest (how far off, as a share of all customers).
    """
    joined = _joined(table)
    statistic, p_value = chi_square(joined, n_parameters=n_parameters)
    key = "unknown" if np.isnan(p_value) else "close" if p_value >= 0.05 else "off"
    apart = (joined["actual"] - joined["expected"]).abs().to_numpy()
    worst = joined.iloc[int(apart.argmax())]
    return key, {
        "statistic": statistic,
        "p_value": p_value,
        "largest": float(apart.max() / joined["actual"].sum()),
        "n_repeat": str(worst.name),
        "actual": float(worst["actual"]),
        "expected": float(worst["expected"]),
    }


def _joined(table: pd.DataFrame) -> pd.DataFrame:
    """Classes of a `frequency_fit`, the last ones together until 5 customers are expected there."""
    rows = table.astype(float)
    while len(rows) > 1 and rows["expected"].iloc[-1] < EXPECTED:
        last = rows.iloc[-2:].sum().to_frame(f"{str(rows.index[-2]).rstrip('+')}+").T
        rows = pd.concat([rows.iloc[:-2], last])
    return rows


def tracking_error(table: pd.DataFrame, *, since: date | str | None = None) -> float:
    """Mean absolute error of the cumulative line of `tracking`, as a share of what happened.

    Parameters
    ----------
    since : only steps that end after this day, such as the end of a calibration.
    """
    later = table if since is None else table[table.index > pd.Timestamp(since)]
    later = later[later["actual_cumulative"] > 0]
    return float((later["expected_cumulative"] / later["actual_cumulative"] - 1).abs().mean())


def daily_repeats(log: Transactions, *, acquired_until: date | str, complete_only: bool = False) -> pd.Series:
    """Repeat purchase days per date, of the customers first seen on or before `acquired_until`.

    Parameters
    ----------
    complete_only : count those with complete histories only, whom models are fitted to.
    """
    days = log.merged.filter(log.merged.n_lines > 0).select("customer_id", "occurred_on").distinct()
    if complete_only:
        known = customer_table(log).filter(lambda table: table.history_complete)
        days = days.semi_join(known.select("customer_id"), "customer_id")
    first = days.group_by("customer_id").agg(first_on=days.occurred_on.min())
    first = first.filter(first.first_on <= pd.Timestamp(acquired_until).date())
    repeats = days.inner_join(first, "customer_id").filter(lambda t: t.occurred_on > t.first_on)
    counts = repeats.group_by("occurred_on").agg(n=repeats.count()).order_by("occurred_on").to_pandas()
    return counts.set_index(pd.DatetimeIndex(counts["occurred_on"]))["n"].rename("n_repeats")


def tracking(
    purchases: Fit[PurchaseModel] | PurchaseModel,
    customers: pd.DataFrame,
    *,
    repeats: pd.Series,
    until: date | str,
    step: str = "7 days",
    season: Season = NO_SEASON,
) -> pd.DataFrame:
    """Follow repeat purchases over time, actual beside expected of a cohort that is never looked at again.

    Parameters
    ----------
    customers : `first_at` of the customers that `repeats` counts.
    repeats : repeat purchase days per date, as `daily_repeats` counts them.
    until : last day observed, that whole day included; `step` is a length.
    season : on whose clock the model was fitted. Steps are the calendar's, and expect more in strong months.

    Returns
    -------
    DataFrame, index: last day of each whole step since the first customer came; actual, expected,
    actual_cumulative, expected_cumulative. Customers count from the day after their first purchase.
    """
    born, n_born = np.unique(customers["first_at"].to_numpy("datetime64[D]"), return_counts=True)
    before, length = born[0] - np.timedelta64(1, "D"), int(parse_length(step))
    n_steps = int((np.datetime64(until, "D") - before).astype(int)) // length
    ends = before + length * np.arange(1, n_steps + 1)
    model = model_of(purchases)
    came = np.minimum(born, ends[:, None])  # who comes later counts nothing yet
    ages = np.round(season.elapsed(came, ends[:, None])).astype(int)
    expected = _expected_new(model, ages) @ n_born
    dates = repeats.index.to_numpy("datetime64[D]")
    actual = np.array([repeats.to_numpy()[dates <= end].sum() for end in ends])
    return pd.DataFrame(
        {
            "actual": np.diff(actual, prepend=0),
            "expected": np.diff(expected, prepend=0.0),
            "actual_cumulative": actual,
            "expected_cumulative": expected,
        },
        pd.DatetimeIndex(ends, name="until"),
    )


@dataclass(frozen=True)
class Followed:
    """A firm's model followed over the time that it was fitted to.

    model : its name; table : `tracking`; actual, expected : repeat purchases in all.
    error : mean absolute error of the cumulative line.
    """

    model: str | None
    table: pd.DataFrame
    actual: float
    expected: float
    error: float


def follow_firm(fitted: FirmModels, log: Transactions, *, step: str = "7 days") -> Followed:
    """Follow the model of a firm over all the time that it was fitted to, on its clock.

    Parameters
    ----------
    fitted : with a model of purchases.
    log : that it was fitted to; customers with complete histories are followed.
    """
    choice = fitted.choice
    if choice.purchases is None:
        raise DataError("follow_firm: the customers determine no model; check choice.purchases first")
    repeats = daily_repeats(log, acquired_until=log.observed_until, complete_only=True)
    until, season = log.observed_until, fitted.season
    table = tracking(choice.purchases, choice.fitted, repeats=repeats, until=until, step=step, season=season)
    sums = table[["actual", "expected"]].sum()
    return Followed(choice.name, table, float(sums["actual"]), float(sums["expected"]), tracking_error(table))


def _expected_new(model: PurchaseModel, ages: np.ndarray) -> FloatArray:
    """Expect repeat purchases of new customers at each age in days, once per distinct age."""
    distinct, row = np.unique(ages, return_inverse=True)
    return model._expected_new(distinct / unit_days(model.unit))[row].reshape(ages.shape)
