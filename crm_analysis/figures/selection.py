"""Selection in figures: the value matrix, what makes the scores of the best customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from crm_analysis.figures import FIRM_COLOURS
from crm_analysis.figures.axes import INK, drawn_on, thousands


def plot_value_matrix(
    table: pd.DataFrame,
    *,
    cut_points: Mapping[str, Sequence[float]],
    unit: str,
    names: tuple[str, str] = ("current value", "potential value"),
    colour: str = FIRM_COLOURS[0],
    ax: Axes | None = None,
) -> Axes:
    """Each customer by current and potential value, the cut points, and the number in each cell.

    An axis with values far beyond the cut points is linear around zero and logarithmic further out, for any
    sign.

    Parameters
    ----------
    table : one row per customer: current, potential, cell ("HL": high current, low potential).
    cut_points : "current" and "potential" -> where the levels part.
    unit : of both values.
    names : what the two values are, for the axes.
    """
    ax = drawn_on(ax)
    ax.scatter(table["current"], table["potential"], s=10, color=colour, alpha=0.35, linewidths=0)
    _scale(ax, table, cut_points)
    for cut in cut_points["current"]:
        ax.axvline(cut, color=INK, linewidth=0.8)
    for cut in cut_points["potential"]:
        ax.axhline(cut, color=INK, linewidth=0.8)
    for cell, n in table["cell"].value_counts().sort_index().items():
        x, y = _corner(str(cell))
        share = n / len(table)
        ax.text(
            *(x, y, f"{cell}: {n:,} ({share:.0%})"),
            transform=ax.transAxes,
            ha=_align(x, "left", "right"),
            va=_align(y, "bottom", "top"),
            bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0},
        )
    for each in (ax.xaxis, ax.yaxis):
        each.set_major_formatter(FuncFormatter(thousands))
    ax.set(xlabel=f"{names[0]} ({unit})", ylabel=f"{names[1]} ({unit})")
    return ax


def plot_contributions(contributions: pd.DataFrame, *, top: int = 15, ax: Axes | None = None) -> Axes:
    """Scores of the best customers as stacked bars: what each criterion contributes.

    Parameters
    ----------
    contributions : index customer_id, one column per criterion, in points; a row adds up to the score.
    top : number of customers drawn, the best on top; equal scores in the order of the index.
    """
    ax = drawn_on(ax)
    scores = contributions.sum(axis="columns").round(9)
    best = scores.sort_index().sort_values(ascending=False, kind="stable").index[:top]
    shown = contributions.loc[best]
    places, left = np.arange(len(shown)), np.zeros(len(shown))
    colours = plt.get_cmap("tab20c")(np.linspace(0, 0.75, shown.shape[1]))
    for colour, criterion in zip(colours, shown, strict=True):
        points = shown[criterion].to_numpy(float)
        ax.barh(places, points, 0.75, left, color=colour, label=str(criterion).replace("_", " "))
        left = left + points
    for place, score in zip(places, left, strict=True):
        ax.annotate(
            f"{score:.0f}", (score, place), (4, 0), textcoords="offset points", va="center", fontsize=9
        )
    ax.set_yticks(places, [str(name) for name in shown.index])
    ax.invert_yaxis()
    ax.set(xlabel="score (points of 100)", xlim=(0, 108))
    ax.grid(visible=False, axis="y")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def _scale(ax: Axes, table: pd.DataFrame, cut_points: Mapping[str, Sequence[float]]) -> None:
    for axis, set_scale in (("current", ax.set_xscale), ("potential", ax.set_yscale)):
        size = max((abs(cut) for cut in cut_points[axis]), default=0.0)
        if size > 0 and table[axis].abs().max() > 10 * size:
            # Just above a power of ten: otherwise the one below is marked too, on top of the zero.
            set_scale("symlog", linthresh=1.001 * 10.0 ** round(np.log10(size)))


def _corner(cell: str) -> tuple[float, float]:
    """Place of a cell's text: current value to the right, potential value upward."""
    place = {"L": 0.02, "M": 0.5, "H": 0.98}
    return place[cell[0]], place[cell[1]]


def _align(place: float, low: str, high: str) -> str:
    return low if place < 0.3 else high if place > 0.7 else "center"
