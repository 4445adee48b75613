"""Chance of an open opportunity to be won or lost, given its stage and the days it has been there.

A semi-Markov chain in whole days: where an opportunity goes from a stage, and when, depends on the stage and
on the time spent in it, not on how it came there. Moves back and skipped stages are moves like others.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.fft import irfft, next_fast_len, rfft

from crm_analysis.doors.pipeline.stays import LOST, STILL_THERE
from crm_analysis.funnel.ageing.cumulative import MIN_AT_RISK
from crm_analysis.funnel.ageing.resampling import cells_of_owners, draw_cells
from crm_analysis.funnel.ageing.stays import Stays

# Draws that are worked on at a time: memory, not time.
CHUNK = 20


def chances_by_stage(
    stays: Stays,
    now: pd.DataFrame,
    *,
    horizon_days: int | None,
    n_draws: int,
    owners: pd.DataFrame | None,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """P(won later | in stage k for s days), and the same for lost.

    Parameters
    ----------
    stays : of all opportunities: what the chain is estimated from.
    now : stage_number and days_in_stage, the places of the open opportunities; shape (n_places, 2).
    horizon_days : days looked ahead; None for ever.

    Returns
    -------
    Chances, shape (1 + n_draws, n_places, 2): won and lost, as estimated and in every draw; and the last day
    with 10 at risk in each stage: who has been there as long has chances of 0, since nothing is known.

    Source: Howard (1971), Dynamic Probabilistic Systems, volume 2, chapter 10.
    """
    caps = _last_supported(stays)
    counted, shape = _up_to(stays.counted, caps), (stays.n_stages, stays.n_stages + 3, int(caps.max()) + 2)
    place = counted["to"].replace({LOST: stays.n_stages + 1, STILL_THERE: stays.n_stages + 2})
    numbers = (counted["stage_number"], place, counted["days"])
    cell = np.ravel_multi_index(tuple(column.to_numpy() for column in numbers), shape)
    size = int(np.prod(shape))
    estimated = np.bincount(cell, weights=counted["n"], minlength=size).reshape(1, *shape)
    found = [_chances(estimated, caps, now, horizon_days)]
    cells = cells_of_owners(counted, cell, size=size, owners=owners)
    for start in range(0, n_draws, CHUNK):
        some = owners.iloc[start : start + CHUNK] if owners is not None else None
        n = min(CHUNK, n_draws - start)
        drawn = draw_cells(cells, some, n_draws=n, rng=rng)
        found.append(_chances(drawn.reshape(-1, *shape), caps, now, horizon_days))
    return np.concatenate(found), caps


def _last_supported(stays: Stays) -> np.ndarray:
    """Last day with at least 10 at risk, by stage; the last of all where there are never so many."""
    caps = np.zeros(stays.n_stages, dtype=int)
    for stage in stays.counted["stage_number"].unique():
        stayed = (
            stays.counted[stays.counted["stage_number"] == stage].groupby("days")["n"].sum()[::-1].cumsum()
        )
        supported = stayed.index[stayed >= MIN_AT_RISK]
        caps[stage] = supported.max() if len(supported) else stayed.index.max()
    return caps


def _up_to(counted: pd.DataFrame, caps: np.ndarray) -> pd.DataFrame:
    """Counts in which whatever happens beyond the supported days happens on the day after.

    Few stay so long, but leaving them out would take their share from every stage before.
    """
    cap = caps[counted["stage_number"].to_numpy()]
    return counted.assign(days=np.minimum(counted["days"], cap + 1))


def _chances(counts: np.ndarray, caps: np.ndarray, now: pd.DataFrame, horizon: int | None) -> np.ndarray:
    leaving, left = _leaving(counts)
    reach = _eventual(leaving) if horizon is None else _within(leaving, horizon)
    gone = leaving.cumsum(axis=-1)
    result = np.zeros((len(counts), len(now), 2))
    for row, (stage, days) in enumerate(now.itertuples(index=False)):
        if days < caps[stage]:
            of_stage = (leaving[:, stage], gone[:, stage], reach)
            ahead = _ever_from(*of_stage, days) if horizon is None else _from(*of_stage, days, horizon)
            result[:, row] = (ahead / np.maximum(left[:, stage, days, None], 1e-12)).clip(0.0, 1.0)
    return result


def _leaving(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of a stage's entrants that leave for each place on each day, and the share left after it.

    Shapes (n_draws, n_stages, n_stages + 2, n_days), won and lost last, and (n_draws, n_stages, n_days).
    """
    at_risk = np.maximum(counts.sum(axis=2)[..., ::-1].cumsum(axis=-1)[..., ::-1], 1e-300)
    ended = counts[:, :, :-1]
    left = np.cumprod(np.clip(1 - ended.sum(axis=2) / at_risk, 0.0, 1.0), axis=-1)
    before = np.concatenate([np.ones_like(left[..., :1]), left[..., :-1]], axis=-1)
    return ended * (before / at_risk)[:, :, None], left


def _eventual(leaving: np.ndarray) -> np.ndarray:
    """P(won), P(lost) of one who has just entered each stage; shape (n_draws, n_stages, 2)."""
    n = leaving.shape[1]
    moves = leaving.sum(axis=-1)
    # Just short of 1, so that stages that lead only to each other are left with a chance of 0.
    return np.linalg.solve(np.eye(n) - moves[:, :, :n] * (1 - 1e-9), moves[:, :, n:])


def _within(leaving: np.ndarray, horizon: int) -> np.ndarray:
    """P(won), P(lost) within 0, 1, ... `horizon` days of entering; shape (n_draws, n_stages, 2, horizon + 1).

    The generating function of the days until the end, (I - moves(z))^-1 ends(z), on a circle just inside
    the unit circle: what comes after the horizon folds back with a weight below 1e-8.
    """
    n, size = leaving.shape[1], next_fast_len(2 * (horizon + 1), real=True)
    fading = 1e-8 ** (np.arange(horizon + 1) / size)
    days = min(horizon + 1, leaving.shape[-1])
    waves = np.moveaxis(rfft(leaving[..., :days] * fading[:days], size), -1, 1)
    ends = np.linalg.solve(np.eye(n) - waves[..., :n], waves[..., n:])
    daily = irfft(np.moveaxis(ends, 1, -1), size)[..., : horizon + 1] / fading
    result: np.ndarray = daily.clip(0.0).cumsum(axis=-1)
    return result


def _ever_from(leaving: np.ndarray, gone: np.ndarray, reach: np.ndarray, days: int) -> np.ndarray:
    """P(leave the stage after `days`, and be won or lost in the end); shape (n_draws, 2)."""
    n = reach.shape[1]
    ahead = gone[..., -1] - gone[..., days]
    result: np.ndarray = ahead[:, n:] + np.einsum("bj,bja->ba", ahead[:, :n], reach)
    return result


def _from(leaving: np.ndarray, gone: np.ndarray, reach: np.ndarray, days: int, horizon: int) -> np.ndarray:
    """P(leave the stage after `days`, and be won or lost within `horizon` days); shape (n_draws, 2)."""
    n, last = reach.shape[1], min(days + horizon, gone.shape[-1] - 1)
    at_once = gone[:, n:, last] - gone[:, n:, days]
    rest = reach[..., horizon - 1 - np.arange(last - days)]
    onward = np.einsum("bju,bjau->ba", leaving[:, :n, days + 1 : last + 1], rest)
    result: np.ndarray = at_once + onward
    return result
