"""Counts of ends as they might have come out: owners drawn again, or opportunities without owners."""

from __future__ import annotations

import numpy as np
import pandas as pd

# With fewer owners than this, drawing owners says too little about how they differ.
MIN_OWNERS = 8


def by_owner(ends: pd.DataFrame) -> bool:
    """Whether owners are drawn rather than single opportunities: at least 8 of them are known."""
    return "owner" in ends and ends.loc[ends["owner"] != "", "owner"].nunique() >= MIN_OWNERS


def draw_owners(counted: pd.DataFrame, *, n_draws: int, rng: np.random.Generator) -> pd.DataFrame | None:
    """How often each owner is drawn, draws by owners; None where opportunities are to be drawn instead."""
    if not by_owner(counted):
        return None
    owners = np.sort(counted["owner"].unique())
    times = rng.multinomial(len(owners), np.full(len(owners), 1 / len(owners)), size=n_draws)
    return pd.DataFrame(times, columns=owners)


def draw_cells(
    counted: pd.DataFrame,
    cell: np.ndarray,
    *,
    size: int,
    owners: pd.DataFrame | None,
    n_draws: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Counts of `size` cells in every draw, shape (n_draws, size).

    Parameters
    ----------
    counted : n, and owner where known.
    cell : the cell in which each row of `counted` falls.
    owners : result of `draw_owners`, or None.
    """
    n = counted["n"].to_numpy(float)
    if owners is None:
        total = np.bincount(cell, weights=n, minlength=size)
        shares = total / total.sum() if total.sum() else np.full(size, 1 / size)
        return rng.multinomial(int(total.sum()), shares, size=n_draws).astype(float)
    owner = owners.columns.get_indexer(pd.Index(counted["owner"]))
    each = np.zeros((owners.shape[1], size))
    np.add.at(each, (owner[owner >= 0], cell[owner >= 0]), n[owner >= 0])
    drawn: np.ndarray = owners.to_numpy(float) @ each
    return drawn


def draw_ends(
    ends: pd.DataFrame, *, n_draws: int, rng: np.random.Generator, owners: pd.DataFrame | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ages in days, and the counts won, lost and open at each age in every draw, shape (n_draws, n_ages).

    Parameters
    ----------
    ends : age_days, outcome, n, and owner where known.
    owners : result of `draw_owners` where several tables share a draw; drawn here where not given.
    """
    owners = owners if owners is not None else draw_owners(ends, n_draws=n_draws, rng=rng)
    days, place = np.unique(ends["age_days"].to_numpy(), return_inverse=True)
    cell = ends["outcome"].map({"won": 0, "lost": 1, "open": 2}).to_numpy() * len(days) + place
    drawn = draw_cells(ends, cell, size=3 * len(days), owners=owners, n_draws=n_draws, rng=rng)
    won, lost, open_ = drawn.reshape(len(drawn), 3, -1).swapaxes(0, 1)
    return days, won, lost, open_


def quantiles(draws: np.ndarray, level: float) -> tuple[float, float]:
    """Low and high end of the middle `level` of the draws that are known; NaN where none is."""
    known = draws[~np.isnan(draws)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
