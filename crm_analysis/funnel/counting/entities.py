"""Opportunities of one account, or of one contact, counted as one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError
from crm_analysis.funnel.counting.outcomes import LOST

ENTITIES = ("account_id", "phone", "email")


def best_courses(members: pd.DataFrame, entity: str) -> pd.DataFrame:
    """One row per value of `entity`, with the course of the opportunity that came furthest.

    Of those old enough to judge; where none is, of all, and the entity is not yet known. Among equally far
    ones one that is not lost counts, then the one created first, then the first by id. An opportunity without
    a value counts alone, under its own id with "opportunity " before it.

    Returns
    -------
    DataFrame, index the entity's id; the columns of `members`, opportunity_id (the one whose course it is),
    n_opportunities; created_on is the first of all of them.
    """
    if entity not in ENTITIES or entity not in members:
        there = ["opportunity_id", *(name for name in ENTITIES if name in members)]
        raise ConfigError(f"funnel: entity {entity!r}; this pipeline can count {there}")
    alone = pd.Series("opportunity " + members.index.astype(str), index=members.index)
    key = members[entity].astype(object).where(members[entity].notna(), alone).astype(str).rename(entity)
    created = pd.to_datetime(members["created_on"])
    rank = pd.DataFrame(
        {
            "young": ~members["judged"],
            "depth": -members["furthest"],
            "lost": members["last"] == LOST,
            "created": created,
        }
    )
    order = np.lexsort([rank[name] for name in ("created", "lost", "depth", "young")])
    best = members.assign(opportunity_id=members.index).set_axis(key).iloc[order]
    best = best[~best.index.duplicated()].sort_index()
    first, n = created.groupby(key.to_numpy()).min(), key.value_counts()
    return best.assign(created_on=first.reindex(best.index), n_opportunities=n.reindex(best.index))
