"""Steps in any order: the most different steps that an entity made within one window."""

from __future__ import annotations

import numpy as np

from crm_analysis.funnel.counting.chains import NONE, rows_of_step
from crm_analysis.funnel.counting.event_arrays import EventArrays
from crm_analysis.funnel.counting.event_rules import Rules


def find_any_order(
    events: EventArrays, rules: Rules, entries: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return entities, their number of different steps less one, and the events of the best window.

    A window starts at one of `entries` (sorted positions of steps) and holds, of each step, the first event
    in it. Of windows with as many steps the one that has them all first counts. Events are in the order of
    their times; shapes (n,), (n,), (n, steps).
    """
    made = np.stack([_next(events, rules, k, entries) for k in range(len(rules.steps))], axis=1)
    n_made = (made != NONE).sum(axis=1)
    made.sort(axis=1)
    # Missing ones sort first: turn them to the end.
    n_steps = len(rules.steps)
    shift = (np.arange(n_steps)[None, :] + (n_steps - n_made)[:, None]) % n_steps
    made = np.take_along_axis(made, shift, axis=1)
    last = made[np.arange(len(made)), n_made - 1]
    who, time = events.entity[entries], events.time
    best = np.lexsort((-time[entries], time[last], -n_made, who))
    best = best[np.concatenate([[True], who[best][1:] != who[best][:-1]])] if len(best) else best
    return who[best].astype(np.int64), n_made[best] - 1, made[best]


def _next(events: EventArrays, rules: Rules, k: int, entries: np.ndarray) -> np.ndarray:
    """Event of step k at or after each entry, within its window."""
    rows = rows_of_step(events, rules, k)
    place = np.searchsorted(rows, entries)
    inside = place < len(rows)
    found = rows[np.where(inside, place, 0)] if len(rows) else np.full(len(entries), NONE)
    inside &= (found != NONE) & (events.entity[found] == events.entity[entries])
    if rules.window is not None:
        inside &= events.time[found] - events.time[entries] <= rules.window
    return np.where(inside, found, NONE)
