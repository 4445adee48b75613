"""P(at least 1, 2, 3, .. purchases) of live customers, one number after the other, and quantiles from them.

Where purchases come at the times of a Poisson process with a Gamma rate, the chance of exactly n follows
from that of n - 1 by one product: counting up costs a hundredth of an incomplete beta function per number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from crm_analysis.clv.histories import BoolArray, FloatArray, Histories, IntArray

ONE_BY_ONE = 48  # quantiles up to this are found by counting up, once for all who share what is known
BY_PRODUCTS = 1000  # the same, where counting up costs one product per number
SEEN = -600.0  # logarithm of the chance of no purchase below which its float would be 0

AtLeast = Callable[[FloatArray | int, Histories], FloatArray]


class Tails(Protocol):
    """Chances of at least n for n = 1, 2, .. of some histories.

    most : the number at which counting up should end and a search begin.
    far : histories of which counting up would take too long, or lose its digits.
    """

    most: int
    far: BoolArray

    def following(self) -> FloatArray:
        """P(at least n purchases) for the next n, one per history that is left."""

    def keep(self, rows: BoolArray) -> None:
        """Go on with these histories alone."""


class Computed:
    """Tails of any model, each computed anew."""

    def __init__(self, at_least: AtLeast, known: Histories) -> None:
        self.most, self._at_least, self._known, self._n = ONE_BY_ONE, at_least, known, 0
        self.far = np.zeros(len(known.n_repeat), dtype=bool)

    def following(self) -> FloatArray:
        """Compute P(at least n) for the next n."""
        self._n += 1
        return self._at_least(self._n, self._known)

    def keep(self, rows: BoolArray) -> None:
        """Go on with these histories alone."""
        self._known = self._known.take(np.flatnonzero(rows))


class Renewed:
    """Tails of purchases that come with stages at a Gamma rate, while the customer stays.

    Parameters
    ----------
    weights, shapes : of each number of stages since the last purchase (P, and shape of the rate then), shape
        (stages to a purchase, rows).
    share : the time ahead over itself plus the Gamma's rate, shape (rows,).
    leaving, staying : Beta of the chance of leaving after a purchase; a leaving of 0 is never.
    """

    def __init__(
        self,
        weights: FloatArray,
        shapes: FloatArray,
        share: FloatArray,
        *,
        leaving: FloatArray | float,
        staying: FloatArray,
    ) -> None:
        self.most, self._n, self._weights, self._shapes = BY_PRODUCTS, 0, weights, shapes
        self._share, self._staying = share, staying
        self._leaving = np.broadcast_to(leaving, share.shape)
        none = shapes * np.log1p(-share)
        self.far = none.min(axis=0) < SEEN
        self._exactly, self._more, self._stays = np.exp(none), -np.expm1(none), np.ones_like(share)
        self._ended = np.zeros(len(shapes))  # stages that `_exactly` is the chance of

    def following(self) -> FloatArray:
        """Take the chances of the stages that end until the next n from those of as many or more."""
        self._n += 1
        if self._n > 1:
            stayed = self._staying + (self._n - 2)
            self._stays *= stayed / (self._leaving + stayed)
        k = len(self._shapes)
        for j, shape in enumerate(self._shapes):
            while self._ended[j] < self._n * k - j - 1:
                self._ended[j] += 1
                self._exactly[j] *= (shape + (self._ended[j] - 1)) * self._share / self._ended[j]
                self._more[j] -= self._exactly[j]
        if k == 1:
            return self._stays * self._more[0]
        return self._stays * (self._weights * self._more).sum(axis=0)

    def keep(self, rows: BoolArray) -> None:
        """Go on with these histories alone."""
        for name in ("_weights", "_shapes", "_exactly", "_more"):
            setattr(self, name, getattr(self, name)[:, rows])
        for name in ("_share", "_staying", "_leaving", "_stays"):
            setattr(self, name, getattr(self, name)[rows])


def quantiles(
    tails: Tails, at_least: AtLeast, known: Histories, row: IntArray, above: FloatArray
) -> FloatArray:
    """Smallest n with P(more than n) <= a threshold, given alive: counting up, then by doubling and halving.

    Parameters
    ----------
    tails, at_least : of the histories in `known`.
    row : history that each threshold in `above` is for.
    """
    reached, unfinished = _count_up(tails, row, above)
    if len(unfinished):
        far = known.take(row[unfinished])
        reached[unfinished] = _search(at_least, far, above[unfinished], reached[unfinished])
    return reached


def _count_up(tails: Tails, row: IntArray, above: FloatArray) -> tuple[FloatArray, IntArray]:
    """Largest n up to `tails.most` with P(at least n) above each threshold, and where it may be larger."""
    reached, possible = np.zeros(len(above)), above < 1
    far = np.flatnonzero(possible & tails.far[row])
    left = np.flatnonzero(possible & ~tails.far[row])
    place, above, size = row[left], above[left], len(tails.far)
    for n in range(1, tails.most + 1):
        if not len(left):
            break
        needed = np.zeros(size, dtype=bool)
        needed[place] = True
        if needed.sum() < 0.8 * size:
            tails.keep(needed)
            place, size = (np.cumsum(needed) - 1)[place], int(needed.sum())
        goes_on = tails.following()[place] > above
        left, place, above = left[goes_on], place[goes_on], above[goes_on]
        reached[left] = n
    return reached, np.concatenate([far, left])


def _search(at_least: AtLeast, known: Histories, above: FloatArray, since: FloatArray) -> FloatArray:
    """As `quantiles`, where the answer is `since` or more."""
    low, high = since.copy(), since.copy()

    def exceeds(n: FloatArray, rows: IntArray) -> BoolArray:
        return at_least(n + 1, known.take(rows)) > above[rows]

    rows = np.arange(len(above))
    while len(rows) and len(rows := rows[exceeds(high[rows], rows)]):
        low[rows], high[rows] = high[rows], 2 * high[rows] + 1
    while len(rows := np.flatnonzero(high - low > 1)):
        middle = np.floor((low[rows] + high[rows]) / 2)
        short = exceeds(middle, rows)
        low[rows[short]], high[rows[~short]] = middle[short], middle[~short]
    return high
