"""What contacted customers bought before a campaign, in its window, and in the days after it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
import pandas as pd

from crm_analysis.doors.transactions import Transactions, as_date
from crm_analysis.errors import ConfigError, DataError

SPANS = ("before", "during", "after")
MEASURES = ("orders", "amount", "profit")


@dataclass(frozen=True)
class Orders:
    """Purchases as campaigns see them.

    table : customer_id, occurred_on, is_order (False for a refund on its own), amount, profit (missing where
        not known), and campaign where each response is known to belong to one.
    first_on : first purchase of every customer known.
    observed_from, observed_until : first and last day observed; None where they are not known, and where
        responses carry no dates.
    """

    table: pd.DataFrame
    first_on: pd.Series
    observed_from: dt.date | None
    observed_until: dt.date | None


def read_orders(
    responses: Transactions | pd.DataFrame, *, margin: float | None, observed_until: dt.date | str | None
) -> Orders:
    """Orders of a checked log, or of a table: customer_id, occurred_at or occurred_on, amount, profit.

    Parameters
    ----------
    responses : a table with a column campaign is one of responses: each counts for that campaign only, and
        needs no date.
    margin : profit as a share of the amount; by default the log's own costs, or the column profit.
    observed_until : last day observed; a log knows its own.

    Raises
    ------
    DataError
        A column is missing.
    ConfigError
        A table with dates, and no `observed_until`.
    """
    if isinstance(responses, pd.DataFrame):
        table, since = _of_table(responses), None
        until = as_date(observed_until, "observed_until") if observed_until is not None else None
        if until is None and "occurred_on" in table:
            raise ConfigError("campaigns: give observed_until=, the last day that the responses cover")
    else:
        table, since, until = _of_log(responses), responses.observed_from, responses.observed_until
    if margin is not None:
        table["profit"] = table["amount"] * margin
    if "occurred_on" not in table:
        return Orders(table, pd.Series(dtype="datetime64[us]"), since, until)
    table = table if until is None else table[table["occurred_on"] <= pd.Timestamp(until)]
    first_on = table[table["is_order"]].groupby("customer_id")["occurred_on"].min()
    return Orders(table, first_on, since, until)


def _of_log(log: Transactions) -> pd.DataFrame:
    """Orders with their profit, each on its first day; refunds are taken off the order they belong to."""
    bought: Any = log.merged
    keys = ["customer_id", "order_id"] if log.has_orders else ["customer_id", "occurred_on"]
    if log.has_orders:
        bought = bought.mutate(order_id=ibis.coalesce(bought.order_id, bought.occurred_on.cast("string")))
    costs = {"cost": bought.cost.sum().cast("float64")} if "cost" in bought.columns else {}
    found = bought.group_by(keys).agg(
        **({} if "occurred_on" in keys else {"occurred_on": bought.occurred_on.min()}),
        is_order=bought.n_lines.sum() > 0,
        amount=bought.amount.sum().cast("float64"),
        **costs,
    )
    table = found.to_pandas()
    table["profit"] = table["amount"] - table["cost"] if costs else np.nan
    table = table[["customer_id", "occurred_on", "is_order", "amount", "profit"]]
    table = table.astype({"occurred_on": "datetime64[us]"})
    return table.sort_values(["customer_id", "occurred_on", "amount"], ignore_index=True)


def _of_table(table: pd.DataFrame) -> pd.DataFrame:
    if "customer_id" not in table:
        raise DataError(f"responses: no column customer_id; columns present: {list(table.columns)}")
    when = next((name for name in ("occurred_on", "occurred_at") if name in table), None)
    if when is None and "campaign" not in table:
        raise DataError(
            "responses: neither a day (occurred_at) nor a campaign; a response counts by one or the other; "
            f"columns present: {list(table.columns)}"
        )
    kept = {name: table[name] for name in ("campaign", "customer_id") if name in table}
    if when is not None:
        kept["occurred_on"] = pd.to_datetime(table[when]).astype("datetime64[us]").dt.normalize()
    money = {name: table.get(name, pd.Series(np.nan, table.index)).astype(float) for name in MEASURES[1:]}
    return pd.DataFrame(kept | {"is_order": True} | money)


def member_outcomes(
    rows: pd.DataFrame, orders: Orders, *, before_days: int, after_days: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sum what each contacted customer bought, per span; intention to treat: those who bought nothing are 0.

    Parameters
    ----------
    rows : `contacts.assigned`.
    before_days, after_days : length of the spans just before the first day and just after the last.

    Returns
    -------
    members : the rows, with orders_before, amount_before, profit_before, and the same for during and after.
        Spans that are not over, or began before the first observed day, are missing.
    found : every order of a member: member (position in `members`), span, amount, profit.
    """
    found = _orders_of(rows, orders, before_days, after_days)
    members = rows.copy()
    for span in SPANS:
        part = found[found["span"] == span].groupby("member")
        sums = {"orders": part["is_order"].sum(), "amount": part["amount"].sum(min_count=1)}
        sums["profit"] = part["profit"].sum(min_count=1)
        over = _observed(rows, orders, span, after_days)
        for name, values in sums.items():
            known = over & (name == "orders" or bool(orders.table[name].notna().all()))
            filled = values.reindex(range(len(rows))).fillna(0.0).to_numpy(float)
            members[f"{name}_{span}"] = np.where(known, filled, np.nan)
    return members, found


def _observed(rows: pd.DataFrame, orders: Orders, span: str, after_days: int) -> pd.Series:
    """Whether a span of each member was observed; what came before the log is taken as far as it is known."""
    seen = pd.Series(True, rows.index)
    if "occurred_on" not in orders.table:
        return seen & (span == "during")
    if span == "before":
        return seen
    if orders.observed_from is not None:
        seen &= rows["start"] >= pd.Timestamp(orders.observed_from)
    last = rows["end"] + pd.Timedelta(days=after_days if span == "after" else 0)
    if orders.observed_until is not None:
        seen &= last <= pd.Timestamp(orders.observed_until)
    return seen & (span == "during" or after_days > 0)


def _orders_of(rows: pd.DataFrame, orders: Orders, before_days: int, after_days: int) -> pd.DataFrame:
    keys = ["campaign", "customer_id"] if "campaign" in orders.table else ["customer_id"]
    numbered = rows[["campaign", "customer_id", "start", "end"]].assign(member=range(len(rows)))
    found = numbered.merge(orders.table, on=keys)
    if "occurred_on" not in found:
        return found.assign(span="during")
    days_in = (found["occurred_on"] - found["start"]).dt.days
    days_past = (found["occurred_on"] - found["end"]).dt.days
    spans = [
        (days_in < 0) & (days_in >= -before_days),
        (days_in >= 0) & (days_past <= 0),
        (days_past > 0) & (days_past <= after_days),
    ]
    found["span"] = np.select(spans, SPANS, default="")
    return found[found["span"] != ""].reset_index(drop=True)


def unknown_customers(rows: pd.DataFrame, orders: Orders) -> pd.Series:
    """Whether each contacted customer never appears in the responses.

    Raises
    ------
    DataError
        None of them does though there are responses: the ids are of different kinds.
    """
    unknown = ~rows["customer_id"].isin(orders.table["customer_id"])
    if len(rows) and len(orders.table) and unknown.all():
        ours, theirs = rows["customer_id"].iloc[0], orders.table["customer_id"].iloc[0]
        raise DataError(
            f"contacts: none of the {len(rows)} contacted customers is in the responses; contacts have ids "
            f"such as {ours!r}, responses such as {theirs!r}"
        )
    return unknown
