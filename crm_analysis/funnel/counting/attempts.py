"""Attempts of one entity, one after the other: the next begins when the last one is over."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from crm_analysis.funnel.counting.chains import NONE
from crm_analysis.funnel.counting.event_arrays import EventArrays
from crm_analysis.funnel.counting.event_rules import Rules
from crm_analysis.funnel.counting.furthest import Furthest, furthest_steps


def find_attempts(
    events: EventArrays, rules: Rules, entries: np.ndarray
) -> Iterator[tuple[EventArrays, Furthest]]:
    """Give the first attempts of all entities, then the second ones, ..., with the events they are among.

    An attempt starts at the first entry after the one before was over: with the event that completed it, or
    with its window. Without a window an attempt that is not completed is never over.
    """
    is_entry = np.zeros(len(events), dtype=bool)
    is_entry[entries] = True
    while is_entry.any():
        found = furthest_steps(events, rules, np.flatnonzero(is_entry))
        yield events, found
        kept = _after_it(events, rules, found)
        events, is_entry = events.only(kept), is_entry[kept]


def _after_it(events: EventArrays, rules: Rules, found: Furthest) -> np.ndarray:
    """Events after the attempt of their entity was over."""
    over_at = np.full(len(events.ids), len(events), dtype=np.int64)
    last = found.rows[:, -1]
    done = last != NONE
    over_at[found.entity[done]] = last[done]
    kept = np.arange(len(events)) > over_at[events.entity]
    if (window := rules.whole_window) is None:
        return kept
    times_out = np.full(len(events.ids), np.iinfo(np.int64).max)
    out = found.entity[~done]
    times_out[out] = events.time[found.rows[~done, 0]] + window
    return kept | (events.time > times_out[events.entity])
