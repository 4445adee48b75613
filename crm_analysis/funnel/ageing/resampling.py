"""Counts of ends as they might have come out: owners drawn again, or opportunities without owners."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

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


def cells_of_owners(
    counted: pd.DataFrame, cell: np.ndarray, *, size: int, owners: pd.DataFrame | None
) -> csr_array:
    """Counts of `size` cells, a row per owner in `owners` (one row for all where that is None).

    Parameters
    ----------
    counted : n, and owner where known.
    cell : the cell in which each row of `counted` falls.
    owners : result of `draw_owners`, or None.
    """
    if owners is None:
        return csr_array((counted["n"].to_numpy(float), (np.zeros(len(cell), int), cell)), (1, size))
    owner = owners.columns.get_indexer(pd.Index(counted["owner"]))
    known = owner >= 0
    values = counted["n"].to_numpy(float)[known]
    return csr_array((values, (owner[known], cell[known])), (owners.shape[1], size))


def draw_cells(
    cells: csr_array, owners: pd.DataFrame | None, *, n_draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Counts of the cells in every draw, shape (n_draws, size): of owners as drawn, else of opportunities."""
    if owners is not None:
        drawn: np.ndarray = (cells.T @ owners.to_numpy(float).T).T
        return drawn
    total = cells.toarray()[0]
    shares = total / total.sum() if total.sum() else np.full(len(total), 1 / len(total))
    return rng.multinomial(int(total.sum()), shares, size=n_draws).astype(float)


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
    cells = cells_of_owners(ends, cell, size=3 * len(days), owners=owners)
    drawn = draw_cells(cells, owners, n_draws=n_draws, rng=rng)
    won, lost, open_ = drawn.reshape(len(drawn), 3, len(days)).swapaxes(0, 1)
    return days, won, lost, open_


def quantiles(draws: np.ndarray, level: float) -> tuple[float, float]:
    """Low and high end of the middle `level` of the draws that are known; NaN where none is."""
    known = draws[~np.isnan(draws)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
