"""Funnels of firms side by side: who reached what, at which rates, and where the gap comes from.

Firms are coloured in the order in which they come. Bars start at 0 and are aligned: a tapered funnel makes
differences look larger than they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from crm_analysis.figures import FIRM_COLOURS, GREY
from crm_analysis.figures.axes import INK, thousands
from crm_analysis.figures.rows import half, name_rows

AHEAD, BEHIND = "#548235", "#a23b3b"
LONGEST_IN_COLUMN = 26


def plot_reached(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Opportunities that reached each stage, of 1,000 judged, firms side by side.

    Hatched is what is not yet known: younger opportunities seen in the stage, on the same scale.

    Parameters
    ----------
    table : columns firm, stage, n_entered, n_not_yet_known, per_1000, not_yet_known_per_1000.
    """
    firms, stages = list(dict.fromkeys(table["firm"])), list(dict.fromkeys(table["stage"]))
    ax = ax if ax is not None else half(len(stages))
    height = 0.56 / len(firms)
    for i, firm in enumerate(firms):
        rows = table[table["firm"] == firm].set_index("stage").reindex(stages)
        y = np.arange(len(stages)) + 0.14 + (i - (len(firms) - 1) / 2) * height
        young = rows["not_yet_known_per_1000"].to_numpy()
        label = f"{firm} ({rows['n_entered'].iloc[0]:,} judged)"
        ax.barh(y, rows["per_1000"], height * 0.9, color=_colour(i), label=label)
        if young.any():
            ax.barh(y, young, height * 0.9, rows["per_1000"], **_hatched(i))
        for place, per_1000, end, n in zip(y, rows["per_1000"], young, rows["n_entered"], strict=True):
            text = f" {per_1000:,.0f}" if per_1000 == 1000 else f" {per_1000:,.0f}  (n={n:,})"
            ax.text(per_1000 + end, place, text, va="center", fontsize=8, color=INK)
    name_rows(ax, stages)
    if table["n_not_yet_known"].any():
        ax.barh([0], [0], label="hatched: not yet known", **_hatched(0) | {"edgecolor": GREY})
    ax.set(xlabel="reached the stage, of 1,000 judged", xlim=(0, 1.12 * _longest(table)))
    ax.xaxis.set_major_formatter(FuncFormatter(thousands))
    ax.grid(visible=False)
    legend_below(ax)
    return ax


def plot_stage_rates(
    table: pd.DataFrame, *, names: Sequence[str] = ("A", "B"), level: float = 0.95, ax: Axes | None = None
) -> Axes:
    """Conversion of each transition with its interval, two firms; what differs beyond chance is starred.

    A transition that does not differ says how small a difference could have been seen.

    Parameters
    ----------
    table : index transition; rate_a, low_a, high_a, rate_b, low_b, high_b, difference, p_holm,
        smallest_visible.
    names : of firms a and b.
    level : below 1 - level, the adjusted p earns a star.
    """
    ax = ax if ax is not None else half(len(table))
    places = np.arange(len(table)) + 0.16
    for i, (firm, name) in enumerate(zip("ab", names, strict=True)):
        rate, low, high = (table[f"{part}_{firm}"].to_numpy(float) for part in ("rate", "low", "high"))
        beside = places + (i - 0.5) * 0.26
        ax.hlines(beside, low, high, color=_colour(i), linewidth=1.6)
        ax.plot(rate, beside, "o", color=_colour(i), markersize=5.5, label=name)
    texts, seen = _beyond_chance(table, level)
    name_rows(ax, list(map(str, table.index)), notes=texts, bold=seen)
    ax.set(xlabel=f"went on, of those before ({level:.0%} interval; * Holm)")
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.grid(visible=False, axis="y")
    legend_below(ax)
    return ax


