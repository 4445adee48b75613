"""What could account for a difference from the ledger: each reason's money and orders, per day.

A reason's amount is what the difference (ours - ledger's) would be if the ledger did it the other way:
refunds that we take off, and a ledger before refunds does not, are negative.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import ibis.expr.types as ir
import pandas as pd

from crm_analysis.doors.control.clocks import Clocks, of_clocks
from crm_analysis.doors.control.ours import per_day, placed
from crm_analysis.doors.control.reason import Reason

if TYPE_CHECKING:
    from crm_analysis.doors.transactions import Transactions

SET_ASIDE = {
    "refund": 'the ledger is after refunds: set refunds = "net in order"',
    "customer missing": "the ledger holds sales that name no customer: complete customer_id in the source, "
    "or take them off the ledger's totals",
    "exact duplicate": "the ledger holds rows that we dropped as duplicates: set drop_duplicates = false",
}


def of_revenue(
    log: Transactions, *, bounds: Iterable[dt.date], clocks: Clocks, currency: str | None
) -> list[Reason]:
    """Reasons that move revenue; `bounds` are the periods' first days, and the days after their last."""
    reasons = [
        *_of_lines(log, currency),
        *_of_rows_set_aside(log),
        *_of_duplicates(log),
        *_of_dates(log),
        *of_clocks(log, sorted(set(bounds)), clocks),
    ]
    return [reason for reason in reasons if reason.per_day.round(4).any()]


def of_orders(log: Transactions) -> list[Reason]:
    """Reasons that move the number of orders."""
    orders = placed(log)
    several, none = orders.n_days > 1, orders.n_days == 0
    counts = {
        "part deliveries": (
            -orders.n_days.sum(where=several) + several.sum(),
            "the ledger counts each delivery of an order",
        ),
        "refunds alone": (-none.sum(), "the ledger counts refunds as orders"),
        "orders refunded whole": (
            ((orders.n_days > 0) & (orders.amount <= 0)).sum(),
            "the ledger does not count orders that were refunded whole",
        ),
    }
    table = _wide(orders.group_by("day").agg(**{name: value for name, (value, _) in counts.items()}))
    reasons = [Reason(name, table[name], says, name) for name, (_, says) in counts.items()]
    reasons += _orders_set_aside(log) if log.has_orders else []
    return [reason for reason in reasons if reason.per_day.any()]


# Lines ----------------------------------------------------------------------------------------------------


def _of_lines(log: Transactions, currency: str | None) -> list[Reason]:
    lines = log.lines
    found: dict[str, tuple[Any, str, str]] = {
        "refunds": (
            lines.amount.sum(where=lines.is_refund),
            'the ledger is before refunds: set refunds = "set aside"',
            "refunds",
        )
    }
    if "discount" in lines.columns:
        found["discounts"] = (-lines.discount.sum(), "the ledger is before discounts", "discounts")
    if "amount_original" in lines.columns:
        found["conversion"] = (
            lines.amount.sum() - lines.amount_original.sum(),
            "the ledger adds up amounts that are not converted",
            "currency",
        )
        found["other currencies"] = (
            lines.amount.sum(where=lines.currency != (currency or "")),
            f"the ledger holds sales in {currency} only",
            "currency",
        )
    sums = {name: amount.cast("float64") for name, (amount, *_) in found.items()}
    table = _wide(lines.group_by(day=lines.occurred_on).agg(**sums))
    nouns = {"conversion": "exchange differences", "other currencies": "sales in other currencies"}
    return [
        Reason(name, table[name], says, family, nouns.get(name, ""))
        for name, (_, says, family) in found.items()
    ]


