"""Value customers: a million in memory beside lifetimes, a base of many millions batch by batch.

python benchmarks/scoring.py             one million customers, one run, ours and lifetimes in turn
python benchmarks/scoring.py 20000000    a base in Parquet, fitted and scored in a child process, peak memory

Two bases at day grain, BG/NBD with Gamma-Gamma amounts. "cohort": acquired over 12 weeks, observed for 27 to
39, so that many share a history. "five years": acquired on any day of five years, heavy buyers: few do.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import crm_analysis as crm

AMOUNTS = crm.clv.GammaGamma(p=6.25, q=3.74, gamma=15.44)
TERMS: dict[str, Any] = {"margin": 0.3, "annual_discount_rate": 0.15}
BASES = {
    "cohort": (crm.clv.BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426), (189, 273)),
    "five years": (crm.clv.BgNbd(r=0.8, alpha=2.0, a=0.4, b=3.0), (1, 1827)),
}
FITS = {name: getattr(crm.clv, f"fit_{name}") for name in ("bg_nbd", "mbg_nbd", "pareto_nbd")}
MILLION = 1_000_000


def simulate(base: str, n: int, seed: int) -> pd.DataFrame:
    """Customers of a base: histories in days, average repeat amounts."""
    model, observed = BASES[base]
    generator = np.random.default_rng(seed)
    t_observed = generator.integers(*observed, n)
    rate = generator.gamma(model.r, 1 / model.alpha, n) / 7
    leaving = generator.beta(model.a, model.b, n)
    n_repeat, last, clock = np.zeros(n, np.int64), np.zeros(n), np.zeros(n)
    active = np.arange(n)
    while len(active):
        clock[active] += generator.exponential(1 / rate[active])
        active = active[clock[active] <= t_observed[active]]
        n_repeat[active] += 1
        last[active] = clock[active]
        active = active[generator.random(len(active)) >= leaving[active]]
    scale = AMOUNTS.gamma / generator.gamma(AMOUNTS.q, size=n)
    total = generator.gamma(AMOUNTS.p * n_repeat) * scale
    return pd.DataFrame(
        {
            "customer_id": [f"{seed:03d}{i:07d}" for i in range(n)],
            "n_repeat": n_repeat,
            "t_last": np.minimum(np.ceil(last), t_observed).astype(np.int64),
            "t_observed": t_observed,
            "n_paid_repeat": n_repeat,
            "mean_repeat_amount": np.where(n_repeat > 0, total / np.maximum(n_repeat, 1), np.nan),
        }
    ).set_index("customer_id")


def as_arrow(customers: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(customers.reset_index(), preserve_index=False)


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    answer = function()
    return time.perf_counter() - started, answer


def by_lifetimes(customers: pd.DataFrame, purchases: Any, spend: Any) -> Callable[[], dict[str, float]]:
    """What lifetimes answers, point by point, with the same parameters: no fit is timed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lifetimes import BetaGeoFitter, GammaGammaFitter
    count, money = BetaGeoFitter(), GammaGammaFitter()
    count.predict = count.conditional_expected_number_of_purchases_up_to_time  # as its fit does
    count.params_ = pd.Series(purchases.parameters)
    money.params_ = pd.Series({"p": spend.p, "q": spend.q, "v": spend.gamma})
    x, mean = customers["n_repeat"], customers["mean_repeat_amount"].fillna(0)
    weeks = customers["t_last"] / 7, customers["t_observed"] / 7

    def score() -> dict[str, float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = money.customer_lifetime_value(
                count, x, *weeks, mean, time=12, discount_rate=1.15 ** (1 / 12) - 1, freq="W"
            )
            count.conditional_probability_alive(x, *weeks)
            bought = count.conditional_expected_number_of_purchases_up_to_time(365.25 / 7, x, *weeks)
            money.conditional_expected_average_profit(x, mean)
        return {"purchases": float(bought.sum()), "value": 0.3 * float(value.sum())}

    return score


def beside_lifetimes() -> None:
    for base in BASES:
        customers = simulate(base, MILLION, seed=1)
        distinct = len(customers.groupby(["n_repeat", "t_last", "t_observed"]))
        print(f"{base}: {MILLION:,} customers, {distinct:,} distinct histories")
        seconds, spend = timed(lambda: crm.clv.fit_gamma_gamma(customers))  # noqa: B023
        print(f"  Gamma-Gamma fitted in {seconds:.2f} s")
        for name, fit in FITS.items():
            seconds, purchases = timed(lambda: fit(customers))  # noqa: B023
            print(f"  {name}: fitted in {seconds:.2f} s;", end=" ")
            runs = [
                timed(lambda: crm.clv.value_customers(customers, purchases=purchases, spend=spend, **TERMS))  # noqa: B023
                for _ in range(3)
            ]
            values = runs[0][1]
            print("valued with intervals in " + ", ".join(f"{seconds:.2f}" for seconds, _ in runs) + " s")
            if name == "bg_nbd":
                theirs, totals = timed(by_lifetimes(customers, purchases.model, spend.model))
                print(
                    f"  lifetimes, points alone: {theirs:.2f} s, ratio {theirs / min(r[0] for r in runs):.1f}"
                )
                ours = {"purchases": values["expected_purchases"].sum(), "value": values["value_12m"].sum()}
                print(f"  totals: ours {ours}, theirs {totals}")


def large(n: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for base in BASES:
            path = Path(folder) / f"{base}.parquet"
            with pq.ParquetWriter(path, as_arrow(simulate(base, 10, seed=0)).schema) as writer:
                for seed in range(1, n // MILLION + 1):
                    writer.write_table(as_arrow(simulate(base, MILLION, seed)))
            run = subprocess.run(
                [sys.executable, __file__, "--score", str(path)], capture_output=True, text=True, check=False
            )
            if run.returncode:
                sys.exit(run.stderr)
            found = json.loads(run.stdout)
            steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in found["times"].items())
            print(
                f"{base}: {found['customers']:,} customers, {found['histories']:,} histories; {steps}",
                end="; ",
            )
            print(f"peak {found['peak_mb']:,.0f} MB, total value {found['value']:,.0f}", flush=True)
            path.unlink()


def score(path: Path) -> dict[str, Any]:
    import ibis

    engine = ibis.duckdb.connect(memory_limit="1000MB", threads=2, temp_directory=str(path.parent / "spill"))
    table = engine.read_parquet(path)
    scores = path.with_suffix(".scores")
    times = {}
    times["histories counted"], counts = timed(lambda: crm.clv.count_histories(table))
    times["BG/NBD fitted"], purchases = timed(lambda: crm.clv.fit_bg_nbd(counts))
    times["amounts counted"], amounts = timed(lambda: crm.clv.count_amounts(table))
    times["spend fitted"], spend = timed(lambda: crm.clv.fit_spend(amounts))
    times["scored"], n = timed(
        lambda: crm.clv.score_to_parquet(table, scores, purchases=purchases, spend=spend, **TERMS)
    )
    peak = peak_mb()
    value = engine.read_parquet(scores).value_12m.sum().execute()
    scores.unlink()
    return {"times": times, "customers": n, "histories": len(counts), "peak_mb": peak, "value": float(value)}


def peak_mb() -> float:
    """Largest memory of this process; what getrusage says includes that of the one that started it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return float(line.split()[1]) / 1024


if __name__ == "__main__":
    if sys.argv[1:2] == ["--score"]:
        print(json.dumps(score(Path(sys.argv[2]))))
    elif len(sys.argv) > 1:
        large(int(sys.argv[1]))
    else:
        beside_lifetimes()
