"""Open opportunities that somebody should look at, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import DataError
from crm_analysis.funnel.pipeline.lingering import aged
from crm_analysis.funnel.pipeline.slipping import slipped
from crm_analysis.funnel.telling.comparisons import Comparison
from crm_analysis.funnel.telling.defects import departed

REASONS = ("stalled", "stuck", "overdue", "owner_left")
# Most won deals had left the stage by then.
STUCK_BEYOND = 0.95


def work_list(c: Comparison, i: int, *, departed: list[str] | None = None) -> pd.DataFrame:
    """Open opportunities of one firm that somebody should look at, most reasons and largest amounts first.

    Parameters
    ----------
    i : 0 for firm a, 1 for firm b.
    departed : owners who have left, where known.

    Returns
    -------
    DataFrame, index `opportunity_id`; stage, salesperson and amount where mapped, age_days, days_in_stage
    where known, and whether it is stalled (older than any that ever closed), stuck (longer in its stage than
    95% of the stays of won deals), overdue (its expected close is past) and owner_left. A reason that the
    data cannot show is left out.
    """
    pipeline = c.pipelines[i]
    deals = pipeline.opportunities
    found = deals.filter(deals.outcome == "open").to_pandas().set_index("opportunity_id")
    age = pd.Timestamp(pipeline.snapshot_at) - pd.to_datetime(found["created_on"])
    listed = found.rename(columns={"current_stage": "stage", "owner": "salesperson"})
    listed = listed.filter(["stage", "salesperson", "amount"]).assign(age_days=age.dt.days.astype("Int64"))
    if "amount" in listed:
        listed["amount"] = listed["amount"].astype(float)
    listed["stalled"] = listed.index.isin(c.incidences[i].stalled.index)
    listed = _with_stays(listed, c, i)
    if "expected_close" in found:
        late = slipped(pipeline).deals["days_overdue"].reindex(listed.index)
        listed["overdue"] = late.fillna(0).gt(0)
    if departed is not None and "salesperson" in listed:
        listed["owner_left"] = listed["salesperson"].isin(departed)
    return _ranked(listed)


def work_lists(ws: Any, c: Comparison) -> dict[str, pd.DataFrame]:
    """Lists of both firms by name, with the owners who have left where the workspace knows them."""
    return {name: work_list(c, i, departed=departed(ws, c, i)) for i, name in enumerate(c.names)}


def reasons_found(lists: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """How many opportunities are on each firm's list for each reason, with their amounts.

    Returns
    -------
    DataFrame, index (firm, reason); n_listed and amount (where mapped).
    """
    rows = [
        {
            "firm": firm,
            "reason": reason,
            "n_listed": int(listed[reason].sum()),
            "amount": float(listed.loc[listed[reason], "amount"].sum()) if "amount" in listed else np.nan,
        }
        for firm, listed in lists.items()
        for reason in REASONS
        if reason in listed
    ]
    return pd.DataFrame(rows).set_index(["firm", "reason"]).dropna(axis="columns", how="all")


def _with_stays(listed: pd.DataFrame, c: Comparison, i: int) -> pd.DataFrame:
    try:
        stays = aged(c.pipelines[i])
    except DataError:
        return listed
    stays = stays[~stays.index.duplicated()].reindex(listed.index)
    listed.insert(list(listed).index("stalled"), "days_in_stage", stays["days_in_stage"].astype("Int64"))
    return listed.assign(stuck=stays["won_had_left"].gt(STUCK_BEYOND).to_numpy())


def _ranked(listed: pd.DataFrame) -> pd.DataFrame:
    reasons = [name for name in REASONS if name in listed]
    order = listed.assign(n=listed[reasons].sum(axis=1), worth=listed.get("amount", 0.0))
    order = order[order["n"] > 0].sort_index()
    order = order.sort_values(["n", "worth", "age_days"], ascending=False, kind="stable")
    return listed.loc[order.index]
