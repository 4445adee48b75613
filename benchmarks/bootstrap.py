"""Time 200 bootstrap refits of BG/NBD on CDNOW beside clvkit, and print both intervals.

    python benchmarks/bootstrap.py [REFITS]

Ours resamples customers, clvkit simulates new ones from the fit: both refit as many bases of 2,357 customers.
clvkit is in the dependency group `benchmark`; without it only ours is timed.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from crm_analysis.clv.models.bg_nbd import fit_bg_nbd
from crm_analysis.clv.models.gamma_gamma import fit_gamma_gamma
from crm_analysis.clv.models.pareto_nbd import fit_pareto_nbd

UNTIL = pd.Timestamp("1997-09-30")


def cdnow() -> pd.DataFrame:
    """Purchases of the CDNOW sample until 1997-09-30."""
    spec = importlib.util.find_spec("lifetimes")
    path = Path(spec.submodule_search_locations[0]) / "datasets" / "CDNOW_sample.txt"
    names = ["master_id", "customer_id", "date", "n_cds", "amount"]
    raw = pd.read_csv(path, sep=r"\s+", names=names, dtype={"date": str})
    raw["date"] = pd.to_datetime(raw["date"])
    return raw[raw["date"] <= UNTIL]


def summarise(purchases: pd.DataFrame) -> pd.DataFrame:
    """One row per customer, purchases of a day merged."""
    days = purchases.groupby(["customer_id", "date"], as_index=False)["amount"].sum()
    first = days.groupby("customer_id")["date"].transform("min")
    later = days[(days["date"] > first) & (days["amount"] > 0)].groupby("customer_id")["amount"]
    seen = days.groupby("customer_id")["date"].agg(["min", "max", "size"])
    return pd.DataFrame(
        {
            "n_repeat": seen["size"] - 1,
            "t_last": (seen["max"] - seen["min"]).dt.days,
            "t_observed": (UNTIL - seen["min"]).dt.days,
            "mean_repeat_amount": later.mean(),
            "n_paid_repeat": later.size().reindex(seen.index, fill_value=0),
        }
    )


def ours(fit, customers: pd.DataFrame, refits: int) -> tuple[float, pd.DataFrame]:
    fitted = fit(customers)
    started = time.perf_counter()
    limits = fitted.confidence_intervals(kind="bootstrap", generator=np.random.default_rng(1), refits=refits)
    return time.perf_counter() - started, limits


def clvkit(purchases: pd.DataFrame, refits: int) -> tuple[float, pd.DataFrame]:
    package = importlib.import_module("clvkit")
    base = package.CustomerBase.from_transactions(
        purchases, time_unit="W", collapse="D", observation_period_end=UNTIL
    )
    fitted = package.BGNBD().fit(base)
    started = time.perf_counter()
    limits = fitted.parameter_uncertainty(n=refits, seed=1).to_pandas()
    return time.perf_counter() - started, limits


def main() -> None:
    refits = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    purchases = cdnow()
    customers = summarise(purchases)
    seconds = {}
    for name, fit in {
        "BG/NBD": fit_bg_nbd,
        "Pareto/NBD": fit_pareto_nbd,
        "Gamma-Gamma": fit_gamma_gamma,
    }.items():
        seconds[name], limits = ours(fit, customers, refits)
        print(f"{name}: {refits} refits in {seconds[name]:.2f} s\n{limits.round(4)}\n")
    if importlib.util.find_spec("clvkit"):
        theirs, limits = clvkit(purchases, refits)
        print(
            f"clvkit, BG/NBD: {refits} refits in {theirs:.1f} s, {theirs / seconds['BG/NBD']:.0f} times ours"
        )
        print(limits.round(4))


if __name__ == "__main__":
    main()
