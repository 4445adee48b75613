"""What every figure draws on and writes with."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter

INK = "0.2"
# Below so many customers a figure is grey: it may be chance.
FEW = 30


def drawn_on(ax: Axes | None) -> Axes:
    """Return the Axes that were given, or new ones."""
    return ax if ax is not None else plt.subplots(layout="constrained")[1]


def say(ax: Axes, words: str) -> Axes:
    """Write words in the middle of an Axes that has nothing to show."""
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", color=INK)
    ax.set_axis_off()
    return ax


def months_below(ax: Axes, *, at_most: int = 6) -> None:
    """Label a time axis with months as numbers, which are the same in every language."""
    ax.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=at_most))
    ax.xaxis.set_major_formatter(DateFormatter("%Y-%m"))


def thousands(value: float, _: object) -> str:
    """Format a tick with separators and a real minus sign."""
    return f"{value:,.10g}".replace("-", "−")
