"""What is wrong with a pipeline as a whole: unowned, unpriced, reopened, stalled, without early outcomes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.pipeline.stages import Stages
from crm_analysis.doors.pipeline.steps import find_in_steps
from crm_analysis.doors.pipeline.twins import find_twins
from crm_analysis.doors.schema import Check, flag_rows, is_missing
from crm_analysis.doors.verdict import Defect

ENOUGH = 10


def find_defects(
    history: ir.Table, deals: ir.Table, *, name: str, stages: Stages, snapshot_at: dt.date, shape: str
) -> list[Defect]:
    """Flag what concerns whole opportunities, each with their number and the direction of its bias."""
    facts = _facts(deals)
    checks = [*_values_missing(deals), *_stalled(facts["longest"], snapshot_at)]
    return [
        *(find_in_steps(history, stages, name=name) if shape != "current stage" else []),
        *find_twins(deals, name=name),
        *(flag_rows(deals, checks, name=name) if checks else []),
        *_outcomes_begin_late(deals, facts, name),
        *_one_sided(facts, name),
    ]


def _facts(deals: ir.Table) -> dict[str, Any]:
    found = deals.agg(
        n=deals.count(),
        n_won=(deals.outcome == "won").ifelse(1, 0).sum(),
        n_lost=(deals.outcome == "lost").ifelse(1, 0).sum(),
        first_created=deals.created_on.min(),
        first_closed=deals.closed_on.min(),
        longest=_days_to_close(deals).max(),
    )
    facts: dict[str, Any] = found.to_pyarrow().to_pylist()[0]
    return facts


def _days_to_close(deals: ir.Table) -> Any:
    return deals.closed_on.delta(deals.created_on, unit="day")


def _values_missing(deals: ir.Table) -> list[Check]:
    checks = {
        "owner": [
            _missing(
                "owner",
                "no owner",
                "comparisons between owners leave them out, and nobody works the open ones",
            )
        ],
        "amount": [
            _missing("amount", "won without amount", "revenue and velocity are biased down", "won"),
            _missing(
                "amount", "open without amount", "the value of the open pipeline is biased down", "open"
            ),
            _won_for_nothing(),
            _below_zero(),
        ],
        "lost_reason": [
            _missing(
                "lost_reason",
                "lost without reason",
                "shares of reasons lean to those that are easily written down",
                "lost",
            )
        ],
    }
    return [check for column, some in checks.items() if column in deals.columns for check in some]


def _missing(column: str, name: str, bias: str, outcome: str | None = None) -> Check:
    """Find opportunities without a value, among all or those of one outcome."""
    return Check(
        name,
        "flag",
        is_missing(column),
        f"have no {column}",
        bias,
        ("opportunity_id",),
        among=_with(outcome) if outcome else None,
        counted=f"{outcome} opportunities" if outcome else "opportunities",
    )


def _won_for_nothing() -> Check:
    return Check(
        "won for nothing",
        "flag",
        lambda t: t.amount == 0,
        "have an amount of 0",
        "the mean amount of a win and velocity are biased down if the amount was not filled in",
        ("opportunity_id",),
        among=_with("won"),
        counted="won opportunities",
    )


def _below_zero() -> Check:
    return Check(
        "amount below zero",
        "flag",
        lambda t: t.amount < 0,
        "have an amount below 0",
        "revenue and velocity are biased down: credits are no deals",
        ("opportunity_id", "amount"),
        counted="opportunities",
    )


def _with(outcome: str) -> Callable[[ir.Table], Any]:
    return lambda deals: deals.outcome == outcome


def _stalled(longest: int | None, snapshot_at: dt.date) -> list[Check]:
    """Find open opportunities that are older than any was that closed."""
    if longest is None:
        return []
    check = Check(
        "stalled",
        "flag",
        lambda t: ibis.literal(snapshot_at).delta(t.created_on, unit="day") > longest,
        f"are older than the {longest:,} days that any opportunity took to close",
        "won of closed is biased up, and most for whoever does not close what is lost",
        ("opportunity_id", "created_on"),
        among=_with("open"),
        counted="open opportunities",
    )
    return [check]


def _outcomes_begin_late(deals: ir.Table, facts: dict[str, Any], name: str) -> list[Defect]:
    """Find outcomes missing before a day: half of those created long before should have closed, none did.

    Long before means by more than the median time to close of those created from that day on. With ENOUGH
    of them, the chance that none would have closed by then is below 1 in 1,000.
    """
    start, first = facts["first_closed"], facts["first_created"]
    if start is None or first is None:
        return []
    closed = deals.filter(deals.closed_on.notnull())
    later = closed.filter(closed.created_on >= start)
    days = later.agg(days=_days_to_close(later).median()).to_pyarrow().to_pylist()[0]["days"]
    if days is None:
        return []
    before = start - dt.timedelta(days=int(days))
    n = int(closed.filter(closed.created_on < before).count().to_pyarrow().as_py())
    if n < ENOUGH:
        return []
    found = (
        f"{name}: outcomes begin on {start}, {(start - first).days:,} days after the first opportunity "
        f"({first}); of those created later half closed within {int(days)} days, of {n:,} that were created "
        "longer before that day none did: earlier outcomes are missing"
    )
    bias = (
        f"opportunities created before {start} look slow, and those that closed fast are not among them: "
        "start cohorts on that day"
    )
    return [Defect("outcomes begin late", "flag", found, n, n / facts["n"], bias=bias)]


def _one_sided(facts: dict[str, Any], name: str) -> list[Defect]:
    """Flag wins without a single loss, or no win at all."""
    n, n_won, n_lost = facts["n"], facts["n_won"], facts["n_lost"]
    if not n_won:
        found = f"{name}: none of {n:,} opportunities is won; is the last of stages the won one?"
        return [Defect("no wins", "flag", found, bias="rates to the last stage are 0")]
    if not n_lost:
        found = f"{name}: {n_won:,} opportunities are won and none is lost; does the export leave losses out?"
        return [Defect("no losses", "flag", found, bias="won of closed is biased up, to 100%")]
    return []
