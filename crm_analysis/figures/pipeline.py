"""How a pipeline moves: time in stages, age of open deals, reasons of loss, leads to nurture, forecast.

The split of two velocities is drawn by `figures.funnel.plot_waterfall`. Names of rows stand above them, so
that a figure can be as narrow as a phone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from crm_analysis.figures import FIRM_COLOURS, GREY
from crm_analysis.figures.axes import INK, say, thousands
from crm_analysis.figures.funnel import legend_below
from crm_analysis.figures.rows import HALF, half, name_rows

SHADES = LinearSegmentedColormap.from_list("shades", ["white", FIRM_COLOURS[0]])
AGES = ("#b9cbdd", "#7f9fbf", "#c55a11", "#a23b3b")
# A cell this dark carries white words.
DARK = 0.55


def plot_time_in_stages(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Days in each stage, firms together: the dot is the median, the line holds the middle half of the stays.

    A line that ends open to the right: fewer than three quarters of the stays are over.

    Parameters
    ----------
    table : columns firm, stage, p25, median_days, p75, n_entered, n_there.
    """
    firms, stages = list(dict.fromkeys(table["firm"])), list(dict.fromkeys(table["stage"]))
    if not table["p25"].notna().any():
        return say(ax if ax is not None else half(), "no stay is over yet")
    ax = ax if ax is not None else half(len(stages))
    longest = float(np.nanmax(table[["p25", "median_days", "p75"]].to_numpy(float)))
    for i, firm in enumerate(firms):
        rows = table[table["firm"] == firm].set_index("stage").reindex(stages)
        y = np.arange(len(stages)) + 0.16 + (i - (len(firms) - 1) / 2) * 0.26
        colour = FIRM_COLOURS[i % len(FIRM_COLOURS)]
        ends = rows["p75"].fillna(1.15 * longest).where(rows["p25"].notna())
        ax.hlines(y, rows["p25"], ends, color=colour, linewidth=3, alpha=0.5)
        ax.plot(rows["median_days"], y, "o", color=colour, markersize=6, label=firm)
    there = table.groupby("stage", sort=False)["n_there"].agg(lambda n: " / ".join(f"{x:,}" for x in n))
    name_rows(ax, stages, notes=[f"{there[stage]} there now" for stage in stages])
    ax.set(xlabel="days in the stage (dot: median; line: middle half)", xlim=(0, 1.2 * longest or 1))
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.grid(visible=False, axis="y")
    legend_below(ax)
    return ax


