"""What the base is worth beyond the next 12 months, how sure that is, and what moved it since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from crm_analysis.clv.ahead.choice import Choice
from crm_analysis.clv.models.purchases import PurchaseModel
from crm_analysis.clv.units import DAYS_PER_YEAR
from crm_analysis.clv.worth.beyond_log import value_by_model
from crm_analysis.clv.worth.equity import RollForward, equity_roll_forward
from crm_analysis.errors import FitError

if TYPE_CHECKING:
    from crm_analysis.doors.transactions import Transactions


def long_value(
    choice: Choice, log: Transactions, *, margin: float, annual_discount_rate: float
) -> dict[str, float | str]:
    """Numbers for the sentence that goes with any value beyond 12 months.

    Returns
    -------
    model; residual (value of everything from now on), low, high (95%, the parameters of the model used);
    lowest and highest over the models, NBD only where it is the one used; share_beyond_12m and
    share_beyond_log (of the residual value); years (length of the log).
    """
    if choice.name is None or choice.spend is None:
        raise FitError("long_value: no model was fitted, see the choice's models.refused")
    table = value_by_model(
        choice.customers,
        purchases={choice.name: choice.models.purchases[choice.name]},
        spend=choice.spend,
        margin=margin,
        annual_discount_rate=annual_discount_rate,
        observed_from=log.observed_from,
        observed_until=log.observed_until,
    )
    own = table.astype(float).to_dict("index")[choice.name]
    earned = choice.spend.model.expected_amount(choice.customers) * margin
    others = [
        float((_left(fit.model, choice.customers, annual_discount_rate) * earned).sum())
        for name, fit in choice.models.purchases.items()
        if name not in (choice.name, "NBD")
    ]
    return {
        "model": choice.name,
        "residual": own["residual_value"],
        "low": own["residual_value_low"],
        "high": own["residual_value_high"],
        "lowest": min([own["residual_value"], *others]),
        "highest": max([own["residual_value"], *others]),
        "share_beyond_12m": own["share_beyond_12m"],
        "share_beyond_log": own["share_beyond_log"],
        "years": ((log.observed_until - log.observed_from).days + 1) / DAYS_PER_YEAR,
    }


def roll_forward(
    choice: Choice, values: pd.DataFrame | None, *, margin: float, annual_discount_rate: float
) -> RollForward | None:
    """Split the change of the residual value of the base since the last look back.

    Parameters
    ----------
    values : `value_customers` of today; margin : profit per unit of amount.

    Returns
    -------
    `equity_roll_forward`; None where there is no value, or the model used was not determined then.
    """
    origin = choice.origins[-1] if choice.origins else None
    then = origin.models.purchases.get(choice.name or "") if origin else None
    if values is None or origin is None or then is None or origin.models.spend is None:
        return None
    spend = origin.models.spend.model

    def worth(customers: pd.DataFrame) -> pd.Series:
        bought = _left(then.model, customers, annual_discount_rate)
        return bought * spend.expected_amount(customers) * margin

    return equity_roll_forward(
        worth(origin.known),
        values["residual_value"],
        closing_by_opening_model=worth(choice.customers),
        margin=origin.happened["amount_holdout"] * margin,
        annual_discount_rate=annual_discount_rate,
        years=origin.look_back.days / DAYS_PER_YEAR,
    )


def _left(model: PurchaseModel, customers: pd.DataFrame, annual_discount_rate: float) -> pd.Series:
    return model.discounted_purchases(customers, annual_discount_rate=annual_discount_rate)
