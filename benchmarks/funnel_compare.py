"""Comparison of two firms of 10,000 opportunities with 2,000 bootstraps, by owner, against resampling rows.

By hand: OMP_NUM_THREADS=1 python benchmarks/funnel_compare.py. The goal is one second for the comparison.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

import crm_analysis as crm
from crm_analysis.funnel.counting.counts import StageCounts, assemble
from crm_analysis.simulate import pipeline, plan
from crm_analysis.split import log_mean_split

N_DEALS, N_DRAWS, N_ROWS_DRAWN = 10_000, 2_000, 50


def counts_of(name: str, rng: np.random.Generator) -> StageCounts:
    """Count a simulated firm's 10,000 opportunities, with owners and amounts."""
    owners = pipeline.draw_owners(rng)
    deals = pipeline.draw_deals(plan.plan(name, variant="second stage"), owners, rng)
    deals = deals.take(np.arange(N_DEALS))
    members = pd.DataFrame(
        {
            "judged": True,
            "furthest": deals.furthest,
            "last": deals.furthest,
            "created_on": pd.Timestamp("2025-01-01"),
            "amount": rng.lognormal(8, 0.8, N_DEALS),
            "owner": owners.name[deals.owner],
            "segment": np.array(plan.SEGMENTS)[deals.segment],
        },
        index=[f"{i:06}" for i in range(N_DEALS)],
    )
    return assemble(members, plan.STAGES, days=None, learnt=False, level=0.95)


def best_of(runs: int, work) -> float:
    """Seconds of processor time, the least of several runs."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def resample_rows(a: StageCounts, b: StageCounts, n_draws: int) -> np.ndarray:
    """Owners drawn with all their rows, counted and split: what one would write first."""
    rng, parts = np.random.default_rng(1), []
    for _ in range(n_draws):
        factors = []
        for counts in (a, b):
            groups = dict(list(counts.members.groupby("owner")))
            drawn = pd.concat([groups[name] for name in rng.choice(list(groups), len(groups))])
            reached = np.array([(drawn["furthest"] >= k).sum() for k in range(len(plan.STAGES))])
            factors.append(np.concatenate([[1000.0], reached[1:] / reached[:-1]]))
        parts.append(log_mean_split(*factors))
    return np.array(parts)


def main() -> None:
    rng = np.random.default_rng(1)
    a, b = (counts_of(name, rng) for name in plan.FIRMS)
    how = {"per": "1000 entrants", "n_draws": N_DRAWS}
    for what, changes in {
        "delta method": {},
        "2,000 bootstraps of independent opportunities": {"intervals": "bootstrap", "cluster": None},
        "2,000 bootstraps by owner": {"intervals": "bootstrap"},
        "2,000 bootstraps by owner, revenue": {"intervals": "bootstrap", "per": "revenue"},
    }.items():
        seconds = best_of(5, lambda changes=changes: crm.funnel.compare(a, b, **(how | changes)))
        print(f"compare, {what}: {seconds:.3f} s")
    print(f"mix, 2,000 bootstraps by owner: {best_of(3, lambda: mixed(a, b)):.3f} s")
    print(f"leave_out, 48 owners: {best_of(3, lambda: crm.funnel.leave_out(a, b)):.3f} s")
    rows = best_of(1, lambda: resample_rows(a, b, N_ROWS_DRAWN)) * N_DRAWS / N_ROWS_DRAWN
    print(f"the same 2,000 by resampling rows, from {N_ROWS_DRAWN}: {rows:.1f} s")


def mixed(a: StageCounts, b: StageCounts) -> crm.funnel.Mix:
    return crm.funnel.mix(a, b, intervals="bootstrap")


if __name__ == "__main__":
    main()
