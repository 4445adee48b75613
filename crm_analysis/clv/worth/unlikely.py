"""Customers worth a call: much value expected of them, and yet more likely not to buy than to buy."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError


def unlikely_buyers(
    customers: pd.DataFrame, values: pd.DataFrame, *, below: float = 0.5, n_largest: int = 50
) -> pd.DataFrame:
    """List the customers with the largest value_12m among those with p_buy below a limit.

    Parameters
    ----------
    customers, values : `summarise_customers` and `value_customers`, same index.
    below : the limit, above 0 and at most 1.

    Returns
    -------
    DataFrame, index customer_id, largest first: value_at_stake (value_12m), p_buy, purchases_p10,
    purchases_p90, days_since_last, usual_gap_days (days per repeat purchase so far; NaN for those who bought
    once) and pattern: "once", "silent" (for longer than the usual gap) or "rare".
    """
    if not 0 < below <= 1:
        raise ConfigError(f"unlikely_buyers: below {below}: expected a probability above 0 and at most 1")
    listed = values[values["p_buy"] < below].nlargest(n_largest, "value_12m")
    known = customers.loc[listed.index]
    gap = known["t_last"] / known["n_repeat"].where(known["n_repeat"] > 0)
    silent = np.where(known["days_since_last"] > gap, "silent", "rare")
    return pd.DataFrame(
        {
            "value_at_stake": listed["value_12m"],
            "p_buy": listed["p_buy"],
            "purchases_p10": listed["purchases_p10"],
            "purchases_p90": listed["purchases_p90"],
            "days_since_last": known["days_since_last"],
            "usual_gap_days": gap,
            "pattern": np.where(known["n_repeat"] == 0, "once", silent),
        }
    ).rename_axis("customer_id")


def at_stake(listed: pd.DataFrame, values: pd.DataFrame) -> dict[str, float]:
    """Say how much hangs on a list: n, value (sum of value_at_stake), share (of everybody's value_12m)."""
    value, total = float(listed["value_at_stake"].sum()), float(values["value_12m"].sum())
    return {"n": len(listed), "value": value, "share": value / total if total else float("nan")}
