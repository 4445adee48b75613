"""Purchase logs: every row kept, or set aside under a counted reason; then merged per order and day.

What counts: a purchase needs at least one line that is no refund; an order of refunds alone takes its money
off the customer's total and is no purchase. Refunds of an order are netted on the day of the order, where
they carry its `order_id`; else they stand on their own day. A purchase for nothing is a purchase.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import ibis
import ibis.expr.types as ir
import numpy as np

from crm_analysis.doors import control as ledgers
from crm_analysis.doors.customers import Customers
from crm_analysis.doors.schema import PLACES, Check, Checked, Column, Schema, as_view, check_rows, is_missing
from crm_analysis.doors.sources import read_table
from crm_analysis.doors.values import MONEY, product
from crm_analysis.doors.verdict import Defect, Verdict
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.workspace import Calendar, Control, Period, parse_length

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = Schema(
    "transactions",
    (
        Column("customer_id", "id", required=True),
        Column("occurred_at", "time", required=True),
        Column("amount", "money", required=True),
        Column("order_id", "id"),
        Column("product_id", "id"),
        Column("category", "text"),
        Column("quantity", "number"),
        Column("unit_price", "money"),
        Column("unit_cost", "money"),
        Column("discount", "money"),
        Column("currency", "text"),
        Column("channel", "text"),
    ),
)
BURN_IN = "6 months"


@dataclass(frozen=True)
class Transactions:
    """A checked purchase log; tables are Ibis expressions in the engine that holds the rows.

    lines : customer_id, occurred_at (local, naive), occurred_on (date), amount decimal(18,4), is_refund, and
        where mapped order_id, product_id, category, quantity, unit_price, unit_cost, discount, currency,
        channel, and cost (quantity x unit_cost).
    merged : one row per customer, order (where mapped) and day: amount, cost, n_lines (no refunds),
        n_refunds. Rows without lines are refunds on their own.
    set_aside : reason -> rows;  set_aside_rows : those rows, with their reason.
    acquired : customer_id, acquired_at, where a customer master knows it.
    burn_in_days : customers first seen within so many days of `observed_from` may be older than the log.
    control : ours against the ledger's, per period, where a ledger is given.
    """

    lines: ir.Table
    merged: ir.Table
    observed_from: dt.date
    observed_until: dt.date
    verdict: Verdict
    set_aside: dict[str, int]
    set_aside_rows: ir.Table
    n_rows_in: int
    acquired: ir.Table | None = None
    burn_in_days: int = 0
    control: pd.DataFrame | None = None

    @property
    def purchases(self) -> ir.Table:
        """One row per customer, order (where mapped) and day with a purchase: amount, cost, n_lines."""
        return self.merged.filter(self.merged.n_lines > 0).drop("n_refunds")

    @property
    def has_orders(self) -> bool:
        """Whether the source has order ids."""
        return "order_id" in self.lines.columns

    def as_of(self, date: dt.date | str) -> Transactions:
        """Return the same log as seen at the end of an earlier date: later rows hidden."""
        until = as_date(date, "as_of")
        if not self.observed_from <= until <= self.observed_until:
            raise ConfigError(
                f"transactions: as_of {until} lies outside the observed {self.observed_from} to "
                f"{self.observed_until}; choose a date within"
            )
        if until == self.observed_until:
            return self
        lines = self.lines.filter(self.lines.occurred_on <= until)
        return replace(self, lines=lines, merged=merge(lines), observed_until=until, control=None)


def read_transactions(
    source: Any,
    *,
    columns: Mapping[str, Any],
    observed_from: dt.date | str,
    observed_until: dt.date | str,
    **options: Any,
) -> Transactions:
    """Check a purchase log, merge it per order and day.

    Parameters
    ----------
    source : path, "package:NAME/path/inside", "env:VARIABLE", DataFrame or Ibis table.
    columns : canonical name -> name in the source; amount may be {"quantity": ..., "unit_price": ...}.
    observed_from, observed_until : first and last whole day observed, local business time.
    options : policies (see `Policies`), `engine`, and what the source does not prove (`sources.Options`).

    Raises
    ------
    DataError
        Carrying the verdict: what cannot be read, or read in one way only; too many rows set aside; totals
        that differ from the ledger's.

    Examples
    --------
    >>> read_transactions("orders.csv", observed_from="2010-12-01", observed_until="2011-12-09",
    ...     columns={"customer_id": "Customer ID", "occurred_at": "InvoiceDate", "amount": "Amount"})
    """
    log = _check(source, columns, observed_from, observed_until, options)
    log.verdict.raise_if_refused()
    return log


def check_transactions(
    source: Any,
    *,
    columns: Mapping[str, Any],
    observed_from: dt.date | str,
    observed_until: dt.date | str,
    **options: Any,
) -> Verdict:
    """Return the verdict of `read_transactions`, without raising it."""
    try:
        return _check(source, columns, observed_from, observed_until, options).verdict
    except DataError as error:
        if error.verdict is None:
            raise
        return error.verdict


@dataclass(frozen=True, kw_only=True)
class Policies:
    """What is done with rows that can be treated in more than one way.

    refunds : "net in order" takes refunds off the order they belong to, "set aside" leaves them out.
    cancelled_orders : orders whose id begins with this are cancellations, treated as refunds.
    drop_duplicates : exact duplicates are always counted; True sets all but one of each aside.
    max_set_aside : share of rows, above which the log is refused.
    closed_cohort : the customers are a fixed group, all acquired within the log.
    burn_in : customers first seen within this length of `observed_from` may be older than the log. By
        default "6 months" where the log shows that it begins in the middle of customers' lives, else none.
        A customer's `acquired_at` from the master goes before it.
    customers : a customer master, read by `read_customers`.
    control, calendar : the ledger's totals and their tolerance; the calendar of its periods.
    """

    refunds: Literal["net in order", "set aside"] = "net in order"
    cancelled_orders: str | None = None
    drop_duplicates: bool = False
    max_set_aside: float = 0.05
    closed_cohort: bool = False
    burn_in: str | None = None
    customers: Customers | ir.Table | None = None
    control: Control | None = None
    calendar: Calendar | None = None

    def __post_init__(self) -> None:
        if self.refunds not in ("net in order", "set aside"):
            raise ConfigError(
                f"transactions: refunds = {self.refunds!r}: 'net in order' or 'set aside' was expected"
            )


def as_date(value: dt.date | str, name: str) -> dt.date:
    """Date of an ISO text or a date."""
    try:
        return value if type(value) is dt.date else dt.date.fromisoformat(str(value)[:10])
    except ValueError:
        raise ConfigError(f"{name} = {value!r}: a date such as '2025-12-31' was expected") from None


def _check(
    source: Any, columns: Mapping[str, Any], first: Any, last: Any, options: dict[str, Any]
) -> Transactions:
    start, end = as_date(first, "observed_from"), as_date(last, "observed_until")
    if end < start:
        raise ConfigError(f"transactions: observed_until {end} lies before observed_from {start}")
    names = Policies.__dataclass_fields__
    policies = Policies(**{k: v for k, v in options.items() if k in names})
    reading = {k: v for k, v in options.items() if k not in names}
    read = read_table(source, SCHEMA, columns=columns, **reading)
    checked = _check_lines(read.table, policies, start, end, name=read.place)
    lines = as_view(checked.kept.select(_line_columns(checked.kept)))
    log = Transactions(
        lines=lines,
        merged=merge(lines),
        observed_from=start,
        observed_until=end,
        verdict=read.judged(checked.verdict),
        set_aside=checked.set_aside,
        set_aside_rows=checked.set_aside_rows,
        n_rows_in=checked.n_rows_in,
        acquired=_acquired(policies.customers, lines.get_backend()),
    )
    return _with_control(_with_burn_in(log, policies, read.place), policies, reading)


def _with_control(log: Transactions, policies: Policies, reading: dict[str, Any]) -> Transactions:
    if policies.control is None:
        return log
    table, defects = ledgers.compare(
        log,
        policies.control,
        calendar=policies.calendar or Calendar(),
        folder=reading.get("folder", "."),
        engine=reading.get("engine"),
    )
    return replace(log, control=table, verdict=log.verdict.with_defects(defects))


# Rows -----------------------------------------------------------------------------------------------------


def _check_lines(table: ir.Table, policies: Policies, start: dt.date, end: dt.date, *, name: str) -> Checked:
    table = _with_days_and_refunds(table, policies)
    checks = [*_presence_checks(start, end), *_policy_checks(policies)]
    share = policies.max_set_aside
    checked = check_rows(table, checks, name=name, amount="amount", max_set_aside=share)
    found = [*_currencies(checked.kept, name)]
    if not policies.drop_duplicates:
        found += _duplicates(table, name, checked.n_rows_in)
    if not checked.verdict.n_kept:
        found.append(
            Defect("no rows", "refuse", f"{name}: no rows are left; correct the source or the dates")
        )
    return replace(checked, verdict=checked.verdict.with_defects(found))


def _with_days_and_refunds(table: ir.Table, policies: Policies) -> ir.Table:
    refund = table.amount < 0
    if policies.cancelled_orders:
        if "order_id" not in table.columns:
            raise ConfigError("transactions: cancelled_orders needs a column for order_id; add it to columns")
        refund = refund | table.order_id.startswith(policies.cancelled_orders)
    added = {"occurred_on": table.occurred_at.date(), "is_refund": ibis.coalesce(refund, ibis.literal(False))}
    if "unit_cost" in table.columns and "quantity" in table.columns:
        added["cost"] = product(table.quantity, table.unit_cost)
    if policies.drop_duplicates:
        copies = ibis.window(group_by=[table[name] for name in _comparable(table)])
        added["is_copy"] = ibis.row_number().over(copies) > 0
    return table.mutate(**added)


def _presence_checks(start: dt.date, end: dt.date) -> list[Check]:
    """Rows that cannot be used, in the order in which a rule claims a row."""
    return [
        Check(
            "customer missing",
            "set aside",
            is_missing("customer_id"),
            "name no customer (customer_id)",
            bias="repeat-buying rates and customer value are biased down if known customers bought these",
            shows=("occurred_on", "amount"),
        ),
        Check(
            "time missing",
            "set aside",
            is_missing("occurred_at"),
            "have no time (occurred_at)",
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
        Check(
            "amount missing",
            "set aside",
            is_missing("amount"),
            "have no amount",
            bias="purchases and revenue are biased down",
            shows=("customer_id", "occurred_on"),
        ),
    ]


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
    netted = Check(
        "refund netted",
        "flag",
        lambda t: t.is_refund,
        "are refunds or cancellations (negative amounts), taken off their orders",
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


def _comparable(table: ir.Table) -> list[str]:
    """Columns of the source that can be compared, canonical ones as they were read."""
    derived = (*PLACES, "occurred_on", "is_refund", "cost")
    kinds = {name: table[name].type() for name in table.columns if name not in derived}
    return [name for name, kind in kinds.items() if not (kind.is_nested() or kind.is_json())]


def _duplicates(table: ir.Table, name: str, n_rows: int) -> list[Defect]:
    """Rows that repeat another one in every column of the source."""
    groups = table.group_by(_comparable(table)).agg(n=table.count())
    groups = groups.filter(groups.n > 1)
    groups = groups.select("customer_id", "occurred_at", "amount", total=(groups.n - 1).sum().over())
    rows = groups.order_by(["customer_id", "occurred_at", "amount"]).limit(3).to_pyarrow().to_pylist()
    if not rows:
        return []
    n = int(rows[0]["total"])
    shown = tuple(f"customer_id {r['customer_id']}, {r['occurred_at']}, amount {r['amount']}" for r in rows)
    sentence = (
        f"{name}: {n:,} of {n_rows:,} rows ({n / n_rows:.1%}) are exact duplicates of another row; they are "
        "kept: set drop_duplicates = true if the export doubled them"
    )
    bias = "revenue is biased up if the export doubled them"
    return [Defect("exact duplicate", "flag", sentence, n, n / n_rows, examples=shown, bias=bias)]


def _currencies(kept: ir.Table, name: str) -> list[Defect]:
    if "currency" not in kept.columns:
        return []
    counts = kept.group_by("currency").agg(n=kept.count(), amount=kept.amount.sum()).order_by("currency")
    rows = counts.to_pyarrow().to_pylist()
    if len(rows) < 2:
        return []
    found = ", ".join(f"{row['currency']} {row['n']:,} rows {row['amount']:,.2f}" for row in rows)
    sentence = (
        f"{name}: several currencies in the column currency ({found}); one was expected: convert the amounts "
        "in the source, or keep the rows of one currency"
    )
    return [Defect("several currencies", "refuse", sentence)]


def _line_columns(table: ir.Table) -> list[str]:
    first = ["customer_id", "occurred_at", "occurred_on", "amount", "is_refund"]
    rest = [column.name for column in SCHEMA.columns if column.name not in first]
    return [name for name in (*first, *rest, "cost") if name in table.columns]


# Merging --------------------------------------------------------------------------------------------------


def merge(lines: ir.Table) -> ir.Table:
    """Sum lines per customer, order (if there are ids) and day; a refund goes to its order's first day."""
    keys = [name for name in ("customer_id", "order_id", "occurred_on") if name in lines.columns]
    placed = _on_the_day_of_the_order(lines, keys) if "order_id" in keys else lines
    sums = {"amount": placed.amount.sum().cast(MONEY)}
    if "cost" in placed.columns:
        sums["cost"] = placed.cost.sum().cast(MONEY)
    return placed.group_by(keys).agg(
        **sums,
        n_lines=(~placed.is_refund).ifelse(1, 0).sum(),
        n_refunds=placed.is_refund.ifelse(1, 0).sum(),
    )


