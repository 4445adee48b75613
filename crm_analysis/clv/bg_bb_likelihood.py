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
    alpha, beta, gamma, delta = parameters
    pairs, pair = np.unique(histories.n_repeat + 1j * histories.t_observed, return_inverse=True)
    x, n = pairs.real, pairs.imag
    total, mean = np.full(len(x), -np.inf), np.zeros((4, len(x)))
    log_chance, slopes = np.full(len(pair), -np.inf), np.zeros((4, len(pair)))
    order = np.argsort(histories.t_last, kind="stable")
    places = np.searchsorted(histories.t_last[order], np.arange(n.max(initial=0) + 1))
    for m in range(int(n.max(initial=0)) - 1, -1, -1):
        at = np.flatnonzero((m < n) & (x <= m))
        bought = x[at]
        both, left = digamma(alpha + beta + m), digamma(gamma + delta + m + 1)
        term = betaln(alpha + bought, beta + m - bought) + betaln(gamma + 1, delta + m)
        slope = np.stack(
            [
                digamma(alpha + bought) - both,
                digamma(beta + m - bought) - both,
                np.full(len(at), digamma(gamma + 1) - left),
                np.full(len(at), digamma(delta + m) - left),
            ]
        )
        total[at] = np.logaddexp(total[at], term)
        mean[:, at] += np.exp(term - total[at]) * (slope - mean[:, at])
        rows = order[places[m] : places[m + 1]]
        log_chance[rows], slopes[:, rows] = total[pair[rows]], mean[:, pair[rows]]
    return log_chance, slopes
