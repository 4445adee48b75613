"""The likelihood of BG/BB: having stayed to the last opportunity, or left before one of those not used.

Fader, Hardie & Shang (2010), Marketing Science 29(6), eq. 7.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaln, digamma

from crm_analysis.clv.histories import FloatArray, Histories


def log_likelihood(parameters: FloatArray, histories: Histories) -> tuple[FloatArray, FloatArray]:
    """Log likelihood of each history at (alpha, beta, gamma, delta), and its slopes, shape (4, rows)."""
    alpha, beta, gamma, delta = parameters
    x, n = histories.n_repeat, histories.t_observed
    here = log_alive(parameters, histories)
    gone, slopes_gone = leaving(parameters, histories)
    either = np.logaddexp(here, gone)
    left = np.exp(gone - either)
    both, there = digamma(alpha + beta + n), digamma(gamma + delta + n)
    slopes_here = np.stack(
        [
            digamma(alpha + x) - both,
            digamma(beta + n - x) - both,
            digamma(gamma) - there,
            digamma(delta + n) - there,
        ]
    )
    constant = [digamma(side) - digamma(alpha + beta) for side in (alpha, beta)]
    constant += [digamma(side) - digamma(gamma + delta) for side in (gamma, delta)]
    slopes = (1 - left) * slopes_here + left * slopes_gone - np.array(constant)[:, None]
    return either - betaln(alpha, beta) - betaln(gamma, delta), slopes


def log_alive(parameters: FloatArray, histories: Histories) -> FloatArray:
    """Log of the chance of being there still, up to the constants of the two betas."""
    alpha, beta, gamma, delta = parameters
    x, n = histories.n_repeat, histories.t_observed
    return np.asarray(betaln(alpha + x, beta + n - x) + betaln(gamma, delta + n))


def leaving(parameters: FloatArray, histories: Histories) -> tuple[FloatArray, FloatArray]:
    """Log of the chance of having left, and its slopes, up to the constants of the two betas.

    A customer may have left before any opportunity m + 1 from last_opportunity + 1 to the last: terms that
    depend on n_repeat and m alone. They are added from the last one backwards, for all histories that share
    n_repeat and n_opportunities at once.
    """
    pairs, pair = np.unique(histories.n_repeat + 1j * histories.t_observed, return_inverse=True)
    x, n = pairs.real, pairs.imag
    total, mean = np.full(len(x), -np.inf), np.zeros((4, len(x)))
    log_chance, slopes = np.full(len(pair), -np.inf), np.zeros((4, len(pair)))
    order = np.argsort(histories.t_last, kind="stable")
    places = np.searchsorted(histories.t_last[order], np.arange(n.max(initial=0) + 1))
    for m in range(int(n.max(initial=0)) - 1, -1, -1):
        at = np.flatnonzero((m < n) & (x <= m))
        term, slope = (of_count[..., x[at].astype(int)] for of_count in _leaving_after(parameters, m))
        total[at] = np.logaddexp(total[at], term)
        mean[:, at] += np.exp(term - total[at]) * (slope - mean[:, at])
        rows = order[places[m] : places[m + 1]]
        log_chance[rows], slopes[:, rows] = total[pair[rows]], mean[:, pair[rows]]
    return log_chance, slopes


def _leaving_after(parameters: FloatArray, m: int) -> tuple[FloatArray, FloatArray]:
    """Log of the chance of leaving after m opportunities, by how many of them were used, and its slopes."""
    alpha, beta, gamma, delta = parameters
    used = np.arange(m + 1.0)
    both, left = digamma(alpha + beta + m), digamma(gamma + delta + m + 1)
    slopes = np.empty((4, m + 1))
    slopes[0], slopes[1] = digamma(alpha + used) - both, digamma(beta + m - used) - both
    slopes[2], slopes[3] = digamma(gamma + 1) - left, digamma(delta + m) - left
    return betaln(alpha + used, beta + m - used) + betaln(gamma + 1, delta + m), slopes
