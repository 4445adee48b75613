"""What a customer base will buy next, and how wrong such forecasts were when they were made before.

Past forecasts are of customers with complete histories only: the models are fitted to nobody else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crm_analysis.clv.ahead.forecast import (
    TotalForecast,
    compare_forecast,
    draw_amounts,
    drawn_total,
    forecast_total,
)
from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.histories import BoolArray
from crm_analysis.clv.models.bg_nbd import fit_bg_nbd
from crm_analysis.clv.models.gamma_gamma import GammaGamma
from crm_analysis.clv.models.mbg_cnbd import fit_mbg_cnbd
from crm_analysis.clv.models.mbg_nbd import fit_mbg_nbd
from crm_analysis.clv.models.nbd import fit_nbd
from crm_analysis.clv.models.pareto_nbd import fit_pareto_nbd
from crm_analysis.clv.models.purchases import PurchaseModel
from crm_analysis.clv.models.spend import SpendFit, fit_spend
from crm_analysis.clv.worth.value import HORIZON
from crm_analysis.errors import FitError

if TYPE_CHECKING:
    from crm_analysis.clv.ahead.origins import Origin

MODELS: Mapping[str, Any] = {
    "Pareto/NBD": fit_pareto_nbd,
    "MBG/NBD": fit_mbg_nbd,
    "BG/NBD": fit_bg_nbd,
    "NBD": fit_nbd,
}
ON_SCHEDULE = "MBG/CNBD-"


@dataclass(frozen=True)
class Models:
    """Models of purchases and of spend fitted to one table of customers.

    purchases : name -> fit, in the order of `MODELS`; spend : None where it could not be fitted.
    refused : name -> why a model could not be fitted.
    """

    purchases: dict[str, Fit[PurchaseModel]]
    spend: SpendFit | None
    refused: dict[str, str]


def is_model(name: str) -> bool:
    """Whether this is the name of a purchase model, and not of a rule of thumb."""
    return name in MODELS or name.startswith(ON_SCHEDULE)


def fit_models(customers: pd.DataFrame, *, k: int = 1) -> Models:
    """Fit every model that the customers determine, and say why not of the others.

    Parameters
    ----------
    k : above 1, MBG/CNBD-k is tried too: purchases come in k steps, so that they are on schedule.
    """
    purchases, refused = {}, {}
    for name, fit in _known(k).items():
        try:
            purchases[name] = fit(customers)
        except FitError as error:
            refused[name] = str(error)
    try:
        spend: SpendFit | None = _finite(fit_spend(customers))
    except FitError as error:
        spend, refused[GammaGamma.name] = None, str(error)
    return Models(purchases, spend, refused)


def _known(k: int) -> Mapping[str, Any]:
    return {**MODELS, f"{ON_SCHEDULE}{k}": partial(fit_mbg_cnbd, k=k)} if k > 1 else MODELS


def past_forecasts(origins: Sequence[Origin], *, model: str | None, draws: int = 100) -> pd.DataFrame:
    """Make the forecast of each origin with what was known then, and set it beside what happened.

    Parameters
    ----------
    model : the purchase model to use; at an origin that does not determine it the first other one stands in.

    Returns
    -------
    `compare_forecast` of the customers with complete histories, with the `model` used, n and unit (the length
    in words); index (origin, quantity), quantity "purchases" and, where a spend model could be fitted,
    "amount". Of an origin that determines no model only n_customers, n and unit are known.
    """
    made = {pd.Timestamp(origin.look_back.at): _past_forecast(origin, model, draws) for origin in origins}
    empty = pd.DataFrame(columns=_PAST, index=pd.Index([], name="quantity"))
    table = pd.concat(made, names=_INDEX) if made else pd.concat({None: empty}, names=_INDEX)
    return table.reindex(columns=_PAST)


_INDEX = ["origin", "quantity"]
_FORECAST = ["expected", "forecast_low", "forecast_high"]
_ENDS = ("value", "low", "high")
_PAST = ["n", "unit", *_FORECAST, "actual", "error", "within", "n_customers", "model"]


def _past_forecast(origin: Origin, model: str | None, draws: int) -> pd.DataFrame:
    fits, back = origin.models.purchases, origin.look_back
    if not fits:
        known = {"n_customers": len(origin.calibration), "n": back.n, "unit": back.unit}
        return pd.DataFrame(known, index=["purchases"])
    used = model if model in fits else next(iter(fits))
    table = compare_forecast(
        origin.calibration,
        origin.holdout,
        purchases=fits[used],
        spend=origin.models.spend,
        draws=draws,
    )
    return table.assign(model=used, n=back.n, unit=back.unit)


def forecast_groups(
    customers: pd.DataFrame,
    *,
    purchases: Fit[PurchaseModel],
    spend: SpendFit,
    past: pd.DataFrame,
    generator: np.random.Generator,
    draws: int = 100,
) -> pd.DataFrame:
    """Forecast the next 12 months of all customers, and of those with complete and with cut histories.

    Parameters
    ----------
    past : `past_forecasts`; ranges reach as far as each error made before would put the actual total.

    Returns
    -------
    DataFrame, index (history, quantity): history "all", preceded by "complete" and "cut" where there are
    both; quantity "purchases" and "amount". Columns expected, forecast_low, forecast_high, n_customers.
    """
    counted, spent = (errors_of(past, quantity).tolist() for quantity in ("purchases", "amount"))
    expected = purchases.model.expected_purchases(customers, horizon=HORIZON)
    amounts = (expected * spend.model.expected_amount(customers)).to_numpy()
    drawn = list(
        draw_amounts(purchases, customers, spend=spend, horizon=HORIZON, generator=generator, draws=draws)
    )
    rows = {}
    for history, members in _by_history(customers).items():
        group, n = customers[members], int(members.sum())
        rows[history, "purchases"] = forecast_total(purchases, group, horizon=HORIZON, past_errors=counted)
        totals = [future[members].sum() for future in drawn]
        rows[history, "amount"] = drawn_total(
            float(amounts[members].sum()), totals, n_customers=n, past_errors=spent
        )
    table = pd.DataFrame({key: _row(forecast) for key, forecast in rows.items()}).T
    return table.rename_axis(["history", "quantity"]).astype({"n_customers": int})


def beside_past(past: pd.DataFrame, ahead: pd.DataFrame, *, quantity: str, origin: date) -> pd.DataFrame:
    """Put the forecast of the time to come under those made before, customers with complete histories.

    Parameters
    ----------
    past, ahead : `past_forecasts` and `forecast_groups`.
    origin : last day observed.

    Returns
    -------
    DataFrame, index "12 months after 2024-06-30" and the like: columns of `past`; what the last row cannot
    know yet is missing. Origins without a forecast are left out.
    """
    groups = ahead.index.get_level_values("history")
    comparable = ahead.loc["complete" if "complete" in groups else "all"].loc[[quantity]]
    last = comparable.assign(n=12, unit="months").set_axis([pd.Timestamp(origin)])
    chosen = past[past.index.get_level_values("quantity") == quantity].droplevel("quantity")
    rows = pd.concat([table for table in (chosen.dropna(subset=["expected"]), last) if len(table)])
    names = [
        f"{n} {unit} after {at:%Y-%m-%d}"
        for at, n, unit in zip(rows.index, rows["n"], rows["unit"], strict=True)
    ]
    return rows.reindex(columns=_PAST).astype({"actual": float, "error": float}).set_axis(names)


def past_error(
    past: pd.DataFrame, *, quantity: str, value: float = float("nan")
) -> tuple[str, dict[str, float]]:
    """Say whether the forecasts made before were all too "high", too "low", "mixed", or there are "none".

    Parameters
    ----------
    value : a value of the next 12 months, to be set beside what it were if the last error were made again.

    Returns
    -------
    key, which ends in "_part" where the forecasts were of another length than 12 months.
    values: n_origins; last, lowest and highest error (forecast / actual - 1); corrected (`value` divided by
    the last forecast / actual, see `PastBias`).
    """
    errors = errors_of(past, quantity)
    if errors.empty:
        return "none", {}
    key = "high" if (errors > 0).all() else "low" if (errors < 0).all() else "mixed"
    ends = {"last": errors.iloc[-1], "lowest": errors.min(), "highest": errors.max()}
    numbers = {name: float(number) for name, number in ends.items()}
    whole = set(past["unit"].dropna()) == {"months"}
    corrected = value / (1 + numbers["last"])
    return key if whole else f"{key}_part", {"n_origins": len(errors), **numbers, "corrected": corrected}


def own_range(past: pd.DataFrame, *, quantity: str, model: str | None = None) -> tuple[str, dict[str, float]]:
    """Say whether the last actual total lay "inside" the 95% range that the model gave itself, or "outside".

    Outside, chance is no excuse: the model was wrong. "none" without a forecast.

    Parameters
    ----------
    model : counts its forecasts only, and not those of a model that stood in for it.

    Returns
    -------
    key, values: of the last origin actual, low, high; n_within of n_origins lay inside.
    """
    rows = past[past.index.get_level_values("quantity") == quantity].dropna(subset=["expected"])
    if model is not None:
        rows = rows[rows["model"] == model]
    if rows.empty:
        return "none", {}
    last, within = rows.iloc[-1], rows["within"].astype(bool)
    ends = {"low": "forecast_low", "high": "forecast_high", "actual": "actual"}
    values = {name: float(last[column]) for name, column in ends.items()}
    counts = {"n_within": int(within.sum()), "n_origins": len(rows)}
    return "inside" if within.iloc[-1] else "outside", values | counts


def errors_of(past: pd.DataFrame, quantity: str) -> pd.Series:
    """Errors of the forecasts made before, forecast / actual - 1, where both are known."""
    of_quantity = past.index.get_level_values("quantity") == quantity
    return past["error"][of_quantity].astype(float).dropna()


def value_total(values: pd.DataFrame, ahead: pd.DataFrame) -> dict[str, float]:
    """Total value of all customers; the range of the next 12 months is the amount's, in proportion.

    Returns
    -------
    n (customers), value, low, high, top (share of the value with the best tenth of the customers), residual.
    """
    expected, low, high = ahead.loc[("all", "amount"), _FORECAST].to_numpy(float)
    value = float(values["value_12m"].sum())
    best = values["value_12m"].nlargest(math.ceil(round(0.1 * len(values), 9)))
    return {
        "n": len(values),
        "value": value,
        "low": float(value * low / expected),
        "high": float(value * high / expected),
        "top": float(best.sum()) / value if value else float("nan"),
        "residual": float(values["residual_value"].sum()),
    }


def key_numbers(
    total: Mapping[str, float], ahead: pd.DataFrame, new: pd.Series
) -> dict[str, dict[str, float]]:
    """Collect what leads a page of customer value: name -> value, low, high.

    Parameters
    ----------
    total, ahead : `value_total` and `forecast_groups`; new : a row of `clv_new`.
    """
    numbers = {"value_12m": {name: total[name] for name in _ENDS}}
    for quantity in ("purchases", "amount"):
        ends = [float(ahead[column]["all", quantity]) for column in _FORECAST]
        numbers[f"{quantity}_12m"] = dict(zip(_ENDS, ends, strict=True))
    of_new = ("clv_new", "clv_new_low", "clv_new_high")
    numbers["clv_new"] = {name: float(new[column]) for name, column in zip(_ENDS, of_new, strict=True)}
    return numbers


def _by_history(customers: pd.DataFrame) -> dict[str, BoolArray]:
    complete, everybody = customers["history_complete"].to_numpy(bool), np.ones(len(customers), bool)
    if complete.all() or not complete.any():
        return {"all": everybody}
    return {"complete": complete, "cut": ~complete, "all": everybody}


def _row(forecast: TotalForecast) -> dict[str, float]:
    return {name: getattr(forecast, name) for name in (*_FORECAST, "n_customers")}


def _finite(spend: SpendFit) -> SpendFit:
    if not np.isfinite(spend.model.mean):
        raise FitError(
            f"Gamma-Gamma: q = {spend.model.q:.3g}, so the mean amount over all customers is infinite and "
            "none can be expected of those who never came back; look at the largest amounts"
        )
    return spend
