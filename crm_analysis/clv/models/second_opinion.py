"""The same customers fitted by lifetimes, and the way from and to its column names.

lifetimes calls n_repeat `frequency`, t_last `recency` (an age, not the time since the last purchase),
t_observed `T` and mean_repeat_amount `monetary_value`, all times in one unit of the caller's choice. It is
unmaintained; its estimates are right, its covariance and its log likelihood are not, so only the estimates
are taken and judged by our log likelihood.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.histories import COLUMNS, check_histories, distinct_histories
from crm_analysis.clv.units import unit_days
from crm_analysis.errors import ConfigError, DataError

FITTERS = {
    "BG/NBD": ("BetaGeoFitter", {"r": "r", "alpha": "alpha", "a": "a", "b": "b"}),
    "MBG/NBD": ("ModifiedBetaGeoFitter", {"r": "r", "alpha": "alpha", "a": "a", "b": "b"}),
    "Pareto/NBD": ("ParetoNBDFitter", {"r": "r", "alpha": "alpha", "s": "s", "beta": "beta"}),
    "Gamma-Gamma": ("GammaGammaFitter", {"p": "p", "q": "q", "gamma": "v"}),
}

# Left alone it draws its start at random around this, and now and then ends beside the optimum.
_START: dict[str, dict[str, Any]] = {"Pareto/NBD": {"initial_params": np.ones(4)}}


def to_lifetimes(customers: pd.DataFrame, *, unit: str) -> pd.DataFrame:
    """Rename to frequency, recency, T (in `unit`) and monetary_value (0 where none, as lifetimes has it)."""
    n_repeat, t_last, t_observed = check_histories(customers)
    days = unit_days(unit)
    times = {"frequency": n_repeat, "recency": t_last / days, "T": t_observed / days}
    renamed = pd.DataFrame(times, customers.index)
    if "mean_repeat_amount" in customers:
        renamed["monetary_value"] = customers["mean_repeat_amount"].fillna(0.0)
    return renamed


def from_lifetimes(summary: pd.DataFrame, *, unit: str) -> pd.DataFrame:
    """Rename frequency, recency, T (in `unit`) and monetary_value to our columns, in whole days.

    Times that were rounded to two decimals of a week come back exactly.

    Raises
    ------
    DataError
        A column is missing, or a time is not a whole number of days in that unit.
    """
    if missing := [name for name in ("frequency", "recency", "T") if name not in summary]:
        raise DataError(f"summary: no column {missing}; columns present: {list(summary.columns)}")
    times = summary[["recency", "T"]] * unit_days(unit)
    if (off := (times - times.round()).abs().max().max()) > 0.05:
        raise DataError(
            f"summary: times in {unit!r} are up to {off:.2f} days off a whole day; is that the unit?"
        )
    whole = times.round().astype(int)
    customers = pd.DataFrame(
        {"n_repeat": summary["frequency"].astype(int), "t_last": whole["recency"], "t_observed": whole["T"]}
    )
    if "monetary_value" in summary:
        amount = summary["monetary_value"].astype(float)
        customers["mean_repeat_amount"] = amount.where(amount > 0)
        customers["n_paid_repeat"] = customers["n_repeat"].where(amount > 0, 0)
    return customers


def compare_with_lifetimes(fit: Fit[Any], customers: pd.DataFrame) -> pd.DataFrame:
    """Fit the same customers with lifetimes and set its estimates beside ours.

    Returns
    -------
    DataFrame, index: the parameters and "log likelihood"; ours, lifetimes, difference (relative for the
    parameters, ours less theirs for the log likelihood, which is ours evaluated at both).
    """
    if fit.model.name not in FITTERS:
        raise ConfigError(f"lifetimes has no {fit.model.name}; it has {list(FITTERS)}")
    ours = fit.model.parameters
    theirs = _fit_lifetimes(fit.model, customers)
    there = np.array([theirs[name] for name in ours])
    log_likelihood = fit._estimation.log_likelihood(there)[0]
    table = pd.DataFrame({"ours": ours, "lifetimes": theirs}).rename_axis("parameter")
    table["difference"] = table["ours"] / table["lifetimes"] - 1
    table.loc["log likelihood"] = [fit.log_likelihood, log_likelihood, fit.log_likelihood - log_likelihood]
    return table


def _fit_lifetimes(model: Any, customers: pd.DataFrame) -> dict[str, float]:
    fitter_name, names = FITTERS[model.name]
    # Pandas4Warning at import, deprecated scipy options and overflow inside; a fit that fails is printed.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        fitter = getattr(importlib.import_module("lifetimes"), fitter_name)()
        if model.name == "Gamma-Gamma":
            paid = customers[customers["n_paid_repeat"] > 0]
            fitter.fit(paid["n_paid_repeat"], paid["mean_repeat_amount"])
        else:
            distinct, _ = distinct_histories(customers[COLUMNS])
            summary = to_lifetimes(distinct, unit=model.unit)
            fitter.fit(
                summary["frequency"],
                summary["recency"],
                summary["T"],
                weights=distinct["n_customers"],
                **_START.get(model.name, {}),
            )
    return {ours: float(fitter.params_[theirs]) for ours, theirs in names.items()}
