"""Money in figures of customer value: by group with its range, what it hangs on, when it pays back."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from crm_analysis.figures import FIRM_COLOURS
from crm_analysis.figures.axes import FEW, INK, say, thousands

PALE, PALE_GREY = "#7f9fbf", "0.82"  # so that a range is seen on a bar
LOW_END, HIGH_END = FIRM_COLOURS[1], FIRM_COLOURS[0]
ABOVE, BELOW = FIRM_COLOURS[0], FIRM_COLOURS[1]


def plot_group_values(
    table: pd.DataFrame, *, unit: str, what: str = "value of the next 12 months", ax: Axes | None = None
) -> Axes:
    """Value of each group of customers, with the range in which it may lie.

    Parameters
    ----------
    table : index group; value, low, high (missing: no range is drawn), n_customers; the first row on top.
        Groups of fewer than 30 customers are grey.
    unit : of the values;  what : the values are, for the axis.
    """
    ax = _bars(ax, len(table))
    if table.empty:
        return say(ax, "no group to show")
    places = np.arange(len(table))
    few = (table["n_customers"] < FEW).to_numpy()
    ax.barh(places, table["value"], 0.62, color=[PALE_GREY if small else PALE for small in few])
    ax.axvline(0, color=INK, linewidth=0.8)
    high = _ranges(ax, table["low"], table["high"])
    for place, (end, value, small) in enumerate(zip(high, table["value"], few, strict=True)):
        _write(ax, _money(value), np.nanmax([value, end, 0]), place, colour="0.45" if small else INK)
    ax.set_yticks(places, [f"{name} ({n:,})" for name, n in table["n_customers"].items()])
    if few.any():
        ax.barh([0], [0], color=PALE_GREY, label="fewer than 30 customers")
        ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0))
    return _finish(ax, len(table), f"{what} ({unit}; line: its range)")


def plot_new_customer_value(
    table: pd.DataFrame, *, unit: str, acquisition_cost: float | None = None, ax: Axes | None = None
) -> Axes:
    """Value of a new customer within each horizon, beside what winning one costs.

    Parameters
    ----------
    table : index horizon; clv_new, clv_new_low, clv_new_high (missing: no range is drawn).
    unit : of the values;  acquisition_cost : per customer won, drawn as a line.
    """
    ax = _bars(ax, len(table))
    if table.empty:
        return say(ax, "no horizon to show")
    places = np.arange(len(table))
    ax.barh(places, table["clv_new"], 0.62, color=PALE)
    high = _ranges(ax, table["clv_new_low"], table["clv_new_high"])
    for place, (value, end) in enumerate(zip(table["clv_new"], high, strict=True)):
        _write(ax, f"{value:,.2f}".replace("-", "−"), np.nanmax([value, end, 0]), place)
    if acquisition_cost is not None:
        words = f"cost of winning one: {acquisition_cost:,.2f}"
        ax.axvline(acquisition_cost, color=FIRM_COLOURS[1], linestyle="--", linewidth=1.4, label=words)
        ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0))
    ax.set_yticks(places, [str(name) for name in table.index])
    return _finish(ax, len(table), f"value of a new customer ({unit}; line: its range)")


def plot_tornado(table: pd.DataFrame, *, unit: str, ax: Axes | None = None) -> Axes:
    """How far a value moves when one input moves and the others stay, the widest swing on top.

    Parameters
    ----------
    table : index input; low and high (the value at either end of the input), value (as planned: the same in
        every row); where there are input_low and input_high, the ends are written beside the bars.
    unit : of the value.
    """
    ax = _bars(ax, len(table))
    if table.empty:
        return say(ax, "no input was moved")
    base, places = float(table["value"].iloc[0]), np.arange(len(table))
    for column, colour, label in (
        ("low", LOW_END, "input at its low end"),
        ("high", HIGH_END, "input at its high end"),
    ):
        ax.barh(places, table[column] - base, 0.62, base, color=colour, label=label)
        if (ends := f"input_{column}") in table:
            _write_ends(ax, table[ends], table[column], base)
    ax.axvline(base, color=INK, linewidth=1)
    ax.annotate(
        _money(base), (base, 1), (0, 3), xycoords=("data", "axes fraction"), textcoords="offset points",
        ha="center", fontsize=9, color=INK,
    )  # fmt: skip
    ax.set_yticks(places, [str(name).replace("_", " ") for name in table.index])
    ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.07), ncols=2)
    return _finish(ax, len(table), f"value ({unit})")


def plot_payback(table: pd.DataFrame, *, unit: str, period: str = "year", ax: Axes | None = None) -> Axes:
    """Value gathered up to the end of each period, what was paid at first taken off.

    Parameters
    ----------
    table : index period; cumulative, as in the table of a cash flow.
    unit : of the value;  period : what one row is, for the axis.
    """
    ax = ax if ax is not None else plt.subplots(figsize=(8, 3.6), layout="constrained")[1]
    if table.empty:
        return say(ax, "no period to show")
    reached = table["cumulative"].to_numpy(float)
    places = np.arange(len(table))
    ax.bar(places, reached, 0.7, color=[ABOVE if value >= 0 else BELOW for value in reached])
    ax.axhline(0, color=INK, linewidth=1)
    for place, value in zip(places, reached, strict=True):
        ax.annotate(
            _money(value), (place, value), (0, 3 if value >= 0 else -3), textcoords="offset points",
            ha="center", va="bottom" if value >= 0 else "top", fontsize=8.5, color=INK,
        )  # fmt: skip
    ax.set_xticks(places, [str(name) for name in table.index])
    ax.yaxis.set_major_formatter(FuncFormatter(thousands))
    ax.set(xlabel=period, ylabel=f"value gathered, discounted ({unit})")
    ax.margins(y=0.14)
    ax.grid(visible=False, axis="x")
    return ax


def _bars(ax: Axes | None, n: int) -> Axes:
    """Axes as high as the bars need."""
    return (
        ax if ax is not None else plt.subplots(figsize=(8, 1.1 + 0.42 * max(n, 2)), layout="constrained")[1]
    )


def _finish(ax: Axes, n: int, label: str) -> Axes:
    ax.set(xlabel=label, ylim=(max(n, 1) - 0.4, -0.6))
    ax.margins(x=0.14)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.xaxis.set_major_formatter(FuncFormatter(thousands))
    ax.grid(visible=False, axis="y")
    return ax


def _ranges(ax: Axes, low: pd.Series, high: pd.Series) -> pd.Series:
    """Draw a line with ends from low to high on each bar, where they are known."""
    places = np.arange(len(low))
    ax.hlines(places, low, high, color=INK, linewidth=1.4)
    for end in (low, high):
        ax.plot(end, places, "|", color=INK, markersize=8, markeredgewidth=1.4)
    return high


def _write(ax: Axes, words: str, x: float, y: float, *, colour: str = INK, side: str = "left") -> None:
    away = 6 if side == "left" else -6
    ax.annotate(
        words, (x, y), (away, 0), textcoords="offset points", ha=side, va="center", fontsize=8.5,
        color=colour, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )  # fmt: skip


def _write_ends(ax: Axes, inputs: pd.Series, values: pd.Series, base: float) -> None:
    for place, (given, value) in enumerate(zip(inputs, values, strict=True)):
        if np.isfinite(given):
            _write(ax, f"{given:,.4g}", value, place, side="left" if value >= base else "right")


def _money(value: float) -> str:
    return f"{value:,.0f}".replace("-", "−")
