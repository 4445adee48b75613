"""Models of purchases in figures: what they fit, and what they say of every history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from crm_analysis.figures import FIRM_COLOURS, GREY
from crm_analysis.figures.axes import FEW, INK, drawn_on, months_below, say, thousands

CHANCE: dict[str, Any] = {"cmap": "Blues", "vmin": 0, "vmax": 1}
LEVELS = 7  # of an iso-value picture, at most


def plot_tracking(
    table: pd.DataFrame, *, fitted_until: date | str | None = None, axes: Sequence[Axes] | None = None
) -> tuple[Axes, Axes]:
    """Repeat purchases over time, actual against expected: per step, and added up.

    Parameters
    ----------
    table : index, last day of each step; actual, expected, actual_cumulative, expected_cumulative.
    fitted_until : last day that the model was fitted to, if it saw only the beginning: a line is drawn there.
    axes : two, drawn on if given.

    Returns
    -------
    The two Axes, both on one figure.
    """
    left, right = _two(axes, height=3.6)
    if table.empty:
        return _nothing((left, right), "no whole step was observed")
    for ax, suffix in ((left, ""), (right, "_cumulative")):
        ax.plot(table.index, table[f"actual{suffix}"], color=GREY, linewidth=2.6, label="what happened")
        ax.plot(
            table.index, table[f"expected{suffix}"], color=FIRM_COLOURS[0], linewidth=1.5, label="expected"
        )
        if fitted_until is not None:
            ax.axvline(
                date2num(pd.Timestamp(fitted_until)), color=FIRM_COLOURS[1], linestyle="--", linewidth=1.2,
                label="fitted up to here",
            )  # fmt: skip
        months_below(ax)
        ax.set_ylim(bottom=0)
        ax.yaxis.set_major_formatter(FuncFormatter(thousands))
    left.set(ylabel=f"repeat purchases per {_step(table.index)}")
    right.set(ylabel="repeat purchases since the beginning")
    left.figure.legend(
        *right.get_legend_handles_labels(), loc="outside upper left", ncols=3, frameon=False, fontsize=9
    )
    return left, right


def plot_frequency_fit(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Customers by number of repeat purchases: as they are, beside what the model expects of as many.

    Parameters
    ----------
    table : index n_repeat as text; actual, expected. Bars of fewer than 30 customers are pale.
    """
    ax = drawn_on(ax)
    places = np.arange(len(table))
    for name, label, colour, side in (
        ("actual", "what happened", GREY, -1), ("expected", "expected", FIRM_COLOURS[0], 1)
    ):  # fmt: skip
        bars = ax.bar(places + 0.2 * side, table[name], 0.38, color=colour, label=label)
        for bar, n in zip(bars, table["actual"], strict=True):
            bar.set_alpha(0.45 if n < FEW else 1.0)
            # A little outwards, so that the long numbers of a pair do not run into each other.
            ax.annotate(
                f"{bar.get_height():,.0f}", (bar.get_x() + 0.19, bar.get_height()), (3 * side, 2),
                textcoords="offset points", ha="center", fontsize=8, color=INK,
            )  # fmt: skip
    ax.set_xticks(places, [str(n) for n in table.index])
    ax.yaxis.set_major_formatter(FuncFormatter(thousands))
    ax.set(xlabel="repeat purchases", ylabel="customers")
    ax.margins(y=0.1)
    ax.grid(visible=False, axis="x")
    ax.legend(loc="upper right")
    return ax


def plot_alive_map(
    table: pd.DataFrame, *, horizon: str = "12 months", axes: Sequence[Axes] | None = None
) -> tuple[Axes, Axes]:
    """P(still a customer) and P(buys within the horizon) of every history, and where the customers are.

    Parameters
    ----------
    table : one row per cell: n_repeat, days_since_last, p_alive, p_buy, n_customers.
    horizon : of p_buy, as it is written on the figure.
    axes : two, drawn on if given.
    """
    pair = _two(axes, height=4.2)
    if table.empty:
        return _nothing(pair, "no history to show")
    names = {"p_alive": "still a customer", "p_buy": f"buys within {horizon}"}
    for ax, (column, name) in zip(pair, names.items(), strict=True):
        x, y, grid = _grid(table, column)
        image = ax.pcolormesh(_edges(x), _edges(y), grid, **CHANCE, rasterized=True)
        # Who never came back is of another age than the rest, so no line joins them.
        _half(ax, x, y[y > 0], grid[y > 0])
        _customers(ax, table)
        ax.set_title(name, loc="left", fontsize=9.5, fontweight="normal", pad=5)
        _historydrawn_on(ax)
    pair[1].set(ylabel="")
    bar = pair[0].figure.colorbar(image, ax=list(pair), label="probability")
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    pair[0].figure.legend(
        *pair[0].get_legend_handles_labels(), loc="outside upper left", frameon=False, fontsize=9
    )
    return pair


