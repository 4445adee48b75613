"""Customers one by one: when each was first seen, and whether its id looks like a test."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pandas as pd

from crm_analysis.doors.schema import N_EXAMPLES, Check
from crm_analysis.doors.verdict import Defect

# Whole words: "contest" and "Testa" are names.
SUSPICIOUS = "(^|[^a-z])(test|demo|dummy|sample|xxx)([^a-z]|$)|测试"


@dataclass(frozen=True)
class People:
    """Customers counted: month first seen, suspicious (their ids look like tests), n, n_lines, sold."""

    lines: ir.Table
    counts: pd.DataFrame

    def per_month(self) -> dict[str, int]:
        """Customers first seen, by month such as "2025-12"."""
        months = self.counts.groupby("month")["n"].sum()
        return {f"{month:%Y-%m}": int(n) for month, n in months.items()}


def count_people(lines: ir.Table) -> People:
    """Count customers by the month in which they were first seen."""
    each = _each(lines)
    counts = each.group_by("suspicious", month=each.first_on.truncate("M")).agg(
        n=each.count(), n_lines=each.n_lines.sum(), sold=each.sold.sum().cast("float64")
    )
    return People(lines, counts.to_pandas().sort_values(["month", "suspicious"], ignore_index=True))


def _each(lines: ir.Table) -> ir.Table:
    each = lines.group_by("customer_id").agg(
        first_on=lines.occurred_on.min(),
        n_lines=lines.count(),
        sold=lines.is_refund.ifelse(ibis.literal(0).cast(lines.amount.type()), lines.amount).sum(),
    )
    return each.mutate(suspicious=each.customer_id.lower().re_search(SUSPICIOUS))


def suspicious_defects(people: People, n_rows: int, name: str) -> list[Defect]:
    """Flag ids that look like tests; they stay until they are listed."""
    found = people.counts[people.counts["suspicious"]]
    if found.empty:
        return []
    n_lines, sold = int(found["n_lines"].sum()), float(people.counts["sold"].sum())
    each = _each(people.lines)
    some = each.filter(each.suspicious).order_by(ibis.desc("sold"), "customer_id").limit(N_EXAMPLES)
    ids = some.to_pyarrow().column("customer_id").to_pylist()
    n, n_all = found["n"].sum(), people.counts["n"].sum()
    sentence = (
        f"{name}: the ids of {n:,} of {n_all:,} customers look like tests, with {n_lines:,} rows; they are "
        "kept: list those that are in test_customers"
    )
    examples = tuple(f"customer_id {each}" for each in ids)
    share = float(found["sold"].sum()) / sold if sold else None
    bias = "purchases and revenue are biased up if these are no customers"
    return [Defect("suspicious customer", "flag", sentence, n_lines, n_lines / n_rows, share, examples, bias)]


def test_customer_check(patterns: Sequence[str]) -> Check:
    """Set the listed customers aside."""
    return Check(
        "test customer",
        "set aside",
        lambda table: is_listed(table.customer_id, patterns),
        "belong to test customers (test_customers)",
        bias="none, if none of them is a real customer",
        shows=("customer_id", "occurred_on", "amount"),
    )


def is_listed(customer: ir.StringValue, patterns: Sequence[str]) -> ir.BooleanValue:
    """Whether an id is one of these, or fits one of these patterns: * is any text, ? any sign."""
    exact = [pattern for pattern in patterns if not re.search(r"[*?]", pattern)]
    found = [customer.isin(exact)] if exact else []
    for pattern in (p for p in patterns if p not in exact):
        if re.fullmatch(r"[^*?]+\*", pattern):
            found.append(customer.startswith(pattern[:-1]))
        else:
            found.append(customer.re_search(_expression(pattern)))
    return ibis.or_(*found)


def _expression(pattern: str) -> str:
    """Regular expression, in the words that all engines know, of a pattern with * and ?."""
    signs = {"*": ".*", "?": "."}
    return "^" + "".join(signs.get(sign, re.escape(sign)) for sign in pattern) + "$"
