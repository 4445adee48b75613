"""Who came how far in a log of events, by declared rules."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.funnel.counting.attempts import find_attempts
from crm_analysis.funnel.counting.attribution import FIRST_STEP, attribute_at, attributed_step
from crm_analysis.funnel.counting.chains import NONE, rows_of_step
from crm_analysis.funnel.counting.counts import StageCounts, assemble
from crm_analysis.funnel.counting.event_arrays import OTHER, EventArrays
from crm_analysis.funnel.counting.event_reading import read_arrays, rows_of
from crm_analysis.funnel.counting.event_rules import (
    Count,
    Excluded,
    Exclusion,
    Length,
    Order,
    Reentry,
    Rules,
    StepWindows,
    read_rules,
)
from crm_analysis.funnel.counting.furthest import Furthest, furthest_steps

_ONE_DAY = 86_400_000_000


def count_events(
    events: Any,
    *,
    steps: Sequence[str | Collection[str]] | Mapping[str, str | Collection[str]],
    window: Length | None = None,
    step_windows: StepWindows | None = None,
    order: Order = "ordered",
    reentry: Reentry | None = None,
    count: Count = "entities",
    exclude: Excluded = (),
    exclusion: Exclusion = "entity leaves",
    optional: Collection[str] = (),
    by: str | Sequence[str] = (),
    attribution: str = FIRST_STEP,
    entity: str = "entity_id",
    entered_from: dt.date | str | None = None,
    entered_until: dt.date | str | None = None,
    observed_until: dt.date | str | None = None,
    known: Collection[str] = (),
    level: float = 0.95,
) -> StageCounts:
    """How many entities made each step, in which order, how soon after another."""
    rules = read_rules(
        steps,
        window=window,
        step_windows=step_windows,
        order=order,
        reentry=reentry,
        count=count,
        exclude=exclude,
        exclusion=exclusion,
        optional=optional,
    )
    attributes = [by] if isinstance(by, str) else list(by)
    attributed_step(attribution, rules)
    until = observed_until or getattr(events, "observed_until", None)
    span = _Span(rules, entered_from, entered_until, until)
    found = read_arrays(rows_of(events), rules, entity=entity, attributes=attributes, known=list(known))
    parts, n_left = _judged(found, rules, span)
    members = _members(
        [_member_rows(e, f, rules, attributes, attribution, j) for e, f, j in parts], rules, span
    )
    return assemble(
        members,
        _labels(rules),
        days=_whole_days(rules.window),
        learnt=False,
        level=level,
        skipped="as recorded" if rules.optional else "imputed",
        n_left_out=n_left,
        rules={},
    )


class _Span:
    """The moments in which entries count, and after which their window was not over."""

    def __init__(self, rules: Rules, start: Any, end: Any, until: Any) -> None:
        self.start = _midnight(start)
        self.end = _midnight(end, after=True)
        observed_end, window = _midnight(until, after=True), rules.whole_window
        self.mature_before = None if observed_end is None or window is None else observed_end - window

    def inside(self, time: np.ndarray) -> np.ndarray:
        kept = np.ones(len(time), dtype=bool)
        if self.start is not None:
            kept &= time >= self.start
        if self.end is not None:
            kept &= time < self.end
        return kept

    def mature(self, time: np.ndarray) -> np.ndarray:
        return np.ones(len(time), dtype=bool) if self.mature_before is None else time < self.mature_before


def _midnight(day: Any, *, after: bool = False) -> int | None:
    """Microseconds at which a day begins, or the next one."""
    if day is None:
        return None
    return int(pd.Timestamp(day).normalize().as_unit("us").value) + after * _ONE_DAY


def _judged(
    events: EventArrays, rules: Rules, span: _Span
) -> tuple[list[tuple[EventArrays, Furthest, bool]], int]:
    entries = _entries(events, rules)
    if rules.attempts:
        return [(e, f, True) for e, f in find_attempts(events, rules, entries)], 0
    entries = entries[span.inside(events.time[entries])]
    mature = span.mature(events.time[entries])
    found = furthest_steps(events, rules, entries[mature])
    parts = [(events, found, True)]
    if not mature.all():
        young = np.zeros(len(events.ids), dtype=bool)
        young[events.entity[entries[~mature]]] = True
        young[events.entity[entries[mature]]] = False
        kept = young[events.entity]
        some = events.only(kept)
        entries = np.flatnonzero(np.isin(np.flatnonzero(kept), entries))
        parts.append((some, furthest_steps(some, rules, entries), False))
    return parts, len(found.left)


def _entries(events: EventArrays, rules: Rules) -> np.ndarray:
    if rules.order == "any order":
        return np.flatnonzero(events.code != OTHER)
    return rows_of_step(events, rules, 0)


def _member_rows(
    events: EventArrays, found: Furthest, rules: Rules, attributes: list[str], attribution: str, judged: bool
) -> pd.DataFrame:
    times = np.where(found.rows == NONE, np.iinfo(np.int64).min, events.time[found.rows])
    columns: dict[str, Any] = {"judged": np.full(len(found.entity), judged), "furthest": found.furthest}
    for k in range(len(rules.steps)):
        columns[f"at_{k}"] = times[:, k].view("datetime64[us]")
    for k in rules.optional:
        columns[f"entered_{k}"] = found.rows[:, k] != NONE
    for name in attributes:
        columns[name] = attribute_at(events, found, rules, name, attribution)
    return pd.DataFrame(columns, index=events.ids[found.entity].astype(str))


def _members(parts: list[pd.DataFrame], rules: Rules, span: _Span) -> pd.DataFrame:
    members = pd.concat(parts) if len(parts) > 1 else parts[0]
    if rules.attempts:
        entered = members["at_0"].to_numpy("datetime64[us]").astype(np.int64)
        members["judged"] = span.mature(entered)
        members = members[span.inside(entered)]
    won = (members["furthest"] == len(rules.steps) - 1).to_numpy().astype(np.int8)
    return members.assign(
        top=members["furthest"],
        last=members["furthest"],
        outcome=pd.Categorical.from_codes(won, categories=pd.Index(["open", "won"])),
        created_on=members["at_0"],
        amount=np.nan,
    ).sort_index(kind="stable")


def _labels(rules: Rules) -> tuple[str, ...]:
    if rules.order != "any order":
        return rules.stages
    return tuple(f"{k + 1} step{'s' if k else ''}" for k in range(len(rules.steps)))


def _whole_days(window: int | None) -> int | None:
    return window // _ONE_DAY if window and window % _ONE_DAY == 0 else None
