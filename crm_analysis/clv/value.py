"""What each customer is worth from now on: purchases times amount times margin, discounted.

`expected_purchases_low` and `_high` say where the mean lies if the model is right. What one customer may
do is `purchases_p10` and `purchases_p90`: a list of customers shows these.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import pandas as pd
from scipy.special import ndtri

from crm_analysis.clv.fit import Fit
from crm_analysis.clv.gamma_gamma import GammaGamma
from crm_analysis.clv.histories import distinct_histories
from crm_analysis.clv.parameters import ParameterSet
from crm_analysis.clv.purchases import PurchaseModel
from crm_analysis.errors import ConfigError, DataError

HORIZON = "12 months"

M = TypeVar("M", bound=ParameterSet)


def value_customers(
    customers: pd.DataFrame,
    *,
    purchases: Fit[PurchaseModel] | PurchaseModel,
    spend: Fit[GammaGamma] | GammaGamma,
    margin: float | str | pd.Series,
    annual_discount_rate: float,
) -> pd.DataFrame:
    """Value every customer, over the next 12 months and over the whole remaining life.

    Parameters
    ----------
    customers : n_repeat, t_last, t_observed (days), mean_repeat_amount, n_paid_repeat; any customers, not
        only those the models were fitted to.
    purchases, spend : fits, or bare models read back from storage (without `_low` and `_high`, then NaN).
    margin : profit per unit of amount: a share for everybody, a column of `customers`, or a Series by
        customer.
    annual_discount_rate : per year, 0.15 for 15%; above 0, since a remaining life may be endless.

    Returns
    -------
    DataFrame with the index of `customers`: p_alive; p_buy (at least once in 12 months); expected_purchases
    in 12 months with _low and _high (95%, parameters only); purchases_p10, purchases_p90 (this one customer);
    expected_amount per purchase; value_12m and residual_value (margin on the discounted purchases of the
    next 12 months, and from now on), in the currency of the amounts.

    Raises
    ------
    ConfigError
        A margin or a discount rate that is not a share.
    DataError
        A customer has no margin, or an impossible history.
    """
    distinct, row = distinct_histories(customers)
    answers = _answers(distinct, purchases, annual_discount_rate).iloc[row].set_axis(customers.index)
    expected_amount = model_of(spend).expected_amount(customers)
    per_purchase = expected_amount * _margins(customers, margin)
    return answers.drop(columns=["discounted_12m", "discounted_residual"]).assign(
        expected_amount=expected_amount,
        value_12m=answers["discounted_12m"] * per_purchase,
        residual_value=answers["discounted_residual"] * per_purchase,
    )


def model_of(fitted: Fit[M] | M) -> M:
    """Take the model out of a fit; a bare model is itself."""
    return fitted.model if isinstance(fitted, Fit) else fitted


def _answers(
    distinct: pd.DataFrame, purchases: Fit[PurchaseModel] | PurchaseModel, rate: float
) -> pd.DataFrame:
    model = model_of(purchases)
    expected = model.expected_purchases(distinct, horizon=HORIZON)
    low, high = _interval(distinct, purchases, expected)
    return pd.DataFrame(
        {
            "p_alive": model.p_alive(distinct),
            "p_buy": model.p_buy(distinct, horizon=HORIZON),
            "expected_purchases": expected,
            "expected_purchases_low": low,
            "expected_purchases_high": high,
            "purchases_p10": model.purchase_quantiles(distinct, horizon=HORIZON, level=0.1),
            "purchases_p90": model.purchase_quantiles(distinct, horizon=HORIZON, level=0.9),
            "discounted_12m": model.discounted_purchases(
                distinct, annual_discount_rate=rate, horizon=HORIZON
            ),
            "discounted_residual": model.discounted_purchases(distinct, annual_discount_rate=rate),
        }
    )


def _interval(
    distinct: pd.DataFrame, purchases: Fit[PurchaseModel] | PurchaseModel, expected: pd.Series
) -> tuple[pd.Series, pd.Series]:
    """95% around a positive mean, symmetric in its logarithm; NaN without a covariance."""
    if not isinstance(purchases, Fit):
        unknown = pd.Series(np.nan, distinct.index)
        return unknown, unknown
    error = purchases.standard_error(lambda model: model.expected_purchases(distinct, horizon=HORIZON))
    factor = np.exp(ndtri(0.975) * error / expected.clip(lower=np.finfo(float).tiny))
    return expected / factor, expected * factor


def _margins(customers: pd.DataFrame, margin: float | str | pd.Series) -> pd.Series:
    if isinstance(margin, str) and margin not in customers:
        raise DataError(f"margin: no column {margin!r}; columns present: {list(customers.columns)}")
    given = customers[margin] if isinstance(margin, str) else margin
    shares = (
        given.reindex(customers.index) if isinstance(given, pd.Series) else pd.Series(given, customers.index)
    )
    if (shares > 1).any():
        raise ConfigError(f"margin {shares.max()}: expected a share of the amount, such as 0.3 for 30%")
    if shares.isna().any():
        first = shares.index[shares.isna()][0]
        raise DataError(
            f"margin: missing for {shares.isna().sum()} of {len(shares)} customers, first {first!r}"
        )
    return shares.astype(float)
