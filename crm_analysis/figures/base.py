"""The customer base in figures: periods, the bridge, the whale curve."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from crm_analysis.figures import FIRM_COLOURS, GREY
from crm_analysis.figures.axes import INK, drawn_on, thousands

MORE, LESS = "#548235", "#a23b3b"


def plot_history(
    history: pd.DataFrame,
    *,
    measure: str = "revenue",
    unit: str,
    mark: str | None = None,
    colour: str = FIRM_COLOURS[0],
    ax: Axes | None = None,
) -> Axes:
    """One bar per period; periods that were not observed from end to end are hatched.

    Parameters
    ----------
    history : index label, in order of time; complete (bool) and the `measure` column; missing is no bar.
    unit : of the measure, for the axis.
    mark : the period reported on, drawn in full colour; the others are paler.
    """
    ax = drawn_on(ax)
    places = np.arange(len(history))
    bars = ax.bar(places, history[measure].fillna(0), 0.8, color=colour)
    for bar, label, complete in zip(bars, history.index, history["complete"], strict=True):
        if mark is not None and label != mark:
            bar.set_alpha(0.55)
        if not complete:
            bar.set(facecolor="white", edgecolor=colour, hatch="////", linewidth=0.6)
    if not history["complete"].all():
        ax.bar([0], [0], color="white", edgecolor=colour, hatch="////", label="not observed whole")
        ax.legend(loc="best")
    _label_periods(ax, [str(label) for label in history.index])
    ax.yaxis.set_major_formatter(FuncFormatter(thousands))
    ax.set(ylabel=f"{measure.replace('_', ' ')} ({unit})", xlim=(-0.7, len(history) - 0.3))
    ax.grid(visible=False, axis="x")
    return ax


def plot_bridge(flow: pd.DataFrame, *, measure: str = "revenue", unit: str, ax: Axes | None = None) -> Axes:
    """Waterfall from the opening to the closing row, one bar per step between them.

    Parameters
    ----------
    flow : index step, first row opening, last row closing; the `measure` column. The steps add up.
    unit : of the measure, for the axis.
    """
    ax = drawn_on(ax)
    values = flow[measure].to_numpy(float)
    steps = values[1:-1]
    reached = values[0] + steps.cumsum()
    last = len(values) - 1
    ax.barh([0, last], [values[0], values[-1]], 0.7, color=FIRM_COLOURS[0])
    colours = [MORE if step >= 0 else LESS for step in steps]
    ax.barh(range(1, last), steps, 0.7, reached - steps, color=colours)
    links = np.concatenate([values[:1], reached])
    ax.vlines(links, np.arange(last) + 0.35, np.arange(last) + 0.65, color=GREY, linewidth=0.8)
    edges = [values[0], *np.maximum(reached, reached - steps), values[-1]]
    texts = [f"{values[0]:,.0f}", *(_signed(step) for step in steps), f"{values[-1]:,.0f}"]
    _write(ax, edges, texts)
    ax.set_yticks(range(last + 1), [str(step) for step in flow.index])
    ax.invert_yaxis()
    ax.set(xlabel=f"{measure.replace('_', ' ')} ({unit})")
    return _finish_bars(ax)


def plot_whale_curve(
    curve: pd.DataFrame,
    *,
    top: float = 0.2,
    bottom: float = 0.3,
    colour: str = FIRM_COLOURS[0],
    ax: Axes | None = None,
) -> Axes:
    """Cumulative profit over the customers, the best first, with the 80/20/30 reading at both ends.

    Parameters
    ----------
    curve : one row per customer, best first: share_of_customers, share_of_total.
    top, bottom : the shares of customers at which the curve is read.
    """
    ax = drawn_on(ax)
    x = np.concatenate([[0.0], curve["share_of_customers"]])
    y = np.concatenate([[0.0], curve["share_of_total"]])
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=1, label="all customers alike")
    ax.plot(x, y, color=colour, label="customers, most profitable first")
    # Rounded up to whole customers at both ends, as the rule counts them.
    n = len(curve)
    ends = {
        f"best {top:.0%}": (int(np.ceil(round(top * n, 9))), "left", (6, -12)),
        # Below the curve's back, which falls to the right.
        f"without the worst {bottom:.0%}": (n - int(np.ceil(round(bottom * n, 9))), "center", (0, -20)),
    }
    for name, (place, side, offset) in ends.items():
        point = x[place], y[place]
        ax.plot(*point, "o", color=colour)
        ax.annotate(f"{name}: {y[place]:.0%}", point, offset, textcoords="offset points", ha=side)
    ax.axhline(1, color=GREY, linewidth=0.8, linestyle=":")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set(xlabel="share of customers", ylabel="cumulative profit, of the total", xlim=(0, 1))
    ax.set_ylim(0, 1.13 * max(1.0, float(y.max())))
    ax.legend(loc="lower right")
    return ax


def _label_periods(ax: Axes, labels: list[str]) -> None:
    """Write at most twelve labels, so that they can be read; the last period has one."""
    step = -(-len(labels) // 12)
    shown = range((len(labels) - 1) % step, len(labels), step)
    ax.set_xticks(list(shown), [labels[i] for i in shown], rotation=40 if len(labels) > 6 else 0)


def _write(ax: Axes, edges: list[float], texts: list[str]) -> None:
    for y, (edge, text) in enumerate(zip(edges, texts, strict=True)):
        ax.annotate(text, (edge, y), (5, 0), textcoords="offset points", va="center", fontsize=9, color=INK)


def _finish_bars(ax: Axes) -> Axes:
    ax.margins(x=0.14)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.xaxis.set_major_formatter(FuncFormatter(thousands))
    ax.grid(visible=False, axis="y")
    return ax


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{abs(value):,.0f}"
