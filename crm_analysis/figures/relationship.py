"""Relationships in figures: the ladder of roles, and why customers left."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter

from crm_analysis.figures import FIRM_COLOURS, GREY
from crm_analysis.figures.axes import FEW, INK, drawn_on, say, thousands


def plot_ladder(
    table: pd.DataFrame,
    *,
    unknown: str = "not known",
    colour: str = FIRM_COLOURS[0],
    ax: Axes | None = None,
) -> Axes:
    """One bar per rung, the highest on top, as long as the number who reached it.

    Between two bars stands the share that went on, with its interval; a rung that the data do not know has
    the word `unknown` and no bar; one under 30 is grey.

    Parameters
    ----------
    table : index rung, from the lowest up; n_reached, share_next, low, high; missing where not known.
    """
    ax = drawn_on(ax)
    n = table["n_reached"].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    places = np.arange(len(table))
    colours = [GREY if value < FEW else colour for value in n]
    ax.barh(places, np.nan_to_num(n), 0.6, color=colours)
    top = float(np.nanmax(n)) if np.isfinite(n).any() else 1.0
    for place, value in zip(places, n, strict=True):
        words = unknown if np.isnan(value) else f"{value:,.0f}"
        ax.text(float(np.nan_to_num(value)), float(place), f" {words}", va="center", color=INK)
    known = table["share_next"].notna().to_numpy()
    for place in places[known]:
        row = table.iloc[place]
        words = f"{row['share_next']:.0%} ({row['low']:.0%}–{row['high']:.0%}) ↑"
        ax.text(0.02 * top, float(place) + 0.5, words, va="center", color=INK, fontsize="small")
    ax.set_yticks(places, [str(rung) for rung in table.index])
    ax.set(xlim=(0, 1.15 * top), xlabel="reached this rung")
    ax.xaxis.set_major_formatter(FuncFormatter(thousands))
    ax.grid(visible=False, axis="y")
    return ax


def plot_churn_reasons(
    table: pd.DataFrame,
    *,
    reference: str = "reference (no sample given)",
    colour: str = FIRM_COLOURS[0],
    ax: Axes | None = None,
) -> Axes:
    """Bars of the shares, the most frequent first, with intervals, their running total, and the reference.

    Parameters
    ----------
    table : index reason, in order; share, low, high, cumulative_share, reference (missing is no mark).
    reference : what the marks are called.
    """
    ax = drawn_on(ax)
    if table.empty:
        return say(ax, "no reason recorded")
    places = np.arange(len(table))
    share = table["share"].to_numpy()
    ends = np.abs(table[["low", "high"]].to_numpy().T - share)
    ax.bar(
        places, share, 0.6, yerr=ends, capsize=3, color=colour, ecolor=INK, label="share of those recorded"
    )
    ax.plot(places, table["cumulative_share"], color=INK, marker="o", markersize=3, label="running total")
    ax.scatter(
        places,
        table["reference"],
        marker="D",
        s=28,
        facecolor="white",
        edgecolor=INK,
        zorder=3,
        label=reference,
    )
    ax.set_xticks(places, [str(reason) for reason in table.index])
    ax.set(ylim=(0, 1.05), ylabel="share of those who left")
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.grid(visible=False, axis="x")
    ax.legend(loc="center right")
    return ax
