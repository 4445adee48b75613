"""The same inquirer entered twice: which records, by whom, and what that does to the counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crm_analysis.doors.pipeline import Pipeline
from crm_analysis.errors import ConfigError
from crm_analysis.funnel.hygiene.keys import keys_of
from crm_analysis.funnel.hygiene.listing import Listed, deals_of, stake, summed
from crm_analysis.workspace import parse_length


@dataclass(frozen=True)
class Duplicates(Listed):
    """Second records of inquirers.

    table : index opportunity_id; duplicate_of (the first record of the inquirer), days_apart (from it), by
        ("phone", "email" or "phone and email"), outcome, outcome_of_first, first_was_open (on the day the
        second was made); where mapped, owner and owner_before (of the first), amount_of_first and
        value_at_stake: two quotes for one inquirer.
    effect : index what ("entrants", each further stage but the last, "won", "lost", "open"); recorded
        (opportunities), counted_once (each inquirer: as far as any of its records came, won if any is, else
        open if any is), and of_recorded, of_counted_once, their shares of the entrants. Stages only where the
        furthest one of all is known.
    """

    effect: pd.DataFrame


def duplicate_opportunities(pipeline: Pipeline, *, within: str = "30 days") -> Duplicates:
    """Opportunities with the telephone or e-mail of one created shortly before.

    Parameters
    ----------
    within : a record belongs to the inquirer of the record before it with the same telephone or address, if
        it was created at most so long after it; later it is a new inquiry.

    Raises
    ------
    ConfigError
        Neither phone nor email is mapped: an account may well have several opportunities.
    """
    deals = deals_of(pipeline)
    deals = deals[deals["created_on"].notna()].sort_values("created_on", kind="stable")
    keys = keys_of(deals)
    if not len(keys.columns):
        raise ConfigError("duplicates: the pipeline has neither phone nor email; map one of them")
    links = _links(deals, keys, parse_length(within))
    inquirer = _inquirers(links, len(deals))
    table = _table(deals, inquirer, links)
    known = pipeline.furthest_known
    return Duplicates(
        table,
        summed(("duplicate opportunities", table, len(deals))),
        _effect(deals, inquirer, pipeline.stages if known else ()),
    )


def several_owners(duplicates: Duplicates) -> Listed:
    """Inquirers whom several sales people pursue: second records with another owner than the first.

    Raises
    ------
    ConfigError
        The pipeline has no owners.
    """
    table = duplicates.table
    if "owner" not in table:
        raise ConfigError("several owners: the pipeline has no owner; map it")
    both = table["owner"].notna() & table["owner_before"].notna()
    found = table[both & (table["owner"] != table["owner_before"])]
    return Listed(found, summed(("duplicates with another owner", found, len(table))))


def _links(deals: pd.DataFrame, keys: pd.DataFrame, days: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By key: places of records, and of the one before each with the same value, if that is not long ago."""
    links = {}
    place = pd.Series(np.arange(len(deals)), deals.index)
    for name, values in keys.items():
        known = values[values.notna()]
        before = place[known.index].groupby(known, sort=False).shift()
        later = before.index[before.notna()]
        pairs = place[later].to_numpy(), before[later].to_numpy(int)
        apart = _days(deals, pairs[0]) - _days(deals, pairs[1])
        links[str(name)] = tuple(ends[apart <= days] for ends in pairs)
    return links  # type: ignore[return-value]


def _days(deals: pd.DataFrame, places: np.ndarray) -> np.ndarray:
    days: np.ndarray = deals["created_on"].to_numpy("datetime64[D]")[places].astype(int)
    return days


def _inquirers(links: dict[str, tuple[np.ndarray, np.ndarray]], n: int) -> np.ndarray:
    """Place of the first record of each record's inquirer: records that are linked, by whatever key."""
    later, before = (np.concatenate([pairs[end] for pairs in links.values()]) for end in (0, 1))
    graph = coo_array((np.ones(len(later)), (later, before)), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    first = np.full(n, n)
    np.minimum.at(first, label, np.arange(n))
    place: np.ndarray = first[label]
    return place


def _table(
    deals: pd.DataFrame, inquirer: np.ndarray, links: dict[str, tuple[np.ndarray, np.ndarray]]
) -> pd.DataFrame:
    places = np.flatnonzero(inquirer != np.arange(len(deals)))
    again, first = deals.iloc[places], deals.iloc[inquirer[places]]
    linked = {name: np.isin(places, later) for name, (later, _) in links.items()}
    by = [" and ".join(name for name, is_so in zip(linked, row, strict=True) if is_so)
          for row in np.column_stack(list(linked.values()))]  # fmt: skip
    columns = {
        "duplicate_of": first.index.to_numpy(),
        "days_apart": (again["created_on"].to_numpy() - first["created_on"].to_numpy())
        .astype("timedelta64[D]")
        .astype(int),
        "by": by,
        "outcome": again["outcome"].to_numpy(),
        "outcome_of_first": first["outcome"].to_numpy(),
        "first_was_open": ~(first["closed_on"].to_numpy() < again["created_on"].to_numpy()),
    }
    if "owner" in deals:
        columns |= {"owner": again["owner"].to_numpy(), "owner_before": first["owner"].to_numpy()}
    if "amount" in deals:
        columns |= {"amount_of_first": first["amount"].to_numpy()}
    return stake(pd.DataFrame(columns, index=again.index), deals)


def _effect(deals: pd.DataFrame, inquirer: np.ndarray, stages: tuple[str, ...]) -> pd.DataFrame:
    """Counts of the records, and of the inquirers behind them."""
    by_inquirer = deals.groupby(inquirer)
    furthest = by_inquirer["furthest_stage_number"].max()
    counts: dict[str, tuple[int, int]] = {"entrants": (len(deals), len(by_inquirer))}
    for number, stage in enumerate(stages[1:-1], start=1):
        recorded = (deals["furthest_stage_number"] >= number).sum()
        counts[stage] = int(recorded), int((furthest >= number).sum())
    best = deals["outcome"].map({"lost": 0, "open": 1, "won": 2}).groupby(inquirer).max()
    for rank, outcome in ((2, "won"), (0, "lost"), (1, "open")):
        counts[outcome] = int((deals["outcome"] == outcome).sum()), int((best == rank).sum())
    table = pd.DataFrame(counts, index=["recorded", "counted_once"]).T.rename_axis("what")
    shares = table / max(len(deals), 1) if deals.empty else table / table.loc["entrants"]
    return table.assign(of_recorded=shares["recorded"], of_counted_once=shares["counted_once"])
