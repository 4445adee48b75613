"""Purchases that take k stages: their likelihood, what is known of the stage, what a whole life is worth.

See `mbg_cnbd` for the model. Nothing here overflows for heavy buyers: sums of stages are in logarithms.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, betaln, digamma, gammaln, hyp2f1, logsumexp, xlogy

from crm_analysis.clv.fitting.quadrature import legendre
from crm_analysis.clv.histories import FloatArray, Histories
from crm_analysis.clv.models.purchases import NEGLIGIBLE


def log_likelihood(parameters: FloatArray, histories: Histories, *, k: int) -> tuple[FloatArray, FloatArray]:
    """Log likelihood of each history at (r, alpha, a, b), and its slopes, shape (4, rows).

    Without the times between the purchases, which do not depend on the parameters.
    """
    r, alpha, a, b = parameters
    x, t_last, t_observed = histories.n_repeat, histories.t_last, histories.t_observed
    shape, before = r + k * x, b + x
    log_last, log_observed = np.log(alpha + t_last), np.log(alpha + t_observed)
    stages = log_stages(shape, (t_observed - t_last) / (alpha + t_observed), k)
    log_waiting = logsumexp(stages, axis=0)
    weights = np.exp(stages - log_waiting)
    here = log_waiting - shape * log_observed
    gone = np.log(a / before) - shape * log_last
    either = np.logaddexp(here, gone)
    left = np.exp(gone - either)
    stayed = 1 - left
    row = gammaln(shape) - gammaln(r) + r * np.log(alpha) + betaln(a, before + 1) - betaln(a, b) + either
    # Of stages j: what their number says of lambda, and how it depends on alpha.
    j = np.arange(k)[:, None]
    raised = (weights * (digamma(shape + j) - digamma(shape))).sum(axis=0)
    mean_stages = (weights * j).sum(axis=0)
    shared = digamma(a + b) - digamma(a + before + 1)
    slopes = [
        digamma(shape) - digamma(r) + np.log(alpha) + stayed * (raised - log_observed) - left * log_last,
        r / alpha - stayed * (shape + mean_stages) / (alpha + t_observed) - left * shape / (alpha + t_last),
        shared + left / a,
        shared + digamma(before + 1) - digamma(b) - left / before,
    ]
    return row, np.stack(slopes)


def log_stages(shape: FloatArray, since: FloatArray, k: int) -> FloatArray:
    """Log of Gamma(shape + j) / Gamma(shape) / j! * since ** j for j = 0 .. k - 1, shape (k, rows)."""
    j = np.arange(k)[:, None]
    return gammaln(shape + j) - gammaln(shape) - gammaln(j + 1) + xlogy(j, since)


def for_life(
    weights: FloatArray, shapes: FloatArray, alpha: FloatArray, *, rate: float, a: float, b: FloatArray
) -> FloatArray:
    """Purchases of the whole remaining life of a live customer, each at its present value.

    Parameters
    ----------
    weights, shapes : of each number of stages since the last purchase, and of lambda then; shape (k, rows).
    alpha, b : rate of lambda, and second parameter of the chance of leaving; shape (rows,).

    Notes
    -----
    A stage makes what follows it worth v = lambda / (lambda + rate) as much. So the purchases are worth the
    mean of v ** (k - j) / (1 - (1 - p) * v ** k): over p it has a closed form, over lambda it is integrated,
    on a logarithmic scale, to where the Gammas of all j have died away.
    """
    k, slow, fast = len(shapes), shapes[0], shapes[-1]
    mode = np.log(slow / alpha)
    low = np.maximum(mode - _spread(slow), np.minimum(np.log(rate), mode) - _spread(slow + k))
    wide = 2 * NEGLIGIBLE / fast
    high = np.log(fast / alpha) + np.where(wide > 2.6, np.log1p(wide), np.sqrt(wide))
    points, node_weights = legendre(96)
    u = low[:, None] + (high - low)[:, None] * points
    v = 1 / (1 + rate * np.exp(-u))
    density = np.zeros_like(u)
    for j, (weight, shape) in enumerate(zip(weights, shapes, strict=True)):
        constant = np.log(np.maximum(weight, 1e-300)) + shape * np.log(alpha) - gammaln(shape)
        density += np.exp(constant[:, None] + shape[:, None] * u - alpha[:, None] * np.exp(u)) * v ** (k - j)
    return np.einsum("ij,j->i", density * while_staying(v**k, a, b[:, None]), node_weights) * (high - low)


def while_staying(v: FloatArray, a: float, b: FloatArray) -> FloatArray:
    """Mean of 1 / (1 - (1 - p) v), p ~ Beta(a, b): 2F1(1, b; a + b; v), hundreds of times faster near v = 1.

    There it is an incomplete beta function, as long as a is at most 1; from a to a + 1 is one step.
    """
    steps = int(np.ceil(a)) - 1
    near = (v > 0.5) & ((1 - v) * (a + b) < 20 * a) & (steps < 4)
    b = np.broadcast_to(b, v.shape)
    worth = np.empty_like(v)
    worth[~near] = hyp2f1(1, b[~near], a + b[~near], v[~near])
    v, b, low = v[near], b[near], min(a - steps, 1 - 1e-10)
    first, second = low + b - 1, 1 - low
    power = betaln(first, second) - first * np.log(v) - second * np.log1p(-v)
    mean = first * betainc(first, second, v) * np.exp(power)
    for i in range(steps):
        mean = (low + i + b) / (low + i) * (1 - (1 - v) * mean) / v
    worth[near] = mean
    return worth


def _spread(shape: FloatArray) -> FloatArray:
    """How far below its mode, in logarithms, a Gamma of that shape has died away."""
    return (NEGLIGIBLE + 1) / shape + np.sqrt(2 * (NEGLIGIBLE + 1) / shape)