def _on_the_day_of_the_order(lines: ir.Table, keys: list[str]) -> ir.Table:
    columns = [*keys, "amount", "is_refund", *(["cost"] if "cost" in lines.columns else [])]
    lines = lines.select(columns)
    refunds = lines.filter(lines.is_refund)
    sales = lines.filter(~lines.is_refund)
    order = ["customer_id", "order_id"]
    refunded = sales.semi_join(refunds, order)
    days = refunded.group_by(order).agg(ordered_on=refunded.occurred_on.min())
    moved = refunds.left_join(days, order)
    day = ibis.coalesce(moved.ordered_on, moved.occurred_on)
    return sales.union(moved.mutate(occurred_on=day).select(columns))


# Customers older than the log -----------------------------------------------------------------------------


def _acquired(customers: Customers | ir.Table | None, engine: ibis.BaseBackend) -> ir.Table | None:
    """Days of acquisition, in the engine of the log."""
    table = customers.table if isinstance(customers, Customers) else customers
    if table is None or "acquired_at" not in table.columns:
        return None
    days = table.select("customer_id", "acquired_at")
    return days if days.get_backend() is engine else ibis.memtable(days.to_pyarrow())


def _with_burn_in(log: Transactions, policies: Policies, name: str) -> Transactions:
    """Flag a log that begins in the middle of customers' lives, and say whose history may be cut."""
    cut = None if policies.closed_cohort or log.acquired is not None else _begins_mid_life(log, name)
    length = policies.burn_in or (BURN_IN if cut else "0 days")
    days = 0 if policies.closed_cohort else round(parse_length(length))
    verdict = log.verdict.with_defects([cut] if cut else [])
    return replace(log, burn_in_days=days, verdict=verdict)


