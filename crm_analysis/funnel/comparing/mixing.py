"""Who is asked (mix) and how they answer (rate): the parts of a gap between firms, from counts by segment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from crm_analysis.split import log_mean_split, shapley_split


@dataclass(frozen=True, eq=False)
class MixParts:
    """Parts of the gap in wins per 1,000 entrants.

    total : gap, mix, rate; shape (..., 3).
    by_segment : mix (centred on the overall win rate) and rate of each segment; shape (..., S, 2).
    jointly, log_mean : mix, then each transition's rate, together the gap, by Shapley and by the log-mean;
        shape (..., K + 1).
    """

    total: np.ndarray
    by_segment: np.ndarray
    jointly: np.ndarray
    log_mean: np.ndarray

    @property
    def flat(self) -> np.ndarray:
        """All of them but the log-mean, in one row: 3, then S mixes, S rates, then K + 1."""
        mixes, rates = self.by_segment[..., 0], self.by_segment[..., 1]
        return np.concatenate([self.total, mixes, rates, self.jointly], axis=-1)


def mix_parts(a: np.ndarray, b: np.ndarray) -> MixParts:
    """Split the gap in wins per 1,000 entrants into mix and rate.

    Parameters
    ----------
    a, b : opportunities of each firm by segment that reached each stage, shape (..., S, K + 1). A rate that
        one firm never tried is the other's, so that such a segment counts as mix only.

    Notes
    -----
    Mix: sum of (w_a - w_b)(r_a + r_b)/2, rate: sum of (r_a - r_b)(w_a + w_b)/2. A segment's mix is centred,
    (w_a - w_b)((r_a + r_b)/2 - mean of the firms' win rates), which leaves the sum as it is: more of a
    segment that wins less than average costs wins. Sources: Kitagawa (1955), JASA 50:1168; with the rates
    of several transitions, Das Gupta (1993).
    """
    shares = np.stack(np.broadcast_arrays(*(n[..., 0] / n[..., 0].sum(-1, keepdims=True) for n in (a, b))))
    rates = np.stack(_rates(a, b))
    wins = rates.prod(axis=-1)
    factors = np.concatenate([1000 * shares[..., None], rates], axis=-1)
    overall = (shares * wins).sum(axis=-1).mean(axis=0)[..., None]
    mix = 1000 * (shares[0] - shares[1]) * (wins.mean(axis=0) - overall)
    rate = 1000 * (wins[0] - wins[1]) * shares.mean(axis=0)
    sums = [mix.sum(axis=-1), rate.sum(axis=-1)]
    return MixParts(
        total=np.stack([sums[0] + sums[1], *sums], axis=-1),
        by_segment=np.stack([mix, rate], axis=-1),
        jointly=shapley_split(factors[0], factors[1]).sum(axis=-2),
        log_mean=log_mean_split(factors[0], factors[1]).sum(axis=-2),
    )


def _rates(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.broadcast_arrays(a, b)
    own = [
        np.divide(n[..., 1:], n[..., :-1], out=np.full(n[..., 1:].shape, np.nan), where=n[..., :-1] > 0)
        for n in (a, b)
    ]
    known = [~np.isnan(rates) for rates in own]
    found = [np.where(known[i], own[i], np.where(known[1 - i], own[1 - i], 1.0)) for i in range(2)]
    return found[0], found[1]


Function = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class CellCounts:
    """One firm's counts by segment, and by cluster where known.

    reached : opportunities by segment that reached each stage, shape (S, K + 1).
    clusters : per way of clustering, opportunities by cluster, segment and stage; shape (G, S, K + 1).
    """

    reached: np.ndarray
    clusters: tuple[np.ndarray, ...] = ()

    def ended(self) -> np.ndarray:
        """Opportunities by segment whose furthest stage is each one; shape (S, K + 1)."""
        return -np.diff(self.reached, axis=1, append=0)

    def smoothed(self) -> np.ndarray:
        """Like `reached`, half an opportunity more wherever a segment that is there has none that ended."""
        ended = self.ended()
        there = self.reached[:, :1] > 0
        return np.where((ended == 0) & there, 0.5, ended)[:, ::-1].cumsum(axis=1)[:, ::-1]


def jacobian(function: Function, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Change of what `function` gives, shape (m,), with each count of a and of b; each (m, S * (K + 1))."""
    return _moved(lambda x: function(x, b), a), _moved(lambda x: function(a, x), b)


def _moved(function: Callable[[np.ndarray], np.ndarray], counts: np.ndarray) -> np.ndarray:
    steps = (1e-4 * np.maximum(counts, 1e-3)).ravel()
    moves = np.diag(steps).reshape(-1, *counts.shape)
    return ((function(counts + moves) - function(counts - moves)) / (2 * steps)[:, None]).T


def variances(counts: CellCounts, jacobian: np.ndarray) -> tuple[np.ndarray, float]:
    """Variance that one firm adds to each result, the widest of all ways, and its degrees of freedom.

    Opportunities, or clusters of them, are drawn with their segment and all that they reached; a cluster's
    error is divided by the root of 1 less its share (see `comparing.clusters`).
    """
    smoothed = counts.smoothed()
    ended = -np.diff(smoothed, axis=1, append=0)
    by_stage = jacobian.reshape(len(jacobian), *counts.reached.shape).cumsum(axis=2)
    errors = by_stage - (by_stage * ended).sum(axis=(1, 2), keepdims=True) / ended.sum()
    found, df = [(errors**2 * ended).sum(axis=(1, 2))], np.inf
    for sums in counts.clusters:
        size = sums[..., 0].sum(axis=1)
        weight = size / size.sum()
        scores = sums.reshape(len(sums), -1) @ jacobian.T
        scores -= weight[:, None] * scores.sum(axis=0)
        found.append((scores**2 / (1 - weight)[:, None]).sum(axis=0))
        df = min(df, max(float((size**2).sum() ** 2 / (size**4).sum()), 2.0) - 1)
    return np.max(found, axis=0), df
