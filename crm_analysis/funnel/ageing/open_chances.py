"""The open opportunities and the chance of each to be won and lost, as estimated and in draws of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError
from crm_analysis.funnel.ageing.chances_by_age import chances_by_age
from crm_analysis.funnel.ageing.chances_by_stage import chances_by_stage
from crm_analysis.funnel.ageing.ends import ages, count_ends
from crm_analysis.funnel.ageing.resampling import draw_owners
from crm_analysis.funnel.ageing.stays import Stays, count_stays

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

# A group with fewer wins is told nothing by itself.
MIN_WINS = 10


@dataclass(frozen=True, eq=False)
class Learnt:
    """What chances are learnt from, counted once for any horizon, and the open opportunities they are for.

    deals : index opportunity_id, sorted; age_days, group, and where known owner, amount, stage, stage_number,
        days_in_stage.
    ends : age_days, outcome, n, group, and owner where mapped.
    stays : None where chances are given the age.
    n_undated : opportunities without a creation date, left out.
    """

    deals: pd.DataFrame
    ends: pd.DataFrame
    stays: Stays | None
    n_undated: int


@dataclass(frozen=True, eq=False)
class OpenChances:
    """Chances of the open opportunities.

    deals : index opportunity_id, sorted; age_days, stalled, beyond, and where known owner, amount, group,
        stage, stage_number, days_in_stage.
    chances : won and lost by draw (the first is the estimate) and state; shape (1 + n_draws, n_states, 2).
    state : of each row of `deals`.
    by_owner : draws are of owners.
    """

    deals: pd.DataFrame
    chances: np.ndarray
    state: np.ndarray
    by_owner: bool


def learn(pipeline: Pipeline, *, given: str, by: str) -> Learnt:
    """Count what chances are learnt from; arguments as in `forecast_open`, with `given` decided."""
    aged = ages(pipeline)
    aged = aged.mutate(group=_group(aged, by))
    ends, n_undated = count_ends(aged, by=["group", *(n for n in ("owner",) if n in aged.columns)])
    stays = count_stays(pipeline, aged) if given == "stage" else None
    deals = _open_deals(aged) if stays is None else _open_deals(aged).join(stays.now, how="inner")
    return Learnt(deals, ends, stays, n_undated)


def open_chances(
    learnt: Learnt, *, horizon_days: int | None, n_draws: int, rng: np.random.Generator
) -> OpenChances:
    """Find the chances of the open opportunities to be won and lost; 0 where stalled or beyond support."""
    deals, ends, stays = learnt.deals, learnt.ends, learnt.stays
    owners = draw_owners(ends, n_draws=n_draws, rng=rng)
    settings: dict[str, Any] = {
        "horizon_days": horizon_days,
        "n_draws": n_draws,
        "owners": owners,
        "rng": rng,
    }
    found, beyond = [np.zeros((1 + n_draws, 1, 2))], np.zeros(len(deals), dtype=bool)
    state = np.zeros(len(deals), dtype=int)

    def take(rows: Any, ends: pd.DataFrame, stays: Stays | None) -> None:
        chances, states, beyond[rows] = _of_part(deals.iloc[rows], ends, stays, settings)
        state[rows] = states + sum(c.shape[1] for c in found)
        found.append(chances)

    for group, rows in deals.groupby("group").indices.items():
        take(rows, *_learnt_from(str(group), ends, stays))
    if (ends["group"] != "").any() and beyond.any():
        # Where a group has too few as old as this, all groups together may have enough.
        take(np.flatnonzero(beyond), ends, stays)
    closed = ends.loc[ends["outcome"] != "open", "age_days"]
    stalled = (deals["age_days"] > (closed.max() if len(closed) else np.inf)).to_numpy()
    return OpenChances(
        deals=deals.assign(stalled=stalled, beyond=beyond & ~stalled),
        chances=np.concatenate(found, axis=1),
        # The first state is that of no chance at all.
        state=np.where(stalled | beyond, 0, state),
        by_owner=owners is not None,
    )


def _group(aged: ibis.Table, by: str) -> Any:
    """Group of each opportunity, as text: a column's value, or the third in which its amount lies."""
    if by == "all":
        return ibis.literal("")
    if by not in aged.columns:
        raise ConfigError(f"forecast_open: by = {by!r}; expected 'all' or one of {sorted(aged.columns)}")
    if by != "amount":
        return ibis.coalesce(aged[by].cast("string"), "")
    amount = aged.amount.cast("float64")
    cuts = aged.agg(low=amount.quantile(1 / 3), high=amount.quantile(2 / 3)).to_pyarrow().to_pylist()[0]
    if cuts["low"] is None:
        return ibis.literal("")
    return ibis.cases(
        (amount <= cuts["low"], "lower third"),
        (amount <= cuts["high"], "middle third"),
        (amount > cuts["high"], "upper third"),
        else_="",
    )


def _open_deals(aged: ibis.Table) -> pd.DataFrame:
    """Open opportunities with an age: age_days, group, and owner and amount where known; sorted by id."""
    wanted: dict[str, Any] = {"age_days": aged.age_days, "group": aged.group}
    if "owner" in aged.columns:
        wanted["owner"] = aged.owner
    if "amount" in aged.columns:
        wanted["amount"] = aged.amount.cast("float64")
    there = aged.filter((aged.outcome == "open") & aged.age_days.notnull())  # noqa: PD004, Ibis' name
    found = there.select("opportunity_id", **wanted).to_pandas()
    return found.set_index(found.pop("opportunity_id").astype(str)).sort_index().astype({"age_days": int})


def _learnt_from(group: str, ends: pd.DataFrame, stays: Stays | None) -> tuple[pd.DataFrame, Stays | None]:
    """Ends and stays of the group; of all where it has too few wins."""
    own = ends[ends["group"] == group]
    if own.loc[own["outcome"] == "won", "n"].sum() < MIN_WINS:
        return ends, stays
    if stays is None:
        return own, None
    return own, Stays(stays.counted[stays.counted["group"] == group], stays.now, stays.n_stages)


def _of_part(
    deals: pd.DataFrame, ends: pd.DataFrame, stays: Stays | None, settings: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chances by state, the state of each deal, and whether it is beyond what the data support."""
    if stays is None:
        states, state = np.unique(deals["age_days"].to_numpy(), return_inverse=True)
        chances, cap = chances_by_age(ends, states, **settings)
        return chances, state, deals["age_days"].to_numpy() >= cap
    columns = ["stage_number", "days_in_stage"]
    places = deals[columns].drop_duplicates(ignore_index=True)
    chances, caps = chances_by_stage(stays, places, **settings)
    state = pd.MultiIndex.from_frame(places).get_indexer(pd.MultiIndex.from_frame(deals[columns]))
    return chances, state, deals["days_in_stage"].to_numpy() >= caps[deals["stage_number"].to_numpy()]
