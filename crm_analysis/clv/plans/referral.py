"""What customers are worth for whom they bring, beside what they buy themselves.

Kumar, Petersen & Leone (2007), Harvard Business Review 85(10), 139-146. A referral of *type 1* brought
somebody who would not have come otherwise: the whole value of that customer is the referrer's. One of *type
2* brought somebody who would have come anyway: what it saved is the cost of acquisition. Which of the two it
was is asked of the new customer; a firm that counts all as type 1 pays for customers whom it already had.

The value of a referred customer appears here and in that customer's own value: the two are shown side by
side and never added up over a customer base.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from crm_analysis.clv.units import check_rate
from crm_analysis.errors import ConfigError, DataError

COLUMNS = ["referrer", "would_have_come", "value", "acquisition_saved", "reward", "years_until"]

CELLS = {
    (True, True): "Champions",
    (True, False): "Affluents",
    (False, True): "Advocates",
    (False, False): "Misers",
}


def referral_value(referrals: pd.DataFrame, *, annual_discount_rate: float) -> pd.DataFrame:
    """Value of each referrer's referrals, today.

    Parameters
    ----------
    referrals : one row per referred customer. referrer; would_have_come (True for type 2, False for type
        1); value (of the new customer when joining, before any cost of acquisition); acquisition_saved (what
        winning the customer would have cost otherwise); reward (paid for the referral); years_until (from
        today until the customer joins, 0 for one who has).

    Returns
    -------
    DataFrame, index referrer: n_type_1, n_type_2, type_1_value (values less rewards), type_2_value (costs
        saved less rewards), referral_value (their sum), all discounted. A type 1 referral saves nothing: the
        customer would not have been won at any cost.

    Raises
    ------
    DataError
        A column is missing, or a row has no referrer, type, amount or time.
    """
    check_rate(annual_discount_rate)
    if missing := [name for name in COLUMNS if name not in referrals]:
        raise DataError(f"referrals: no column {missing}; columns present: {list(referrals.columns)}")
    if n := int(referrals[COLUMNS].isna().any(axis="columns").sum()):
        raise DataError(f"referrals: {n} of {len(referrals)} rows lack a value in one of {COLUMNS}")
    anyway = referrals["would_have_come"].astype(bool)
    today = (1 + annual_discount_rate) ** -referrals["years_until"].astype(float)
    brought = np.where(anyway, referrals["acquisition_saved"], referrals["value"])
    worth = (brought - referrals["reward"]) * today
    parts = pd.DataFrame(
        {
            "referrer": referrals["referrer"],
            "n_type_1": (~anyway).astype(int),
            "n_type_2": anyway.astype(int),
            "type_1_value": worth.where(~anyway, 0.0),
            "type_2_value": worth.where(anyway, 0.0),
        }
    )
    table = parts.groupby("referrer").sum()
    return table.assign(referral_value=table["type_1_value"] + table["type_2_value"])


def referral_matrix(
    customers: pd.DataFrame,
    *,
    value: str,
    referral: str = "referral_value",
    cut_points: Mapping[str, float] | None = None,
) -> tuple[pd.Series, pd.DataFrame]:
    """Customers by what they buy and whom they bring: Champions, Affluents, Advocates, Misers.

    Parameters
    ----------
    customers : one row per customer with the columns `value` and `referral` (0 for who referred nobody).
    cut_points : column -> the number above which a customer is high; the medians unless given.

    Returns
    -------
    cells : name of the cell per customer. Champions are high in both, Affluents in value alone, Advocates
        in referrals alone, Misers in neither.
    table : index cell: n_customers, share_of_all, and the mean of both columns (NaN for nobody).
    """
    columns = [value, referral]
    if missing := [name for name in columns if name not in customers]:
        raise DataError(f"customers: no column {missing}; columns present: {list(customers.columns)}")
    n = int(customers[columns].isna().any(axis="columns").sum())
    if n or customers.empty:
        raise DataError(f"referral_matrix: {n} of {len(customers)} customers lack a value; each needs both")
    cuts = customers[columns].median() if cut_points is None else pd.Series(dict(cut_points), dtype=float)
    if set(cuts.index) != set(columns):
        raise ConfigError(f"cut_points: {list(cuts.index)}; expected {columns}")
    high = customers[columns] > cuts[columns]
    names = [CELLS[bool(v), bool(r)] for v, r in high.itertuples(index=False)]
    cells = pd.Series(names, customers.index, name="cell")
    grouped = customers[columns].groupby(cells)
    table = grouped.mean().reindex(list(CELLS.values())).rename_axis("cell")
    n_customers = grouped.size().reindex(table.index, fill_value=0)
    table.insert(0, "n_customers", n_customers)
    table.insert(1, "share_of_all", n_customers / len(customers))
    return cells, table
