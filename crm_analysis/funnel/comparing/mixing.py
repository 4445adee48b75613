"""Who is asked (mix) and how they answer (rate): the parts of a gap between firms, from counts by segment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crm_analysis.split import log_mean_split, shapley_split


@dataclass(frozen=True, eq=False)
class MixParts:
    """Parts of the gap in wins per 1,000 entrants.

    total : gap, mix, rate; shape (..., 3).
    by_segment : mix (centred on the overall win rate) and rate of each segment; shape (..., S, 2).
    jointly : mix, then each transition's rate, together the gap (Shapley); shape (..., K + 1).
    """

    total: np.ndarray
    by_segment: np.ndarray
    jointly: np.ndarray

    @property
    def flat(self) -> np.ndarray:
        """All in one row: 3, then S mixes, S rates, then K + 1."""
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
    factors = _factors(a, b)
    shares, wins = factors[..., 0] / 1000, factors[..., 1:].prod(axis=-1)
    overall = (shares * wins).sum(axis=-1).mean(axis=0)[..., None]
    mix = 1000 * (shares[0] - shares[1]) * (wins.mean(axis=0) - overall)
    rate = 1000 * (wins[0] - wins[1]) * shares.mean(axis=0)
    sums = [mix.sum(axis=-1), rate.sum(axis=-1)]
    return MixParts(
        total=np.stack([sums[0] + sums[1], *sums], axis=-1),
        by_segment=np.stack([mix, rate], axis=-1),
        jointly=shapley_split(factors[0], factors[1]).sum(axis=-2),
    )


def log_mean_parts(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mix, then each transition's rate, by the log-mean, summed over segments; shape (..., K + 1)."""
    factors = _factors(a, b)
    return log_mean_split(factors[0], factors[1]).sum(axis=-2)


def _factors(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of both firms and each segment: 1,000 times its share, and its rates; shape (2, ..., S, K + 1)."""
    shares = np.broadcast_arrays(*(n[..., :1] / n[..., 0].sum(-1)[..., None, None] for n in (a, b)))
    return np.concatenate([1000 * np.stack(shares), np.stack(_rates(a, b))], axis=-1)


def _rates(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.broadcast_arrays(a, b)
    own = [
        np.divide(n[..., 1:], n[..., :-1], out=np.full(n[..., 1:].shape, np.nan), where=n[..., :-1] > 0)
        for n in (a, b)
    ]
    known = [~np.isnan(rates) for rates in own]
    found = [np.where(known[i], own[i], np.where(known[1 - i], own[1 - i], 1.0)) for i in range(2)]
    return found[0], found[1]
