"""Integrals over time, one per customer, by Gauss-Legendre on a logarithmic scale.

What a customer will do decays like a power of time. In u = log(1 + t / scale) such functions are
smooth, and a few dozen nodes reach twelve digits for every customer at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from crm_analysis.clv.histories import FloatArray


@lru_cache
def legendre(nodes: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of Gauss-Legendre on [0, 1]."""
    points, weights = np.polynomial.legendre.leggauss(nodes)
    return (points + 1) / 2, weights / 2


def over_time(
    function: Callable[[FloatArray], FloatArray],
    *,
    until: FloatArray | float,
    scale: FloatArray,
    since: FloatArray | float = 0.0,
    nodes: int = 32,
) -> FloatArray:
    """Integral of `function` from `since` to `until`, per row.

    Parameters
    ----------
    function : gets times of shape (rows, nodes) and returns values of that shape.
    scale : shape (rows,), the time over which the function changes noticeably.
    """
    points, weights = legendre(nodes)
    low, high = np.log1p(since / scale), np.log1p(until / scale)
    u = low[:, None] + (high - low)[:, None] * points
    times = scale[:, None] * np.expm1(u)
    values = function(times) * (scale[:, None] + times)
    return np.einsum("ij,j->i", values, weights) * (high - low)
