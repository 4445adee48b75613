"""How long deals stay in each stage, those still there included as such."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crm_analysis.funnel.ageing.cumulative import aalen_johansen

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline


def time_in_stages(pipeline: Pipeline, *, level: float = 0.95) -> pd.DataFrame:
    """Days that deals stay in each stage, those still there included as such.

    Returns
    -------
    DataFrame, index `stage`, all but the won one; n_entered (stays: a deal that comes back stays again),
    n_advanced, n_lost, n_back, n_there (they add up to n_entered); p25, median_days with low and high, p75:
    days by which so many of the stays were over; mean_days_left (of those that are over); median_age_there,
    oldest_there, n_older_there (there longer than any stay that is over). Missing where so many are not
    over, or nobody is there.

    Raises
    ------
    DataError
        The shape does not know when stages were entered.

    Notes
    -----
    Kaplan-Meier: whoever is still there has stayed at least so long. The interval of the median holds the
    days at which the interval of the share that left holds one half (Brookmeyer & Crowley 1982, Biometrics
    38:29).
    """
    stays = pipeline.stays
    cells = stays.group_by("stage_number", "days", "exit").agg(n=stays.count()).to_pandas()
    rows = [_stage(cells[cells["stage_number"] == k], level) for k in range(len(pipeline.stages) - 1)]
    table = pd.DataFrame(rows, index=pd.Index(pipeline.stages[:-1], name="stage"))
    counts = [str(name) for name in table if str(name).startswith("n_")]
    return table.astype(dict.fromkeys(counts, "int64"))


def _stage(cells: pd.DataFrame, level: float) -> dict[str, float]:
    by_exit = cells.groupby("exit")["n"].sum()
    ways = {f"n_{way}": int(by_exit.get(way, 0)) for way in ("advanced", "lost", "back", "there")}
    there, left = cells[cells["exit"] == "there"], cells[cells["exit"] != "there"]
    longest = left["days"].max() if len(left) else math.inf
    return {
        "n_entered": sum(ways.values()),
        **ways,
        **_quartiles(cells, level),
        "mean_days_left": _mean(left),
        "median_age_there": _median(there),
        "oldest_there": there["days"].max() if len(there) else math.nan,
        "n_older_there": int(there.loc[there["days"] > longest, "n"].sum()),
    }


def _quartiles(cells: pd.DataFrame, level: float) -> dict[str, float]:
    names = ("p25", "median_days", "low", "high", "p75")
    if cells.empty:
        return dict.fromkeys(names, math.nan)
    over = cells["exit"].eq("there").map({True: "open", False: "won"})
    left = aalen_johansen(cells["days"], outcome=over, n=cells["n"], level=level)
    return {
        "p25": _first(left["won"], 0.25),
        "median_days": _first(left["won"], 0.5),
        "low": _first(left["won_high"], 0.5),
        "high": _first(left["won_low"], 0.5),
        "p75": _first(left["won"], 0.75),
    }


def _first(shares: pd.Series, wanted: float) -> float:
    """Age at which a rising share reaches what is wanted; missing where it never does."""
    reached = shares.to_numpy() >= wanted * (1 - 1e-12)
    return float(shares.index[int(reached.argmax())]) if reached.any() else math.nan


def _mean(cells: pd.DataFrame) -> float:
    return float((cells["days"] * cells["n"]).sum() / cells["n"].sum()) if len(cells) else math.nan


def _median(cells: pd.DataFrame) -> float:
    if cells.empty:
        return math.nan
    return float(np.median(np.repeat(cells["days"].to_numpy(), cells["n"].to_numpy())))
