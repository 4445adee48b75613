"""What is wrong with the steps of a pipeline: reopened, won at once, against the order, stages never used."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.pipeline.stages import Stages
from crm_analysis.doors.schema import Check, flag_rows
from crm_analysis.doors.verdict import Defect

ENOUGH = 10


def find_in_steps(history: ir.Table, stages: Stages, *, name: str) -> list[Defect]:
    """Flag what the order of the entries shows."""
    within = ibis.window(group_by=history.opportunity_id, order_by=history.sequence)
    steps = history.mutate(stage_before=history.stage.lag().over(within))
    counts = steps.group_by("stage", "stage_before").agg(n=steps.count()).to_pyarrow().to_pylist()
    moves = {(row["stage_before"], row["stage"]): int(row["n"]) for row in counts}
    return [
        *flag_rows(steps, [_reopened(stages), _won_at_once(stages)], name=name),
        *_against_the_order(moves, stages, name),
        *_never_used(moves, stages, name),
    ]


def _reopened(stages: Stages) -> Check:
    return Check(
        "reopened",
        "flag",
        lambda t: stages.is_closed(t.stage_before),
        "leave a stage in which the opportunity was won or lost; the last stage decides the outcome",
        "times to close run to the last closing: they lean long",
        ("opportunity_id", "stage_before", "stage"),
        counted="stage entries",
    )


def _won_at_once(stages: Stages) -> Check:
    return Check(
        "won at once",
        "flag",
        lambda t: t.stage_before.isnull(),
        "have no entry in an earlier stage; they count as having passed all of them",
        "rates of all stages lean high, and times to win short, where deals are recorded after they are won",
        ("opportunity_id", "entered_on"),
        among=lambda t: t.stage == stages.won,
        counted="wins",
    )


def _against_the_order(moves: dict[tuple[str | None, str], int], stages: Stages, name: str) -> list[Defect]:
    """Find pairs of stages that are mostly entered the other way round than declared."""
    found = []
    for place, early in enumerate(stages.order[:-1]):
        for late in stages.order[place + 1 : -1]:
            back, forth = moves.get((late, early), 0), moves.get((early, late), 0)
            if back > forth and back + forth >= ENOUGH:
                found.append(f"{back:,} of {back + forth:,} moves between {early!r} and {late!r} go back")
    if not found:
        return []
    sentence = f"{name}: {'; '.join(found)}; is the order of stages {list(stages.order)} the right one?"
    bias = "who went from one to the other counts as having moved back: rates of both stages are wrong"
    return [Defect("against the order of stages", "flag", sentence, bias=bias)]


def _never_used(moves: dict[tuple[str | None, str], int], stages: Stages, name: str) -> list[Defect]:
    entered = {stage for _, stage in moves}
    unused = [stage for stage in stages.order[:-1] if stage not in entered]
    if not unused:
        return []
    found = f"{name}: nothing ever entered {unused}, declared in stages; is that how the source calls it?"
    bias = "who is further counts as having passed it: rates into and out of it are none of a stage"
    return [Defect("stages never entered", "flag", found, bias=bias)]
