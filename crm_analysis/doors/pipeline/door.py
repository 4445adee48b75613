"""The door for pipelines: read in one of four shapes, checked, seen at a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import ibis.expr.types as ir

from crm_analysis.doors.pipeline.current_stage import read_current_stage
from crm_analysis.doors.pipeline.defects import find_defects
from crm_analysis.doors.pipeline.entries import AS_THEN, changes, current_only, opportunities, stage_history
from crm_analysis.doors.pipeline.history import read_history
from crm_analysis.doors.pipeline.outcomes import Outcomes
from crm_analysis.doors.pipeline.question import Found, Question
from crm_analysis.doors.pipeline.snapshots import read_snapshots
from crm_analysis.doors.pipeline.stage_dates import read_stage_dates
from crm_analysis.doors.pipeline.stages import Stages
from crm_analysis.doors.pipeline.stays import stays_of
from crm_analysis.doors.transactions import as_date
from crm_analysis.doors.verdict import Defect, Verdict
from crm_analysis.errors import ConfigError, DataError

SHAPES: dict[str, Callable[[Question], Found]] = {
    "history": read_history,
    "stage dates": read_stage_dates,
    "current stage": read_current_stage,
    "snapshots": read_snapshots,
}


@dataclass(frozen=True)
class Pipeline:
    """A checked pipeline as it stood at `snapshot_at`; tables are Ibis expressions in the engine of the rows.

    history : one row per stage entry: opportunity_id, sequence (from 0), stage, stage_number (place in
        `stages`, NULL where lost), entered_at, entered_on; where mapped, owner, amount and
        expected_close as they were then.
    opportunities : opportunity_id, created_on, first_stage_number, furthest_stage_number, current_stage,
        outcome ("won", "lost", "open"), closed_on (NULL while open); where mapped, owner, amount, source,
        segment, account_id, lost_reason, phone, email, expected_close (the latest). In the shape "current
        stage" first_stage_number is NULL for all, created_on may be, and furthest_stage_number is for lost
        opportunities, unless an outcome column leaves the stage in which they were lost: that one is taken
        as the furthest.
    rows : the checked rows from which both are made, those among them that changed only a value, such as
        the amount or expected_close, within a stage: `changes` lists them.
    furthest_known : whether the furthest stage of lost opportunities is known, so that stage rates can be
        computed.
    set_aside : reason -> rows;  set_aside_rows : those rows, with their reason.
    """

    history: ir.Table
    opportunities: ir.Table
    rows: ir.Table
    stages: tuple[str, ...]
    lost: tuple[str, ...]
    snapshot_at: dt.date
    shape: str
    verdict: Verdict
    set_aside: dict[str, int]
    set_aside_rows: ir.Table
    n_rows_in: int
    furthest_known: bool

    def as_of(self, date: dt.date | str) -> Pipeline:
        """Return the pipeline as it stood at the end of an earlier day.

        Owner, amount and the other values are those of that day in the shapes "history" and "snapshots"; the
        other two know only the latest. In the shape "current stage" an opportunity that was still open on
        that day has no stage, so that stage rates are refused, and one without a date of creation is left
        out.
        """
        at = as_date(date, "as_of")
        if at > self.snapshot_at:
            raise ConfigError(
                f"pipeline: as_of {at} lies after snapshot_at {self.snapshot_at}; give an earlier day"
            )
        if at == self.snapshot_at:
            return self
        history, deals = _written(self.rows, self.shape, Stages(self.stages, self.lost), at)
        known = self.furthest_known and self.shape != "current stage"
        return replace(self, history=history, opportunities=deals, snapshot_at=at, furthest_known=known)

    @cached_property
    def stays(self) -> ir.Table:
        """Every stay in a stage before the won one, worked out at the first question.

        Returns
        -------
        opportunity_id, sequence, stage, stage_number, entered_on, left_on (the snapshot while it is there),
        days, to (stage number, -1 lost, -2 still there), exit ("advanced", "lost", "back" or "there").

        Raises
        ------
        DataError
            The shape does not know when stages were entered, or some are left before they are entered.
        """
        n = len(self.stages)
        return stays_of(self.history, n_stages=n, snapshot_at=self.snapshot_at, shape=self.shape)

    @property
    def keeps_changes(self) -> bool:
        """Whether the source shows what values were before: the other two shapes know only the latest."""
        return self.shape in ("history", "snapshots")

    def changes(self, name: str) -> ir.Table:
        """Every change of "owner", "amount" or "expected_close" up to snapshot_at, in whatever stage.

        Returns
        -------
        opportunity_id, changed_at, stage (the one it was in then, or entered then), before, after; in no
        order. A deal slipped where after > before in the changes of expected_close. In snapshots, a change is
        dated by the first one that shows it. The first value is no change; an owner may be nobody (NULL).

        Raises
        ------
        ConfigError
            The column is not mapped, or the shape knows only the latest values.
        """
        if not self.keeps_changes:
            raise ConfigError(
                f"pipeline: the shape {self.shape!r} knows only the latest {name}; changes are known in the "
                'shapes "history" and "snapshots"'
            )
        if name not in AS_THEN or name not in self.rows.columns:
            mapped = [each for each in AS_THEN if each in self.rows.columns]
            raise ConfigError(f"pipeline: no changes of {name!r} are known; mapped of {[*AS_THEN]}: {mapped}")
        seen = self.rows.filter(self.rows.entered_at.date() <= self.snapshot_at)
        return changes(seen, name, stages=Stages(self.stages, self.lost))


def read_pipeline(
    source: Any,
    *,
    columns: Mapping[str, Any],
    stages: Sequence[str],
    snapshot_at: dt.date | str,
    shape: str = "history",
    lost: Sequence[str] = ("Lost",),
    renamed_stages: Mapping[str, str] | None = None,
    pipeline: str | None = None,
    only: Mapping[str, str | Sequence[str]] | None = None,
    outcomes: Mapping[str, str] | None = None,
    max_set_aside: float = 0.05,
    **options: Any,
) -> Pipeline:
    """Read and check a sales pipeline.

    Parameters
    ----------
    source : path, "env:VARIABLE", DataFrame or Ibis table; for snapshots also a folder or a glob of files
        that carry their date in their name (those dated after `snapshot_at` are not read).
    columns : canonical name -> name in the source. Always opportunity_id; then by shape
        "history": stage, entered_at; optional from_stage (the stage that was left) and created_at;
        "stage dates": stages = {stage: its date column, ...}, lost stages among them where dated; optional
        created_at, and outcome with closed_at (or won_at, lost_at) where no column dates the end;
        "current stage": stage, created_at, closed_at (or won_at, lost_at); optional outcome;
        "snapshots": stage, and snapshot_on unless file names carry the dates; optional created_at, outcome.
        Optional in all: owner, amount, source, segment, account_id, lost_reason, phone, email,
        expected_close, pipeline.
        outcome is a column of words such as "Won", "Lost", "Open" beside a stage that keeps its last value.
    stages : the stages in their order; the last one is the won one.     lost : the lost ones.
    snapshot_at : the last whole day that is seen, local business time.
    renamed_stages : name in the source -> declared name.
    pipeline : which one is read, where the column mapped to `pipeline` holds several.
    only : column of the source -> value or values; other rows are not read: {"Field": "StageName"}.
    outcomes : word in the outcome column -> "won", "lost" or "open", where it is not a usual one.
    max_set_aside : share of rows set aside, above which the source is refused.
    options : what the source does not prove (`sources.Options`), and `engine`.

    Raises
    ------
    DataError
        Carrying the verdict: what cannot be read, stages that are not declared, opportunities on several
        rows, too many rows set aside, nothing left.
    ConfigError
        The arguments contradict each other or the source.

    Examples
    --------
    >>> read_pipeline("stage_history.parquet", stages=["Lead", "Proposal", "Won"], snapshot_at="2025-12-31",
    ...     columns={"opportunity_id": "id", "stage": "stage", "entered_at": "entered_at"})
    """
    if shape not in SHAPES:
        raise ConfigError(f"pipeline: shape = {shape!r}; one of {list(SHAPES)} was expected")
    declared = Stages.of(stages, lost, renamed_stages or {})
    at = as_date(snapshot_at, "snapshot_at")
    understood = Outcomes.of(outcomes or {})
    question = Question(
        source, columns, declared, at, pipeline, only or {}, understood, max_set_aside, options
    )
    found = SHAPES[shape](question)
    return _pipeline(found, _judged(found), shape, declared, at)


def check_pipeline(source: Any, **arguments: Any) -> Verdict:
    """Return the verdict of `read_pipeline`, called with the same arguments, without raising it."""
    try:
        return read_pipeline(source, **arguments).verdict
    except DataError as error:
        if error.verdict is None:
            raise
        return error.verdict


def _judged(found: Found) -> Verdict:
    """Return the verdict on the rows; raise it if they are refused."""
    verdict = found.checked.verdict.with_defects(found.notes)
    if not verdict.n_kept:
        empty = f"{found.name}: no rows are left; nothing can be said about a pipeline without them"
        verdict = verdict.with_defects([Defect("no rows", "refuse", empty)])
    verdict.raise_if_refused()
    return verdict


def _pipeline(found: Found, verdict: Verdict, shape: str, stages: Stages, at: dt.date) -> Pipeline:
    history, deals = _written(found.rows, shape, stages, at)
    defects = find_defects(history, deals, name=found.name, stages=stages, snapshot_at=at, shape=shape)
    return Pipeline(
        history=history,
        opportunities=deals,
        rows=found.rows,
        stages=stages.order,
        lost=stages.lost,
        snapshot_at=at,
        shape=shape,
        verdict=verdict.with_defects(defects),
        set_aside=found.checked.set_aside,
        set_aside_rows=found.checked.set_aside_rows,
        n_rows_in=found.checked.n_rows_in,
        furthest_known=found.furthest_known,
    )


def _written(rows: ir.Table, shape: str, stages: Stages, at: dt.date) -> tuple[ir.Table, ir.Table]:
    """Write history and opportunities at a day down once, so that no question works them out anew."""
    history, deals = _tables(rows, shape, stages, at)
    return history.order_by("opportunity_id", "sequence").cache(), deals.order_by("opportunity_id").cache()


def _tables(rows: ir.Table, shape: str, stages: Stages, at: dt.date) -> tuple[ir.Table, ir.Table]:
    """History and opportunities at a day."""
    if shape == "current stage":
        return current_only(rows, stages=stages, at=at)
    seen = rows.filter(rows.entered_at.date() <= at)
    return stage_history(seen, stages=stages), opportunities(seen, stages=stages)
