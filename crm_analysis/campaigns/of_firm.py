"""The campaigns of a firm of a workspace, and what its responders bought."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from crm_analysis.campaigns.baskets import Baskets, read_baskets
from crm_analysis.campaigns.effects import CampaignEffect, Effects
from crm_analysis.campaigns.measured import evaluate
from crm_analysis.errors import DataError

if TYPE_CHECKING:
    from crm_analysis.doors.store import OpenWorkspace
    from crm_analysis.doors.transactions import Transactions

NOBODY = pd.DataFrame(
    {"campaign": pd.Series(dtype=str), "customer_id": pd.Series(dtype=str), "treated": pd.Series(dtype=bool)}
).assign(sent_at=pd.Series(dtype="datetime64[us]"))


def firm_effects(
    workspace: OpenWorkspace, firm: str, *, log: Transactions, after: str, level: float = 0.95
) -> Effects:
    """Effects of a firm's campaigns as its log shows them; no campaigns where it has no contacts.

    Parameters
    ----------
    log : the firm's, up to the day from which is looked back.
    after : length of the days after a window; and of the window, where a campaign has no last day.
    """
    contacts, campaigns = workspace.contacts(firm), workspace.campaigns(firm)
    dated = campaigns is not None and campaigns[["started_at", "ended_at"]].notna().all(axis=None)
    margin = workspace.settings.value.margin
    return evaluate(
        NOBODY if contacts is None else contacts,
        log,
        campaigns=campaigns if dated else None,
        window=after,
        margin=margin if isinstance(margin, float) and "cost" not in log.lines.columns else None,
        after=after,
        level=level,
    )


def responders_baskets(effects: Effects, log: Transactions, *, campaign: str, item: str) -> Baskets | None:
    """What each responder of a campaign bought in its window, one basket a customer; None without any.

    Parameters
    ----------
    item : "product_id" or "category".
    """
    if item not in log.lines.columns:
        return None
    part = effects.members[effects.members["campaign"] == campaign]
    responders = part.loc[part["treated"] & (part["orders_during"] > 0), "customer_id"]
    days = {"since": part["start"].min().date(), "until": part["end"].max().date()}
    try:
        return read_baskets(log, item=item, customers=set(responders), **days)
    except DataError:
        return None


def last_measured(effects: Effects) -> CampaignEffect | None:
    """Return the latest campaign whose window is over, or None."""
    known = [effect for effect in effects if effect.status == "known"]
    return known[-1] if known else None
