"""Campaigns in figures: what they brought, what they only pulled forward, for whom, and the naive view."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter

from crm_analysis.figures import FIRM_COLOURS, GREY
from crm_analysis.figures.axes import INK, drawn_on, say, thousands

ABOVE, BELOW, UNCLEAR = "#548235", "#a23b3b", "0.45"
# Longer names would leave no room for the figure.
LONGEST = 32
SPANS = {"during": FIRM_COLOURS[0], "after": FIRM_COLOURS[1], "together": INK}
SPAN_NAMES = {"during": "in the window", "after": "in the days after", "together": "both together"}


def plot_after_cost(table: pd.DataFrame, *, unit: str, ax: Axes | None = None) -> Axes:
    """Profit after cost of each campaign with its interval; a campaign without one has a word in its place.

    Parameters
    ----------
    table : index campaign, the first on top; profit_after_cost, profit_after_cost_low, profit_after_cost_high
        (missing where not known), verdict.
    unit : of the money.
    """
    ax = _drawn_for(table, ax)
    if table.empty:
        return say(ax, "no campaigns")
    names = ["profit_after_cost", "profit_after_cost_low", "profit_after_cost_high"]
    for place, (row, verdict) in enumerate(zip(table[names].to_numpy(float), table["verdict"], strict=True)):
        value, low, high = row
        if np.isnan(low):
            ax.annotate(str(verdict), (0, place), (6, 0), textcoords="offset points", va="center", color=INK)
            continue
        colour = ABOVE if low > 0 else BELOW if high < 0 else UNCLEAR
        ax.hlines(place, low, high, color=colour, linewidth=2.2)
        ax.plot(value, place, "o", color=colour, markersize=7)
        words = f"{value:+,.0f}".replace("-", "−")
        ax.annotate(words, (value, place), (0, 8), textcoords="offset points", ha="center", fontsize=9)
    ax.axvline(0, color=INK, linewidth=0.9)
    return _named_rows(ax, list(table.index), f"profit after cost, against the control group ({unit})")


def plot_spans(table: pd.DataFrame, *, label: str = "extra orders", ax: Axes | None = None) -> Axes:
    """What each campaign added in its window, in the days after, and in both together, with intervals.

    Parameters
    ----------
    table : index (campaign, span), spans "during", "after", "together"; value, low, high; what is missing is
        not drawn.
    label : of the values.
    """
    ax = _drawn_for(table, ax)
    if table.empty:
        return say(ax, "no campaigns")
    campaigns = list(dict.fromkeys(table.index.get_level_values(0)))
    for i, (span, colour) in enumerate(SPANS.items()):
        rows = table.xs(span, level=1).reindex(campaigns)
        places = np.arange(len(campaigns)) + (i - 1) * 0.24
        ax.hlines(places, rows["low"], rows["high"], color=colour, linewidth=1.8)
        ax.plot(rows["value"], places, "o", color=colour, markersize=5.5, label=SPAN_NAMES[span])
    ax.axvline(0, color=INK, linewidth=0.9)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
    return _named_rows(ax, campaigns, label)


def plot_naive(table: pd.DataFrame, *, unit: str, ax: Axes | None = None) -> Axes:
    """Contacted less not contacted, the same difference before the campaign, and contacted less control.

    Parameters
    ----------
    table : index campaign; naive, already_before, against_control (amount per contacted customer).
    unit : of the money.
    """
    ax = _drawn_for(table, ax)
    if table.empty:
        return say(ax, "no campaigns")
    bars = {
        "naive": ("contacted less not chosen, in the window", GREY),
        "already_before": ("the same difference before the campaign", "0.8"),
        "against_control": ("contacted less control group: the effect", FIRM_COLOURS[0]),
    }
    for i, (name, (words, colour)) in enumerate(bars.items()):
        ax.barh(np.arange(len(table)) + (i - 1) * 0.26, table[name], 0.24, color=colour, label=words)
    ax.axvline(0, color=INK, linewidth=0.9)
    ax.legend(loc="upper center", bbox_to_anchor=(0.4, -0.16), ncols=1)
    return _named_rows(ax, list(table.index), f"amount per contacted customer ({unit})")


def plot_groups(table: pd.DataFrame, *, unit: str, ax: Axes | None = None) -> Axes:
    """Incremental profit per contact in each group of customers, with intervals, and the cost of a contact.

    Parameters
    ----------
    table : index (campaign, group); per_customer, low, high, cost, n_treated.
    unit : of the money.
    """
    ax = _drawn_for(table, ax)
    if table.empty:
        return say(ax, "no control group, so no groups to compare")
    campaigns = list(dict.fromkeys(table.index.get_level_values(0)))
    groups = sorted(set(table.index.get_level_values(1)))
    step = 0.7 / len(groups)
    for i, group in enumerate(groups):
        rows = table.xs(group, level=1).reindex(campaigns)
        places = np.arange(len(campaigns)) + (i - (len(groups) - 1) / 2) * step
        colour = FIRM_COLOURS[i % len(FIRM_COLOURS)]
        ax.hlines(places, rows["low"], rows["high"], color=colour, linewidth=1.8)
        ax.plot(rows["per_customer"], places, "o", color=colour, markersize=5.5, label=plain(group))
    totals = table.groupby(level=0, sort=False)[["cost", "n_treated"]].sum().reindex(campaigns)
    costs = (totals["cost"] / totals["n_treated"]).to_numpy(float)
    middle = np.arange(len(campaigns))
    ax.vlines(costs, middle - 0.42, middle + 0.42, color=INK, linewidth=1.2, label="cost of a contact")
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4)
    return _named_rows(ax, campaigns, f"extra profit per contacted customer ({unit})")


def plot_uplift_curve(curve: pd.DataFrame, *, measure: str = "qini", ax: Axes | None = None) -> Axes:
    """Incremental responders by share contacted, beside those of a random order.

    Parameters
    ----------
    curve : n and the `measure` column, first row 0: `uplift_curve`.
    """
    ax = drawn_on(ax)
    n = curve["n"].to_numpy(float)
    ax.plot(n / n[-1], curve[measure], color=FIRM_COLOURS[0], label="by score")
    ax.plot([0, 1], [0, curve[measure].iloc[-1]], color=GREY, linewidth=1, label="random order")
    ax.set(xlabel="share of customers contacted", ylabel="extra responses", xlim=(0, 1))
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.legend(loc="lower right")
    return ax


def plain(name: object) -> str:
    """Name as it is written, cut where it is long."""
    words = str(name)
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"


def _drawn_for(table: pd.DataFrame, ax: Axes | None) -> Axes:
    """Return the Axes that were given, or new ones, higher where there are many campaigns."""
    n = table.index.get_level_values(0).nunique()
    if ax is not None or n <= 6:
        return drawn_on(ax)
    width, height = plt.rcParams["figure.figsize"]
    return plt.subplots(layout="constrained", figsize=(width, height * (0.4 + n / 10)))[1]


def _named_rows(ax: Axes, names: list[str], label: str) -> Axes:
    ax.set_yticks(range(len(names)), [plain(name) for name in names])
    ax.set(xlabel=label, ylim=(len(names) - 0.4, -0.6))
    ax.xaxis.set_major_formatter(FuncFormatter(thousands))
    ax.grid(visible=False, axis="y")
    return ax