def plot_ageing(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Open deals by stage, and by the share of won deals that had left the stage after as many days.

    Parameters
    ----------
    table : columns stage, age (in order, the youngest first), n, amount.
    """
    stages, ages = list(dict.fromkeys(table["stage"])), list(dict.fromkeys(table["age"]))
    if not table["n"].any():
        return say(ax if ax is not None else half(), "no deal is open")
    ax = ax if ax is not None else half(len(stages))
    counts = table.pivot_table(index="stage", columns="age", values="n", aggfunc="sum", sort=False)
    counts = counts.reindex(index=stages, columns=ages).fillna(0)
    start = np.zeros(len(stages))
    for age, colour in zip(ages, AGES, strict=True):
        n = counts[age].to_numpy(float)
        ax.barh(np.arange(len(stages)) + 0.16, n, 0.4, start, color=colour, label=age)
        start += n
    old = counts[ages[-1]]
    notes = [
        f"{old[stage]:,.0f} of {total:,.0f} beyond 95%" for stage, total in zip(stages, start, strict=True)
    ]
    name_rows(ax, stages, notes=notes)
    ax.set(xlabel="open deals")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.xaxis.set_major_formatter(FuncFormatter(thousands))
    ax.grid(visible=False, axis="y")
    legend_below(ax)
    return ax


def plot_lost_reasons(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Reasons of loss (rows) by the stage in which deals were lost (columns), of those that are recorded.

    Parameters
    ----------
    table : index (group, reason); n, share_of_recorded, n_recorded, n_lost. The first level names the groups.
    """
    if table.empty:
        return say(ax if ax is not None else half(), "no deal is lost")
    groups = list(dict.fromkeys(table.index.get_level_values(0)))
    reasons = list(dict.fromkeys(table.index.get_level_values(1)))
    if not reasons:
        return say(ax if ax is not None else half(), "no reason is recorded")
    ax = ax if ax is not None else _cells_axes(len(reasons), len(groups))
    shares, counts = (
        pd.DataFrame({group: table[name].loc[group] for group in groups}).reindex(reasons)
        for name in ("share_of_recorded", "n")
    )
    texts = [
        ["–" if np.isnan(share) else f"{share:.0%}\n({n:,.0f})" for share, n in zip(*row, strict=True)]
        for row in zip(shares.to_numpy(float), counts.to_numpy(float), strict=True)
    ]
    _cells(ax, shares, texts)
    total = table.groupby(level=0, sort=False)[["n_recorded", "n_lost"]].first()
    names = [f"{name}\n{row.n_recorded:,} of {row.n_lost:,}" for name, row in total.iterrows()]
    ax.set_xticks(range(len(groups)), names, fontsize=7.5)
    ax.set_xlabel("recorded of lost; shares are of the recorded", fontsize=8.5)
    return ax


def plot_nurture(matrix: pd.DataFrame, *, unit: str = "", ax: Axes | None = None) -> Axes:
    """Open leads by heat (rows) and value (columns): how many, and what is expected of them.

    Parameters
    ----------
    matrix : index (heat, value); n, expected_wins, expected_value. Cells are shaded by expected value, by
        expected wins where no amount is known.
    unit : of the value.
    """
    heats = list(dict.fromkeys(matrix.index.get_level_values(0)))
    values = list(dict.fromkeys(matrix.index.get_level_values(1)))
    if not matrix["n"].any():
        return say(ax if ax is not None else half(), "no lead is open")
    ax = ax if ax is not None else _cells_axes(len(heats), len(values))
    priced = bool(matrix["expected_value"].fillna(0).any())
    shown = matrix["expected_value" if priced else "expected_wins"].fillna(0.0)
    shade = pd.DataFrame({value: shown.xs(value, level=1) for value in values}).reindex(heats)
    worth = [f"\n{value:,.0f} {unit}".rstrip() if priced else "" for value in shown]
    words = [
        f"{n:,} open\n{wins:,.1f} wins{value}"
        for n, wins, value in zip(matrix["n"], matrix["expected_wins"], worth, strict=True)
    ]
    said = pd.Series(words, matrix.index)
    texts = pd.DataFrame({value: said.xs(value, level=1) for value in values}).reindex(heats)
    _cells(ax, shade, texts.to_numpy().tolist())
    ax.set_xticks(range(len(values)), values)
    ax.set_xlabel("value of the deal")
    return ax


def plot_forecast(table: pd.DataFrame, *, unit: str = "wins", ax: Axes | None = None) -> Axes:
    """Expect of the open deals: the dot with its 80% (thick) and 95% range, beside the static rate's answer.

    Parameters
    ----------
    table : index names the rows (firms); expected, low_80, high_80, low_95, high_95, static.
    unit : of all values.
    """
    ax = ax if ax is not None else half(len(table))
    y = np.arange(len(table)) + 0.16
    colours = [FIRM_COLOURS[i % len(FIRM_COLOURS)] for i in range(len(table))]
    ax.hlines(y, table["low_95"], table["high_95"], color=colours, linewidth=1.4)
    ax.hlines(y, table["low_80"], table["high_80"], color=colours, linewidth=4, alpha=0.6)
    ax.scatter(table["expected"], y, 42, color=colours, zorder=3, label="expected")
    hollow: dict[str, Any] = {"marker": "D", "facecolors": "white", "edgecolors": GREY, "zorder": 3}
    ax.scatter(table["static"], y, 40, label="all open at the static rate", **hollow)
    notes = [f"{x:,.0f} ({low:,.0f} to {high:,.0f})" for x, low, high in _with_range(table)]
    name_rows(ax, [str(name) for name in table.index], notes=notes)
    ax.set(xlabel=unit)
    ax.set_xlim(left=0)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(FuncFormatter(thousands))
    ax.grid(visible=False, axis="y")
    legend_below(ax)
    return ax


def plot_win_rates(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Win rates by what they divide by, firms together, with their intervals.

    Parameters
    ----------
    table : columns firm, measure, rate, low, high.
    """
    firms, measures = list(dict.fromkeys(table["firm"])), list(dict.fromkeys(table["measure"]))
    ax = ax if ax is not None else half(len(measures))
    for i, firm in enumerate(firms):
        rows = table[table["firm"] == firm].set_index("measure").reindex(measures)
        y = np.arange(len(measures)) + 0.16 + (i - (len(firms) - 1) / 2) * 0.26
        colour = FIRM_COLOURS[i % len(FIRM_COLOURS)]
        ax.hlines(y, rows["low"], rows["high"], color=colour, linewidth=1.6)
        ax.plot(rows["rate"], y, "o", color=colour, markersize=6, label=firm)
    rates = table.pivot_table(index="measure", columns="firm", values="rate", dropna=False)
    rates = rates.reindex(index=measures, columns=firms)
    name_rows(ax, measures, notes=[" / ".join(map(_percent, row)) for row in rates.to_numpy(float)])
    ax.set(xlabel="won")
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.grid(visible=False, axis="y")
    legend_below(ax)
    return ax


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{share:.1%}"


def _with_range(table: pd.DataFrame) -> list[tuple[float, float, float]]:
    return [tuple(row) for row in table[["expected", "low_95", "high_95"]].to_numpy(float).tolist()]


def _cells_axes(n_rows: int, n_columns: int) -> Axes:
    ax = half(n_rows)
    figure = ax.get_figure()
    assert figure is not None
    figure.set_size_inches(max(HALF, 1.0 + 0.85 * n_columns), 0.9 + 0.55 * n_rows)  # type: ignore[union-attr]
    return ax


def _cells(ax: Axes, shade: pd.DataFrame, texts: list[list[str]]) -> None:
    """Draw a table of shaded cells with words in them; rows are named at the left."""
    level = np.nan_to_num(shade.to_numpy(float))
    top = max(float(level.max()), 1e-9)
    ax.imshow(level, cmap=SHADES, vmin=0, vmax=top, aspect="auto")
    for (row, column), x in np.ndenumerate(level):
        colour = "white" if x > DARK * top else INK
        words = texts[row][column]
        ax.text(column, row, words, ha="center", va="center", fontsize=7.5, color=colour)
    ax.set_yticks(range(len(shade)), [str(name).replace(" ", "\n", 1) for name in shade.index], fontsize=8)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
