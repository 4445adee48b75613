"""Customer value in figures: what was expected beside what happened, forecasts, who holds the value."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter

from crm_analysis.figures import FIRM_COLOURS, GREY
from crm_analysis.figures.axes import FEW, INK, drawn_on


def plot_expectation_by_repeat(
    table: pd.DataFrame, *, models: Sequence[str], unit: str = "purchase days", ax: Axes | None = None
) -> Axes:
    """Mean purchases in the holdout by repeat purchases before it: actual as bars, each model as a line.

    Parameters
    ----------
    table : index n_repeat as text; n_customers, actual, and a column for each of the `models`. Bars of fewer
        than 30 customers are pale.
    models : drawn in this order; the first one stands out.
    """
    ax = drawn_on(ax)
    places = np.arange(len(table))
    bars = ax.bar(places, table["actual"], 0.7, color=GREY, label="what happened")
    for bar, n in zip(bars, table["n_customers"], strict=True):
        bar.set_alpha(0.4 if n < FEW else 1.0)
    for i, model in enumerate(models):
        style = "-" if i == 0 else "--"
        ax.plot(places, table[model], style, marker="o", markersize=5, color=FIRM_COLOURS[i], label=model)
    ax.set_xticks(places, [f"{n}\n({count:,})" for n, count in table["n_customers"].items()])
    ax.set(xlabel="repeat purchases before (customers)", ylabel=f"mean {unit} per customer")
    ax.grid(visible=False, axis="x")
    ax.legend(loc="upper left")
    return ax


def plot_reliability(table: pd.DataFrame, *, colour: str = FIRM_COLOURS[0], ax: Axes | None = None) -> Axes:
    """Share of the customers who bought against the probability said before, by tenths of it.

    Parameters
    ----------
    table : one row per group: predicted, actual (shares), n_customers. Dots grow with the customers; under 30
        they are hollow.
    """
    ax = drawn_on(ax)
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=1, label="as said")
    few = (table["n_customers"] < FEW).to_numpy()
    sizes = 14 + 120 * table["n_customers"] / table["n_customers"].max()
    for label, chosen, face in (("happened", ~few, colour), ("fewer than 30 customers", few, "none")):
        if chosen.any():
            rows = table[chosen]
            ax.scatter(
                rows["predicted"],
                rows["actual"],
                sizes[chosen],
                facecolors=face,
                edgecolors=colour,
                label=label,
            )
    for _, row in table.iterrows():
        ax.annotate(
            f"{row['n_customers']:,.0f}", (row["predicted"], row["actual"]), (8, -10),
            textcoords="offset points", fontsize=8, color=INK,
        )  # fmt: skip
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set(xlim=(-0.02, 1.04), ylim=(-0.02, 1.04), xlabel="probability of buying, as said before")
    ax.set_ylabel("share who bought (number: customers)")
    ax.legend(loc="upper left")
    return ax


def plot_forecasts(table: pd.DataFrame, *, unit: str, ax: Axes | None = None) -> Axes:
    """Forecasts with their ranges, one row each, beside what then happened.

    Parameters
    ----------
    table : index, the names of the rows; expected, forecast_low, forecast_high, actual (missing where the
        time is still to come: drawn in the second colour, without an error).
    unit : of all values.
    """
    ax = ax if ax is not None else plt.subplots(figsize=(8, 1.3 + 0.6 * len(table)), layout="constrained")[1]
    places = np.arange(len(table))
    known = table["actual"].notna().to_numpy()
    colours = [FIRM_COLOURS[0] if k else FIRM_COLOURS[1] for k in known]
    ax.hlines(places, table["forecast_low"], table["forecast_high"], color=colours, linewidth=7, alpha=0.25)
    for label, chosen, colour in (
        ("forecast", known, FIRM_COLOURS[0]), ("forecast of the time to come", ~known, FIRM_COLOURS[1])
    ):  # fmt: skip
        if chosen.any():
            ax.plot(table["expected"][chosen], places[chosen], "o", color=colour, label=label)
    if known.any():
        ax.plot(table["actual"][known], places[known], "D", color=INK, label="what happened")
    for place, expected, actual in zip(places, table["expected"], table["actual"], strict=True):
        ax.annotate(
            _forecast_words(expected, actual), (expected, place), (0, 9),
            textcoords="offset points", ha="center", fontsize=9, color=INK,
        )  # fmt: skip
    ax.set_yticks(places, list(table.index))
    ax.set(xlabel=unit, ylim=(len(table) - 0.4, -0.6))
    ax.margins(x=0.12)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    ax.grid(visible=False, axis="y")
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3)
    return ax


def plot_value_by_tenth(
    table: pd.DataFrame, *, colour: str = FIRM_COLOURS[0], ax: Axes | None = None
) -> Axes:
    """Share of all value held by each tenth of the customers, the most valuable tenth first.

    Parameters
    ----------
    table : index top_share of the customers (0.1 .. 1.0); share_of_total that they hold together.
    """
    ax = drawn_on(ax)
    shares = np.diff(table["share_of_total"].to_numpy(float), prepend=0.0)
    places = np.arange(len(shares))
    ax.bar(places, shares, 0.8, color=colour)
    for place, share in zip(places, shares, strict=True):
        ax.annotate(
            f"{share:.1%}" if share < 0.1 else f"{share:.0%}", (place, max(share, 0)), (0, 4),
            textcoords="offset points", ha="center", fontsize=9, color=INK,
        )  # fmt: skip
    ax.set_xticks(places, [f"{i + 1}" for i in places])
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set(xlabel="tenth of the customers, the most valuable first", ylabel="share of all value")
    ax.grid(visible=False, axis="x")
    return ax


def _forecast_words(expected: float, actual: float) -> str:
    """Forecast with its error, as a share of what happened."""
    if not np.isfinite(actual) or not actual:
        return f"{expected:,.0f}"
    return f"{expected:,.0f} ({expected / actual - 1:+.0%})".replace("-", "−")
