"""Contacts that should not have been: too soon after another, after a no, or while a complaint is fresh."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from crm_analysis.funnel.hygiene.listing import summed
from crm_analysis.workspace import parse_length

SECONDS_PER_DAY = 86_400
NEEDED = ("return", "complaint")


@dataclass(frozen=True)
class ContactHygiene:
    """Lists of customers, one row each, index customer_id; all of treated contacts only.

    several_campaigns : campaign, sent_at, campaign_before, sent_before, days_apart (of the latest case) and
        n_times.
    after_opt_out : campaign, sent_at (of the latest contact), opted_out_at, days_after, n_times; None where
        contacts do not say who opted out.
    after_return : campaign, sent_at, returned_at, days_before (of the latest case), n_times; None without the
        service log.
    summary : index what; n customers of all customers contacted, share, contacts (cases), and value where the
        value of customers was given; the lists then have value_at_stake.
    """

    several_campaigns: pd.DataFrame
    after_opt_out: pd.DataFrame | None
    after_return: pd.DataFrame | None
    summary: pd.DataFrame


def contact_hygiene(
    contacts: pd.DataFrame,
    *,
    service: pd.DataFrame | None = None,
    within: str = "30 days",
    values: pd.Series | None = None,
) -> ContactHygiene:
    """List customers whom campaigns reached when they should not have.

    Parameters
    ----------
    contacts : campaign, customer_id, sent_at, treated, and opted_out_at where known; such as
        `ws.contacts(firm)`. A customer who opted out in one row has opted out for all campaigns.
    service : customer_id, occurred_at, kind, such as `ws.service_log(firm)`; returns and complaints count.
    within : how long after another campaign, or a return, a contact comes too soon.
    values : value of customers, index customer_id; where given, lists carry it as value_at_stake.
    """
    days = parse_length(within)
    reached = contacts[contacts["treated"]].sort_values(
        ["customer_id", "sent_at", "campaign"], ignore_index=True
    )
    cases = {
        f"several campaigns within {within}": _several(reached, days),
        "contacted after opting out": _after_opt_out(contacts, reached),
        f"contacted within {within} after a return": _after_return(reached, service, days),
    }
    lists = {what: None if found is None else _by_customer(found, values) for what, found in cases.items()}
    n = reached["customer_id"].nunique()
    known = {what: table for what, table in lists.items() if table is not None}
    summary = summed(*((what, table, n) for what, table in known.items()))
    summary.insert(3, "contacts", [int(table["n_times"].sum()) for table in known.values()])
    several, opted, returned = lists.values()
    assert several is not None
    return ContactHygiene(several, opted, returned, summary)


def _several(reached: pd.DataFrame, days: float) -> pd.DataFrame:
    """Contacts that follow one of another campaign too soon."""
    before = reached.groupby("customer_id")[["campaign", "sent_at"]].shift()
    cases = reached[["customer_id", "campaign", "sent_at"]].assign(
        campaign_before=before["campaign"], sent_before=before["sent_at"]
    )
    cases["days_apart"] = _days(cases["sent_at"] - cases["sent_before"])
    return cases[(cases["campaign"] != cases["campaign_before"]) & (cases["days_apart"] <= days)]


def _after_opt_out(contacts: pd.DataFrame, reached: pd.DataFrame) -> pd.DataFrame | None:
    """Contacts after the day on which the customer asked for no more."""
    if "opted_out_at" not in contacts:
        return None
    opted = contacts.groupby("customer_id")["opted_out_at"].min()
    cases = reached[["customer_id", "campaign", "sent_at"]].assign(
        opted_out_at=reached["customer_id"].map(opted)
    )
    cases["days_after"] = _days(cases["sent_at"] - cases["opted_out_at"])
    return cases[cases["days_after"] > 0]


def _after_return(reached: pd.DataFrame, service: pd.DataFrame | None, days: float) -> pd.DataFrame | None:
    """Contacts while a return or a complaint was fresh."""
    if service is None:
        return None
    trouble = service[service["kind"].isin(NEEDED)]
    trouble = trouble[["customer_id", "occurred_at"]].sort_values("occurred_at", ignore_index=True)
    cases = pd.merge_asof(
        reached[["customer_id", "campaign", "sent_at"]].sort_values("sent_at", kind="stable"),
        trouble.assign(returned_at=trouble["occurred_at"]),
        left_on="sent_at",
        right_on="occurred_at",
        by="customer_id",
        tolerance=pd.Timedelta(days=days),
    ).drop(columns="occurred_at")
    cases = cases[cases["returned_at"].notna()]
    return cases.assign(days_before=_days(cases["sent_at"] - cases["returned_at"]))


def _days(time: pd.Series) -> pd.Series:
    return time.dt.total_seconds() / SECONDS_PER_DAY


def _by_customer(cases: pd.DataFrame, values: pd.Series | None) -> pd.DataFrame:
    """Latest case of each customer, and how many there were."""
    ordered = cases.sort_values(["customer_id", "sent_at"], kind="stable")
    table = ordered.drop_duplicates("customer_id", keep="last").set_index("customer_id")
    table = table.assign(n_times=ordered["customer_id"].value_counts().reindex(table.index).astype("int64"))
    if values is None:
        return table
    valued = table.assign(value_at_stake=values.reindex(table.index))
    return valued.sort_values("value_at_stake", ascending=False, kind="stable")
