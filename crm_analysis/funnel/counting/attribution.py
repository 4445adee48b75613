"""The value of an attribute that an entity is given, after it was counted."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError
from crm_analysis.funnel.counting.chains import NONE, rows_of_step
from crm_analysis.funnel.counting.event_arrays import EventArrays
from crm_analysis.funnel.counting.event_rules import Rules
from crm_analysis.funnel.counting.furthest import Furthest

FIRST_STEP, FIRST_KNOWN, LAST_KNOWN = "first step", "first known", "last known"


def attributed_step(attribution: str, rules: Rules) -> int | None:
    """Number of the step whose event gives the value; None for the first and the last known value."""
    if attribution in (FIRST_KNOWN, LAST_KNOWN):
        return None
    if attribution == FIRST_STEP:
        return 0
    if attribution not in rules.stages:
        words = [FIRST_STEP, FIRST_KNOWN, LAST_KNOWN]
        raise ConfigError(
            f"funnel: attribution {attribution!r}; expected one of {words} or a step: {list(rules.stages)}"
        )
    if rules.order == "any order":
        raise ConfigError(f"funnel: attribution {attribution!r} has no meaning for steps in any order")
    return rules.stages.index(attribution)


def attribute_at(
    events: EventArrays, found: Furthest, rules: Rules, name: str, attribution: str
) -> pd.Categorical:
    """Value of each entity in `found`; missing where the event is, or where it has none.

    Of several events of the step at one moment, and of several known at the first or last moment, the
    smallest value counts, so that the order of rows never does.
    """
    step, values = attributed_step(attribution, rules), events.values[name]
    codes = values.codes
    if step is not None:
        rows = _alike(events, rules, step)
        targets = found.rows[:, step]
    else:
        rows = _step_rows(events, rules)
        rows = rows[codes[rows] >= 0]
        targets = _edge(events, found, rows, last=attribution == LAST_KNOWN)
    moments = events.moment_starts()
    smallest = _smallest(moments[rows], codes[rows], np.where(targets == NONE, NONE, moments[targets]))
    return pd.Categorical.from_codes(smallest, dtype=values.dtype)


def _alike(events: EventArrays, rules: Rules, step: int) -> np.ndarray:
    """Events that the step may be; in any order every step may come first."""
    return _step_rows(events, rules) if rules.order == "any order" else rows_of_step(events, rules, step)


def _step_rows(events: EventArrays, rules: Rules) -> np.ndarray:
    return np.flatnonzero((events.code >= 1) & (events.code <= rules.n_step_names))


def _edge(events: EventArrays, found: Furthest, rows: np.ndarray, *, last: bool) -> np.ndarray:
    """First or last of `rows` of each entity in `found`."""
    place = np.searchsorted(events.entity[rows], found.entity, side="right" if last else "left") - last
    inside = (place >= 0) & (place < len(rows))
    target = rows[np.where(inside, place, 0)] if len(rows) else np.full(len(place), NONE)
    inside &= (target != NONE) & (events.entity[target] == found.entity)
    return np.where(inside, target, NONE)


def _smallest(moments: np.ndarray, codes: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Smallest known code at each target moment; -1 where there is none."""
    known = codes >= 0
    moments, codes = moments[known], codes[known]
    order = np.lexsort((codes, moments))
    moments, codes = np.append(moments[order], np.iinfo(np.int64).max), np.append(codes[order], -1)
    place = np.searchsorted(moments, targets)
    return np.where((targets != NONE) & (moments[place] == targets), codes[place], -1)
