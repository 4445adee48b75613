"""What customers cost: goods, orders and service; and what was spent to win them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd

from crm_analysis.doors.schema import Check, Checked, Column, Schema, check_rows, is_missing
from crm_analysis.doors.sources import read_table
from crm_analysis.doors.transactions import Transactions
from crm_analysis.errors import ConfigError
from crm_analysis.workspace import Costs

SERVICE_KINDS = ("visit", "call", "return")
SPEND = Schema(
    "spend",
    (
        Column("month", "day", required=True),
        Column("spend", "money", required=True),
        Column("source", "text"),
    ),
)
SERVICE = Schema(
    "service",
    (
        Column("customer_id", "id", required=True),
        Column("occurred_at", "time", required=True),
        Column("kind", "text", required=True),
        Column("quantity", "number"),
    ),
)
SPEND_CHECKS = (
    Check("month missing", "refuse", is_missing("month"), "have no month; complete them in the source"),
    Check("spend missing", "refuse", is_missing("spend"), "have no spend; write 0 where nothing was spent"),
    Check("spend negative", "refuse", lambda t: t["spend"] < 0, "are negative; put their signs right"),
)
SERVICE_CHECKS = (
    Check(
        "customer missing",
        "set aside",
        is_missing("customer_id"),
        "name no customer (customer_id)",
        bias="the cost to serve is biased down",
        shows=("kind",),
    ),
    Check(
        "time missing",
        "set aside",
        is_missing("occurred_at"),
        "have no time (occurred_at)",
        bias="the cost to serve is biased down",
        shows=("customer_id",),
    ),
    Check(
        "kind unknown",
        "refuse",
        lambda t: ~ibis.coalesce(t["kind"].isin(SERVICE_KINDS), ibis.literal(False)),
        f"are of a kind that has no cost; one of {', '.join(SERVICE_KINDS)} was expected",
        shows=("kind",),
    ),
)


def read_spend(source: Any, *, columns: Mapping[str, Any], **options: Any) -> Checked:
    """Check money spent to win customers; kept: month (its first day), spend, and source where mapped.

    Raises
    ------
    DataError
        Carrying the verdict: a month or an amount is missing, unreadable or negative.
    """
    read = read_table(source, SPEND, columns=columns, **options)
    checked = check_rows(read.table, SPEND_CHECKS, name=read.place, amount="spend")
    checked = replace(checked, verdict=read.judged(checked.verdict))
    checked.verdict.raise_if_refused()
    return checked


def read_service(source: Any, *, columns: Mapping[str, Any], **options: Any) -> Checked:
    """Check visits, calls and returns; kept: customer_id, occurred_at, kind, and quantity where mapped.

    Raises
    ------
    DataError
        Carrying the verdict: a column is missing or unreadable, a kind is not known.
    """
    read = read_table(source, SERVICE, columns=columns, **options)
    checked = check_rows(read.table, SERVICE_CHECKS, name=read.place)
    checked = replace(checked, verdict=read.judged(checked.verdict))
    checked.verdict.raise_if_refused()
    return checked


def count_service(service: ir.Table, *, since: dt.date, until: dt.date) -> pd.DataFrame:
    """Units of service per customer and kind, in days from `since` to `until`, both included.

    Returns
    -------
    DataFrame, index customer_id, columns visit, call, return: units, 0 where there were none.
    """
    day = service.occurred_at.date()
    rows = service.filter((day >= since) & (day <= until))
    units = rows.quantity.sum() if "quantity" in rows.columns else rows.count().cast("float64")
    long = rows.group_by("customer_id", "kind").agg(units=units).to_pandas()
    wide = long.pivot_table(
        index="customer_id", columns="kind", values="units", aggfunc="sum", fill_value=0.0
    )
    return wide.reindex(columns=list(SERVICE_KINDS), fill_value=0.0).astype(float).sort_index()


def profit_per_customer(
    log: Transactions,
    *,
    since: dt.date,
    until: dt.date,
    costs: Costs,
    service: ir.Table | None,
    margin: float | None,
) -> pd.DataFrame:
    """Profit of each customer who bought, was refunded or was served from `since` to `until`, both included.

    Cost of goods is the lines' own where they carry unit costs, else revenue x (1 - margin).

    Returns
    -------
    DataFrame, index customer_id: revenue (refunds taken off, on their own day), cost_of_goods, cost_to_serve
    (orders and service units at the workspace's costs), profit.

    Raises
    ------
    ConfigError
        Neither unit costs nor a margin are known.
    """
    money = _money(log, since, until)
    if "cost_of_goods" not in money and margin is None:
        raise ConfigError(
            "profit: the log has no unit costs and the workspace no margin; map quantity and unit_cost, or "
            "set [value] margin to a share such as 0.3"
        )
    if "cost_of_goods" not in money:
        money["cost_of_goods"] = money["revenue"] * (1 - (margin or 0.0))
    served = _cost_to_serve(log, since, until, costs, service)
    table = pd.concat([money, served.rename("cost_to_serve")], axis="columns").fillna(0.0).sort_index()
    return table.assign(profit=table["revenue"] - table["cost_of_goods"] - table["cost_to_serve"])


def _money(log: Transactions, since: dt.date, until: dt.date) -> pd.DataFrame:
    lines = log.lines.filter((log.lines.occurred_on >= since) & (log.lines.occurred_on <= until))
    sums = {"revenue": lines.amount.sum().cast("float64")}
    if "cost" in lines.columns:
        sums["cost_of_goods"] = lines.cost.sum().cast("float64")
    return lines.group_by("customer_id").agg(**sums).to_pandas().set_index("customer_id")


def _cost_to_serve(
    log: Transactions, since: dt.date, until: dt.date, costs: Costs, service: ir.Table | None
) -> pd.Series:
    bought = log.purchases.filter((log.purchases.occurred_on >= since) & (log.purchases.occurred_on <= until))
    named = (
        bought.order_id.nunique() + is_missing("order_id")(bought).sum() if log.has_orders else bought.count()
    )
    orders = (
        bought.group_by("customer_id").agg(n=named.cast("int64")).to_pandas().set_index("customer_id")["n"]
    )
    total = orders * costs.of_kind("order")
    if service is None:
        return total
    units = count_service(service, since=since, until=until)
    prices = pd.Series({kind: costs.of_kind(kind) for kind in SERVICE_KINDS})
    return total.add(units.mul(prices).sum(axis="columns"), fill_value=0.0)
