"""How many opportunities entered each stage and what became of them there, however they were counted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.rates import wilson

Order = Literal["ordered", "as recorded"]
OUTCOMES = ("advanced", "lost", "back", "open", "not yet known")
_COLUMN = {name: f"n_{name.replace(' ', '_')}" for name in OUTCOMES}
LOST = -1


@dataclass(frozen=True, eq=False)
class StageCounts:
    """How many opportunities entered each stage and what became of them there.

    stages : in their order; the last one is the won stage.
    table : index `stage`; n_entered, n_advanced (went on to a later stage; in the last: is won), n_lost,
        n_back (stands in an earlier stage), n_open, n_not_yet_known (entered it, but is too young to judge
        and in no other column); share_of_previous with low and high (Wilson): of those who entered the stage
        before, who went further; missing in the first row and where nobody entered the stage before;
        share_of_all: of all that are judged. From plain counts, n_lost, n_back and n_open are missing.
    order : how a skipped stage is counted, see `count_stages`.
    window_days : everybody is looked at so many days after creation; None for plain counts.
    window_learnt : the window was read off the pipeline rather than given.
    entered_from, entered_until : creation dates of the first and the last opportunity that is judged.
    n_not_yet_known : opportunities created in the period that are too young, or without a creation date.
    deal_values : amounts of the won opportunities that are judged, as they stood at the win, where there
        are amounts.
    level : of the intervals.
    """

    stages: tuple[str, ...]
    table: pd.DataFrame
    order: Order = "ordered"
    window_days: int | None = None
    window_learnt: bool = False
    entered_from: dt.date | None = None
    entered_until: dt.date | None = None
    n_not_yet_known: int = 0
    deal_values: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    level: float = 0.95
    members: pd.DataFrame | None = field(default=None, repr=False)

    @property
    def counts(self) -> list[int]:
        """How many entered each stage."""
        return [int(n) for n in self.table["n_entered"]]

    @property
    def n_entrants(self) -> int:
        """Opportunities created in the period, those not yet known included."""
        return int(self.table["n_entered"].iloc[0]) + self.n_not_yet_known

    def who(self, stage: str, *, outcome: str = "open") -> list[str]:
        """Ids behind a number of the table, sorted.

        Parameters
        ----------
        stage : one of `stages`.
        outcome : "advanced", "lost", "back", "open", "not yet known", or "entered" for all but the last.

        Raises
        ------
        ConfigError
            There is no such stage or outcome, or the counts were given without ids.
        """
        if self.members is None:
            raise ConfigError("funnel: these counts came without ids; count a pipeline to look at its deals")
        if stage not in self.stages:
            raise ConfigError(f"funnel: no stage {stage!r}; stages: {list(self.stages)}")
        if outcome not in (*OUTCOMES, "entered"):
            raise ConfigError(f"funnel: no outcome {outcome!r}; outcomes: {[*OUTCOMES, 'entered']}")
        there = _outcomes_at(self.members, self.stages.index(stage), n_stages=len(self.stages))
        found = there.notna() & (there != "not yet known") if outcome == "entered" else there == outcome
        return sorted(there.index[found])


def side_by_side(firms: dict[str, StageCounts]) -> pd.DataFrame:
    """Funnels of several firms as one tidy table, a row per firm and stage.

    Columns: firm, stage, transition (into the stage; missing in the first), n_entered, n_not_yet_known,
    per_1000 (entered, of 1,000 judged), not_yet_known_per_1000 (of 1,000 judged), n_previous,
    share_of_previous, low, high.
    """
    return pd.concat([_tidy(firm, counts) for firm, counts in firms.items()], ignore_index=True)


def transitions(stages: Sequence[str]) -> list[str]:
    """Names of the transitions between stages: "Lead to Qualified"."""
    return [f"{a} to {b}" for a, b in pairwise(stages)]


def _outcomes_at(members: pd.DataFrame, k: int, *, n_stages: int) -> pd.Series:
    """Outcome of each opportunity in stage k; missing where it never entered it."""
    furthest, last = members["furthest"], members["last"]
    recorded = f"entered_{k}"
    entered = members[recorded].eq(True) if recorded in members else furthest >= k
    stays_won = (k == n_stages - 1) & (last == k)
    names = ["not yet known", "advanced", "lost", "back", "open"]
    tests = [~members["judged"], (furthest > k) | stays_won, last == LOST, last < k]
    outcome = np.select([~entered, *tests], ["", *names[:-1]], default=names[-1])
    return pd.Series(outcome, index=members.index).where(entered)


def assemble(
    members: pd.DataFrame, stages: tuple[str, ...], *, order: Order, days: int, learnt: bool, level: float
) -> StageCounts:
    """Count judged opportunities per stage and outcome; every stage must close.

    Parameters
    ----------
    members : index opportunity_id; judged, furthest and last (stage numbers, `LOST` where lost), created_on,
        amount, and entered_0, entered_1, ... where each stage counts by its own entry.
    """
    outcomes = [_outcomes_at(members, k, n_stages=len(stages)) for k in range(len(stages))]
    table = pd.DataFrame({_COLUMN[name]: [int((o == name).sum()) for o in outcomes] for name in OUTCOMES})
    entered = [int((o.notna() & (o != "not yet known")).sum()) for o in outcomes]
    table.insert(0, "n_entered", entered)
    parts = table[["n_advanced", "n_lost", "n_back", "n_open"]].sum(axis=1)
    assert (table["n_entered"] == parts).all(), f"funnel: stages do not close: {table}"
    judged = members[members["judged"]]
    won = judged.loc[judged["furthest"] == len(stages) - 1, "amount"]
    return StageCounts(
        stages=stages,
        table=_with_shares(table, stages, n_all=len(judged), level=level),
        order=order,
        window_days=days,
        window_learnt=learnt,
        entered_from=pd.Timestamp(judged["created_on"].min()).date(),
        entered_until=pd.Timestamp(judged["created_on"].max()).date(),
        n_not_yet_known=len(members) - len(judged),
        deal_values=won.dropna().astype(float).rename("deal_value"),
        level=level,
        members=members,
    )


def from_plain_counts(counts: list[int], *, stages: Sequence[str] | None, level: float) -> StageCounts:
    """Counts given as such, from first stage to wins: checked, with their shares."""
    names = tuple(stages) if stages is not None else tuple(f"Stage {k + 1}" for k in range(len(counts)))
    if len(names) != len(counts) or len(counts) < 2:
        raise ConfigError(
            f"funnel: {len(counts)} counts for {len(names)} stages; expected two or more of each"
        )
    values = np.asarray(counts, dtype=float)
    if not np.isfinite(values).all() or (values < 0).any() or (np.diff(values) > 0).any():
        raise DataError(f"funnel: counts {counts}; expected numbers >= 0 that never rise from stage to stage")
    if (values != np.floor(values)).any():
        raise DataError(f"funnel: counts {counts}; expected whole numbers of opportunities")
    entered = values.astype("int64")
    unknown = dict.fromkeys(("n_lost", "n_back", "n_open"), pd.array([pd.NA] * len(entered), dtype="Int64"))
    table = pd.DataFrame(
        {"n_entered": entered, "n_advanced": [*entered[1:], entered[-1]], **unknown, "n_not_yet_known": 0}
    )
    return StageCounts(
        stages=names, table=_with_shares(table, names, n_all=int(entered[0]), level=level), level=level
    )


def _with_shares(table: pd.DataFrame, stages: tuple[str, ...], *, n_all: int, level: float) -> pd.DataFrame:
    """Add the shares, each with its own denominator."""
    previous, further = table["n_entered"].shift().fillna(0), table["n_advanced"].shift().fillna(0)
    ends = np.array([wilson(k, n=n, level=level) for k, n in zip(further, previous, strict=True)])
    ends[0] = np.nan
    shares: dict[str, Any] = {
        "share_of_previous": (further / previous).where(previous > 0),
        "low": ends[:, 0],
        "high": ends[:, 1],
        "share_of_all": table["n_entered"] / n_all if n_all else np.nan,
    }
    return table.assign(**shares).set_index(pd.Index(stages, name="stage"))


def _tidy(firm: str, counts: StageCounts) -> pd.DataFrame:
    table, first = counts.table, counts.table["n_entered"].iloc[0]
    return pd.DataFrame(
        {
            "firm": firm,
            "stage": counts.stages,
            "transition": [None, *transitions(counts.stages)],
            "n_entered": table["n_entered"].to_numpy(),
            "n_not_yet_known": table["n_not_yet_known"].to_numpy(),
            "per_1000": (1000 * table["n_entered"] / first).to_numpy(),
            "not_yet_known_per_1000": (1000 * table["n_not_yet_known"] / first).to_numpy(),
            "n_previous": table["n_entered"].shift().fillna(0).astype(int).to_numpy(),
            "share_of_previous": table["share_of_previous"].to_numpy(),
            "low": table["low"].to_numpy(),
            "high": table["high"].to_numpy(),
        }
    )
