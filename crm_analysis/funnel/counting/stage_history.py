"""Who reached which stage, with everybody given the same time and nobody counted before the time is up.

Every opportunity is looked at as it stood `window` days after it was created. One that is younger is not
yet known: it is shown, and is in no rate. One that is old enough and neither won nor lost by then is open,
never lost. Each stage closes: entered = advanced + lost + moved back + open.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard, cast

import numpy as np

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel.ageing.maturity import maturity_window
from crm_analysis.funnel.counting.counts import StageCounts, assemble, from_plain_counts
from crm_analysis.funnel.counting.deals import deals_of, members_of
from crm_analysis.funnel.counting.entities import best_courses
from crm_analysis.funnel.counting.history_rules import (
    Back,
    Exclude,
    Exclusion,
    Reentry,
    Rules,
    StepWindows,
    rules_of,
    whole_days,
)
from crm_analysis.funnel.counting.outcomes import LOST

if TYPE_CHECKING:
    from crm_analysis.doors.events import Events
    from crm_analysis.doors.pipeline import Pipeline
    from crm_analysis.funnel.counting.counts import Skipped

# Rules of stage histories, as they are where nothing is said.
DEFAULTS = {
    "window": None,
    "step_windows": None,
    "skipped": "imputed",
    "reentry": "latest viable",
    "back": "counted",
    "exclude": (),
    "exclusion": "entity leaves",
    "entity": "opportunity_id",
    "entered_from": None,
    "entered_until": None,
}


def count_stages(
    source: Pipeline | Events | Sequence[int],
    *,
    stages: Sequence[str] | None = None,
    window: str | None = None,
    step_windows: StepWindows | None = None,
    skipped: Skipped = "imputed",
    reentry: Reentry = "latest viable",
    back: Back = "counted",
    exclude: Exclude = (),
    exclusion: Exclusion = "entity leaves",
    entity: str = "opportunity_id",
    entered_from: dt.date | str | None = None,
    entered_until: dt.date | str | None = None,
    level: float = 0.95,
    **event_rules: Any,
) -> StageCounts:
    """How many opportunities reached each stage within `window` of their creation.

    Parameters
    ----------
    source : a pipeline or an event log, as a door returned it (for events, the arguments are those of
        `count_events`, with `stages` for its steps); or the counts themselves, from first stage to wins.
    stages : names for plain counts ("Stage 1", "Stage 2", ... where not given), or the steps to count in
        events. A pipeline has its own.
    window : a length in whole days, "90 days", from creation. Where not given, the sum of `step_windows`
        that limit every step; else the age by which 95% of the wins that happen have happened
        (`maturity_window`), learnt from the whole pipeline.
    step_windows : {stage: longest time into it from the stage before}, or one length per stage after the
        first, None for no limit.
    skipped, reentry, back : see the table.
    exclude : stages; or {attribute: values}, with "stage" and "opportunity_id" among the attributes. An
        excluded stage is no step of the funnel. Values always leave an opportunity out.
    exclusion : who enters an excluded stage in time: "entity leaves" (is in no count, not in the first
        stage's either) or "chain ends" (counts as it stood before; a loss stays a loss).
    entity : what is counted. "account_id", "phone" or "email": all opportunities of one account or contact
        are one, with the course of the one that came furthest (of those, one that is not lost, then the
        earliest), among those old enough to judge. Who has none counts alone.
    entered_from, entered_until : first and last creation date looked at, both included; all where not given.
    level : of the intervals.
    event_rules : further arguments of `count_events`, for events.

    Notes
    -----
    The policies, and how many of four won or open opportunities they count in stages 1, 2, 3 and won. The
    opportunities: 1, 3, won; created in 3, won; 1, 3, back to 1; 1, won.

    ==========================  =====================================================  ==========
    policy                      a stage counts                                         counts
    ==========================  =====================================================  ==========
    skipped="imputed"           where it or a later one was entered                    4, 4, 4, 3
    skipped="as recorded"       where its own entry is recorded, in any order          3, 0, 3, 3
                                (HubSpot: any stages); not nested
    skipped="strict"            where its own entry is recorded after that of every    3, 0, 0, 0
                                earlier one (HubSpot: all stages)
    back="counted"              though a later move back left it (the rows above)
    back="undone"               unless a later move back left it, as if the earlier    4, 3, 3, 3
                                stage had never been left (with "imputed")
    reentry="latest viable"     by any of its entries: between two stages runs the
                                time from the latest entry into the earlier
    reentry="first entry"       by its first entry only
    ==========================  =====================================================  ==========

    `reentry` matters where steps are limited in time or in order. With step windows a stage counts if its
    entry (an imputed one is dated by the next recorded) follows an entry that counts into the stage before,
    within the window; who goes on later, or skips under "strict", is among `n_advanced` and `n_uncounted`.
    A move back is counted as such where the opportunity still stands behind at the end of the window.

    Raises
    ------
    DataError
        The pipeline does not show how far lost opportunities came (use `count_wins`), or when stages were
        entered and a rule needs it; or there is nothing to judge; or plain counts rise from one stage to the
        next.
    ConfigError
        An argument is misspelt, or does not go with the source.
    """
    given: dict[str, Any] = {
        "window": window,
        "step_windows": step_windows,
        "skipped": skipped,
        "reentry": reentry,
        "back": back,
        "exclude": exclude,
        "exclusion": exclusion,
        "entity": entity,
        "entered_from": entered_from,
        "entered_until": entered_until,
    }
    if isinstance(source, Sequence | np.ndarray):
        _refuse_rules(given | event_rules, "plain counts")
        return from_plain_counts(list(source), stages=stages, level=level)
    if _is_events(source):
        return _count_events(source, stages, given | event_rules, level=level)
    if stages is not None or event_rules:
        names = [*(["stages"] if stages is not None else []), *event_rules]
        raise ConfigError(f"funnel: {names} for a pipeline, which has its own stages and no rules of events")
    return _count_history(cast("Pipeline", source), level=level, **given)


def _count_history(
    pipeline: Pipeline,
    *,
    window: str | None,
    entity: str,
    entered_from: dt.date | str | None,
    entered_until: dt.date | str | None,
    level: float,
    **given: Any,
) -> StageCounts:
    rules = rules_of(pipeline.stages, pipeline.lost, **given)
    _refuse_shape(pipeline, rules)
    length = window or rules.time_of_all_steps
    days = whole_days(length or maturity_window(pipeline), "window")
    members, n_left_out = members_of(pipeline, rules, days=days, period=(entered_from, entered_until))
    stated = rules.stated()
    if entity != "opportunity_id":
        members, stated = best_courses(members, entity), stated | {"entity": entity}
    return assemble(
        members,
        rules.stages,
        skipped=rules.skipped,
        days=days,
        learnt=length is None,
        level=level,
        n_left_out=n_left_out,
        rules=stated,
    )


def count_wins(
    pipeline: Pipeline,
    *,
    window: str | None = None,
    entered_from: dt.date | str | None = None,
    entered_until: dt.date | str | None = None,
    level: float = 0.95,
) -> StageCounts:
    """Return the funnel of two stages, created and won: the win rate, whatever the pipeline's shape hides.

    `share_of_all` of the last row is won / all that are judged. Arguments as in `count_stages`.
    """
    days = whole_days(window or maturity_window(pipeline), "window")
    stages = (pipeline.stages[0], pipeline.stages[-1])
    members = deals_of(pipeline, days=days, period=(entered_from, entered_until))
    in_time = members["days_to_close"] <= days
    won, lost = (in_time & (members["outcome"] == outcome) for outcome in ("won", "lost"))
    members["furthest"] = won.astype(int)
    members["last"] = np.select([won, lost], [1, LOST], default=0)
    return assemble(members, stages, days=days, learnt=window is None, level=level)


def _refuse_shape(pipeline: Pipeline, rules: Rules) -> None:
    if not pipeline.furthest_known:
        raise DataError(
            f"funnel: the shape {pipeline.shape!r} hides how far lost opportunities came, so stage rates "
            "are refused; the win rate (count_wins), incidence and velocity work"
        )
    if pipeline.shape == "current stage" and (rules.in_steps or rules.back == "undone"):
        raise DataError(
            "funnel: the shape 'current stage' does not show when stages were entered, which step windows, "
            "skipped='strict' and back='undone' need"
        )


def _refuse_rules(given: Mapping[str, Any], what: str) -> None:
    """Refuse rules that would do nothing."""
    if idle := [name for name, value in given.items() if value != DEFAULTS.get(name)]:
        raise ConfigError(f"funnel: {idle} mean nothing for {what}; leave them out")


def _is_events(source: Any) -> TypeGuard[Events]:
    from crm_analysis.doors.events import Events

    return isinstance(source, Events)


def _count_events(
    events: Events, stages: Sequence[str] | None, given: dict[str, Any], *, level: float
) -> StageCounts:
    """Count events by those rules that were given; the others are the defaults of `count_events`."""
    from crm_analysis.funnel.counting.event_counts import count_events

    if stages is None:
        raise ConfigError("funnel: an event log needs stages, the events to count in their order")
    rules = {name: value for name, value in given.items() if name not in DEFAULTS or value != DEFAULTS[name]}
    _refuse_rules({name: value for name, value in rules.items() if name in ("skipped", "back")}, "events")
    return count_events(events, steps=stages, level=level, **rules)
