"""Purchase logs: every row kept, or set aside under a counted reason; then merged per order and day.

What counts: a purchase needs at least one line that is no refund; an order of refunds alone takes its money
off the customer's total and is no purchase. Refunds of an order are netted on the day of the order, where
they carry its `order_id`; else they stand on their own day. A purchase for nothing is a purchase.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import ibis
import ibis.expr.types as ir
import pandas as pd

from crm_analysis.doors.customers import Customers
from crm_analysis.doors.schema import Check, Checked, Column, Schema, check_rows
from crm_analysis.doors.sources import read_table
from crm_analysis.doors.verdict import Defect, Verdict
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.workspace import Calendar, Control, Period, parse_length

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
MONEY = "decimal(18, 4)"
BURN_IN = "6 months"
LEDGER = Schema(
    "control",
    (
        Column("period", "text", required=True),
        Column("revenue", "money", required=True),
        Column("orders", "number"),
    ),
)


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
        """The same log seen at the end of an earlier date: later rows hidden."""
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
    lines = checked.kept.select(_line_columns(checked.kept))
    acquired = _acquired(policies.customers)
    log = Transactions(
        lines,
        merge(lines),
        start,
        end,
        checked.verdict,
        checked.set_aside,
        checked.set_aside_rows,
        checked.n_rows_in,
        acquired,
    )
    return _with_control(_with_burn_in(log, policies, read.place), policies, reading)


# Rows -----------------------------------------------------------------------------------------------------


def _check_lines(table: ir.Table, policies: Policies, start: dt.date, end: dt.date, *, name: str) -> Checked:
    table = _with_days_and_refunds(table, policies)
    if policies.drop_duplicates:
        table = table.mutate(is_copy=_is_copy(table))
    checked = check_rows(
        table, _checks(policies, start, end), name=name, amount="amount", max_set_aside=policies.max_set_aside
    )
    extra = [*_currencies(checked.kept, name)]
    if not policies.drop_duplicates:
        extra += _duplicates(table, name, checked.n_rows_in)
    if checked.n_rows_in == sum(checked.set_aside.values()):
        extra.append(Defect("no rows", "refuse", f"{name}: no rows are left; nothing can be said about them"))
    return replace(checked, verdict=checked.verdict.with_defects(extra))


def _with_days_and_refunds(table: ir.Table, policies: Policies) -> ir.Table:
    refund = table.amount < 0
    if policies.cancelled_orders:
        refund = refund | _cancelled(table, policies.cancelled_orders)
    added = {"occurred_on": table.occurred_at.date(), "is_refund": ibis.coalesce(refund, ibis.literal(False))}
    if "unit_cost" in table.columns and "quantity" in table.columns:
        quantity = table.quantity.cast(MONEY).cast("decimal(19, 4)")
        added["cost"] = (quantity * table.unit_cost).cast("decimal(38, 8)").cast(MONEY)
    return table.mutate(**added)


def _cancelled(table: ir.Table, prefix: str) -> Any:
    if "order_id" not in table.columns:
        raise ConfigError("transactions: cancelled_orders needs order_id among the columns")
    return table.order_id.startswith(prefix)


def _checks(policies: Policies, start: dt.date, end: dt.date) -> list[Check]:
    """The rules of purchase logs, in the order in which they claim a row."""
    checks = [
        Check(
            "customer missing",
            "set aside",
            lambda t: t.customer_id.isnull(),
            "name no customer (customer_id)",
            "repeat-buying rates and customer value are biased down if these are known customers' purchases",
            ("occurred_on", "amount"),
        ),
        Check(
            "time missing",
            "set aside",
            lambda t: t.occurred_at.isnull(),
            "have no time (occurred_at)",
            "purchases per customer are biased down",
            ("customer_id", "amount"),
        ),
        Check(
            "before observed_from",
            "set aside",
            lambda t: t.occurred_on < start,
            f"lie before observed_from {start}",
            "none, if the log is incomplete before that day",
            ("occurred_on", "customer_id"),
        ),
        Check(
            "after observed_until",
            "set aside",
            lambda t: t.occurred_on > end,
            f"lie after observed_until {end}",
            "none, if the log is incomplete after that day",
            ("occurred_on", "customer_id"),
        ),
        Check(
            "amount missing",
            "set aside",
            lambda t: t.amount.isnull(),
            "have no amount",
            "purchases and revenue are biased down",
            ("customer_id", "occurred_on"),
        ),
    ]
    if policies.drop_duplicates:
        checks.append(
            Check(
                "exact duplicate",
                "set aside",
                lambda t: t.is_copy,
                "repeat another row in every column",
                "purchases biased down if they were separate sales",
                ("customer_id", "occurred_on", "amount"),
            )
        )
    return checks + _refund_checks(policies)


def _refund_checks(policies: Policies) -> list[Check]:
    shows = ("customer_id", "occurred_on", "amount")
    checks = []
    if policies.refunds == "set aside":
        checks.append(
            Check(
                "refund",
                "set aside",
                lambda t: t.is_refund,
                "are refunds or cancellations (negative amounts)",
                "revenue is biased up: it is before refunds",
                shows,
            )
        )
    else:
        checks.append(
            Check(
                "refund netted",
                "flag",
                lambda t: t.is_refund,
                "are refunds or cancellations (negative amounts), netted in their order",
                "none on revenue; a purchase that was returned still counts as a purchase",
                shows,
            )
        )
    if policies.cancelled_orders:
        checks.append(
            Check(
                "cancellation with a positive amount",
                "refuse",
                lambda t: t.is_refund & (t.amount > 0),
                "cancel an order with a positive amount; negative ones were expected: "
                "turn their sign in the source, or correct cancelled_orders",
                shows=("order_id", "amount"),
            )
        )
    checks.append(
        Check(
            "amount zero",
            "flag",
            lambda t: t.amount == 0,
            "have a zero amount (0.00)",
            "they count as purchases, and are left out of spend per purchase",
            shows,
        )
    )
    return checks


def _everything(table: ir.Table) -> list[str]:
    """The source's columns that can be compared, canonical ones as they were read."""
    derived = ("source_line", "source_row", "occurred_on", "is_refund", "cost")
    kinds = {name: table[name].type() for name in table.columns if name not in derived}
    return [name for name, kind in kinds.items() if not (kind.is_nested() or kind.is_json())]


