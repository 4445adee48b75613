"""Are forecasts for 12 months unbiased whatever the day they are made on? Firm A, simulated over seeds.

    OMP_NUM_THREADS=1 .venv/bin/python tests/slow/forecast_bias.py 16

Forecasts of customers with complete histories at 30 September and at 31 December 2025 beside what they then
bought: models, plain clock and the season's (index estimated from what was known), corrected by the error of
the forecast made with the same model 12 months before or not at all; with three origins (24, 18 and 12 months
before) the ranges reach as far as each would put it. Then purchases of new customers in their first 12
months: fitted to complete histories, and to everybody counted from the first row seen.
"""

import argparse
import sys
from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd

from crm_analysis.clv.ahead.correction import past_bias
from crm_analysis.clv.ahead.forecast import TotalForecast, compare_forecast
from crm_analysis.clv.ahead.season import NO_SEASON, Season
from crm_analysis.clv.ahead.seasonality import count_cells, estimate_season
from crm_analysis.clv.models.mbg_cnbd import fit_mbg_cnbd
from crm_analysis.clv.models.mbg_nbd import fit_mbg_nbd
from crm_analysis.clv.models.pareto_nbd import fit_pareto_nbd
from crm_analysis.clv.worth.newcomers import forecast_new
from crm_analysis.errors import FitError
from crm_analysis.simulate.clock import BEGINNING
from crm_analysis.simulate.plan import plan
from crm_analysis.simulate.world import draw_world

SINCE = pd.Timestamp("2022-01-01")
DAYS = ("2025-09-30", "2025-12-31")
MONTHS_BEFORE = {"last": [12], "three": [24, 18, 12]}
MODELS = {
    "Pareto/NBD": fit_pareto_nbd,
    "MBG/NBD": fit_mbg_nbd,
    "MBG/CNBD-2": partial(fit_mbg_cnbd, k=2),
}


def purchase_days(seed: int) -> pd.DataFrame:
    """All purchase days until 2027, seen or not: customer_id, date, and first_at, when the customer came."""
    world = draw_world(plan("A", variant="second stage"), np.random.default_rng([seed, 0]))
    orders = world.sales.orders
    days = pd.DataFrame({"customer_id": orders["customer"], "day": np.floor(orders["at"]).astype(int)})
    days = days.drop_duplicates().sort_values(["customer_id", "day"], ignore_index=True)
    return pd.DataFrame(
        {
            "customer_id": days["customer_id"],
            "date": pd.to_datetime(BEGINNING + days["day"].to_numpy()),
            "first_at": pd.to_datetime(BEGINNING + np.floor(world.customers.acquired).astype(int))[
                days["customer_id"]
            ],
        }
    )


def customers_at(days: pd.DataFrame, at: pd.Timestamp, *, cut: bool = False) -> pd.DataFrame:
    """Customers with complete histories as known at the end of `at`; `cut`: all, from the first row seen."""
    seen = days[(days["date"] <= at) & (days["date"] >= SINCE)]
    if not cut:
        seen = seen[seen["first_at"] >= SINCE]
    dates = seen.groupby("customer_id")["date"].agg(["min", "max", "size"])
    return pd.DataFrame(
        {
            "first_at": dates["min"],
            "n_repeat": dates["size"] - 1,
            "t_last": (dates["max"] - dates["min"]).dt.days,
            "t_observed": (at - dates["min"]).dt.days,
        }
    )


def holdout_after(days: pd.DataFrame, known: pd.DataFrame, at: pd.Timestamp) -> pd.DataFrame:
    until = at + pd.DateOffset(months=12)
    later = days[(days["date"] > at) & (days["date"] <= until)]
    bought = later.groupby("customer_id").size().reindex(known.index, fill_value=0)
    return pd.DataFrame({"n_holdout": bought, "duration": (until - at).days})


def season_at(days: pd.DataFrame, at: pd.Timestamp) -> Season:
    """The index that the log shows at the end of `at`."""
    seen = days[(days["date"] <= at) & (days["first_at"] >= SINCE)]
    repeats = seen[seen["date"] > seen["first_at"]]
    months = pd.DataFrame(
        {
            "came": repeats["first_at"].to_numpy("datetime64[M]"),
            "bought": repeats["date"].to_numpy("datetime64[M]"),
        }
    )
    born = seen.drop_duplicates("customer_id")["first_at"].value_counts()
    cells = count_cells(months.value_counts().rename("n").reset_index(), born, since=SINCE, until=at)
    return estimate_season(cells)


