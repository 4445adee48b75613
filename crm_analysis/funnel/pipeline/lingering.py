"""Open deals by how long they have been where they are, measured by the deals that were won."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

# Share of the won deals that had left the stage after as many days, from which a class begins.
AGE_CLASSES = {
    "under 50% of won had left": 0.0,
    "50% to 80% of won had left": 0.5,
    "80% to 95% of won had left": 0.8,
    "95% or more of won had left": 0.95,
}


def aged(pipeline: Pipeline) -> pd.DataFrame:
    """Open deals, those that stay longest by the measure of won deals first.

    Returns
    -------
    DataFrame, index `opportunity_id`; stage, days_in_stage, days_since_creation, won_had_left (of the stays
    of won deals in that stage, the share that was over by then; missing where no won deal was there),
    n_won_stays, and where mapped amount and owner.

    Raises
    ------
    DataError
        The shape does not know when stages were entered.
    """
    stays = pipeline.stays
    deals = pipeline.opportunities
    won = deals.filter(deals.outcome == "won").select("opportunity_id")
    of_won = stays.semi_join(won, "opportunity_id")
    lengths = of_won.group_by("stage_number", "days").agg(n=of_won.count()).to_pandas()
    there = stays.filter(stays.exit == "there").select("opportunity_id", "stage_number", "days")
    also = [name for name in ("amount", "owner") if name in deals.columns]
    open_ = deals.filter(deals.outcome == "open").select("opportunity_id", "created_on", *also)
    found = there.join(open_, "opportunity_id")
    age = ibis.literal(pipeline.snapshot_at).delta(found.created_on, unit="day").cast("int64")
    found = found.mutate(days_since_creation=age)
    if "amount" in also:
        found = found.mutate(amount=found.amount.cast("float64"))
    table = found.to_pandas()
    stage = table["stage_number"].astype(int)
    table["stage"] = np.array(pipeline.stages)[stage]
    table["won_had_left"], table["n_won_stays"] = _share_left(lengths, stage, table["days"])
    table = table.rename(columns={"days": "days_in_stage"}).set_index("opportunity_id")
    table = table.sort_index().sort_values(["won_had_left", "days_in_stage"], ascending=False, kind="stable")
    return table[["stage", "days_in_stage", "days_since_creation", "won_had_left", "n_won_stays", *also]]


def _share_left(lengths: pd.DataFrame, stage: pd.Series, days: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Share of the stays in each deal's stage that lasted at most as long as it does, and their number."""
    share, n = np.full(len(stage), math.nan), np.zeros(len(stage), dtype="int64")
    for k, rows in lengths.sort_values("days").groupby("stage_number"):
        here = (stage == k).to_numpy()
        cumulated = np.concatenate([[0], rows["n"].cumsum()])
        n[here] = cumulated[-1]
        place = np.searchsorted(rows["days"].to_numpy(), days[here].to_numpy(), side="right")
        share[here] = cumulated[place] / cumulated[-1]
    return share, n


def age_classes(open_deals: pd.DataFrame, *, stages: Sequence[str]) -> pd.DataFrame:
    """Count open deals by stage and by the share of won deals that had left it after as many days.

    Parameters
    ----------
    open_deals : result of `aged`.
    stages : of the pipeline, in their order.

    Returns
    -------
    DataFrame; stage (all but the won one), age (the youngest first), n, and amount where known. Deals in a
    stage in which no won deal ever was count as of the oldest.
    """
    share = open_deals["won_had_left"].fillna(1.0).to_numpy(float)
    place = np.searchsorted(list(AGE_CLASSES.values()), share, side="right") - 1
    counted = open_deals.groupby(["stage", np.array(list(AGE_CLASSES))[place]])
    cells = pd.MultiIndex.from_product([list(stages[:-1]), list(AGE_CLASSES)], names=["stage", "age"])
    table = pd.DataFrame({"n": counted.size().reindex(cells, fill_value=0)})
    if "amount" in open_deals:
        table["amount"] = counted["amount"].sum().reindex(cells, fill_value=0.0)
    return table.reset_index()
