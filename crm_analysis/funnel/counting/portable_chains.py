"""Chains of steps as windows of one expression; see `chains` for the rule and `portable` for the frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.funnel.counting.event_rules import Rules


def by_entity() -> Any:
    """All events of an entity."""
    return ibis.window(group_by="who")


def so_far(later: int, *, until: int | None = None, ahead: bool = False) -> Any:
    """Events up to `later` microseconds before now; or from now on, to `until` microseconds after it."""
    if ahead or until is not None:
        return ibis.range_window(preceding=0, following=until, group_by="who", order_by="at")
    return ibis.range_window(preceding=(None, later), group_by="who", order_by="at")


def walk(events: ir.Table, rules: Rules) -> ir.Table:
    """Add entry_k, the entry of the chain that an event ends as step k; NULL where it ends none."""
    walked = events.mutate(entry_0=ibis.ifelse(events.enters, events.at, None))
    if _is_plain(rules):
        steps = [f"is_{k}" for k in range(1, len(rules.steps))]
        walked = walked.select("who", "at", "enters", "entry_0", *steps)
    for k in range(1, len(rules.steps)):
        walked = _step(_with_first_made(walked, rules, k - 1), rules, k)
        if _is_plain(rules):
            walked = _that_matter(walked, rules, k)
    return walked.cache()


def _that_matter(walked: ir.Table, rules: Rules, k: int) -> ir.Table:
    """Events that end a chain, or may as a later step."""
    matters = walked.enters
    for j in range(1, len(rules.steps)):
        matters |= walked[f"entry_{j}"].notnull() if j <= k else walked[f"is_{j}"]
    return walked.filter(matters)


def _with_first_made(walked: ir.Table, rules: Rules, k: int) -> ir.Table:
    """Add when step k was first made by a chain of its entry, where exclusions ask for it."""
    if not _ends_chains(rules):
        return walked
    entry = walked[f"entry_{k}"]
    made = walked.at.min().over(ibis.window(group_by=[walked.who, entry]))
    return walked.mutate(**{f"first_{k}": ibis.ifelse(entry.notnull(), made, None)})


def _step(walked: ir.Table, rules: Rules, k: int) -> ir.Table:
    """Continue chains by events of step k: from the step before, or over optional ones from further back."""
    earlier = [k - 1]
    while earlier[-1] in rules.optional:
        earlier.append(earlier[-1] - 1)
    kept = list(walked.columns)
    for j in earlier:
        walked = walked.mutate(**_latest(walked, rules, j, k))
    chosen = _chosen(walked, rules, earlier, k)
    if _ends_chains(rules):
        chosen = _uninterrupted(chosen, rules, earlier, k)
    if _is_plain(rules):
        return chosen.select(*(name for name in kept if name != f"is_{k}"), f"entry_{k}")
    return chosen.select(*kept, f"entry_{k}", f"via_{k}", f"last_{k}")


def _is_plain(rules: Rules) -> bool:
    """Whether entries alone tell the chains: no later question needs the events that end none."""
    gapless = all(gap is None for gap in rules.gaps)
    return gapless and rules.order in ("ordered", "strictly later") and not (rules.excluded or rules.optional)


def _latest(walked: ir.Table, rules: Rules, j: int, k: int) -> dict[str, Any]:
    """Entry and time of the latest chain of step j before now."""
    frame = so_far(1 if rules.must_be_later(k) else 0)
    entry = walked[f"entry_{j}"]
    found = {"c": entry.max().over(frame)}
    if rules.gaps[k] is not None or rules.order == "strictly later":
        found["l"] = walked.at.max(where=entry.notnull()).over(frame)
    if _ends_chains(rules):
        found["f"] = walked[f"first_{j}"].max().over(frame)
        for i in between(rules, j, k):
            found[f"x{i}"] = walked.at.max(where=walked[f"excluded_{i}"]).over(so_far(1))
    return {f"{name}_{j}": value for name, value in found.items()}


def _chosen(walked: ir.Table, rules: Rules, earlier: Sequence[int], k: int) -> ir.Table:
    """Take the latest entry within the windows; of equal ones that over the nearest step."""
    entry, via, last = ibis.null("int64"), ibis.null("int64"), ibis.null("int64")
    for j in earlier:
        c, at = walked[f"c_{j}"], walked.at
        before = walked[f"l_{j}"] if f"l_{j}" in walked.columns else ibis.null("int64")
        usable = walked[f"is_{k}"] & c.notnull()
        if rules.window is not None:
            usable &= at - c <= rules.window
        if (gap := rules.gaps[k]) is not None:
            usable &= at - before <= gap
        if rules.order == "strictly later":
            usable &= before < at
        if j != earlier[0]:
            usable &= entry.isnull() | (c > entry)
        usable = ibis.coalesce(usable, ibis.literal(False))
        entry, via, last = (
            ibis.ifelse(usable, new, old)
            for new, old in ((c, entry), (ibis.literal(j, "int64"), via), (before, last))
        )
    return walked.mutate(**{f"entry_{k}": entry, f"via_{k}": via, f"last_{k}": last})


def _uninterrupted(walked: ir.Table, rules: Rules, earlier: Sequence[int], k: int) -> ir.Table:
    """Leave out chains with an excluded event after the step before was first made by their entry."""
    broken = ibis.literal(False)
    for j in earlier:
        for i in between(rules, j, k):
            lies = (walked[f"via_{k}"] == j) & (walked[f"x{i}_{j}"] > walked[f"f_{j}"])
            broken |= ibis.coalesce(lies, ibis.literal(False))
    return walked.mutate(**{f"entry_{k}": ibis.ifelse(broken, None, walked[f"entry_{k}"])})


def between(rules: Rules, j: int, k: int) -> list[int]:
    """Numbers of the exclusions that must not lie between steps j and k."""
    return [i for i, (_, start, end) in enumerate(rules.excluded) if start < k and j < end]


def _ends_chains(rules: Rules) -> bool:
    return bool(rules.excluded) and not rules.leaves


def trace(walked: ir.Table, table: ir.Table, rules: Rules) -> ir.Table:
    """Add at_0, at_1, ...: when the chain that first reached the furthest step made each step.

    table : who, furthest, reached_at, entry.
    """
    steps = range(len(rules.steps))
    chain = walked.join(table, "who")
    mine = [chain[f"entry_{k}"] == chain.entry for k in steps]
    if not rules.optional and all(gap is None for gap in rules.gaps):
        made = {f"at_{k}": chain.at.min(where=mine[k] & (chain.furthest >= k)) for k in steps}
        return chain.group_by("who", "furthest").agg(**made)
    chain = chain.mutate(at_last=ibis.null("int64"), wanted=chain.furthest, now=chain.reached_at)
    for k in reversed(steps):
        chain = _back(chain, rules, k)
    return chain.group_by("who", "furthest").agg(**{f"at_{k}": chain[f"at_{k}"].max() for k in steps})


def _back(chain: ir.Table, rules: Rules, k: int) -> ir.Table:
    """When step k was made, and when and which the one before."""
    here = chain.wanted == k
    chain = chain.mutate(**{f"at_{k}": ibis.ifelse(here, chain.now, None)})
    if k == 0:
        return chain
    of_it = (chain[f"entry_{k}"] == chain.entry) & (chain.at == chain.now)
    via = chain[f"via_{k}"].max(where=of_it).over(by_entity())
    before = chain[f"last_{k}"].max(where=of_it).over(by_entity())
    chain = chain.mutate(via=via, before=before)
    if rules.gaps[k] is None:
        first = chain.before
        for j in range(k):
            made = chain.at.min(where=chain[f"entry_{j}"] == chain.entry).over(by_entity())
            first = ibis.ifelse(chain.via == j, made, first)
        chain = chain.mutate(before=first)
    here = chain.wanted == k
    return chain.mutate(
        now=ibis.ifelse(here, chain.before, chain.now), wanted=ibis.ifelse(here, chain.via, chain.wanted)
    )
