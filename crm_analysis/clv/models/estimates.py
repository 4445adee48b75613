"""What was estimated, how surely, and what lifetimes finds for the same customers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.histories import FloatArray
from crm_analysis.clv.models.second_opinion import FITTERS, compare_with_lifetimes
from crm_analysis.errors import FitError

SAME = 0.01  # parameters that differ by less say the same
APART = 0.25  # of an interval's width, by which two kinds of intervals may differ and say the same
KINDS = ("log-Wald", "profile", "bootstrap")


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


@dataclass(frozen=True)
class ThreeIntervals:
    """95% intervals of three kinds, and where they part.

    table : index measure ("estimate"; "low, log-Wald" and so on, of `KINDS`), one column per parameter; the
        bootstrap is missing where resamples determine no optimum.
    refused : why; empty where it was possible.
    """

    table: pd.DataFrame
    refused: str

    @property
    def open(self) -> list[str]:
        """Parameters to which the profile sets no end: the data rule out no value beyond the estimate."""
        ends = self.table.loc[["low, profile", "high, profile"]]
        return [str(name) for name in ends.columns[(ends.isin([0.0, np.inf])).any()]]

    @property
    def largest(self) -> float:
        """How far an end of two kinds lies apart at most, as a share of the width by log-Wald."""
        kinds = [self.table.loc[[f"{end}, {kind}" for kind in KINDS]].to_numpy() for end in ("low", "high")]
        lows, highs = kinds
        width = highs[0] - lows[0]
        return float(np.nanmax([np.nanmax(ends, axis=0) - np.nanmin(ends, axis=0) for ends in kinds] / width))

    def beside(self, opinion: SecondOpinion) -> pd.DataFrame:
        """Return the table with the standard errors and, where there is one, the estimate of lifetimes."""
        last = opinion.table.reindex(["standard error", "lifetimes"]).dropna(how="all")
        rows = pd.concat(
            [self.table.iloc[:1], last.loc[["standard error"]], self.table.iloc[1:], last.iloc[1:]]
        )
        return rows.dropna(how="all").rename_axis("measure")

    @property
    def values(self) -> dict[str, float | str]:
        """Values of a sentence: names (parameters without an end), largest."""
        return {"names": ", ".join(self.open), "largest": self.largest}

    @property
    def kind(self) -> str:
        """What the kinds say: "open" (an end without limit), "apart" (by over a quarter) or "agree".

        Without the bootstrap "open_refused" and so on.
        """
        kind = "open" if self.open else "apart" if self.largest > APART else "agree"
        return f"{kind}_refused" if self.refused else kind


def three_intervals(fit: Fit[Any], *, generator: np.random.Generator, refits: int = 200) -> ThreeIntervals:
    """Set the 95% intervals of three kinds beside each other.

    Parameters
    ----------
    generator, refits : of the bootstrap.
    """
    found: dict[str, FloatArray] = {"log-Wald": _ends(fit.confidence_intervals())}
    found["profile"] = _ends(fit.confidence_intervals(kind="profile"))
    refused = ""
    try:
        drawn = fit.confidence_intervals(kind="bootstrap", generator=generator, refits=refits)
        found["bootstrap"] = _ends(drawn)
    except FitError as error:
        found["bootstrap"], refused = np.full_like(found["profile"], np.nan), str(error)
    names = pd.Index(fit.covariance.index, name=None)
    rows = {
        f"{end}, {kind}": ends[:, i] for kind, ends in found.items() for i, end in enumerate(("low", "high"))
    }
    estimate = fit.confidence_intervals()["estimate"].to_numpy()
    table = pd.DataFrame.from_dict({"estimate": estimate, **rows}, orient="index", columns=names)
    return ThreeIntervals(table.rename_axis("measure"), refused)


def _ends(intervals: pd.DataFrame) -> FloatArray:
    ends: FloatArray = intervals[["low", "high"]].to_numpy(float)
    return ends


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
