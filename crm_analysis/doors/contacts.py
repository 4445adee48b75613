"""Whom each campaign reached, or left alone for comparison."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd

from crm_analysis.doors.framed import Framed, Rows, read_framed, verdict_of
from crm_analysis.doors.schema import Check, Column, Schema, is_missing
from crm_analysis.doors.verdict import Defect, Verdict

SCHEMA = Schema(
    "contacts",
    (
        Column("campaign", "id", required=True),
        Column("customer_id", "id", required=True),
        Column("sent_at", "time"),
        Column("treated", "flag"),
        Column("cost", "money"),
        Column("responded", "flag"),
        Column("responded_at", "time"),
        Column("opted_out_at", "time"),
    ),
)
LOST = "reached customers are too few; response leans to those whose contacts are complete"
CHECKS = (
    Check("campaign missing", "set aside", is_missing("campaign"), "name no campaign (campaign)", LOST),
    Check(
        "customer missing",
        "set aside",
        is_missing("customer_id"),
        "name no customer (customer_id)",
        LOST,
        ("campaign",),
    ),
)


def read_contacts(
    source: Any,
    *,
    columns: Mapping[str, Any],
    campaigns: pd.DataFrame | None = None,
    known: Collection[str] | None = None,
    max_set_aside: float = 0.05,
    **options: Any,
) -> Framed:
    """Check whom campaigns reached: one row per contact, with the control group where there is one.

    Parameters
    ----------
    columns : canonical name -> name in the source: campaign, customer_id; sent_at, which may be left out
        where `campaigns` has the start; treated (False: left alone for comparison), which is true for all
        where it is not mapped; optional cost, responded, responded_at, opted_out_at.
    campaigns : frame of `read_campaigns`; a contact of a campaign that is not there refuses the table.
    known : customers of the log; contacts of others are kept and counted.

    Returns
    -------
    Framed; frame: campaign, customer_id (text), sent_at (datetime64[us]), treated (bool), and where mapped
    cost (float; missing where not known), responded (bool; made of responded_at where only that is mapped),
    responded_at, opted_out_at.

    Raises
    ------
    DataError
        Carrying the verdict: a column is missing or unreadable, a campaign is not known, a customer is
        treated and left alone in one campaign, a cost is negative, too many rows set aside.
    """
    checks = [*CHECKS, *_asked(campaigns)]
    find = partial(_contacts, campaigns=campaigns, known=known)
    return read_framed(source, SCHEMA, checks, find, columns=columns, max_set_aside=max_set_aside, **options)


def check_contacts(source: Any, **arguments: Any) -> Verdict:
    """Return the verdict of `read_contacts`, called with the same arguments, without raising it."""
    return verdict_of(read_contacts, source, arguments)


def _asked(campaigns: pd.DataFrame | None) -> list[Check]:
    """Checks of the time, which the start of a campaign may stand for, and of who was treated."""
    time = Check(
        "time missing",
        "set aside",
        _is_empty("sent_at"),
        "have no time (sent_at)",
        LOST,
        ("campaign", "customer_id"),
    )
    treated = Check(
        "treated missing",
        "set aside",
        _is_empty("treated"),
        "do not say whether the customer was treated or left alone (treated)",
        "the effect leans to nothing if one of the two groups is incomplete",
        ("campaign", "customer_id"),
    )
    return [treated] if campaigns is not None else [time, treated]


def _is_empty(name: str) -> Callable[[ir.Table], Any]:
    """Predicate: the column is there, and empty."""
    return lambda t: is_missing(name)(t) if name in t.columns else ibis.literal(False)


def _contacts(
    rows: Rows, *, campaigns: pd.DataFrame | None, known: Collection[str] | None
) -> tuple[pd.DataFrame, list[Defect]]:
    frame, made = _completed(rows, campaigns)
    rows = Rows(frame, rows.name)
    return frame, [
        *made,
        *_both_ways(rows),
        *_of_campaigns(rows, campaigns),
        *_without_control(rows),
        *_unknown_customers(rows, known),
        *_costs(rows),
        *_responses(rows),
    ]


def _completed(rows: Rows, campaigns: pd.DataFrame | None) -> tuple[pd.DataFrame, list[Defect]]:
    """Contacts with what is not mapped: the start of their campaign, treated, responded."""
    frame, defects = rows.frame.copy(), list[Defect]()
    if campaigns is not None:
        start = _day_of(frame, campaigns, "started_at")
        sent = frame.get("sent_at", pd.Series(pd.NaT, frame.index))
        if "sent_at" in frame:
            sentence = "have no time (sent_at); the start of their campaign is taken"
            defects += rows.found("time missing", "flag", sent.isna(), sentence)
        frame["sent_at"] = sent.fillna(start).astype("datetime64[us]")
    elif "sent_at" not in frame:
        found = f"{rows.name}: no column is mapped to sent_at; map it, or give the campaigns and their starts"
        defects.append(Defect("time missing", "refuse", found))
        frame["sent_at"] = pd.Series(pd.NaT, frame.index, dtype="datetime64[us]")
    if "treated" not in frame:
        frame["treated"] = True
    if "responded" in frame and frame["responded"].dtype != bool:
        none = frame["responded"].isna()
        defects += rows.found(
            "response missing",
            "flag",
            none,
            "do not say whether there was a response (responded); they count as none",
            "response leans low",
        )
        frame["responded"] = frame["responded"].fillna(False).astype(bool)
    if "responded_at" in frame:
        frame["responded"] = frame["responded_at"].notna() | frame.get("responded", False)
    order = [column.name for column in SCHEMA.columns if column.name in frame]
    return frame[order], defects


def _both_ways(rows: Rows) -> list[Defect]:
    by_customer = rows.frame.groupby(["campaign", "customer_id"], sort=False)["treated"]
    return rows.found(
        "treated and not",
        "refuse",
        by_customer.transform("min") != by_customer.transform("max"),
        "are of a customer whom one campaign both treated and left alone (treated); a customer is in one of "
        "the two groups: put that right in the source",
        shows=("campaign", "customer_id"),
    )


def _of_campaigns(rows: Rows, campaigns: pd.DataFrame | None) -> list[Defect]:
    """Contacts of campaigns that nobody declared, campaigns without contacts, contacts outside the window."""
    if campaigns is None:
        return []
    frame, windows = rows.frame, campaigns.set_index("campaign")
    unknown = ~frame["campaign"].isin(windows.index)
    names = sorted(frame.loc[unknown, "campaign"].unique())[:5]
    silent = sorted(set(windows.index) - set(frame["campaign"]))
    day = frame["sent_at"].dt.normalize()
    start, end = (_day_of(frame, campaigns, name) for name in ("started_at", "ended_at"))
    return [
        *rows.found(
            "campaign not known",
            "refuse",
            unknown,
            f"are of campaigns that the table of campaigns does not have: {names}; add them there, or put "
            "their names right",
        ),
        *rows.found(
            "sent outside the window",
            "flag",
            (day < start) | (day > end),
            "were sent (sent_at) outside the days of their campaign (started_at to ended_at)",
            "what these customers did in the window is not only the campaign's",
            shows=("campaign", "customer_id", "sent_at"),
        ),
        *([_silent(rows.name, silent)] if silent else []),
    ]


def _day_of(frame: pd.DataFrame, campaigns: pd.DataFrame, name: str) -> pd.Series:
    """First or last day of the campaign of each contact, where it is known."""
    days = campaigns.set_index("campaign")[name].reindex(frame["campaign"])
    return pd.Series(days.to_numpy("datetime64[us]"), frame.index)


def _silent(name: str, campaigns: list[str]) -> Defect:
    found = f"{name}: campaigns without a contact: {campaigns[:5]}"
    bias = "none, if they reached nobody; else they look as if they had cost and brought nothing"
    return Defect("campaigns without contacts", "flag", found, len(campaigns), bias=bias)


def _without_control(rows: Rows) -> list[Defect]:
    groups = rows.frame.groupby("campaign")["treated"].agg(["min", "max"])
    alone, nobody = groups.index[groups["min"]], groups.index[~groups["max"]]
    defects = []
    if len(alone):
        found = (
            f"{rows.name}: {len(alone):,} of {len(groups):,} campaigns left nobody alone for comparison "
            f"({', '.join(alone[:3])}{', ...' if len(alone) > 3 else ''})"
        )
        bias = "what they added cannot be known: whoever is chosen for a campaign mostly buys more anyway"
        defects.append(Defect("no control group", "flag", found, len(alone), bias=bias))
    if len(nobody):
        which = ", ".join(nobody[:3])
        found = f"{rows.name}: {len(nobody):,} of {len(groups):,} campaigns treated nobody ({which})"
        bias = "nothing can be said about them"
        defects.append(Defect("nobody treated", "flag", found, len(nobody), bias=bias))
    return defects


def _unknown_customers(rows: Rows, known: Collection[str] | None) -> list[Defect]:
    if known is None:
        return []
    there, customers = frozenset(known), rows.frame["customer_id"]
    unknown = pd.Series([customer not in there for customer in customers], customers.index)
    return rows.found(
        "customer not in the log",
        "flag",
        unknown,
        "are of customers who are not in the purchase log (customer_id); they are kept as not having bought",
        "none if they never bought; response leans low if their ids are written in another way",
        shows=("campaign", "customer_id"),
    )


def _costs(rows: Rows) -> list[Defect]:
    frame = rows.frame
    if "cost" not in frame:
        return []
    shows = ("campaign", "customer_id", "cost")
    return [
        *rows.found("cost negative", "refuse", frame["cost"] < 0, "have a negative cost; put its sign right",
                    shows=shows),
        *rows.found("cost missing", "flag", frame["cost"].isna(), "have no cost (cost)",
                    "costs lean low, and what campaigns brought leans high", shows=shows[:2]),
        *rows.found("cost without treatment", "flag", (frame["cost"] > 0) & ~frame["treated"],
                    "cost something and were left alone (treated)",
                    "the effect leans to nothing if these were treated after all", shows=shows),
    ]  # fmt: skip


def _responses(rows: Rows) -> list[Defect]:
    frame = rows.frame
    if "responded_at" not in frame:
        return []
    return rows.found(
        "response before contact",
        "flag",
        frame["responded_at"] < frame["sent_at"],
        "have a response (responded_at) before they were sent (sent_at)",
        "response leans high: that was no answer to this contact",
        shows=("campaign", "customer_id", "sent_at", "responded_at"),
    )