def plot_value_map(table: pd.DataFrame, *, unit: str = "purchase days", ax: Axes | None = None) -> Axes:
    """Histories of equal value as lines; above the dashed line more purchases mean less value.

    Parameters
    ----------
    table : one row per cell: n_repeat, days_since_last, value, n_customers.
    unit : of the value.
    """
    ax = ax if ax is not None else plt.subplots(figsize=(8, 4.8), layout="constrained")[1]
    if table.empty or table["n_repeat"].nunique() < 2 or table["days_since_last"].nunique() < 2:
        say(ax, "too few histories for lines of equal value")
        return ax
    x, y, grid = _grid(table, "value")
    _customers(ax, table)
    levels = _round_levels(grid)
    if len(levels):
        colours = plt.get_cmap("Blues")(np.linspace(0.5, 1.0, len(levels)))
        lines = ax.contour(x, y, grid, levels=levels, colors=colours, linewidths=1.6)
        longest = [max(segments, key=len) for segments in lines.allsegs if segments]
        places = [tuple(line[len(line) // 2]) for line in longest]
        ax.clabel(lines, fmt=lambda value: f"{value:,.10g}", fontsize=9, colors=INK, manual=places)
    ax.plot([], [], color=plt.get_cmap("Blues")(0.75), linewidth=1.6, label=f"equal value ({unit})")
    _best(ax, x, y, grid)
    _historydrawn_on(ax)
    ax.set(xlim=(0, x[-1]), ylim=(y[0] - 0.5, y[-1] + 0.5))
    tight = {"ncols": 3, "columnspacing": 1.0, "handlelength": 1.5, "fontsize": 8.5}
    ax.legend(loc="lower left", bbox_to_anchor=(-0.05, 1.0), **tight)
    return ax


def _two(axes: Sequence[Axes] | None, *, height: float) -> tuple[Axes, Axes]:
    if axes is None:
        axes = plt.subplots(1, 2, figsize=(8, height), layout="constrained")[1]
    left, right = axes
    return left, right


def _nothing(axes: tuple[Axes, Axes], words: str) -> tuple[Axes, Axes]:
    for ax in axes:
        say(ax, words)
    return axes


def _step(dates: pd.Index) -> str:
    days = (dates[1] - dates[0]).days if len(dates) > 1 else 7
    return "week" if days == 7 else f"{days} days"


def _grid(table: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Days since the last purchase, repeat purchases, and the column over both; unknown cells are NaN."""
    wide = table.pivot_table(index="n_repeat", columns="days_since_last", values=column)
    return wide.columns.to_numpy(float), wide.index.to_numpy(float), wide.to_numpy(float)


def _edges(middles: np.ndarray) -> np.ndarray:
    half = np.diff(middles) / 2 if len(middles) > 1 else np.array([0.5])
    inner = middles[:-1] + half[: len(middles) - 1]
    return np.concatenate([[middles[0] - half[0]], inner, [middles[-1] + half[-1]]])


def _customers(ax: Axes, table: pd.DataFrame) -> None:
    """Mark the cells in which the base has customers, by dots that grow with their number."""
    filled = table[table["n_customers"] > 0]
    if filled.empty:
        return
    most = filled["n_customers"].max()
    ax.scatter(
        filled["days_since_last"], filled["n_repeat"], 1 + 49 * filled["n_customers"] / most,
        color=FIRM_COLOURS[1], linewidths=0, alpha=0.75, zorder=1.5,
        label=f"customers of the base (largest dot: {most:,})",
    )  # fmt: skip


def _half(ax: Axes, x: np.ndarray, y: np.ndarray, grid: np.ndarray) -> None:
    """Line at an even chance, where the histories lie on both sides of it."""
    if min(grid.shape) > 1 and np.nanmin(grid) < 0.5 < np.nanmax(grid):
        line = ax.contour(x, y, grid, levels=[0.5], colors=INK, linewidths=1)
        ax.clabel(line, fmt={0.5: "50%"}, fontsize=9)


def _best(ax: Axes, x: np.ndarray, y: np.ndarray, grid: np.ndarray) -> None:
    """Line where one more purchase adds nothing to the value, if it ever takes any away."""
    slope = np.gradient(grid, y, axis=0)
    if np.nanmin(slope) < 0 < np.nanmax(slope):
        ax.contour(x, y, slope, levels=[0], colors=INK, linestyles="--", linewidths=1.3)
        ax.plot([], [], color=INK, linestyle="--", linewidth=1.3, label="worth most after so many days")


def _historydrawn_on(ax: Axes) -> None:
    ax.set(xlabel="days since the last purchase", ylabel="repeat purchases")
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.xaxis.set_major_formatter(FuncFormatter(thousands))
    ax.grid(visible=False)


def _round_levels(grid: np.ndarray) -> np.ndarray:
    """1, 2, 5, 10, .. between the lowest and the highest value, a few; even steps if there are none."""
    low, high = float(np.nanmin(grid)), float(np.nanmax(grid))
    tens = 10.0 ** np.arange(-4, np.ceil(np.log10(high)) + 1) if high > 0 else np.array([])
    rounds = np.sort(np.outer(tens, [1, 2, 5]).ravel())
    for levels in (rounds, MaxNLocator(5).tick_values(low, high)):
        inside: np.ndarray = np.asarray(levels)
        inside = inside[(inside > low) & (inside < high)]
        if len(inside) >= 3:
            break
    return inside[-LEVELS:]
