"""Chains of steps in sorted events, by passes over whole arrays.

One rule carries all: an event of step k continues the latest event of step k - 1 before it that itself ended
a chain, and its chain's entry is that one's. The latest such event has the latest entry and the smallest gap,
so a chain within all windows exists exactly where this one is within them; entries never decrease in the time
of an entity, so that one search per step finds them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from crm_analysis.funnel.counting.event_arrays import EventArrays
from crm_analysis.funnel.counting.event_rules import Rules

NONE = -1


@dataclass
class Chains:
    """Events that end a chain of k + 1 steps, for each step k, as positions in the sorted events.

    rows[k] : the events.     entry[k] : the entry of each one's chain.
    before[k] : the event of the step before, and via[k] : which step that was.
    """

    rows: list[np.ndarray] = field(default_factory=list)
    entry: list[np.ndarray] = field(default_factory=list)
    before: list[np.ndarray] = field(default_factory=list)
    via: list[np.ndarray] = field(default_factory=list)

    def keep(self, k: int, kept: np.ndarray) -> None:
        """Leave out chains of step k."""
        for part in (self.rows, self.entry, self.before, self.via):
            part[k] = part[k][kept]

    def first_with(self, k: int, entry: np.ndarray) -> np.ndarray:
        """Place in rows[k] of the first chain with each entry, or where it would be."""
        return np.searchsorted(self.entry[k], entry, side="left")


def find_chains(events: EventArrays, rules: Rules, entries: np.ndarray) -> Chains:
    """Find all chains that start at one of the events `entries` (sorted positions)."""
    chains = Chains()
    start = np.full(len(entries), NONE)
    _append(chains, entries, entries, start, start.astype(np.int8))
    moments = events.moment_starts() if _asks_for_moments(rules) else None
    for k in range(1, len(rules.steps)):
        _append(chains, *_continued(events, rules, chains, k, moments))
        if rules.excluded and not rules.leaves:
            assert moments is not None
            chains.keep(k, ~_interrupted(events, rules, chains, k, moments))
    return chains


def rows_of_step(events: EventArrays, rules: Rules, k: int) -> np.ndarray:
    """Positions of the events that step k may be."""
    codes = [1 + rules.names.index(name) for name in rules.steps[k]]
    return np.flatnonzero(events.code == codes[0] if len(codes) == 1 else np.isin(events.code, codes))


def rows_of_excluded(
    events: EventArrays, rules: Rules, names: Sequence[str], moments: np.ndarray
) -> np.ndarray:
    """Positions of excluded events, without those at the same moment as a step, which comes first in it."""
    rows = np.flatnonzero(np.isin(events.code, [1 + rules.names.index(name) for name in names]))
    return rows[events.code[moments[rows]] > rules.n_step_names]


def first_of_each(events: EventArrays, rows: np.ndarray) -> np.ndarray:
    """First of `rows` of each entity."""
    who = events.entity[rows]
    return rows[np.concatenate([[True], who[1:] != who[:-1]])] if len(rows) else rows


def gathered(values: np.ndarray, places: np.ndarray, missing: int = NONE) -> np.ndarray:
    """Values at places; `missing` where a place is out of range."""
    if not len(values):
        return np.full(len(places), missing, dtype=np.int64)
    inside = (places >= 0) & (places < len(values))
    return np.where(inside, values[np.where(inside, places, 0)], missing)


def _append(chains: Chains, rows: np.ndarray, entry: np.ndarray, before: np.ndarray, via: np.ndarray) -> None:
    chains.rows.append(rows)
    chains.entry.append(entry)
    chains.before.append(before)
    chains.via.append(via)


def _asks_for_moments(rules: Rules) -> bool:
    return bool(rules.excluded) or any(rules.must_be_later(k) for k in range(1, len(rules.steps)))


def _continued(
    events: EventArrays, rules: Rules, chains: Chains, k: int, moments: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Events of step k that continue a chain, its entry, and the event that they continue."""
    rows = rows_of_step(events, rules, k)
    bound = moments[rows] if moments is not None and rules.must_be_later(k) else rows
    entry, before = _latest(events, rules, chains, (k, k - 1), rows, bound)
    via = np.full(len(rows), k - 1, dtype=np.int8)
    skipped = k - 1
    while skipped in rules.optional:
        skipped -= 1
        other_entry, other = _latest(events, rules, chains, (k, skipped), rows, bound)
        better = other_entry > entry
        entry, before = np.where(better, other_entry, entry), np.where(better, other, before)
        via[better] = skipped
    found = entry != NONE
    return rows[found], entry[found], before[found], via[found]


def _latest(
    events: EventArrays,
    rules: Rules,
    chains: Chains,
    steps: tuple[int, int],
    rows: np.ndarray,
    bound: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Entry and last event of the latest chain of an earlier step before each bound, within the windows."""
    k, earlier = steps
    if not len(chains.rows[earlier]):
        none = np.full(len(rows), NONE)
        return none, none
    place = _latest_before(chains.rows[earlier], bound, len(events))
    found = place >= 0
    place[~found] = 0
    entry, before = chains.entry[earlier][place], chains.rows[earlier][place]
    found &= events.entity[entry] == events.entity[rows]
    now = events.time[rows]
    if rules.window is not None:
        found &= now - events.time[entry] <= rules.window
    if rules.order == "strictly later":
        found &= events.time[before] < now
    if (gap := rules.gaps[k]) is not None:
        found &= now - events.time[before] <= gap
    return np.where(found, entry, NONE), np.where(found, before, NONE)


def _latest_before(rows: np.ndarray, bound: np.ndarray, n_events: int) -> np.ndarray:
    """Place of the last of `rows` (ascending) before each bound; -1 where there is none."""
    if len(rows) * 8 < n_events:
        return np.searchsorted(rows, bound) - 1
    # Where rows are dense, counting them up is faster than searching.
    n_before = np.zeros(n_events + 1, dtype=np.int32)
    n_before[rows + 1] = 1
    np.cumsum(n_before, out=n_before)
    return n_before[bound] - 1


def _interrupted(
    events: EventArrays, rules: Rules, chains: Chains, k: int, moments: np.ndarray
) -> np.ndarray:
    """Whether an excluded event lies between the last step and the first time the one before was reached."""
    broken = np.zeros(len(chains.rows[k]), dtype=bool)
    for via in np.unique(chains.via[k]):
        names = [name for name, start, end in rules.excluded if start < k and via < end]
        excluded = rows_of_excluded(events, rules, names, moments)
        mine = chains.via[k] == via
        reached = chains.rows[via][chains.first_with(int(via), chains.entry[k][mine])]
        # Moments of excluded events: what is at the same moment is not between.
        at = moments[excluded]
        until = np.searchsorted(at, moments[chains.rows[k][mine]], side="left")
        broken[mine] = until > np.searchsorted(at, moments[reached], side="right")
    return broken
