"""What amounts, quantities and prices say together."""

from __future__ import annotations

from dataclasses import replace

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.schema import Check
from crm_analysis.doors.values import product
from crm_analysis.doors.verdict import Verdict

ZERO = "amount zero"
CENT = 0.01


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
        "amount differs",
        "flag",
        differs_from_product,
        "have an amount that is not quantity x unit_price (less discount); the amount was taken: are taxes "
        "or discounts in it?",
        bias="none, if the amount is what was paid",
        shows=(*shows, "unit_price"),
    )


def differs_from_product(table: ir.Table) -> ir.BooleanValue:
    """Whether the amount is more than a cent away from quantity x unit_price, with and without discount."""
    gross = product(table.quantity, table.unit_price)
    off = (table.amount - gross).abs() > CENT
    if "discount" in table.columns:
        less = gross - ibis.coalesce(table.discount, ibis.literal(0))
        off = off & ((table.amount - less).abs() > CENT)
    return off


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
