"""What became of each member in a stage."""

from __future__ import annotations

import numpy as np
import pandas as pd

OUTCOMES = ("advanced", "lost", "back", "open", "not yet known")
ADVANCED, NOT_YET_KNOWN, NOT_THERE = 0, 4, -1
# The stage in which a lost one stands.
LOST = -1


def outcome_codes(members: pd.DataFrame, k: int, *, n_stages: int) -> np.ndarray:
    """Position in `OUTCOMES` of what became of each member in stage k; -1 where it did not enter it."""
    top, last = (members[name].to_numpy() for name in ("top", "last"))
    stays_won = (k == n_stages - 1) & (last == k)
    tests = [
        ~entered(members, k),
        ~members["judged"].to_numpy(dtype=bool),
        (top > k) | stays_won,
        last == LOST,
        last < k,
    ]
    return np.select(tests, [NOT_THERE, NOT_YET_KNOWN, ADVANCED, 1, 2], default=3)


def entered(members: pd.DataFrame, k: int) -> np.ndarray:
    """Whether each member is counted in stage k."""
    if (recorded := f"entered_{k}") in members:
        return members[recorded].to_numpy(dtype=bool)
    return members["furthest"].to_numpy() >= k


def uncounted(members: pd.DataFrame, k: int, *, n_stages: int) -> np.ndarray:
    """Who went on from stage k, and is counted in no later one."""
    went_on = outcome_codes(members, k, n_stages=n_stages) == ADVANCED
    later = [entered(members, j) for j in range(k + 1, n_stages)]
    return went_on & ~np.logical_or.reduce(later) if later else np.zeros(len(members), dtype=bool)
