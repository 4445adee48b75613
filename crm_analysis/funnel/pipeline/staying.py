"""How long deals stay in a stage, which open ones stay too long, and whether the stages fill up."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pandas as pd

from crm_analysis.doors.transactions import as_date
from crm_analysis.errors import ConfigError
from crm_analysis.funnel.ageing.cumulative import aalen_johansen
from crm_analysis.funnel.pipeline.stays import stays_of

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

ALL = "(all)"


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
    stays = stays_of(pipeline)
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


def aged(pipeline: Pipeline) -> pd.DataFrame:
    """Open deals, those that stay longest by the measure of won deals first.

    Returns
    -------
    DataFrame, index `opportunity_id`; stage, days_in_stage, days_since_creation, won_had_left (of the stays
    of won deals in that stage, the share that was over by then; missing where no won deal was there),
    n_won_stays, and where mapped amount and owner.

    Raises
    ------
    DataError
        The shape does not know when stages were entered.
    """
    stays = stays_of(pipeline)
    deals = pipeline.opportunities
    won = deals.filter(deals.outcome == "won").select("opportunity_id")
    of_won = stays.semi_join(won, "opportunity_id")
    lengths = of_won.group_by("stage_number", "days").agg(n=of_won.count()).to_pandas()
    there = stays.filter(stays.exit == "there").select("opportunity_id", "stage_number", "days")
    also = [name for name in ("amount", "owner") if name in deals.columns]
    open_ = deals.filter(deals.outcome == "open").select("opportunity_id", "created_on", *also)
    found = there.join(open_, "opportunity_id")
    age = ibis.literal(pipeline.snapshot_at).delta(found.created_on, unit="day").cast("int64")
    found = found.mutate(days_since_creation=age)
    if "amount" in also:
        found = found.mutate(amount=found.amount.cast("float64"))
    table = found.to_pandas()
    stage = table["stage_number"].astype(int)
    table["stage"] = np.array(pipeline.stages)[stage]
    table["won_had_left"], table["n_won_stays"] = _share_left(lengths, stage, table["days"])
    table = table.rename(columns={"days": "days_in_stage"}).set_index("opportunity_id")
    table = table.sort_index().sort_values(["won_had_left", "days_in_stage"], ascending=False, kind="stable")
    return table[["stage", "days_in_stage", "days_since_creation", "won_had_left", "n_won_stays", *also]]


def _share_left(lengths: pd.DataFrame, stage: pd.Series, days: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Share of the stays in each deal's stage that lasted at most as long as it does, and their number."""
    share, n = np.full(len(stage), math.nan), np.zeros(len(stage), dtype="int64")
    for k, rows in lengths.sort_values("days").groupby("stage_number"):
        here = (stage == k).to_numpy()
        cumulated = np.concatenate([[0], rows["n"].cumsum()])
        n[here] = cumulated[-1]
        place = np.searchsorted(rows["days"].to_numpy(), days[here].to_numpy(), side="right")
        share[here] = cumulated[place] / cumulated[-1]
    return share, n


def flow_check(pipeline: Pipeline, *, since: dt.date | str, until: dt.date | str) -> pd.DataFrame:
    """Whether as many deals are open as the flow through the pipeline would hold: Little's law.

    Where what enters leaves again, the mean number there is the number that enters per day times the mean
    days it stays. If more are there than those that left would account for, some are left lying, or the
    pipeline grows.

    Parameters
    ----------
    since, until : first and last day looked at, both included; `until` not after the snapshot.

    Returns
    -------
    DataFrame, index `stage`: "(all)", then each stage where the shape knows when they were entered;
    n_entered and entered_per_day in that time, n_left and mean_days (of those that left in that time),
    expected (entered_per_day times mean_days), mean_there (over the days), there (at the end of `until`),
    ratio (there / expected). Missing where nothing left.

    Source: Little (1961), Operations Research 9:383.
    """
    first, last = as_date(since, "since"), as_date(until, "until")
    if not first <= last <= pipeline.snapshot_at:
        raise ConfigError(
            f"flow: since {first}, until {last}; expected two days in order, not after {pipeline.snapshot_at}"
        )
    deals = pipeline.opportunities
    deals = deals.filter(deals.created_on.notnull())  # noqa: PD004
    rows = {ALL: _flow(deals.select(start="created_on", end="closed_on"), first, last)}
    if pipeline.shape != "current stage":
        stays = stays_of(pipeline)
        left = (stays.exit == "there").ifelse(ibis.null("date"), stays.left_on)
        stays = stays.select("stage_number", start="entered_on", end=left)
        for k, stage in enumerate(pipeline.stages[:-1]):
            rows[stage] = _flow(stays.filter(stays.stage_number == k), first, last)
    table = pd.DataFrame(rows).T.rename_axis("stage")
    return table.astype(dict.fromkeys(["n_entered", "n_left", "there"], "int64"))


def _flow(spans: ibis.Table, first: dt.date, last: dt.date) -> dict[str, float]:
    """Flow through one place; whoever comes and goes on one day stays 0 days, and is never there."""
    until = ibis.literal(last)
    entered = spans.start.between(first, last)
    left = spans.end.between(first, last)
    there = (spans.start <= until) & (spans.end.isnull() | (spans.end > until))  # noqa: PD003
    # Present from the evening of the first day to the evening before the last.
    begun = ibis.greatest(spans.start, ibis.literal(first))
    gone = ibis.least(ibis.coalesce(spans.end, until + ibis.interval(days=1)), until + ibis.interval(days=1))
    overlap = ibis.greatest(gone.delta(begun, unit="day").cast("int64"), 0)
    found = spans.aggregate(
        n_entered=entered.sum(),
        n_left=left.sum(),
        mean_days=spans.end.delta(spans.start, unit="day").cast("float64").mean(where=left),
        days_there=overlap.sum(),
        there=there.sum(),
    ).to_pandas()
    row = found.fillna({"n_entered": 0, "n_left": 0, "days_there": 0, "there": 0}).iloc[0]
    n_days = (last - first).days + 1
    per_day = float(row["n_entered"]) / n_days
    mean_days = float(row["mean_days"]) if row["n_left"] else math.nan
    expected = per_day * mean_days
    return {
        "n_entered": float(row["n_entered"]),
        "entered_per_day": per_day,
        "n_left": float(row["n_left"]),
        "mean_days": mean_days,
        "expected": expected,
        "mean_there": float(row["days_there"]) / n_days,
        "there": float(row["there"]),
        "ratio": float(row["there"]) / expected if expected > 0 else math.nan,
    }
