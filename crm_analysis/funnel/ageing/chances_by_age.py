"""Chance of an open opportunity to be won or lost, given its age."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crm_analysis.funnel.ageing.cumulative import MIN_AT_RISK, cumulative_shares
from crm_analysis.funnel.ageing.resampling import draw_ends


def chances_by_age(
    ends: pd.DataFrame,
    ages: np.ndarray,
    *,
    horizon_days: int | None,
    n_draws: int,
    owners: pd.DataFrame | None,
    rng: np.random.Generator,
) -> tuple[np.ndarray, int]:
    """P(won later | open at age a) = (F_won(a + h) - F_won(a)) / S(a), and the same for lost.

    Parameters
    ----------
    ends : age_days, outcome, n, and owner where known: what the shares F and S are estimated from.
    ages : of open opportunities, in days, shape (n_ages,).
    horizon_days : h; None for ever.

    Returns
    -------
    Chances, shape (1 + n_draws, n_ages, 2): won and lost, as estimated and in every draw; and the last age
    with 10 at risk, beyond which nothing is known and both chances are 0.
    """
    days, *counts = draw_ends(ends, n_draws=n_draws, rng=rng, owners=owners)
    estimated = _counts(ends, days)
    at_risk = np.sum(estimated, axis=0)[::-1].cumsum()[::-1]
    supported = np.flatnonzero(at_risk >= MIN_AT_RISK)
    cap = int(days[supported[-1]] if len(supported) else days[-1])
    together = [np.vstack([one, drawn]) for one, drawn in zip(estimated, counts, strict=True)]
    won, lost, left = cumulative_shares(*together)
    now = np.searchsorted(days, np.minimum(ages, cap), side="right") - 1
    until = np.full(len(ages), cap) if horizon_days is None else np.minimum(ages + horizon_days, cap)
    then = np.searchsorted(days, until, side="right") - 1
    staying = left[:, now]
    gained = np.stack([share[:, then] - share[:, now] for share in (won, lost)], axis=-1)
    safe = np.where(staying > 1e-12, staying, 1.0)[..., None]
    known = (staying > 1e-12)[..., None] & (ages < cap)[None, :, None] & (now >= 0)[None, :, None]
    return np.where(known, gained / safe, 0.0).clip(0.0, 1.0), cap


def _counts(ends: pd.DataFrame, days: np.ndarray) -> list[np.ndarray]:
    place = np.searchsorted(days, ends["age_days"].to_numpy())
    n = {kind: np.where(ends["outcome"] == kind, ends["n"], 0) for kind in ("won", "lost", "open")}
    return [np.bincount(place, weights=weights, minlength=len(days)) for weights in n.values()]
