"""What is checked on the rows of a pipeline, shape by shape, in the order in which a row is claimed."""

from __future__ import annotations

import datetime as dt
import functools
from itertools import combinations
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.pipeline.stages import Stages
from crm_analysis.doors.schema import Check, is_missing
from crm_analysis.doors.verdict import Consequence

NOT_YET = "none: they are not known yet on that day"
TOO_FEW = "counts of opportunities are too low if these are further ones"
MARKS = ("is_copy", "is_contradicted", "is_at_once")
SKIPPED = "opportunities seem to skip stages"


def mark_copies(table: ir.Table, keys: list[str]) -> ir.Table:
    """Mark rows that repeat another one in all that is mapped, that contradict one, or share its moment.

    `keys` say which rows are about the same thing. Mostly no two rows are: then nothing needs to be sorted.
    """
    if _all_different(table, keys):
        return table.mutate(**dict.fromkeys(MARKS, ibis.literal(False)))
    mapped = [table[name] for name in table.columns if not name.startswith(("source:", "source_"))]
    same_row = ibis.window(group_by=mapped, order_by=table.opportunity_id)
    same_key = ibis.window(group_by=[table[key] for key in keys])
    table = table.mutate(is_copy=ibis.row_number().over(same_row) > 0)
    marks = {"is_contradicted": (~table.is_copy).ifelse(1, 0).sum().over(same_key) > 1}
    if "stage" in table.columns:
        marks["is_at_once"] = table.stage.min().over(same_key) != table.stage.max().over(same_key)
    return table.mutate(**marks)


def _all_different(table: ir.Table, keys: list[str]) -> bool:
    several = table.group_by(keys).agg(n=table.count()).filter(lambda t: t.n > 1).limit(1)
    return several.to_pyarrow().num_rows == 0


def entry_checks(at: dt.date) -> list[Check]:
    """List the checks of rows that each say that an opportunity was in a stage at a time."""
    return [
        _no_id(),
        _no_stage(),
        Check(
            "time missing",
            "set aside",
            is_missing("entered_at"),
            "have no time (entered_at)",
            SKIPPED,
            ("opportunity_id", "stage"),
        ),
        Check(
            "after snapshot_at",
            "set aside",
            lambda t: t.entered_at.date() > at,
            f"lie after snapshot_at {at}",
            NOT_YET,
            ("opportunity_id", "stage", "entered_at"),
        ),
    ]


def stage_date_checks(stages: Stages, names: list[str], at: dt.date) -> list[Check]:
    """List the checks of opportunities with a date per stage; `names` are the stages with a column."""
    return [
        _no_id(),
        Check(
            "no stage date",
            "set aside",
            is_missing("any_at"),
            "have no date in any stage",
            "opportunities that never began are missing: rates from the first stage lean high",
            ("opportunity_id",),
        ),
        Check(
            "after snapshot_at",
            "set aside",
            lambda t: t.first_at.date() > at,
            f"begin after snapshot_at {at}",
            NOT_YET,
            ("opportunity_id", "first_at"),
        ),
        repeated("set aside"),
        contradicted("opportunity"),
        Check(
            "dates after snapshot_at",
            "flag",
            lambda t: _any(t[f"stage {name}"].date() > at for name in names),
            f"have stage dates after snapshot_at {at}; steps of later days are not seen",
            "none, unless the dates are wrong",
            ("opportunity_id",),
        ),
        Check(
            "dates out of order",
            "flag",
            lambda t: _any(t[f"stage {b}"] < t[f"stage {a}"] for a, b in combinations(stages.order, 2)),
            "have a later stage dated before an earlier one; the dates count, so that these move back",
            "if the dates are mistyped, current stages lean low and times between stages are wrong",
            ("opportunity_id",),
        ),
    ]


