"""Cancellations under an id of their own find the sale that they undo.

First each cancels a whole sale line: of the same customer, product, quantity and price, the latest earlier
one that is not yet cancelled. Sales and cancellations of a kind are opening and closing brackets in time, and
a closing one belongs to the opening one of its level: two window functions, which never look ahead, so that a
log as of an earlier day is matched as it would have been then. What is left takes back a part of a line: of
the latest earlier sale of the customer, product and price with at least that quantity, while enough is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.schema import written
from crm_analysis.doors.transactions.policies import Policies

# Columns that matching adds to the lines: order and day of the sale that a refund takes back.
FOUND = ("refund_of", "refund_of_on")


@dataclass(frozen=True)
class Matched:
    """Lines with `refund_of` and `refund_of_on`, where there was anything to match, and how many were.

    n_whole, n_part : refunds of a whole line, of a part of one.    n_alone : refunds without a sale.
    n_unnamed : those of them that carry no order id either.
    by : the columns by which they were matched.
    """

    lines: ir.Table
    n_whole: int = 0
    n_part: int = 0
    n_alone: int = 0
    n_unnamed: int = 0
    by: tuple[str, ...] = ()


def match_cancellations(kept: ir.Table, policies: Policies) -> Matched:
    """Match refunds that name no order, and cancellations, which name one of their own."""
    lines = kept.mutate(_names_no_order=_names_no_order(kept, policies))
    refunds = lines.filter(lines._names_no_order).drop("_names_no_order")
    if not refunds.count().to_pyarrow().as_py():
        return Matched(kept)
    by = _likeness(kept)
    customer: list[str] = [name for name in ("customer_id", "product_id") if name in by]
    sales = kept.filter(~kept.is_refund).semi_join(refunds, customer)
    events = sales.union(refunds)
    events = written(_bracketed(events.mutate(**_keys(events, by)), by))
    found = written(_with_parts(events, customer, by) if {"product_id", "size"} <= set(by) else events)
    refunds = found.filter(found.is_refund).select(*kept.columns, *FOUND)
    rest = lines.filter(~lines._names_no_order).drop("_names_no_order")
    empty = {"refund_of": ibis.null("string"), "refund_of_on": ibis.null("date")}
    return Matched(rest.mutate(**empty).union(refunds), *_count(found), by)


def _names_no_order(kept: ir.Table, policies: Policies) -> ir.BooleanValue:
    if "order_id" not in kept.columns:
        return kept.is_refund
    unnamed = kept.order_id.isnull()
    if policies.cancelled_orders:
        unnamed = unnamed | kept.order_id.startswith(policies.cancelled_orders)
    return kept.is_refund & unnamed


def _likeness(kept: ir.Table) -> tuple[str, ...]:
    """Columns in which a cancellation equals its sale."""
    known = [name for name in ("customer_id", "product_id") if name in kept.columns]
    return (*known, *(["size"] if "quantity" in kept.columns else []), "price")


def _keys(kept: ir.Table, by: tuple[str, ...]) -> dict[str, Any]:
    price = "unit_price" if {"unit_price", "quantity"} <= set(kept.columns) else "amount"
    return {"price": kept[price].abs()} | ({"size": kept.quantity.abs()} if "size" in by else {})


def _bracketed(events: ir.Table, by: tuple[str, ...]) -> ir.Table:
    """Events with the order and the day of the whole sale that a refund takes back.

    told : nothing is missing in it; what misses something is equal to nothing, and in groups of its own.
    undone_at : when a sale was cancelled whole, NULL where it never was.
    """
    events = events.mutate(told=ibis.and_(*(events[name].notnull() for name in by)))
    ties = [name for name in ("occurred_at", "is_refund", "order_id", "amount") if name in events.columns]
    step = events.is_refund.ifelse(-1, 1)
    height = step.sum().over(ibis.window(group_by=["told", *by], order_by=ties, rows=(None, 0)))
    events = events.mutate(level=height + events.is_refund.ifelse(1, 0))
    level = ibis.window(group_by=["told", *by, "level"], order_by=ties)
    before = (~events.is_refund).lag().over(level)
    whole = events.told & events.is_refund & ibis.coalesce(before, ibis.literal(False))
    after = events.is_refund.lead().over(level) & ~events.is_refund & events.told
    order = events.order_id.lag().over(level) if "order_id" in events.columns else ibis.null("string")
    return events.mutate(
        whole=whole,
        part=ibis.literal(False),
        refund_of=whole.ifelse(order, ibis.null("string")),
        refund_of_on=whole.ifelse(events.occurred_on.lag().over(level), ibis.null("date")),
        undone_at=after.ifelse(events.occurred_at.lead().over(level), ibis.null(events.occurred_at.type())),
    )


def _with_parts(events: ir.Table, customer: list[str], by: tuple[str, ...]) -> ir.Table:
    """Events, with the sales whose parts are taken back by refunds that undid no whole one."""
    same = [name for name in by if name != "size"]
    ties = [name for name in ("occurred_at", "order_id", *same, "size", "amount") if name in events.columns]
    numbered = ibis.row_number().over(ibis.window(order_by=ties))
    left = events.filter(events.is_refund & ~events.whole).mutate(number=numbered)
    sales = events.filter(~events.is_refund & events.told).mutate(sale=numbered)
    sold = sales.select(
        *same,
        "sale",
        "undone_at",
        sold_at=sales.occurred_at,
        sold=sales.size,
        sold_on=sales.occurred_on,
        sold_as=_order(sales),
    )
    pairs = left.inner_join(sold, same)
    pairs = pairs.filter(
        (pairs.sold_at <= pairs.occurred_at)
        & (pairs.sold >= pairs.size)
        & (pairs.undone_at_right.isnull() | (pairs.undone_at_right > pairs.occurred_at))
    )
    # Sales are numbered in the order of time: the latest has the largest number.
    latest = pairs.group_by("number").agg(sale=pairs.sale.max())
    sold = sold.select("sale", "sold", "sold_on", "sold_as")
    taken = left.left_join(latest, "number").drop("number_right").left_join(sold, "sale")
    so_far = taken.size.sum().over(
        ibis.window(group_by="sale", order_by=["occurred_at", "number"], rows=(None, 0))
    )
    taken = taken.mutate(part=ibis.coalesce(so_far <= taken.sold, ibis.literal(False)))
    taken = taken.mutate(
        refund_of=taken.part.ifelse(taken.sold_as, ibis.null("string")),
        refund_of_on=taken.part.ifelse(taken.sold_on, ibis.null("date")),
    )
    return events.filter(events.is_refund & events.whole).union(taken.select(events.columns))


def _order(sales: ir.Table) -> Any:
    return sales.order_id if "order_id" in sales.columns else ibis.null("string")


def _count(found: ir.Table) -> tuple[int, int, int, int]:
    alone = found.is_refund & ~found.whole & ~found.part
    unnamed = found.order_id.isnull() if "order_id" in found.columns else ibis.literal(True)
    asked = [found.is_refund & found.whole, found.is_refund & found.part, alone, alone & unnamed]
    counts = {f"n{i}": found.count(where=where) for i, where in enumerate(asked)}
    row = found.agg(**counts).to_pyarrow().to_pylist()[0]
    return row["n0"], row["n1"], row["n2"], row["n3"]
