"""The part of a workspace that one file makes: its lines, and what was found in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from crm_analysis.doors.proposal import toml
from crm_analysis.doors.proposal.describe import describe, total_of_product
from crm_analysis.doors.proposal.looks import Looked
from crm_analysis.doors.proposal.names import units_in
from crm_analysis.doors.proposal.roles import Choice

PIECES = ("quantity", "unit_price")
CODES = {"元": "CNY", "人民币": "CNY", "rmb": "CNY", "美元": "USD", "欧元": "EUR", "港币": "HKD"}


@dataclass(frozen=True)
class Part:
    """What a file was taken for.

    kind : the table of a firm that it is: "transactions", "customers", "spend" or "pipeline".
    above, lines : lines of the firm itself, and of its table below `source`.
    noticed : sentences about what stands out.     currency : that of all amounts, where the file says it.
    """

    kind: str
    lines: list[str]
    above: list[str] = field(default_factory=list)
    choices: Mapping[str, Choice] = field(default_factory=dict)
    noticed: list[str] = field(default_factory=list)
    currency: str | None = None


def is_product(choices: Mapping[str, Choice]) -> bool:
    """Whether the amount is to be quantity times price: no column has it, and both are clear."""
    named = "amount" in choices and not (choices["amount"].chosen or choices["amount"].others)
    return named and all(choices[piece].chosen for piece in PIECES)


def column_lines(table: Looked, choices: Mapping[str, Choice]) -> list[str]:
    """Return the mapping, a line per column; what has to be chosen or found is a comment."""
    lines: list[str] = []
    product = is_product(choices)
    for name, choice in choices.items():
        if product and name in PIECES:
            continue
        if product and name == "amount":
            pieces = pieces_of(choices)
            lines.append(toml.line("amount", pieces, total_of_product(table, *pieces.values())))
        else:
            lines += _choice_lines(table, name, choice)
    return lines


def pieces_of(choices: Mapping[str, Choice]) -> dict[str, str]:
    """Return the columns of quantity and price."""
    return {piece: chosen.column for piece in PIECES if (chosen := choices[piece].chosen)}


def _choice_lines(table: Looked, name: str, choice: Choice) -> list[str]:
    others = [toml.open_line(name, c.column, note_of(table, choice, c.column)) for c in choice.others]
    if choice.chosen:
        column = choice.chosen.column
        found = [toml.line(name, column, note_of(table, choice, column))]
        return [*found, *([toml.comment(f"or, for {name}:"), *others] if others else [])]
    if others:
        return [toml.comment(f"confirm: {question(choice)}; remove the # of one"), *others]
    problems = [toml.comment(f"for {name}: column {sentence}") for sentence in choice.rejected]
    if choice.role.required:
        shown = table.names[:40]
        problems += [toml.comment(f"confirm: no column looks like {name}; columns: {shown}")]
    return problems


def question(choice: Choice) -> str:
    """Return `amount is 'Total' or 'Subtotal'`."""
    return f"{choice.role.name} is {' or '.join(repr(c.column) for c in choice.others)}"


def note_of(table: Looked, choice: Choice, column: str) -> str:
    """Why a column was proposed, and what it holds."""
    found = next(c for c in (choice.chosen, *choice.others) if c and c.column == column)
    return f"{found.reason}; {describe(table, choice.role, column, personal=found.personal)}"


def settled_lines(table: Looked, choices: Mapping[str, Choice]) -> list[str]:
    """Return the options that have to be set, because a chosen column can be read in more than one way."""
    lines: dict[str, str] = {}
    for choice in choices.values():
        if choice.chosen is None:
            continue
        fit = table.whole_fit(choice.chosen.column, choice.role.kind, choice.role.name)
        for option in fit.choices:
            (key, given), *_ = option.items()
            note = f"confirm: column {choice.chosen.column!r} {fit.problem}"
            lines[f"{key} {given}"] = toml.open_line(key, given, note)
    return [*lines.values(), *_zone(choices)]


def _zone(choices: Mapping[str, Choice]) -> list[str]:
    chosen = choices["occurred_at"].chosen if "occurred_at" in choices else None
    if chosen is None or not {"utc", "gmt"} & set(units_in(chosen.column)):
        return []
    return [toml.open_line("source_timezone", "UTC", f"confirm: {chosen.column!r} says so")]


def currency_of(name: str) -> str | None:
    """Currency that the name of a column says, such as CNY of "金额（元）"."""
    units = [unit for unit in units_in(name) if unit not in ("utc", "gmt")]
    codes = [CODES.get(unit, unit.upper()) for unit in units if len(unit) == 3 or unit in CODES]
    return codes[0] if codes else None
