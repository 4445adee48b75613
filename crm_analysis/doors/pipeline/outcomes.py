"""A column that says how an opportunity ended, beside the one that says in which stage it stands."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.pipeline.stages import Stages
from crm_analysis.doors.schema import Check, Column, is_missing
from crm_analysis.doors.shapes import stripped
from crm_analysis.errors import ConfigError

Outcome = Literal["won", "lost", "open"]
# What CRMs write in English, German, French and Chinese.
WORDS: dict[Outcome, tuple[str, ...]] = {
    "won": ("won", "closed won", "closedwon", "gewonnen", "gagné", "gagnée", "fermé gagné", "赢单", "已赢单",
            "成交", "已成交"),
    "lost": ("lost", "closed lost", "closedlost", "verloren", "perdu", "perdue", "fermé perdu", "输单",
             "已输单", "丢单", "已丢单"),
    "open": ("open", "offen", "ouvert", "ouverte", "en cours", "in progress", "进行中", "跟进中"),
}  # fmt: skip
# When it ended: one column for both ends, or one for each.
CLOSING = (Column("closed_at", "time"), Column("won_at", "time"), Column("lost_at", "time"))
_MEANS_WON = re.compile(r"\bwon\b|closedwon|gewonnen|gagn[ée]|赢单|成交|签单成功")
_MEANS_LOST = re.compile(
    r"\blost\b|closedlost|verloren|perdue?\b|\bdead\b|disqualified|abandon|cancell?ed|输单|丢单|战败|流失"
)


def meaning(name: str) -> Outcome:
    """What the name of a stage seems to say; for proposals, which somebody confirms."""
    text = unicodedata.normalize("NFKC", name).casefold().replace("_", " ")
    if _MEANS_LOST.search(text) or re.search(r"未成交|not won", text):
        return "lost"
    return "won" if _MEANS_WON.search(text) else "open"


@dataclass(frozen=True)
class Outcomes:
    """What the words of an outcome column mean: those that the caller gives, then `WORDS`."""

    given: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Outcomes:
        """Outcomes from what the caller declares: word in the source -> "won", "lost" or "open"."""
        if wrong := {word: says for word, says in given.items() if says not in WORDS}:
            raise ConfigError(f"pipeline: outcomes = {wrong}; each word is {', '.join(map(repr, WORDS))}")
        return cls(dict(given))

    def understood(self, word: ir.StringValue, stages: Stages) -> ir.StringValue:
        """'won', 'lost' or 'open'; NULL where the word is not known. The name of a stage is a word too."""
        plain = stripped(word).lower()
        branches = [(word == each, says) for each, says in self.given.items()]
        branches += [(plain == each, says) for says, words in WORDS.items() for each in words]
        branches += [(stages.declared(word) == each, stages.outcome_of(each)) for each in stages.known]
        return ibis.cases(*branches, else_=ibis.null("string"))


def with_outcome(table: ir.Table, outcomes: Outcomes, stages: Stages) -> ir.Table:
    """Understand the column `outcome`, whose words stay in `outcome_word`.

    What the outcome says becomes the stage, and the stage in which it was reached becomes `last_stage`.
    """
    if "outcome" not in table.columns:
        return table
    if not stages.lost:
        raise ConfigError(
            "pipeline: a column mapped to outcome needs lost = [...], the name of the lost stage"
        )
    table = table.mutate(outcome_word=table.outcome, outcome=outcomes.understood(table.outcome, stages))
    if "stage" not in table.columns:
        return table
    lost = table.stage.isin(stages.lost).ifelse(table.stage, stages.lost[0])
    ended = ibis.cases(
        (table.outcome == "won", stages.won), (table.outcome == "lost", lost), else_=table.stage
    )
    return table.mutate(
        last_stage=table.stage, stage=table.stage.notnull().ifelse(ended, ibis.null("string"))
    )


def ended_at(table: ir.Table, outcome: ir.StringValue) -> ir.TimestampValue:
    """When an opportunity of that outcome was won or lost; of an open one, whatever closed_at says."""
    never = ibis.null("timestamp(6)")
    there = {column.name: table[column.name] for column in CLOSING if column.name in table.columns}
    closed = there.get("closed_at", never)
    won, lost = (ibis.coalesce(there.get(name, never), closed) for name in ("won_at", "lost_at"))
    return ibis.cases((outcome == "won", won), (outcome == "lost", lost), else_=closed)


def outcome_checks(table: ir.Table, stages: Stages) -> list[Check]:
    """List the checks of an outcome column, where there is one."""
    if "outcome" not in table.columns:
        return []
    checks = [
        Check(
            "outcome missing",
            "set aside",
            is_missing("outcome_word"),
            "have no outcome",
            "wins and losses are too few if these have ended",
            ("opportunity_id",),
        ),
        _not_understood(table),
    ]
    return checks if "stage" not in table.columns else [*checks, _contradicts(stages)]


def _contradicts(stages: Stages) -> Check:
    return Check(
        "outcome against stage",
        "set aside",
        lambda t: stages.is_closed(t.last_stage) & (stages.outcome(t.last_stage) != t.outcome),
        "stand in a won or lost stage, and their outcome says otherwise",
        "wins and losses are too few",
        ("opportunity_id", "last_stage", "outcome_word"),
    )


def _not_understood(table: ir.Table) -> Check:
    unknown = table.filter(table.outcome.isnull() & table.outcome_word.notnull())
    counts = unknown.group_by("outcome_word").agg(n=unknown.count()).order_by(ibis.desc("n"), "outcome_word")
    there = [row["outcome_word"] for row in counts.limit(5).to_pyarrow().to_pylist()]
    found = (
        f"have an outcome that is not understood: {there}; say what each means, such as "
        f"outcomes = {{ {(there or ['...'])[0]!r} = 'lost' }} (or 'won', 'open')"
    )
    shows = ("opportunity_id", "outcome_word")
    return Check(
        "outcome not understood",
        "refuse",
        lambda t: t.outcome.isnull() & t.outcome_word.notnull(),
        found,
        shows=shows,
    )
