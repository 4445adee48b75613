"""What a new customer is worth, the first purchase included: what winning one may cost.

From models fitted to complete histories only: where the log starts in the middle of customers' lives, those
first seen in it are not new, and a model of them takes old customers for what new ones become.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.models.purchases import Horizon, PurchaseModel, new_customers
from crm_analysis.clv.models.spend import SpendFit, SpendModel, new_customer_amount
from crm_analysis.clv.worth.answers import Question, answer_histories
from crm_analysis.clv.worth.value import HORIZON, WIDTH, CostPer, Terms
from crm_analysis.errors import ConfigError

WHOLE_LIFE = "whole life"


def clv_new(
    *,
    purchases: Fit[PurchaseModel],
    spend: SpendFit,
    margin: float,
    annual_discount_rate: float,
    horizon: Horizon = HORIZON,
    first_amount: float | None = None,
    cost_to_serve: float | None = None,
    cost_per: CostPer | None = None,
    acquisition_cost: float | None = None,
) -> pd.DataFrame:
    """Value a new customer at the first purchase, within the horizon and over the whole life.

    Parameters
    ----------
    purchases, spend : fits to customers with complete histories.
    margin, annual_discount_rate, cost_to_serve, cost_per : as in `value_customers`, one number each.
    horizon : a length from the first purchase.
    first_amount : mean amount of a first purchase; None takes it for what the spend model expects of someone
        of whom no amount is known.
    acquisition_cost : what winning a customer costs; set beside the value.

    Returns
    -------
    DataFrame, index the horizon and "whole life": discounted_purchases (repeat purchases at present value);
    first_value, repeat_value (margin); cost (to serve); clv_new with _low and _high (95%, parameters of both
    models; a given first_amount is taken as known); allowable_acquisition_cost (clv_new, and nothing where
    that is negative); with an acquisition_cost also net_value, _low and _high.

    Raises
    ------
    ConfigError
        A margin above 1, a rate of 0, a cost without its unit, or an infinite mean amount (q <= 1).
    """
    Terms.agree(spend=spend, margin=margin, cost_to_serve=cost_to_serve, cost_per=cost_per)
    if not margin <= 1:
        raise ConfigError(f"margin {margin}: expected a share of the amount, such as 0.3 for 30%")
    if not np.isfinite(spend.model.mean):
        raise ConfigError(
            f"clv_new: q = {spend.model.q:.3g}, so the mean amount of new customers is infinite"
        )
    question = Question.ask(horizon, annual_discount_rate, with_years=cost_per == "year")

    def parts(model: PurchaseModel, amounts: SpendModel) -> pd.DataFrame:
        return _parts(
            model, amounts, question, margin=margin, first_amount=first_amount, cost_to_serve=cost_to_serve
        )

    def total(model: PurchaseModel, amounts: SpendModel) -> pd.Series:
        table = parts(model, amounts)
        return table["first_value"] + table["repeat_value"] - table["cost"]

    table = parts(purchases.model, spend.model).assign(clv_new=total(purchases.model, spend.model))
    by_purchases = purchases.standard_error(lambda model: total(model, spend.model))
    by_spend = spend.standard_error(lambda amounts: total(purchases.model, amounts))
    table = _with_interval(table, np.hypot(by_purchases, by_spend), logarithmic=cost_to_serve is None)
    table["allowable_acquisition_cost"] = table["clv_new"].clip(lower=0)
    if acquisition_cost is not None:
        for end in ("", "_low", "_high"):
            table[f"net_value{end}"] = table[f"clv_new{end}"] - acquisition_cost
    return table.set_axis(pd.Index([str(horizon), WHOLE_LIFE], name="horizon"))


def _parts(
    model: PurchaseModel,
    amounts: SpendModel,
    question: Question,
    *,
    margin: float,
    first_amount: float | None,
    cost_to_serve: float | None,
) -> pd.DataFrame:
    answer = answer_histories(new_customers(1), model, question)
    bought = answer[["discounted", "residual"]].to_numpy()[0]
    served = 1 + bought
    if question.with_years:
        served = answer[["years", "residual_years"]].to_numpy()[0]
    first = amounts.mean if first_amount is None else first_amount
    return pd.DataFrame(
        {
            "discounted_purchases": bought,
            "first_value": margin * first,
            "repeat_value": margin * bought * new_customer_amount(amounts, model),
            "cost": served * (cost_to_serve or 0.0),
        }
    )


def _with_interval(table: pd.DataFrame, error: pd.Series, *, logarithmic: bool) -> pd.DataFrame:
    value = table["clv_new"]
    if logarithmic and (value > 0).all():
        factor = np.exp(WIDTH * error / value)
        return table.assign(clv_new_low=value / factor, clv_new_high=value * factor)
    return table.assign(clv_new_low=value - WIDTH * error, clv_new_high=value + WIDTH * error)