def _is_copy(table: ir.Table) -> Any:
    return ibis.row_number().over(ibis.window(group_by=[table[name] for name in _everything(table)])) > 0


def _duplicates(table: ir.Table, name: str, n_rows: int) -> list[Defect]:
    """Rows that repeat another one in every column of the source."""
    groups = table.group_by(_everything(table)).agg(n=table.count())
    groups = groups.filter(groups.n > 1)
    found = groups.agg(n=(groups.n - 1).sum(), money=(groups.amount.abs() * (groups.n - 1)).sum())
    n = found.to_pyarrow().to_pylist()[0]["n"]
    if not n:
        return []
    shown = groups.order_by(["customer_id", "occurred_at", "amount"]).limit(3)
    rows = shown.select("customer_id", "occurred_at", "amount").to_pyarrow().to_pylist()
    sentence = (
        f"{name}: {int(n):,} of {n_rows:,} rows ({n / n_rows:.1%}) are exact duplicates of another row; "
        "they are kept: set drop_duplicates = true if the export doubled them"
    )
    examples = tuple(
        f"customer_id {r['customer_id']}, {r['occurred_at']}, amount {r['amount']}" for r in rows
    )
    return [
        Defect(
            "exact duplicate",
            "flag",
            sentence,
            int(n),
            n / n_rows,
            examples=examples,
            bias="revenue is biased up if the export doubled them",
        )
    ]


