"""Deals that move back: an absorbing chain of stages, with its published formulas.

A chain knows a deal by its stage alone: two deals that enter a stage are taken as alike, however they came
there and however long they have been under way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError


@dataclass(frozen=True, eq=False)
class AbsorbingChain:
    """What becomes of a process that moves between states until it ends.

    visits : expected number of times in each state (columns) from each state (rows), the start included.
    ends : probability of each end (columns) from each state (rows); rows sum to 1.
    steps : expected number of states visited until the end, from each state.
    """

    visits: pd.DataFrame
    ends: pd.DataFrame
    steps: pd.Series


def absorbing_chain(
    moves: pd.DataFrame | np.ndarray | Sequence[Sequence[float]],
    ends: pd.DataFrame | np.ndarray | Sequence[Sequence[float]],
) -> AbsorbingChain:
    """Visits, ends and steps of a chain that ends.

    Parameters
    ----------
    moves : Q, P(next state | state), square.
    ends : R, P(ends in this way next | state): a row of `moves` and its row of `ends` sum to 1.

    Raises
    ------
    ConfigError
        Rows that are no probabilities, or states from which no end can be reached.

    Notes
    -----
    N = (I - Q)^-1, B = N R, t = N 1. Source: Kemeny & Snell (1960), Finite Markov Chains, chapter III.
    """
    q, r = pd.DataFrame(moves).astype(float), pd.DataFrame(ends).astype(float)
    if not isinstance(moves, pd.DataFrame):
        q = q.rename_axis("state")
    if len(q) == 0 or q.shape[0] != q.shape[1] or len(q) != len(r):
        raise ConfigError(f"chain: moves {q.shape} and ends {r.shape}; expected (n, n) and (n, ends)")
    together = np.hstack([q, r])
    wrong = ~(np.isclose(together.sum(axis=1), 1, rtol=0, atol=1e-8) & (together >= 0).all(axis=1))
    if wrong.any():
        sums = dict(zip(q.index[wrong], together[wrong].sum(axis=1).round(6).tolist(), strict=True))
        raise ConfigError(f"chain: rows that are no probabilities, with their sums: {sums}; expected 1")
    if trapped := [state for state, free in zip(q.index, _can_end(q, r), strict=True) if not free]:
        raise ConfigError(f"chain: no end can be reached from {trapped}; give these states a way out")
    visits = np.linalg.inv(np.eye(len(q)) - q.to_numpy())
    return AbsorbingChain(
        visits=pd.DataFrame(visits, q.index, q.columns),
        ends=pd.DataFrame(visits @ r.to_numpy(), q.index, r.columns),
        steps=pd.Series(visits.sum(axis=1), q.index, name="steps"),
    )


def _can_end(q: pd.DataFrame, r: pd.DataFrame) -> np.ndarray:
    """Mark the states from which some end can be reached."""
    free = r.to_numpy().sum(axis=1) > 0
    for _ in range(len(q)):
        free = free | ((q.to_numpy() > 0) @ free)
    return free
