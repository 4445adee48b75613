"""What became of the refunds of a log, in one sentence."""

from __future__ import annotations

from dataclasses import replace

from crm_analysis.doors.transactions.cancellations import Matched
from crm_analysis.doors.transactions.orders import Orders
from crm_analysis.doors.verdict import Defect

STILL = "a purchase that was returned still counts as a purchase"


def netted_defect(found: Defect, matched: Matched, orders: Orders, refunds: str) -> Defect:
    """Complete the defect of the refunds: how many were taken off their order, and how many stand alone."""
    if refunds != "net in order":
        bias = f"none on revenue in all; orders are biased up, days of refunds down; {STILL}"
        return replace(found, bias=bias)
    alone = matched.n_unnamed + orders.n_refunds_alone if orders.has_ids else matched.n_alone
    if not alone:
        return replace(found, found=f"{found.found}{_matches(matched)}")
    sentence = (
        f"{found.found}{_matches(matched)}; {alone:,} found no sale in the log and stand on their own day"
    )
    bias = f"none on revenue in all; biased down on days of refunds that stand alone; {STILL}"
    return replace(found, found=sentence, bias=bias)


def _matches(matched: Matched) -> str:
    if not matched.by:
        return ""
    by = ", ".join("quantity" if name == "size" else name for name in matched.by)
    n = matched.n_whole + matched.n_part
    parts = f", {matched.n_part:,} of them to a part of it" if matched.n_part else ""
    return f": {n:,} without the id of their order were matched to a sale by {by}{parts}"
