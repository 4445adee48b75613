"""How many opportunities entered each stage and what became of them there, however they were counted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel.counting.outcomes import (
    NOT_THERE,
    NOT_YET_KNOWN,
    OUTCOMES,
    entered,
    outcome_codes,
    uncounted,
)
from crm_analysis.rates import wilson

Skipped = Literal["imputed", "as recorded", "strict"]
_COLUMN = {name: f"n_{name.replace(' ', '_')}" for name in OUTCOMES}
MISSING = "(missing)"


@dataclass(frozen=True, eq=False)
class StageCounts:
    """How many opportunities entered each stage and what became of them there.

    stages : in their order; the last one is the won stage.
    table : index `stage`; n_entered, n_advanced (was in a later stage; in the last: is won), n_lost, n_back
        (stands in an earlier stage), n_open, n_not_yet_known (entered it, but is too young to judge and in no
        other column), n_uncounted (of n_advanced, those that no later stage counts: they skipped one, or went
        on too late, see `count_stages`); share_of_previous with low and high (Wilson): of those who entered
        the stage before, who entered this one (stages that are not nested: who went further); missing in the
        first row and where nobody entered the stage before; share_of_all: of all that are judged. From plain
        counts, n_lost, n_back and n_open are missing.
    skipped : how a skipped stage is counted, see `count_stages`.
    window_days : everybody is looked at so many days after creation; None for plain counts.
    window_learnt : the window was read off the pipeline rather than given.
    entered_from, entered_until : creation dates of the first and the last opportunity that is judged.
    n_not_yet_known : opportunities created in the period that are too young, or without a creation date.
    n_left_out : opportunities that an exclusion left out altogether.
    deal_values : amounts of the won opportunities that are judged, as they stood at the win, where there
        are amounts.
    level : of the intervals.
    members : index opportunity_id (or the entity that was counted); judged, furthest (stage counted), top
        (stage ever entered), last (stage it stands in, `LOST` where lost), outcome, created_on, amount, and
        where mapped owner, account_id, source, segment, lost_reason.
    rules : the other rules of counting, by name, as they were given.
    """

    stages: tuple[str, ...]
    table: pd.DataFrame
    skipped: Skipped = "imputed"
    window_days: int | None = None
    window_learnt: bool = False
    entered_from: dt.date | None = None
    entered_until: dt.date | None = None
    n_not_yet_known: int = 0
    n_left_out: int = 0
    deal_values: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    level: float = 0.95
    members: pd.DataFrame | None = field(default=None, repr=False)
    rules: Mapping[str, Any] = field(default_factory=dict)

    @property
    def counts(self) -> list[int]:
        """How many entered each stage."""
        return [int(n) for n in self.table["n_entered"]]

    @property
    def nested(self) -> bool:
        """Whether who is counted in a stage is counted in every earlier one, so that shares multiply."""
        return self.skipped != "as recorded"

    @property
    def n_entrants(self) -> int:
        """Opportunities created in the period, those not yet known included."""
        return int(self.table["n_entered"].iloc[0]) + self.n_not_yet_known

    def who(self, stage: str, *, outcome: str = "open") -> list[str]:
        """Ids behind a number of the table, sorted.

        Parameters
        ----------
        stage : one of `stages`.
        outcome : "advanced", "lost", "back", "open", "not yet known", "uncounted" (some of the advanced), or
            "entered" for all but those not yet known.

        Raises
        ------
        ConfigError
            There is no such stage or outcome, or the counts were given without ids.
        """
        members = self.known_members()
        if stage not in self.stages:
            raise ConfigError(f"funnel: no stage {stage!r}; stages: {list(self.stages)}")
        if outcome not in (words := [*OUTCOMES, "uncounted", "entered"]):
            raise ConfigError(f"funnel: no outcome {outcome!r}; outcomes: {words}")
        k, n_stages = self.stages.index(stage), len(self.stages)
        code = outcome_codes(members, k, n_stages=n_stages)
        if outcome == "uncounted":
            found = uncounted(members, k, n_stages=n_stages)
        elif outcome == "entered":
            found = (code != NOT_THERE) & (code != NOT_YET_KNOWN)
        else:
            found = code == OUTCOMES.index(outcome)
        return sorted(members.index[found])

    def by(self, key: str | pd.Series) -> dict[str, StageCounts]:
        """Counts of each group, by an attribute; they add up to these.

        Groups are made after the counting, so that no group changes who is counted where. Who has no value is
        in the group "(missing)", the last one.

        Parameters
        ----------
        key : a column of `members`, such as "segment"; or a Series of values by id (see `attribute`).

        Raises
        ------
        ConfigError
            There is no such column, or the counts were given without ids.
        """
        groups = self.groups(key)
        names = sorted(set(groups) - {MISSING}) + [MISSING] * bool((groups == MISSING).any())
        parts = {name: recount(self, self.known_members()[groups == name]) for name in names}
        columns = ["n_entered", *_COLUMN.values(), "n_uncounted"]
        total = np.sum([part.table[columns].to_numpy() for part in parts.values()], axis=0)
        assert (total == self.table[columns].to_numpy()).all(), f"funnel: groups do not add up: {total}"
        return parts

    def groups(self, key: str | pd.Series) -> pd.Series:
        """Group of every member, as text; "(missing)" where it has no value."""
        members = self.known_members()
        if isinstance(key, pd.Series):
            if key.index.has_duplicates:
                twice = key.index[key.index.duplicated()][0]
                raise DataError(f"funnel: id {twice!r} has several values; give one value per id")
            values = key.set_axis(key.index.astype(str)).reindex(members.index)
        elif key in members:
            values = members[key]
        else:
            raise ConfigError(f"funnel: no attribute {key!r}; there are: {list(members)}")
        return values.astype(object).where(values.notna(), MISSING).astype(str)

    def known_members(self) -> pd.DataFrame:
        """Return `members`; ConfigError where the counts were given without ids."""
        if self.members is None:
            raise ConfigError("funnel: these counts came without ids; count a pipeline to look at its deals")
        return self.members


def side_by_side(firms: dict[str, StageCounts]) -> pd.DataFrame:
    """Funnels of several firms as one tidy table, a row per firm and stage.

    Columns: firm, stage, transition (into the stage; missing in the first), n_entered, n_not_yet_known,
    per_1000 (entered, of 1,000 judged), not_yet_known_per_1000 (of 1,000 judged), n_previous,
    share_of_previous, low, high. Numbers per 1,000 are missing where nobody is judged.
    """
    return pd.concat([_tidy(firm, counts) for firm, counts in firms.items()], ignore_index=True)


def transitions(stages: Sequence[str]) -> list[str]:
    """Names of the transitions between stages: "Lead to Qualified"."""
    return [f"{a} to {b}" for a, b in pairwise(stages)]


def assemble(
    members: pd.DataFrame,
    stages: tuple[str, ...],
    *,
    days: int | None,
    learnt: bool,
    level: float,
    skipped: Skipped = "imputed",
    n_left_out: int = 0,
    rules: Mapping[str, Any] | None = None,
) -> StageCounts:
    """Count judged opportunities per stage and outcome; every stage must close.

    Parameters
    ----------
    members : index id; judged, furthest, top and last (stage numbers, `LOST` where lost), created_on, amount,
        and entered_0, entered_1, ... where each stage counts by its own entry.
    """
    members = members if "top" in members else members.assign(top=members["furthest"])
    codes = [outcome_codes(members, k, n_stages=len(stages)) for k in range(len(stages))]
    counts = [np.bincount(code[code >= 0], minlength=len(OUTCOMES)) for code in codes]
    table = pd.DataFrame(counts, columns=list(_COLUMN.values()), dtype="int64")
    table.insert(0, "n_entered", [int(((code >= 0) & (code != NOT_YET_KNOWN)).sum()) for code in codes])
    table["n_uncounted"] = [
        int(uncounted(members, k, n_stages=len(stages)).sum()) for k in range(len(stages))
    ]
    parts = table[["n_advanced", "n_lost", "n_back", "n_open"]].sum(axis=1)
    assert (table["n_entered"] == parts).all(), f"funnel: stages do not close: {table}"
    judged = members[members["judged"]]
    created = pd.to_datetime(judged["created_on"])
    won = judged.loc[entered(judged, len(stages) - 1), "amount"]
    return StageCounts(
        stages=stages,
        table=_with_shares(table, stages, n_all=len(judged), level=level, nested=skipped != "as recorded"),
        skipped=skipped,
        window_days=days,
        window_learnt=learnt,
        entered_from=created.min().date() if len(judged) else None,
        entered_until=created.max().date() if len(judged) else None,
        n_not_yet_known=len(members) - len(judged),
        n_left_out=n_left_out,
        deal_values=won.dropna().astype(float).rename("deal_value"),
        level=level,
        members=members,
        rules=dict(rules or {}),
    )


def recount(
    counts: StageCounts, members: pd.DataFrame, *, stages: tuple[str, ...] | None = None
) -> StageCounts:
    """Count some of the members, or other stages, by the same rules."""
    return assemble(
        members,
        stages or counts.stages,
        days=counts.window_days,
        learnt=counts.window_learnt,
        level=counts.level,
        skipped=counts.skipped,
        rules=counts.rules,
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
    ).assign(n_uncounted=0)
    return StageCounts(
        stages=names, table=_with_shares(table, names, n_all=int(entered[0]), level=level), level=level
    )


def _with_shares(
    table: pd.DataFrame, stages: tuple[str, ...], *, n_all: int, level: float, nested: bool = True
) -> pd.DataFrame:
    """Add the shares, each with its own denominator."""
    previous = table["n_entered"].shift().fillna(0)
    further = table["n_entered"].where(previous > 0, 0) if nested else table["n_advanced"].shift().fillna(0)
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
    table = counts.table
    first = int(table["n_entered"].iloc[0]) or np.nan
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
