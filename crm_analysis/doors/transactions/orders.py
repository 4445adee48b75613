"""What orders are like: delivered in parts, shared by customers, or so large that they carry totals.

One pass over the lines sums every order, and a histogram of the orders comes back. An order is large where
its modified z-score, on logarithms, is above 5: 0.6745 (x - median) / MAD, by Iglewicz and Hoaglin (1993),
who take 3.5 for normal data; amounts of orders have longer tails.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from crm_analysis.doors.schema import N_EXAMPLES
from crm_analysis.doors.transactions.hashes import has_hashes, hash_of
from crm_analysis.doors.verdict import Defect

FAR = 5.0
CARRIES = 0.01
ENOUGH_ORDERS = 30
BINS_PER_E = 20


@dataclass(frozen=True)
class Orders:
    """Counts of the orders of a log; money is that of sales, before refunds.

    bins : orders, money of them, n_refunds of orders without a sale and one example, per bin of log money,
        in_parts (lines on several days) and shared (by several customers).
    """

    lines: ir.Table
    bins: pd.DataFrame

    @property
    def has_ids(self) -> bool:
        """Whether orders have ids; else a customer's day is an order."""
        return "order_id" in self.lines.columns

    @property
    def n_orders(self) -> int:
        """Orders with a sale."""
        return int(self.bins["n"].sum())

    @property
    def sold(self) -> float:
        """Money of all sales."""
        return float(self.bins["sold"].sum())

    @property
    def n_refunds_alone(self) -> int:
        """Refunds whose order has no sale in the log."""
        return int(self.bins["n_refunds_alone"].sum())

    @cached_property
    def limit(self) -> float | None:
        """Money from which an order is large; None where that cannot be said, or they carry little."""
        counts = self.bins[self.bins["bin"].notna()].groupby("bin")["n"].sum()
        limit = far_bin(counts.index.to_numpy(float), counts.to_numpy(float))
        if limit is None or counts.sum() < ENOUGH_ORDERS:
            return None
        large = self.bins["bin"] >= limit
        carried = self.bins.loc[large, "sold"].sum()
        return float(np.exp(limit / BINS_PER_E)) if carried > CARRIES * self.sold else None


def far_bin(bins: np.ndarray, counts: np.ndarray) -> float | None:
    """First bin that lies too far above the others, which need not hold any; None where they do not vary."""
    if not counts.sum():
        return None
    middle = _median(bins, counts)
    distance = np.abs(bins - middle)
    scale = _median(distance, counts) / 0.6745 or 1.253314 * float(np.average(distance, weights=counts))
    return middle + FAR * scale if scale else None


def _median(values: np.ndarray, counts: np.ndarray) -> float:
    order = np.argsort(values)
    reached = np.cumsum(counts[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])


def _short(lines: ir.Table, value: ir.Value) -> Any:
    return hash_of(value) if has_hashes(lines) else value


def order_of(lines: ir.Table) -> ir.Value:
    """Order to which a line belongs: that of its sale, where it is a cancellation that found one."""
    return ibis.coalesce(lines.refund_of, lines.order_id) if "refund_of" in lines.columns else lines.order_id


def count_orders(lines: ir.Table) -> Orders:
    """Sum every order, and count them; where there are no ids, a customer's day is an order."""
    orders = _named_orders(lines) if "order_id" in lines.columns else _days_as_orders(lines)
    orders = orders.mutate(
        bin=(orders.sold.cast("float64").nullif(0).ln() * BINS_PER_E).floor(),
        bought=ibis.coalesce(orders.first_on == orders.first_on, ibis.literal(False)),
    )
    bins = orders.group_by("bin", "in_parts", "shared").agg(
        n=orders.count(where=orders.bought),
        sold=orders.sold.sum().cast("float64"),
        n_refunds_alone=orders.n_refunds.sum(where=~orders.bought),
        key=orders.key.min(where=orders.bought),
    )
    # In an order of their own: what is added up in another one differs in the last digits.
    found = bins.to_pandas().sort_values(["bin", "in_parts", "shared"], ignore_index=True)
    return Orders(lines, found.fillna({"n_refunds_alone": 0}))


