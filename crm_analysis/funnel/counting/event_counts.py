"""Who came how far in a log of events, by declared rules."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError
from crm_analysis.funnel.counting.attribution import FIRST_STEP, attributed_step
from crm_analysis.funnel.counting.counts import StageCounts, assemble
from crm_analysis.funnel.counting.event_members import ONE_DAY, Span, count_members, span_of
from crm_analysis.funnel.counting.event_reading import (
    NEEDED,
    EventColumns,
    count_names,
    read_parts,
    refuse_absent,
    refuse_missing_columns,
    rows_of,
)
from crm_analysis.funnel.counting.event_rules import (
    Count,
    Excluded,
    Exclusion,
    Length,
    Order,
    Reentry,
    Rules,
    StepWindows,
    read_rules,
)
from crm_analysis.funnel.counting.portable import count_in_engine

Rows: TypeAlias = pd.DataFrame | ir.Table
Engine = Literal["memory", "expression"]


def count_events(
    events: Any,
    *,
    steps: Sequence[str | Collection[str]] | Mapping[str, str | Collection[str]],
    window: Length | None = None,
    step_windows: StepWindows | None = None,
    order: Order = "ordered",
    reentry: Reentry | None = None,
    count: Count = "entities",
    exclude: Excluded = (),
    exclusion: Exclusion = "entity leaves",
    optional: Collection[str] = (),
    by: str | Sequence[str] = (),
    attribution: str = FIRST_STEP,
    entity: str = "entity_id",
    entered_from: dt.date | str | None = None,
    entered_until: dt.date | str | None = None,
    observed_until: dt.date | str | None = None,
    known: Collection[str] = (),
    engine: Engine | None = None,
    keep_members: bool = True,
    level: float = 0.95,
) -> StageCounts:
    """How many entities made each step, in which order, and how soon after another.

    Parameters
    ----------
    events : what `crm.read_events` returned; or a DataFrame or Ibis table with entity_id, event, occurred_at.
    steps : events in the order of the funnel; a step may be several events, ["cart", "basket"]; with labels,
        {"Cart": ["cart", "basket"]}. A step that shares an event with an earlier one must be later than the
        step before it: one event is never two steps, and one logged twice at a moment is no repetition.
    window : at most so long from the first step of a chain to each other one, both ends included: "30
        minutes", "24 hours", "7 days", or a timedelta.
    step_windows : at most so long from the step before: {step: length}, or one length per step after the
        first, None for no limit. Both kinds of windows can be given.
    order : see the table.
    reentry : "latest viable" (any first step may begin a chain; the default for entities) or "first entry"
        (only an entity's first one in the period; the default for attempts).
    count : "entities", each once, by how far it ever came; or "attempts": the next one begins with the first
        entry after the one before was completed or its window was over.
    exclude : events that must not happen between the first and the last step; or {event: (step, step)}.
        One at the same moment as an event that is a step does nothing.
    exclusion : what an excluded event does that comes after an entity made one step and before it made the
        next. "entity leaves": it is in no count, not in the first step's either (`n_left_out`). "chain
        ends": that entry leads no further; earlier steps count, and a later entry may begin again.
    optional : steps that may be left out, neither first nor last. Counted among them is who made them on the
        way; the shares are then of who went further (`StageCounts`, not nested).
    by : attributes to keep with each entity, for `counts.by(name)`. They are looked up after the counting,
        so that groups add up to the whole.
    attribution : the value "first step", "first known" or "last known" (among all events that are steps), or
        a step: the value that its event has in the chain; "(missing)" for who did not make it. What is only
        known of those who came far says nothing about why.
    entity : the column that is counted: a session, a user, an account.
    entered_from, entered_until : first and last day of the entries looked at, both included.
    observed_until : last whole day observed; that of the log where it has one. An entry whose window is not
        over by then does not count, however far it has led; who has only such entries is not yet known.
        Without a window (or windows of all steps), or without this day, everybody is judged as it stands.
    known : events that are no mistake although the log may hold none.
    engine : "memory": numpy on sorted keys; what a frame or DuckDB is counted by, part by part if it is
        long. "expression": one Ibis expression in the engine of the rows; the default of other engines, and
        equal to the first. Attempts are counted in memory always.
    keep_members : False for counts alone, in less time and memory: no ids behind the numbers, no groups, no
        times. Entities of DuckDB are then told apart by a hash of 64 bits; that any two of a million share
        one has a probability of 1 in 37 million.
    level : of the intervals.

    Returns
    -------
    StageCounts of entities. `n_open` is who did not go on within the window: events do not say who is lost,
    so `n_lost` and `n_back` are 0. In any order the stages are "1 step", "2 steps", ... `members` has at_0,
    at_1, ...: when each step was made by the chain that first came to the furthest step (see `step_times`).

    Raises
    ------
    ConfigError
        An argument is misspelt or contradicts another; a step is no event of the log.
    DataError
        A column is missing, values are missing, or there are no events.

    Notes
    -----
    Events of one moment count in the order of the steps, whatever the order of the rows. With events A1 X2
    B3 B4 C4 D5 (letters what, numbers when), steps A B C D and no window:

    ==================  ===========================================================  ============  =======
    order               a step counts where                                          others        reaches
    ==================  ===========================================================  ============  =======
    "ordered"           it follows the step before, whatever lies between            (1)           4
    "strictly later"    as "ordered", and later than the latest step before it       (2)           2
    "no repeats"        as "ordered", until a step after the first is repeated       (3)           2
    "nothing between"   as "ordered", until an event that is no step, or a step      (4)           1
                        whose step before was not made
    "any order"         it is one of the most different ones within one window       (5)           4
    ==================  ===========================================================  ============  =======

    (1) ClickHouse windowFunnel, with each event in one step only (its "strict_once"); PostHog and Mixpanel
    "ordered", dbt and R's funneljoin "first-firstafter" with reentry="first entry"; retentioneering without
    a window. (2) ClickHouse "strict_increase". (3) "strict_deduplication". (4) "strict_order"; an
    entity's chains start at its first entry and end at the first break. (5) PostHog "unordered", Mixpanel
    "any order". "first entry" is Mixpanel's default, "entity leaves" PostHog's exclusion, "chain ends"
    Mixpanel's; attempts are Mixpanel's "totals".

    Sources: ClickHouse, AggregateFunctionWindowFunnel; PostHog, funnel-udf; Mixpanel, Funnels: Advanced.

    Examples
    --------
    >>> counts = count_events(log, steps=["cart", "shipping", "purchase"], window="30 minutes", by="platform")
    >>> counts.by("platform")["mobile"].table
    """
    rules = read_rules(
        steps,
        window=window,
        step_windows=step_windows,
        order=order,
        reentry=reentry,
        count=count,
        exclude=exclude,
        exclusion=exclusion,
        optional=optional,
    )
    attributes = [by] if isinstance(by, str) else list(by)
    attributed_step(attribution, rules)
    rows = rows_of(events)
    refuse_missing_columns(rows, [entity, *NEEDED, *attributes])
    until = observed_until or getattr(events, "observed_until", None)
    span = span_of(rules, entered_from, entered_until, until)
    given: dict[str, Any] = {"entity": entity, "attributes": attributes, "attribution": attribution}
    if attributes and not keep_members:
        raise ConfigError("funnel: attributes (by) belong to members; keep them")
    if _how(rows, rules, engine) == "expression":
        table = ibis.memtable(rows) if isinstance(rows, pd.DataFrame) else rows
        members, n_left = count_in_engine(table, rules, span, **given)
    else:
        members, n_left = _in_memory(rows, rules, span, known=known, with_ids=keep_members, **given)
    counts = assemble(
        _with_outcomes(members, rules),
        _labels(rules),
        days=_whole_days(rules.window),
        learnt=False,
        level=level,
        skipped="as recorded" if rules.optional else "imputed",
        n_left_out=n_left,
        rules=_stated(rules, entity, attributes, attribution),
    )
    return counts if keep_members else replace(counts, members=None)


def _how(rows: Rows, rules: Rules, engine: Engine | None) -> str:
    if engine not in (None, "memory", "expression"):
        raise ConfigError(f"funnel: engine {engine!r}; expected 'memory' or 'expression'")
    if engine is None:
        local = isinstance(rows, pd.DataFrame) or rows.get_backend().name == "duckdb"
        return "memory" if local or rules.attempts else "expression"
    if engine == "expression" and rules.attempts:
        raise ConfigError("funnel: attempts follow one another, which is counted in memory; leave out engine")
    return engine


def _in_memory(
    rows: Rows,
    rules: Rules,
    span: Span,
    *,
    entity: str,
    attributes: Sequence[str],
    attribution: str,
    known: Collection[str],
    with_ids: bool,
) -> tuple[pd.DataFrame, int]:
    """Count part by part, the two halves of each at a time."""
    n_events = np.zeros(len(rules.names), dtype=np.int64)
    found: list[tuple[pd.DataFrame, int]] = []

    def count(events: EventColumns) -> tuple[pd.DataFrame, int]:
        return count_members(
            events.sorted(), rules, span, attributes=attributes, attribution=attribution, with_ids=with_ids
        )

    with ThreadPoolExecutor(2) as pool:
        for columns in read_parts(rows, rules, entity=entity, attributes=attributes, with_ids=with_ids):
            n_events += count_names(columns, rules)
            found += pool.map(count, columns.halves())
    if absent := [name for name, n in zip(rules.names, n_events, strict=True) if not n and name not in known]:
        refuse_absent(rows, absent)
    members = pd.concat([part for part, _ in found]) if len(found) > 1 else found[0][0]
    return members, sum(n for _, n in found)


def _with_outcomes(members: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """Add the columns that all counts have."""
    done = (members["furthest"] == len(rules.steps) - 1).to_numpy().astype(np.int8)
    entered = {f"entered_{k}": members[f"at_{k}"].notna() for k in rules.optional}
    return members.assign(
        top=members["furthest"],
        last=members["furthest"],
        outcome=pd.Categorical.from_codes(done, categories=pd.Index(["open", "won"])),
        created_on=members["at_0"],
        amount=np.nan,
        **entered,
    )


def _stated(rules: Rules, entity: str, attributes: Sequence[str], attribution: str) -> dict[str, Any]:
    """Rules by name, those that do something."""
    stated: dict[str, Any] = {
        "order": rules.order,
        "reentry": "first entry" if rules.first_entry else "latest viable",
        "count": "attempts" if rules.attempts else "entities",
        "entity": entity,
        "window": _length(rules.window),
        "step_windows": {
            stage: _length(gap) for stage, gap in zip(rules.stages, rules.gaps, strict=True) if gap
        },
        "exclude": {name: (rules.stages[i], rules.stages[k]) for name, i, k in rules.excluded},
        "exclusion": ("entity leaves" if rules.leaves else "chain ends") if rules.excluded else None,
        "optional": [rules.stages[k] for k in sorted(rules.optional)],
        "attribution": attribution if attributes else None,
    }
    return {name: value for name, value in stated.items() if value}


def _length(microseconds: int | None) -> pd.Timedelta | None:
    return None if microseconds is None else pd.Timedelta(microseconds, unit="us")


def _labels(rules: Rules) -> tuple[str, ...]:
    if rules.order != "any order":
        return rules.stages
    return tuple(f"{k + 1} step{'s' if k else ''}" for k in range(len(rules.steps)))


def _whole_days(window: int | None) -> int | None:
    return window // ONE_DAY if window and window % ONE_DAY == 0 else None
