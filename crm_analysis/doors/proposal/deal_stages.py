"""The order of stages, proposed from what deals did; which of them mean won and lost, from their names."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.pipeline.outcomes import meaning
from crm_analysis.doors.proposal.deal_shape import Recognised, values_of
from crm_analysis.doors.proposal.looks import Looked
from crm_analysis.doors.proposal.names import plain

MOST_STAGES = 50
PROBABILITY = ("probability", "dealprobability", "winprobability", "赢单率", "概率", "成交概率")


@dataclass(frozen=True)
class Order:
    """Stages in their order with the won one last, the lost ones, and where the order comes from.

    doubts : sentences about what the names do not settle.
    """

    stages: list[str]
    lost: list[str]
    why: str
    doubts: tuple[str, ...] = ()


def order_stages(table: Looked, found: Recognised) -> Order:
    """Propose the order of the stages; for somebody to confirm."""
    names, why = _in_order(table, found)
    means = _meanings(table, found, names)
    lost = [name for name in names if means[name] == "lost"]
    won = [name for name in names if means[name] == "won"]
    stages = [name for name in names if means[name] == "open"]
    doubts = []
    if len(won) > 1:
        doubts.append(f"{won} all seem to mean won: keep one, and rename the others (renamed_stages)")
    by_column = "outcome" in found.columns and found.columns.get("outcome") != found.columns.get("stage")
    if not won and by_column:
        # The outcome has a column of its own: its names are ours to choose.
        won = ["Won"]
    if not won:
        doubts.append("no stage seems to mean won; the last of stages is the won one")
    if not lost and by_column:
        lost = ["Lost"]
    if not lost:
        doubts.append("no stage seems to mean lost; name it, or opportunities that are lost look open")
    return Order([*stages, *won], lost, why, tuple(doubts))


def _in_order(table: Looked, found: Recognised) -> tuple[list[str], str]:
    if found.shape == "stage dates":
        return _by_moves(_moves_of_dates(table, found.stages), list(found.stages)), "by the dates of deals"
    stage = found.columns.get("stage")
    if stage is None:
        return [], "no column of stages"
    names = _names(table, found, stage)
    when = found.columns.get("entered_at") or found.columns.get("snapshot_on")
    at = values_of(table, when, "time") if when else None
    if at is not None:
        return _by_moves(_moves_of_rows(table, found, stage, at), names), "by what deals did first"
    return _without_times(table, stage, names)


def _names(table: Looked, found: Recognised, stage: str) -> list[str]:
    """Names of stages, the most frequent first; of those that are left, too."""
    columns = [stage, *([found.columns["from_stage"]] if "from_stage" in found.columns else [])]
    counts: Counter[str] = Counter()
    for column in columns:
        rows = _meant(table, found).select(name=table.table[column].cast("string"))
        rows = rows.filter(rows.name.notnull() & (rows.name.strip() != ""))
        found_names = rows.group_by("name").agg(n=rows.count()).to_pyarrow().to_pylist()
        counts.update({row["name"]: row["n"] for row in found_names})
    return [name for name, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))][:MOST_STAGES]


def _meant(table: Looked, found: Recognised) -> ir.Table:
    rows = table.table
    for column, value in found.only.items():
        rows = rows.filter(rows[column] == value)
    return rows


def _moves_of_rows(table: Looked, found: Recognised, stage: str, at: Any) -> Mapping[tuple[str, str], int]:
    """How many deals entered one stage before another; what a row left, it had entered before."""
    source, columns = table.table, found.columns
    meant = ibis.and_(ibis.literal(True), *(source[name] == value for name, value in found.only.items()))
    text = {name: source[column].cast("string") for name, column in columns.items() if name == "from_stage"}
    rows = source.select(
        who=source[columns["opportunity_id"]], stage=source[stage].cast("string"), at=at, meant=meant, **text
    )
    rows = rows.filter(rows.meant)
    first = rows.group_by("who", "stage").agg(at=rows["at"].min())
    second = first.view()
    pairs = first.join(second, [first.who == second.who, first["at"] < second["at"]])
    moves = _counted(pairs.select(before=first.stage, after=second.stage))
    if "from_stage" in rows.columns:
        moves.update(_counted(rows.select(before=rows.from_stage, after=rows.stage)))
    return moves


def _counted(pairs: ir.Table) -> Counter[tuple[str, str]]:
    counts = pairs.group_by("before", "after").agg(n=pairs.count()).to_pyarrow().to_pylist()
    return Counter({(row["before"], row["after"]): row["n"] for row in counts})


def _moves_of_dates(table: Looked, stages: Mapping[str, str]) -> Mapping[tuple[str, str], int]:
    dates = {stage: values_of(table, column, "time") for stage, column in stages.items()}
    known = [stage for stage, date in dates.items() if date is not None]
    pairs = list(itertools.permutations(known, 2))
    if not pairs:
        return {}
    asked = {f"n{i}": (dates[a] < dates[b]).sum() for i, (a, b) in enumerate(pairs)}
    row = table.table.agg(**asked).to_pyarrow().to_pylist()[0]
    return {pair: int(row[f"n{i}"] or 0) for i, pair in enumerate(pairs)}


def _by_moves(moves: Mapping[tuple[str, str], int], names: Sequence[str]) -> list[str]:
    """A stage stands before all that are mostly entered after it; alike ones stay as they were."""

    def earlier(name: str) -> tuple[int, float]:
        net = [moves.get((name, other), 0) - moves.get((other, name), 0) for other in names if other != name]
        sure = sum((n > 0) - (n < 0) for n in net)
        both = sum(moves.get((name, o), 0) + moves.get((o, name), 0) for o in names if o != name)
        return -sure, -sum(net) / max(both, 1)

    return sorted(names, key=earlier)


def _without_times(table: Looked, stage: str, names: list[str]) -> tuple[list[str], str]:
    """Order by the probability, or by the numbers in the names."""
    column = next((name for name in table.names if plain(name) in PROBABILITY), None)
    number = values_of(table, column, "number") if column else None
    if number is not None:
        rows = table.table.select(stage=table.table[stage].cast("string"), p=number)
        means = rows.group_by("stage").agg(p=rows.p.mean()).to_pyarrow().to_pylist()
        p = {row["stage"]: row["p"] for row in means if row["p"] is not None}
        if set(names) <= set(p):
            return sorted(names, key=lambda name: p[name]), f"by {column!r}"
    numbers = {name: re.match(r"\s*(\d+)", name) for name in names}
    if names and all(numbers.values()):
        return sorted(names, key=lambda n: int(re.match(r"\s*(\d+)", n)[1])), "by their numbers"  # type: ignore[index]
    return names, "the most frequent first: the file does not show their order"


def _meanings(table: Looked, found: Recognised, names: Sequence[str]) -> dict[str, str]:
    """What each stage means: by flags such as IsWon and IsClosed where they are, else by its name."""
    means: dict[str, str] = {name: meaning(name) for name in names}
    flags = {plain(name): name for name in table.names if plain(name) in ("iswon", "isclosed")}
    stage = found.columns.get("stage")
    if len(flags) < 2 or stage is None or found.shape == "stage dates":
        return means
    won, closed = (values_of(table, flags[name], "flag") for name in ("iswon", "isclosed"))
    if won is None or closed is None:
        return means
    rows = table.table.select(stage=table.table[stage].cast("string"), won=won, closed=closed)
    for row in (
        rows.group_by("stage").agg(won=rows.won.any(), closed=rows.closed.any()).to_pyarrow().to_pylist()
    ):
        if row["stage"] in means:
            means[row["stage"]] = "won" if row["won"] else "lost" if row["closed"] else "open"
    return means
