"""Lines become one row per customer, order and day."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.values import MONEY


def merge(lines: ir.Table) -> ir.Table:
    """Sum lines per customer, order (if there are ids) and day; a refund goes to its order's first day."""
    keys = [name for name in ("customer_id", "order_id", "occurred_on") if name in lines.columns]
    placed = _on_the_day_of_the_order(lines, keys) if "order_id" in keys else lines
    sums = {"amount": placed.amount.sum().cast(MONEY)}
    if "cost" in placed.columns:
        sums["cost"] = placed.cost.sum().cast(MONEY)
    return placed.group_by(keys).agg(
        **sums,
        n_lines=(~placed.is_refund).ifelse(1, 0).sum(),
        n_refunds=placed.is_refund.ifelse(1, 0).sum(),
    )


def _on_the_day_of_the_order(lines: ir.Table, keys: list[str]) -> ir.Table:
    columns = [*keys, "amount", "is_refund", *(["cost"] if "cost" in lines.columns else [])]
    lines = lines.select(columns)
    refunds = lines.filter(lines.is_refund)
    sales = lines.filter(~lines.is_refund)
    order = ["customer_id", "order_id"]
    refunded = sales.semi_join(refunds, order)
    days = refunded.group_by(order).agg(ordered_on=refunded.occurred_on.min())
    moved = refunds.left_join(days, order)
    day = ibis.coalesce(moved.ordered_on, moved.occurred_on)
    return sales.union(moved.mutate(occurred_on=day).select(columns))
