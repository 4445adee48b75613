"""How often 95% intervals cover the truth, in simulated customer bases.

    PYTHONPATH=tests python tests/slow/interval_coverage.py [bases [customers [model ...]]]

Each base is simulated, fitted, and its intervals compared with what they should cover: parameters (log-Wald,
profile, bootstrap), the purchases expected of single customers and of all (the truth is the same formula at
the true parameters), and the purchases that the base then made (forecast_total). Profile and bootstrap
limits, which take longer, are made for the first bases only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from clv_cases import simulate_bg_nbd, simulate_pareto_nbd
from scipy.special import ndtri

import crm_analysis as crm
from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.errors import FitError

SLOWER = 100  # bases with profile limits; half as many with bootstrap limits
REFITS = 200
HORIZON = "36400 days"  # a year of weeks in hundredths of days
OBSERVED = (18_200, 54_600)
CUSTOMERS = pd.DataFrame(
    {"n_repeat": [0, 2, 10], "t_last": [0, 15_000, 30_000], "t_observed": [36_400] * 3},
    ["bought once", "2 repeat purchases", "10 repeat purchases"],
)


@dataclass(frozen=True)
class Case:
    """A model with its truth, how to simulate it and how to fit it."""

    truth: Any
    simulate: Callable[..., pd.DataFrame]
    fit: Callable[..., Fit[Any]]


UNIT = "700D"  # hundredths of days in a week: time is nearly continuous
BG = crm.clv.BgNbd(r=0.6, alpha=6, a=0.9, b=2.5, unit=UNIT)
MBG = crm.clv.MbgNbd(r=0.9, alpha=8, a=0.9, b=2.5, unit=UNIT)
PARETO = crm.clv.ParetoNbd(r=0.7, alpha=8, s=0.7, beta=12, unit=UNIT)
CASES = {
    "BG/NBD": Case(BG, simulate_bg_nbd, crm.clv.fit_bg_nbd),
    "MBG/NBD": Case(MBG, simulate_bg_nbd, crm.clv.fit_mbg_nbd),
    "Pareto/NBD": Case(PARETO, simulate_pareto_nbd, crm.clv.fit_pareto_nbd),
}


def main(bases: int = 300, n_customers: int = 2000, *names: str) -> None:
    """Write a table per model: share of intervals that cover, their number, and its standard error."""
    for name in names or CASES:
        started, covered, failed = time.perf_counter(), [], 0
        for i in range(bases):
            try:
                covered.append(one_base(CASES[name], n_customers, np.random.default_rng([7, i]), i))
            except FitError as error:
                failed += 1
                sys.stdout.write(f"base {i}: {error}\n")
        table = pd.DataFrame(covered).astype(float)
        share, n = table.mean(), table.notna().sum()
        shown = pd.DataFrame({"covered": share, "intervals": n, "error": np.sqrt(share * (1 - share) / n)})
        sys.stdout.write(
            f"{name}: {bases} bases of {n_customers:,} customers, {failed} not determined, "
            f"{time.perf_counter() - started:.0f} s\n{shown.round(3).to_string()}\n\n"
        )
        sys.stdout.flush()


def one_base(case: Case, n: int, generator: np.random.Generator, i: int) -> dict[str, bool]:
    """Simulate and fit one base: interval -> whether it covers the truth."""
    truth = case.truth
    customers = case.simulate(n, generator, model=truth, observed=OBSERVED, ahead=36_400, days=700.0)
    fit = case.fit(customers, unit=UNIT)
    kinds = ["log-wald", *(["profile"] if i < SLOWER else []), *(["bootstrap"] if i < SLOWER / 2 else [])]
    found = {}
    for kind in kinds:
        limits = fit.confidence_intervals(
            kind=kind, **({"generator": generator, "refits": REFITS} if kind == "bootstrap" else {})
        )
        true = pd.Series(truth.parameters)
        inside = (limits["low"] <= true) & (true <= limits["high"])
        found |= {f"{kind}: {parameter}": bool(value) for parameter, value in inside.items()}
    forecast = crm.clv.forecast_total(fit, customers, horizon=HORIZON)
    expected = {
        **{f"expected of {who}": CUSTOMERS.loc[[who]] for who in CUSTOMERS.index},
        "expected of all": customers,
    }
    found |= {what: covers_mean(fit, truth, table) for what, table in expected.items()}
    actual = customers["n_later"].sum()
    return found | {"forecast of all": bool(forecast.forecast_low <= actual <= forecast.forecast_high)}


def covers_mean(fit: Fit[Any], truth: Any, customers: pd.DataFrame) -> bool:
    """Whether the interval around the purchases expected covers those of the true model."""

    def total(model: Any) -> float:
        return float(model.expected_purchases(customers, horizon=HORIZON).sum())

    error = fit.standard_error(total) / total(fit.model)
    return bool(abs(np.log(total(truth) / total(fit.model))) <= ndtri(0.975) * error)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *sys.argv[3:])
