"""How two firms are to be compared, and whether they can be."""

from __future__ import annotations

from dataclasses import dataclass

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel.comparing.gap import Intervals, Method
from crm_analysis.funnel.counting.counts import StageCounts


@dataclass(frozen=True)
class How:
    """How a gap is split and its intervals are made."""

    method: Method
    intervals: Intervals
    clusters: tuple[str, ...]
    level: float
    n_draws: int


def check_choices(**choices: tuple[str | None, tuple[str | None, ...]]) -> None:
    """Refuse arguments that are none of the known choices, all at once."""
    wrong = [
        f"{name}={value!r}, expected one of {known}"
        for name, (value, known) in choices.items()
        if value not in known
    ]
    if wrong:
        raise ConfigError(f"funnel: {'; '.join(wrong)}")


def check_stages(a: StageCounts, b: StageCounts) -> None:
    """Refuse counts that cannot be compared stage by stage."""
    if a.stages != b.stages:
        raise ConfigError(
            f"funnel: stages differ: {list(a.stages)} and {list(b.stages)}; rename or merge them"
        )
    if not (a.nested and b.nested):
        raise ConfigError(
            "funnel: a split needs nested stages; count both firms without skipped='as recorded'"
        )
    if empty := [name for name, c in (("a", a), ("b", b)) if c.counts[0] == 0]:
        raise DataError(f"funnel: firm {' and '.join(empty)} has no entrants, so there is nothing to compare")
