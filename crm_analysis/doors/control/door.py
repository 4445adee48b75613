"""Our totals beside the ledger's, with the difference of each period split over its reasons."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import ibis
import pandas as pd

from crm_analysis.doors.control.clocks import Clocks
from crm_analysis.doors.control.ledger import Entry, Ledger, read_ledger
from crm_analysis.doors.control.ours import orders_per_day, revenue_per_day
from crm_analysis.doors.control.reason import Reason
from crm_analysis.doors.control.reasons import of_orders, of_revenue
from crm_analysis.doors.control.sentences import differences
from crm_analysis.doors.control.split import Split, same_factor, split
from crm_analysis.doors.verdict import Defect
from crm_analysis.errors import ConfigError
from crm_analysis.workspace import Calendar, Control

if TYPE_CHECKING:
    from crm_analysis.doors.transactions import Transactions

DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Comparison:
    """Ours beside the ledger's.

    table : index period: revenue, ledger_revenue, difference, share (difference / ledger's), accounted, rest
        and reasons; orders, ledger_orders and orders_difference where the ledger counts orders.
    reasons : period, measure (revenue or orders), reason, amount (what the reason comes to), accounted (the
        part of the difference that it accounts for); accounted sums to the difference.
    defects : what refuses the log.     reading : which periods were compared.
    """

    table: pd.DataFrame | None = None
    reasons: pd.DataFrame | None = None
    defects: tuple[Defect, ...] = ()
    reading: tuple[str, ...] = ()


def compare(
    log: Transactions,
    control: Control,
    *,
    calendar: Calendar,
    folder: Path | str,
    engine: ibis.BaseBackend | None,
    clocks: Clocks,
    currency: str | None,
) -> Comparison:
    """Compare a log with its ledger, period by period, where the period was observed whole.

    Reasons are looked for only where totals differ by more than rounding: each takes a pass over the lines.

    Raises
    ------
    ConfigError
        No period of the ledger was observed whole.
    """
    ledger = read_ledger(control, calendar=calendar, folder=folder, engine=engine)
    if ledger.defects:
        return Comparison(defects=ledger.defects)
    whole = [
        entry
        for entry in ledger.entries
        if log.observed_from <= entry.period.start and entry.period.end <= log.observed_until
    ]
    if not whole:
        raise ConfigError(
            f"control: no period of the ledger lies within {log.observed_from} to {log.observed_until}; "
            "correct the ledger's periods, or the observed dates"
        )
    parts = [_revenue(log, whole, ledger, control.tolerance, clocks, currency)]
    if whole[0].orders is not None:
        parts.append(_orders(log, whole, ledger, control.tolerance))
    return Comparison(
        table=pd.concat([part.columns for part in parts], axis="columns"),
        reasons=pd.concat([part.found.to_frame(part.measure) for part in parts], ignore_index=True),
        defects=tuple(defect for part in parts for defect in part.defects),
        reading=(_said(ledger, whole),),
    )


@dataclass(frozen=True)
class _Part:
    """One measure compared."""

    measure: str
    columns: pd.DataFrame
    found: Split
    defects: list[Defect]


def _revenue(
    log: Transactions,
    whole: Sequence[Entry],
    ledger: Ledger,
    tolerance: float,
    clocks: Clocks,
    currency: str | None,
) -> _Part:
    totals = _totals(revenue_per_day(log), whole, [entry.revenue for entry in whole])
    slack = ledger.step / 2 + 0.005
    gap = (totals["ours"] - totals["theirs"]).round(4)
    bounds = {day for entry in whole for day in (entry.period.start, entry.period.end + DAY)}
    reasons = []
    if (gap.abs() > slack).any():
        reasons = of_revenue(log, bounds=bounds, clocks=clocks, currency=currency)
    found = split(gap, reasons, _amounts(reasons, whole), slack)
    factor = same_factor(totals["ours"], totals["theirs"], slack)
    columns = pd.DataFrame(
        {
            "revenue": totals["ours"],
            "ledger_revenue": totals["theirs"],
            "difference": gap,
            "share": gap / totals["theirs"].where(totals["theirs"] != 0),
            "accounted": found.accounted.sum(axis="columns"),
            "rest": found.rest,
            "reasons": [", ".join(found.names(str(period))) for period in gap.index],
        }
    )
    said = differences(
        "revenue", totals, found, reasons, tolerance=tolerance, place=ledger.place, factor=factor
    )
    return _Part("revenue", columns, found, said)


def _orders(log: Transactions, whole: Sequence[Entry], ledger: Ledger, tolerance: float) -> _Part:
    totals = _totals(orders_per_day(log), whole, [float(entry.orders or 0) for entry in whole])
    gap = totals["ours"] - totals["theirs"]
    reasons = of_orders(log) if gap.any() else []
    found = split(gap, reasons, _amounts(reasons, whole), 0.0)
    columns = pd.DataFrame(
        {"orders": totals["ours"], "ledger_orders": totals["theirs"], "orders_difference": gap}
    )
    said = differences("orders", totals, found, reasons, tolerance=tolerance, place=ledger.place)
    return _Part("orders", columns.astype(int), found, said)


def _totals(days: pd.Series, whole: Sequence[Entry], theirs: list[float]) -> pd.DataFrame:
    ours = _per_period(days, whole)
    return pd.DataFrame({"ours": ours, "theirs": theirs}, index=ours.index)


def _amounts(reasons: list[Reason], whole: Sequence[Entry]) -> pd.DataFrame:
    labels = pd.Index([entry.period.label for entry in whole], name="period")
    columns = {reason.name: _per_period(reason.per_day, whole) for reason in reasons}
    return pd.DataFrame(columns, index=labels)


def _per_period(days: pd.Series, whole: Sequence[Entry]) -> pd.Series:
    day = days.index
    bounds = [(pd.Timestamp(entry.period.start), pd.Timestamp(entry.period.end)) for entry in whole]
    sums = [float(days[(day >= start) & (day <= end)].sum()) for start, end in bounds]
    labels = pd.Index([entry.period.label for entry in whole], name="period")
    return pd.Series(sums, labels, dtype=float).round(4)


def _said(ledger: Ledger, whole: Sequence[Entry]) -> str:
    compared = {entry.period.label for entry in whole}
    left = [entry.period.label for entry in ledger.entries if entry.period.label not in compared]
    n = len(whole)
    text = f"{n} period{'' if n == 1 else 's'} of {ledger.place} compared"
    return f"{text}; not observed whole, and left out: {', '.join(left)}" if left else text
