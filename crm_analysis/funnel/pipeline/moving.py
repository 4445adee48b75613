"""Chances and steps from each stage, estimated from a history in which deals also move back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pandas as pd

from crm_analysis.errors import DataError
from crm_analysis.funnel.ageing.resampling import MIN_OWNERS
from crm_analysis.funnel.pipeline.absorbing import AbsorbingChain, absorbing_chain
from crm_analysis.funnel.pipeline.owner_clusters import NOBODY

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

ENDS = ("won", "lost")


@dataclass(frozen=True, eq=False)
class StageChain:
    """What becomes of a deal that enters a stage, where deals may go back and come again.

    table : index `stage`; n_entered (entries), n_left (of these, those whose next move is known), n_there;
        p_won with low and high; steps (stages entered until the end, this one included) with steps_low and
        steps_high. A stage that nobody entered is left out.
    counts : moves seen, index `stage`, columns the stages, won and lost.
    chain : the chain of these moves.
    resampled : "owner" or "opportunity": what the intervals draw with replacement.
    level : of the intervals.
    """

    table: pd.DataFrame
    counts: pd.DataFrame
    chain: AbsorbingChain
    resampled: str
    level: float


@dataclass(frozen=True, eq=False)
class _Moves:
    """Moves of clusters of deals that are drawn together.

    seen : moves per cluster, shape (clusters, stages, stages + 3): to a stage, won, lost, still there.
    times : how often each cluster occurs.
    """

    seen: np.ndarray
    times: np.ndarray
    unit: str


def stage_chain(
    pipeline: Pipeline,
    *,
    level: float = 0.95,
    n_draws: int = 1000,
    rng: np.random.Generator | None = None,
) -> StageChain:
    """Chance of winning and number of steps from each stage, moves back included.

    Every entry into a stage counts once, with the move that followed. An entry that still stands is open and
    in no rate: it is taken to move on as those did that have moved, which is too good where deals are left
    lying. A deal that was closed and opened again has gone from the stage before to the stage after.

    Parameters
    ----------
    n_draws, rng : of the intervals: owners drawn with replacement where eight or more are mapped, else
        opportunities; from `default_rng(1)` where no generator is given.

    Raises
    ------
    DataError
        The history does not show the moves, or nobody has left a stage that was entered.
    """
    moves = _moves(pipeline)
    counts = np.tensordot(moves.times, moves.seen, axes=1)
    kept = _known_stages(counts, pipeline.stages)
    ways = np.append(kept, [-3, -2, -1])
    moves = _Moves(moves.seen[:, kept][:, :, ways], moves.times, moves.unit)
    counts = counts[kept][:, ways]
    states = pd.Index([pipeline.stages[k] for k in kept], name="stage")
    left = pd.DataFrame(counts[:, :-1], states, [*states, *ENDS]).astype("int64")
    rates = left.div(left.sum(axis=1), axis=0)
    chain = absorbing_chain(rates[list(states)], rates[list(ENDS)])
    drawn = _draw(moves, n_draws, rng if rng is not None else np.random.default_rng(1))
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    columns = {
        "n_entered": counts.sum(axis=1).astype("int64"),
        "n_left": left.sum(axis=1),
        "n_there": counts[:, -1].astype("int64"),
        "p_won": chain.ends["won"],
        "low": low[0],
        "high": high[0],
        "steps": chain.steps,
        "steps_low": low[1],
        "steps_high": high[1],
    }
    return StageChain(pd.DataFrame(columns, states), left, chain, moves.unit, level)


def _moves(pipeline: Pipeline) -> _Moves:
    """Every entry into a stage with what followed, summed by owner or by path."""
    if pipeline.shape == "current stage":
        raise DataError(
            "chain: the shape 'current stage' does not show the moves between stages; give a stage history, "
            "dates per stage, or dated snapshots"
        )
    m = len(pipeline.stages) - 1
    steps = _steps(pipeline.history, m)
    deals = pipeline.opportunities
    by_owner = "owner" in deals.columns and deals.owner.nunique().to_pyarrow().as_py() >= MIN_OWNERS
    if by_owner:
        steps = steps.join(deals.select("opportunity_id", "owner"), "opportunity_id")
        steps = steps.mutate(cluster=ibis.coalesce(steps.owner, NOBODY), times=1)
    else:
        path = (steps.stage_number.cast("string") + ">" + steps.to.cast("string")).group_concat(
            " ", order_by=steps.sequence
        )
        paths = steps.group_by("opportunity_id").agg(cluster=path)
        times = paths.group_by("cluster").agg(times=paths.count(), opportunity_id=paths.opportunity_id.min())
        steps = steps.join(times, "opportunity_id")
    cells = steps.group_by("cluster", "stage_number", "to").agg(n=steps.count(), times=steps.times.max())
    found = cells.to_pandas().sort_values(["cluster", "stage_number", "to"])
    codes, clusters = pd.factorize(found["cluster"])
    seen = np.zeros((len(clusters), m, m + 3))
    seen[codes, found["stage_number"].astype(int), found["to"].astype(int)] = found["n"]
    times = found.groupby("cluster", sort=True)["times"].first().to_numpy(float)
    return _Moves(seen, times, "owner" if by_owner else "opportunity")


def _steps(history: ibis.Table, m: int) -> ibis.Table:
    """Entries into open stages with the column that came next: a stage, m won, m + 1 lost, m + 2 none yet."""
    order = ibis.window(group_by=history.opportunity_id, order_by=history.sequence)
    at = ibis.coalesce(history.stage_number, m + 1)
    later = history.sequence.lead().over(order)
    is_last = later.isnull()  # noqa: PD003, Ibis knows this name only
    placed = history.select("opportunity_id", "sequence", stage_number=at, is_last=is_last)
    # A won or lost entry that something follows was no end.
    real = placed.filter((placed.stage_number < m) | placed.is_last)
    again = ibis.window(group_by=real.opportunity_id, order_by=real.sequence)
    moved = real.mutate(to=ibis.coalesce(real.stage_number.lead().over(again), m + 2))
    return moved.filter(moved.stage_number < m)


def _known_stages(counts: np.ndarray, stages: tuple[str, ...]) -> np.ndarray:
    left = counts[:, :-1].sum(axis=1)
    if not left.any():
        raise DataError("chain: no opportunity has left any stage, so nothing is known of their moves")
    if stuck := [stages[k] for k in range(len(counts)) if not left[k] and counts[k].sum()]:
        raise DataError(
            f"chain: nobody has left {stuck}, so the chance from there is unknown; merge these stages with "
            "the ones before"
        )
    return np.flatnonzero(left)


def _draw(moves: _Moves, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """P(won) and steps of drawn pipelines, shape (draws, 2, stages); missing where a stage was not left."""
    n = int(moves.times.sum())
    drawn = rng.multinomial(n, moves.times / n, size=n_draws)
    counts = np.tensordot(drawn, moves.seen[:, :, :-1], axes=1)
    left = counts.sum(axis=2, keepdims=True)
    rates = np.divide(counts, left, out=np.zeros_like(counts), where=left > 0)
    m = rates.shape[1]
    system = np.eye(m) - rates[:, :, :m]
    known = (left > 0).all(axis=(1, 2)) & (np.abs(np.linalg.det(system)) > 1e-12)
    found = np.full((n_draws, 2, m), np.nan)
    wanted = np.stack([rates[known][:, :, m], np.ones((known.sum(), m))], axis=2)
    found[known] = np.linalg.solve(system[known], wanted).swapaxes(1, 2)
    return found
