"""How alike the outcomes of one owner's opportunities are, and what that does to a sum over the open ones."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.stats import norm

# Outcomes drawn for each draw of the chances, where the open opportunities are few enough.
REPEATS, MANY = 5, 5000


def owner_likeness(ends: pd.DataFrame) -> float:
    """Correlation of the outcomes (won or lost) of two closed opportunities of one owner, 0 to 1.

    The analysis-of-variance estimate; 0 where it is negative, or where there are fewer than two owners.

    Parameters
    ----------
    ends : owner, outcome, n.

    Source: Ridout, Demetrio & Firth (1999), Biometrics 55:137.
    """
    closed = ends[ends["outcome"] != "open"]
    won = closed["n"].where(closed["outcome"] == "won", 0)
    k, n = (counts.groupby(closed["owner"]).sum().to_numpy(float) for counts in (won, closed["n"]))
    total, groups = n.sum(), len(n)
    if groups < 2 or total <= groups:
        return 0.0
    between = (n * (k / n - k.sum() / total) ** 2).sum() / (groups - 1)
    within = (k * (n - k) / n).sum() / (total - groups)
    size = (total - (n**2).sum() / total) / (groups - 1)
    spread = between + (size - 1) * within
    return float(np.clip((between - within) / spread, 0.0, 1.0)) if spread > 0 else 0.0


def draw_sums(
    p_won: np.ndarray, state: np.ndarray, deals: pd.DataFrame, *, likeness: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Wins and revenue as they may turn out: each draw of the chances, then each opportunity won or not.

    The opportunities of one owner share a normal variable, so that their outcomes are as alike as `likeness`.

    Parameters
    ----------
    p_won : by draw (the first row is the estimate, and is left out) and state.
    state : of each opportunity.
    deals : owner and amount where known.
    """
    n = len(deals)
    repeats = REPEATS if n <= MANY else 1
    amount = deals["amount"].fillna(0.0).to_numpy() if "amount" in deals else np.zeros(n)
    owner = _owners_of(deals)
    shared = latent_correlation(likeness, float(p_won[0, state].mean()) if n else 0.0)
    found = []
    for thresholds in norm.ppf(p_won[1:]).astype(np.float32):
        luck = rng.standard_normal((repeats, n), dtype=np.float32)
        if shared > 0:
            common = rng.standard_normal((repeats, owner.max(initial=0) + 1), dtype=np.float32)
            luck = math.sqrt(shared) * common[:, owner] + math.sqrt(1 - shared) * luck
        won = luck < thresholds[state]
        found.append(np.column_stack([won.sum(axis=1), won @ amount]))
    return pd.DataFrame(np.concatenate(found), columns=["wins", "revenue"])


def _owners_of(deals: pd.DataFrame) -> np.ndarray:
    """Owner of each opportunity as a number; one without an owner is alike with no other."""
    if "owner" not in deals:
        return np.arange(len(deals))
    code, owners = pd.factorize(deals["owner"])
    return np.where(code < 0, len(owners) + np.arange(len(deals)), code)


def latent_correlation(likeness: float, p: float) -> float:
    """Correlation of two normal variables whose falling below a threshold, of chance p, correlates so.

    To first order: likeness x p (1 - p) / density(threshold)^2, at most 0.9.
    """
    if likeness <= 0 or not 0 < p < 1:
        return 0.0
    return float(min(likeness * p * (1 - p) / norm.pdf(norm.ppf(p)) ** 2, 0.9))
