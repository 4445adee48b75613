"""Whether outcomes were written down only from a day on, long after the first opportunities were created."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crm_analysis.errors import DataError

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

# So many, each with a chance of a half or more to have closed by then: none has, once in 1,000 times.
ENOUGH = 10


@dataclass(frozen=True)
class Truncation:
    """Where the outcomes of a pipeline begin.

    detected : outcomes before `first_outcome` are missing; False too where nothing has closed.
    first_entry, first_outcome : dates of the first creation and of the first win or loss; None without one.
    gap_days : days between them; 0 where nothing has closed.
    n_before : opportunities created before `first_outcome`.
    n_closed_before : of those, closed by now; each of them stayed open until outcomes begin, or is missing.
    n_too_slow : of those, created so long before the first outcome (`median_days`) that half of them should
        have closed by then. Detected from 10 on.
    median_days : days to close of those created from the first outcome on; None where none of them closed.
    bias : what the early cohorts look like: "slow" (their fast outcomes are missing); "" if not detected.
    whole_from : the first creation date from which cohorts are whole: give it as `entered_from`.
    """

    detected: bool
    first_entry: dt.date
    first_outcome: dt.date | None
    gap_days: int
    n_before: int
    n_closed_before: int
    n_too_slow: int
    median_days: int | None
    bias: str
    whole_from: dt.date


def truncation(pipeline: Pipeline) -> Truncation:
    """Find whether the log of outcomes starts later than the log of entries, and from when cohorts are whole.

    Of opportunities created more than the median time to close before the first outcome, half should have
    closed before it. Where ten or more of them closed, all later, earlier outcomes are not in the data:
    those that closed fast are missing or the log was begun with what was open, so that shares won by an
    early age lean low and times to close lean high. The remedy is `entered_from=found.whole_from`.

    Raises
    ------
    DataError
        No opportunity has a creation date.
    """
    deals = pipeline.opportunities
    found = deals.agg(entry=deals.created_on.min(), outcome=deals.closed_on.min()).to_pyarrow().to_pylist()[0]
    entry, outcome = found["entry"], found["outcome"]
    if entry is None:
        raise DataError("truncation: no opportunity has a creation date; map created_on")
    if outcome is None:
        return Truncation(False, entry, None, 0, 0, 0, 0, None, "", entry)
    n_before, n_closed, n_slow, median = _before(pipeline, outcome)
    detected = n_slow >= ENOUGH
    return Truncation(
        detected=detected,
        first_entry=entry,
        first_outcome=outcome,
        gap_days=(outcome - entry).days,
        n_before=n_before,
        n_closed_before=n_closed,
        n_too_slow=n_slow,
        median_days=median,
        bias="slow" if detected else "",
        whole_from=outcome if detected else entry,
    )


def _before(pipeline: Pipeline, first_outcome: dt.date) -> tuple[int, int, int, int | None]:
    """Created before the first outcome; of those closed; of those too slow; and the median days to close."""
    deals = pipeline.opportunities
    closed = deals.closed_on.notnull()
    later = deals.filter(closed & (deals.created_on >= first_outcome))
    days = later.closed_on.delta(later.created_on, unit="day").median().to_pyarrow().as_py()
    limit = first_outcome - dt.timedelta(days=int(days)) if days is not None else dt.date.min
    early = deals.created_on < first_outcome
    counts = deals.agg(
        n=early.ifelse(1, 0).sum(),
        closed=(early & closed).ifelse(1, 0).sum(),
        slow=(closed & (deals.created_on < limit)).ifelse(1, 0).sum(),
    )
    n = counts.to_pyarrow().to_pylist()[0]
    return int(n["n"] or 0), int(n["closed"] or 0), int(n["slow"] or 0), None if days is None else int(days)