def _named_orders(lines: ir.Table) -> ir.Table:
    order = order_of(lines)
    named = lines.filter(order == order)
    key, who = _short(named, order_of(named)), _short(named, named.customer_id)
    each = (
        named.select(key=key, who=who, **_parts(named))
        .group_by("key")
        .agg(
            sold=ibis._.sold.sum(),
            n_refunds=ibis._.refund.count(),
            first_on=ibis._.sold_on.min(),
            last_on=ibis._.sold_on.max(),
            one=ibis._.who.min(),
            other=ibis._.who.max(),
        )
    )
    in_parts = ibis.coalesce(each.first_on < each.last_on, ibis.literal(False))
    return each.mutate(in_parts=in_parts, shared=each.one < each.other)


def _days_as_orders(lines: ir.Table) -> ir.Table:
    days = lines.select("customer_id", day=day_of(lines), **_parts(lines))
    each = days.group_by("customer_id", "day").agg(
        sold=days.sold.sum(), n_refunds=days.refund.count(), first_on=days.sold_on.min()
    )
    never = ibis.literal(False)
    return each.mutate(in_parts=never, shared=never, key=ibis.null("string"))


def _parts(lines: ir.Table) -> dict[str, Any]:
    """Money and day of a sale, mark of a refund: sums over cases take half the time of filtered sums."""
    refund = lines.is_refund
    return {
        "sold": refund.ifelse(ibis.literal(0).cast(lines.amount.type()), lines.amount),
        "sold_on": refund.ifelse(ibis.null("date"), lines.occurred_on),
        "refund": refund.ifelse(1, ibis.null("int8")),
    }


def day_of(lines: ir.Table) -> Any:
    """Day of a line: that of its sale, where it is a refund that found one."""
    found = "refund_of_on" in lines.columns
    return ibis.coalesce(lines.refund_of_on, lines.occurred_on) if found else lines.occurred_on


# What is said of them -------------------------------------------------------------------------------------


def order_defects(orders: Orders, part_deliveries: str, name: str) -> list[Defect]:
    """Orders on several days, and ids that several customers share."""
    if not orders.has_ids:
        return []
    found = orders.bins[orders.bins["n"] > 0]
    shared, parts = found[found["shared"]], found[found["in_parts"] & ~found["shared"]]
    return [*_in_parts(orders, parts, part_deliveries, name), *_shared(orders, shared, name)]


def _in_parts(orders: Orders, parts: pd.DataFrame, policy: str, name: str) -> list[Defect]:
    if parts.empty:
        return []
    n, share = int(parts["n"].sum()), float(parts["sold"].sum()) / (orders.sold or 1.0)
    counted = f"{n:,} of {orders.n_orders:,} orders ({n / orders.n_orders:.1%})"
    start = f"{name}: {counted} have lines on several days: "
    if policy == "first day":
        sentence, bias = start + "all count on the first of them", "none, if they are part-deliveries"
    else:
        sentence = start + 'each day is a purchase; part_deliveries = "first day" makes them one'
        bias = "purchase days and repeat-buying rates are biased up if these are part-deliveries"
    examples = _examples(orders.lines, parts["key"])
    return [Defect("orders on several days", "flag", sentence, n, None, share, examples, bias)]


def _shared(orders: Orders, shared: pd.DataFrame, name: str) -> list[Defect]:
    if shared.empty:
        return []
    n, share = int(shared["n"].sum()), float(shared["sold"].sum()) / (orders.sold or 1.0)
    sentence = (
        f"{name}: {n:,} of {orders.n_orders:,} order ids ({n / orders.n_orders:.1%}) belong to several "
        "customers, one was expected: are ids used again, or several people in one order?"
    )
    bias = "orders in all are biased down and their mean value up if ids are used again"
    examples = _examples(orders.lines, shared["key"])
    return [Defect("order of several customers", "flag", sentence, n, None, share, examples, bias)]


def _examples(lines: ir.Table, keys: pd.Series) -> tuple[str, ...]:
    """Orders with some of these keys: each with its customers and days."""
    known = keys.dropna().head(N_EXAMPLES)
    some = [key if isinstance(key, str) else ibis.literal(int(key), "uint64") for key in known]
    order = order_of(lines)
    found = (
        lines.filter(_short(lines, order).isin(some))
        .group_by(order_id=order)
        .agg(
            who=lines.customer_id.min(),
            other=lines.customer_id.max(),
            first=lines.occurred_on.min(),
            last=lines.occurred_on.max(),
        )
    )
    return tuple(
        f"order_id {row['order_id']}, customer_id {_span(row['who'], row['other'])}, "
        f"{_span(row['first'], row['last'])}"
        for row in found.order_by("order_id").to_pyarrow().to_pylist()
    )


def _span(first: str | dt.date, last: str | dt.date) -> str:
    return f"{first}" if first == last else f"{first} and {last}"
