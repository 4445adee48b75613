"""BG/NBD: customers buy at their own rate and may leave after any repeat purchase.

Fader, Hardie & Lee (2005), "Counting your customers the easy way", Marketing Science 24(2).
n_repeat, t_last and t_observed are the paper's x, t_x and T. Someone who never came back has had no
repeat purchase to leave after, so P(alive) is 1: for a base of one-time buyers read P(buy) instead, or use
MBG/NBD.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pandas as pd

from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.models.leaving import LeavingModel, fit_leaving


@dataclass(frozen=True, kw_only=True)
class BgNbd(LeavingModel):
    """Four numbers that describe a customer base.

    While active, a customer buys at rate lambda ~ Gamma(r, rate=alpha) per unit of time, and leaves after
    any repeat purchase with probability p ~ Beta(a, b).
    """

    name: ClassVar[str] = "BG/NBD"
    early: ClassVar[int] = 0


def fit_bg_nbd(customers: pd.DataFrame, *, unit: str = "7D") -> Fit[BgNbd]:
    """Fit BG/NBD by maximum likelihood.

    Parameters
    ----------
    customers : n_repeat, t_last, t_observed in days; histories must be complete from the first purchase.
    unit : the unit of time of the parameters; forecasts do not depend on it.

    Raises
    ------
    DataError
        A history is impossible or a column is missing.
    FitError
        The data do not determine a parameter; the message says which one runs where, and what it means.

    Source: Fader, Hardie & Lee (2005), Marketing Science 24(2), eq. 6.
    """
    return fit_leaving(BgNbd, customers, unit=unit)
