"""RFM in figures: where the customers are, which segments bring the money, who moved."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from crm_analysis.figures import FIRM_COLOURS, GREY
from crm_analysis.figures.axes import FEW, INK, drawn_on

_MONEY = {"share_of_amount": "revenue", "share_of_profit": "profit"}
_HEAT: dict[str, Any] = {"cmap": "Blues", "aspect": "auto", "vmin": 0}


def plot_score_cells(
    cells: pd.DataFrame, *, value: str = "n_customers", unit: str = "customers", ax: Axes | None = None
) -> Axes:
    """Heat map of R against F with the number in each cell; empty cells are blank.

    Parameters
    ----------
    cells : one row per cell: r, f, n_customers and the `value` column.
    value : the column shown. A mean over fewer than 30 customers is grey: it says little.
    unit : what the numbers are, for the label of the colour bar.
    """
    ax = drawn_on(ax)
    grid, counts = (
        cells.pivot_table(index="f", columns="r", values=c, dropna=False) for c in (value, "n_customers")
    )
    shown = grid.where(counts > 0).to_numpy(float)
    few = ((counts < FEW) & (value != "n_customers")).to_numpy()
    image = ax.imshow(np.ma.masked_invalid(np.where(few, np.nan, shown)), **_HEAT, origin="lower")
    limit = 0.6 * image.get_clim()[1]
    for (i, j), number in np.ndenumerate(shown):
        if np.isfinite(number):
            colour = GREY if few[i, j] else "white" if number > limit else INK
            ax.text(j, i, f"{number:,.0f}", ha="center", va="center", color=colour, fontsize=9)
    ax.set_xticks(range(grid.shape[1]), [str(r) for r in grid.columns])
    ax.set_yticks(range(grid.shape[0]), [str(f) for f in grid.index])
    best = grid.shape[1]
    ax.set(xlabel=f"R score ({best}: bought lately)", ylabel=f"F score ({best}: many orders)")
    ax.grid(visible=False)
    ax.figure.colorbar(image, ax=ax, label=unit)
    return ax


def plot_segments(segments: pd.DataFrame, *, share: str = "share_of_amount", ax: Axes | None = None) -> Axes:
    """Share of the customers against share of the money, per segment.

    Parameters
    ----------
    segments : index segment; n_customers, share_of_customers and the `share` column; the first row on top.
    share : share_of_amount or share_of_profit.
    """
    ax = drawn_on(ax)
    money = _MONEY[share]
    y = np.arange(len(segments))
    ax.barh(y - 0.2, segments["share_of_customers"], 0.38, color=GREY, label="of customers")
    ax.barh(y + 0.2, segments[share], 0.38, color=FIRM_COLOURS[0], label=f"of {money}")
    names = [f"{name} ({n:,})" for name, n in segments["n_customers"].items()]
    ax.set_yticks(y, names)
    ax.invert_yaxis()
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set(xlabel=f"share of all customers (n in brackets) and of all {money}")
    ax.grid(visible=False, axis="y")
    ax.legend(loc="lower right")
    return ax


def plot_migration(moves: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Where the customers of each segment went: counts, coloured by their share of the row.

    Parameters
    ----------
    moves : counts; index segment before (and "new"), columns segment after (and "left").
    """
    ax = ax if ax is not None else plt.subplots(figsize=(8, 5), layout="constrained")[1]
    totals = moves.sum(axis="columns")
    counts = moves.to_numpy()
    shares = counts / np.where(totals > 0, totals, 1).reshape(-1, 1)
    image = ax.imshow(np.ma.masked_equal(shares, 0), **_HEAT, vmax=1)
    for (i, j), n in np.ndenumerate(counts):
        if n:
            colour = "white" if shares[i, j] > 0.6 else INK
            ax.text(j, i, f"{n:,}", ha="center", va="center", color=colour, fontsize=8)
    ax.set_xticks(range(moves.shape[1]), [str(c) for c in moves.columns], rotation=40, ha="right")
    ax.set_yticks(range(moves.shape[0]), [f"{name} ({n:,})" for name, n in totals.items()])
    ax.set(xlabel="segment after (customers)", ylabel="segment before (customers)")
    ax.grid(visible=False)
    bar = ax.figure.colorbar(image, ax=ax, label="share of the segment before")
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    return ax
