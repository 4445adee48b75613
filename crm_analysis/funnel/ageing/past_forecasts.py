"""How well earlier days' open opportunities would have been forecast, beside the share of all closed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crm_analysis.doors.transactions import as_date
from crm_analysis.errors import ConfigError
from crm_analysis.funnel.ageing.open_deals import OpenForecast, forecast_open
from crm_analysis.workspace import parse_length

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline


@dataclass(frozen=True, eq=False)
class OpenBacktest:
    """Forecasts of the open opportunities at earlier days, and what came of them.

    table : index (`at`, `measure`: wins, and revenue where amounts are mapped); until (the day up to
        which outcomes are compared), n_open, n_unsettled (still open at `until`), expected, low_80,
        high_80, low_95, high_95, actual, static (the share won of all closed that day, times the open
        ones), error (expected / actual - 1; missing where nothing came), static_error, in_80, in_95
        (actual within the range).
    scores : index `at`; brier, static_brier: mean squared error of the chance of each opportunity to be won,
        ours and the same share for all. Smaller is better.
    error, static_error : index `measure`; sum of expected / sum of actual - 1 over all days.
    """

    table: pd.DataFrame
    scores: pd.DataFrame
    error: pd.Series
    static_error: pd.Series


def backtest_open(
    pipeline: Pipeline,
    at: Sequence[dt.date | str],
    *,
    horizon: str | None = None,
    by: str | None = None,
    given: str | None = None,
    n_draws: int = 200,
    rng: np.random.Generator | None = None,
) -> OpenBacktest:
    """Forecast the open opportunities as they stood at earlier days, and compare with what happened.

    Parameters
    ----------
    at : days before the snapshot.
    horizon : length looked ahead from each of them; up to the snapshot where not given.
    by, given, n_draws, rng : as in `forecast_open`.

    Raises
    ------
    ConfigError
        A day does not lie before the snapshot, or the horizon ends after it.
    DataError
        As `incidence`.
    """
    rng = rng if rng is not None else np.random.default_rng(1)
    tables, scores = {}, {}
    for day in [as_date(day, "at") for day in at]:
        length = _length(pipeline, day, horizon)
        then = pipeline.as_of(day)
        forecast = forecast_open(then, horizon=length, by=by, given=given, n_draws=n_draws, rng=rng)
        until = day + dt.timedelta(days=int(parse_length(length)))
        came = outcomes(pipeline, until).reindex(forecast.table.index)
        tables[day], scores[day] = compared(forecast, came).assign(until=until), briers(forecast, came["won"])
    table = pd.concat(tables, names=["at"])
    sums = table.groupby(level="measure", sort=False)[["expected", "static", "actual"]].sum()
    return OpenBacktest(
        table=table[["until", *(name for name in table if name != "until")]],
        scores=pd.DataFrame.from_dict(scores, orient="index").rename_axis("at"),
        error=_relative(sums["expected"], sums["actual"]),
        static_error=_relative(sums["static"], sums["actual"]),
    )


def outcomes(pipeline: Pipeline, until: dt.date) -> pd.DataFrame:
    """What had become of each opportunity at the end of a day: won, open, and amount where mapped."""
    deals = pipeline.as_of(until).opportunities
    amount = {"amount": deals.amount.cast("float64")} if "amount" in deals.columns else {}
    found = deals.select("opportunity_id", "outcome", **amount).to_pandas()
    found = found.set_index(found.pop("opportunity_id").astype(str))
    return found.assign(won=found["outcome"] == "won", open=found["outcome"] == "open")


def compared(forecast: OpenForecast, came: pd.DataFrame) -> pd.DataFrame:
    """The forecast's totals beside what came.

    Parameters
    ----------
    came : one row per open opportunity of the forecast: won, open (booleans), and amount where mapped.
    """
    actual = {"wins": float(came["won"].sum())}
    if "revenue" in forecast.totals.index:
        actual["revenue"] = float(came.loc[came["won"], "amount"].sum())
    table = forecast.totals.assign(actual=pd.Series(actual))
    table.insert(0, "n_open", forecast.n_open)
    table.insert(1, "n_unsettled", int(came["open"].sum()))
    table["error"] = _relative(table["expected"], table["actual"])
    table["static_error"] = _relative(table["static"], table["actual"])
    for level in ("80", "95"):
        table[f"in_{level}"] = table["actual"].between(table[f"low_{level}"], table[f"high_{level}"])
    return table


def briers(forecast: OpenForecast, won: pd.Series) -> dict[str, float]:
    """Mean squared error of the chances of single opportunities, ours and the share of all closed."""
    came = won.astype(float)
    return {
        "brier": float(((forecast.table["p_won"] - came) ** 2).mean()),
        "static_brier": float(((forecast.static_rate - came) ** 2).mean()),
    }


def _length(pipeline: Pipeline, day: dt.date, horizon: str | None) -> str:
    room = (pipeline.snapshot_at - day).days
    days = room if horizon is None else int(parse_length(horizon))
    if room < 1 or days > room:
        raise ConfigError(
            f"backtest_open: at {day} with a horizon of {horizon or 'up to the snapshot'}; expected days "
            f"before {pipeline.snapshot_at}, and outcomes that are known by then"
        )
    return f"{days} days"


def _relative(expected: pd.Series, actual: pd.Series) -> Any:
    return (expected / actual - 1).where(actual > 0)
