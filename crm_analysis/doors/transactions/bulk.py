"""One-off bulk orders: named where they carry totals, and left out on request."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.schema import N_EXAMPLES
from crm_analysis.doors.transactions.orders import Orders, day_of, order_of
from crm_analysis.doors.verdict import Defect

REASON = "bulk order"


def large_orders(orders: Orders) -> list[dict[str, Any]]:
    """Orders from the limit on, the largest first: customer, order or day, money sold, net money, lines."""
    if orders.limit is None:
        return []
    lines = orders.lines
    by = {"order": order_of(lines)} if "order_id" in lines.columns else {"customer_id": lines.customer_id}
    day = {} if "order_id" in lines.columns else {"day": day_of(lines)}
    found = lines.group_by(**by, **day).agg(
        who=lines.customer_id.min(),
        first_on=lines.occurred_on.min(),
        sold=lines.amount.sum(where=~lines.is_refund),
        net=lines.amount.sum(),
        n_lines=lines.count(),
    )
    found = found.filter((found.sold.cast("float64") >= orders.limit) & found[next(iter(by))].notnull())
    return found.order_by(ibis.desc("sold"), *by, *day).to_pyarrow().to_pylist()


def is_large(lines: ir.Table, large: list[dict[str, Any]]) -> ir.BooleanValue:
    """Whether a line, or the sale that it takes back, is of one of these orders."""
    if "order_id" in lines.columns:
        found = order_of(lines).isin([row["order"] for row in large])
    else:
        here = [(lines.customer_id == row["customer_id"]) & (day_of(lines) == row["day"]) for row in large]
        found = ibis.or_(*here)
    return ibis.coalesce(found, ibis.literal(False))


def bulk_defect(
    orders: Orders, large: list[dict[str, Any]], *, aside: bool, n_rows: int, name: str
) -> Defect:
    """Say how many there are, what they carry, and which were cancelled."""
    n_lines, carried = sum(row["n_lines"] for row in large), float(sum(row["sold"] for row in large))
    cancelled = sum(row["net"] == 0 for row in large)
    sentence = (
        f"{name}: {len(large):,} of {orders.n_orders:,} orders are far larger than the others "
        f"({orders.limit:,.0f} or more) and carry {carried / orders.sold:.1%} of sales"
        f"{f'; {cancelled} of them were cancelled in full' if cancelled else ''}; "
        + ("they are left out" if aside else 'bulk_orders = "set aside" leaves them out')
    )
    bias = (
        "revenue is biased down" if aside else "means and forecasts are biased up if they do not come again"
    )
    examples = tuple(_words(row) for row in large[:N_EXAMPLES])
    return Defect(
        REASON,
        "set aside" if aside else "flag",
        sentence,
        n_lines,
        n_lines / n_rows,
        carried / orders.sold,
        examples,
        bias,
    )


def _words(row: dict[str, Any]) -> str:
    order = f"order_id {row['order']}, " if "order" in row else ""
    end = ", cancelled in full" if row["net"] == 0 else ""
    return f"{order}customer_id {row['who']}, {row['first_on']}: {row['sold']:,.2f}{end}"
