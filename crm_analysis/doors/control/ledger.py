"""The ledger: one row per period, read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import ibis

from crm_analysis.doors.control.labels import period_of
from crm_analysis.doors.schema import Column, Schema
from crm_analysis.doors.sources import SourceTable, read_table
from crm_analysis.doors.verdict import Defect
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.workspace import Calendar, Control, Period

READING = {"table", "sheet", "delimiter", "encoding", "dates", "decimal", "header"}


@dataclass(frozen=True)
class Entry:
    """What the ledger says of a period; orders where it counts them."""

    period: Period
    revenue: float
    orders: int | None = None


@dataclass(frozen=True)
class Ledger:
    """A checked ledger.

    step : its smallest unit: 0.01 where amounts have cents, 1 where all are whole.
    defects : what refuses it.
    """

    place: str
    entries: tuple[Entry, ...] = ()
    step: float = 0.01
    defects: tuple[Defect, ...] = ()


def read_ledger(
    control: Control, *, calendar: Calendar, folder: Path | str, engine: ibis.BaseBackend | None
) -> Ledger:
    """Read the totals of a ledger; `defects` where a period cannot be understood, or is there twice."""
    read = _read(control, folder, engine)
    table = read.table
    if "source_total" in table.columns:
        table = table.filter(~table.source_total)
    names = [name for name in ("period", "revenue", "orders") if name in table.columns]
    rows = table.select(names).to_pyarrow().to_pylist()
    periods, sentences = _periods(rows, calendar)
    sentences += [
        f"{row['period']} has no {name}; complete it, or leave out the row"
        for row in rows
        for name in names[1:]
        if row[name] is None
    ]
    if sentences:
        found = [Defect("ledger unclear", "refuse", f"{read.place}: {text}") for text in sentences]
        return Ledger(read.place, defects=tuple(found))
    entries = [
        Entry(period, float(row["revenue"]), int(row["orders"]) if "orders" in row else None)
        for period, row in zip(periods, rows, strict=True)
    ]
    return Ledger(read.place, tuple(entries), _step([row["revenue"] for row in rows]))


def _read(control: Control, folder: Path | str, engine: ibis.BaseBackend | None) -> SourceTable:
    """Read periods as text, or as dates where the source has dates."""
    options: dict[str, Any] = control.model_dump(include=READING) | {"folder": folder, "engine": engine}
    try:
        return read_table(control.source, _schema("text"), columns=control.columns, **options)
    except DataError as error:
        try:
            return read_table(control.source, _schema("day"), columns=control.columns, **options)
        except DataError:
            raise error from None


def _schema(kind: Any) -> Schema:
    return Schema(
        "control",
        (
            Column("period", kind, required=True),
            Column("revenue", "money", required=True),
            Column("orders", "number"),
        ),
    )


def _periods(rows: Sequence[dict[str, Any]], calendar: Calendar) -> tuple[list[Period], list[str]]:
    """Period of each row, and what is wrong with them."""
    periods, sentences = [], []
    for row in rows:
        try:
            periods.append(period_of(str(row["period"]), calendar))
        except ConfigError as error:
            sentences.append(str(error))
    starts = [period.start for period in periods]
    if len(set(starts)) > 2 and all(_is_a_date(row["period"]) for row in rows):
        months = sorted({start.year * 12 + start.month for start in starts})
        if min(after - before for before, after in pairwise(months)) > 1:
            sentences.append(
                "its dates lie more than a month apart: write '2025Q1' if they mean quarters, '2025' if years"
            )
    labels = [period.label for period in periods]
    twice = [label for label in dict.fromkeys(labels) if labels.count(label) > 1]
    return periods, sentences + [f"period {label} is there twice; one row was expected" for label in twice]


def _is_a_date(value: Any) -> bool:
    return len(str(value)) >= 8 and str(value)[:4].isdigit() and str(value)[4:].count("-") == 2


def _step(revenues: Sequence[Decimal]) -> float:
    decimals = max((-int(value.normalize().as_tuple().exponent) for value in revenues), default=2)
    return 10.0 ** -min(max(decimals, 0), 2)
