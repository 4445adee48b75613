"""Whether what the counts say survives other rules of counting."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError
from crm_analysis.funnel.ageing.maturity import maturity_window
from crm_analysis.funnel.counting.counts import StageCounts, transitions
from crm_analysis.funnel.counting.stage_history import count_stages
from crm_analysis.workspace import parse_length

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

AS_DECLARED = "as declared"
POLICIES: tuple[dict[str, Any], ...] = ({"skipped": "as recorded"}, {"skipped": "strict"}, {"back": "undone"})


def sensitivity(
    pipelines: Pipeline | Mapping[str, Pipeline],
    *,
    windows: Sequence[str] | None = None,
    policies: Sequence[Mapping[str, Any]] = POLICIES,
    duplicates: Collection[str] = (),
    **rules: Any,
) -> pd.DataFrame:
    """Count again by other rules, one changed at a time, and say which conclusions stay.

    Parameters
    ----------
    pipelines : one pipeline, whose conclusion is the transition with the lowest rate; or two by name, whose
        conclusion is the transition with the largest share of the gap in wins per entrant, in the direction
        of the gap (the logarithm of the ratio of its two rates).
    windows : others to try; half as long and half as long again where not given.
    policies : arguments of `count_stages` to try.
    duplicates : ids of opportunities that are second records of others; tried by leaving them out.
    rules : arguments of `count_stages`, as declared; the window is learnt once, where it is not given.

    Returns
    -------
    DataFrame, a row per rule, firm and transition: rule ("as declared" first), firm, transition, n_previous,
    share_of_previous, low, high, conclusion (of that rule), share_of_gap (of its conclusion; missing with one
    pipeline, where a rate is 0 or unknown, or where there is no gap), survives (the conclusion is that of
    the rules as declared).
    """
    firms = dict(pipelines) if isinstance(pipelines, Mapping) else {"": pipelines}
    if len(firms) not in (1, 2):
        raise ConfigError(f"funnel: sensitivity of {len(firms)} pipelines; expected one or two")
    declared = {"window": maturity_window(*firms.values())} | {
        k: v for k, v in rules.items() if v is not None
    }
    tried = _tried(declared, windows, policies, duplicates)
    tables = [
        _rates(name, {firm: count_stages(p, **given) for firm, p in firms.items()})
        for name, given in tried.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    return table.assign(survives=table["conclusion"] == table["conclusion"].iloc[0])


def _tried(
    declared: dict[str, Any],
    windows: Sequence[str] | None,
    policies: Sequence[Mapping[str, Any]],
    duplicates: Collection[str],
) -> dict[str, dict[str, Any]]:
    days = parse_length(declared["window"])
    lengths = [f"{max(int(days * part), 1)} days" for part in (0.5, 1.5)] if windows is None else windows
    found = {AS_DECLARED: declared}
    found |= {f"window {length}": declared | {"window": length} for length in lengths}
    for policy in policies:
        name = ", ".join(f"{rule} {value}" for rule, value in policy.items())
        found[name] = declared | dict(policy)
    if duplicates:
        given = declared.get("exclude") or {}
        exclude = dict(given) if isinstance(given, Mapping) else {"stage": given}
        gone = [*exclude.get("opportunity_id", ()), *duplicates]
        found["without duplicates"] = declared | {"exclude": exclude | {"opportunity_id": gone}}
    return found


def _rates(rule: str, firms: dict[str, StageCounts]) -> pd.DataFrame:
    names = transitions(next(iter(firms.values())).stages)
    columns = ["share_of_previous", "low", "high"]
    parts = [
        counts.table[columns]
        .iloc[1:]
        .assign(rule=rule, firm=firm, transition=names, n_previous=counts.counts[:-1])
        for firm, counts in firms.items()
    ]
    conclusion, share = _conclusion(
        names, [part["share_of_previous"].to_numpy(dtype=float) for part in parts]
    )
    table = pd.concat(parts, ignore_index=True).assign(conclusion=conclusion, share_of_gap=share)
    return table[["rule", "firm", "transition", "n_previous", *columns, "conclusion", "share_of_gap"]]


def _conclusion(names: list[str], rates: list[np.ndarray]) -> tuple[str | None, float]:
    """Transition that stands out, and its share of the gap."""
    if len(rates) == 1:
        return (names[int(np.nanargmin(rates[0]))] if np.isfinite(rates[0]).any() else None), np.nan
    if not (np.isfinite(rates).all() and (np.array(rates) > 0).all()):
        return None, np.nan
    logs = np.log(rates[0] / rates[1])
    gap = float(logs.sum())
    k = int(np.argmax(logs if gap >= 0 else -logs))
    return names[k], (float(logs[k]) / gap if abs(gap) > 1e-12 else np.nan)
