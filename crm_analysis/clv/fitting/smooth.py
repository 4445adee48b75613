"""What live customers will do is smooth in n_repeat and t_observed: computed for a few, read off for all.

Positive answers are interpolated in their logarithm, by polynomials at Chebyshev's points: in t_observed on a
logarithmic scale, and in n_repeat beyond the first few, which are computed as they are. Within 1e-9 of what
every pair would give. Where there are few pairs, or a model needs t_last as well, all are computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from crm_analysis.clv.histories import FloatArray, Histories, IntArray

EXACT = 10  # up to this many repeat purchases nothing is interpolated in n_repeat
DIGITS = 11
BLOCK = 2_000_000  # numbers held at a time


@dataclass(frozen=True)
class Smooth:
    """Histories to compute, and how all others follow.

    nodes : the few.
    everywhere : from logarithms of answers at the nodes, shape (nodes,), to those of all, shape (histories,).
    """

    nodes: Histories
    _by_count: FloatArray | None = None
    _by_end: FloatArray | None = None
    _count: IntArray | None = None
    _end: IntArray | None = None

    def everywhere(self, logs: FloatArray) -> FloatArray:
        """Logarithms of the answers for every history, from those at the nodes."""
        if self._by_count is None or self._by_end is None or self._count is None or self._end is None:
            return logs
        rows = self._by_count @ logs.reshape(self._by_count.shape[1], -1)
        answers = np.empty(len(self._count))
        for since in range(0, len(rows), step := max(1, BLOCK // len(self._by_end))):
            here = slice(*np.searchsorted(self._count, [since, since + step]))
            grid = rows[since : since + step] @ self._by_end.T
            answers[here] = grid[self._count[here] - since, self._end[here]]
        return answers


def smooth(known: Histories, *, scale: float) -> Smooth:
    """Choose the nodes for histories sorted by n_repeat whose t_last does not matter.

    Parameters
    ----------
    scale : time over which what a new customer does changes noticeably.
    """
    counts, count = np.unique(known.n_repeat, return_inverse=True)
    ends, end = np.unique(known.t_observed, return_inverse=True)
    few = int(np.searchsorted(counts, EXACT, side="right"))
    count_nodes, beyond = _nodes(np.log1p(counts[few:]))
    end_nodes, by_end = _nodes(np.log1p(ends / scale))
    if (few + len(count_nodes)) * len(end_nodes) >= len(known.n_repeat):
        return Smooth(known)
    by_count = np.zeros((len(counts), few + len(count_nodes)))
    by_count[:few, :few], by_count[few:, few:] = np.eye(few), beyond
    x = np.concatenate([counts[:few], np.expm1(count_nodes)])
    n_repeat, t_observed = np.repeat(x, len(end_nodes)), np.tile(scale * np.expm1(end_nodes), len(x))
    nothing = np.zeros(len(n_repeat))
    return Smooth(Histories(n_repeat, nothing, t_observed, nothing), by_count, by_end, count, end)


def _nodes(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Chebyshev's points over the range of `values`, and the matrix that leads from there to `values`.

    What is smooth in a logarithm repeats after 2 pi i, and so is regular up to pi off the real line: each
    point more gains the factor of the ellipse through there.
    """
    low, high = (values[0], values[-1]) if len(values) else (0.0, 0.0)
    points = 3 + math.ceil(DIGITS * math.log(10) / math.asinh(2 * math.pi / max(high - low, 1e-9)))
    if len(values) <= points:
        return values, np.eye(len(values))
    nodes = (low + high) / 2 - (high - low) / 2 * np.cos(np.pi * np.arange(points) / (points - 1))
    weights = np.where(np.arange(points) % 2, -1.0, 1.0)
    weights[[0, -1]] /= 2
    apart = values[:, None] - nodes
    at_node = np.abs(apart) < 1e-14 * (high - low)
    share = weights / np.where(at_node, 1.0, apart)
    share = np.where(at_node.any(axis=1, keepdims=True), at_node, share)
    return nodes, share / share.sum(axis=1, keepdims=True)
