"""How long the wins that happen take: days by which a quarter, half and more of them have happened."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crm_analysis.funnel.ageing.by_age import Incidence
from crm_analysis.funnel.ageing.cumulative import age_of_share, cumulative_shares
from crm_analysis.funnel.ageing.resampling import draw_ends, quantiles


def days_to_win(
    result: Incidence,
    *,
    shares: Sequence[float] = (0.25, 0.5, 0.75, 0.9),
    level: float = 0.95,
    n_draws: int = 500,
    rng: np.random.Generator | None = None,
) -> pd.DataFrame:
    """Ages by which given shares of the wins that happen have happened, open opportunities as not yet ended.

    Parameters
    ----------
    result : of `incidence`.
    shares : of the wins known to happen by `result.horizon_days`.
    rng : source of randomness; `default_rng(1)` where not given, so that a report does not change by itself.

    Returns
    -------
    DataFrame, index `share`; days, low, high. Intervals are from owners drawn again where 8 or more are
    mapped, else opportunities. NaN without a win.
    """
    drawn = draw_waits(result, shares, n_draws, rng if rng is not None else np.random.default_rng(1))
    ends = [quantiles(draws, level) for draws in drawn.T]
    days = [age_of_share(result.curve, share=q, horizon_days=result.horizon_days) for q in shares]
    low, high = zip(*ends, strict=True)
    return pd.DataFrame({"days": days, "low": low, "high": high}, index=pd.Index(shares, name="share"))


def draw_waits(
    result: Incidence, shares: Sequence[float], n_draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Days by which each share of the wins has happened, in every draw; shape (n_draws, n_shares)."""
    days, won, lost, open_ = draw_ends(result.ends, n_draws=n_draws, rng=rng)
    return waits_of(days, cumulative_shares(won, lost, open_)[0], shares, result.horizon_days)


def waits_of(days: np.ndarray, won: np.ndarray, shares: Sequence[float], horizon_days: int) -> np.ndarray:
    """Days by which each share of the wins by the horizon has happened; won has shape (n_draws, n_ages)."""
    known = won[:, days <= horizon_days]
    columns = [days[(known >= q * known[:, -1:] * (1 - 1e-12)).argmax(axis=1)] for q in shares]
    return np.where(known[:, -1:] > 0, np.stack(columns, axis=1).astype(float), np.nan)
