"""The declared stages of a pipeline: their order, the losses among them, and their names in the source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import ibis
import ibis.expr.types as ir

from crm_analysis.errors import ConfigError


@dataclass(frozen=True)
class Stages:
    """The stages in their order, the last of them won; the lost ones; name in the source -> declared name."""

    order: tuple[str, ...]
    lost: tuple[str, ...] = ("Lost",)
    renamed: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, order: Sequence[str], lost: Sequence[str], renamed: Mapping[str, str]) -> Stages:
        """Stages from what the caller declares.

        Raises
        ------
        ConfigError
            Fewer than two stages, a stage declared twice, or a rename to a stage that is not declared.
        """
        if isinstance(order, str) or isinstance(lost, str):
            raise ConfigError("pipeline: stages and lost are lists of names, such as ['Lead', 'Won']")
        stages = cls(tuple(order), tuple(lost), dict(renamed))
        stages._check()
        return stages

    def _check(self) -> None:
        if len(self.order) < 2:
            raise ConfigError(
                f"pipeline: stages = {list(self.order)}; at least two were expected, the last one won"
            )
        if twice := sorted({name for name in self.known if self.known.count(name) > 1}):
            raise ConfigError(
                f"pipeline: {twice} declared more than once in stages {list(self.order)} and lost "
                f"{list(self.lost)}; name each stage once"
            )
        if unknown := sorted(set(self.renamed.values()) - set(self.known)):
            raise ConfigError(
                f"pipeline: renamed_stages leads to {unknown}, not declared; declared: {list(self.known)}"
            )

    @property
    def known(self) -> tuple[str, ...]:
        """Every declared name: the stages in order, then the lost ones."""
        return (*self.order, *self.lost)

    @property
    def won(self) -> str:
        """The last stage."""
        return self.order[-1]

    def declared(self, name: ir.StringValue) -> ir.StringValue:
        """Return the declared name of a stage as the source calls it."""
        return name.cases(*self.renamed.items(), else_=name) if self.renamed else name

    def number(self, stage: ir.StringValue) -> ir.IntegerValue:
        """Place of a stage in the declared order, from 0; NULL for the lost ones."""
        return _place(stage, self.order)

    def rank(self, stage: ir.StringValue) -> ir.IntegerValue:
        """Place among all declared names: the order of rows that carry the same time."""
        return _place(stage, self.known)

    def is_closed(self, stage: ir.StringValue) -> ir.BooleanValue:
        """Return True for the won stage and the lost ones."""
        return stage.isin((self.won, *self.lost))

    def outcome_of(self, name: str) -> str:
        """'won', 'lost' or 'open' of a declared name."""
        return "lost" if name in self.lost else "won" if name == self.won else "open"

    def outcome(self, stage: ir.StringValue) -> ir.StringValue:
        """'won', 'lost' or 'open'."""
        lost = [(name, "lost") for name in self.lost]
        return stage.cases((self.won, "won"), *lost, else_="open")


def _place(stage: ir.StringValue, names: Sequence[str]) -> ir.IntegerValue:
    places = [(name, ibis.literal(i, "int64")) for i, name in enumerate(names)]
    return stage.cases(*places, else_=ibis.null("int64"))
