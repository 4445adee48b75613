"""Who reached which stage, with everybody given the same time and nobody counted before the time is up.

Every opportunity is looked at as it stood `window` days after it was created. One that is younger is not
yet known: it is shown, and is in no rate. One that is old enough and neither won nor lost by then is open,
never lost. Each stage closes: entered = advanced + lost + moved back + open.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import ibis
import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel.incidence import maturity_window
from crm_analysis.funnel.rates import wilson
from crm_analysis.workspace import parse_length

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

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


def count_stages(
    pipeline: Pipeline | Sequence[int],
    *,
    window: str | None = None,
    order: Order = "ordered",
    entered_from: dt.date | str | None = None,
    entered_until: dt.date | str | None = None,
    stages: Sequence[str] | None = None,
    level: float = 0.95,
) -> StageCounts:
    """How many opportunities reached each stage within `window` of their creation.

    Parameters
    ----------
    pipeline : what a door returned; or the counts themselves, from first stage to wins.
    window : a length in whole days, "90 days". Where not given, the age by which 95% of the wins that happen
        have happened (`maturity_window`), learnt from the whole pipeline.
    order : "ordered": reaching a stage implies having entered all earlier ones, whether they were recorded
        or not (created in a late stage, straight wins). "as recorded": a stage counts where its own entry is
        recorded, so that counts need not fall from stage to stage.
    entered_from, entered_until : first and last creation date looked at, both included; all where not given.
    stages : names for plain counts; "Stage 1", "Stage 2", ... where not given.
    level : of the intervals.

    Raises
    ------
    DataError
        The pipeline does not show how far lost opportunities came (use `count_wins`); or there is nothing to
        judge; or plain counts rise from one stage to the next.
    ConfigError
        An argument is misspelt.
    """
    if order not in ("ordered", "as recorded"):
        raise ConfigError(f"funnel: order {order!r}; expected 'ordered' or 'as recorded'")
    if isinstance(pipeline, Sequence | np.ndarray):
        return _from_plain_counts(list(pipeline), stages=stages, level=level)
    if not pipeline.furthest_known:
        raise DataError(
            f"funnel: the shape {pipeline.shape!r} hides how far lost opportunities came, so stage rates "
            "are refused; the win rate (count_wins), incidence and velocity work"
        )
    days = _days(window or maturity_window(pipeline))
    members = _judge(pipeline, days, entered_from=entered_from, entered_until=entered_until)
    reached = _reached(pipeline, days, each_stage=order == "as recorded")
    members = members.join(reached).fillna({"furthest": 0, "last": 0}).astype({"furthest": int, "last": int})
    members["furthest"] = members["furthest"].clip(lower=0)
    if "amount_then" in members:
        members["amount"] = members["amount_then"].fillna(members["amount"])
    return _assemble(
        members, tuple(pipeline.stages), order=order, days=days, learnt=window is None, level=level
    )


def count_wins(
    pipeline: Pipeline,
    *,
    window: str | None = None,
    entered_from: dt.date | str | None = None,
    entered_until: dt.date | str | None = None,
    level: float = 0.95,
) -> StageCounts:
    """Return the funnel of two stages, created and won: the win rate, whatever the pipeline's shape hides.

    `share_of_all` of the last row is won / all that are judged. Arguments as in `count_stages`.
    """
    days = _days(window or maturity_window(pipeline))
    members = _judge(pipeline, days, entered_from=entered_from, entered_until=entered_until)
    in_time = members["days_to_close"] <= days
    won, lost = (in_time & (members["outcome"] == outcome) for outcome in ("won", "lost"))
    members["furthest"] = won.astype(int)
    members["last"] = np.select([won, lost], [1, LOST], default=0)
    stages = (pipeline.stages[0], pipeline.stages[-1])
    return _assemble(members, stages, order="ordered", days=days, learnt=window is None, level=level)


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


def _days(window: str) -> int:
    days = int(parse_length(window))
    if days < 1:
        raise ConfigError(f"funnel: window {window!r}; expected at least one day")
    return days


def _judge(
    pipeline: Pipeline,
    days: int,
    *,
    entered_from: dt.date | str | None,
    entered_until: dt.date | str | None,
) -> pd.DataFrame:
    """Opportunities created in the period: outcome, amount, days to close, and whether they can be judged."""
    deals = pipeline.opportunities
    amount = deals.amount.cast("float64") if "amount" in deals.columns else ibis.null("float64")
    found = deals.select(
        "opportunity_id",
        "outcome",
        amount=amount,
        created_on=deals.created_on,
        days_to_close=deals.closed_on.delta(deals.created_on, unit="day"),
        age=ibis.literal(pipeline.snapshot_at).delta(deals.created_on, unit="day"),
    ).to_pandas()
    found = found.set_index(found["opportunity_id"].astype(str)).sort_index()
    created = pd.to_datetime(found["created_on"])
    start, end = (pd.Timestamp(d) if d else None for d in (entered_from, entered_until))
    inside = (created >= start if start else True) & (created <= end if end else True)
    found = found[inside] if isinstance(inside, pd.Series) else found
    found["judged"] = (found["age"] >= days).fillna(False).astype(bool)
    if not found["judged"].any():
        raise DataError(
            f"funnel: none of {len(found)} opportunities created in the period is {days} days old at "
            f"{pipeline.snapshot_at}; give a shorter window or an earlier period"
        )
    return found.drop(columns="opportunity_id")


def _reached(pipeline: Pipeline, days: int, *, each_stage: bool) -> pd.DataFrame:
    """Furthest and last stage number and last amount of each opportunity within `days`; lost is stage -1."""
    created = pipeline.opportunities.select("opportunity_id", "created_on")
    history = pipeline.history.join(created, "opportunity_id")
    in_time = history.entered_on <= history.created_on + ibis.interval(days=days)
    # Where only the last stage is known, nobody knows when it was entered: it counts as reached.
    seen = history.filter(history.entered_on.isnull() | in_time)  # noqa: PD003, Ibis knows this name only
    number = ibis.coalesce(seen.stage_number, LOST)
    also = {f"entered_{k}": (number == k).any() for k in range(len(pipeline.stages)) if each_stage}
    if "amount" in seen.columns:
        known = seen.amount.notnull()  # noqa: PD004, Ibis knows this name only
        also["amount_then"] = seen.amount.cast("float64").argmax(seen.sequence, where=known)
    reached = {"furthest": number.max(), "last": number.argmax(seen.sequence), **also}
    found = seen.group_by("opportunity_id").agg(**reached).to_pandas()
    return found.set_index(found["opportunity_id"].astype(str)).drop(columns="opportunity_id")


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


def _assemble(
    members: pd.DataFrame, stages: tuple[str, ...], *, order: Order, days: int, learnt: bool, level: float
) -> StageCounts:
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


def _from_plain_counts(counts: list[int], *, stages: Sequence[str] | None, level: float) -> StageCounts:
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