def _currencies(kept: ir.Table, name: str) -> list[Defect]:
    if "currency" not in kept.columns:
        return []
    counts = kept.group_by("currency").agg(n=kept.count(), amount=kept.amount.sum()).order_by("currency")
    rows = counts.to_pyarrow().to_pylist()
    if len(rows) < 2:
        return []
    found = ", ".join(f"{row['currency']} {row['n']:,} rows {row['amount']:,.2f}" for row in rows)
    sentence = (
        f"{name}: several currencies in column currency ({found}); one was expected: convert amounts in the source, "
        "or keep the rows of one currency"
    )
    return [Defect("several currencies", "refuse", sentence)]


def _line_columns(table: ir.Table) -> list[str]:
    first = ["customer_id", "occurred_at", "occurred_on", "amount", "is_refund"]
    rest = [column.name for column in SCHEMA.columns if column.name not in first]
    return [name for name in (*first, *rest, "cost") if name in table.columns]


# Merging --------------------------------------------------------------------------------------------------


def merge(lines: ir.Table) -> ir.Table:
    """Lines per customer, order (where there are ids) and day; a refund goes to the first day of its order."""
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


def _acquired(customers: Customers | ir.Table | None) -> ir.Table | None:
    table = customers.table if isinstance(customers, Customers) else customers
    if table is None or "acquired_at" not in table.columns:
        return None
    return table.select("customer_id", "acquired_at")


def _with_burn_in(log: Transactions, policies: Policies, name: str) -> Transactions:
    """Flag a log that begins in the middle of customers' lives, and say whose history may be cut."""
    cut = None if policies.closed_cohort or log.acquired is not None else _begins_mid_life(log, name)
    length = policies.burn_in or (BURN_IN if cut else "0 days")
    days = 0 if policies.closed_cohort else round(parse_length(length))
    verdict = log.verdict.with_defects([cut] if cut else [])
    return replace(log, burn_in_days=days, verdict=verdict)


