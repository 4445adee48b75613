"""The same counts as one expression, for engines other than DuckDB, and as the reference of the fast ones.

Every step is one window over the events of an entity in the order of their times: the latest entry of a chain
of the step before, at most as late as now (and within the gap). Entries never decrease in time, so the latest
is the largest. Events of one moment are peers, which is the rule of ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis
import ibis.expr.datatypes as dtypes
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from crm_analysis.funnel.counting.attribution import FIRST_KNOWN, attributed_step
from crm_analysis.funnel.counting.event_members import NO_TIME, Span
from crm_analysis.funnel.counting.event_rules import Rules
from crm_analysis.funnel.counting.portable_chains import by_entity, so_far, trace, walk
from crm_analysis.funnel.counting.portable_stops import furthest, left_entities


def count_in_engine(
    rows: ir.Table, rules: Rules, span: Span, *, entity: str, attributes: Sequence[str], attribution: str
) -> tuple[pd.DataFrame, int]:
    """Members as `event_members.count_members` gives them, and how many entities an exclusion took out."""
    events, names = _numbered(_events(rows, rules, entity, attributes))
    entries = events.is_0 if rules.order != "any order" else _any(events, len(rules.steps))
    if span.start is not None:
        entries &= events.at >= span.start
    if span.end is not None:
        entries &= events.at < span.end
    ripe = entries if span.mature is None else entries & (events.at < span.mature)
    found, n_left = _counted(events.mutate(enters=ripe), names, rules, attributes, attribution)
    frames = [found.assign(judged=True)]
    if span.mature is not None:
        mine = ibis.window(group_by="who")
        young = events.mutate(enters=entries, ripe=ripe.any().over(mine))
        young = young.filter(~young.ripe).drop("ripe")
        frames.append(_counted(young, names, rules, attributes, attribution)[0].assign(judged=False))
    members = pd.concat(frames)
    return members.sort_index(kind="stable"), n_left


def _events(rows: ir.Table, rules: Rules, entity: str, attributes: Sequence[str]) -> ir.Table:
    """Columns name, at (microseconds), is_0, is_1, ..., is_other, excluded_0, ..., and attributes as text."""
    at = _microseconds(rows.occurred_at)
    names = rules.names
    tests = {f"is_{k}": rows.event.isin(step) for k, step in enumerate(rules.steps)}
    tests |= {f"excluded_{i}": rows.event == name for i, (name, _, _) in enumerate(rules.excluded)}
    tests["is_other"] = ~rows.event.isin(names)
    values = {f"value_{name}": rows[name].cast("string") for name in attributes}
    events = rows.select(name=rows[entity], at=at, **tests, **values)
    if rules.excluded:
        events = _without_ties(events, rules)
    return events if rules.reads_all else events.filter(~events.is_other)


@ibis.udf.scalar.builtin(signature=((dtypes.Timestamp(timezone="UTC"),), dtypes.int64))
def unix_micros(moment: Any) -> Any:
    """Spark's; Ibis takes no fractions of a second there."""


def _microseconds(moment: ir.TimestampValue) -> Any:
    """Microseconds since 1970; connections run in UTC."""
    if moment.get_backend().name == "pyspark":
        return unix_micros(moment.cast("timestamp('UTC')"))
    moment = moment.cast("timestamp(6)")
    seconds = moment.truncate("s").epoch_seconds().cast("int64")
    return seconds * 1_000_000 + moment.microsecond().cast("int64") % 1_000_000


def _without_ties(events: ir.Table, rules: Rules) -> ir.Table:
    """Let excluded events do nothing at the moment of a step."""
    tied = _any(events, len(rules.steps)).any().over(ibis.window(group_by=["name", "at"]))
    free = {name: events[name] & ~tied for name in (f"excluded_{i}" for i in range(len(rules.excluded)))}
    return events.mutate(**free)


def _numbered(events: ir.Table) -> tuple[ir.Table, ir.Table]:
    """Events with a number `who` for the entity's name, by which engines sort faster; and both of each."""
    names = events.select("name").distinct()
    names = names.mutate(who=ibis.row_number()).cache()
    return events.join(names, "name").drop("name"), names


