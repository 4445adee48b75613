"""Where a climb begins, and the customers in words when it fails."""

from __future__ import annotations

import numpy as np

from crm_analysis.clv.histories import Histories
from crm_analysis.errors import FitError


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
