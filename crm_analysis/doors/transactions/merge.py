"""Lines become one row per customer, order and day.

A refund goes to the order that it takes off: that of the sale where a cancellation found one, else the one
whose id it carries, on its first day; else it stands on its own day.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.values import MONEY


def merge(lines: ir.Table, *, refunds: str = "net in order", part_deliveries: str = "each day") -> ir.Table:
    """Sum lines per customer, order (if there are ids) and day.

    Parameters
    ----------
    refunds : "net in order" moves refunds to the day of their order; else they stay on their own.
    part_deliveries : "first day" moves all sales of an order to its first day.
    """
    keys = [name for name in ("customer_id", "order_id", "occurred_on") if name in lines.columns]
    columns = [*keys, "amount", "is_refund", *(["cost"] if "cost" in lines.columns else [])]
    if part_deliveries == "first day" and "order_id" in keys:
        lines = _on_the_first_day(lines)
    if refunds == "net in order":
        lines = _refunds_found(lines, columns)
        lines = _on_the_day_of_the_order(lines.select(columns)) if "order_id" in keys else lines
    sums = {"amount": lines.amount.sum().cast(MONEY)}
    if "cost" in lines.columns:
        sums["cost"] = lines.cost.sum().cast(MONEY)
    return lines.group_by(keys).agg(
        **sums,
        n_lines=(~lines.is_refund).ifelse(1, 0).sum(),
        n_refunds=lines.is_refund.ifelse(1, 0).sum(),
    )


def _refunds_found(lines: ir.Table, columns: list[str]) -> ir.Table:
    """Cancellations under the order, and on the day, of the sale that was found for them."""
    if "refund_of_on" not in lines.columns:
        return lines
    found = {"occurred_on": ibis.coalesce(lines.refund_of_on, lines.occurred_on)}
    if "order_id" in columns:
        found["order_id"] = ibis.coalesce(lines.refund_of, lines.order_id)
    return lines.mutate(**found)


def _on_the_day_of_the_order(lines: ir.Table) -> ir.Table:
    refunds = lines.filter(lines.is_refund)
    sales = lines.filter(~lines.is_refund)
    order = ["customer_id", "order_id"]
    refunded = sales.semi_join(refunds, order)
    days = refunded.group_by(order).agg(ordered_on=refunded.occurred_on.min())
    moved = refunds.left_join(days, order)
    day = ibis.coalesce(moved.ordered_on, moved.occurred_on)
    return sales.union(moved.mutate(occurred_on=day).select(lines.columns))


def _on_the_first_day(lines: ir.Table) -> ir.Table:
    """All sales of an order on its first day."""
    order = ["customer_id", "order_id"]
    sales = lines.filter(~lines.is_refund)
    days = sales.group_by(order).agg(first_on=sales.occurred_on.min())
    moved = lines.left_join(days, order)
    day = ibis.coalesce(moved.is_refund.ifelse(ibis.null("date"), moved.first_on), moved.occurred_on)
    return moved.mutate(occurred_on=day).select(lines.columns)
