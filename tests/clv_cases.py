"""Customers for the tests of lifetime value: the published sample, and simulated ones of known truth."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

CALIBRATED_UNTIL = "1997-09-30"
OBSERVED_UNTIL = "1998-06-30"

# Example customer of Fader, Hardie & Lee (2005): x = 2, t_x = 30.43, T = 38.86 weeks.
EXAMPLE = pd.DataFrame({"n_repeat": [2], "t_last": [213], "t_observed": [272]}, ["example"])


def lifetimes_file(name: str) -> Path:
    spec = importlib.util.find_spec("lifetimes")
    return Path(spec.submodule_search_locations[0]) / "datasets" / name


@cache
def cdnow_days() -> pd.DataFrame:
    """CDNOW 1/10 sample, one row per customer and day."""
    names = ["master_id", "customer_id", "date", "n_cds", "amount"]
    raw = pd.read_csv(
        lifetimes_file("CDNOW_sample.txt"), sep=r"\s+", names=names, dtype={"date": str, "customer_id": str}
    )
    raw["date"] = pd.to_datetime(raw["date"])
    days = raw.groupby(["customer_id", "date"], as_index=False)["amount"].sum()
    return days.assign(first_at=days.groupby("customer_id")["date"].transform("min"))


@cache
def cdnow(until: str = CALIBRATED_UNTIL) -> pd.DataFrame:
    """One row per customer by the recipe of the papers: purchases merged per day, times in days."""
    days = cdnow_days()[lambda d: d["date"] <= until]
    seen = days.groupby("customer_id")["date"]
    paid = days[(days["date"] > days["first_at"]) & (days["amount"] > 0)].groupby("customer_id")["amount"]
    table = pd.DataFrame({"first_at": seen.min(), "last_at": seen.max(), "n_repeat": seen.size() - 1})
    return table.assign(
        t_last=(table["last_at"] - table["first_at"]).dt.days,
        t_observed=(pd.Timestamp(until) - table["first_at"]).dt.days,
        mean_repeat_amount=paid.mean(),
        n_paid_repeat=paid.size().reindex(table.index, fill_value=0),
    )


@cache
def cdnow_holdout() -> pd.DataFrame:
    days = cdnow_days()[lambda d: d["date"] > CALIBRATED_UNTIL]
    later = days.groupby("customer_id").agg(n_holdout=("date", "size"), amount_holdout=("amount", "sum"))
    return later.reindex(cdnow().index, fill_value=0).assign(duration=273)


def simulate_bg_nbd(
    n: int, generator: np.random.Generator, *, model, observed: tuple[int, int], ahead: int, days: float = 7.0
) -> pd.DataFrame:
    """Histories at the end of observation, with the truth: alive then, and n_later in the days `ahead`.

    Also for MBG/NBD, which has a chance to leave early, and MBG/CNBD-k, which takes k stages to a purchase.
    `days` is how many of the table's days make one unit of the model: 700 keeps time nearly continuous.
    """
    t_observed = generator.integers(*observed, n)
    rate = generator.gamma(model.r, 1 / model.alpha, n) / days
    leaving = generator.beta(model.a, model.b, n)
    clock, n_repeat, last, n_later = np.zeros(n), np.zeros(n, int), np.zeros(n), np.zeros(n, int)
    alive = generator.random(n) >= leaving if model.early else np.ones(n, bool)
    active, k = np.flatnonzero(alive), getattr(model, "k", 1)
    while len(active):
        stages = generator.gamma(k, size=len(active)) if k > 1 else generator.exponential(size=len(active))
        clock[active] += stages / rate[active]
        active = active[clock[active] < t_observed[active] + ahead]
        seen = active[clock[active] <= t_observed[active]]
        n_repeat[seen] += 1
        last[seen] = clock[seen]
        n_later[np.setdiff1d(active, seen, assume_unique=True)] += 1
        left = generator.random(len(active)) < leaving[active]
        alive[active[left & (clock[active] <= t_observed[active])]] = False
        active = active[~left]
    return _with_truth(n_repeat, last, t_observed, alive, n_later)


def simulate_pareto_nbd(
    n: int, generator: np.random.Generator, *, model, observed: tuple[int, int], ahead: int, days: float = 7.0
) -> pd.DataFrame:
    """As `simulate_bg_nbd`, for Pareto/NBD."""
    t_observed = generator.integers(*observed, n)
    rate = generator.gamma(model.r, 1 / model.alpha, n) / days
    life = generator.exponential(1 / generator.gamma(model.s, 1 / model.beta, n)) * days
    active = np.minimum(life, t_observed)
    n_repeat = generator.poisson(rate * active)
    last = active * generator.random(n) ** (1 / np.maximum(n_repeat, 1))  # the largest of n uniform moments
    n_later = generator.poisson(rate * np.clip(life - t_observed, 0, ahead))
    return _with_truth(n_repeat, last, t_observed, life > t_observed, n_later)


def _with_truth(n_repeat, last, t_observed, alive, n_later) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "n_repeat": n_repeat,
            "t_last": np.where(n_repeat > 0, np.minimum(np.ceil(last), t_observed), 0).astype(int),
            "t_observed": t_observed,
            "alive": alive,
            "n_later": n_later,
        }
    )


def simulate_amounts(n_repeat: np.ndarray, generator: np.random.Generator, *, model) -> pd.DataFrame:
    """Average of n_repeat amounts per customer by Gamma-Gamma, and the customer's own mean (the truth)."""
    rate = generator.gamma(model.q, 1 / model.gamma, len(n_repeat))
    total = generator.gamma(model.p * n_repeat) / rate
    mean = np.where(n_repeat > 0, total / np.maximum(n_repeat, 1), np.nan)
    return pd.DataFrame({"n_paid_repeat": n_repeat, "mean_repeat_amount": mean, "own_mean": model.p / rate})


def within_errors(drawn: pd.Series, expected: pd.Series | float, *, errors: float = 4.0) -> bool:
    """Whether a simulated mean agrees with its expectation within so many standard errors."""
    difference = drawn - expected
    return abs(difference.mean()) < errors * difference.std() / np.sqrt(len(difference))
