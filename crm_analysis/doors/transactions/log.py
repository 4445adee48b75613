"""A checked purchase log, as everything else gets it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import ibis.expr.types as ir

from crm_analysis.doors.transactions.merge import merge
from crm_analysis.doors.verdict import Verdict
from crm_analysis.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Transactions:
    """A checked purchase log; tables are Ibis expressions in the engine that holds the rows.

    lines : customer_id, occurred_at (local, naive), occurred_on (date), amount decimal(18,4), is_refund, and
        where mapped order_id, product_id, category, quantity, unit_price, unit_cost, discount, currency,
        channel, and cost (quantity x unit_cost). Money converted at rates has amount_original too, which
        is in `currency`; all else is in the workspace's. Where cancellations found the sale that they undo,
        refund_of and refund_of_on: its order and its day.
    merged : one row per customer, order (where mapped) and day: amount, cost, n_lines (no refunds),
        n_refunds. Rows without lines are refunds on their own.
    set_aside : reason -> rows;  set_aside_rows : those rows, with their reason.
    refunds, part_deliveries : the policies by which lines are merged.
    acquired : customer_id, acquired_at, where a customer master knows it.
    burn_in_days : customers first seen within so many days of `observed_from` may be older than the log.
    control : ours against the ledger's, per period, where a ledger is given;  control_reasons : what
        accounts for the differences, per period, measure and reason.
    """

    lines: ir.Table
    merged: ir.Table
    observed_from: dt.date
    observed_until: dt.date
    verdict: Verdict
    set_aside: dict[str, int]
    set_aside_rows: ir.Table
    n_rows_in: int
    refunds: str = "net in order"
    part_deliveries: str = "each day"
    acquired: ir.Table | None = None
    burn_in_days: int = 0
    control: pd.DataFrame | None = None
    control_reasons: pd.DataFrame | None = None

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
        return replace(self.on_lines(lines), observed_until=until, control=None, control_reasons=None)

    def on_lines(self, lines: ir.Table) -> Transactions:
        """Return the log of other lines, merged by the same policies."""
        merged = merge(lines, refunds=self.refunds, part_deliveries=self.part_deliveries)
        return replace(self, lines=lines, merged=merged)


def as_date(value: dt.date | str, name: str) -> dt.date:
    """Date of an ISO text or a date."""
    try:
        return value if type(value) is dt.date else dt.date.fromisoformat(str(value)[:10])
    except ValueError:
        raise ConfigError(f"{name} = {value!r}: a date such as '2025-12-31' was expected") from None
