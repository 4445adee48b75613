"""From contact to opportunity: which contacted customers entered the pipeline, as far as it knows whom."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from crm_analysis.campaigns.effects import Effects
from crm_analysis.rates import newcombe

COLUMNS = ["n_contacted", "n_control", "n_opportunities", "n_customers", "n_won", "amount_won"]
COLUMNS += ["control_customers", "difference", "low", "high"]


@dataclass(frozen=True, eq=False)
class Followed:
    """Opportunities of contacted customers.

    table : index campaign; n_contacted, n_control; of the treated, created in the campaign's days (the days
        after included where they are known): n_opportunities, n_customers (with one), n_won, amount_won;
        control_customers (with one); difference of the shares with one, low, high (Newcombe).
    pairs : campaign, customer_id, treated, opportunity_id, outcome, amount.
    share_known : share of the opportunities created in the campaigns' days that name their account. Where an
        account is only named once won, open and lost opportunities cannot be followed.
    """

    table: pd.DataFrame
    pairs: pd.DataFrame
    share_known: float


def follow_to_pipeline(effects: Effects, opportunities: pd.DataFrame) -> Followed:
    """Find the opportunities of contacted customers that were created while the campaign could work.

    Parameters
    ----------
    opportunities : opportunity_id, account_id (the customer_id), created_on, outcome, amount.
    """
    members = effects.members.copy()
    members["last"] = members["end"] + pd.Timedelta(days=effects.after_days)
    created = pd.to_datetime(opportunities["created_on"]).astype("datetime64[us]")
    table = opportunities.assign(created_on=created, account_id=opportunities["account_id"].replace("", None))
    in_days = pd.Series(False, table.index)
    for _, part in members.groupby("campaign", sort=False):
        in_days |= table["created_on"].between(part["start"].min(), part["last"].max())
    named = table["account_id"].notna()
    merged = members.merge(table[named], left_on="customer_id", right_on="account_id")
    merged = merged[merged["created_on"].between(merged["start"], merged["last"])]
    columns = ["campaign", "customer_id", "treated", "opportunity_id", "outcome", "amount"]
    pairs = merged[columns].reset_index(drop=True)
    rows = {
        str(name): _row(part, pairs[pairs["campaign"] == name], effects.level)
        for name, part in members.groupby("campaign", sort=False)
    }
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=COLUMNS).rename_axis("campaign")
    share = float(named[in_days].mean()) if in_days.any() else float("nan")
    return Followed(frame, pairs, share)


def _row(members: pd.DataFrame, pairs: pd.DataFrame, level: float) -> list[float]:
    own, control = pairs[pairs["treated"]], pairs[~pairs["treated"]]
    n, n_control = int(members["treated"].sum()), int((~members["treated"]).sum())
    won = own[own["outcome"] == "won"]
    k, k_control = own["customer_id"].nunique(), control["customer_id"].nunique()
    low = high = gap = float("nan")
    if n and n_control:
        gap = k / n - k_control / n_control
        low, high = newcombe(k, n, k_b=k_control, n_b=n_control, level=level)
    return [n, n_control, len(own), k, len(won), float(won["amount"].sum()), k_control, gap, low, high]
