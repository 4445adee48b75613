"""Where the stricter orders stop and exclusions take entities out, as expressions; see `furthest`."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.funnel.counting.event_rules import Rules
from crm_analysis.funnel.counting.portable_chains import by_entity, so_far


def furthest(walked: ir.Table, rules: Rules) -> ir.Table:
    """One row per entity that made the first step: furthest, reached_at and the entry of that chain."""
    steps = range(len(rules.steps))
    entry = {k: walked[f"entry_{k}"] for k in steps}
    made = {f"first_at_{k}": walked.at.min(where=entry[k].notnull()) for k in steps}
    if rules.order in ("no repeats", "nothing between"):
        walked = walked.mutate(**{name: at.over(by_entity()) for name, at in made.items()})
        made |= _stops(walked, rules)
    entries = {f"first_entry_{k}": walked[f"entry_{k}"].min() for k in steps}
    table = walked.group_by("who").agg(**(made | entries))
    valid = [_valid(table, rules, k) for k in steps]
    reached = [(valid[k], k) for k in reversed(steps)]
    top = ibis.cases(*((test, k) for test, k in reached), else_=-1)
    at = ibis.cases(*((test, table[f"first_at_{k}"]) for test, k in reached), else_=None)
    of = ibis.cases(*((test, table[f"first_entry_{k}"]) for test, k in reached), else_=None)
    table = table.select("who", furthest=top.cast("int64"), reached_at=at, entry=of)
    return table.filter(table.furthest >= 0)


def _stops(walked: ir.Table, rules: Rules) -> dict[str, Any]:
    """Time of the event of each step (of any other event: stop_0) that ends all chains."""
    later = range(1, len(rules.steps))
    at = {k: walked[f"first_at_{k}"] for k in range(len(rules.steps))}
    if rules.order == "no repeats":
        found: dict[str, Any] = {}
        for k in later:
            found[f"stop_{k}"] = walked.at.min(where=walked[f"is_{k}"] & (walked.at > at[k]))
            found[f"twice_{k}"] = (walked[f"is_{k}"] & (walked.at == at[k])).ifelse(1, 0).sum()
        return found
    found = {"stop_0": walked.at.min(where=walked.is_other & (walked.at > at[0]))}
    for k in later:
        found[f"stop_{k}"] = walked.at.min(where=walked[f"is_{k}"] & (walked.at >= at[0]))
    return found


def _valid(table: ir.Table, rules: Rules, j: int) -> Any:
    """Whether step j was made before anything stopped the chains."""
    at = table[f"first_at_{j}"]
    test = at.notnull()
    if rules.order not in ("no repeats", "nothing between"):
        return test
    for k in range(1, len(rules.steps)):
        stop, made = table[f"stop_{k}"], table[f"first_at_{k}"]
        if rules.order == "no repeats":
            stop = ibis.ifelse(table[f"twice_{k}"] >= 2, made, stop)
        else:
            before = table[f"first_at_{k - 1}"]
            stop = ibis.ifelse(before.isnull() | (stop < before), stop, None)
        test &= stop.isnull() | (stop > at) | ((stop == at) & ibis.literal(k >= j))
    if rules.order == "nothing between" and j > 0:
        test &= table.stop_0.isnull() | (table.stop_0 > at)
    return test


def left_entities(walked: ir.Table, rules: Rules) -> ir.Table:
    """Entities that met an excluded event between their steps, before they came to the last one."""
    last = len(rules.steps) - 1
    done = walked.at.min(where=walked[f"entry_{last}"].notnull()).over(by_entity())
    pending = done.isnull() | (walked.at < done)
    fires = ibis.literal(False)
    for i, (_, start, end) in enumerate(rules.excluded):
        for k in range(start, end):
            fires |= walked[f"excluded_{i}"] & ibis.coalesce(
                _is_between(walked, rules, k), ibis.literal(False)
            )
    found = walked.mutate(fires=fires & pending)
    return found.filter(found.fires).select("who").distinct()


def _is_between(walked: ir.Table, rules: Rules, k: int) -> Any:
    """Whether an event falls on a chain that came to step k, is still within its windows and no further."""
    entry = walked[f"entry_{k}"].max().over(so_far(1))
    test = entry.notnull()
    if rules.window is not None:
        test &= walked.at - entry <= rules.window
    if (gap := rules.gaps[k + 1]) is not None:
        latest = walked.at.max(where=walked[f"entry_{k}"].notnull()).over(so_far(1))
        test &= walked.at - latest <= gap
    for later in range(k + 1, len(rules.steps)):
        reached = walked[f"entry_{later}"].max().over(so_far(0))
        test &= reached.isnull() | (reached != entry)
    return test