def current_stage_checks(stages: Stages, at: dt.date) -> list[Check]:
    """List the checks of opportunities of which only the current stage is known."""
    return [
        _no_id(),
        _no_stage(),
        Check(
            "after snapshot_at",
            "set aside",
            lambda t: t.created_at.date() > at,
            f"were created after snapshot_at {at}",
            NOT_YET,
            ("opportunity_id", "created_at"),
        ),
        Check(
            "closed without a date",
            "set aside",
            lambda t: stages.is_closed(t.stage) & t.closed_at.isnull(),
            "are won or lost without a date (closed_at)",
            "wins and losses are too few; the win rate leans to the outcome that is dated more often",
            ("opportunity_id", "stage"),
        ),
        Check(
            "closed before created",
            "set aside",
            lambda t: stages.is_closed(t.stage) & (t.closed_at.date() < t.created_at.date()),
            "were closed before they were created",
            "wins and losses are too few",
            ("opportunity_id", "created_at", "closed_at"),
        ),
        repeated("set aside"),
        contradicted("opportunity"),
        Check(
            "created date missing",
            "flag",
            is_missing("created_at"),
            "have no date of creation (created_at); they are kept, and left out of whatever needs an age",
            "shares won by age lean high if these are opportunities that went nowhere",
            ("opportunity_id", "stage"),
        ),
        Check(
            "closed after snapshot_at",
            "flag",
            lambda t: stages.is_closed(t.stage) & (t.closed_at.date() > at),
            f"were closed after snapshot_at {at}; on that day they were open, in a stage that is not known",
            "none, unless the dates are wrong",
            ("opportunity_id", "stage", "closed_at"),
        ),
    ]


def _any(conditions: Any) -> Any:
    known = (ibis.coalesce(condition, ibis.literal(False)) for condition in conditions)
    return functools.reduce(lambda a, b: a | b, known)


def _no_id() -> Check:
    found = "name no opportunity (opportunity_id)"
    return Check("opportunity unknown", "set aside", is_missing("opportunity_id"), found, TOO_FEW)


def _no_stage() -> Check:
    return Check(
        "stage missing", "set aside", is_missing("stage"), "have no stage", SKIPPED, ("opportunity_id",)
    )


def created_checks(table: ir.Table, first: str) -> list[Check]:
    """Flag what was entered before the opportunity was created, where that day is known."""
    if "created_at" not in table.columns:
        return []
    check = Check(
        "entered before created",
        "flag",
        lambda t: t[first].date() < t.created_at.date(),
        "enter a stage before the day on which their opportunity was created (created_at)",
        "times from creation lean short: merged records, or times of two zones",
        ("opportunity_id", "created_at", first),
    )
    return [check]


def end_checks() -> list[Check]:
    """List the checks of dates per stage beside a column that says how an opportunity ended."""
    return [
        Check(
            "closed without a date",
            "set aside",
            lambda t: t.is_undated,
            "are won or lost without a date, neither of that stage nor of the closing (closed_at)",
            "wins and losses are too few; the win rate leans to the outcome that is dated more often",
            ("opportunity_id", "outcome_word"),
        ),
        Check(
            "open with a date of closing",
            "flag",
            lambda t: t.was_closed,
            "are open by their outcome and have a date in a won or lost stage: opened again, it is not used",
            "none on outcomes; times in the stages before lean long",
            ("opportunity_id", "outcome_word"),
        ),
    ]


def repeated(consequence: Consequence) -> Check:
    """Find rows that repeat another one: they count once."""
    found = "repeat another row in every column that is mapped"
    return Check(
        "repeated row", consequence, lambda t: t.is_copy, found, "none: they count once", ("opportunity_id",)
    )


def contradicted(one: str) -> Check:
    """Refuse ids that stand on several rows that differ."""
    found = (
        f"share their opportunity_id with a row that differs; one row per {one} was expected: leave one of "
        'each, or set shape = "history" if the rows are the steps of one opportunity, "snapshots" if they '
        "are its states on several days"
    )
    return Check(
        "several rows of one", "refuse", lambda t: t.is_contradicted, found, shows=("opportunity_id",)
    )


def at_once() -> Check:
    """Flag stages of one opportunity that were entered at the same time."""
    return Check(
        "stages at the same time",
        "flag",
        lambda t: t.is_at_once,
        "share their time with another stage of the same opportunity; they are taken in the declared order "
        "of the stages, lost last",
        "a move back within one moment is read as a move forward; times in stage are 0",
        ("opportunity_id", "stage", "entered_at"),
    )
