"""The campaigns: their kind, the days on which they may have had an effect, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from crm_analysis.doors.framed import Framed, Rows, read_framed, verdict_of
from crm_analysis.doors.schema import Check, Column, Schema, is_missing
from crm_analysis.doors.verdict import Defect, Verdict

SCHEMA = Schema(
    "campaigns",
    (
        Column("campaign", "id", required=True),
        Column("kind", "text"),
        Column("started_at", "day", required=True),
        Column("ended_at", "day", required=True),
        Column("cost_per_contact", "money"),
        Column("fixed_cost", "money"),
    ),
)
CHECKS = (
    Check("campaign missing", "refuse", is_missing("campaign"), "name no campaign (campaign); complete them"),
    Check(
        "window missing",
        "refuse",
        lambda t: is_missing("started_at")(t) | is_missing("ended_at")(t),
        "have no first or no last day of their effect (started_at, ended_at); complete them",
        shows=("campaign",),
    ),
    Check(
        "window reversed",
        "refuse",
        lambda t: t.ended_at < t.started_at,
        "end (ended_at) before they start (started_at); put the days of their effect right",
        shows=("campaign", "started_at", "ended_at"),
    ),
)


def read_campaigns(source: Any, *, columns: Mapping[str, Any], **options: Any) -> Framed:
    """Check campaigns; frame: campaign (text), started_at, ended_at (days of the effect window, both in it).

    Where mapped also kind, cost_per_contact, fixed_cost, in the workspace's currency.

    Raises
    ------
    DataError
        Carrying the verdict: a column is missing or unreadable, a campaign is there twice or has no window, a
        window ends before it starts, a cost is negative.
    """
    return read_framed(source, SCHEMA, CHECKS, _found, columns=columns, **options)


def check_campaigns(source: Any, **arguments: Any) -> Verdict:
    """Return the verdict of `read_campaigns`, called with the same arguments, without raising it."""
    return verdict_of(read_campaigns, source, arguments)


def _found(rows: Rows) -> tuple[pd.DataFrame, list[Defect]]:
    frame = rows.frame
    costs = [name for name in ("cost_per_contact", "fixed_cost") if name in frame]
    return frame, [
        *rows.found(
            "campaign twice",
            "refuse",
            frame.duplicated("campaign", keep=False),
            "share their name (campaign) with another row, one row per campaign was expected: merge them, or "
            "tell them apart, such as by the year",
            shows=("campaign", "started_at"),
        ),
        *rows.found(
            "cost negative",
            "refuse",
            (frame[costs] < 0).any(axis="columns"),
            "have a negative cost; put its sign right",
            shows=("campaign", *costs),
        ),
        *rows.found(
            "cost missing",
            "flag",
            frame[costs].isna().any(axis="columns"),
            f"have no cost ({', '.join(costs)})",
            "costs lean low, and what campaigns brought leans high",
            shows=("campaign",),
        ),
    ]
