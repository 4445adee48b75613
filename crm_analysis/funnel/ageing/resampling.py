"""Counts of ends as they might have come out: owners drawn again, or opportunities without owners."""

from __future__ import annotations

import numpy as np
import pandas as pd

# With fewer owners than this, drawing owners says too little about how they differ.
MIN_OWNERS = 8


def by_owner(ends: pd.DataFrame) -> bool:
    """Whether owners are drawn rather than single opportunities: at least 8 of them are known."""
    return "owner" in ends and ends.loc[ends["owner"] != "", "owner"].nunique() >= MIN_OWNERS


def draw_ends(
    ends: pd.DataFrame, *, n_draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ages in days, and the counts won, lost and open at each age in every draw, shape (n_draws, n_ages).

    Parameters
    ----------
    ends : age_days, outcome, n, and owner where known.
    """
    days, place = np.unique(ends["age_days"].to_numpy(), return_inverse=True)
    kind = ends["outcome"].map({"won": 0, "lost": 1, "open": 2}).to_numpy()
    cell, n = kind * len(days) + place, ends["n"].to_numpy()
    if by_owner(ends):
        owner, owners = pd.factorize(ends["owner"])
        counts = np.zeros((len(owners), 3 * len(days)))
        np.add.at(counts, (owner, cell), n)
        drawn = rng.multinomial(len(owners), np.full(len(owners), 1 / len(owners)), size=n_draws) @ counts
    else:
        total = np.bincount(cell, weights=n, minlength=3 * len(days))
        drawn = rng.multinomial(int(total.sum()), total / total.sum(), size=n_draws).astype(float)
    won, lost, open_ = drawn.reshape(n_draws, 3, -1).swapaxes(0, 1)
    return days, won, lost, open_


def quantiles(draws: np.ndarray, level: float) -> tuple[float, float]:
    """Low and high end of the middle `level` of the draws that are known; NaN where none is."""
    known = draws[~np.isnan(draws)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
