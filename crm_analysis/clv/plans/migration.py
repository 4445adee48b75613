"""What customers are worth who move between states: recencies, segments, brands.

Two kinds of customer, after Dwyer (1989, 1997, Journal of Direct Marketing). *Retained* ones, under contract,
are customers until they leave, and who has left is gone: `cash_flow_value`, `margin_multiple`,
`retained_value`, and for contracts that differ the survival models. *Migrating* ones buy here this year and
elsewhere the next, and come back: a customer who pauses is not lost, only less likely to buy. Without
contracts the first kind of formula, fed with a repeat-buying rate, counts every pause as an end and is far
too low: use a chain.

A chain knows a customer by the state alone: two customers in one state are taken as alike, however they came
there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crm_analysis.clv.histories import FloatArray
from crm_analysis.clv.units import check_share
from crm_analysis.errors import ConfigError, DataError


def migration_value(
    transitions: pd.DataFrame | FloatArray,
    rewards: pd.Series | Sequence[float],
    *,
    rate_per_period: float,
    periods: int | None,
) -> pd.Series:
    """Expected present value of a customer who is in each state now.

    Parameters
    ----------
    transitions : P(next state | state): rows are states now, and sum to 1.
    rewards : what a period in each state brings, received at its start; the state of today counts.
    rate_per_period : discount rate per period, not per year.
    periods : number of moves that are looked at, 0 for today's reward alone; None for no end.

    Returns
    -------
    Series of values; index: the states.

    Raises
    ------
    ConfigError
        A matrix that is not square, rows that are no probabilities, rewards for other states, or an endless
        sum that is not discounted.

    Notes
    -----
    Sum over t = 0 .. periods of (P / (1 + rate))^t R, and (I - P / (1 + rate))^-1 R without end.
    Source: Pfeifer & Carraway (2000), Journal of Interactive Marketing 14(2), 43-55.
    """
    chain = check_transitions(transitions)
    reward = _rewards(rewards, chain.index)
    if rate_per_period < 0 or (periods is None and rate_per_period == 0) or (periods or 0) < 0:
        raise ConfigError(
            f"migration_value: rate_per_period {rate_per_period}, periods {periods}; expected a rate of at "
            "least 0, above 0 where there is no end, and no negative number of periods"
        )
    step = chain.to_numpy() / (1 + rate_per_period)
    if periods is None:
        values = np.linalg.solve(np.eye(len(step)) - step, reward)
    else:
        values = reward
        for _ in range(periods):
            values = reward + step @ values
    return pd.Series(values, chain.index, name="value")


def check_transitions(transitions: pd.DataFrame | FloatArray) -> pd.DataFrame:
    """Return the matrix as a table of floats, states on both sides, or refuse it with its faulty rows."""
    chain = pd.DataFrame(transitions).astype(float)
    if not isinstance(transitions, pd.DataFrame):
        chain = chain.rename_axis("state")
    if len(chain) == 0 or not chain.index.equals(chain.columns):
        raise ConfigError(
            f"transitions: rows {list(chain.index)} and columns {list(chain.columns)}; expected the same "
            "states in the same order"
        )
    wrong = ~(chain.ge(0).all(axis="columns") & np.isclose(chain.sum(axis="columns"), 1, rtol=0, atol=1e-8))
    if wrong.any():
        sums = chain.sum(axis="columns")[wrong].round(6).to_dict()
        raise ConfigError(f"transitions: rows that are no probabilities, with their sums: {sums}; expected 1")
    return chain


def _rewards(rewards: pd.Series | Sequence[float], states: pd.Index) -> FloatArray:
    if isinstance(rewards, pd.Series) and set(rewards.index) == set(states):
        rewards = rewards.reindex(states)
    elif isinstance(rewards, pd.Series) or len(rewards) != len(states):
        given = list(rewards.index) if isinstance(rewards, pd.Series) else f"{len(rewards)} values"
        raise ConfigError(f"rewards: {given}; expected one for each of the states {list(states)}")
    reward = np.asarray(rewards, dtype=float)
    if not np.isfinite(reward).all():
        raise ConfigError(f"rewards: {reward.tolist()}; expected a number for every state")
    return reward


def recency_transitions(p_buy: Sequence[float]) -> pd.DataFrame:
    """Chain of a customer by periods since the last purchase: who buys is at 1 again, who does not ages.

    Parameters
    ----------
    p_buy : chance of buying in the next period at recency 1, 2, ...

    Returns
    -------
    DataFrame, states 1 .. n + 1, of which the last is gone for good: nobody comes back from it.
    """
    for recency, chance in enumerate(p_buy, 1):
        check_share(chance, f"p_buy at recency {recency}:")
    n = len(p_buy)
    matrix = np.zeros((n + 1, n + 1))
    matrix[:n, 0] = p_buy
    matrix[np.arange(n), np.arange(1, n + 1)] += 1 - np.asarray(p_buy, dtype=float)
    matrix[n, n] = 1
    states = pd.RangeIndex(1, n + 2, name="periods_since_last")
    return pd.DataFrame(matrix, states, states)


def transition_rates(moves: pd.DataFrame) -> pd.DataFrame:
    """Probabilities from counted moves, such as those between segments; rows before, columns after.

    Raises
    ------
    DataError
        A state that nobody was in: what its customers do next is not known.
    """
    states = moves.index.union(moves.columns, sort=False)
    counts = moves.reindex(index=states, columns=states, fill_value=0)
    n = counts.sum(axis="columns")
    if (n == 0).any():
        raise DataError(
            f"transition_rates: nobody was in {list(n.index[n == 0])} before; merge it with another state, "
            "or give it a row: its own column for a state that nobody leaves"
        )
    return counts.div(n, axis="index")
