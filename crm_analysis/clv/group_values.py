"""What groups of customers are worth, with ranges, and how much of it is a matter of belief."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crm_analysis.clv.fit import Fit
from crm_analysis.clv.forecast import draw_amounts
from crm_analysis.clv.purchases import PurchaseModel
from crm_analysis.clv.spend import SpendFit
from crm_analysis.clv.value import HORIZON
from crm_analysis.errors import DataError


def value_groups(
    values: pd.DataFrame,
    groups: pd.Series,
    *,
    customers: pd.DataFrame,
    purchases: Fit[PurchaseModel],
    spend: SpendFit,
    generator: np.random.Generator,
    draws: int = 100,
    past_errors: tuple[float, ...] = (),
) -> pd.DataFrame:
    """Value of the next 12 months of each group, the largest first, with the range that it should fall in.

    Parameters
    ----------
    values : `value_customers` of the `customers`.
    groups : of every customer, such as the segment.
    past_errors : forecast / actual - 1 of amounts at earlier origins; as for `forecast_amount`.

    Returns
    -------
    DataFrame, index group: n_customers, value_12m, low, high (95%: parameters of both models and chance in
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
    before = [1 / (1 + error) for error in past_errors]
    low, high = (
        np.min([ends[0], *(np.full(len(names), b) for b in before)], axis=0),
        np.max([ends[1], *(np.full(len(names), b) for b in before)], axis=0),
    )
    grouped = values.groupby(codes)
    value = grouped["value_12m"].sum().to_numpy()
    table = pd.DataFrame(
        {
            "n_customers": grouped.size().to_numpy(),
            "value_12m": value,
            "low": np.minimum(value * low, value * high),
            "high": np.maximum(value * low, value * high),
            "share_of_all": value / value.sum() if value.sum() else np.nan,
            "residual_value": grouped["residual_value"].sum().to_numpy(),
        },
        pd.Index(names, name="group"),
    )
    return table.sort_values("value_12m", ascending=False, kind="stable")


def over_models(by_model: pd.DataFrame, *, model: str) -> dict[str, float]:
    """Numbers for the sentence that goes with any value beyond 12 months.

    Parameters
    ----------
    by_model : `value_by_model`; NBD, in which nobody leaves, counts only where it is the `model`.

    Returns
    -------
    residual, low, high (of the model); lowest, highest (over models); share_beyond_12m, share_beyond_log.
    """
    others = by_model.drop(index=[name for name in ("NBD",) if name != model and name in by_model.index])
    own = by_model.astype(float).to_dict("index")[model]
    return {
        "residual": own["residual_value"],
        "low": own["residual_value_low"],
        "high": own["residual_value_high"],
        "lowest": float(others["residual_value"].min()),
        "highest": float(others["residual_value"].max()),
        "share_beyond_12m": own["share_beyond_12m"],
        "share_beyond_log": own["share_beyond_log"],
    }
