"""Rows that repeat another one in every column of the source."""

from __future__ import annotations

import ibis.expr.types as ir

from crm_analysis.doors.schema import PLACES
from crm_analysis.doors.verdict import Defect


def comparable(table: ir.Table) -> list[str]:
    """Columns of the source that can be compared, canonical ones as they were read."""
    derived = (*PLACES, "occurred_on", "is_refund", "cost")
    kinds = {name: table[name].type() for name in table.columns if name not in derived}
    return [name for name, kind in kinds.items() if not (kind.is_nested() or kind.is_json())]


def duplicates(table: ir.Table, name: str, n_rows: int) -> list[Defect]:
    """Rows that repeat another one in every column of the source."""
    groups = table.group_by(comparable(table)).agg(n=table.count())
    groups = groups.filter(groups.n > 1)
    groups = groups.select("customer_id", "occurred_at", "amount", total=(groups.n - 1).sum().over())
    rows = groups.order_by(["customer_id", "occurred_at", "amount"]).limit(3).to_pyarrow().to_pylist()
    if not rows:
        return []
    n = int(rows[0]["total"])
    shown = tuple(f"customer_id {r['customer_id']}, {r['occurred_at']}, amount {r['amount']}" for r in rows)
    sentence = (
        f"{name}: {n:,} of {n_rows:,} rows ({n / n_rows:.1%}) are exact duplicates of another row; they are "
        "kept: set dropduplicates = true if the export doubled them"
    )
    bias = "revenue is biased up if the export doubled them"
    return [Defect("exact duplicate", "flag", sentence, n, n / n_rows, examples=shown, bias=bias)]
