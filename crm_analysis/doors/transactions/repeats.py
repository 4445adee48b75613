"""Rows that repeat another one in every column of the source."""

from __future__ import annotations

import ibis.expr.types as ir

from crm_analysis.doors.schema import N_EXAMPLES, PLACES, written
from crm_analysis.doors.transactions.hashes import has_hashes, hash_of
from crm_analysis.doors.verdict import Defect


def comparable(table: ir.Table) -> list[str]:
    """Columns of the source that can be compared, canonical ones as they were read."""
    derived = (*PLACES, "occurred_on", "is_refund", "cost")
    kinds = {name: table[name].type() for name in table.columns if name not in derived}
    return [name for name, kind in kinds.items() if not (kind.is_nested() or kind.is_json())]


def duplicates(table: ir.Table, name: str, n_rows: int, money: float) -> list[Defect]:
    """Rows that repeat another one in every column of the source."""
    columns = comparable(table)
    suspects = _suspects(table, columns)
    if suspects is None:
        return []
    groups = suspects.group_by(columns).agg(n=suspects.count())
    groups = groups.filter(groups.n > 1)
    groups = groups.select(
        "customer_id",
        "occurred_at",
        "amount",
        total=(groups.n - 1).sum().over(),
        money=(groups.amount.abs() * (groups.n - 1)).sum().over(),
    )
    order = ["customer_id", "occurred_at", "amount"]
    rows = groups.order_by(order).limit(N_EXAMPLES).to_pyarrow().to_pylist()
    if not rows:
        return []
    n, share = int(rows[0]["total"]), float(rows[0]["money"] or 0) / money if money else None
    shown = tuple(f"customer_id {r['customer_id']}, {r['occurred_at']}, amount {r['amount']}" for r in rows)
    sentence = (
        f"{name}: {n:,} of {n_rows:,} rows ({n / n_rows:.1%}) are exact duplicates of another row; they are "
        "kept: set drop_duplicates = true if the export doubled them"
    )
    bias = "revenue is biased up if the export doubled them"
    return [Defect("exact duplicate", "flag", sentence, n, n / n_rows, share, shown, bias)]


def _suspects(table: ir.Table, columns: list[str]) -> ir.Table | None:
    """Rows that share a hash of all columns with another row; None where no two do.

    Numbers are counted in half the time of whole rows. Engines without a hash of theirs compare all rows.
    """
    if not has_hashes(table):
        return table
    hashed = table.mutate(hash_of_row=hash_of(*(table[name] for name in columns)))
    again = hashed.group_by("hash_of_row").agg(n=hashed.count())
    again = written(again.filter(again.n > 1).select("hash_of_row"))
    if not again.count().to_pyarrow().as_py():
        return None
    return hashed.semi_join(again, "hash_of_row").drop("hash_of_row")
