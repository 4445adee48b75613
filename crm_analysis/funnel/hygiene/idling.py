"""Open deals on which nothing was entered for a while: unanswered, as far as the records show."""

from __future__ import annotations

import pandas as pd

from crm_analysis.doors.pipeline import Pipeline
from crm_analysis.errors import ConfigError
from crm_analysis.funnel.hygiene.listing import Listed, deals_of, stake, summed
from crm_analysis.workspace import parse_length


def unanswered(pipeline: Pipeline, *, after: str = "1 month") -> Listed:
    """Open deals whose last row, of whatever kind, is older than `after` at the snapshot.

    Returns
    -------
    Listed; table: index opportunity_id; last_entry, days_idle (whole days), never_touched (only its first row
    is there), stage, created_on; where mapped, owner and value_at_stake.

    Raises
    ------
    ConfigError
        The shape of the pipeline knows no times of entries.
    """
    if "entered_at" not in pipeline.rows.columns:
        raise ConfigError(
            f"unanswered: the shape {pipeline.shape!r} does not say when something was entered; export the "
            "history of the stages, or dated snapshots"
        )
    rows, at = pipeline.rows, pd.Timestamp(pipeline.snapshot_at)
    seen = rows.filter(rows.entered_at.date() <= pipeline.snapshot_at)
    last = seen.group_by("opportunity_id").agg(last_entry=seen.entered_at.max(), n_rows=seen.count())
    deals = deals_of(pipeline)
    open_deals = deals[deals["outcome"] == "open"]
    entries = last.to_pandas().set_index("opportunity_id").reindex(open_deals.index)
    idle = (at - entries["last_entry"].dt.normalize()).dt.days
    columns = ["current_stage", "created_on", *(["owner"] if "owner" in deals else [])]
    table = open_deals[columns].rename(columns={"current_stage": "stage"})
    table.insert(0, "last_entry", entries["last_entry"].astype("datetime64[us]"))
    table.insert(1, "days_idle", idle)
    table.insert(2, "never_touched", entries["n_rows"] == 1)
    found = table[idle > parse_length(after)].sort_values("days_idle", ascending=False, kind="stable")
    found = stake(found.astype({"days_idle": "int64"}), deals)
    return Listed(found, summed((f"open deals without an entry for {after}", found, len(open_deals))))