def _begins_mid_life(log: Transactions, name: str) -> Defect | None:
    """Flag where new customers per month are at first more than twice what they typically are later."""
    first = log.lines.group_by("customer_id").agg(first_on=log.lines.occurred_on.min())
    months = first.group_by(month=first.first_on.truncate("M")).agg(n=first.count()).to_pyarrow().to_pylist()
    seen = {row["month"]: row["n"] for row in months if row["month"]}
    counts = [seen.get(month, 0) for month in _months(log.observed_from, log.observed_until)]
    n_early = min(3, len(counts) // 3)
    if not n_early:
        return None
    typical = float(pd.Series(counts[n_early:]).median())
    early = sum(counts[:n_early]) / n_early
    n_older = round(sum(max(0.0, n - typical) for n in counts[:6]))
    if early <= 2 * typical or n_older < 10:
        return None
    sentence = (
        f"{name}: {early:,.0f} customers a month are first seen in the first {n_early} months, {typical:,.0f} later: "
        f"about {n_older:,} of {sum(counts):,} customers are older than the log, which begins in the middle of their "
        "lives; give a customer master with acquired_at, or set closed_cohort = true if they are one fixed group"
    )
    return Defect(
        "log begins mid-life",
        "flag",
        sentence,
        bias="repeat-buying rates of the early cohorts and the value of new customers are biased up",
    )


def _months(start: dt.date, end: dt.date) -> list[dt.date]:
    return [month.date() for month in pd.date_range(start.replace(day=1), end, freq="MS")]


# Control totals -------------------------------------------------------------------------------------------


def _with_control(log: Transactions, policies: Policies, reading: dict[str, Any]) -> Transactions:
    """Compare with the ledger, where there is one."""
    if policies.control is None:
        return log
    control = policies.control
    ledger = read_table(
        control.source,
        LEDGER,
        columns=control.columns,
        folder=reading.get("folder", "."),
        engine=reading.get("engine"),
        **control.model_dump(include={"table", "sheet", "delimiter", "encoding", "decimal"}),
    )
    table = compare_with_ledger(log, ledger.table.to_pandas(), calendar=policies.calendar or Calendar())
    return replace(
        log,
        control=table,
        verdict=log.verdict.with_defects(_control_defects(table, control.tolerance, ledger.place)),
    )


def compare_with_ledger(log: Transactions, ledger: pd.DataFrame, *, calendar: Calendar) -> pd.DataFrame:
    """Ours against the ledger's, for its periods that were observed whole.

    Returns
    -------
    DataFrame, one row per period: revenue, ledger_revenue, difference, share (of the ledger's revenue),
    orders, ledger_orders where the ledger has them, and the money set aside in the period per reason.
    """
    days = _daily(log)
    rows = [
        _one_period(days, Period.parse(row["period"], calendar), row, "orders" in ledger.columns)
        for row in ledger.to_dict("records")
    ]
    table = pd.DataFrame(
        [row for row in rows if log.observed_from <= row["start"] and row["end"] <= log.observed_until]
    )
    if table.empty:
        raise ConfigError(
            f"control: no period of the ledger lies within {log.observed_from} to {log.observed_until}; "
            "correct the ledger's periods or the observed dates"
        )
    return table.drop(columns=["start", "end"]).set_index("period")


def _daily(log: Transactions) -> pd.DataFrame:
    """Money and orders per day, and the money set aside per reason; index: date."""
    lines, bought, aside = log.lines, log.purchases, log.set_aside_rows
    orders = ["customer_id", "order_id"] if log.has_orders else ["customer_id", "occurred_on"]
    first = bought.group_by(orders).agg(day=bought.occurred_on.min())
    money = lines.group_by("occurred_on").agg(revenue=lines.amount.sum().cast("float64")).to_pandas()
    counts = first.group_by("day").agg(orders=first.count()).to_pandas()
    reasons = (
        aside.group_by("reason", "occurred_on").agg(amount=aside.amount.sum().cast("float64")).to_pandas()
    )
    wide = reasons.dropna().pivot_table(index="occurred_on", columns="reason", values="amount", aggfunc="sum")
    parts = [money.set_index("occurred_on"), counts.set_index("day"), wide.add_prefix("set aside: ")]
    return pd.concat([part.set_axis(pd.to_datetime(part.index)) for part in parts], axis="columns").fillna(
        0.0
    )


def _one_period(days: pd.DataFrame, period: Period, row: dict[str, Any], has_orders: bool) -> dict[str, Any]:
    ours = days.loc[
        (days.index >= pd.Timestamp(period.start)) & (days.index <= pd.Timestamp(period.end))
    ].sum()
    theirs = float(row["revenue"])
    difference = float(ours["revenue"]) - theirs
    found = {
        "period": period.label,
        "start": period.start,
        "end": period.end,
        "revenue": float(ours["revenue"]),
        "ledger_revenue": theirs,
        "difference": difference,
        "share": difference / theirs if theirs else float("nan"),
    }
    if has_orders:
        found |= {"orders": int(ours["orders"]), "ledger_orders": float(row["orders"])}
    return found | {
        name: float(amount) for name, amount in ours.items() if str(name).startswith("set aside: ")
    }


def _control_defects(table: pd.DataFrame, tolerance: float, name: str) -> list[Defect]:
    allowed = tolerance * table["ledger_revenue"].abs()
    over = table[(table["difference"].abs() > allowed)]
    defects = []
    if len(over):
        worst = over.loc[over["difference"].abs().idxmax()]
        sentence = (
            f"{name}: revenue differs from the ledger by more than {tolerance:.2%} in {len(over)} of {len(table)} periods; "
            f"most in {worst.name}: ours {worst['revenue']:,.2f}, ledger {worst['ledger_revenue']:,.2f}, difference "
            f"{worst['difference']:,.2f}; look at refunds, missing ids and the time zone, or set control.tolerance"
        )
        defects.append(Defect("control totals differ", "refuse", sentence))
    return defects
