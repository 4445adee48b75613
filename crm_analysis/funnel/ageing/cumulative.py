"""Shares won and lost by age from counts of ends, with R's standard errors; ties are exact.

An opportunity ends in one of two ways, won or lost, and some have not ended yet. Counting the open ones as
lost makes young cohorts look bad; leaving them out favours whichever end comes faster; a Kaplan-Meier curve
that treats the lost ones as unobserved promises wins that cannot come. The Aalen-Johansen estimate does none
of this. Ages are whole days since the opportunity was created.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from crm_analysis.errors import DataError
from crm_analysis.funnel.ageing.ends import ENDINGS
from crm_analysis.rates import normal_quantile

MIN_AT_RISK = 10


def aalen_johansen(
    days: Sequence[float] | pd.Series,
    *,
    outcome: Sequence[str] | pd.Series,
    n: Sequence[int] | pd.Series | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Share won, lost and still open by age, with standard errors and intervals.

    Parameters
    ----------
    days : age at the end, or when last seen, in days, >= 0.
    outcome : "won", "lost" or "open", one per age.
    n : how many opportunities each pair stands for; one where not given.

    Returns
    -------
    DataFrame, index `age_days` (0 and the distinct ages, ascending): n_at_risk, n_won, n_lost, n_open, won,
    won_se, won_low, won_high, lost, lost_se, lost_low, lost_high, open.

    Raises
    ------
    DataError
        An outcome is none of the three, or an age is below 0 or missing.

    Source: Aalen & Johansen (1978), Scandinavian Journal of Statistics 5:141; standard errors as in R's
    `survival::survfit`; intervals on the complementary log-log scale, as Choudhury (2002), Statistics in
    Medicine 21:1129.
    """
    age, ended = np.asarray(days), np.asarray(outcome, dtype=object)
    number = np.ones(len(age), dtype="int64") if n is None else np.asarray(n)
    if unknown := sorted(set(ended) - set(ENDINGS)):
        raise DataError(f"incidence: outcome {unknown}; expected {list(ENDINGS)}")
    if not (age >= 0).all():
        wrong = int((~(age >= 0)).sum())
        raise DataError(f"incidence: {wrong} of {len(age)} ages are missing or below 0; expected days >= 0")
    index, place = np.unique(np.append(age, 0), return_inverse=True)
    weights = {kind: np.where(ended == kind, number, 0) for kind in ENDINGS}
    counts = {k: np.bincount(place[:-1], weights=w, minlength=len(index)) for k, w in weights.items()}
    at_risk = np.sum(list(counts.values()), axis=0)[::-1].cumsum()[::-1]
    columns = {"n_at_risk": at_risk} | {f"n_{kind}": counts[kind] for kind in ENDINGS}
    columns = {name: column.astype("int64") for name, column in columns.items()}
    for kind in ("won", "lost"):
        share, se = _share_and_se(at_risk, counts["won"] + counts["lost"], counts[kind])
        low, high = share_ends(share, se, n_at_risk=at_risk, level=level)
        columns |= {kind: share, f"{kind}_se": se, f"{kind}_low": low, f"{kind}_high": high}
    columns["open"] = (1 - columns["won"] - columns["lost"]).clip(0.0)
    return pd.DataFrame(columns, index=pd.Index(index, name="age_days"))


def cumulative_shares(
    won: np.ndarray, lost: np.ndarray, open_: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares won, lost and left by each age, for many tables of counts at once; no standard errors.

    Parameters
    ----------
    won, lost, open_ : counts (or weights) by age along the last axis, ages ascending; shape (..., n_ages).

    Returns
    -------
    won, lost, left of that shape; where nobody is at risk any more, nothing moves.
    """
    at_risk = np.maximum((won + lost + open_)[..., ::-1].cumsum(axis=-1)[..., ::-1], 1e-300)
    left = np.cumprod(np.clip(1 - (won + lost) / at_risk, 0.0, 1.0), axis=-1)
    before = np.concatenate([np.ones_like(left[..., :1]), left[..., :-1]], axis=-1)
    shares = (np.cumsum(before * ended / at_risk, axis=-1) for ended in (won, lost))
    return (*shares, left)  # type: ignore[return-value]


def last_supported_age(curve: pd.DataFrame) -> int:
    """Last age with at least 10 opportunities at risk; the last age of all where there are never so many."""
    supported = curve.index[curve["n_at_risk"] >= MIN_AT_RISK]
    return int(supported[-1] if len(supported) else curve.index[-1])


def age_of_share(curve: pd.DataFrame, *, share: float, horizon_days: int) -> float:
    """Age in days by which `share` of the wins known to happen by the horizon have; NaN without a win."""
    won = curve.loc[:horizon_days, "won"]
    if won.iloc[-1] == 0:
        return math.nan
    # Rounding must not move the answer to the next day.
    return float(won.index[(won >= share * won.iloc[-1] * (1 - 1e-12)).argmax()])


def share_ends(
    share: Sequence[float] | np.ndarray,
    se: Sequence[float] | np.ndarray,
    *,
    n_at_risk: Sequence[float] | np.ndarray,
    level: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Low and high ends of cumulative shares; for 0 and 1, those of a rate among those at risk."""
    value, spread, at_risk = (np.asarray(column, dtype=float) for column in (share, se, n_at_risk))
    inside = (value > 1e-12) & (value < 1 - 1e-12)
    inner = np.where(inside, value, 0.5)
    width = normal_quantile(level) * spread / (inner * np.log(inner))
    low, high = inner ** np.exp(-width), inner ** np.exp(width)
    # Wilson's ends of none and of all: 0 to z^2 / (n + z^2), and its mirror image.
    room = normal_quantile(level) ** 2 / (at_risk + normal_quantile(level) ** 2)
    none, all_ = ~inside & (value < 0.5), ~inside & (value >= 0.5)
    low = np.select([none, all_], [0.0, np.where(at_risk > 0, 1 - room, 0.0)], default=low)
    return low, np.select([none, all_], [np.where(at_risk > 0, room, 1.0), 1.0], default=high)


def _share_and_se(n: np.ndarray, ended: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Aalen-Johansen share of those d of n at risk, and its standard error; `ended` left in either way."""
    at_risk = np.maximum(n, 1.0)
    left = np.cumprod(1 - ended / at_risk)
    before = np.concatenate([[1.0], left[:-1]])
    share = np.cumsum(before * d / at_risk)
    # sum over t_i <= t of (F(t) - F(t_i))^2 a_i + b_i - 2 (F(t) - F(t_i)) c_i, expanded in F(t);
    # once everybody has left, F does not move any more and a_i has no weight.
    a = np.divide(ended, n * (n - ended), out=np.zeros_like(n), where=n > ended)
    b = before**2 * d * (n - d) / at_risk**3
    c = before * d / at_risk**2
    constant = np.cumsum(share**2 * a + b + 2 * share * c)
    linear = np.cumsum(share * a + c)
    return share, np.sqrt(np.maximum(constant - 2 * share * linear + share**2 * np.cumsum(a), 0.0))
