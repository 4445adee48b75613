"""A purchase log proposed: its columns, and the lines of its part of the workspace."""

from __future__ import annotations

from dataclasses import replace

from crm_analysis.doors.proposal import toml
from crm_analysis.doors.proposal.looks import Looked
from crm_analysis.doors.proposal.notice import noticed
from crm_analysis.doors.proposal.part import Part, column_lines, settled_lines
from crm_analysis.doors.proposal.roles import Choice, by_values, choose
from crm_analysis.doors.proposal.usual import TRANSACTIONS

PARTS = ("quantity", "unit_price")
EXAMPLE = ("2024-01-01", "2024-12-31")


def propose_orders(table: Looked) -> Part:
    """Columns of a purchase log, what stands out in it, and the days it spans."""
    choices = choose_orders(table)
    first, last = _span(table, choices)
    notices = noticed(table, choices)
    return Part(
        kind="transactions",
        above=[
            toml.with_note(f"# observed_from = {first}", "confirm: the first day seen; was it a whole one?"),
            toml.with_note(f"# observed_until = {last}", "confirm: the last day seen; was it a whole one?"),
        ],
        lines=[
            *settled_lines(table, choices),
            *notices.lines,
            "[firms.a.transactions.columns]",
            *column_lines(table, choices),
        ],
        choices=choices,
        noticed=notices.sentences,
        currency=notices.currency,
    )


def choose_orders(table: Looked) -> dict[str, Choice]:
    """Return the choices; an amount that no column has is quantity times price, where both are clear."""
    choices = choose(table, TRANSACTIONS)
    if not choices["amount"].named and all(choices[part].chosen for part in PARTS):
        return choices
    used = {c.column for choice in choices.values() for c in (choice.chosen, *choice.others) if c}
    for name in ("occurred_at", "amount", "customer_id", "order_id"):
        if not choices[name].named:
            found = by_values(table, choices[name].role, [n for n in table.names if n not in used])
            choices[name] = replace(choices[name], others=found)
            used |= {candidate.column for candidate in found}
    return choices


def _span(table: Looked, choices: dict[str, Choice]) -> tuple[str, str]:
    """First and last day seen, or an example where no day can be read."""
    chosen = choices["occurred_at"].chosen
    fit = table.whole_fit(chosen.column, "time") if chosen else None
    if fit is None or fit.low is None or fit.choices:
        return EXAMPLE
    return f"{fit.low:%Y-%m-%d}", f"{fit.high:%Y-%m-%d}"
