"""What the customer base is worth, and what accounts for the change since last time.

A value moves for reasons that have nothing to do with each other: time passed, customers paid, customers did
more or less than expected, new ones came, and somebody fitted the model again. The last is no event in the
market, and has a bar of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.clv.units import check_rate
from crm_analysis.errors import ConfigError, DataError


def customer_equity(values: pd.Series, *, groups: pd.Series | None = None) -> pd.DataFrame:
    """Value of the base, in all or by group of customers.

    Parameters
    ----------
    values : of each customer from now on, such as `residual_value`; index customer_id.
    groups : group of each customer, such as the segment.

    Returns
    -------
    DataFrame, index group ("all" without groups): n_customers, value, mean_value, share_of_all (of the
    value), n_negative (customers who are worth less than nothing).
    """
    _check_values({"values": values})
    by = pd.Series("all", values.index) if groups is None else groups.reindex(values.index)
    if by.isna().any():
        raise DataError(f"customer_equity: {int(by.isna().sum())} of {len(values)} customers have no group")
    grouped = values.groupby(by, observed=True)
    total = values.sum()
    table = {
        "n_customers": grouped.size(),
        "value": grouped.sum(),
        "mean_value": grouped.mean(),
        "share_of_all": grouped.sum() / (total if total else np.nan),
        "n_negative": (values < 0).groupby(by, observed=True).sum(),
    }
    return pd.DataFrame(table).rename_axis("group")


@dataclass(frozen=True, eq=False)
class RollForward:
    """The value of the base from opening to closing.

    table : index step: opening, the five steps, closing; value, n_customers (whom the step concerns). The
        steps add up: opening + steps = closing.
    customers : the same per customer, index customer_id, one column per step, opening and closing included;
        to be summed by segment.
    """

    table: pd.DataFrame
    customers: pd.DataFrame

    @property
    def steps(self) -> dict[str, float]:
        """Value of each step, for a sentence: opening, unwinding, margin_received, ... closing."""
        words = {str(step): str(step).replace(" ", "_").replace("-", "_") for step in self.table.index}
        return {words[str(step)]: float(value) for step, value in self.table["value"].items()}


def equity_roll_forward(
    opening: pd.Series,
    closing: pd.Series,
    *,
    closing_by_opening_model: pd.Series,
    margin: pd.Series,
    annual_discount_rate: float,
    years: float,
) -> RollForward:
    """Split the change of the value of the base; all per customer, index customer_id.

    Parameters
    ----------
    opening : values at the opening date, by the opening model.
    closing : values at the closing date, by the closing model. Whoever is in it and not in `opening` is new.
    closing_by_opening_model : values at the closing date of the same customers, by the *opening* model on the
        new data.
    margin : received in between, per customer, undiscounted; customers without a row brought nothing. What
        new customers paid was in no opening value, and is left out.
    annual_discount_rate : that of the values.
    years : between the two dates: 0.25 for a quarter.

    Returns
    -------
    RollForward, steps: *unwinding* (interest: what was expected is nearer; on the opening value, less that on
    the margin, taken as received in the middle), *margin received* (taken out), *known customers* (by the
    opening model, what they did beyond what it expected: on average 0 if the model is right), *new
    customers* (by the opening model), *re-estimation* (closing less opening model, on the closing data).

    Raises
    ------
    DataError
        A value is missing, a customer appears twice, the two closing values are of other customers, or an
        opening customer has none (give 0 to a contract that has ended).
    """
    check_rate(annual_discount_rate)
    if not years > 0:
        raise ConfigError(f"equity_roll_forward: years {years}; expected the time between the dates, above 0")
    named = {"opening": opening, "closing": closing, "closing_by_opening_model": closing_by_opening_model}
    _check_values(named | {"margin": margin})
    _check_customers(**named)
    table = pd.DataFrame({"closing": closing, "old": closing_by_opening_model})
    known = table.index.isin(opening.index)
    start = opening.reindex(table.index).fillna(0.0)
    received = margin.reindex(table.index).fillna(0.0).where(known, 0.0)
    growth = (1 + annual_discount_rate) ** years
    unwinding = start * (growth - 1) - received * (growth**0.5 - 1)
    parts = {
        "opening": start,
        "unwinding": unwinding,
        "margin received": -received,
        "known customers": (table["old"] - (start + unwinding - received)).where(known, 0.0),
        "new customers": table["old"].where(~known, 0.0),
        "re-estimation": table["closing"] - table["old"],
        "closing": table["closing"],
    }
    customers = pd.DataFrame(parts).rename_axis("customer_id")
    counts = [len(opening)] * 4 + [int((~known).sum()), len(closing), len(closing)]
    steps = pd.DataFrame({"value": customers.sum(), "n_customers": counts}).rename_axis("step")
    return RollForward(steps, customers)


def _check_values(values: dict[str, pd.Series]) -> None:
    for name, series in values.items():
        if twice := int(series.index.duplicated().sum()):
            raise DataError(f"{name}: {twice} customers appear more than once; expected one row each")
        if missing := int((~np.isfinite(series.astype(float))).sum()):
            raise DataError(
                f"{name}: {missing} of {len(series)} customers have no value; give each one, or 0"
            )


def _check_customers(*, opening: pd.Series, closing: pd.Series, closing_by_opening_model: pd.Series) -> None:
    if len(other := closing.index.symmetric_difference(closing_by_opening_model.index)):
        raise DataError(
            f"equity_roll_forward: {len(other)} customers are in one of closing and closing_by_opening_model "
            f"only, first {other[0]!r}; expected the same customers valued by both models"
        )
    if len(gone := opening.index.difference(closing.index)):
        raise DataError(
            f"equity_roll_forward: {len(gone)} of {len(opening)} opening customers have no closing value, "
            f"first {gone[0]!r}; value everybody again, with 0 for a contract that has ended"
        )
