"""Who reached which stage, with everybody given the same time and nobody counted before the time is up.

Every opportunity is looked at as it stood `window` days after it was created. One that is younger is not
yet known: it is shown, and is in no rate. One that is old enough and neither won nor lost by then is open,
never lost. Each stage closes: entered = advanced + lost + moved back + open.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel.ageing.maturity import maturity_window
from crm_analysis.funnel.counting.counts import LOST, Skipped, StageCounts, assemble, from_plain_counts
from crm_analysis.workspace import parse_length

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

# What is known of an opportunity beside its course, and stays with its id.
ATTRIBUTES = ("owner", "account_id", "source", "segment", "lost_reason")


def count_stages(
    pipeline: Pipeline | Sequence[int],
    *,
    window: str | None = None,
    skipped: Skipped = "imputed",
    entered_from: dt.date | str | None = None,
    entered_until: dt.date | str | None = None,
    stages: Sequence[str] | None = None,
    level: float = 0.95,
) -> StageCounts:
    """How many opportunities reached each stage within `window` of their creation.

    Parameters
    ----------
    pipeline : what a door returned; or the counts themselves, from first stage to wins.
    window : a length in whole days, "90 days". Where not given, the age by which 95% of the wins that happen
        have happened (`maturity_window`), learnt from the whole pipeline.
    skipped : "imputed": reaching a stage implies having entered all earlier ones, whether they were recorded
        or not (created in a late stage, straight wins). "as recorded": a stage counts where its own entry is
        recorded, so that counts need not fall from stage to stage.
    entered_from, entered_until : first and last creation date looked at, both included; all where not given.
    stages : names for plain counts; "Stage 1", "Stage 2", ... where not given.
    level : of the intervals.

    Raises
    ------
    DataError
        The pipeline does not show how far lost opportunities came (use `count_wins`); or there is nothing to
        judge; or plain counts rise from one stage to the next.
    ConfigError
        An argument is misspelt.
    """
    if skipped not in ("imputed", "as recorded"):
        raise ConfigError(f"funnel: skipped {skipped!r}; expected 'imputed' or 'as recorded'")
    if isinstance(pipeline, Sequence | np.ndarray):
        return from_plain_counts(list(pipeline), stages=stages, level=level)
    if not pipeline.furthest_known:
        raise DataError(
            f"funnel: the shape {pipeline.shape!r} hides how far lost opportunities came, so stage rates "
            "are refused; the win rate (count_wins), incidence and velocity work"
        )
    days = _days(window or maturity_window(pipeline))
    members = _judge(pipeline, days, entered_from=entered_from, entered_until=entered_until)
    reached = _reached(pipeline, days, each_stage=skipped == "as recorded")
    members = members.join(reached).fillna({"furthest": 0, "last": 0}).astype({"furthest": int, "last": int})
    members["furthest"] = members["furthest"].clip(lower=0)
    if "amount_then" in members:
        members["amount"] = members["amount_then"].fillna(members["amount"])
    return assemble(
        members, tuple(pipeline.stages), skipped=skipped, days=days, learnt=window is None, level=level
    )


def count_wins(
    pipeline: Pipeline,
    *,
    window: str | None = None,
    entered_from: dt.date | str | None = None,
    entered_until: dt.date | str | None = None,
    level: float = 0.95,
) -> StageCounts:
    """Return the funnel of two stages, created and won: the win rate, whatever the pipeline's shape hides.

    `share_of_all` of the last row is won / all that are judged. Arguments as in `count_stages`.
    """
    days = _days(window or maturity_window(pipeline))
    members = _judge(pipeline, days, entered_from=entered_from, entered_until=entered_until)
    in_time = members["days_to_close"] <= days
    won, lost = (in_time & (members["outcome"] == outcome) for outcome in ("won", "lost"))
    members["furthest"] = won.astype(int)
    members["last"] = np.select([won, lost], [1, LOST], default=0)
    stages = (pipeline.stages[0], pipeline.stages[-1])
    return assemble(members, stages, days=days, learnt=window is None, level=level)


def _days(window: str) -> int:
    days = int(parse_length(window))
    if days < 1:
        raise ConfigError(f"funnel: window {window!r}; expected at least one day")
    return days


def _judge(
    pipeline: Pipeline,
    days: int,
    *,
    entered_from: dt.date | str | None,
    entered_until: dt.date | str | None,
) -> pd.DataFrame:
    """Opportunities created in the period: outcome, amount, days to close, and whether they can be judged."""
    deals = pipeline.opportunities
    amount = deals.amount.cast("float64") if "amount" in deals.columns else ibis.null("float64")
    found = deals.select(
        *(name for name in ATTRIBUTES if name in deals.columns),
        "opportunity_id",
        "outcome",
        amount=amount,
        created_on=deals.created_on,
        days_to_close=deals.closed_on.delta(deals.created_on, unit="day"),
        age=ibis.literal(pipeline.snapshot_at).delta(deals.created_on, unit="day"),
    ).to_pandas()
    found = found.set_index(found["opportunity_id"].astype(str)).sort_index()
    created = pd.to_datetime(found["created_on"])
    start, end = (pd.Timestamp(d) if d else None for d in (entered_from, entered_until))
    inside = (created >= start if start else True) & (created <= end if end else True)
    found = found[inside] if isinstance(inside, pd.Series) else found
    found["judged"] = (found["age"] >= days).fillna(False).astype(bool)
    if not found["judged"].any():
        raise DataError(
            f"funnel: none of {len(found)} opportunities created in the period is {days} days old at "
            f"{pipeline.snapshot_at}; give a shorter window or an earlier period"
        )
    return found.drop(columns="opportunity_id")


def _reached(pipeline: Pipeline, days: int, *, each_stage: bool) -> pd.DataFrame:
    """Furthest and last stage number and last amount of each opportunity within `days`; lost is stage -1."""
    created = pipeline.opportunities.select("opportunity_id", "created_on")
    history = pipeline.history.join(created, "opportunity_id")
    in_time = history.entered_on <= history.created_on + ibis.interval(days=days)
    # Where only the last stage is known, nobody knows when it was entered: it counts as reached.
    seen = history.filter(history.entered_on.isnull() | in_time)  # noqa: PD003, Ibis knows this name only
    number = ibis.coalesce(seen.stage_number, LOST)
    also = {f"entered_{k}": (number == k).any() for k in range(len(pipeline.stages)) if each_stage}
    if "amount" in seen.columns:
        known = seen.amount.notnull()  # noqa: PD004, Ibis knows this name only
        also["amount_then"] = seen.amount.cast("float64").argmax(seen.sequence, where=known)
    reached = {"furthest": number.max(), "last": number.argmax(seen.sequence), **also}
    found = seen.group_by("opportunity_id").agg(**reached).to_pandas()
    return found.set_index(found["opportunity_id"].astype(str)).drop(columns="opportunity_id")
