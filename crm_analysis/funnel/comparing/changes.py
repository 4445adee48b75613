"""What a change of one rate would be worth, everything else as it is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError
from crm_analysis.funnel.comparing.clusters import Clustered
from crm_analysis.funnel.comparing.gap import Gap
from crm_analysis.funnel.comparing.intervals import Parts, delta
from crm_analysis.funnel.comparing.sides import Side


def what_if(gap: Gap, *, points: float = 1.0) -> pd.DataFrame:
    """Change of each firm's result if one transition's rate changed: by some points, or to the other firm's.

    Arithmetic, not a forecast: a rate raised by letting more through lowers the next one.

    Parameters
    ----------
    gap : result of `compare`.
    points : how many percentage points to add to a rate; it rises to 100% at most.

    Returns
    -------
    DataFrame, index `transition`; rate_a, plus_a (change of a's result with `points` more), match_a (with
    b's rate), each change with _low and _high at the gap's level; the same for b. In `gap.unit`. A rate that
    is not known, since nobody entered the stage, is the other firm's, as in `gap.factors`.

    Raises
    ------
    ConfigError
        `points` is not a number above 0.
    """
    if not 0 < points <= 100:
        raise ConfigError(f"funnel: points={points!r}; expected a number above 0 and up to 100")
    names, sides = list(gap.stages.index), [_side(gap, 0), _side(gap, 1)]
    columns: dict[str, np.ndarray] = {}
    for i, firm in enumerate("ab"):
        own, other = sides[i], sides[1 - i]
        columns[f"rate_{firm}"] = own.factors[1 : 1 + len(names)]
        for word, change in (("plus", _plus(points / 100, len(names))), ("match", _match(len(names)))):
            found = delta(change, own, other, level=gap.level)
            ends = np.array([found.ends(row) for row in np.eye(len(names))])
            columns[f"{word}_{firm}"] = found.values
            columns[f"{word}_{firm}_low"], columns[f"{word}_{firm}_high"] = ends.T
    return pd.DataFrame(columns, index=gap.stages.index)


def _plus(step: float, n_rates: int) -> Parts:
    """Change of a firm's result with every rate raised, one at a time."""

    def change(own: np.ndarray, other: np.ndarray) -> np.ndarray:
        rates = own[..., 1 : 1 + n_rates]
        return _replaced(own, np.maximum(np.minimum(rates + step, 1.0) - rates, 0.0), other)

    return change


def _match(n_rates: int) -> Parts:
    """Change of a firm's result with the other's rates, one at a time."""

    def change(own: np.ndarray, other: np.ndarray) -> np.ndarray:
        rates = slice(1, 1 + n_rates)
        return _replaced(own, other[..., rates] - own[..., rates], other)

    return change


def _replaced(own: np.ndarray, steps: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Change of the product when rate k changes, for each k; shape (..., K)."""
    own, _ = np.broadcast_arrays(own, other)
    rest = [np.delete(own, k, axis=-1).prod(axis=-1) for k in range(1, 1 + steps.shape[-1])]
    return np.stack(rest, axis=-1) * steps


def _side(gap: Gap, i: int) -> Side:
    firm, n_rates = "ab"[i], len(gap.stages)
    factors = gap.factors[firm].to_numpy(float)
    n, k = (gap.stages[f"{name}_{firm}"].to_numpy(float) for name in ("n", "k"))
    smoothed = factors.copy()
    certain = (n > 0) & ((k == 0) | (k == n))
    smoothed[1 : 1 + n_rates][certain] = ((k + 0.5) / (n + 1))[certain]
    covariance = gap.log_covariance[i].to_numpy()
    return Side(
        factors=factors,
        smoothed=smoothed,
        ways=(Clustered(covariance, gap.degrees[i]),),
        covariance=covariance,
        entrants=gap.n_entrants[i],
        n_rates=n_rates,
    )
