"""Purchases become one row per customer: one Ibis expression, and its pandas.

Counts are of purchase days and orders (see `doors.transactions` for what a purchase is), money is all of the
customer's, refunds taken off. The papers' x, t_x and T are `n_repeat`, `t_last` and `t_observed`, in days.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import ibis
import ibis.expr.datatypes as dtypes
import ibis.expr.types as ir
import pandas as pd

from crm_analysis.doors.schema import is_missing
from crm_analysis.doors.transactions import Transactions, as_date
from crm_analysis.doors.values import MONEY
from crm_analysis.errors import ConfigError

DATES = ("first_at", "last_at", "acquired_at")


def customer_table(log: Transactions) -> ir.Table:
    """One row per customer with a purchase, in the engine of the log; see `summarise_customers`."""
    table = _per_customer(log)
    if log.acquired is not None:
        table = table.left_join(log.acquired, "customer_id").drop("customer_id_right")
    else:
        table = table.mutate(acquired_at=ibis.null("date"))
    return _derived(table, log)


def _per_customer(log: Transactions) -> ir.Table:
    """Count and sum what each customer did, over the customer's days."""
    days = _per_day(log.merged)
    bought = days.n_lines > 0
    paid = bought & (days.spent > 0)
    table = days.group_by("customer_id").agg(
        first_on=days.occurred_on.min(where=bought),
        last_on=days.occurred_on.max(where=bought),
        n_purchase_days=bought.ifelse(1, 0).sum(),
        n_paid=paid.ifelse(1, 0).sum(),
        paid=ibis.coalesce(days.spent.sum(where=paid), ibis.literal(0)).cast(MONEY),
        first_spent=_first(days.spent, days.occurred_on, where=bought),
        total_amount=days.amount.sum(),
        **({"total_cost": days.cost.sum()} if "cost" in days.columns else {}),
    )
    table = table.filter(table.n_purchase_days > 0)
    if not log.has_orders:
        return table.mutate(n_orders=table.n_purchase_days)
    return table.inner_join(_orders(log.purchases), "customer_id")


@ibis.udf.agg.builtin(signature=((dtypes.Decimal(38, 4), dtypes.date), dtypes.Decimal(38, 4)))
def arg_min(value: Any, order: Any) -> Any:
    """DuckDB's: the value of the row that is first in an order."""


def _first(value: Any, order: Any, *, where: Any) -> Any:
    """Value on the first day; DuckDB has a function that is many times faster than what Ibis writes."""
    if value.get_backend().name == "duckdb":
        return arg_min(value, order, where=where)
    return value.argmin(order, where=where)


def _per_day(merged: ir.Table) -> ir.Table:
    """One row per customer and day; `spent` is the day's purchases, `amount` refunds on their own as well."""
    return merged.group_by("customer_id", "occurred_on").agg(
        amount=merged.amount.sum(),
        spent=merged.amount.sum(where=merged.n_lines > 0),
        n_lines=merged.n_lines.sum(),
        **({"cost": merged.cost.sum()} if "cost" in merged.columns else {}),
    )


def _orders(purchases: ir.Table) -> ir.Table:
    """Orders per customer: one delivered over several days is one, one without an id is its day."""
    named = purchases.order_id.nunique()
    unnamed = is_missing("order_id")(purchases).ifelse(1, 0).sum()
    return purchases.group_by("customer_id").agg(n_orders=named + unnamed)


def _derived(table: ir.Table, log: Transactions) -> ir.Table:
    """Public columns; money leaves the decimals here."""
    until, sure_from = ibis.date(log.observed_until), log.observed_from + dt.timedelta(days=log.burn_in_days)
    first_was_paid = (table.first_spent > 0).ifelse(1, 0)
    n_paid_repeat = table.n_paid - first_was_paid
    paid_repeat = table.paid - (table.first_spent > 0).ifelse(table.first_spent, ibis.literal(0).cast(MONEY))
    complete = ibis.coalesce(table.acquired_at >= log.observed_from, table.first_on >= sure_from)
    return table.select(
        "customer_id",
        first_at=table.first_on.cast("timestamp(6)"),
        last_at=table.last_on.cast("timestamp(6)"),
        acquired_at=ibis.coalesce(table.acquired_at, table.first_on).cast("timestamp(6)"),
        n_orders=table.n_orders.cast("int64"),
        n_purchase_days=table.n_purchase_days.cast("int64"),
        n_repeat=(table.n_purchase_days - 1).cast("int64"),
        t_last=table.last_on.delta(table.first_on, unit="day").cast("int64"),
        t_observed=until.delta(table.first_on, unit="day").cast("int64"),
        days_since_last=until.delta(table.last_on, unit="day").cast("int64"),
        total_amount=table.total_amount.cast("float64"),
        mean_repeat_amount=paid_repeat.cast("float64") / n_paid_repeat.nullif(0),
        n_paid_repeat=n_paid_repeat.cast("int64"),
        history_complete=complete,
        **(
            {"total_profit": (table.total_amount - table.total_cost).cast("float64")}
            if "total_cost" in table.columns
            else {}
        ),
    )


def summarise_customers(log: Transactions) -> pd.DataFrame:
    """One row per customer with a purchase; index `customer_id`, sorted.

    Returns
    -------
    DataFrame with first_at, last_at, acquired_at (the master's, else first_at); n_orders, n_purchase_days,
    n_repeat (purchase days after the first); t_last, t_observed, days_since_last (days, at `observed_until`);
    total_amount (refunds taken off); mean_repeat_amount (mean of the repeat purchase days with an amount
    above 0, NaN without one) and n_paid_repeat (how many those are); history_complete (False for customers
    who may be older than the log); total_profit (amount less cost of goods, where line costs are known).
    """
    frame = customer_table(log).to_pandas().astype({name: "datetime64[us]" for name in DATES})
    frame["mean_repeat_amount"] = frame["mean_repeat_amount"].astype(float)
    return frame.set_index("customer_id").sort_index()


def split_holdout(
    log: Transactions, *, at: dt.date | str, until: dt.date | str | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return customers as they were at the end of `at`, and what they did in (at, until].

    Parameters
    ----------
    at, until : dates, that whole day included; `until` is `observed_until` unless given.

    Returns
    -------
    calibration : `summarise_customers` as seen at `at`.
    holdout : the same customers; n_holdout (purchase days), amount_holdout (money, refunds on their own taken
        off), duration (days).
    """
    start = as_date(at, "at")
    end = as_date(until, "until") if until is not None else log.observed_until
    if not log.observed_from <= start < end <= log.observed_until:
        raise ConfigError(
            f"split_holdout: at {start} and until {end} must be in order within the observed "
            f"{log.observed_from} to {log.observed_until}"
        )
    calibration = summarise_customers(log.as_of(start))
    days = _per_day(log.merged)
    days = days.filter((days.occurred_on > start) & (days.occurred_on <= end))
    later = days.group_by("customer_id").agg(
        n_holdout=(days.n_lines > 0).ifelse(1, 0).sum().cast("int64"),
        amount_holdout=days.amount.sum().cast("float64"),
    )
    found: Any = later.to_pandas().set_index("customer_id").reindex(calibration.index)
    holdout = found.fillna(0).astype({"n_holdout": "int64", "amount_holdout": float})
    return calibration, holdout.assign(duration=(end - start).days)
