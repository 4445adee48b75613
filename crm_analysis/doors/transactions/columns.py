"""What a purchase log is made of."""

from __future__ import annotations

import ibis.expr.types as ir

from crm_analysis.doors.schema import Column, Schema
from crm_analysis.doors.transactions.cancellations import FOUND

SCHEMA = Schema(
    "transactions",
    (
        Column("customer_id", "id", required=True),
        Column("occurred_at", "time", required=True),
        Column("amount", "money", required=True),
        Column("order_id", "id"),
        Column("product_id", "id"),
        Column("category", "text"),
        Column("quantity", "number"),
        Column("unit_price", "money"),
        Column("unit_cost", "money"),
        Column("discount", "money"),
        Column("currency", "text"),
        Column("channel", "text"),
    ),
)


def line_columns(table: ir.Table) -> list[str]:
    """Columns of the checked lines, in the order in which they are published."""
    first = ["customer_id", "occurred_at", "occurred_on", "amount", "is_refund"]
    rest = [column.name for column in SCHEMA.columns if column.name not in first]
    return [name for name in (*first, *rest, "amount_original", "cost", *FOUND) if name in table.columns]
