"""The shape of a sales pipeline: what one row of its export is, and which columns say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ibis.expr.types as ir

from crm_analysis.doors.pipeline.outcomes import WORDS
from crm_analysis.doors.proposal.deal_columns import (
    FIELD,
    ROLES,
    STAGE_FIELDS,
    names_of,
    role_of,
    stage_in,
)
from crm_analysis.doors.proposal.looks import Looked
from crm_analysis.doors.proposal.names import Role, plain
from crm_analysis.doors.proposal.roles import Candidate, Choice, choose, is_date
from crm_analysis.doors.shapes import Unclear

MOST_STAGES = 50
# A snapshot shows so large a share of all opportunities, a day of a history does not.
SHARE_OF_SNAPSHOT = 0.3


@dataclass(frozen=True)
class Recognised:
    """What one row of an export of deals is.

    shape : "history", "stage dates", "current stage" or "snapshots"; why : the evidence, in words.
    choices : the columns, by role.     stages : stage -> its column of dates.
    only : rows that are meant.     pipeline, pipelines : of which pipeline `stages` are, and of all.
    """

    shape: str
    why: str
    choices: Mapping[str, Choice]
    stages: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, str] = field(default_factory=dict)
    pipeline: str | None = None
    pipelines: tuple[str, ...] = ()

    @property
    def columns(self) -> dict[str, str]:
        """Column of each role that was found."""
        return {name: choice.chosen.column for name, choice in self.choices.items() if choice.chosen}


def recognise_shape(table: Looked) -> Recognised:
    """Shape and columns, by the names of the columns and by how values repeat; for somebody to confirm."""
    choices = dict(choose(table, ROLES))
    only = _only(table, choices)
    _drop_unlikely(table, choices)
    columns = Recognised("", "", choices).columns
    who = columns.get("opportunity_id")
    dated = _stage_columns(table)
    repeats = _repeats(table, who)
    if dated and not repeats:
        return _stage_dates(table, choices, dated)
    if who is None or not repeats:
        return _current(table, choices, who)
    return _several_rows(table, choices, who, only)


def _only(table: Looked, choices: dict[str, Choice]) -> dict[str, str]:
    """Rows of the field that is the stage, in a log of changes of any field."""
    column = next((name for name in table.names if plain(name) in FIELD), None)
    values = [text for text, _ in table.all_values(column)] if column else []
    value = next((text for text in values if plain(text) in STAGE_FIELDS), None)
    there = {plain(name): name for name in table.names}
    if column is None or value is None or "newvalue" not in there:
        return {}
    for role, name in (("stage", "newvalue"), ("from_stage", "oldvalue")):
        if name in there:
            choices[role] = chosen(choices[role].role, there[name], f"value of {value!r}")
    choices["outcome"] = Choice(choices["outcome"].role)
    return {column: value}


def _drop_unlikely(table: Looked, choices: dict[str, Choice]) -> None:
    """Leave out a stage of very many names, and an outcome without a word for won or lost."""
    stage = choices["stage"].chosen
    if stage and table.n_distinct(stage.column) > MOST_STAGES and plain(stage.column) != "newvalue":
        choices["stage"] = Choice(choices["stage"].role)
    outcome = choices["outcome"].chosen
    ends = {*WORDS["won"], *WORDS["lost"]}
    words = {text.strip().lower() for text, _ in table.all_values(outcome.column)} if outcome else set()
    if not words & ends:
        choices["outcome"] = Choice(choices["outcome"].role)


def chosen(role: Role, column: str, reason: str = "") -> Choice:
    """Choice of a column, by its name where no other reason is given."""
    return Choice(role, Candidate(role.name, column, 100, reason or f"named like {role.name}"))


def _repeats(table: Looked, who: str | None) -> bool:
    return who is not None and table.n_distinct(who) < table.n_filled(who)


def _stage_columns(table: Looked) -> dict[str | None, dict[str, str]]:
    """Columns of dates per stage, of each pipeline; none where there is one such column only."""
    found: dict[str | None, dict[str, str]] = {}
    for name in table.names:
        if (named := stage_in(name)) and _holds_dates(table, name):
            stage, pipeline = named
            found.setdefault(pipeline, {})[stage] = name
    return {pipeline: stages for pipeline, stages in found.items() if len(stages) > 1}


def _holds_dates(table: Looked, name: str) -> bool:
    look = table.look(name)
    # A stage that nobody of the first rows entered has an empty column.
    return not look.n_filled or is_date(table, look)


def _stage_dates(
    table: Looked, choices: dict[str, Choice], dated: dict[str | None, dict[str, str]]
) -> Recognised:
    filled = {pipeline: sum(map(table.n_filled, stages.values())) for pipeline, stages in dated.items()}
    most = max(filled, key=lambda pipeline: filled[pipeline])
    times = _times(table, choices, {*dated[most].values()})
    own: dict[str, Choice] = {"created_at": times["created_at"]} if "created_at" in times else {}
    if choices["outcome"].chosen is None and choices["stage"].chosen:
        stage = choices["stage"].chosen.column
        choices["outcome"] = chosen(choices["outcome"].role, stage, "the stage of today says how it ended")
    if "closed_at" in times and choices["outcome"].chosen:
        own["closed_at"] = times["closed_at"]
    left = {name: choice for name, choice in choices.items() if name not in ("stage", "from_stage")}
    return Recognised(
        "stage dates",
        f"one row per deal, {len(dated[most])} columns with the date on which a stage was entered",
        {**left, **own},
        stages=dated[most],
        pipeline=most,
        pipelines=tuple(sorted(pipeline for pipeline in dated if pipeline)),
    )


def _current(table: Looked, choices: dict[str, Choice], who: str | None) -> Recognised:
    times = _times(table, choices)
    own: dict[str, Choice] = {n: times[n] for n in ("created_at", "won_at", "lost_at") if n in times}
    if "closed_at" in times and not {"won_at", "lost_at"} <= set(own):
        own["closed_at"] = times["closed_at"]
    left = {name: choice for name, choice in choices.items() if name != "from_stage"}
    why = f"one row per {who!r}, no date per stage" if who else "no column of ids was found"
    return Recognised("current stage", why, {**left, **own})


def _several_rows(table: Looked, choices: dict[str, Choice], who: str, only: Mapping[str, str]) -> Recognised:
    """History or snapshots: several rows per deal, each with its time."""
    left = {name: choice for name, choice in choices.items() if name != "outcome"}
    varying = {name for name in table.names if _could_be_time(table, name) and _varies(table, who, name)}
    when = _first(table, "snapshot_on", varying) or _first(table, "entered_at", varying)
    constant = {name for name in table.names if name not in varying}
    if (created := _first(table, "created_at", constant)) and _could_be_time(table, created):
        left["created_at"] = chosen(role_of("created_at"), created)
    rows = f"{table.n_rows / max(table.n_distinct(who), 1):.1f} rows per {who!r}"
    if when is None:
        return Recognised("history", f"{rows}; no column of times was found", left, only=only)
    if _is_snapshot(table, who, when):
        left["snapshot_on"] = chosen(role_of("snapshot_on"), when)
        left.pop("from_stage", None)
        if choices["outcome"].chosen:
            left["outcome"] = choices["outcome"]
        why = f"{rows}, on the same {table.n_distinct(when):,} days for all ({when!r})"
        return Recognised("snapshots", why, left, only=only)
    left["entered_at"] = chosen(role_of("entered_at"), when)
    return Recognised("history", f"{rows}, each with a time of its own ({when!r})", left, only=only)


def _times(table: Looked, choices: dict[str, Choice], without: set[str] | None = None) -> dict[str, Choice]:
    """Times of a table with one row per deal."""
    taken = {choice.chosen.column for choice in choices.values() if choice.chosen} | (without or set())
    found = {}
    for name in ("created_at", "won_at", "lost_at", "closed_at"):
        free = {column for column in table.names if column not in taken and _could_be_time(table, column)}
        if column := _first(table, name, free):
            found[name] = chosen(role_of(name), column)
            taken.add(column)
    return found


def _first(table: Looked, time: str, among: set[str]) -> str | None:
    """Column with the best of the usual names of a time."""
    there = {plain(name): name for name in table.names if name in among}
    return next((there[name] for name in names_of(time) if name in there), None)


def _could_be_time(table: Looked, name: str) -> bool:
    look = table.look(name)
    return not look.n_filled or is_date(table, look)


def _varies(table: Looked, who: str, column: str) -> bool:
    """Whether a column has several values for one opportunity."""
    pairs = table.table.select(who=table.table[who], what=table.table[column])
    pairs = pairs.filter(pairs.what.notnull()).distinct()
    return _count(pairs) > _count(pairs.select("who").distinct())


def _is_snapshot(table: Looked, who: str, when: str) -> bool:
    """Whether few days are shared by most opportunities, each there once a day."""
    day = values_of(table, when, "day")
    rows = table.table.select(who=table.table[who], day=table.table[when] if day is None else day)
    n, n_pairs, n_days = _count(rows), _count(rows.distinct()), _count(rows.select("day").distinct())
    per_day = n / max(n_days, 1)
    return (
        n_pairs == n and n_days > 1 and per_day >= 2 and per_day >= SHARE_OF_SNAPSHOT * table.n_distinct(who)
    )


def values_of(table: Looked, column: str, kind: Any) -> Any:
    """Values as the doors read them; None where they can be read in two ways."""
    try:
        return table.reading(column, kind).value
    except Unclear:
        return None


def _count(table: ir.Table) -> int:
    return int(table.count().to_pyarrow().as_py())
