"""A walk through the events of one entity, written apart from the package, to hold its counts against.

Steps made so far are kept with the entry of their chain. The four orders stop as ClickHouse's windowFunnel
does; an exclusion works as in PostHog ("entity leaves") or ends the chains of one entry ("chain ends").
"""

from dataclasses import dataclass, field


@dataclass
class Walk:
    reach: int = 0
    left: bool = False
    times: list[int] = field(default_factory=list)


def machine(events, steps, window, order, *, excluded=None, exclusion="entity leaves") -> Walk:
    """Walk in the order of times, then of steps; excluded events last, other events first.

    Excluded events at the moment of a step do nothing.
    """
    place = {event: 1 + k for k, event in enumerate(steps)}
    if excluded:
        place[excluded[0]] = 1 + len(steps)
    found = sorted((at, place.get(event, 0)) for at, event in events)
    state: list = [None] * len(steps)  # per step: entry of the latest chain, its times
    latest = [None] * len(steps)  # per step: time of the latest event that ended a chain
    ended = {}  # entry -> furthest step that it can still be at
    best = Walk()
    for at, number in found:
        k = number - 1
        if k == -1:
            if order == "nothing between" and state[0]:
                return best
            continue
        if k == len(steps) and any(1 <= other <= k for when, other in found if when == at):
            continue
        if k == len(steps):
            fires = _fires(state, excluded, at, window)
            if fires and exclusion == "entity leaves":
                return Walk(left=True)
            for step in fires:
                entry = state[step][0]
                ended[entry] = min(ended.get(entry, len(steps)), step)
            continue
        if k > 0 and order == "no repeats" and state[k]:
            return best
        if k > 0 and order == "nothing between" and state[0] and not state[k - 1]:
            return best
        if k == 0:
            state[0], latest[0] = (at, [at]), at
        elif state[k - 1]:
            entry, times = state[k - 1]
            is_ended = ended.get(entry, len(steps)) < k and not _made_before(state, k, entry)
            in_time = window is None or at - entry <= window
            later = order != "strictly later" or latest[k - 1] < at
            if is_ended or not in_time or not later:
                continue
            if not _made_before(state, k, entry):
                state[k] = (entry, [*times, at])
            latest[k] = at
        else:
            continue
        if k + 1 > best.reach:
            best = Walk(k + 1, times=list(state[k][1]))
        if best.reach == len(steps):
            return best
    return best


def _made_before(state, k, entry) -> bool:
    return state[k] is not None and state[k][0] == entry


def _fires(state, excluded, at, window) -> list[int]:
    """Steps whose chain an excluded event meets: made before this moment, and not the next one."""
    _, start, end = excluded
    met = []
    for k in range(start, end):
        if state[k] is None or state[k][1][-1] >= at:
            continue
        entry = state[k][0]
        if (window is None or at - entry <= window) and not _made_before(state, k + 1, entry):
            met.append(k)
    return met
