"""Differences by span: in a campaign's window, in the days after it, and both together."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from crm_analysis.campaigns.contrast import UNKNOWN, Estimate, Welch, adjusted, difference, readings, welch

SPANS = ("during", "after", "together")
MEASURES = ("orders", "amount", "profit")


def span_table(part: pd.DataFrame, *, level: float) -> pd.DataFrame:
    """Treated less control per customer, for each span and measure: plain, and adjusted for what was before.

    Parameters
    ----------
    part : members of one campaign.

    Returns
    -------
    DataFrame, index (span, measure): treated, control (means), difference, low, high, adjusted,
    adjusted_low, adjusted_high; missing where a span is not over, or where there is no control group.
    """
    treated = part["treated"].to_numpy(bool)
    rows = {}
    for span in SPANS:
        for measure in MEASURES:
            y, x = span_outcome(part, span, measure), part[f"{measure}_before"].to_numpy(float)
            plain, fair = _both(y, x, treated, level)
            groups = [float(y[group].mean()) if group.any() else math.nan for group in (treated, ~treated)]
            numbers = (plain.value, plain.low, plain.high, fair.value, fair.low, fair.high)
            rows[span, measure] = (*groups, *numbers)
    columns = ["treated", "control", "difference", "low", "high"]
    columns += ["adjusted", "adjusted_low", "adjusted_high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).set_axis(
        pd.MultiIndex.from_tuples(rows, names=["span", "measure"])
    )


def span_outcome(part: pd.DataFrame, span: str, measure: str) -> np.ndarray:
    """What each member bought in a span; together is the window and the days after it."""
    if span == "together":
        return (part[f"{measure}_during"] + part[f"{measure}_after"]).to_numpy(float)
    return part[f"{measure}_{span}"].to_numpy(float)


def profit_difference(part: pd.DataFrame, span: str) -> Welch:
    """Profit of the treated less that of the control group in a span, adjusted for what was before."""
    treated = part["treated"].to_numpy(bool)
    before = part["profit_before"].to_numpy(float)
    outcome = span_outcome(part, span, "profit")
    return welch(outcome if np.isnan(before).any() else adjusted(outcome, before, treated), treated)


def _both(y: np.ndarray, x: np.ndarray, treated: np.ndarray, level: float) -> tuple[Estimate, Estimate]:
    if np.isnan(y).any():
        return UNKNOWN, UNKNOWN
    fair = y if np.isnan(x).any() else adjusted(y, x, treated)
    return difference(y, treated, level=level), difference(fair, treated, level=level)


def readings_of(
    part: pd.DataFrame, found: pd.DataFrame, *, span: str, generator: np.random.Generator, level: float
) -> pd.DataFrame:
    """Profit in a span, read in six ways (`contrast.readings`).

    Parameters
    ----------
    found : every order of the members: member (their place among all), span, profit.
    """
    outcome = span_outcome(part, span, "profit")
    before = part["profit_before"].fillna(0.0).to_numpy(float)
    own = found[found["member"].isin(part.index) & (found["span"] != "before")]
    own = own if span == "together" else own[own["span"] == span]
    largest = {}
    if len(own) and own["profit"].notna().all():
        row = int(np.argmax(own["profit"].abs()))
        place = np.flatnonzero(part.index == own["member"].iloc[row])[0]
        largest = {"place": float(place), "worth": float(own["profit"].iloc[row])}
    table = pd.DataFrame({"outcome": outcome, "before": before, "treated": part["treated"].to_numpy(bool)})
    return readings(table, largest=largest, generator=generator, level=level)
