"""The customer master: one row per customer, and `acquired_at`, which a purchase log cannot know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.schema import Check, Column, Schema, check_rows
from crm_analysis.doors.sources import read_table
from crm_analysis.doors.verdict import Verdict
from crm_analysis.errors import DataError

SCHEMA = Schema(
    "customers",
    (
        Column("customer_id", "id", required=True),
        Column("acquired_at", "day"),
        Column("source", "text"),
        Column("region", "text"),
        Column("segment", "text"),
        Column("acquired_by", "text"),
        Column("referred_by", "id"),
        Column("credit_days", "number"),
    ),
)
CHECKS = (
    Check(
        "customer missing",
        "set aside",
        lambda t: t.customer_id.isnull(),
        "name no customer (customer_id); complete them in the source",
        "the purchases of these customers have no acquisition date",
    ),
    Check(
        "customer twice",
        "refuse",
        lambda t: t.n_rows > 1,
        "share their customer_id with another row, one row per customer was expected: merge them",
        shows=("customer_id",),
    ),
)


@dataclass(frozen=True)
class Customers:
    """A checked customer master.

    table : customer_id, and where mapped acquired_at (date), source, region, segment, acquired_by,
        referred_by, credit_days.
    """

    table: ir.Table
    verdict: Verdict
    set_aside: dict[str, int]
    set_aside_rows: ir.Table
    n_rows_in: int


def read_customers(source: Any, *, columns: Mapping[str, Any], **options: Any) -> Customers:
    """Check a customer master; `options` as in `sources.Options`, and `engine`.

    Raises
    ------
    DataError
        Carrying the verdict: a column is missing or unreadable, a customer is there twice.
    """
    customers = _check(source, columns, options)
    customers.verdict.raise_if_refused()
    return customers


def check_customers(source: Any, *, columns: Mapping[str, Any], **options: Any) -> Verdict:
    """Return the verdict of `read_customers`, without raising it."""
    try:
        return _check(source, columns, options).verdict
    except DataError as error:
        if error.verdict is None:
            raise
        return error.verdict


def _check(source: Any, columns: Mapping[str, Any], options: dict[str, Any]) -> Customers:
    read = read_table(source, SCHEMA, columns=columns, **options)
    table = read.table
    counted = table.mutate(n_rows=table.count().over(ibis.window(group_by=table.customer_id)))
    checked = check_rows(counted, CHECKS, name=read.place)
    named = [column.name for column in SCHEMA.columns if column.name in checked.kept.columns]
    table = checked.kept.select(named)
    return Customers(
        table, read.judged(checked.verdict), checked.set_aside, checked.set_aside_rows, checked.n_rows_in
    )
