"""How much of the value of a base rests on time that nobody has observed, and on which model is believed.

Models that fit the same log alike part ways beyond its length: one lets customers fade, another keeps them.
A value beyond 12 months is stated with the share that lies later than the log is long, and with its range
over the models.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.histories import FloatArray
from crm_analysis.clv.models.purchases import PurchaseModel
from crm_analysis.clv.models.spend import SpendFit
from crm_analysis.clv.worth.answers import Question, log_answers
from crm_analysis.clv.worth.per_purchase import per_purchase
from crm_analysis.clv.worth.value import HORIZON, WIDTH
from crm_analysis.errors import ConfigError


def value_by_model(
    customers: pd.DataFrame,
    *,
    purchases: Mapping[str, Fit[PurchaseModel]],
    spend: SpendFit,
    margin: float | str | pd.Series,
    annual_discount_rate: float,
    observed_from: str | date,
    observed_until: str | date,
) -> pd.DataFrame:
    """Total value of a base by each model, and how much of it lies later than the log is long.

    Parameters
    ----------
    customers, spend, margin, annual_discount_rate : as in `value_customers`; before costs to serve.
    purchases : name -> fit, to the same customers.
    observed_from, observed_until : first and last day of the log.

    Returns
    -------
    DataFrame, index model: value_12m; residual_value with _low and _high (95%, the parameters); of the
    residual value share_beyond_12m and share_beyond_log (later from now than the log is long). The range
    over models is that of the column residual_value.
    """
    days = (pd.Timestamp(observed_until) - pd.Timestamp(observed_from)).days + 1
    if days < 1:
        raise ConfigError(f"observed_from {observed_from} lies after observed_until {observed_until}")
    amount = per_purchase(customers, spend, margin)
    to_log, to_year = (Question.ask(end, annual_discount_rate) for end in (f"{days} days", HORIZON))
    rows = {}
    for name, fit in purchases.items():
        histories, row = fit.model._distinct(customers)
        earned = np.bincount(row, amount.earned, minlength=len(histories.n_repeat)).astype(float)
        logs = log_answers(histories, to_log)
        _, seen, residual = _totals(logs(fit.model), earned)
        _, soon, _ = _totals(log_answers(histories, to_year)(fit.model), earned)
        weights = np.exp(logs(fit.model)[2])[row] * amount.margin
        by_purchases = fit.standard_error(lambda model: _totals(logs(model), earned)[2])  # noqa: B023
        by_spend = spend.standard_error(lambda model: (model.expected_amount(customers) * weights).sum())  # noqa: B023
        error = np.hypot(by_purchases, by_spend) / residual
        rows[name] = {
            "value_12m": soon,
            "residual_value": residual,
            "residual_value_low": residual * np.exp(-WIDTH * error),
            "residual_value_high": residual * np.exp(WIDTH * error),
            "share_beyond_12m": 1 - soon / residual,
            "share_beyond_log": 1 - seen / residual,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def _totals(logs: FloatArray, earned: FloatArray) -> FloatArray:
    return (np.exp(logs) * earned).sum(axis=1)
