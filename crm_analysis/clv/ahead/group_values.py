"""What groups of customers are worth, with ranges."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crm_analysis.clv.ahead.forecast import draw_amounts
from crm_analysis.clv.ahead.outlook import errors_of
from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.models.purchases import PurchaseModel
from crm_analysis.clv.models.spend import SpendFit
from crm_analysis.clv.worth.value import HORIZON
from crm_analysis.errors import DataError


def value_groups(
    values: pd.DataFrame,
    groups: pd.Series,
    *,
    customers: pd.DataFrame,
    purchases: Fit[PurchaseModel],
    spend: SpendFit,
    generator: np.random.Generator,
    past: pd.DataFrame,
    draws: int = 100,
) -> pd.DataFrame:
    """Value of the next 12 months of each group, the largest first, with the range that it should fall in.

    Parameters
    ----------
    values : `value_customers` of the `customers`.
    groups : of every customer, such as the segment.
    past : `past_forecasts`; ranges reach as far as each error of amounts made before would put the actual.

    Returns
    -------
    DataFrame, index group: n_customers, value, low, high (95%: parameters of both models and chance in
    what customers do, drawn, in proportion to the amounts; widened to past errors), share_of_all (of the
    value), residual_value.
    """
    of_group = groups.reindex(values.index)
    if of_group.isna().any():
        first = of_group.index[of_group.isna()][0]
        n = of_group.isna().sum()
        raise DataError(f"value_groups: {n} of {len(of_group)} customers have no group, first {first!r}")
    codes, names = pd.factorize(of_group)
    totals = np.stack(
        [
            np.bincount(codes, amounts, minlength=len(names))
            for amounts in draw_amounts(
                purchases, customers, spend=spend, horizon=HORIZON, generator=generator, draws=draws
            )
        ]
    )
    expected = np.bincount(codes, values["expected_purchases"] * values["expected_amount"])
    ends = np.quantile(totals, [0.025, 0.975], axis=0) / expected
    before = 1 / (1 + errors_of(past, "amount").to_numpy())
    low = np.minimum(ends[0], before.min(initial=np.inf))
    high = np.maximum(ends[1], before.max(initial=0.0))
    grouped = values.groupby(codes)
    value = grouped["value_12m"].sum().to_numpy()
    table = pd.DataFrame(
        {
            "n_customers": grouped.size().to_numpy(),
            "value": value,
            "low": np.minimum(value * low, value * high),
            "high": np.maximum(value * low, value * high),
            "share_of_all": value / value.sum() if value.sum() else np.nan,
            "residual_value": grouped["residual_value"].sum().to_numpy(),
        },
        pd.Index(names, name="group"),
    )
    return table.sort_values("value", ascending=False, kind="stable")
