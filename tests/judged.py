"""What a door said about a file: the verdict in words, and the rows that it kept."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from crm_analysis import read_transactions
from crm_analysis.doors.transactions import Transactions
from crm_analysis.doors.verdict import Verdict
from crm_analysis.errors import DataError

COLUMNS = {
    "customer_id": "customer_id",
    "occurred_at": "order_date",
    "amount": "amount",
    "order_id": "order_id",
}


class Sale(NamedTuple):
    """A row of an export, as it was meant."""

    customer: str
    at: dt.datetime
    amount: Decimal
    order: str


@dataclass(frozen=True)
class Judged:
    """outcome : "accepted" (PASS), "flagged" or "refused"; text : all that was said; log : what was read."""

    outcome: str
    text: str
    log: Transactions | None

    def sales(self) -> list[Sale]:
        """Rows kept, in order of time."""
        assert self.log is not None, self.text
        lines = self.log.lines
        columns = ["customer_id", "occurred_at", "amount", *(["order_id"] if self.log.has_orders else [])]
        rows = lines.select(columns).to_pyarrow().to_pylist()
        found = [Sale(r["customer_id"], r["occurred_at"], r["amount"], r.get("order_id", "")) for r in rows]
        return sorted(found, key=by_time)

    def says(self, words: str) -> bool:
        """Whether one of the words, separated by "|", was said; a number is not looked for inside others."""
        return any(
            re.search(
                rf"(?<![\d.,]){re.escape(word)}(?!\d)" if word.isdigit() else re.escape(word), self.text, re.I
            )
            for word in words.split("|")
        )


def by_time(sale: Sale) -> tuple[Any, ...]:
    return sale.at, sale.customer, sale.order, sale.amount


def judged(
    source: Any,
    columns: dict[str, Any] = COLUMNS,
    *,
    observed: Sequence[str] = ("2024-01-01", "2024-12-31"),
    name: str = "",
    **options: Any,
) -> Judged:
    """Read a purchase log; `name` is taken out of the text, where it might stand for what should be said."""
    first, last = observed
    try:
        log = read_transactions(
            source, columns=columns, observed_from=first, observed_until=last, closed_cohort=True, **options
        )
    except DataError as refusal:
        return Judged("refused", _without(f"{refusal}\n{_refusing(refusal)}", name), None)
    kept = log.lines.count().to_pyarrow().as_py()
    assert log.n_rows_in == kept + sum(log.set_aside.values()), log.verdict
    assert log.verdict.status != "REFUSE", log.verdict
    outcome = {"PASS": "accepted", "FLAG": "flagged"}[log.verdict.status]
    return Judged(outcome, _without(str(log.verdict), name), log)


def _without(text: str, name: str) -> str:
    return text.replace(name, "FILE") if name else text


def _refusing(error: DataError) -> Verdict:
    """Verdict of a refusal: it must carry one that refuses."""
    assert error.verdict is not None
    assert error.verdict.status == "REFUSE", error.verdict
    return error.verdict
