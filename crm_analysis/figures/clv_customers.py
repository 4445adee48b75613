"""Single customers in figures: what the numbers of a history are, and how a model reads it day by day."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.ticker import PercentFormatter

from crm_analysis.figures import FIRM_COLOURS, GREY
from crm_analysis.figures.axes import INK, months_below, say

_Span = tuple[float, float]  # days, as the axis counts them
_BLUE, _ORANGE = FIRM_COLOURS[0], FIRM_COLOURS[1]


def plot_timelines(
    examples: pd.DataFrame, days: pd.Series, *, horizon: str = "12 months", ax: Axes | None = None
) -> Axes:
    """A few customers from the first purchase to the end of observation, with the numbers a model sees.

    Parameters
    ----------
    examples : index customer_id; pattern, first_at, n_repeat, t_last, t_observed; where known p_alive, p_buy.
    days : dates of purchases, index customer_id.
    horizon : of p_buy, as it is written on the figure.
    """
    size = (8, 0.9 + 1.15 * max(len(examples), 1))
    ax = ax if ax is not None else plt.subplots(figsize=size, layout="constrained")[1]
    if examples.empty:
        return say(ax, "no customer to show")
    first = date2num(examples["first_at"])
    whole = float(first.min()), float((first + examples["t_observed"]).max())
    for place, (customer, row) in enumerate(examples.iterrows()):
        _timeline(ax, place, row, days[days.index == customer], whole)
        ax.annotate(
            _numbers(row, horizon), (0, place), (4, 11), xycoords=("axes fraction", "data"),
            textcoords="offset points", fontsize=9, color=INK,
        )  # fmt: skip
    names = [f"{row['pattern']}\n{customer}" for customer, row in examples.iterrows()]
    ax.set_yticks(range(len(examples)), names)
    ax.set(ylim=(len(examples) - 0.3, -0.45))
    ax.margins(x=0.02)
    months_below(ax, at_most=7)
    ax.grid(visible=False)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    handles, labels = ax.get_legend_handles_labels()
    kinds = dict(zip(labels, handles, strict=True))
    ax.legend(kinds.values(), kinds.keys(), loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=4)
    return ax


def plot_customer_history(
    history: pd.DataFrame, *, horizon: str = "12 months", ax: Axes | None = None
) -> Axes:
    """What a model would have said of one customer on every day, with the days of purchase.

    Parameters
    ----------
    history : index date; bought (bool), p_alive, p_buy.
    horizon : of p_buy, as it is written on the figure.
    """
    ax = ax if ax is not None else plt.subplots(figsize=(8, 3.4), layout="constrained")[1]
    if history.empty:
        return say(ax, "no customer to show")
    days = history.index[history["bought"]]
    ax.vlines(days, 0, 1, color=GREY, linewidth=0.8, label="purchase", zorder=1)
    ax.plot(history.index, history["p_alive"], color=_BLUE, label="still a customer")
    ax.plot(history.index, history["p_buy"], color=_ORANGE, linestyle="--", label=f"buys within {horizon}")
    last = history.iloc[-1]
    apart = 7 if abs(last["p_alive"] - last["p_buy"]) < 0.07 else 0
    for column, colour in (("p_alive", _BLUE), ("p_buy", _ORANGE)):
        up = 1 if last[column] == max(last["p_alive"], last["p_buy"]) and column == "p_alive" else -1
        ax.annotate(
            f"{last[column]:.0%}", (history.index[-1], last[column]), (5, up * apart),
            textcoords="offset points", va="center", color=colour, fontsize=9, annotation_clip=False,
        )  # fmt: skip
    ax.set(ylim=(0, 1.02), ylabel="probability, as of each day")
    ax.margins(x=0.02)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    months_below(ax, at_most=7)
    ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3)
    return ax


def _timeline(ax: Axes, place: int, row: pd.Series, days: pd.Series, whole: _Span) -> None:
    first = float(date2num(row["first_at"]))
    last, end = first + row["t_last"], first + row["t_observed"]
    ax.plot([first, end], [place, place], color=GREY, linewidth=1.2, zorder=1)
    ax.plot([first], [place], "o", color=_BLUE, markerfacecolor="white", markersize=7, label="first purchase")
    bought = date2num(days)
    repeats = bought[(bought > first) & (bought < last)]
    ax.plot(repeats, [place] * len(repeats), "o", color=_BLUE, markersize=5, label="repeat purchase")
    if last > first:
        ax.plot([last], [place], "D", color=_ORANGE, markersize=6.5, label="last purchase")
        _span(ax, place + 0.22, (first, last), f"t_last {row['t_last']:,} days", _ORANGE, whole)
    ax.plot([end], [place], "|", color=INK, markersize=14, markeredgewidth=1.6, label="end of observation")
    lower = place + (0.44 if last > first else 0.22)
    _span(ax, lower, (first, end), f"t_observed {row['t_observed']:,} days", INK, whole)


def _span(ax: Axes, y: float, span: _Span, words: str, colour: str, whole: _Span) -> None:
    """Arrow over a length of time; its words on it, or beside it where it is short."""
    first, last = span
    arrow = {"arrowstyle": "<->", "color": colour, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (last, y), (first, y), arrowprops=arrow)
    where, side, away = (first + last) / 2, "center", 0
    if last - first < 0.3 * (whole[1] - whole[0]):
        where, side, away = (first, "right", -5) if where > sum(whole) / 2 else (last, "left", 5)
    ax.annotate(
        words, (where, y), (away, 0), textcoords="offset points", ha=side, va="center", fontsize=8.5,
        color=colour, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )  # fmt: skip


def _numbers(row: pd.Series, horizon: str) -> str:
    words = f"n_repeat {row['n_repeat']:,}"
    if pd.notna(row.get("p_alive")):
        words += f"   still a customer: {row['p_alive']:.0%}"
    if pd.notna(row.get("p_buy")):
        words += f"   buys within {horizon}: {row['p_buy']:.0%}"
    return words
