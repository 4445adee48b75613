"""Time the fits of purchase models side by side with other packages, on simulated customers at day grain.

    python benchmarks/fits.py [--customers 1000000] [--base cohort|years] [--models BG/NBD MBG/NBD Pareto/NBD]
                              [--others lifetimes clvkit] [--repeat 3]

A base is what the packages get: n_repeat, t_last and t_observed per customer. Compression to distinct rows
is part of our time. `cohort` is 39 weeks of customers who came in the first 12 (parameters of CDNOW); `years`
is the worst case, five years of heavy buyers of whom few share a history. clvkit is in the dependency group
`benchmark`; packages that are not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.clv.histories import distinct_histories
from crm_analysis.clv.models.bg_nbd import fit_bg_nbd
from crm_analysis.clv.models.mbg_nbd import fit_mbg_nbd
from crm_analysis.clv.models.pareto_nbd import fit_pareto_nbd

OURS: dict[str, Callable[..., Any]] = {
    "BG/NBD": fit_bg_nbd,
    "MBG/NBD": fit_mbg_nbd,
    "Pareto/NBD": fit_pareto_nbd,
}
LIFETIMES = {"BG/NBD": "BetaGeoFitter", "MBG/NBD": "ModifiedBetaGeoFitter", "Pareto/NBD": "ParetoNBDFitter"}
CLVKIT = {"BG/NBD": "BGNBD", "MBG/NBD": "MBGNBD"}
BASES = {
    "cohort": {"r": 0.243, "alpha": 4.414 * 7, "a": 0.793, "b": 2.426, "observed": (27 * 7, 39 * 7)},
    "years": {"r": 0.8, "alpha": 20.0, "a": 0.5, "b": 8.0, "observed": (0, 1826)},
}


def simulate(n: int, generator: np.random.Generator, *, r, alpha, a, b, observed) -> pd.DataFrame:
    """Histories of BG/NBD in whole days: purchases of one day are one, and the first day has no repeat."""
    t_observed = generator.integers(observed[0] + 1, observed[1] + 1, n)
    rate, leaving = generator.gamma(r, 1 / alpha, n), generator.beta(a, b, n)
    clock, n_repeat, last = np.zeros(n), np.zeros(n, np.int64), np.zeros(n, np.int64)
    active = np.arange(n)
    while len(active):
        with np.errstate(divide="ignore"):
            clock[active] += generator.exponential(size=len(active)) / rate[active]
        active = active[clock[active] < t_observed[active]]
        day = np.floor(clock[active]).astype(np.int64) + 1
        n_repeat[active] += day > last[active]
        last[active] = day
        active = active[generator.random(len(active)) >= leaving[active]]
    return pd.DataFrame({"n_repeat": n_repeat, "t_last": last, "t_observed": t_observed})


def fit_lifetimes(model: str, customers: pd.DataFrame) -> dict[str, float]:
    """Estimates of lifetimes, in weeks."""
    fitter = getattr(importlib.import_module("lifetimes"), LIFETIMES[model])()
    weeks = customers[["t_last", "t_observed"]] / 7
    start = {"initial_params": np.ones(4)} if model == "Pareto/NBD" else {}
    fitter.fit(customers["n_repeat"], weeks["t_last"], weeks["t_observed"], **start)
    return {name: float(value) for name, value in fitter.params_.items()}


def fit_clvkit(model: str, customers: pd.DataFrame) -> dict[str, float]:
    """Estimates of clvkit, in weeks, from the summary that its own door would make."""
    clvkit = importlib.import_module("clvkit")
    weeks = customers[["t_last", "t_observed"]] / 7
    summary = pd.DataFrame(
        {"frequency": customers["n_repeat"], "recency": weeks["t_last"], "T": weeks["t_observed"]}
    )
    base = clvkit.CustomerBase(
        summary,
        time_unit="W",
        collapse="D",
        observation_period_end=pd.Timestamp("2026-01-01"),
        has_monetary=False,
        on_negative="net",
    )
    return {name: float(value) for name, value in getattr(clvkit, CLVKIT[model])().fit(base).params_.items()}


OTHERS = {"lifetimes": fit_lifetimes, "clvkit": fit_clvkit}


def timed(function: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    """Shortest of some runs, in seconds, and the answer."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = function()
        seconds.append(time.perf_counter() - start)
    return min(seconds), answer


def main() -> None:
    """Simulate, fit, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--base", choices=list(BASES), default="cohort")
    parser.add_argument("--models", nargs="*", default=list(OURS))
    parser.add_argument("--others", nargs="*", default=list(OTHERS))
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    customers = simulate(asked.customers, np.random.default_rng(1), **BASES[asked.base])
    compress, (distinct, _) = timed(lambda: distinct_histories(customers), asked.repeat)
    print(f"{asked.base}: {len(customers):,} customers, {len(distinct):,} distinct, in {compress:.3f} s")
    for model in asked.models:
        ours, fit = timed(lambda model=model: OURS[model](customers), asked.repeat)
        shown = ", ".join(f"{name} {value:.4f}" for name, value in fit.model.parameters.items())
        print(f"{model:11} ours      {ours:9.3f} s          {shown}", flush=True)
        for other in asked.others:
            if importlib.util.find_spec(other) is None or (other == "clvkit" and model not in CLVKIT):
                continue
            theirs, found = timed(lambda m=model, o=other: OTHERS[o](m, customers), 1)
            shown = ", ".join(f"{name} {found[name]:.4f}" for name in fit.model.parameters)
            print(f"{model:11} {other:9} {theirs:9.3f} s  {theirs / ours:5.0f} x {shown}", flush=True)


if __name__ == "__main__":
    main()
