"""Which rows are kept, set aside or flagged, and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.currency import MISSING as MISSING_CURRENCY
from crm_analysis.doors.schema import Check, Checked, check_rows, is_missing
from crm_analysis.doors.transactions.amounts import all_zero, amount_checks, is_taken_back, with_difference
from crm_analysis.doors.transactions.people import test_customer_check
from crm_analysis.doors.transactions.policies import Policies
from crm_analysis.doors.transactions.repeats import comparable, duplicates
from crm_analysis.doors.values import product
from crm_analysis.doors.verdict import Defect
from crm_analysis.errors import ConfigError

NETTED = "refund netted"


def check_lines(
    table: ir.Table,
    policies: Policies,
    start: dt.date,
    end: dt.date,
    *,
    name: str,
    columns: Mapping[str, Any],
) -> Checked:
    """Rows of a log that can be trusted, the others under their reason, and what was found in both."""
    table = _with_days_and_refunds(table, policies)
    currency = [MISSING_CURRENCY] if "currency" in table.columns else []
    checks = [
        *_presence_checks(start, end, currency, columns),
        *([test_customer_check(policies.test_customers)] if policies.test_customers else []),
        *_policy_checks(policies),
        *amount_checks(table),
    ]
    share = policies.max_set_aside
    checked = with_difference(check_rows(table, checks, name=name, amount="amount", max_set_aside=share))
    found = []
    if not policies.drop_duplicates:
        found += duplicates(table, name, checked.n_rows_in, checked.money or 0.0)
    if not checked.verdict.n_kept:
        found.append(
            Defect("no rows", "refuse", f"{name}: no rows are left; correct the source or the dates")
        )
    return replace(checked, verdict=all_zero(checked.verdict).with_defects(found))


def _with_days_and_refunds(table: ir.Table, policies: Policies) -> ir.Table:
    refund = is_taken_back(table)
    if policies.cancelled_orders:
        if "order_id" not in table.columns:
            raise ConfigError("transactions: cancelled_orders needs a column for order_id; add it to columns")
        refund = refund | table.order_id.startswith(policies.cancelled_orders)
    added = {"occurred_on": table.occurred_at.date(), "is_refund": ibis.coalesce(refund, ibis.literal(False))}
    if "unit_cost" in table.columns and "quantity" in table.columns:
        added["cost"] = product(table.quantity, table.unit_cost)
    if policies.drop_duplicates:
        copies = ibis.window(group_by=[table[name] for name in comparable(table)])
        added["is_copy"] = ibis.row_number().over(copies) > 0
    return table.mutate(**added)


def _presence_checks(
    start: dt.date, end: dt.date, currency: list[Check], columns: Mapping[str, Any]
) -> list[Check]:
    """Rows that cannot be used, in the order in which a rule claims a row."""
    return [
        Check(
            "customer missing",
            "set aside",
            is_missing("customer_id"),
            f"name no customer ({_called('customer_id', columns)})",
            bias="repeat-buying rates and customer value are biased down if known customers bought these",
            shows=("occurred_on", "amount"),
        ),
        Check(
            "time missing",
            "set aside",
            is_missing("occurred_at"),
            f"have no time ({_called('occurred_at', columns)})",
            bias="purchases per customer are biased down",
            shows=("customer_id", "amount"),
        ),
        Check(
            "before observed_from",
            "set aside",
            lambda t: t.occurred_on < start,
            f"lie before observed_from {start}",
            bias="none, if the log is incomplete before that day",
            shows=("occurred_on", "customer_id"),
        ),
        Check(
            "after observed_until",
            "set aside",
            lambda t: t.occurred_on > end,
            f"lie after observed_until {end}",
            bias="none, if the log is incomplete after that day",
            shows=("occurred_on", "customer_id"),
        ),
        *currency,
        Check(
            "amount missing",
            "set aside",
            is_missing("amount"),
            f"have no amount ({_called('amount', columns)})",
            bias="purchases and revenue are biased down",
            shows=("customer_id", "occurred_on"),
        ),
    ]


def _called(name: str, columns: Mapping[str, Any]) -> str:
    """Canonical name, and that of the source, where it is one other column."""
    source = columns.get(name, name)
    return f"{name}, column {source!r}" if isinstance(source, str) and source != name else name


def _policy_checks(policies: Policies) -> list[Check]:
    """Rows that can be treated in more than one way."""
    shows = ("customer_id", "occurred_on", "amount")
    copies = Check(
        "exact duplicate",
        "set aside",
        lambda t: t.is_copy,
        "repeat another row in every column",
        bias="purchases are biased down if they were separate sales",
        shows=shows,
    )
    left_out = Check(
        "refund",
        "set aside",
        lambda t: t.is_refund,
        "are refunds or cancellations (negative amounts)",
        bias="revenue is biased up: it is before refunds",
        shows=shows,
    )
    how = "taken off their orders" if policies.refunds == "net in order" else "taken off on their own day"
    netted = Check(
        NETTED,
        "flag",
        lambda t: t.is_refund,
        f"are refunds or cancellations (negative amounts), {how}",
        bias="none on revenue; a purchase that was returned still counts as a purchase",
        shows=shows,
    )
    not_negative = Check(
        "cancellation with a positive amount",
        "refuse",
        lambda t: t.is_refund & (t.amount > 0),
        "cancel an order with a positive amount, a negative one was expected: turn the sign in the source, "
        "or correct cancelled_orders",
        shows=shows,
    )
    for_nothing = Check(
        "amount zero",
        "flag",
        lambda t: t.amount == 0,
        "have a zero amount (0.00)",
        bias="none on purchases, where they count; spend per purchase leaves them out",
        shows=shows,
    )
    return [
        *([copies] if policies.drop_duplicates else []),
        not_negative,
        left_out if policies.refunds == "set aside" else netted,
        for_nothing,
    ]
