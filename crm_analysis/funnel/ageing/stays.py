"""Stays in the stages counted by where they led and how many whole days they took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import pandas as pd

from crm_analysis.doors.pipeline.stays import STILL_THERE

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline


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
    owner = ibis.coalesce(grouped.owner, "") if "owner" in grouped.columns else ibis.literal("")
    of_deal = grouped.select("opportunity_id", "outcome", "group", owner=owner)
    stays = pipeline.stays.select("opportunity_id", "stage", "stage_number", "to", "days")
    stays = stays.join(of_deal, "opportunity_id")
    counted = stays.group_by("owner", "group", "stage_number", "to", "days").agg(n=stays.count()).to_pandas()
    now = stays.filter((stays.to == STILL_THERE) & (stays.outcome == "open"))
    found = now.select("opportunity_id", "stage", "stage_number", days_in_stage=now.days).to_pandas()
    return Stays(
        counted=counted.astype({"stage_number": "int64"}).sort_values(list(counted), ignore_index=True),
        now=found.set_index(found.pop("opportunity_id").astype(str)).astype({"stage_number": "int64"}),
        n_stages=len(pipeline.stages) - 1,
    )
