"""The comparison that is no effect: contacted customers beside those who were not chosen."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crm_analysis.campaigns.outcomes import Orders


def compare_with_untargeted(members: pd.DataFrame, orders: Orders, *, before_days: int) -> pd.DataFrame:
    """What contacted customers bought, beside all other customers known on the campaign's first day.

    Campaigns go to customers who buy. The difference before the campaign, when there was nothing to respond
    to, shows how much of the difference in its window is a choice and no effect.

    Returns
    -------
    DataFrame, index campaign: n_targeted (treated), n_untargeted; targeted, untargeted (amount per customer
    in the window); naive (their difference); already_before (the same difference in the days before, brought
    to the length of the window); against_control (treated less control in the window: the effect). Missing
    where responses carry no dates, or nobody else is known.
    """
    rows = {
        str(name): _row(part, orders, before_days) for name, part in members.groupby("campaign", sort=False)
    }
    columns = ["n_targeted", "n_untargeted", "targeted", "untargeted", "naive"]
    columns += ["already_before", "against_control"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("campaign")


def _row(part: pd.DataFrame, orders: Orders, before_days: int) -> list[float]:
    treated, control = part[part["treated"]], part[~part["treated"]]
    first, last = part["start"].min(), part["end"].max()
    others = orders.first_on.index[orders.first_on < first].difference(part["customer_id"])
    during, before = (
        _mean_amount(orders, others, *span)
        for span in ((first, last), (first - pd.Timedelta(days=before_days), first - pd.Timedelta(days=1)))
    )
    days = (last - first).days + 1
    own, own_before = treated["amount_during"].mean(), treated["amount_before"].mean()
    already = (own_before - before) * days / before_days if before_days else np.nan
    against = own - control["amount_during"].mean()
    return [len(treated), len(others), own, during, own - during, already, against]


def _mean_amount(orders: Orders, customers: pd.Index, first: pd.Timestamp, last: pd.Timestamp) -> float:
    if not len(customers):
        return np.nan
    chosen = orders.table[orders.table["occurred_on"].between(first, last)]
    return float(chosen.loc[chosen["customer_id"].isin(customers), "amount"].sum() / len(customers))
