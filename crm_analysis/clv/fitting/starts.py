"""Where a climb begins, and the customers in words when it fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from crm_analysis.clv.fitting.estimation import Estimation, M
from crm_analysis.clv.fitting.fit import Fit, maximise
from crm_analysis.clv.histories import Histories
from crm_analysis.errors import FitError

MANY = 20_000  # histories from which a sample is climbed first
SAMPLE = 20_000  # customers in it


def fit_histories(estimation: Callable[[Histories], Estimation[M]], histories: Histories) -> Fit[M]:
    """Fit by maximum likelihood; of many histories, from the summit of a sample, where few steps remain."""
    whole = estimation(histories)
    if len(histories.n_repeat) > MANY:
        try:
            near = maximise(estimation(sample(histories, SAMPLE))).model
            whole = replace(whole, starts=[list(near.parameters.values()), *whole.starts])
        except FitError:
            pass  # the sample may be too small where the whole is not
    return maximise(whole)


def sample(histories: Histories, n: int) -> Histories:
    """Take every so-many-th customer: a sample of about n, as mixed as the whole and always the same."""
    before = np.cumsum(histories.n_customers) * (n / histories.n_customers.sum())
    taken = np.diff(np.floor(before), prepend=0.0)
    chosen = replace(histories, n_customers=taken)
    return chosen.take(np.flatnonzero(taken))


def purchase_rate(histories: Histories) -> float:
    """Repeat purchases per unit of time while a customer is known to be active.

    Raises
    ------
    FitError
        Nobody came back, or nobody was observed beyond the first day: there is nothing to fit.
    """
    weight, x = histories.n_customers, histories.n_repeat
    if not (weight @ x) > 0:
        raise FitError(f"purchase model: nothing to fit, on {describe(histories)}. Observe them for longer.")
    active = np.where(x > 0, (histories.t_last + histories.t_observed) / 2, histories.t_observed)
    return float(weight @ x / (weight @ active))


def describe(histories: Histories) -> str:
    """Say how many customers there are, and which share never came back."""
    n = histories.n_customers.sum()
    never = histories.n_customers[histories.n_repeat == 0].sum()
    return f"{n:,.0f} customers of whom {never / max(n, 1):.0%} never came back"
