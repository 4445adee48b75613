"""Which column plays which role: a name proposes it, its values have to fit, two that fit are asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from crm_analysis.doors.proposal.looks import Fit, Look, Looked
from crm_analysis.doors.proposal.names import Role, plain
from crm_analysis.doors.proposal.usual import OTHER_DATES, SYSTEMS

BY_SYSTEM, BY_NAME, PER_TIER, BY_VALUES = 120, 100, 20, 10
MOST_OTHERS = 4
SEPARATED = re.compile(r"\d[-/.:年]\d|\d:\d\d")
FRACTION = re.compile(r"[.,]\d*[1-9]\d*$")
EIGHT = re.compile(r"(?:19|20)\d\d[01]\d[0-3]\d")
CURRENCY = re.compile(r"[A-Za-z]{3}|[$€£¥￥₩₹]|人民币|美元|欧元|港币|日元|元")


@dataclass(frozen=True)
class Candidate:
    """A column that fits a role.

    score : 120 by the system it comes from, 100 by a usual name, 20 less per tier, 10 by its values alone.
    reason : why, in words.
    """

    role: str
    column: str
    score: int
    reason: str

    @property
    def personal(self) -> bool:
        """Whether its values are names or addresses of people, which are not repeated."""
        return self.role == "customer_id" and BY_VALUES < self.score < BY_NAME - PER_TIER


@dataclass(frozen=True)
class Choice:
    """What was found for a role.

    chosen : the one best column; None where none fits, or where several fit alike.
    others : further columns that fit, better ones first.
    rejected : columns with a usual name whose values do not fit, as sentences.
    """

    role: Role
    chosen: Candidate | None = None
    others: tuple[Candidate, ...] = ()
    rejected: tuple[str, ...] = ()

    @property
    def named(self) -> bool:
        """Whether a column was found by its name, chosen or to be chosen."""
        best = self.chosen or (self.others[0] if self.others else None)
        return best is not None and best.score > BY_VALUES


def choose(table: Looked, roles: Sequence[Role]) -> dict[str, Choice]:
    """Return a choice for each role; a column plays the role in which it scores best."""
    found, rejected = [], {role.name: [] for role in roles}  # type: ignore[var-annotated]
    for role in roles:
        for candidate in _by_name(table, role):
            if why := misfit(table, role, candidate.column):
                rejected[role.name].append(f"{candidate.column!r} {why}")
            else:
                found.append(candidate)
    taken: dict[str, Candidate] = {}
    for candidate in sorted(found, key=lambda each: -each.score):
        taken.setdefault(candidate.column, candidate)
    choices = {}
    for role in roles:
        own = [candidate for candidate in taken.values() if candidate.role == role.name]
        choices[role.name] = _choice(role, own, tuple(rejected[role.name]))
    return choices


def _choice(role: Role, found: list[Candidate], rejected: tuple[str, ...]) -> Choice:
    """Best one where one is best."""
    if not found:
        return Choice(role, rejected=rejected)
    best = [candidate for candidate in found if candidate.score == found[0].score]
    if len(best) > 1 or best[0].score <= BY_VALUES:
        return Choice(role, None, tuple(found[:MOST_OTHERS]), rejected)
    return Choice(role, best[0], tuple(found[1:MOST_OTHERS]), rejected)


def _by_name(table: Looked, role: Role) -> list[Candidate]:
    """Columns that bear a usual name of the role."""
    known = _system(table)
    found = []
    for column in table.names:
        tier = role.tier_of(column)
        if known and known[1].get(role.name) == plain(column):
            found.append(Candidate(role.name, column, BY_SYSTEM, f"what {known[0]} calls it"))
        elif tier is not None:
            score = BY_NAME - PER_TIER * tier
            found.append(Candidate(role.name, column, score, f"named like {role.tiers[tier][0]}"))
    return found


def _system(table: Looked) -> tuple[str, dict[str, str]] | None:
    """System that writes these columns, and what its names mean."""
    there = {plain(name) for name in table.names}
    return next(((name, names) for name, (marks, names) in SYSTEMS.items() if there >= set(marks)), None)


def misfit(table: Looked, role: Role, column: str) -> str:
    """Say why the values of a column cannot be what the role holds; empty where they can."""
    look = table.look(column)
    if not look.n_filled:
        return "is empty"
    if role.name == "currency":
        odd = [text for text in look.examples if not CURRENCY.fullmatch(text.strip())]
        return f"holds {odd[0]!r}, which is no currency" if odd else ""
    fit = table.fit(column, role.kind, role.name)
    if not fit.fits:
        return f"is not readable as {_kind(role)}: {fit.problem}"
    if role.kind == "id":
        return _no_id(table, look)
    if role.name == "discount" and _is_share(fit, look):
        return "holds shares, an amount of money was expected"
    return ""


def _kind(role: Role) -> str:
    words = {"time": "dates", "day": "dates", "money": "amounts", "number": "numbers", "id": "ids"}
    return words.get(role.kind, role.kind)


def _no_id(table: Looked, look: Look) -> str:
    if is_date(table, look):
        return "holds dates, ids were expected"
    if _has_fractions(look) and table.fit(look.name, "money").fits:
        return "holds numbers with decimals, ids were expected"
    return ""


def is_date(table: Looked, look: Look) -> bool:
    """Whether the values are written as dates or stored as times: a number may be an id, too."""
    written = "date" in look.type or "timestamp" in look.type or any(map(SEPARATED.search, look.examples))
    return bool(written) and table.fit(look.name, "time").fits


def _has_fractions(look: Look) -> bool:
    return any(FRACTION.search(text.strip()) for text in look.examples)


def _is_share(fit: Fit, look: Look) -> bool:
    return fit.high is not None and fit.low >= 0 and fit.high <= 1 and _has_fractions(look)


def by_values(table: Looked, role: Role, free: Sequence[str]) -> tuple[Candidate, ...]:
    """Columns without a usual name, whose values could be what is needed: to be asked, never to be taken."""
    reasons = {
        "occurred_at": ("its values are dates", _could_be_dates),
        "amount": ("its values are numbers with decimals", _could_be_money),
        "customer_id": ("its values repeat, as ids do", _could_be_customers),
        "order_id": ("nearly every row has a value of its own", _could_be_orders),
    }
    reason, could_be = reasons[role.name]
    found = [name for name in free if could_be(table, table.look(name))]
    return tuple(Candidate(role.name, name, BY_VALUES, reason) for name in found[:MOST_OTHERS])


def _could_be_dates(table: Looked, look: Look) -> bool:
    if OTHER_DATES.search(look.name.casefold()):
        return False
    return is_date(table, look) or (_is_digits(look) and table.fit(look.name, "time").fits)


def _is_digits(look: Look) -> bool:
    """Whether the values are all written like 20241231."""
    return bool(look.examples) and all(map(EIGHT.fullmatch, look.examples))


def _could_be_money(table: Looked, look: Look) -> bool:
    return _has_fractions(look) and not is_date(table, look) and table.fit(look.name, "money").fits


def _could_be_customers(table: Looked, look: Look) -> bool:
    return _is_id(table, look) and 0.02 * look.n_filled < look.n_distinct < 0.95 * look.n_filled


def _could_be_orders(table: Looked, look: Look) -> bool:
    return _is_id(table, look) and look.near_unique and look.n_filled > 1


def _is_id(table: Looked, look: Look) -> bool:
    """Whether the values are words with a digit in them, no dates, no amounts."""
    coded = [text for text in look.examples if re.search(r"\d", text) and not re.search(r"\s", text.strip())]
    whole = len(look.examples) > 0 and len(coded) == len(look.examples)
    return whole and not _no_id(table, look) and not _could_be_dates(table, look)
