"""How many whole days opportunities stay in each stage, and where they go from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import pandas as pd

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

STILL_THERE = -2
LOST = -1


@dataclass(frozen=True, eq=False)
class Stays:
    """Stays in the stages before the won one.

    counted : stage_number, to (stage number, -1 lost, -2 still there at the snapshot), days, n, owner
        (missing, or not mapped: "") and group.
    now : index opportunity_id of the open opportunities; stage, stage_number, days_in_stage.
    n_stages : number of stages before the won one.
    """

    counted: pd.DataFrame
    now: pd.DataFrame
    n_stages: int


def count_stays(pipeline: Pipeline, grouped: ibis.Table) -> Stays:
    """Count the stays of a pipeline by stage, where they led and how many whole days they took.

    Parameters
    ----------
    grouped : the pipeline's opportunities with a column `group` (text).
    """
    n_stages, history = len(pipeline.stages) - 1, pipeline.history
    owner = ibis.coalesce(grouped.owner, "") if "owner" in grouped.columns else ibis.literal("")
    of_deal = grouped.select("opportunity_id", "outcome", "group", by=owner)
    entries = history.select("opportunity_id", "sequence", "stage", "stage_number", "entered_on")
    entries = entries.join(of_deal, "opportunity_id").rename(owner="by")
    ordered = ibis.window(group_by="opportunity_id", order_by="sequence")
    following = ibis.coalesce(entries.stage_number, LOST).lead().over(ordered)
    left_on = entries.entered_on.lead().over(ordered)
    snapshot = ibis.literal(pipeline.snapshot_at)
    stays = entries.mutate(
        to=ibis.coalesce(following, STILL_THERE).cast("int64"),
        days=ibis.coalesce(left_on, snapshot).delta(entries.entered_on, unit="day").cast("int64"),
    ).filter(lambda t: t.stage_number < n_stages)
    counted = stays.group_by("owner", "group", "stage_number", "to", "days").agg(n=stays.count()).to_pandas()
    now = stays.filter((stays.to == STILL_THERE) & (stays.outcome == "open"))
    found = now.select("opportunity_id", "stage", "stage_number", days_in_stage=now.days).to_pandas()
    return Stays(
        counted=counted.astype({"stage_number": "int64"}).sort_values(list(counted), ignore_index=True),
        now=found.set_index(found.pop("opportunity_id").astype(str)).astype({"stage_number": "int64"}),
        n_stages=n_stages,
    )
