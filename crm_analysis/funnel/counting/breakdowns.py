"""Counts by group of opportunities, and by when they were created.

The counting comes first and the groups afterwards: a group by itself changes nobody's course, and the groups
add up to the whole. What changes in the life of an opportunity, as its owner may, is attributed at a stated
moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import ibis
import pandas as pd

from crm_analysis.errors import ConfigError
from crm_analysis.funnel.counting.counts import MISSING, StageCounts, side_by_side

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

CHANGING = ("owner", "amount")
Grain = Literal["W", "M", "Q", "Y"]


def attribute(pipeline: Pipeline, name: str, *, at: str) -> pd.Series:
    """Value of an attribute that changes in time, as it was at a stated moment of each opportunity.

    Parameters
    ----------
    name : "owner" or "amount".
    at : "creation" (its first entry); "close" (the entry that won or lost it: missing while it is open); or
        the name of a stage (its first recorded entry: missing where there is none).

    Returns
    -------
    Series by opportunity_id, for `StageCounts.by` and `breakdown_table`. In the shape "stage dates" the
    source knows only the latest value, which stands at every moment.

    Raises
    ------
    ConfigError
        The attribute is not mapped or does not change in time, or there is no such moment.
    """
    history = pipeline.history
    if name not in CHANGING or name not in history.columns:
        there = [column for column in CHANGING if column in history.columns]
        raise ConfigError(f"funnel: no attribute {name!r} that changes in time; this pipeline has {there}")
    moments = ["creation", "close", *pipeline.stages, *pipeline.lost]
    if at not in moments:
        raise ConfigError(f"funnel: at={at!r}; expected one of {moments}")
    if at == "close":
        last = history.group_by("opportunity_id").agg(sequence=history.sequence.max())
        closed = pipeline.opportunities.filter(pipeline.opportunities.outcome != "open")
        rows = history.semi_join(last, ["opportunity_id", "sequence"]).semi_join(closed, "opportunity_id")
    else:
        entries = history if at == "creation" else history.filter(history.stage == at)
        first = entries.group_by("opportunity_id").agg(sequence=entries.sequence.min())
        rows = history.semi_join(first, ["opportunity_id", "sequence"])
    found = rows.select("opportunity_id", value=rows[name]).to_pandas()
    everybody = pipeline.opportunities.select(ibis._.opportunity_id).to_pandas()["opportunity_id"].astype(str)
    values = found.set_index(found["opportunity_id"].astype(str))["value"]
    return values.reindex(pd.Index(everybody, name="opportunity_id")).rename(f"{name} at {at}").sort_index()


def breakdown_table(counts: StageCounts, *, by: str | pd.Series) -> pd.DataFrame:
    """Funnel of each group as one tidy table, a row per group and stage; the groups add up to the whole.

    Columns: group, then those of `side_by_side`. "(missing)" comes last.
    """
    return side_by_side(counts.by(by)).rename(columns={"firm": "group"})


def cohort_table(counts: StageCounts, *, by: Grain = "M") -> pd.DataFrame:
    """Funnel of each cohort by period of creation, in order of time, a row per cohort and stage.

    Parameters
    ----------
    by : "W", "M", "Q" or "Y": the length of the periods.

    Returns
    -------
    Columns: cohort (the period's first day), n_created, n_judged, is_mature (all of the cohort is old enough
        to judge), then those of `side_by_side`. Rates rest on those that are judged, and are missing where
        none is. Opportunities without a creation date are in no cohort.
    """
    if by not in ("W", "M", "Q", "Y"):
        raise ConfigError(f"funnel: by={by!r}; expected 'W', 'M', 'Q' or 'Y'")
    members = counts.known_members()
    created = pd.to_datetime(members["created_on"])
    periods = created.dt.to_period(by).dt.start_time.dt.strftime("%Y-%m-%d")
    parts = {name: part for name, part in counts.by(periods).items() if name != MISSING}
    if not parts:
        raise ConfigError("funnel: no opportunity has a creation date, so there are no cohorts")
    table = side_by_side(parts).rename(columns={"firm": "cohort"})
    sizes = members.groupby(periods)["judged"].agg(["size", "sum"])
    size, judged = (table["cohort"].map(sizes[name]) for name in ("size", "sum"))
    table.insert(1, "n_created", size.astype(int))
    table.insert(2, "n_judged", judged.astype(int))
    table.insert(3, "is_mature", size == judged)
    return table.assign(cohort=pd.to_datetime(table["cohort"]))
