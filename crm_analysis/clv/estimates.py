"""What was estimated, how surely, and what lifetimes finds for the same customers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.clv.fit import Fit
from crm_analysis.clv.second_opinion import FITTERS, compare_with_lifetimes

SAME = 0.01  # parameters that differ by less say the same


@dataclass(frozen=True)
class SecondOpinion:
    """Estimates beside those of lifetimes.

    table : index measure ("estimate", "standard error", "low", "high" (95%), "lifetimes"), one column per
        parameter; the last row is missing where lifetimes has no such model, or finds no optimum.
    largest : largest relative difference of a parameter.
    gain : our log likelihood less that of lifetimes' estimates: above 0, ours fit better.
    known : whether lifetimes has the model.
    """

    table: pd.DataFrame
    largest: float
    gain: float
    known: bool

    @property
    def kind(self) -> str:
        """How the two compare: "same", "differs", "failed" or "unknown" (lifetimes has no such model)."""
        if not self.known:
            return "unknown"
        if np.isnan(self.largest):
            return "failed"
        return "same" if self.largest < SAME else "differs"


def parameter_table(fit: Fit[Any], *, customers: pd.DataFrame) -> SecondOpinion:
    """Set the parameters with standard errors and 95% intervals beside the fit of lifetimes.

    Parameters
    ----------
    customers : those that `fit` was fitted to.
    """
    table = fit.confidence_intervals().T
    table.loc["standard error"] = fit.standard_errors
    compared = _compared(fit, customers)
    table.loc["lifetimes"] = compared["lifetimes"]
    rows = ["estimate", "standard error", "low", "high", "lifetimes"]
    differences = compared["difference"].drop("log likelihood").abs()
    return SecondOpinion(
        table.loc[rows].rename_axis("measure"),
        largest=float(differences.max(skipna=False)),
        gain=float(compared["difference"]["log likelihood"]),
        known=fit.model.name in FITTERS,
    )


def _compared(fit: Fit[Any], customers: pd.DataFrame) -> pd.DataFrame:
    if fit.model.name in FITTERS:
        try:
            return compare_with_lifetimes(fit, customers)
        except ValueError:  # lifetimes' ConvergenceError is one
            pass
    rows = [*fit.model.parameter_names(), "log likelihood"]
    return pd.DataFrame(np.nan, rows, ["lifetimes", "difference"])
