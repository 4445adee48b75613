"""Which table of a firm a file is: purchases, customers, spend or a sales pipeline."""

from __future__ import annotations

from crm_analysis.doors.proposal.deals import looks_like_deals, propose_deals
from crm_analysis.doors.proposal.looks import Looked
from crm_analysis.doors.proposal.masters import propose_customers, propose_spend
from crm_analysis.doors.proposal.orders import propose_orders
from crm_analysis.doors.proposal.part import Part, is_product

ABOUT_CUSTOMERS = ("acquired_at", "source", "region", "segment", "acquired_by", "referred_by", "credit_days")


def propose_part(table: Looked) -> Part:
    """Take the file for what its columns say; for purchases where they say nothing else."""
    if looks_like_deals(table):
        return propose_pipeline(table)
    orders = propose_orders(table)
    if _is_spend(table, orders):
        return propose_spend(table)
    return propose_customers(table) if _is_master(table, orders) else orders


def propose_pipeline(table: Looked) -> Part:
    """Lines of a sales pipeline."""
    return Part(kind="pipeline", lines=propose_deals(table))


def _is_spend(table: Looked, orders: Part) -> bool:
    """Whether money and months are there, and nobody who bought."""
    if orders.choices["customer_id"].named or orders.choices["order_id"].named:
        return False
    return all(choice.named for choice in propose_spend(table).choices.values() if choice.role.required)


def is_recognised(part: Part) -> bool:
    """Whether the names say what was sold: two of customer, time and money at least."""
    if part.kind != "transactions":
        return True
    money = part.choices["amount"].named or is_product(part.choices)
    return money + part.choices["customer_id"].named + part.choices["occurred_at"].named > 1


def _is_master(table: Looked, orders: Part) -> bool:
    """Whether every row is a customer of its own, with facts about them and no money at a time."""
    who = orders.choices["customer_id"].chosen
    sold = orders.choices["amount"].named or is_product(orders.choices)
    if (
        who is None
        or not table.look(who.column).near_unique
        or (sold and orders.choices["occurred_at"].named)
    ):
        return False
    found = propose_customers(table).choices
    return any(found[name].named for name in ABOUT_CUSTOMERS)