def _any(events: ir.Table, n_steps: int) -> Any:
    found = events.is_0
    for k in range(1, n_steps):
        found |= events[f"is_{k}"]
    return found


def _counted(
    events: ir.Table, names: ir.Table, rules: Rules, attributes: Sequence[str], attribution: str
) -> tuple[pd.DataFrame, int]:
    n_left = 0
    if rules.order == "any order":
        table = _best_windows(events, rules)
    else:
        walked = walk(_first_only(events) if rules.first_entry else events, rules)
        table = furthest(walked, rules)
        if rules.leaves and rules.excluded:
            left = left_entities(walked, rules)
            n_left = int(left.count().to_pyarrow().as_py())
            table = table.anti_join(left, "who")
        table = trace(walked, table, rules)
    for name in attributes:
        table = _attributed(events, table, rules, name, attribution)
    return _frame(table.join(names, "who"), rules, attributes), n_left


def _first_only(events: ir.Table) -> ir.Table:
    first = events.at.min(where=events.enters).over(by_entity())
    return events.mutate(enters=events.enters & (events.at == first))


def _best_windows(events: ir.Table, rules: Rules) -> ir.Table:
    """Most different steps in one window that starts at an event; see `any_order`."""
    steps = range(len(rules.steps))
    ahead = so_far(0, until=rules.window, ahead=True)
    found = events.mutate(
        **{f"at_{k}": events.at.min(where=events[f"is_{k}"]).over(ahead) for k in steps}
    ).filter(lambda t: t.enters)
    made = [found[f"at_{k}"] for k in steps]
    n_made = sum((at.notnull().ifelse(1, 0) for at in made), ibis.literal(0))  # noqa: PD004, Ibis knows this name only
    last = ibis.greatest(*made) if len(made) > 1 else made[0]
    found = found.mutate(furthest=n_made - 1, last=last)
    order = ibis.window(
        group_by="who", order_by=[found.furthest.desc(), found["last"].asc(), found.at.desc()]
    )
    best = found.mutate(place=ibis.row_number().over(order))
    return best.filter(best.place == 0).select("who", "furthest", *(f"at_{k}" for k in steps))


def _attributed(events: ir.Table, table: ir.Table, rules: Rules, name: str, attribution: str) -> ir.Table:
    """Add the value of an attribute; the smallest of several at the moment that decides."""
    step, value = attributed_step(attribution, rules), f"value_{name}"
    is_step = _any(events, len(rules.steps))
    if step is None:
        known = events.filter(is_step & events[value].notnull())  # noqa: PD004, Ibis knows this name only
        edge = known.at.min() if attribution == FIRST_KNOWN else known.at.max()
        decides = known.mutate(edge=edge.over(by_entity()))
        decides = decides.filter(decides.at == decides.edge)
    else:
        of_step = events.filter(is_step if rules.order == "any order" else events[f"is_{step}"])
        made = ibis.least(*(table[f"at_{k}"] for k in range(len(rules.steps))))
        when = made if rules.order == "any order" else table[f"at_{step}"]
        decides = of_step.join(table.select("who", when=when), "who")
        decides = decides.filter(decides.at == decides.when)
    values = decides.group_by("who").agg(**{name: decides[value].min()})
    return table.left_join(values, "who").drop("who_right")


def _frame(table: ir.Table, rules: Rules, attributes: Sequence[str]) -> pd.DataFrame:
    found: Any = table.to_pandas()
    columns: dict[str, Any] = {"furthest": found["furthest"].to_numpy(dtype=np.int64)}
    times = np.stack(
        [
            found[f"at_{k}"].astype("Int64").fillna(NO_TIME).to_numpy(np.int64)
            for k in range(len(rules.steps))
        ],
        axis=1,
    )
    if rules.order == "any order":
        times = np.sort(np.where(times == NO_TIME, np.iinfo(np.int64).max, times), axis=1)
        times[times == np.iinfo(np.int64).max] = NO_TIME
    for k in range(len(rules.steps)):
        columns[f"at_{k}"] = times[:, k].copy().view("datetime64[us]")
    columns |= {
        name: pd.Categorical(found[name].astype(object).where(found[name].notna(), None))
        for name in attributes
    }
    return pd.DataFrame(columns, index=pd.Index(found["name"], name="entity_id").astype(str))
