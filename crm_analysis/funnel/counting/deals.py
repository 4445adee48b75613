"""The opportunities that are counted: what is known of each, whether it can be judged, and its course."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import ibis
import pandas as pd

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel.counting.courses import courses
from crm_analysis.funnel.counting.history_rules import Rules

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from crm_analysis.doors.pipeline import Pipeline

Period = tuple[dt.date | str | None, dt.date | str | None]
# What is known of an opportunity beside its course, and stays with its id.
ATTRIBUTES = ("owner", "account_id", "source", "segment", "lost_reason", "phone", "email")


def members_of(pipeline: Pipeline, rules: Rules, *, days: int, period: Period) -> tuple[pd.DataFrame, int]:
    """Opportunities created in the period with their courses, and how many an exclusion left out."""
    deals = _described(pipeline)
    course = courses(pipeline, rules, days=days)
    joined = deals.left_join(course, deals.opportunity_id == course.course_id).drop("course_id")
    is_gone = ibis.coalesce(joined.is_left_out, ibis.literal(False)) | _has_value(pipeline, joined, rules)
    found = _judged(joined.mutate(is_left_out=is_gone), days, period)
    found = found.assign(is_left_out=found["is_left_out"].astype(bool))
    members = found[~found["is_left_out"]].drop(columns="is_left_out")
    _refuse_nothing(members, days, pipeline.snapshot_at)
    # An opportunity without an entry in time stands in the first stage, where imputed entries count.
    nowhere = 0 if rules.skipped == "imputed" else -1
    numbers = {"furthest": nowhere, "top": nowhere, "last": 0}
    members = members.fillna(numbers).astype(dict.fromkeys(numbers, "int64"))
    for name in [column for column in members if str(column).startswith("entered_")]:
        members[name] = members[name].eq(True)
    if "amount_then" in members:
        members["amount"] = members["amount_then"].fillna(members["amount"])
    return members, int(found["is_left_out"].sum())


def deals_of(pipeline: Pipeline, *, days: int, period: Period) -> pd.DataFrame:
    """Opportunities created in the period, without their courses."""
    found = _judged(_described(pipeline), days, period)
    _refuse_nothing(found, days, pipeline.snapshot_at)
    return found


def _described(pipeline: Pipeline) -> ir.Table:
    """One row per opportunity: attributes, outcome, amount, created_on, days_to_close, age."""
    deals = pipeline.opportunities
    amount = deals.amount.cast("float64") if "amount" in deals.columns else ibis.null("float64")
    return deals.select(
        *(name for name in ATTRIBUTES if name in deals.columns),
        "opportunity_id",
        "outcome",
        "created_on",
        amount=amount,
        days_to_close=deals.closed_on.delta(deals.created_on, unit="day"),
        age=ibis.literal(pipeline.snapshot_at).delta(deals.created_on, unit="day"),
    )


def _has_value(pipeline: Pipeline, deals: ir.Table, rules: Rules) -> ir.BooleanValue:
    """Whether an attribute has a value that leaves the opportunity out."""
    gone: ir.BooleanValue = ibis.literal(False)
    for name, values in (rules.attributes or {}).items():
        if name not in (there := ["opportunity_id", *(a for a in ATTRIBUTES if a in deals.columns)]):
            raise ConfigError(f"funnel: exclude names {name!r}; there are: {['stage', *there]}")
        gone = gone | ibis.coalesce(deals[name].cast("string").isin(values), ibis.literal(False))
    return gone


def _judged(deals: ir.Table, days: int, period: Period) -> pd.DataFrame:
    """Read those created in the period, sorted by id, with whether each is old enough to judge."""
    start, end = (pd.Timestamp(day).date() if day else None for day in period)
    if start:
        deals = deals.filter(deals.created_on >= start)
    if end:
        deals = deals.filter(deals.created_on <= end)
    found: pd.DataFrame = deals.to_pandas()
    found = found.set_index(found.pop("opportunity_id").astype(str)).sort_index()
    found["judged"] = (found["age"] >= days).fillna(False).astype(bool)
    return found


def _refuse_nothing(members: pd.DataFrame, days: int, snapshot_at: dt.date) -> None:
    if not members["judged"].any():
        raise DataError(
            f"funnel: none of {len(members)} opportunities created in the period is {days} days old at "
            f"{snapshot_at}; give a shorter window or an earlier period"
        )
