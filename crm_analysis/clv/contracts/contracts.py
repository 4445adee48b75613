"""Contract customers: their tenures from dates, what each is worth, and whether a model fits them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from crm_analysis.clv.contracts.renewals import RenewalModel
from crm_analysis.clv.contracts.tenures import Contracts, check_tenures, contract_tenures
from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.histories import FloatArray, IntArray
from crm_analysis.clv.steps import step_of
from crm_analysis.errors import DataError

Lifetimes = Fit[Any] | RenewalModel


def summarise_contracts(contracts: pd.DataFrame, *, observed_until: str | date, unit: str) -> pd.DataFrame:
    """Count the periods that each contract completed, from its dates.

    Parameters
    ----------
    contracts : one row per contract: started_at; ended_at, its last day, missing while it runs. One that ends
        after `observed_until` is still running.
    observed_until : the last day observed.
    unit : from one renewal to the next, in calendar months or years, or in days or weeks: "1 month".

    Returns
    -------
    DataFrame with the index of `contracts`: tenure, ended. A contract that ends within a period is not
    renewed after it, and counts as one that ended with it.

    Raises
    ------
    DataError
        A start is missing or lies after `observed_until`, or an end before the start.
    """
    until = pd.Timestamp(observed_until)
    started, ends = (pd.to_datetime(contracts[name]).dt.normalize() for name in ("started_at", "ended_at"))
    problems = {
        "started_at is missing": started.isna(),
        f"started_at lies after observed_until {until:%Y-%m-%d}": started > until,
        "ended_at lies before started_at": ends < started,
    }
    for what, bad in problems.items():
        if bad.any():
            first = bad.index[bad][0]
            raise DataError(f"contracts: {what} in {bad.sum()} of {len(bad)} rows, first {first!r}")
    ended = ends <= until
    renewed = _renewals_due(started, ends.where(ended, until), unit)
    return pd.DataFrame({"tenure": renewed + ended.to_numpy(), "ended": ended}, contracts.index)


def value_contracts(
    contracts: pd.DataFrame,
    *,
    renewals: Lifetimes,
    margin: float | str | pd.Series,
    next_renewal: str,
    annual_discount_rate: float | None = None,
    rate_per_period: float | None = None,
    horizon: int | None = None,
) -> pd.DataFrame:
    """Value every contract customer from now on: further renewals, discounted, times the margin of a period.

    Parameters
    ----------
    contracts : one row per customer: tenure, ended.
    renewals : a fit of `fit_sbg` or another model of renewals, or the bare model (without `_low`, `_high`).
    margin : profit per period: a number for everybody, a column of `contracts`, or a Series by customer.
    next_renewal, annual_discount_rate, rate_per_period, horizon : as in `RenewalModel.discounted_renewals`.

    Returns
    -------
    DataFrame with the index of `contracts`: tenure; p_renew; discounted_renewals; residual_value with _low
    and _high (95%: where the mean lies if the model is right). All are 0 for contracts that ended.
    """
    tenure, ended = check_tenures(contracts)
    made = tenure.astype(np.int64)
    there = np.bincount(made) > 0
    rates = {"annual_discount_rate": annual_discount_rate, "rate_per_period": rate_per_period}
    answers = _per_tenure(
        pd.Series(np.flatnonzero(there)), renewals, next_renewal=next_renewal, horizon=horizon, **rates
    )
    mine = np.where(ended, 0.0, answers[:, (np.cumsum(there) - 1)[made]])
    profit = _margins(contracts, margin).to_numpy()
    bounds = mine[2:] * profit
    columns = {
        "tenure": made,
        "p_renew": mine[0],
        "discounted_renewals": mine[1],
        "residual_value": mine[1] * profit,
        "residual_value_low": np.minimum(*bounds),
        "residual_value_high": np.maximum(*bounds),
    }
    return pd.DataFrame(columns, contracts.index)


def _per_tenure(made: pd.Series, renewals: Lifetimes, **how: Any) -> FloatArray:
    """P(renews), discounted renewals and their 95% limits (NaN without a covariance), a column per tenure."""
    discounted = lambda model: model.discounted_renewals(made, **how)  # noqa: E731
    model = renewals.model if isinstance(renewals, Fit) else renewals
    ahead = discounted(model)
    error = renewals.standard_error(discounted) if isinstance(renewals, Fit) else ahead * np.nan
    spread = np.exp(ndtri(0.975) * error / ahead.clip(lower=np.finfo(float).tiny))
    return np.stack([model.p_renew(made), ahead, ahead / spread, ahead * spread])


def compare_renewals(contracts: Contracts, *, models: Mapping[str, Lifetimes]) -> pd.DataFrame:
    """Set the renewals that were made beside those that each model expects.

    Returns
    -------
    DataFrame, index renewal (1, 2, ...): n_due (contracts that came up for it), n_renewed, retention
    (n_renewed / n_due, of all cohorts together), and the retention by each model, a column per name.
    """
    table = contract_tenures(contracts)
    last = int(table["tenure"].max())
    n, tenure = table["n_customers"].to_numpy(), table["tenure"].to_numpy()
    gone = np.bincount(tenure, n * table["ended"], minlength=last + 1)
    there = n[tenure > 0].sum() - np.cumsum(np.bincount(tenure, n * (tenure > 0), minlength=last + 1))
    due = there[:-1]
    index = pd.RangeIndex(1, last + 1, name="renewal")
    actual = pd.DataFrame({"n_due": due, "n_renewed": due - gone[1:]}, index)
    expected = {
        name: (fitted.model if isinstance(fitted, Fit) else fitted).retention(last)
        for name, fitted in models.items()
    }
    return actual.assign(retention=actual["n_renewed"] / actual["n_due"], **expected)


def _renewals_due(started: pd.Series, seen: pd.Series, unit: str) -> IntArray:
    """Anniversaries of the start up to and including the last day seen."""
    count, grain = step_of(unit)
    if grain == "day":
        return np.asarray((seen - started).dt.days // count, dtype=np.int64)
    months = (seen.dt.year - started.dt.year) * 12 + seen.dt.month - started.dt.month
    day = np.minimum(started.dt.day, seen.dt.days_in_month)
    return np.asarray((months - (seen.dt.day < day)) // count, dtype=np.int64)


def _margins(contracts: pd.DataFrame, margin: float | str | pd.Series) -> pd.Series:
    if isinstance(margin, str) and margin not in contracts:
        raise DataError(f"margin: no column {margin!r}; columns present: {list(contracts.columns)}")
    given = contracts[margin] if isinstance(margin, str) else margin
    if not isinstance(given, pd.Series):
        return pd.Series(float(given), contracts.index)
    margins = given.reindex(contracts.index)
    if margins.isna().any():
        first = margins.index[margins.isna()][0]
        raise DataError(f"margin: missing for {margins.isna().sum()} contracts, first {first!r}")
    return margins.astype(float)
