"""Small pipelines made by hand, as a door would hand them over."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from functools import cached_property

import ibis
import pandas as pd

from crm_analysis.doors.pipeline.stays import stays_of

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

    @cached_property
    def stays(self) -> ibis.Table:
        return stays_of(
            self.history, n_stages=len(self.stages), snapshot_at=self.snapshot_at, shape=self.shape
        )

    def with_columns(self, **values) -> HandMade:
        """Opportunities with other columns, in the order of their ids: {column: values}."""
        deals = self.opportunities.to_pandas().sort_values("opportunity_id", ignore_index=True)
        schema = dict(self.opportunities.schema())
        for column, given in values.items():
            deals[column] = pd.Series([None if v != v else v for v in given], dtype=object)
            schema[column] = schema.get(column, "string")
        return replace(self, opportunities=ibis.memtable(deals[list(schema)], schema=schema))


def pipeline_of(entries: pd.DataFrame, *, stages=STAGES, snapshot_at=SNAPSHOT, **changes) -> HandMade:
    """Pipeline of stage entries: opportunity_id, stage, entered_on (dates), in order; optional amount."""
    rows = entries.copy()
    rows["entered_on"] = pd.to_datetime(rows["entered_on"]).dt.date
    rows["sequence"] = rows.groupby("opportunity_id").cumcount()
    rows["stage_number"] = rows["stage"].map({name: k for k, name in enumerate(stages)}).astype("Int64")
    history = rows[["opportunity_id", "stage", "stage_number", "entered_on", "sequence"]]
    deals = _deals(rows, stages)
    return HandMade(
        ibis.memtable(history, schema=_HISTORY),
        ibis.memtable(deals, schema={column: _DEALS[column] for column in deals}),
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
    known = {column: kind for column, kind in _DEALS.items() if column in deals}
    history = pd.DataFrame(columns=list(_HISTORY))
    return HandMade(
        ibis.memtable(history, schema=_HISTORY),
        ibis.memtable(deals[list(known)], schema=known),
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
    "owner": "string",
    "source": "string",
}


def _deals(rows: pd.DataFrame, stages: tuple[str, ...]) -> pd.DataFrame:
    """One row per opportunity, as its entries leave it."""
    groups = rows.groupby("opportunity_id", sort=True)
    # nth, unlike first and last, does not skip what is missing.
    first, last = (groups.nth(k).set_index("opportunity_id") for k in (0, -1))
    outcome = last["stage"].map({"Lost": "lost", stages[-1]: "won"}).fillna("open")
    deals = pd.DataFrame(
        {
            "created_on": first["entered_on"],
            "closed_on": last["entered_on"].where(outcome != "open", None),
            "outcome": outcome,
            "current_stage": last["stage"],
            "first_stage_number": first["stage_number"],
            "furthest_stage_number": groups["stage_number"].max(),
        }
    )
    return (deals.assign(amount=last["amount"]) if "amount" in rows else deals).reset_index()
