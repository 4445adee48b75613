"""What a customer who comes today will buy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.models.purchases import PurchaseModel
from crm_analysis.clv.worth.value import HORIZON


@dataclass(frozen=True)
class NewForecast:
    """Repeat purchases of a new customer.

    expected_low, expected_high : where the mean lies if the model is right; one customer may buy anything.
    n_fitted : customers whom the model was fitted to.
    """

    expected: float
    expected_low: float
    expected_high: float
    n_fitted: int


def forecast_new(
    purchases: Fit[PurchaseModel], *, horizon: str = HORIZON, level: float = 0.95
) -> NewForecast:
    """Forecast the repeat purchases of a new customer in the time after the first purchase.

    Parameters
    ----------
    purchases : fitted to complete histories only. Counting everybody from the first row seen takes the
        loyal ones of earlier years for newcomers, and promises far too much.
    horizon : a length; whole years hold every season once, others on a season's clock see `Season.length`.
    """

    def expected_of(model: PurchaseModel) -> float:
        return model.expected_purchases_new(horizon=horizon)

    expected = expected_of(purchases.model)
    if expected == 0:
        return NewForecast(0.0, 0.0, 0.0, purchases.n_customers)
    factor = float(np.exp(ndtri((1 + level) / 2) * purchases.standard_error(expected_of) / expected))
    return NewForecast(expected, expected / factor, expected * factor, purchases.n_customers)
