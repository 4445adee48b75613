"""The year in figures: how strong each month is, and what is expected month by month."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from crm_analysis.figures import FIRM_COLOURS, GREY
from crm_analysis.figures.axes import INK


def plot_season(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """How strong each month is, an average day being 1, with the range in which its index may lie.

    Parameters
    ----------
    table : index month (1 to 12); index, low, high (missing: no range is drawn).
    """
    ax = _wide(ax)
    places = np.arange(len(table))
    ax.axhline(1, color=GREY, linewidth=1)
    ax.bar(places, table["index"] - 1, 0.7, bottom=1, color=FIRM_COLOURS[0], alpha=0.55)
    ax.vlines(places, table["low"], table["high"], color=INK, linewidth=1.4)
    ends = table[["index", "low", "high"]].to_numpy(float)
    least, most = float(np.nanmin(ends)), float(np.nanmax(ends))
    room = 0.12 * (most - least) + 0.01
    for place, (_, row) in enumerate(table.iterrows()):
        known, up = row[["index", "low", "high"]].dropna(), row["index"] >= 1
        ax.annotate(
            f"{row['index']:.2f}", (place, known.max() if up else known.min()), (0, 4 if up else -4),
            textcoords="offset points", ha="center", va="bottom" if up else "top", fontsize=9, color=INK,
        )  # fmt: skip
    ax.set_xticks(places, [str(month) for month in table.index])
    ax.set(xlabel="month", ylabel="index (average day: 1)", ylim=(least - room, most + room))
    ax.grid(visible=False, axis="x")
    return ax


def plot_periods(table: pd.DataFrame, *, unit: str = "purchase days", ax: Axes | None = None) -> Axes:
    """What is expected in each month or quarter, with its range.

    Parameters
    ----------
    table : index, names of the periods; expected, forecast_low, forecast_high.
    unit : of all values.
    """
    ax = _wide(ax)
    places = np.arange(len(table))
    ax.bar(places, table["expected"], 0.7, color=FIRM_COLOURS[1], alpha=0.55, label="expected")
    ax.vlines(places, table["forecast_low"], table["forecast_high"], color=INK, linewidth=1.4, label="range")
    for place, (expected, high) in enumerate(zip(table["expected"], table["forecast_high"], strict=True)):
        ax.annotate(
            f"{expected:,.0f}", (place, high), (0, 4),
            textcoords="offset points", ha="center", fontsize=9, color=INK,
        )  # fmt: skip
    ax.set_xticks(places, [str(name) for name in table.index])
    if len(table) > 8:
        ax.tick_params(axis="x", labelsize=8.5)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    ax.set(ylabel=unit)
    ax.margins(y=0.12)
    ax.grid(visible=False, axis="x")
    ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2)
    return ax


def _wide(ax: Axes | None) -> Axes:
    return ax if ax is not None else plt.subplots(figsize=(8, 3.2), layout="constrained")[1]
