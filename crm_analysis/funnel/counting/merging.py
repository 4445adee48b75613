"""Adjacent stages counted as one, where the line between them is drawn differently by different firms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError
from crm_analysis.funnel.counting.counts import StageCounts, from_plain_counts, recount
from crm_analysis.funnel.counting.outcomes import entered


def merge_stages(counts: StageCounts, merged: Sequence[str], *, name: str | None = None) -> StageCounts:
    """Counts with adjacent stages as one: entered with the first of them, left with the last.

    A firm that qualifies harder loses more in one stage and less in the next. Merged, the two rates are one,
    which no such line can shift.

    Parameters
    ----------
    counts : from a pipeline, or plain.
    merged : two or more adjacent stages, in their order. With the won stage among them, the merged one
        counts as won who entered the first of them, so it is refused.
    name : of the merged stage; the names joined by " + " where not given.

    Raises
    ------
    ConfigError
        The stages are not known, not adjacent, in another order, or fewer than two; or nothing is left to
        compare.
    """
    first, last = _ends(counts, tuple(merged))
    name = name or " + ".join(merged)
    stages = (*counts.stages[:first], name, *counts.stages[last + 1 :])
    if len(set(stages)) != len(stages):
        raise ConfigError(f"funnel: a stage is called {name!r} already; give another name")
    if counts.members is None:
        kept = [n for k, n in enumerate(counts.counts) if not first < k <= last]
        return from_plain_counts(kept, stages=stages, level=counts.level)
    return recount(counts, _renumbered(counts, first, last), stages=stages)


def _ends(counts: StageCounts, merged: tuple[str, ...]) -> tuple[int, int]:
    """Positions of the first and the last stage to merge."""
    if unknown := [stage for stage in merged if stage not in counts.stages]:
        raise ConfigError(f"funnel: no stage {unknown[0]!r}; stages: {list(counts.stages)}")
    first = counts.stages.index(merged[0]) if merged else 0
    last = first + len(merged) - 1
    if len(merged) < 2 or counts.stages[first : last + 1] != merged or last == len(counts.stages) - 1:
        raise ConfigError(
            f"funnel: {list(merged)} cannot be merged; expected two or more stages next to each other in "
            f"{list(counts.stages[:-1])}, in that order"
        )
    return first, last


def _renumbered(counts: StageCounts, first: int, last: int) -> pd.DataFrame:
    members = counts.known_members()
    moved = {
        column: np.where(
            members[column] > last, members[column] - (last - first), members[column].clip(upper=first)
        )
        for column in ("furthest", "top", "last")
    }
    by_entry = [k for k in range(len(counts.stages)) if f"entered_{k}" in members]
    kept = members.drop(columns=[f"entered_{k}" for k in by_entry]).assign(**moved)
    if not by_entry:
        return kept
    groups = [[k] for k in range(first)] + [list(range(first, last + 1))]
    groups += [[k] for k in range(last + 1, len(counts.stages))]
    union = {
        f"entered_{j}": np.logical_or.reduce([entered(members, k) for k in ks]) for j, ks in enumerate(groups)
    }
    return kept.assign(**union)
