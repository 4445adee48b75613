"""Deals whose expected close was moved later, and those that should have closed by now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pandas as pd

from crm_analysis.errors import DataError
from crm_analysis.rates import newcombe, wilson

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline


@dataclass(frozen=True, eq=False)
class Slipped:
    """Deals that slipped.

    deals : index `opportunity_id`, open ones that are overdue longest first; outcome, stage (now), n_pushes,
        days_pushed (sum of all moves to a later day), expected_close (the latest), days_overdue (of open
        deals, days from the expected close to the snapshot; 0 where that is not past), and where mapped
        amount and owner. Only deals that were pushed or are overdue.
    rates : index "pushed", "not pushed"; n, n_won, n_lost, n_open, win_rate (won of closed) with low and
        high (Wilson). None where the shape knows only the latest date: n_pushes and days_pushed are missing
        then.
    difference, low, high : win rate of pushed deals less that of the others, with its interval (Newcombe);
        missing as the rates are. A deal that lives long has more time to be pushed: the difference goes with
        the push, it is not what a push does.
    n_unknown : opportunities without an expected close, in none of these numbers.
    level : of the intervals.
    """

    deals: pd.DataFrame
    rates: pd.DataFrame | None
    difference: float
    low: float
    high: float
    n_unknown: int
    level: float


def slipped(pipeline: Pipeline, *, level: float = 0.95) -> Slipped:
    """Deals whose expected close was moved to a later day while they were open, and overdue ones.

    Raises
    ------
    DataError
        No expected_close is mapped.
    """
    deals = pipeline.opportunities
    if "expected_close" not in deals.columns:
        raise DataError(
            "slipped: no expected close is mapped; map the column expected_close of the pipeline to see "
            "which deals slip"
        )
    also = [name for name in ("amount", "owner") if name in deals.columns]
    overdue = ibis.literal(pipeline.snapshot_at).delta(deals.expected_close, unit="day").cast("int64")
    found = deals.select(
        "opportunity_id",
        "outcome",
        "expected_close",
        *also,
        stage=deals.current_stage,
        days_overdue=(deals.outcome == "open").ifelse(ibis.greatest(overdue, 0), 0),
    )
    if pipeline.keeps_changes:
        found = found.left_join(_pushes(pipeline), "opportunity_id").drop("opportunity_id_right")
    else:
        found = found.mutate(n_pushes=ibis.null("int64"), days_pushed=ibis.null("int64"))
    if "amount" in also:
        found = found.mutate(amount=found.amount.cast("float64"))
    table = found.to_pandas().set_index("opportunity_id").sort_index()
    known = table[table["expected_close"].notna()]
    if pipeline.keeps_changes:
        known = known.fillna({"n_pushes": 0, "days_pushed": 0}).astype(
            {"n_pushes": "int64", "days_pushed": "int64"}
        )
    slid = known[(known["n_pushes"] > 0) | (known["days_overdue"] > 0)]
    slid = slid.sort_values(["days_overdue", "days_pushed"], ascending=False, kind="stable")
    columns = ["outcome", "stage", "n_pushes", "days_pushed", "expected_close", "days_overdue", *also]
    n_unknown = len(table) - len(known)
    if not pipeline.keeps_changes:
        return Slipped(slid[columns], None, np.nan, np.nan, np.nan, n_unknown, level)
    rates = _rates(known, level)
    (k, n), (k_not, n_not) = (
        (int(won), int(won + lost)) for won, lost in rates[["n_won", "n_lost"]].to_numpy()
    )
    low, high = newcombe(k, n, k_b=k_not, n_b=n_not, level=level)
    difference = float(rates["win_rate"].iloc[0] - rates["win_rate"].iloc[1])
    return Slipped(slid[columns], rates, difference, low, high, n_unknown, level)


def _pushes(pipeline: Pipeline) -> ibis.Table:
    """How often and by how many days in all each deal was pushed while it was open."""
    changes = pipeline.changes("expected_close")
    # The date that is written when a deal closes is no forecast.
    open_then = changes.stage.isin(list(pipeline.stages[:-1]))
    pushed = changes.filter(open_then & (changes.after > changes.before))
    days = pushed.after.delta(pushed.before, unit="day").cast("int64")
    return pushed.group_by("opportunity_id").agg(n_pushes=pushed.count(), days_pushed=days.sum())


def _rates(known: pd.DataFrame, level: float) -> pd.DataFrame:
    rows = {}
    for name, chosen in (("pushed", known["n_pushes"] > 0), ("not pushed", known["n_pushes"] == 0)):
        ends = known.loc[chosen, "outcome"].value_counts()
        won, lost, still = (int(ends.get(outcome, 0)) for outcome in ("won", "lost", "open"))
        low, high = wilson(won, n=won + lost, level=level)
        rate = won / (won + lost) if won + lost else np.nan
        rows[name] = (won + lost + still, won, lost, still, rate, low, high)
    columns = ["n", "n_won", "n_lost", "n_open", "win_rate", "low", "high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("pushed")