def plot_waterfall(
    contributions: pd.DataFrame,
    *,
    start: float,
    end: float,
    names: Sequence[str] = ("A", "B"),
    unit: str = "wins",
    ax: Axes | None = None,
) -> Axes:
    """From firm b's result to firm a's, one bar per contribution with its interval.

    Parameters
    ----------
    contributions : index transition, in drawing order; contribution, low, high, in `unit`. A row that is
        fixed at 0 is not drawn.
    start, end : results of b and of a.
    names : of firms a and b.
    unit : of all values.
    """
    drawn = contributions[(contributions[["contribution", "low", "high"]] != 0).any(axis=1)]
    ax = ax if ax is not None else half(len(drawn) + 2)
    steps = drawn["contribution"].to_numpy(float)
    after = start + steps.cumsum()
    last = len(drawn) + 1
    places = np.arange(last + 1) + 0.16
    ax.barh(places[[0, last]], [start, end], 0.4, color=[_colour(1), _colour(0)])
    colours = [AHEAD if step >= 0 else BEHIND for step in steps]
    ax.barh(places[1:last], steps, 0.4, after - steps, color=colours)
    whiskers = np.abs(drawn[["low", "high"]].to_numpy(float).T - steps)
    ax.errorbar(after, places[1:last], xerr=whiskers, fmt="none", ecolor=INK, elinewidth=1, capsize=3)
    links = np.concatenate([[start], after])
    ax.vlines(links, places[:-1] + 0.2, places[1:] - 0.2, color=GREY, linewidth=0.8, zorder=0.5)
    digits = 0 if max(start, end) >= 1000 else 1
    notes = [f"{start:,.{digits}f}", *(_signed(step, digits) for step in steps), f"{end:,.{digits}f}"]
    name_rows(ax, [names[1], *map(str, drawn.index), names[0]], notes=notes)
    lowest = float((after + drawn["low"].to_numpy(float) - steps).min(initial=0.0))
    highest = float(np.max([start, end, *after, *(after + whiskers[1])]))
    # Room at the right, so that no bar runs under the numbers.
    ax.set_xlim(1.05 * lowest, lowest + (highest - lowest) / 0.84)
    ax.set(xlabel=unit)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.xaxis.set_major_formatter(FuncFormatter(thousands))
    ax.grid(visible=False, axis="y")
    return ax


def plot_segments(
    table: pd.DataFrame, *, names: Sequence[str] = ("A", "B"), level: float = 0.95, ax: Axes | None = None
) -> Axes:
    """Share won in each segment with its interval, two firms; a dot is as large as the segment's share.

    Parameters
    ----------
    table : index segment; share_a, rate_a, low_a, high_a and the same for b: the segment's share of the
        firm's opportunities, and what is won of it.
    """
    ax = ax if ax is not None else half(len(table))
    places = np.arange(len(table)) + 0.16
    for i, (firm, name) in enumerate(zip("ab", names, strict=True)):
        rate, low, high = (table[f"{part}_{firm}"].to_numpy(float) for part in ("rate", "low", "high"))
        beside = places + (i - 0.5) * 0.26
        ax.hlines(beside, low, high, color=_colour(i), linewidth=1.6)
        sizes = 12 + 160 * table[f"share_{firm}"].fillna(0).to_numpy(float)
        ax.scatter(rate, beside, sizes, color=_colour(i), label=name, zorder=2)
    shares = table[["share_a", "share_b"]].fillna(0.0)
    notes = [f"{a:.0%} / {b:.0%}" for a, b in shares.to_numpy(float)]
    name_rows(ax, list(map(str, table.index)), notes=notes)
    ax.set(xlabel=f"won, of those judged ({level:.0%} interval)")
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.grid(visible=False, axis="y")
    legend_below(ax)
    return ax


def legend_below(ax: Axes) -> None:
    """Put the legend under the axis: beside the data there is no room on a phone."""
    handles, labels = ax.get_legend_handles_labels()
    columns = 2 if max(map(len, labels)) <= LONGEST_IN_COLUMN else 1
    figure = ax.get_figure()
    assert figure is not None
    figure.legend(  # type: ignore[union-attr]
        handles, labels, loc="outside lower left", ncols=columns, fontsize=8.5, handlelength=1.4
    )


def _colour(i: int) -> str:
    return FIRM_COLOURS[i % len(FIRM_COLOURS)]


def _beyond_chance(table: pd.DataFrame, level: float) -> tuple[list[str], list[bool]]:
    """Text and verdict of each transition's difference."""
    columns = table[["difference", "p_holm", "smallest_visible"]].to_numpy(float)
    seen = [bool(p < 1 - level) for p in columns[:, 1]]
    texts = [
        f"{_signed(100 * difference, 1)} points *"
        if beyond
        else f"could only have seen ≥ {100 * visible:.1f} points"
        for (difference, _, visible), beyond in zip(columns, seen, strict=True)
    ]
    return texts, seen


def _hatched(i: int) -> dict[str, Any]:
    return {"facecolor": "white", "edgecolor": _colour(i), "hatch": "////", "linewidth": 0.6}


def _longest(table: pd.DataFrame) -> float:
    return float((table["per_1000"] + table["not_yet_known_per_1000"]).max())


def _signed(value: float, digits: int) -> str:
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{abs(value):,.{digits}f}"
