"""Pipelines of deals and stage entries with any of the optional columns, as a door would hand them over."""

from __future__ import annotations

import datetime as dt

import ibis
import pandas as pd
from pipelines import HandMade

STAGES = ("Lead", "Proposal", "Won")
SNAPSHOT = dt.date(2025, 6, 30)
_KINDS = {
    "opportunity_id": "string",
    "created_on": "date",
    "closed_on": "date",
    "outcome": "string",
    "current_stage": "string",
    "owner": "string",
    "amount": "float64",
    "source": "string",
    "segment": "string",
    "lost_reason": "string",
    "first_stage_number": "int64",
    "furthest_stage_number": "int64",
}
_ENTRY = {
    "opportunity_id": "string",
    "sequence": "int64",
    "stage": "string",
    "stage_number": "int64",
    "entered_on": "date",
}


def deals_of(deals: pd.DataFrame, *, stages=STAGES, snapshot_at=SNAPSHOT) -> HandMade:
    """Pipeline that knows one row per deal: created_on, outcome, closed_on, and any optional column."""
    empty = pd.DataFrame(columns=list(_ENTRY))
    return _made(deals, empty, stages=stages, snapshot_at=snapshot_at, shape="current stage")


def entries_of(
    entries: pd.DataFrame, deals: pd.DataFrame | None = None, *, stages=STAGES, snapshot_at=SNAPSHOT
):
    """Pipeline of stage entries in order: opportunity_id, stage, entered_on; `deals` adds columns by id."""
    rows = entries.copy()
    rows["sequence"] = rows.groupby("opportunity_id").cumcount()
    rows["stage_number"] = rows["stage"].map({name: k for k, name in enumerate(stages)}).astype("Int64")
    groups = rows.groupby("opportunity_id", sort=True)
    first, last = groups.nth(0).set_index("opportunity_id"), groups.nth(-1).set_index("opportunity_id")
    outcome = last["stage"].map({"Lost": "lost", stages[-1]: "won"}).fillna("open")
    table = pd.DataFrame(
        {
            "created_on": first["entered_on"],
            "closed_on": last["entered_on"].where(outcome != "open", None),
            "outcome": outcome,
            "current_stage": last["stage"],
        }
    )
    table = table if deals is None else table.join(deals.set_index("opportunity_id"))
    return _made(table.reset_index(), rows, stages=stages, snapshot_at=snapshot_at, shape="history")


def _made(deals, rows, *, stages, snapshot_at, shape) -> HandMade:
    deals = deals.assign(current_stage=deals.get("current_stage", ""))
    known = {name: kind for name, kind in _KINDS.items() if name in deals}
    return HandMade(
        ibis.memtable(_dated(rows[list(_ENTRY)], ["entered_on"]), schema=_ENTRY),
        ibis.memtable(_dated(deals[list(known)], ["created_on", "closed_on"]), schema=known),
        stages=tuple(stages),
        snapshot_at=snapshot_at,
        shape=shape,
        furthest_known=shape != "current stage",
    )


def _dated(table, columns):
    dates = {name: pd.to_datetime(table[name]) for name in columns}
    return table.assign(**{name: d.dt.date.where(d.notna(), None) for name, d in dates.items()})
