"""Funnels of firms side by side: who reached what, at which rates, where the gap comes from, how soon.

Firms are coloured in the order in which they come. Bars start at 0 and are aligned: a tapered funnel makes
differences look larger than they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter
from matplotlib.transforms import blended_transform_factory

from crm_analysis.figures import FIRM_COLOURS, GREY

AHEAD, BEHIND = "#548235", "#a23b3b"
INK = "0.2"


def plot_reached(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Opportunities that reached each stage, of 1,000 judged, firms side by side.

    Hatched is what is not yet known: younger opportunities seen in the stage, on the same scale.

    Parameters
    ----------
    table : columns firm, stage, n_entered, n_not_yet_known, per_1000, not_yet_known_per_1000.
    """
    ax = _axes(ax)
    firms, stages = list(dict.fromkeys(table["firm"])), list(dict.fromkeys(table["stage"]))
    height = 0.8 / len(firms)
    for i, firm in enumerate(firms):
        rows = table[table["firm"] == firm].set_index("stage").reindex(stages)
        y = np.arange(len(stages)) + (i - (len(firms) - 1) / 2) * height
        young = rows["not_yet_known_per_1000"].to_numpy()
        label = f"{firm} ({rows['n_entered'].iloc[0]:,} judged)"
        ax.barh(y, rows["per_1000"], height * 0.92, color=_colour(i), label=label)
        if young.any():
            ax.barh(y, young, height * 0.92, rows["per_1000"], label=_unknown(firm, rows), **_hatched(i))
        for place, per_1000, end, n in zip(y, rows["per_1000"], young, rows["n_entered"], strict=True):
            text = f" {per_1000:,.0f}" if per_1000 == 1000 else f" {per_1000:,.0f}  (n={n:,})"
            ax.text(per_1000 + end, place, text, va="center", fontsize=8, color=INK)
    ax.set_yticks(range(len(stages)), stages)
    ax.invert_yaxis()
    ax.set(xlabel="reached the stage, of 1,000 opportunities judged", xlim=(0, 1.18 * _longest(table)))
    ax.grid(visible=False, axis="y")
    ax.legend(loc="lower right")
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
    ax = _axes(ax)
    places = np.arange(len(table))
    for i, (firm, name) in enumerate(zip("ab", names, strict=True)):
        rate, low, high = (table[f"{part}_{firm}"].to_numpy(float) for part in ("rate", "low", "high"))
        beside = places + (i - 0.5) * 0.28
        ax.hlines(beside, low, high, color=_colour(i), linewidth=1.6)
        ax.plot(rate, beside, "o", color=_colour(i), markersize=6, label=name)
    right = blended_transform_factory(ax.transAxes, ax.transData)
    for place, text, seen in _beyond_chance(table, level):
        style = ("bold", INK) if seen else ("normal", "0.45")
        ax.text(1.01, place, text, transform=right, va="center", fontsize=8, weight=style[0], color=style[1])
    ax.set_yticks(places, list(table.index))
    ax.set(
        ylim=(len(table) - 0.5, -0.5),
        xlabel=f"went on to the next stage ({level:.0%} interval; * beyond chance, Holm)",
    )
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.grid(visible=False, axis="y")
    ax.legend(loc="best")
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
    ax = _axes(ax)
    drawn = contributions[(contributions[["contribution", "low", "high"]] != 0).any(axis=1)]
    steps = drawn["contribution"].to_numpy(float)
    after = start + steps.cumsum()
    last = len(drawn) + 1
    ax.barh([0, last], [start, end], 0.7, color=[_colour(1), _colour(0)])
    ax.barh(range(1, last), steps, 0.7, after - steps, color=[AHEAD if s >= 0 else BEHIND for s in steps])
    whiskers = np.abs(drawn[["low", "high"]].to_numpy(float).T - steps)
    ax.errorbar(after, range(1, last), xerr=whiskers, fmt="none", ecolor=INK, elinewidth=1, capsize=3)
    links = np.concatenate([[start], after])
    ax.vlines(links, np.arange(last) + 0.35, np.arange(last) + 0.65, color=GREY, linewidth=0.8)
    high = after + np.maximum(drawn["high"].to_numpy(float) - steps, 0)
    digits = 0 if max(start, end) >= 1000 else 1
    texts = [f"{start:,.{digits}f}", *(_signed(step, digits) for step in steps), f"{end:,.{digits}f}"]
    for y, (edge, text) in enumerate(zip([start, *np.maximum(high, after - steps), end], texts, strict=True)):
        ax.annotate(text, (edge, y), (5, 0), textcoords="offset points", va="center", fontsize=9, color=INK)
    ax.set_yticks(range(last + 1), [names[1], *map(str, drawn.index), names[0]])
    lowest = float((after + drawn["low"].to_numpy(float) - steps).min(initial=0.0))
    ax.margins(x=0.14)
    ax.set_xlim(left=1.05 * lowest)
    ax.set(xlabel=unit, ylim=(last + 0.6, -0.6))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    ax.grid(visible=False, axis="y")
    return ax


