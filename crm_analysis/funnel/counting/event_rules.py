"""The rules by which events are counted, read from arguments and checked once.

Inside, steps are numbered from 0 and lengths are whole microseconds.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, get_args

from crm_analysis.errors import ConfigError
from crm_analysis.workspace import parse_length

Order = Literal["ordered", "strictly later", "no repeats", "nothing between", "any order"]
Reentry = Literal["latest viable", "first entry"]
Exclusion = Literal["entity leaves", "chain ends"]
Count = Literal["entities", "attempts"]
Length = str | dt.timedelta
StepWindows = Mapping[str, Length] | Sequence[Length | None]
Excluded = Collection[str] | Mapping[str, tuple[str, str]]

_CLOCK = re.compile(r"(?P<count>\d+(?:\.\d+)?)\s*(?P<unit>second|minute|hour)s?")
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0}
_MICROSECONDS_PER_DAY = 86_400_000_000


@dataclass(frozen=True)
class Rules:
    """What counts as a step, a chain of steps and an attempt.

    stages : labels of the steps.     steps : names of the events that each step may be.
    window : from the first step of a chain to its last, at most; microseconds, None for no limit.
    gaps : for each step, at most so long after the step before; None for no limit (always in the first).
    excluded : name of an event, and the steps between which it must not lie.
    optional : numbers of the steps that may be left out.
    """

    stages: tuple[str, ...]
    steps: tuple[tuple[str, ...], ...]
    window: int | None
    gaps: tuple[int | None, ...]
    order: Order
    first_entry: bool
    attempts: bool
    excluded: tuple[tuple[str, int, int], ...]
    leaves: bool
    optional: frozenset[int]

    @property
    def names(self) -> list[str]:
        """Events that matter, steps in their order before exclusions: their places within one moment."""
        steps = dict.fromkeys(name for step in self.steps for name in step)
        return list(dict.fromkeys([*steps, *(name for name, _, _ in self.excluded)]))

    @property
    def n_step_names(self) -> int:
        """How many of `names` are steps."""
        return len({name for step in self.steps for name in step})

    @property
    def reads_all(self) -> bool:
        """Whether events that are no step matter as well."""
        return self.order == "nothing between"

    def must_be_later(self, k: int) -> bool:
        """Whether step k can be the event of an earlier step, and so must be later than the step before it.

        No event is two steps, and an event that was logged twice at one moment is no repetition.
        """
        earlier = {name for step in self.steps[:k] for name in step}
        return bool(earlier & set(self.steps[k]))

    @property
    def whole_window(self) -> int | None:
        """Time after which an attempt is over, by its window or by all of its gaps; None if never."""
        gaps = [gap for gap in self.gaps[1:] if gap is not None]
        total = sum(gaps) if len(gaps) == len(self.steps) - 1 else None
        if self.order == "any order" or total is None:
            return self.window
        return total if self.window is None else min(self.window, total)


def read_rules(
    steps: Sequence[str | Collection[str]] | Mapping[str, str | Collection[str]],
    *,
    window: Length | None,
    step_windows: StepWindows | None,
    order: Order,
    reentry: Reentry | None,
    count: Count,
    exclude: Excluded,
    exclusion: Exclusion,
    optional: Collection[str],
) -> Rules:
    """Check the arguments of `count_events`, and the combinations that have a meaning."""
    for argument, value, words in (
        ("order", order, get_args(Order)),
        ("reentry", reentry, (*get_args(Reentry), None)),
        ("count", count, get_args(Count)),
        ("exclusion", exclusion, get_args(Exclusion)),
    ):
        if value not in words:
            raise ConfigError(f"funnel: {argument} {value!r}; expected one of {[w for w in words if w]}")
    stages, events = _steps(steps)
    rules = Rules(
        stages=stages,
        steps=events,
        window=None if window is None else microseconds(window, "window"),
        gaps=_gaps(step_windows, stages),
        order=order,
        first_entry=reentry == "first entry" or count == "attempts",
        attempts=count == "attempts",
        excluded=_excluded(exclude, stages),
        leaves=exclusion == "entity leaves",
        optional=frozenset(_number(name, stages, "optional") for name in optional),
    )
    _refuse_contradictions(rules, reentry)
    return rules


def refuse_unknown(names: Collection[str], present: Collection[str]) -> None:
    """Refuse events that never happen in the log, naming those that do, closest first."""
    for name in names:
        if name in present:
            continue
        close = get_close_matches(name, present, n=3, cutoff=0.4)
        others = sorted(set(present) - set(close))
        shown = ", ".join(repr(n) for n in [*close, *others][:20]) or "none at all"
        more = f" and {len(present) - 20} more" if len(present) > 20 else ""
        raise ConfigError(f"funnel: no event {name!r} in the log; events there, closest first: {shown}{more}")


def microseconds(length: Length, argument: str) -> int:
    """Read a length such as "10 minutes", "36 hours", "7 days" or a timedelta."""
    if isinstance(length, dt.timedelta):
        found = length / dt.timedelta(microseconds=1)
    elif isinstance(length, str) and (match := _CLOCK.fullmatch(length.strip())):
        found = float(match["count"]) * _SECONDS[match["unit"]] * 1e6
    else:
        found = parse_length(length) * _MICROSECONDS_PER_DAY
    if found < 0:
        raise ConfigError(f"funnel: {argument} {length!r}; expected a length of 0 or more")
    return round(found)


def _steps(steps: Any) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    if isinstance(steps, str) or len(steps) < 1:
        raise ConfigError(f"funnel: steps {steps!r}; expected a list of events, first step first")
    events = [(one,) if isinstance(one, str) else tuple(dict.fromkeys(one)) for one in _values(steps)]
    if empty := [k + 1 for k, names in enumerate(events) if not names]:
        raise ConfigError(f"funnel: no event in steps {empty}; expected one or more in each step")
    labels = list(steps) if isinstance(steps, Mapping) else [" or ".join(names) for names in events]
    seen: dict[str, int] = {}
    for k, label in enumerate(labels):
        seen[label] = seen.get(label, 0) + 1
        labels[k] = label if seen[label] == 1 else f"{label} ({seen[label]})"
    return tuple(labels), tuple(events)


def _values(steps: Any) -> list[Any]:
    return list(steps.values()) if isinstance(steps, Mapping) else list(steps)


def _gaps(step_windows: StepWindows | None, stages: tuple[str, ...]) -> tuple[int | None, ...]:
    """Gap before each step."""
    if step_windows is None:
        return (None,) * len(stages)
    gaps: list[int | None] = [None] * len(stages)
    if isinstance(step_windows, Mapping):
        for name, length in step_windows.items():
            gaps[_number(name, stages, "step_windows")] = microseconds(length, f"step window of {name!r}")
    elif isinstance(step_windows, str) or len(step_windows) != len(stages) - 1:
        raise ConfigError(
            f"funnel: step_windows {step_windows!r}; expected {len(stages) - 1} lengths, one per step after "
            "the first (None for no limit), or {step: length}"
        )
    else:
        for k, gap in enumerate(step_windows, start=1):
            gaps[k] = None if gap is None else microseconds(gap, f"step window {k}")
    if gaps[0] is not None:
        raise ConfigError(f"funnel: a step window for {stages[0]!r}; nothing comes before the first step")
    return tuple(gaps)


def _excluded(exclude: Excluded, stages: tuple[str, ...]) -> tuple[tuple[str, int, int], ...]:
    if isinstance(exclude, str):
        raise ConfigError(f"funnel: exclude {exclude!r}; expected a list of events, or {{event: (from, to)}}")
    if not isinstance(exclude, Mapping):
        return tuple((name, 0, len(stages) - 1) for name in dict.fromkeys(exclude))
    found = []
    for name, ends in exclude.items():
        start, end = (_number(step, stages, f"exclude[{name!r}]") for step in ends)
        if start >= end:
            raise ConfigError(f"funnel: {name!r} excluded between {ends}; expected an earlier, a later step")
        found.append((name, start, end))
    return tuple(found)


def _number(name: str, stages: tuple[str, ...], argument: str) -> int:
    if name not in stages:
        raise ConfigError(f"funnel: {argument} names {name!r}; steps: {list(stages)}")
    return stages.index(name)


def _refuse_contradictions(rules: Rules, reentry: Reentry | None) -> None:
    steps = {name for names in rules.steps for name in names}
    if both := sorted(steps & {name for name, _, _ in rules.excluded}):
        raise ConfigError(f"funnel: {both} are steps and excluded; an event can be one of both")
    if rules.optional & {0, len(rules.steps) - 1}:
        raise ConfigError("funnel: the first and the last step cannot be optional; give a shorter funnel")
    if rules.attempts and rules.excluded:
        raise ConfigError("funnel: exclude means nothing for attempts, which are over with their window")
    if rules.attempts and reentry == "latest viable":
        raise ConfigError(
            "funnel: attempts follow one another, so each starts at its first entry; leave out reentry or "
            'count "entities"'
        )
    plain = not (rules.excluded or rules.optional)
    if rules.order in ("no repeats", "nothing between") and not plain:
        raise ConfigError(f"funnel: order {rules.order!r} goes with neither exclude nor optional")
    if rules.order in ("any order", "no repeats", "nothing between"):
        _refuse_shared_events(rules)
    if rules.order == "any order":
        _refuse_any_order(rules, reentry, plain)


def _refuse_any_order(rules: Rules, reentry: Reentry | None, plain: bool) -> None:
    gapless = all(gap is None for gap in rules.gaps)
    if not (plain and gapless) or rules.attempts or reentry is not None:
        raise ConfigError(
            "funnel: in any order there is no step before another, so exclude, optional, step_windows, "
            "attempts and reentry have no meaning; leave them out"
        )


def _refuse_shared_events(rules: Rules) -> None:
    names = [name for step in rules.steps for name in step]
    if shared := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(
            f"funnel: {shared} in more than one step, which has no meaning in the order {rules.order!r}; "
            'use the order "ordered"'
        )
