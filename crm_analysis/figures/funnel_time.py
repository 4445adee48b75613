"""How soon opportunities are won or lost, firms together."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from crm_analysis.figures import FIRM_COLOURS
from crm_analysis.figures.funnel import legend_below
from crm_analysis.figures.rows import half

MIN_AT_RISK = 10
MOST = 0.97


def plot_by_age(curves: pd.DataFrame, *, outcome: str = "won", ax: Axes | None = None) -> Axes:
    """Share won (or lost) by age with its interval, firms together; open opportunities are open, not lost.

    Parameters
    ----------
    curves : columns firm, age_days, won, won_low, won_high (or lost, ...), n_open and n_at_risk; ages with
        fewer than 10 opportunities at risk are not drawn, nor is much of the age at which nothing more
        happens.
    outcome : "won" or "lost".
    """
    ax = ax if ax is not None else half()
    settled = [1.0]
    for i, (firm, rows) in enumerate(curves.groupby("firm", sort=False)):
        drawn, colour = rows[rows["n_at_risk"] >= MIN_AT_RISK], FIRM_COLOURS[i % len(FIRM_COLOURS)]
        days = drawn["age_days"]
        label = f"{firm} ({rows['n_open'].sum():,} still open)"
        ax.step(days, drawn[outcome], where="post", color=colour, label=label)
        ends = drawn[f"{outcome}_low"], drawn[f"{outcome}_high"]
        ax.fill_between(days, *ends, step="post", color=colour, alpha=0.15, linewidth=0)
        if len(drawn):
            settled.append(_settled(days, drawn[outcome]))
    ax.set(xlabel="days since the opportunity was created", ylabel=f"{outcome}, of all created")
    ax.set_xlim(0, 1.5 * max(settled))
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0 if ax.get_ylim()[1] > 0.04 else 1))
    legend_below(ax)
    return ax


def _settled(days: pd.Series, share: pd.Series) -> float:
    """Age at which most of the last share is reached."""
    return float(days[share >= MOST * share.iloc[-1]].min())
