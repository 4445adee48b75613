"""Customers who buy at random moments: what BG/NBD, MBG/NBD, Pareto/NBD and NBD share.

When such a customer bought last says whether he is still one, and no more: given alive, all that is known of
the rate is in n_repeat and t_observed. So answers are computed once per distinct pair, and one purchase more
makes the customer the same customer with n_repeat + 1.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

import numpy as np
from scipy.special import betaln, xlog1py, xlogy

from crm_analysis.clv.fitting.quadrature import over_time
from crm_analysis.clv.fitting.smooth import Smooth, smooth
from crm_analysis.clv.histories import FloatArray, Histories, IntArray
from crm_analysis.clv.models.purchases import NEGLIGIBLE, PurchaseModel, new_customers


class PoissonModel(PurchaseModel):
    """Base of the models of purchases at random moments."""

    @abstractmethod
    def _rate(self, known: Histories, ahead: FloatArray) -> FloatArray:
        """Purchases expected per unit of time at moments `ahead`, shape (rows or 1, moments), given alive."""

    def _stays(self, known: Histories) -> FloatArray:
        """P(still alive just after the next purchase), given alive before it; by default 1."""
        return np.ones_like(known.n_repeat)

    @abstractmethod
    def _time_scale(self, known: Histories) -> FloatArray:
        """Time over which a customer's purchase rate falls noticeably."""

    def _discounted(self, known: Histories, rate: float, until: float | None) -> FloatArray:
        discounted = lambda ahead: np.exp(-rate * ahead) * self._rate(known, ahead)  # noqa: E731
        end = NEGLIGIBLE / rate if until is None else until
        return over_time(discounted, until=end, scale=self._time_scale(known), nodes=40)

    def _expected_pairs(self, known: Histories, ahead: float) -> FloatArray:
        # Two purchases, the later one at s and the earlier anywhere before: the first raises what is known
        # of the customer's rate by one purchase, and had to be survived.
        first = self._rate(known, np.zeros((1, 1))) * self._stays(known)[:, None]
        once_more = replace(known, n_repeat=known.n_repeat + 1)
        pairs = lambda s: first * s * self._rate(once_more, s)  # noqa: E731
        return over_time(pairs, until=ahead, scale=self._time_scale(known))

    def _known(self, histories: Histories) -> tuple[Histories, IntArray]:
        x, end = histories.n_repeat, histories.t_observed  # sorted by them
        first = np.ones(len(x), dtype=bool)
        first[1:] = (x[1:] != x[:-1]) | (end[1:] != end[:-1])
        nothing = np.zeros(int(first.sum()))
        return Histories(x[first], nothing, end[first], nothing), np.cumsum(first) - 1

    def _smooth(self, known: Histories) -> Smooth:
        leaving = float(self._time_scale(new_customers(1))[0])
        return smooth(known, scale=min(leaving, self.parameters["alpha"]))


def poisson_gamma(n: FloatArray | int, shape: FloatArray, share: FloatArray | float) -> FloatArray:
    """P(exactly n >= 1 events) of a Gamma rate; `share` is the time over itself plus the Gamma's rate.

    Through the logarithm of a beta function: differences of log gammas lose digits where n or shape is large.
    """
    return np.exp(xlogy(n, share) + xlog1py(shape, -share) - betaln(n, shape) - np.log(n))
