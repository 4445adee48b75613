"""MBG/NBD: customers buy at their own rate and may leave after any purchase, the first one included.

Batislam, Denizel & Filiztekin (2007), "Empirical validation and comparison of models for customer base
analysis", International Journal of Research in Marketing 24(3). n_repeat, t_last and t_observed are the
paper's x, t_x and T. A new customer stays with probability b / (a + b), so someone who bought once may
well be gone: where such customers are many, P(alive) says more than that of BG/NBD.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pandas as pd

from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.models.leaving import LeavingModel, fit_leaving


@dataclass(frozen=True, kw_only=True)
class MbgNbd(LeavingModel):
    """Four numbers that describe a customer base.

    While active, a customer buys at rate lambda ~ Gamma(r, rate=alpha) per unit of time, and leaves after
    any purchase, the first one included, with probability p ~ Beta(a, b).
    """

    name: ClassVar[str] = "MBG/NBD"
    early: ClassVar[int] = 1


def fit_mbg_nbd(customers: pd.DataFrame, *, unit: str = "7D") -> Fit[MbgNbd]:
    """Fit MBG/NBD by maximum likelihood.

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

    Source: Batislam, Denizel & Filiztekin (2007), IJRM 24(3), eq. 6.
    """
    return fit_leaving(MbgNbd, customers, unit=unit)
