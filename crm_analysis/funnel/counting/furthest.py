"""How far each entity came, and by which events: the chain that first reached its furthest step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crm_analysis.funnel.counting.any_order import find_any_order
from crm_analysis.funnel.counting.chains import (
    NONE,
    Chains,
    find_chains,
    first_of_each,
    gathered,
    rows_of_excluded,
    rows_of_step,
)
from crm_analysis.funnel.counting.event_arrays import OTHER, EventArrays
from crm_analysis.funnel.counting.event_rules import Rules

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Furthest:
    """Entities that made the first step.

    entity : their numbers, ascending.     furthest : number of the furthest step.
    rows : position of the event of each step, shape (entities, steps); `NONE` where a step was not made.
    left : numbers of entities that an exclusion takes out; not among `entity`.
    """

    entity: np.ndarray
    furthest: np.ndarray
    rows: np.ndarray
    left: np.ndarray


def furthest_steps(events: EventArrays, rules: Rules, entries: np.ndarray) -> Furthest:
    """Judge every entity by its chains that start at one of `entries` (sorted positions)."""
    if rules.first_entry:
        entries = first_of_each(events, entries)
    if rules.order == "any order":
        return Furthest(*find_any_order(events, rules, entries), left=np.array([], dtype=np.int64))
    chains = find_chains(events, rules, entries)
    firsts = _first_reached(events, rules, chains)
    left = _left(events, rules, chains, firsts[-1]) if rules.leaves and rules.excluded else None
    stop = _stops(events, rules, firsts)
    if stop is not None:
        firsts = np.where(_before(firsts, stop), firsts, NONE)
    reached = firsts != NONE
    there = reached[0] if left is None else reached[0] & ~left
    who = np.flatnonzero(there)
    n_steps = len(rules.steps)
    top = n_steps - 1 - np.argmax(reached[::-1, who], axis=0) if len(who) else who
    rows = _traced(rules, chains, firsts[:, who], top)
    return Furthest(who, top, rows, np.flatnonzero(left) if left is not None else who[:0])


def _first_reached(events: EventArrays, rules: Rules, chains: Chains) -> np.ndarray:
    """First event at which each entity reached each step, shape (steps, entities)."""
    firsts = np.full((len(rules.steps), len(events.ids)), NONE, dtype=np.int64)
    for k, rows in enumerate(chains.rows):
        first = first_of_each(events, rows)
        firsts[k, events.entity[first]] = first
    return firsts


def _traced(rules: Rules, chains: Chains, firsts: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Walk back from where each entity first reached its furthest step; shape (entities, steps).

    Each step is the first one made after the chain's entry; with a gap to keep, the latest before the next.
    """
    n = len(top)
    rows = np.full((n, len(rules.steps)), NONE, dtype=np.int64)
    current = np.full(n, NONE, dtype=np.int64)
    wanted = top.copy()
    for k in range(len(rules.steps) - 1, -1, -1):
        here = np.flatnonzero(wanted == k)
        starts = top[here] == k
        row = np.where(starts, firsts[k, here], current[here])
        rows[here, k] = row
        if k == 0:
            break
        place = np.searchsorted(chains.rows[k], row)
        via = chains.via[k][place].astype(np.int64)
        current[here] = _step_before(rules, chains, k, place, via)
        wanted[here] = via
    return rows


def _step_before(rules: Rules, chains: Chains, k: int, place: np.ndarray, via: np.ndarray) -> np.ndarray:
    if rules.gaps[k] is not None:
        return chains.before[k][place]
    entry, found = chains.entry[k][place], np.empty(len(place), dtype=np.int64)
    for step in np.unique(via):
        mine = via == step
        found[mine] = chains.rows[step][chains.first_with(int(step), entry[mine])]
    return found


def _before(firsts: np.ndarray, stop: np.ndarray) -> np.ndarray:
    return (firsts != NONE) & (firsts < stop)


def _stops(events: EventArrays, rules: Rules, firsts: np.ndarray) -> np.ndarray | None:
    """Position at which each entity's chains end by the stricter orders."""
    if rules.order == "no repeats":
        return _stops_at_repeat(events, rules, firsts)
    if rules.order == "nothing between":
        return _stops_at_other(events, rules, firsts)
    return None


def _stops_at_repeat(events: EventArrays, rules: Rules, firsts: np.ndarray) -> np.ndarray:
    """First event of a later step that was made already (ClickHouse's strict_deduplication)."""
    stop = np.full(len(events.ids), NEVER)
    who = np.arange(len(events.ids))
    for k in range(1, len(rules.steps)):
        rows = rows_of_step(events, rules, k)
        again = gathered(rows, np.searchsorted(rows, firsts[k], side="right"))
        mine = (firsts[k] != NONE) & (again != NONE) & (events.entity[again] == who)
        stop[mine] = np.minimum(stop[mine], again[mine])
    return stop


def _stops_at_other(events: EventArrays, rules: Rules, firsts: np.ndarray) -> np.ndarray:
    """First event after the entry that is no step, or one whose step before was not made (strict_order)."""
    stop = np.full(len(events.ids), NEVER)
    who = np.arange(len(events.ids))
    for k in range(len(rules.steps)):
        rows = np.flatnonzero(events.code == OTHER) if k == 0 else rows_of_step(events, rules, k)
        breaks = gathered(rows, np.searchsorted(rows, firsts[0], side="right"))
        mine = (firsts[0] != NONE) & (breaks != NONE) & (events.entity[breaks] == who)
        if k > 0:
            mine &= (firsts[k - 1] == NONE) | (breaks < firsts[k - 1])
        stop[mine] = np.minimum(stop[mine], breaks[mine])
    return stop


def _left(events: EventArrays, rules: Rules, chains: Chains, done: np.ndarray) -> np.ndarray:
    """Whether each entity met an excluded event between its steps, before it came to the last one."""
    left = np.zeros(len(events.ids), dtype=bool)
    moments = events.moment_starts()
    for name, start, end in rules.excluded:
        rows = rows_of_excluded(events, rules, [name], moments)
        who = events.entity[rows]
        pending = (done[who] == NONE) | (rows < done[who])
        for k in range(start, end):
            fires = pending & _is_between(events, rules, chains, k, rows, moments)
            left[who[fires]] = True
    return left


def _is_between(
    events: EventArrays, rules: Rules, chains: Chains, k: int, rows: np.ndarray, moments: np.ndarray
) -> np.ndarray:
    """Whether each event falls on a chain that came to step k, is still within its windows and no further."""
    place = np.searchsorted(chains.rows[k], moments[rows]) - 1
    entry = gathered(chains.entry[k], place)
    latest = gathered(chains.rows[k], place)
    fires = (entry != NONE) & (events.entity[entry] == events.entity[rows])
    if rules.window is not None:
        fires &= events.time[rows] - events.time[entry] <= rules.window
    if (gap := rules.gaps[k + 1]) is not None:
        fires &= events.time[rows] - events.time[latest] <= gap
    for later in range(k + 1, len(rules.steps)):
        place = np.searchsorted(chains.rows[later], rows) - 1
        fires &= gathered(chains.entry[later], place, missing=NONE - 1) != entry
    return fires
