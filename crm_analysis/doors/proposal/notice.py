"""What stands out in a purchase log, and the policy that it asks for: comments for somebody to decide."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from crm_analysis.doors.proposal import toml
from crm_analysis.doors.proposal.looks import Looked
from crm_analysis.doors.proposal.names import plain
from crm_analysis.doors.proposal.part import currency_of
from crm_analysis.doors.proposal.roles import Choice
from crm_analysis.doors.proposal.usual import STATUS
from crm_analysis.doors.sources.totals import is_total

NOT_SOLD = re.compile(
    r"cancel|refund|void|fail|declin|return|reject|chargeback|unpaid|expired|stornier|annul|"
    r"关闭|取消|退款|退货|作废|未付款|待付款",
    re.IGNORECASE,
)
TEST = r"(?i)(^|[^a-z])(test|demo|dummy)([^a-z]|$)|测试"
MOST = 5


@dataclass
class Notices:
    """Lines for the workspace, the same as sentences, and the currency where there is one."""

    lines: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    currency: str | None = None

    def add(self, sentence: str, line: str | None = None) -> None:
        """Take up what was noticed, as a comment or as the line that would answer it."""
        self.sentences.append(sentence)
        self.lines.append(toml.comment(sentence) if line is None else line)


def noticed(table: Looked, choices: Mapping[str, Choice]) -> Notices:
    """Look for cancellations, currencies, states of orders, test customers, totals on every line."""
    columns = {name: choice.chosen.column for name, choice in choices.items() if choice.chosen}
    notices = Notices()
    if not any(name.isidentifier() or re.search(r"[^\W\d]", name) for name in table.names):
        notices.add("the first line looks like data; if there is no header, set header = false")
    _totals(table, columns, notices)
    _refunds(table, columns, notices)
    _currencies(table, columns, notices)
    _states(table, notices)
    _tests(table, columns, notices)
    _repeated_totals(table, columns, notices)
    return notices


def _totals(table: Looked, columns: dict[str, str], notices: Notices) -> None:
    """Rows of totals, which the doors set aside."""
    when = columns.get("occurred_at")
    if when is None or not table.opened.parses_text or table.n_filled(when) == table.n_rows:
        return
    found = is_total(table.table, table.is_empty(when))
    if found is not None and (n := table.count(found)):
        notices.add(f"{n:,} rows look like totals: set aside when read, but within the sums above")


def _refunds(table: Looked, columns: dict[str, str], notices: Notices) -> None:
    signed = columns.get("amount") or columns.get("quantity")
    n_negative = table.whole_fit(signed, "number").n_negative if signed else 0
    if not n_negative:
        return
    if "order_id" in columns and (found := _cancelling(table, columns["order_id"], str(signed))):
        prefix, n = found
        sentence = f"{n:,} rows of orders that begin with {prefix!r} are below zero: cancellations?"
        notices.add(sentence, toml.open_line("cancelled_orders", prefix, f"confirm: {sentence}"))
    sentence = f"{n_negative:,} rows of {signed!r} are below zero: refunds?"
    notices.add(sentence, toml.open_line("refunds", "net in order", f'confirm, or "set aside": {sentence}'))


def _cancelling(table: Looked, order: str, signed: str) -> tuple[str, int] | None:
    """Letter before the ids of orders whose rows are below zero, where other orders have none."""
    number = table.reading(signed, "number").value
    rows = table.table.select(order=table.table[order].cast("string").strip(), number=number)
    letter = rows.order.re_extract(r"^([A-Za-z]+)[-_ ]?\d+$", 1)
    marked = rows.mutate(letter=letter)
    counts = marked.group_by("letter").agg(n=marked.count(), below=(marked.number < 0).sum())
    found = counts.to_pyarrow().to_pylist()
    odd = [row for row in found if row["letter"] and (row["below"] or 0) >= 0.9 * row["n"]]
    usual = sum(row["n"] for row in found if row not in odd)
    return (odd[0]["letter"], odd[0]["n"]) if len(odd) == 1 and odd[0]["n"] < usual else None


def _currencies(table: Looked, columns: dict[str, str], notices: Notices) -> None:
    if "currency" not in columns:
        amount = columns.get("amount") or columns.get("unit_price")
        notices.currency = currency_of(amount) if amount else None
        return
    found = table.all_values(columns["currency"])
    if len(found) == 1:
        notices.currency = found[0][0]
        return
    shown = ", ".join(f"{text} {n:,} rows" for text, n in found[:MOST])
    notices.add(
        f"{columns['currency']!r} holds {len(found)} currencies ({shown}): amounts are converted into the "
        "workspace's currency by a table of rates, else refused"
    )


def _states(table: Looked, notices: Notices) -> None:
    for column in (name for name in table.names if plain(name) in STATUS):
        found = [(text, n) for text, n in table.all_values(column) if NOT_SOLD.search(text)]
        if found:
            shown = ", ".join(f"{text!r} {n:,} rows" for text, n in found[:MOST])
            notices.add(f"{column!r} marks rows that are no sales ({shown}): export without them")


def _tests(table: Looked, columns: dict[str, str], notices: Notices) -> None:
    if "customer_id" not in columns:
        return
    who = table.table[columns["customer_id"]].cast("string")
    rows = table.table.select(who=who).filter(who.re_search(TEST)).distinct().order_by("who").limit(MOST)
    if found := [row["who"] for row in rows.to_pyarrow().to_pylist()]:
        sentence = f"customers called {', '.join(map(repr, found))}: tests?"
        notices.add(sentence, toml.open_line("test_customers", found, "confirm: tests?"))


def _repeated_totals(table: Looked, columns: dict[str, str], notices: Notices) -> None:
    """Totals of orders that stand on every line of the order: their sum is a multiple."""
    if not {"order_id", "amount", "product_id"} <= set(columns):
        return
    asked = {name: table.table[columns[name]] for name in ("order_id", "amount", "product_id")}
    rows = table.table.select(**asked)
    money = rows.amount
    each = {"products": rows.product_id.nunique(), "filled": money.count(), "kinds": money.nunique()}
    orders = rows.group_by("order_id").agg(n=rows.count(), **each)
    several = orders.filter((orders.products > 1) & (orders.filled == orders.n) & orders.order_id.notnull())
    row = several.agg(n=several.count(), same=(several.kinds == 1).sum()).to_pyarrow().to_pylist()[0]
    if row["n"] >= MOST and row["same"] >= 0.9 * row["n"]:
        notices.add(
            f"{columns['amount']!r} is the same on every line of {row['same']:,} orders of several lines: "
            "the total of the order? Its sum would count an order once per line; map the amount of the line"
        )