def plot_won_by_age(curves: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Share won by age with its interval, firms together; open opportunities are open, not lost.

    Parameters
    ----------
    curves : columns firm, age_days, won, won_low, won_high, n_open and n_at_risk; ages with fewer than 10
        opportunities at risk are not drawn, nor is much of the age at which nothing more is won.
    """
    ax = _axes(ax)
    settled = [1.0]
    for i, (firm, rows) in enumerate(curves.groupby("firm", sort=False)):
        drawn, colour = rows[rows["n_at_risk"] >= 10], _colour(i)
        days = drawn["age_days"]
        label = f"{firm} ({rows['n_open'].sum():,} still open)"
        ax.step(days, drawn["won"], where="post", color=colour, label=label)
        ends = drawn["won_low"], drawn["won_high"]
        ax.fill_between(days, *ends, step="post", color=colour, alpha=0.15, linewidth=0)
        if len(drawn):
            settled.append(_settled(days, drawn["won"]))
    ax.set(xlabel="days since the opportunity was created", ylabel="won, of all created")
    ax.set_xlim(0, 1.5 * max(settled))
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0 if ax.get_ylim()[1] > 0.04 else 1))
    ax.legend(loc="lower right")
    return ax


def _axes(ax: Axes | None) -> Axes:
    return ax if ax is not None else plt.subplots(layout="constrained")[1]


def _colour(i: int) -> str:
    return FIRM_COLOURS[i % len(FIRM_COLOURS)]


def _beyond_chance(table: pd.DataFrame, level: float) -> list[tuple[float, str, bool]]:
    """Place, text and verdict of each transition's difference."""
    texts = []
    columns = table[["difference", "p_holm", "smallest_visible"]].to_numpy(float)
    for place, (difference, p, visible) in enumerate(columns):
        seen = bool(p < 1 - level)
        not_seen = f"no difference seen;\n≥ {100 * visible:.1f} points\nwould have been"
        texts.append((float(place), f"{100 * difference:+.1f} points *" if seen else not_seen, seen))
    return texts


def _unknown(firm: str, rows: pd.DataFrame) -> str:
    return f"{firm}: not yet known ({rows['n_not_yet_known'].iloc[0]:,})"


def _hatched(i: int) -> dict[str, Any]:
    return {"facecolor": "white", "edgecolor": _colour(i), "hatch": "////", "linewidth": 0.6}


def _longest(table: pd.DataFrame) -> float:
    return float((table["per_1000"] + table["not_yet_known_per_1000"]).max())


def _settled(days: pd.Series, won: pd.Series) -> float:
    """Age at which 99% of the last share is reached."""
    return float(days[won >= 0.99 * won.iloc[-1]].min())


def _signed(value: float, digits: int) -> str:
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{abs(value):,.{digits}f}"
