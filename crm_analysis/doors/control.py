"""Control totals: revenue and orders per period as we have them, beside those of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import pandas as pd

from crm_analysis.doors.schema import Column, Schema
from crm_analysis.doors.sources import read_table
from crm_analysis.doors.verdict import Defect
from crm_analysis.errors import ConfigError
from crm_analysis.workspace import Calendar, Control, Period

if TYPE_CHECKING:
    from crm_analysis.doors.transactions import Transactions

SCHEMA = Schema(
    "control",
    (
        Column("period", "text", required=True),
        Column("revenue", "money", required=True),
        Column("orders", "number"),
    ),
)
READING = {"table", "sheet", "delimiter", "encoding", "dates", "decimal", "header"}


def compare(
    log: Transactions,
    control: Control,
    *,
    calendar: Calendar,
    folder: Path | str,
    engine: ibis.BaseBackend | None,
) -> tuple[pd.DataFrame, list[Defect]]:
    """Totals of the log beside the ledger's, and a refusal where they differ by more than the tolerance.

    Returns
    -------
    DataFrame, index period: revenue, ledger_revenue, difference, share (difference / ledger's), orders and
    ledger_orders where the ledger has them, and the money that was set aside in the period, per reason.
    Only periods that were observed whole are compared.
    """
    options = control.model_dump(include=READING)
    ledger = read_table(
        control.source, SCHEMA, columns=control.columns, folder=folder, engine=engine, **options
    )
    table = _side_by_side(log, ledger.table.to_pandas(), calendar)
    return table, _differences(table, control.tolerance, ledger.place)


def _side_by_side(log: Transactions, ledger: pd.DataFrame, calendar: Calendar) -> pd.DataFrame:
    days = _daily(log)
    periods = [Period.parse(str(label), calendar) for label in ledger["period"]]
    rows = [
        _one_period(days.loc[str(period.start) : str(period.end)].sum(), period, theirs)
        for period, theirs in zip(periods, ledger.to_dict("records"), strict=True)
        if log.observed_from <= period.start and period.end <= log.observed_until
    ]
    if not rows:
        raise ConfigError(
            f"control: no period of the ledger lies within {log.observed_from} to {log.observed_until}; "
            "correct the ledger's periods, or the observed dates"
        )
    return pd.DataFrame(rows).set_index("period")


def _daily(log: Transactions) -> pd.DataFrame:
    """Money and orders of each day, and the money set aside per reason; index: date."""
    lines, aside = log.lines, log.set_aside_rows
    revenue = lines.group_by(day=lines.occurred_on).agg(revenue=lines.amount.sum().cast("float64"))
    reasons = aside.group_by("reason", day=aside.occurred_on).agg(money=aside.amount.sum().cast("float64"))
    wide = (
        reasons.to_pandas().dropna().pivot_table(index="day", columns="reason", values="money", aggfunc="sum")
    )
    parts = [revenue.to_pandas().set_index("day"), _orders(log), wide.add_prefix("set aside: ")]
    days = [part.set_axis(pd.to_datetime(part.index)) for part in parts]
    return pd.concat(days, axis="columns").sort_index().fillna(0.0)


def _orders(log: Transactions) -> pd.DataFrame:
    """Orders by the day of their first purchase."""
    bought = log.purchases
    keys = ["customer_id", "order_id" if log.has_orders else "occurred_on"]
    first = bought.group_by(keys).agg(day=bought.occurred_on.min())
    return first.group_by("day").agg(orders=first.count()).to_pandas().set_index("day")


def _one_period(ours: pd.Series, period: Period, theirs: Mapping[Any, Any]) -> dict[str, Any]:
    ledger, revenue = float(theirs["revenue"]), float(ours["revenue"])
    found: dict[str, Any] = {
        "period": period.label,
        "revenue": revenue,
        "ledger_revenue": ledger,
        "difference": revenue - ledger,
        "share": (revenue - ledger) / ledger if ledger else float("nan"),
    }
    if "orders" in theirs:
        found |= {"orders": int(ours["orders"]), "ledger_orders": int(theirs["orders"])}
    return found | {str(k): float(v) for k, v in ours.items() if str(k).startswith("set aside: ")}


def _differences(table: pd.DataFrame, tolerance: float, name: str) -> list[Defect]:
    over = table[table["difference"].abs() > tolerance * table["ledger_revenue"].abs()]
    if over.empty:
        return []
    label = str(over["difference"].abs().idxmax())
    worst = over.to_dict("index")[label]
    sentence = (
        f"{name}: our revenue differs from the ledger's by more than {tolerance:.2%} in {len(over)} of "
        f"{len(table)} periods, most in {label}: ours {worst['revenue']:,.2f}, the ledger's "
        f"{worst['ledger_revenue']:,.2f}, difference {worst['difference']:,.2f}; look at refunds, missing "
        "ids and the time zone, or set control.tolerance"
    )
    return [Defect("control totals differ", "refuse", sentence)]
