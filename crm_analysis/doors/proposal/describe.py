"""What the values of a proposed column are, in a few words: "dates day first, 2024-01-05 to 2024-12-16"."""

from __future__ import annotations

from typing import Any

from crm_analysis.doors.proposal.looks import Fit, Looked
from crm_analysis.doors.proposal.names import Role
from crm_analysis.doors.schema import Kind
from crm_analysis.doors.values import product

PER_PIECE = ("unit_price", "unit_cost")


def describe(table: Looked, role: Role, column: str, *, personal: bool = False) -> str:
    """Values of the whole column, as the doors read them; none of them shown where they are `personal`."""
    fit = table.whole_fit(column, role.kind, role.name)
    if role.name in PER_PIECE and fit.low is not None:
        words = [", ".join(filter(None, [fit.style, f"{float(fit.low):,.2f} to {float(fit.high):,.2f}"]))]
    else:
        words = _values(table, role.kind, column, fit, personal)
    empty = table.n_rows - table.n_filled(column)
    words += [f"empty in {empty:,} of {table.n_rows:,} rows"] if empty else []
    return "; ".join([*words, *([fit.problem] if fit.problem else []), *fit.notes])


def _values(table: Looked, kind: Kind, column: str, fit: Fit, personal: bool) -> list[str]:
    if kind in ("id", "text"):
        some = "" if personal else ", such as " + ", ".join(repr(t) for t, _ in table.frequent(column)[:2])
        return [f"{table.n_distinct(column):,} different{some}"]
    if fit.choices:
        return []
    if kind in ("time", "day"):
        return [", ".join(filter(None, [fit.style, f"{_day(fit.low)} to {_day(fit.high)}"]))]
    below = f", {fit.n_negative:,} below zero" if fit.n_negative else ""
    total = f"{float(fit.total or 0):,.2f} in total{below}"
    return [", ".join(filter(None, [fit.style, total]))]


def total_of_product(table: Looked, quantity: str, price: str) -> str:
    """Return the sum of quantity times price, where both can be read."""
    if table.whole_fit(quantity, "number").choices or table.whole_fit(price, "money", "unit_price").choices:
        return "no column of amounts, so quantity times price"
    pieces = table.reading(quantity, "number").value, table.reading(price, "money", "unit_price").value
    total = float(table.table.agg(total=product(*pieces).sum()).to_pyarrow().to_pylist()[0]["total"] or 0)
    return f"no column of amounts, so quantity times price: {total:,.2f} in total"


def _day(at: Any) -> str:
    return "" if at is None else f"{at:%Y-%m-%d}"
