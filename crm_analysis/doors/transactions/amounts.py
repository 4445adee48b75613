"""What amounts, quantities and prices say together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.schema import Check, Checked
from crm_analysis.doors.values import product
from crm_analysis.doors.verdict import Verdict

ZERO = "amount zero"
CENT = 0.01
DIFFERS = "amount differs"


def is_taken_back(table: ir.Table) -> ir.BooleanValue:
    """Whether a line takes money back, or goods for nothing."""
    back = table.amount < 0
    if "quantity" in table.columns:
        back = back | ((table.quantity < 0) & (table.amount == 0))
    return back


def amount_checks(table: ir.Table) -> list[Check]:
    """Checks of lines whose quantity or price is known."""
    if "quantity" not in table.columns:
        return []
    shows = ("customer_id", "occurred_on", "quantity", "amount")
    checks = [
        Check(
            "adjustment",
            "flag",
            lambda t: (t.amount < 0) & (t.quantity >= 0),
            "take money off without goods coming back (adjustments, such as bad debt); they count as refunds",
            bias="revenue of the customers concerned is biased down if these are no refunds",
            shows=shows,
        ),
        Check(
            "goods back for nothing",
            "flag",
            lambda t: (t.quantity < 0) & (t.amount == 0),
            "have a negative quantity and no amount (stock corrections); they count as no purchase",
            bias="none",
            shows=shows,
        ),
    ]
    if "unit_price" not in table.columns:
        return checks
    return [*checks, _differs(shows)]


def _differs(shows: tuple[str, ...]) -> Check:
    """An amount that is not its product: rounded to the cent, and with or without the discount."""
    return Check(
        DIFFERS,
        "flag",
        differs_from_product,
        "have an amount that is not quantity x unit_price (less discount); the amount was taken: are taxes "
        "or discounts in it?",
        bias="none, if the amount is what was paid",
        shows=(*shows, "unit_price"),
    )


def differs_from_product(table: ir.Table) -> ir.BooleanValue:
    """Whether the amount is more than a cent away from quantity x unit_price, with and without discount."""
    gross, net = _products(table)
    return ((table.amount - gross).abs() > CENT) & ((table.amount - net).abs() > CENT)


def _products(table: ir.Table) -> tuple[Any, Any]:
    """Quantity x unit_price, and the same less the discount."""
    gross = product(table.quantity, table.unit_price)
    if "discount" not in table.columns:
        return gross, gross
    return gross, gross - ibis.coalesce(table.discount, ibis.literal(0))


def with_difference(checked: Checked) -> Checked:
    """Say what all amounts that are not their product come to, beside what the products do."""
    defects = checked.verdict.defects
    if not any(defect.name == DIFFERS for defect in defects):
        return checked
    rows = checked.kept.filter(differs_from_product(checked.kept))
    _, net = _products(rows)
    sums = rows.agg(amount=rows.amount.sum(), product=net.sum()).to_pyarrow().to_pylist()[0]
    off = sums["amount"] - sums["product"]
    told = (
        f"; in all they come to {sums['amount']:,.2f}, their products to {sums['product']:,.2f}: "
        f"{abs(off):,.2f} {'less' if off < 0 else 'more'}"
    )
    said = tuple(replace(d, found=d.found + told) if d.name == DIFFERS else d for d in defects)
    return replace(checked, verdict=replace(checked.verdict, defects=said))


def all_zero(verdict: Verdict) -> Verdict:
    """Say it in one sentence where every amount is zero: shares of revenue mean nothing then."""
    found = next((defect for defect in verdict.defects if defect.name == ZERO), None)
    if found is None or found.n_rows != verdict.n_kept:
        return verdict
    sentence = (
        f"{verdict.table}: all {verdict.n_kept:,} rows kept have a zero amount (0.00): shares of revenue are "
        "undefined, and spend cannot be modelled; is amount mapped to the right column?"
    )
    said = replace(found, found=sentence, bias="money says nothing; purchases count")
    return replace(verdict, defects=tuple(said if d is found else d for d in verdict.defects))