def _begins_mid_life(log: Transactions, name: str) -> Defect | None:
    """Flag where a first month has more than twice the new customers that later months typically have.

    The customers older than the log are what the first six months have above the typical month.
    """
    counts = _new_per_month(log)
    n_first = min(3, len(counts) // 3)
    if not n_first:
        return None
    typical = float(np.median(counts[n_first:]))
    n_older = round(sum(max(0.0, n - typical) for n in counts[:6]))
    if max(counts[:n_first]) <= 2 * typical or n_older < 10:
        return None
    sentence = (
        f"{name}: up to {max(counts[:n_first]):,} customers a month are first seen in the first {n_first} "
        f"months, typically {typical:,.0f} later: about {n_older:,} customers are older than the log, which "
        "begins in the middle of their lives; give a customer master with acquired_at, or set closed_cohort "
        "= true if they are one fixed group that was acquired within the log"
    )
    bias = "repeat-buying rates of the early cohorts and the value of new customers are biased up"
    return Defect("log begins mid-life", "flag", sentence, n_older, bias=bias)


def _new_per_month(log: Transactions) -> list[int]:
    """Count customers first seen, per calendar month that was observed whole (the first may be cut)."""
    first = log.lines.group_by("customer_id").agg(first_on=log.lines.occurred_on.min())
    rows = first.group_by(month=first.first_on.truncate("M")).agg(n=first.count()).to_pyarrow().to_pylist()
    seen = {f"{row['month']:%Y-%m}": row["n"] for row in rows}
    month, counts = Period.parse(f"{log.observed_from:%Y-%m}"), []
    while month.end <= log.observed_until:
        counts.append(seen.get(month.label, 0))
        month = Period.parse(f"{month.end + dt.timedelta(days=1):%Y-%m}")
    return counts
