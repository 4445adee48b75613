"""Our totals per day: revenue by the day of each line, orders by the day of their first purchase."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pandas as pd

if TYPE_CHECKING:
    from crm_analysis.doors.transactions import Transactions


def revenue_per_day(log: Transactions) -> pd.Series:
    """Revenue of each day, refunds taken off on their own day."""
    lines = log.lines
    return per_day(lines.group_by(day=lines.occurred_on).agg(value=lines.amount.sum().cast("float64")))


def orders_per_day(log: Transactions) -> pd.Series:
    """Orders placed on each day."""
    orders = placed(log)
    orders = orders.filter(orders.n_days > 0)
    return per_day(orders.group_by("day").agg(value=orders.count()))


def placed(log: Transactions) -> ir.Table:
    """One row per order: its first day, on how many days it has purchases, and its amount net of refunds.

    Without an order id an order is a customer and a day.
    """
    merged = log.merged
    bought = merged.n_lines > 0
    keys = {"customer_id": merged.customer_id, "own_day": merged.occurred_on}
    if log.has_orders:
        named = merged.order_id.notnull()  # noqa: PD004
        keys = {
            "customer_id": merged.customer_id,
            "order_id": merged.order_id,
            "own_day": named.ifelse(ibis.null("date"), merged.occurred_on),
        }
    first = merged.occurred_on.min(where=bought)
    return merged.group_by(**keys).agg(
        day=ibis.coalesce(first, merged.occurred_on.min()),
        n_days=bought.ifelse(1, 0).sum(),
        amount=merged.amount.sum(),
    )


def per_day(table: ir.Table) -> pd.Series:
    """Column `value` by column `day`, rows without a day left out."""
    rows = table.select("day", "value").to_pandas().dropna(subset=["day"])
    return pd.Series(
        rows["value"].to_numpy(float), pd.DatetimeIndex(pd.to_datetime(rows["day"]))
    ).sort_index()
