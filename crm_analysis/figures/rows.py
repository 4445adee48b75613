"""Rows with their names above them instead of beside them, so that a figure can be as narrow as a phone."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.transforms import blended_transform_factory

from crm_analysis.figures.axes import INK

# Two of them beside each other fill the column of a page; one fills the screen of a phone.
HALF = 4.1
SOFT = "0.45"


def half(n_rows: int | None = None) -> Axes:
    """Return new Axes half as wide as a page, as high as so many rows need."""
    height = 3.3 if n_rows is None else 0.8 + 0.5 * n_rows
    return plt.subplots(figsize=(HALF, height), layout="constrained")[1]


def name_rows(
    ax: Axes, names: Sequence[str], *, notes: Sequence[str] | None = None, bold: Sequence[bool] = ()
) -> None:
    """Write the names of rows 0, 1, ... above them at the left, and notes at the right; the first on top.

    Parameters
    ----------
    names, notes : one each per row.
    bold : whether a row's note is what stands out; the other notes are grey.
    """
    across = blended_transform_factory(ax.transAxes, ax.transData)
    for place, name in enumerate(names):
        ax.text(0, place - 0.44, name, transform=across, va="top", fontsize=9, color=INK)
    for place, note in enumerate(notes or []):
        seen = not bold or bold[place]
        colour, weight = (INK if seen else SOFT), ("bold" if bold and seen else "normal")
        top = place - 0.44
        ax.text(
            1, top, note, transform=across, va="top", ha="right", fontsize=8.5, color=colour, weight=weight
        )
    ax.set_yticks([])
    ax.set_ylim(len(names) - 0.45, -0.55)
    ax.spines["left"].set_visible(False)
    for place in range(1, len(names)):
        ax.axhline(place - 0.5, color="0.9", linewidth=0.8, zorder=0)
