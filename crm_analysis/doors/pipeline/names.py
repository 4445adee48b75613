"""Stages that nobody declared: which they are, and which declared ones they seem to be."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.pipeline.stages import Stages
from crm_analysis.doors.schema import Check

SHOWN = 5
# A name that stops and the one that begins in its place are so many days apart at most.
DAYS_BETWEEN = 7


def plain(name: str) -> str:
    """Name of a stage without case, blanks, signs, numbering and probability: "2. Proposal (50%)"."""
    text = unicodedata.normalize("NFKC", name).casefold()
    text = re.sub(r"\(?\s*\d+([.,]\d+)?\s*%\s*\)?", "", text)
    text = re.sub(r"^\W*\d+\s*[.):\-–、]+\s*(?=\D)", "", text)
    return re.sub(r"[\W_]+", "", text)


def not_declared(table: ir.Table, stages: Stages) -> Check:
    """Refuse stages that nobody declared, and say which ones are there and what they seem to be."""
    # Where an outcome column says how it ended, `stage` holds that already.
    columns = ["last_stage" if "last_stage" in table.columns else "stage"]
    columns += ["from_stage"] if "from_stage" in table.columns else []
    there = _unknown(table, columns, stages)
    found = (
        f"are in stages that are not declared: {there[:SHOWN]}; declared are {list(stages.order)} and lost "
        f"{list(stages.lost)}: declare them, or say which stage each is, such as "
        f"{_proposal(table, columns[0], there, stages)}"
    )
    shows = tuple(dict.fromkeys(("opportunity_id", *columns)))
    return Check(
        "stage not declared",
        "refuse",
        lambda t: ibis.or_(*(t[column].notin(stages.known) for column in columns)),
        found,
        shows=shows,
    )


def _unknown(table: ir.Table, columns: list[str], stages: Stages) -> list[str]:
    """Undeclared names, the most frequent first."""
    counts: Counter[str] = Counter()
    for column in columns:
        unknown = table.filter(table[column].notin(stages.known)).group_by(stage=table[column])
        rows = unknown.agg(n=lambda t: t.count()).order_by(ibis.desc("n"), "stage").limit(50)
        counts.update({row["stage"]: row["n"] for row in rows.to_pyarrow().to_pylist()})
    return sorted(counts, key=lambda name: (-counts[name], name))


def _proposal(table: ir.Table, column: str, there: list[str], stages: Stages) -> str:
    """`renamed_stages` as the evidence has it, else an example of its form."""
    alike = {plain(name): name for name in stages.known}
    variants = {name: alike[plain(name)] for name in there if plain(name) in alike}
    if variants:
        return f"{_toml(variants)} (the same names but for case, blanks, signs, numbers or a probability)"
    renames = _renames(table, column, there, stages) if there else {}
    if not renames:
        return _toml({(there or ["..."])[0]: stages.order[0]})
    evidence = "; ".join(f"{why}" for _, why in renames.values())
    return f"{_toml({old: new for old, (new, _) in renames.items()})} ({evidence})"


def _toml(renames: dict[str, str]) -> str:
    pairs = ", ".join(f"{old!r} = {new!r}" for old, new in list(renames.items())[:SHOWN])
    return f"renamed_stages = {{ {pairs} }}"


@dataclass
class _Use:
    """How a name was used: first and last day, and the names before and after it."""

    first: dt.date
    last: dt.date
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)


def _renames(table: ir.Table, column: str, there: list[str], stages: Stages) -> dict[str, tuple[str, str]]:
    """Declared name of each undeclared one that it took over from, or that took over from it; and why."""
    if "entered_at" not in table.columns or column != "stage":
        return {}
    uses = _uses(table)
    found = {}
    for name in (name for name in there if name in uses):
        taken = [(other, _why(name, other, uses)) for other in stages.known if other in uses]
        taken = [(other, why) for other, why in taken if why]
        if len(taken) == 1:
            found[name] = taken[0]
    return found


def _uses(table: ir.Table) -> dict[str, _Use]:
    rows = table.filter(table.stage.notnull() & table.entered_at.notnull() & table.opportunity_id.notnull())
    within = ibis.window(group_by=rows.opportunity_id, order_by=[rows.entered_at, rows.stage])
    steps = rows.select("stage", "entered_at", before=rows.stage.lag().over(within))
    pairs = steps.group_by("stage", "before").agg(
        n=steps.count(), first=steps.entered_at.min().date(), last=steps.entered_at.max().date()
    )
    return _by_name(pairs.to_pyarrow().to_pylist())


def _by_name(pairs: Iterable[dict[str, Any]]) -> dict[str, _Use]:
    uses: dict[str, _Use] = {}
    after: dict[str, Counter[str]] = defaultdict(Counter)
    for row in pairs:
        use = uses.setdefault(row["stage"], _Use(row["first"], row["last"]))
        use.first, use.last = min(use.first, row["first"]), max(use.last, row["last"])
        if row["before"] not in (None, row["stage"]):
            use.before[row["before"]] += row["n"]
            after[row["before"]][row["stage"]] += row["n"]
    for name, counts in after.items():
        if name in uses:
            uses[name].after = counts
    return uses


def _why(name: str, other: str, uses: dict[str, _Use]) -> str:
    """Evidence that two names are of one stage: one begins when the other stops, with the same neighbours."""
    old, new = sorted((name, other), key=lambda each: uses[each].last)
    a, b = uses[old], uses[new]
    days = (b.first - a.last).days
    if abs(days) > DAYS_BETWEEN or a.first >= b.first or a.last >= b.last or not _alike(a, b, {old, new}):
        return ""
    return f"{old!r} was last entered on {a.last}, {new!r} first on {b.first}, between the same stages"


def _alike(a: _Use, b: _Use, themselves: set[str]) -> bool:
    """Whether the most frequent stage before or after both is the same one, or both stand at an end."""
    sides = [(_top(a.before, themselves), _top(b.before, themselves))]
    sides += [(_top(a.after, themselves), _top(b.after, themselves))]
    return any(x == y and x is not None for x, y in sides) and all(
        x == y or x is None or y is None for x, y in sides
    )


def _top(counts: Counter[str], without: set[str]) -> str | None:
    left = [(n, name) for name, n in counts.items() if name not in without]
    return max(left)[1] if left else None
