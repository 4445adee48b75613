"""What a checked log looks like as a whole: its refunds, orders, customers and days.

Each is one pass over the lines that brings back a small table; rows are looked at again only where something
was found that needs examples.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.schema import TOO_MANY, Checked, as_view, too_many
from crm_analysis.doors.transactions.bulk import REASON, bulk_defect, is_large, large_orders
from crm_analysis.doors.transactions.cancellations import Matched, match_cancellations
from crm_analysis.doors.transactions.checks import NETTED
from crm_analysis.doors.transactions.columns import line_columns
from crm_analysis.doors.transactions.days import day_defects, unfinished_months
from crm_analysis.doors.transactions.netting import netted_defect
from crm_analysis.doors.transactions.orders import Orders, count_orders, order_defects
from crm_analysis.doors.transactions.people import People, count_people, suspicious_defects
from crm_analysis.doors.transactions.policies import Policies


@dataclass(frozen=True)
class LookedThrough:
    """The checks with what was found beyond them, the lines as they are published, and how they were read."""

    checked: Checked
    lines: ir.Table
    people: People
    reading: tuple[str, ...] = ()


def look_through(
    checked: Checked, policies: Policies, start: dt.date, end: dt.date, *, name: str
) -> LookedThrough:
    """Match refunds, look at orders, customers and days; leave bulk orders out where that is asked."""
    matched = _matched(checked, policies)
    lines = as_view(matched.lines.select(line_columns(matched.lines)))
    if not checked.verdict.n_kept:
        return LookedThrough(checked, lines, count_people(lines))
    orders = count_orders(lines)
    large = large_orders(orders)
    aside = policies.bulk_orders == "set aside"
    n_rows = checked.n_rows_in
    found = order_defects(orders, policies.part_deliveries, name)
    if large:
        found.append(bulk_defect(orders, large, aside=aside, n_rows=n_rows, name=name))
    checked = _with_refunds(checked, matched, orders, policies)
    if large and aside:
        checked, lines = _without(checked, matched.lines, large, policies)
    people = count_people(lines)
    found += [*suspicious_defects(people, n_rows, name), *day_defects(lines, start, end, name)]
    checked = replace(checked, verdict=checked.verdict.with_defects(found))
    reading = (
        f"{checked.verdict.n_kept:,} lines of {orders.n_orders:,} orders",
        *unfinished_months(start, end),
    )
    return LookedThrough(checked, lines, people, reading)


def _matched(checked: Checked, policies: Policies) -> Matched:
    refunds = any(defect.name == NETTED for defect in checked.verdict.defects)
    if refunds and policies.refunds == "net in order":
        return match_cancellations(checked.kept, policies)
    return Matched(checked.kept)


def _with_refunds(checked: Checked, matched: Matched, orders: Orders, policies: Policies) -> Checked:
    defects = tuple(
        netted_defect(defect, matched, orders, policies.refunds) if defect.name == NETTED else defect
        for defect in checked.verdict.defects
    )
    return replace(checked, verdict=replace(checked.verdict, defects=defects))


def _without(
    checked: Checked, kept: ir.Table, large: list[dict[str, Any]], policies: Policies
) -> tuple[Checked, ir.Table]:
    """Set the lines of large orders aside, with the refunds that belong to them."""
    bulk = is_large(kept, large)
    left = as_view(kept.filter(~bulk))
    rows = kept.filter(bulk).mutate(reason=ibis.literal(REASON)).select(checked.set_aside_rows.columns)
    n = sum(row["n_lines"] for row in large)
    aside = checked.set_aside | {REASON: n}
    verdict = replace(checked.verdict, n_kept=checked.verdict.n_kept - n)
    if not any(defect.name == TOO_MANY for defect in verdict.defects):
        verdict = verdict.with_defects(
            too_many(aside, checked.n_rows_in, policies.max_set_aside, verdict.table)
        )
    rows = checked.set_aside_rows.union(rows)
    checked = replace(checked, kept=left, set_aside=aside, set_aside_rows=rows, verdict=verdict)
    return checked, as_view(left.select(line_columns(left)))
