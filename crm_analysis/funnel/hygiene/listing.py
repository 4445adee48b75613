"""A list of cases with the counts behind it, and the tables that lists are made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from crm_analysis.doors.pipeline import Pipeline


@dataclass(frozen=True)
class Listed:
    """Cases to look at, and how many they are of how many.

    table : one row per case; index opportunity_id or customer_id. `value_at_stake` where there are amounts.
    summary : index what; n (cases), of (all that could be one), share (missing where nothing could be a
        case), and value (sum of value_at_stake) where there are amounts.
    """

    table: pd.DataFrame
    summary: pd.DataFrame


def summed(*lines: tuple[str, pd.DataFrame, int]) -> pd.DataFrame:
    """Summary of (what, cases, of how many)."""
    rows = [
        {"what": what, "n": len(cases), "of": of, "share": len(cases) / of if of else float("nan")}
        | ({"value": cases["value_at_stake"].sum()} if "value_at_stake" in cases else {})
        for what, cases, of in lines
    ]
    return pd.DataFrame(rows).set_index("what")


def deals_of(pipeline: Pipeline) -> pd.DataFrame:
    """Opportunities as a frame: index opportunity_id, days as datetime64[us], amount as float."""
    table = pipeline.opportunities
    if "amount" in table.columns:
        table = table.mutate(amount=table.amount.cast("float64"))
    deals = table.to_pandas().set_index("opportunity_id").sort_index()
    days = [name for name in ("created_on", "closed_on", "expected_close") if name in deals]
    for name in days:
        deals[name] = pd.to_datetime(deals[name]).astype("datetime64[us]")
    texts = [
        name
        for name in ("current_stage", "outcome", "owner", "account_id", "phone", "email")
        if name in deals
    ]
    return deals.astype(dict.fromkeys(texts, "str"))


def stake(table: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    """Table of opportunities with their amount, where it is mapped, as `value_at_stake`; largest first."""
    if "amount" not in deals:
        return table
    valued = table.assign(value_at_stake=deals["amount"].reindex(table.index))
    return valued.sort_values("value_at_stake", ascending=False, kind="stable")


def end_of(day: Any) -> pd.Timestamp:
    """Return the first moment after a day."""
    return pd.Timestamp(day) + pd.Timedelta(days=1)
