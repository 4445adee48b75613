"""How far each opportunity came by given rules: one pass over the stage history, in its engine.

Nothing but one row per opportunity leaves the engine. Entries are taken in their order (`sequence`); one that
is dated before the creation counts as made at the creation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from crm_analysis.funnel.counting.history_rules import Rules
from crm_analysis.funnel.counting.outcomes import LOST

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from crm_analysis.doors.pipeline import Pipeline


def courses(pipeline: Pipeline, rules: Rules, *, days: int) -> ir.Table:
    """Course of each opportunity within `days` of its creation.

    Returns
    -------
    course_id; furthest (last stage that counts; -1 where none does), top (last stage ever entered), last
    (stage it stands in, `LOST` where lost); is_left_out (entered a stage that leaves it out); amount_then
    (its amount at the last entry) where there are amounts; entered_0, entered_1, ... where each stage counts
    by its own entry. Opportunities without any entry in time are not there.
    """
    seen = _seen(pipeline, rules, days=days)
    stands = seen.group_by("opportunity_id").agg(
        last=seen.number.argmax(seen.sequence), is_left_out=seen.is_excluded.any(), **_amount_then(seen)
    )
    entries = seen.filter(seen.number != LOST)
    if rules.back == "undone":
        entries = _without_undone(entries)
    came = _came(entries, rules)
    both = stands.left_join(came, stands.opportunity_id == came.entries_id)
    columns = [name for name in came.columns if name != "entries_id"]
    return both.select(course_id="opportunity_id", **{n: n for n in [*stands.columns[1:], *columns]})


def _seen(pipeline: Pipeline, rules: Rules, *, days: int) -> ir.Table:
    """Entries in time: number (of the stages that are counted), age in days, whether they exclude."""
    created = pipeline.opportunities.select("opportunity_id", "created_on")
    history = pipeline.history.join(created, "opportunity_id")
    in_time = history.entered_on <= history.created_on + ibis.interval(days=days)
    # Where only the last stage is known, nobody knows when it was entered: it counts as reached.
    seen = history.filter(history.entered_on.isnull() | in_time)
    gone = [k for k, stage in enumerate(pipeline.stages) if stage in rules.excluded_stages]
    number = ibis.coalesce(seen.stage_number, LOST)
    before = sum(((seen.stage_number > k).ifelse(1, 0) for k in gone), ibis.literal(0))
    is_excluded = seen.stage.isin(rules.excluded_stages) if rules.excluded_stages else ibis.literal(False)
    age = ibis.greatest(seen.entered_on.delta(seen.created_on, unit="day"), 0)
    seen = seen.mutate(
        number=number - ibis.coalesce(before, 0) if gone else number, age=age, is_excluded=is_excluded
    )
    return _until_excluded(seen) if rules.exclusion == "chain ends" and rules.excluded_stages else seen


def _until_excluded(seen: ir.Table) -> ir.Table:
    """Entries before the first that excludes; a loss that excludes is still a loss."""
    at = ibis.cases((seen.is_excluded, seen.sequence), else_=ibis.null("int64"))
    seen = seen.mutate(first_excluded=at.min().over(ibis.window(group_by=seen.opportunity_id)))
    cut = ibis.coalesce(seen.sequence < seen.first_excluded, ibis.literal(True))
    ends = (seen.sequence == seen.first_excluded) & (seen.number == LOST)
    return seen.filter(cut | ends).drop("first_excluded").mutate(is_excluded=ibis.literal(False))


def _amount_then(seen: ir.Table) -> dict[str, ir.Value]:
    if "amount" not in seen.columns:
        return {}
    known = seen.amount.notnull()
    return {"amount_then": seen.amount.cast("float64").argmax(seen.sequence, where=known)}


def _without_undone(entries: ir.Table) -> ir.Table:
    """Entries that no later move back undid; who came back to a stage never left it."""
    backwards = ibis.window(
        group_by=entries.opportunity_id, order_by=entries.sequence.desc(), preceding=None, following=0
    )
    kept = entries.mutate(lowest=entries.number.min().over(backwards))
    kept = kept.filter(kept.number == kept.lowest)
    before = kept.number.lag().over(_in_order(kept))
    kept = kept.mutate(is_again=ibis.coalesce(before == kept.number, ibis.literal(False)))
    return kept.filter(~kept.is_again).drop("lowest", "is_again")


def _in_order(rows: ir.Table) -> ibis.expr.builders.WindowBuilder:
    return ibis.window(group_by=rows.opportunity_id, order_by=rows.sequence)


def _came(entries: ir.Table, rules: Rules) -> ir.Table:
    """entries_id, furthest, top, and entered_k where stages count by their own entries."""
    own = {
        f"recorded_{k}": (entries.number == k).any()
        for k in range(len(rules.stages))
        if rules.skipped == "as recorded"
    }
    top = entries.number.max()
    if not rules.in_steps:
        came = entries.group_by(entries_id="opportunity_id").agg(top=top, furthest=top, **own)
    elif rules.reentry == "first entry":
        came = _first_entries(entries, rules, top, own)
    else:
        came = _latest_entries(entries, rules, top, own)
    both = {f"entered_{k}": came[f"recorded_{k}"] & (came.furthest >= k) for k in range(len(own))}
    return came.mutate(**both).drop(*own) if own else came


def _first_entries(
    entries: ir.Table, rules: Rules, top: ir.Scalar, own: dict[str, ir.BooleanScalar]
) -> ir.Table:
    """Where each stage has one entry, the first: at which place, at which age."""
    at: dict[str, ir.Scalar] = {}
    for k in range(len(rules.stages)):
        here = entries.number == k if rules.skipped == "strict" else entries.number >= k
        at[f"place_{k}"] = entries.sequence.min(where=here)
        at[f"age_{k}"] = entries.age.argmin(entries.sequence, where=here)
    came = entries.group_by(entries_id="opportunity_id").agg(top=top, **at, **own)
    follows: ir.BooleanValue = came.place_0.notnull()
    furthest: ir.IntegerValue = follows.ifelse(0, -1)
    for k, days in enumerate(rules.step_days[1:], 1):
        follows = follows & (came[f"place_{k}"] >= came[f"place_{k - 1}"])
        if days is not None:
            follows = follows & (came[f"age_{k}"] - came[f"age_{k - 1}"] <= days)
        furthest = ibis.coalesce(follows, ibis.literal(False)).ifelse(k, furthest)
    return came.mutate(furthest=furthest).drop(*at)


def _latest_entries(
    entries: ir.Table, rules: Rules, top: ir.Scalar, own: dict[str, ir.BooleanScalar]
) -> ir.Table:
    """Where every entry may be the one that counts: the latest before the next stage.

    An entry into a stage counts if the stage before has an entry that counts, at the same place or earlier,
    and not too long before. Of these the latest is the nearest, so that one running maximum per stage
    suffices.
    """
    before = ibis.coalesce(entries.number.lag().over(_in_order(entries)), -1)
    rows = entries.mutate(before=before)
    rows = rows.mutate(counts_0=_enters(rows, 0, rules))
    for k, days in enumerate(rules.step_days[1:], 1):
        clock = rows.sequence if days is None else rows.age
        reached = ibis.cases((rows[f"counts_{k - 1}"], clock), else_=ibis.null("int64"))
        so_far = ibis.window(
            group_by=rows.opportunity_id, order_by=rows.sequence, preceding=None, following=0
        )
        rows = rows.mutate(latest=reached.max().over(so_far))
        in_time = rows.latest.notnull() if days is None else rows.age - rows.latest <= days
        rows = rows.mutate(
            **{f"counts_{k}": _enters(rows, k, rules) & ibis.coalesce(in_time, ibis.literal(False))}
        )
    counted = [rows[f"counts_{k}"].any().ifelse(1, 0) for k in range(len(rules.stages))]
    return rows.group_by(entries_id="opportunity_id").agg(
        top=rows.number.max(),
        furthest=sum(counted[1:], counted[0]) - 1,
        **{name: (rows.number == k).any() for k, name in enumerate(own)},
    )


def _enters(rows: ir.Table, k: int, rules: Rules) -> ir.BooleanValue:
    """Whether a row enters stage k: by name, or by passing it on the way up."""
    by_name = rows.number == k
    return by_name if rules.skipped == "strict" else by_name | ((rows.before < k) & (rows.number > k))
