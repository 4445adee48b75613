"""Lines become one row per customer, order and day.

A refund goes to the order that it takes off: that of the sale where a cancellation found one, else the one
whose id it carries, on its first day; else it stands on its own day.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.values import MONEY

ORDER = ["customer_id", "order_id"]
NOTHING = ibis.literal(0).cast(MONEY)


def merge(lines: ir.Table, *, refunds: str = "net in order", part_deliveries: str = "each day") -> ir.Table:
    """Sum lines per customer, order (if there are ids) and day.

    Parameters
    ----------
    refunds : "net in order" moves refunds to the day of their order; else they stay on their own.
    part_deliveries : "first day" moves all sales of an order to its first day.
    """
    keys = [name for name in ("customer_id", "order_id", "occurred_on") if name in lines.columns]
    money = [name for name in ("amount", "cost") if name in lines.columns]
    netted = refunds == "net in order"
    if part_deliveries == "first day" and "order_id" in keys:
        lines = _on_the_first_day(lines)
    if netted:
        lines = _refunds_found(lines, [*keys, *money, "is_refund"])
    steps = _summed(lines, keys, money)
    if not netted or "order_id" not in keys:
        return _whole(steps, keys, money)
    refunded = steps.filter((steps.n_refunds > 0) & steps.order_id.notnull()).select(ORDER).distinct()
    moved = _refunds_moved(steps.semi_join(refunded, ORDER), keys, money)
    return _whole(steps.anti_join(refunded, ORDER), keys, money).union(moved)


def _summed(lines: ir.Table, keys: list[str], money: list[str]) -> ir.Table:
    """Sums of the sales of each step, and of its refunds beside them: MONEY and MONEY_back."""
    refund = lines.is_refund
    parts = {
        **{name: refund.ifelse(NOTHING, lines[name]).sum().cast(MONEY) for name in money},
        **{f"{name}_back": refund.ifelse(lines[name], NOTHING).sum().cast(MONEY) for name in money},
    }
    counts = {"n_lines": lines.count(where=~refund), "n_refunds": lines.count(where=refund)}
    return lines.group_by(keys).agg(**parts, **counts)


def _whole(steps: ir.Table, keys: list[str], money: list[str]) -> ir.Table:
    """Steps with their refunds taken off where they are."""
    sums = {name: (steps[name] + steps[f"{name}_back"]).cast(MONEY) for name in money}
    return steps.select(*keys, **sums, n_lines=steps.n_lines, n_refunds=steps.n_refunds)


def _refunds_moved(steps: ir.Table, keys: list[str], money: list[str]) -> ir.Table:
    """Steps of refunded orders, with the refunds on the first day of their order."""
    none = ibis.literal(0, "int64")
    sold, back = steps.filter(steps.n_lines > 0), steps.filter(steps.n_refunds > 0)
    first = sold.group_by(ORDER).agg(ordered_on=sold.occurred_on.min())
    back = back.left_join(first, ORDER)
    back = back.select(
        *ORDER,
        occurred_on=ibis.coalesce(back.ordered_on, back.occurred_on),
        **{name: back[f"{name}_back"] for name in money},
        n_lines=none,
        n_refunds=back.n_refunds,
    )
    both = sold.select(*keys, *money, n_lines=sold.n_lines, n_refunds=none).union(back)
    sums = {name: both[name].sum().cast(MONEY) for name in money}
    counts = {name: both[name].sum().cast("int64") for name in ("n_lines", "n_refunds")}
    return both.group_by(keys).agg(**sums, **counts)


def _refunds_found(lines: ir.Table, columns: list[str]) -> ir.Table:
    """Cancellations under the order, and on the day, of the sale that was found for them."""
    if "refund_of_on" not in lines.columns:
        return lines
    found = {"occurred_on": ibis.coalesce(lines.refund_of_on, lines.occurred_on)}
    if "order_id" in columns:
        found["order_id"] = ibis.coalesce(lines.refund_of, lines.order_id)
    return lines.mutate(**found)


def _on_the_first_day(lines: ir.Table) -> ir.Table:
    """All sales of an order on its first day."""
    sales = lines.filter(~lines.is_refund)
    days = sales.group_by(ORDER).agg(first_on=sales.occurred_on.min())
    moved = lines.left_join(days, ORDER)
    day = ibis.coalesce(moved.is_refund.ifelse(ibis.null("date"), moved.first_on), moved.occurred_on)
    return moved.mutate(occurred_on=day).select(lines.columns)