def _of_duplicates(log: Transactions) -> list[Reason]:
    """Doubles that were kept, looked for only where the door saw some."""
    if not any(d.name == "exact duplicate" and d.consequence == "flag" for d in log.verdict.defects):
        return []
    lines = log.lines
    groups = lines.group_by(list(lines.columns)).agg(n=lines.count())
    groups = groups.filter(groups.n > 1)
    money = (groups.amount * (groups.n - 1)).sum().cast("float64")
    doubled = per_day(groups.group_by(day=groups.occurred_on).agg(value=money))
    says = "the ledger holds no duplicates: set drop_duplicates = true"
    return [Reason("exact duplicates kept", doubled, says, "duplicates", "exact duplicates")]


def _of_dates(log: Transactions) -> list[Reason]:
    """Money that the ledger may date by its order."""
    if not log.has_orders:
        return []
    lines, merged = log.lines, log.merged
    own = per_day(lines.group_by(day=lines.occurred_on).agg(value=lines.amount.sum().cast("float64")))
    kept = per_day(merged.group_by(day=merged.occurred_on).agg(value=merged.amount.sum().cast("float64")))
    orders = placed(log)
    first = per_day(orders.group_by("day").agg(value=orders.amount.sum().cast("float64")))
    return [
        Reason(
            "day merge",
            _less(own, kept),
            "the ledger dates refunds by their order",
            "dates",
            "refunds of other days",
        ),
        Reason(
            "part deliveries",
            _less(own, first),
            "the ledger dates an order by its first day",
            "dates",
            "later deliveries",
        ),
    ]


def _less(own: pd.Series, other: pd.Series) -> pd.Series:
    return own.sub(other, fill_value=0.0).round(4)


# Rows set aside -------------------------------------------------------------------------------------------


def _of_rows_set_aside(log: Transactions) -> list[Reason]:
    """Rows that a ledger may hold; with and without their refunds, where there are both."""
    if not log.set_aside:
        return []
    aside = log.set_aside_rows
    sums = aside.group_by("reason", day=aside.occurred_on).agg(
        all=aside.amount.sum().cast("float64"),
        sales=aside.amount.sum(where=aside.amount > 0).cast("float64"),
    )
    rows = sums.to_pandas().dropna(subset=["day"]).fillna(0.0)
    found = []
    for reason, table in rows.groupby("reason"):
        days = pd.DatetimeIndex(pd.to_datetime(table["day"]))
        money = table[["all", "sales"]].set_axis(days)
        says = SET_ASIDE.get(str(reason), f"the ledger holds rows that are set aside as {reason!r}")
        name, noun = f"set aside: {reason}", f"rows set aside as {reason}"
        found.append(Reason(name, -money["all"], says, name, noun))
        if 0 < money["sales"].sum() != money["all"].sum():
            before = f"{says} (before refunds)"
            found.append(Reason(f"{name}, sales only", -money["sales"], before, name, f"sales of {noun}"))
    return found


def _orders_set_aside(log: Transactions) -> list[Reason]:
    """Orders of which no row was kept."""
    aside = log.set_aside_rows
    rows = aside.filter(aside.order_id.notnull() & (aside.amount >= 0))  # noqa: PD004
    rows = rows.anti_join(log.lines.select("order_id").distinct(), "order_id")
    orders = rows.group_by("order_id").agg(reason=rows.reason.min(), day=rows.occurred_on.min())
    counts = orders.group_by("reason", "day").agg(n=orders.count()).to_pandas().dropna(subset=["day"])
    return [
        Reason(
            f"set aside: {reason}",
            -pd.Series(table["n"].to_numpy(float), pd.DatetimeIndex(pd.to_datetime(table["day"]))),
            SET_ASIDE.get(str(reason), f"the ledger holds rows that are set aside as {reason!r}"),
            f"set aside: {reason}",
            f"orders set aside as {reason}",
        )
        for reason, table in counts.groupby("reason")
    ]


def _wide(table: ir.Table) -> pd.DataFrame:
    """Sums per day, index day; rows without a day left out."""
    frame = table.to_pandas().dropna(subset=["day"]).fillna(0.0)
    return frame.set_axis(pd.DatetimeIndex(pd.to_datetime(frame["day"]))).drop(columns="day").astype(float)
