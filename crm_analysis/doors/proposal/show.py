"""A proposal as a table to read in a terminal."""

from __future__ import annotations

from crm_analysis.doors.plain import padded, wrapped
from crm_analysis.doors.proposal.describe import describe, total_of_product
from crm_analysis.doors.proposal.part import is_product, note_of, pieces_of, question
from crm_analysis.doors.proposal.recognise import is_recognised
from crm_analysis.doors.proposal.roles import Choice
from crm_analysis.doors.proposal.workspace import Proposed

WORDS = {
    "transactions": "purchases",
    "customers": "customers",
    "spend": "marketing spend",
    "pipeline": "a sales pipeline",
}
MARGIN = 17


def show(proposed: Proposed) -> str:
    """Return what the file is, the columns proposed with what they hold, and what stands out."""
    part, table = proposed.part, proposed.table
    how = f"; read with {'; '.join(table.opened.reading)}" if table.opened.reading else ""
    taken = "taken for" if is_recognised(part) else "not recognised by its columns; else taken for"
    head = f"{table.opened.place}: {table.n_rows:,} rows, {taken} {WORDS[part.kind]} ({part.kind}){how}"
    lines = [wrapped(head, indent="  ")]
    lines += [wrapped(f"{note.found}", first="  - ", indent="    ") for note in table.opened.notes]
    for name, choice in part.choices.items():
        lines += _choice(proposed, name, choice)
    if not part.choices:
        lines += [wrapped(line, first="  ", indent="    ") for line in part.lines]
    lines += [wrapped(sentence, first="  - ", indent="    ") for sentence in part.noticed]
    return "\n".join(lines)


def _choice(proposed: Proposed, name: str, choice: Choice) -> list[str]:
    table, product = proposed.table, is_product(proposed.part.choices)
    if product and name == "amount":
        quantity, price = pieces_of(proposed.part.choices).values()
        return [_line(name, f"{quantity!r} x {price!r}: {total_of_product(table, quantity, price)}")]
    if choice.chosen:
        column = choice.chosen.column
        others = f" (or {', '.join(repr(c.column) for c in choice.others)})" if choice.others else ""
        return [_line(name, f"{column!r}{others}: {note_of(table, choice, column)}")]
    if choice.others:
        values = "; ".join(
            f"{c.column!r}: {describe(table, choice.role, c.column, personal=c.personal)}"
            for c in choice.others
        )
        return [_line(name, f"? {question(choice)}: to be chosen. {values}")]
    problems = [_line(name, f"- column {sentence}") for sentence in choice.rejected]
    return problems or ([_line(name, "- no column looks like it")] if choice.role.required else [])


def _line(name: str, text: str) -> str:
    return wrapped(text, first=padded(f"  {name}", MARGIN), indent=" " * MARGIN)
