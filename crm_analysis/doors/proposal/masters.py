"""Tables beside the purchases: the customer master and the marketing spend."""

from __future__ import annotations

from collections.abc import Sequence

from crm_analysis.doors.proposal.looks import Looked
from crm_analysis.doors.proposal.names import Role
from crm_analysis.doors.proposal.part import Part, column_lines, settled_lines
from crm_analysis.doors.proposal.roles import choose
from crm_analysis.doors.proposal.usual import CUSTOMERS, SPEND


def propose_customers(table: Looked) -> Part:
    """Columns of a customer master."""
    return _propose(table, "customers", CUSTOMERS)


def propose_spend(table: Looked) -> Part:
    """Columns of money spent to win customers."""
    return _propose(table, "spend", SPEND)


def _propose(table: Looked, kind: str, roles: Sequence[Role]) -> Part:
    choices = choose(table, roles)
    header = f"[firms.a.{kind}.columns]"
    lines = [*settled_lines(table, choices), header, *column_lines(table, choices)]
    return Part(kind=kind, lines=lines, choices=choices)
