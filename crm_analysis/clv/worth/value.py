"""What each customer is worth from now on: purchases times amount times margin, discounted, less costs.

`_low` and `_high` say where a mean lies if the models are right (95%, the parameters of both models). What
one customer may do is `purchases_p10` and `purchases_p90`: a list of customers shows these.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeVar

import numpy as np
import pandas as pd
from scipy.special import ndtri

from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.fitting.parameters import ParameterSet
from crm_analysis.clv.histories import FloatArray, IntArray
from crm_analysis.clv.models.purchases import Horizon, PurchaseModel
from crm_analysis.clv.models.spend import SpendFit, SpendModel
from crm_analysis.clv.units import check_one_scale
from crm_analysis.clv.worth.answers import Question, answer_histories
from crm_analysis.clv.worth.per_purchase import PerPurchase, customer_numbers, per_purchase
from crm_analysis.errors import ConfigError

HORIZON = "12 months"
WIDTH = float(ndtri(0.975))

CostPer = Literal["purchase", "year"]
M = TypeVar("M", bound=ParameterSet)


def value_customers(
    customers: pd.DataFrame,
    *,
    purchases: Fit[PurchaseModel] | PurchaseModel,
    spend: SpendFit | SpendModel,
    margin: float | str | pd.Series,
    annual_discount_rate: float,
    horizon: Horizon = HORIZON,
    observed_until: str | date | None = None,
    cost_to_serve: float | str | pd.Series | None = None,
    cost_per: CostPer | None = None,
) -> pd.DataFrame:
    """Value every customer, over the next 12 months and over the whole remaining life.

    Parameters
    ----------
    customers : n_repeat, t_last, t_observed (days), mean_repeat_amount, n_paid_repeat; any customers, not
        only those the models were fitted to.
    purchases, spend : fits, or bare models read back from storage (without `_low` and `_high`, then NaN).
    margin : profit per unit of amount: a share for everybody, a column of `customers`, or a Series by
        customer; below 0 for those who are sold to at a loss.
    annual_discount_rate : per year, 0.15 for 15%; above 0, since a remaining life may be endless.
    horizon : a length ("24 months"), or a date, which needs `observed_until`.
    cost_to_serve : money that the margin does not know, for everybody, by column or Series; deducted, so
        that customers may be worth less than nothing. Needs `cost_per`.
    cost_per : "purchase" (deducted with every purchase) or "year" (spread over the years in which the model
        takes the customer for one).

    Returns
    -------
    DataFrame with the index of `customers`: p_alive; p_buy (at least once within the horizon);
    expected_purchases within it; purchases_p10, purchases_p90 (this one customer); expected_amount per
    purchase; value_12m and residual_value (margin on the discounted purchases of the next 12 months, and from
    now on, less costs), in the currency of the amounts. Expected purchases, amounts and values with _low and
    _high. The value over another horizon is named for it: value_24m, value_39w, value_until_2027-12-31.

    Raises
    ------
    ConfigError
        A margin or a discount rate that is not a share; a cost without its unit.
    DataError
        A customer has no margin or no cost, or an impossible history; or customers are observed until
        different days, or their amounts are in several currencies.
    """
    terms = Terms.agree(
        spend=spend,
        margin=margin,
        cost_to_serve=cost_to_serve,
        cost_per=cost_per,
        value_name=value_name(horizon),
    )
    question = Question.ask(
        horizon, annual_discount_rate, observed_until=observed_until, with_years=cost_per == "year"
    )
    histories, row = model_of(purchases)._distinct(customers)
    check_one_scale(customers)
    return valued(customers, answer_histories(histories, purchases, question), row, terms)


def model_of(fitted: Fit[M] | M) -> M:
    """Take the model out of a fit; a bare model is itself."""
    return fitted.model if isinstance(fitted, Fit) else fitted


def value_name(horizon: Horizon) -> str:
    """Column of the value over the horizon: value_12m, value_39w, value_2y, value_until_2027-12-31."""
    words = str(horizon).split()
    if len(words) != 2:
        return f"value_until_{str(horizon).strip()}"
    return f"value_{words[0]}{words[1][0]}"


@dataclass(frozen=True)
class Terms:
    """What a purchase brings in, and what a customer costs."""

    spend: SpendFit | SpendModel
    margin: float | str | pd.Series
    cost_to_serve: float | str | pd.Series | None
    cost_per: CostPer | None
    value_name: str

    @classmethod
    def agree(
        cls,
        *,
        spend: SpendFit | SpendModel,
        margin: float | str | pd.Series,
        cost_to_serve: float | str | pd.Series | None,
        cost_per: CostPer | None,
        value_name: str = "value_12m",
    ) -> Terms:
        """Refuse a cost without a unit, and a unit without a cost."""
        if (cost_to_serve is None) != (cost_per is None) or cost_per not in (None, "purchase", "year"):
            raise ConfigError(
                f"cost_to_serve {'given' if cost_to_serve is not None else 'not given'} and cost_per "
                f"{cost_per!r}: expected a cost with its unit, 'purchase' or 'year', or neither"
            )
        return cls(spend, margin, cost_to_serve, cost_per, value_name)


def valued(customers: pd.DataFrame, answers: pd.DataFrame, row: IntArray, terms: Terms) -> pd.DataFrame:
    """Value customers whose histories are answered in these rows of `answers`."""
    answer = {str(name): column.to_numpy() for name, column in answers.items()}
    expected, factor = answer["expected"], np.exp(WIDTH * answer["expected_error"])
    amount = per_purchase(customers, terms.spend, terms.margin)
    cost = (
        None
        if terms.cost_to_serve is None
        else customer_numbers(customers, terms.cost_to_serve, "cost_to_serve")
    )
    amount_factor = np.exp(WIDTH * amount.error)
    columns = {
        "p_alive": answer["p_alive"][row],
        "p_buy": answer["p_buy"][row],
        "expected_purchases": expected[row],
        "expected_purchases_low": (expected / factor)[row],
        "expected_purchases_high": (expected * factor)[row],
        "purchases_p10": answer["p10"].astype(np.int64)[row],
        "purchases_p90": answer["p90"].astype(np.int64)[row],
        "expected_amount": amount.expected,
        "expected_amount_low": amount.expected / amount_factor,
        "expected_amount_high": amount.expected * amount_factor,
    }
    for name, bought, years in (
        (terms.value_name, "discounted", "years"),
        ("residual_value", "residual", "residual_years"),
    ):
        value, low, high = (
            _margin_earned(answer, bought, row, amount)
            if cost is None
            else _less_costs(answer, bought, years if terms.cost_per == "year" else None, row, amount, cost)
        )
        columns |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return pd.DataFrame(columns, customers.index, copy=False)


def _margin_earned(
    answer: dict[str, FloatArray], bought: str, row: IntArray, amount: PerPurchase
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Value and its interval, symmetric in the logarithm: values are positive where margins are."""
    value = answer[bought][row] * amount.earned
    factor = np.exp(WIDTH * np.sqrt((answer[f"{bought}_error"] ** 2)[row] + amount.error**2))
    low, high = value / factor, value * factor
    if (amount.margin < 0).any():
        low, high = np.minimum(low, high), np.maximum(low, high)
    return value, low, high


def _less_costs(
    answer: dict[str, FloatArray],
    bought: str,
    years: str | None,
    row: IntArray,
    amount: PerPurchase,
    cost: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Value and its interval, symmetric in the value itself, which may be of either sign."""
    purchases = answer[bought][row]
    in_purchases = purchases * (amount.earned - (cost if years is None else 0.0))
    variance = (answer[f"{bought}_error"][row] * in_purchases) ** 2 + (
        purchases * amount.earned * amount.error
    ) ** 2
    value = in_purchases
    if years is not None:
        paid = answer[years][row] * cost
        value = in_purchases - paid
        variance += (answer[f"{years}_error"][row] * paid) ** 2
        variance -= 2 * in_purchases * paid * _covariance(answer, bought, years)[row]
    width = WIDTH * np.sqrt(np.maximum(variance, 0.0))
    return value, value - width, value + width


def _covariance(answer: dict[str, FloatArray], bought: str, years: str) -> FloatArray:
    """Covariance of the logarithms, from the error of their sum."""
    both = answer[f"{bought}_and_years_error"]
    return (both**2 - answer[f"{bought}_error"] ** 2 - answer[f"{years}_error"] ** 2) / 2
