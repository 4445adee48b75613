"""Small pipelines made by hand, as a door would hand them over."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import ibis
import pandas as pd

STAGES = ("Lead", "Qualified", "Proposal", "Won")
SNAPSHOT = dt.date(2025, 6, 30)
START = dt.date(2025, 1, 1)


@dataclass(frozen=True)
class HandMade:
    history: ibis.Table
    opportunities: ibis.Table
    stages: tuple[str, ...] = STAGES
    lost: tuple[str, ...] = ("Lost",)
    snapshot_at: dt.date = SNAPSHOT
    shape: str = "history"
    furthest_known: bool = True


def pipeline_of(entries: pd.DataFrame, *, stages=STAGES, snapshot_at=SNAPSHOT, **changes) -> HandMade:
    """Pipeline of stage entries: opportunity_id, stage, entered_on (dates), in order; optional amount."""
    rows = entries.copy()
    rows["entered_on"] = pd.to_datetime(rows["entered_on"]).dt.date
    rows["sequence"] = rows.groupby("opportunity_id").cumcount()
    rows["stage_number"] = rows["stage"].map({name: k for k, name in enumerate(stages)}).astype("Int64")
    deals = [_deal(name, deal, stages) for name, deal in rows.groupby("opportunity_id")]
    history = rows[["opportunity_id", "stage", "stage_number", "entered_on", "sequence"]]
    return HandMade(
        ibis.memtable(history, schema=_HISTORY),
        ibis.memtable(pd.DataFrame(deals), schema=_DEALS),
        stages=tuple(stages),
        snapshot_at=snapshot_at,
        **changes,
    )


def pipeline_of_ends(ends: pd.DataFrame, *, snapshot_at=SNAPSHOT, stages=STAGES) -> HandMade:
    """Pipeline that only knows creation, end and outcome: its shape hides how far lost deals came."""
    deals = ends.copy()
    deals["current_stage"] = deals["outcome"].map({"won": stages[-1], "lost": "Lost", "open": stages[0]})
    deals["first_stage_number"] = 0
    deals["furthest_stage_number"] = deals["outcome"].map({"won": len(stages) - 1, "open": 0}).astype("Int64")
    for column in ("created_on", "closed_on"):
        dates = pd.to_datetime(deals[column])
        deals[column] = dates.dt.date.where(dates.notna(), None)
    if "amount" not in deals:
        deals["amount"] = None
    history = pd.DataFrame(columns=list(_HISTORY))
    return HandMade(
        ibis.memtable(history, schema=_HISTORY),
        ibis.memtable(deals[list(_DEALS)], schema=_DEALS),
        stages=tuple(stages),
        snapshot_at=snapshot_at,
        shape="current stage",
        furthest_known=False,
    )


_HISTORY = {
    "opportunity_id": "string",
    "stage": "string",
    "stage_number": "int64",
    "entered_on": "date",
    "sequence": "int64",
}
_DEALS = {
    "opportunity_id": "string",
    "created_on": "date",
    "closed_on": "date",
    "outcome": "string",
    "current_stage": "string",
    "first_stage_number": "int64",
    "furthest_stage_number": "int64",
    "amount": "decimal(18, 4)",
}


def _deal(name, deal, stages):
    last = deal.iloc[-1]
    outcome = {"Lost": "lost", stages[-1]: "won"}.get(last["stage"], "open")
    return {
        "opportunity_id": name,
        "created_on": deal["entered_on"].iloc[0],
        "closed_on": None if outcome == "open" else last["entered_on"],
        "outcome": outcome,
        "current_stage": last["stage"],
        "first_stage_number": deal["stage_number"].iloc[0],
        "furthest_stage_number": deal["stage_number"].max(),
        "amount": deal["amount"].iloc[-1] if "amount" in deal else None,
    }
