"""One row per entity that made the first step: how far it came, when, and whether that is known yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.funnel.counting.attempts import find_attempts
from crm_analysis.funnel.counting.attribution import attribute_at
from crm_analysis.funnel.counting.chains import NONE, rows_of_step
from crm_analysis.funnel.counting.event_arrays import OTHER, EventArrays
from crm_analysis.funnel.counting.event_rules import Rules
from crm_analysis.funnel.counting.furthest import Furthest, furthest_steps

ONE_DAY = 86_400_000_000
NO_TIME = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Span:
    """Which entries count, in microseconds: from `start` to before `end`, and old enough before `mature`."""

    start: int | None = None
    end: int | None = None
    mature: int | None = None

    def inside(self, time: np.ndarray) -> np.ndarray:
        """Whether entries lie in the period."""
        kept = np.ones(len(time), dtype=bool)
        if self.start is not None:
            kept &= time >= self.start
        return kept if self.end is None else kept & (time < self.end)

    def is_mature(self, time: np.ndarray) -> np.ndarray:
        """Whether the window of entries was over when observation stopped."""
        return np.ones(len(time), dtype=bool) if self.mature is None else time < self.mature


def span_of(rules: Rules, start: Any, end: Any, observed_until: Any) -> Span:
    """Read days, whole ones: an entry is mature if its window ends on or before `observed_until`."""
    observed, window = midnight(observed_until, after=True), rules.whole_window
    mature = None if observed is None or window is None else observed - window
    return Span(midnight(start), midnight(end, after=True), mature)


def midnight(day: Any, *, after: bool = False) -> int | None:
    """Microseconds at which a day begins, or the next one."""
    if day is None:
        return None
    return int(np.datetime64(pd.Timestamp(day).date(), "us").astype(np.int64)) + after * ONE_DAY


def count_members(
    events: EventArrays,
    rules: Rules,
    span: Span,
    *,
    attributes: Sequence[str],
    attribution: str,
    with_ids: bool = True,
) -> tuple[pd.DataFrame, int]:
    """Members of these events, and how many entities an exclusion took out; unless with ids, unnamed."""
    parts, n_left = _judged(events, rules, span)
    frames = [
        _frame(some, found, rules, attributes, attribution, with_ids).assign(judged=judged)
        for some, found, judged in parts
    ]
    members = pd.concat(frames) if len(frames) > 1 else frames[0]
    if rules.attempts:
        entered = members["at_0"].to_numpy("datetime64[us]").astype(np.int64)
        members = members.assign(judged=span.is_mature(entered))[span.inside(entered)]
    return members.sort_index(kind="stable") if with_ids else members, n_left


def _judged(
    events: EventArrays, rules: Rules, span: Span
) -> tuple[list[tuple[EventArrays, Furthest, bool]], int]:
    """Entities by their mature entries; those with young ones only as far as they came, not judged."""
    entries = rows_of_step(events, rules, 0)
    if rules.order == "any order":
        entries = np.flatnonzero(events.code != OTHER)
    if rules.attempts:
        return [(some, found, True) for some, found in find_attempts(events, rules, entries)], 0
    entries = entries[span.inside(events.time[entries])]
    mature = span.is_mature(events.time[entries])
    found = furthest_steps(events, rules, entries[mature])
    parts = [(events, found, True)]
    if not mature.all():
        young = np.zeros(len(events.ids), dtype=bool)
        young[events.entity[entries[~mature]]] = True
        young[events.entity[entries[mature]]] = False
        kept = young[events.entity]
        is_entry = np.zeros(len(events), dtype=bool)
        is_entry[entries] = True
        some = events.only(kept)
        parts.append((some, furthest_steps(some, rules, np.flatnonzero(is_entry[kept])), False))
    return parts, len(found.left)


def _frame(
    events: EventArrays,
    found: Furthest,
    rules: Rules,
    attributes: Sequence[str],
    attribution: str,
    with_ids: bool,
) -> pd.DataFrame:
    columns: dict[str, Any] = {"furthest": found.furthest}
    for k in range(len(rules.steps)) if with_ids or rules.optional else (0,):
        rows = found.rows[:, k]
        columns[f"at_{k}"] = np.where(rows == NONE, NO_TIME, events.time[rows]).view("datetime64[us]")
    for name in attributes:
        columns[name] = attribute_at(events, found, rules, name, attribution)
    index = events.ids[found.entity].astype(str).rename("entity_id") if with_ids else None
    return pd.DataFrame(columns, index=index)