def compare(days: pd.DataFrame, at: pd.Timestamp, season: Season, name: str) -> pd.DataFrame:
    """`compare_forecast` from the end of `at`, index quantity; empty where the model is not determined."""
    known = customers_at(days, at)
    holdout = season.holdout_on_clock(holdout_after(days, known, at), observed_until=f"{at:%Y-%m-%d}")
    known = season.on_clock(known, observed_until=f"{at:%Y-%m-%d}")
    try:
        return compare_forecast(known, holdout, purchases=MODELS[name](known)).rename_axis("quantity")
    except FitError:
        return pd.DataFrame()


def forecasts(seed: int) -> Iterator[dict[str, object]]:
    days = purchase_days(seed)
    for day in map(pd.Timestamp, DAYS):
        estimated = season_at(days, day)
        before = {
            n: (day + pd.Timedelta("1D") - pd.DateOffset(months=n)) - pd.Timedelta("1D") for n in (12, 18, 24)
        }
        for name in MODELS:
            for clock, season in (("plain", NO_SEASON), ("season", estimated)):
                now = compare(days, day, season, name)
                if now.empty:
                    continue
                past = {n: compare(days, at, season, name) for n, at in before.items()}
                row = now.loc["purchases"]
                same = {"seed": seed, "day": f"{day:%Y-%m-%d}", "model": name, "clock": clock}
                yield same | {"corrected": "no", "error": row["error"], "within": row["within"]}
                for corrected, months in MONTHS_BEFORE.items():
                    yield same | {"corrected": corrected, **_corrected(row, [past[n] for n in months])}


def _corrected(row: pd.Series, past: list[pd.DataFrame]) -> dict[str, object]:
    made = pd.concat([table for table in past if len(table)] or [pd.DataFrame(columns=row.index)])
    bias = past_bias(made.rename_axis("quantity"))
    forecast = TotalForecast(row["expected"], row["forecast_low"], row["forecast_high"], np.nan, np.nan, 0)
    if bias is not None:
        forecast = bias.correct(forecast)
    within = forecast.forecast_low <= row["actual"] <= forecast.forecast_high
    return {"error": forecast.expected / row["actual"] - 1, "within": within}


def newcomers(seed: int) -> Iterator[dict[str, object]]:
    """Purchases in the first year of those who came inside the log, by model and by whom it was fitted to."""
    days = purchase_days(seed)
    came = days[(days["first_at"] >= SINCE) & (days["date"] <= days["first_at"] + pd.Timedelta("365D"))]
    truth = (came.groupby("customer_id").size() - 1).mean()
    at = pd.Timestamp("2025-12-31")
    season = season_at(days, at)
    for name, fit in MODELS.items():
        for fitted, cut in (("complete", False), ("first row seen", True)):
            customers = season.on_clock(customers_at(days, at, cut=cut), observed_until="2025-12-31")
            try:
                new = forecast_new(fit(customers))
            except FitError:
                continue
            yield {
                "seed": seed,
                "model": name,
                "fitted": fitted,
                "truth": truth,
                "error": new.expected / truth - 1,
                "within": new.expected_low <= truth <= new.expected_high,
            }


def summary(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    grouped = rows.groupby(by, sort=False)
    errors = grouped["error"]
    return pd.DataFrame(
        {
            "error": errors.mean(),
            "standard_error": errors.std() / np.sqrt(errors.size()),
            "rmse": errors.apply(lambda e: np.sqrt((e**2).mean())),
            "within": grouped["within"].mean(),
            "n": errors.size(),
        }
    ).round(3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n_seeds", type=int)
    seeds = range(1, parser.parse_args().n_seeds + 1)
    made = pd.DataFrame(row for seed in seeds for row in forecasts(seed))
    new = pd.DataFrame(row for seed in seeds for row in newcomers(seed))
    for table in (summary(made, ["model", "clock", "corrected", "day"]), summary(new, ["model", "fitted"])):
        sys.stdout.write(f"{table.to_string()}\n\n")


if __name__ == "__main__":
    main()
