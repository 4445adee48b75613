"""What both firms' open opportunities will bring, and how well that was said before."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from crm_analysis.errors import DataError
from crm_analysis.funnel.ageing.open_deals import forecast_open
from crm_analysis.funnel.ageing.past_forecasts import backtest_open
from crm_analysis.funnel.telling.comparisons import Comparison
from crm_analysis.workspace import parse_length


def forecast_firms(c: Comparison, *, horizon: str = "90 days", n_draws: int = 100) -> pd.DataFrame:
    """Wins and revenue of the open opportunities within `horizon`, beside the forecast made that long ago.

    Returns
    -------
    DataFrame, index (firm, measure), measures "wins" and, where amounts are mapped, "revenue"; n_open,
    n_stalled, expected, low_80, high_80; and of the forecast made one horizon before: before (what it
    expected), before_low_80, before_high_80, actual (what came), error, static_error (of the share won of
    all closed, applied to the open ones). The earlier forecast is missing where nothing was open then.
    """
    tables = {name: _one(c, i, horizon, n_draws) for i, name in enumerate(c.names)}
    return pd.concat(tables, names=["firm", "measure"])


def _one(c: Comparison, i: int, horizon: str, n_draws: int) -> pd.DataFrame:
    pipeline = c.pipelines[i]
    ahead = forecast_open(pipeline, horizon=horizon, n_draws=n_draws)
    table = ahead.totals[["expected", "low_80", "high_80"]].copy()
    table.insert(0, "n_open", ahead.n_open)
    table.insert(1, "n_stalled", ahead.n_stalled)
    day = pipeline.snapshot_at - dt.timedelta(days=int(parse_length(horizon)))
    try:
        past = backtest_open(pipeline, [day], horizon=horizon, n_draws=n_draws).table.droplevel("at")
    except DataError:
        return table
    words = {"expected": "before", "low_80": "before_low_80", "high_80": "before_high_80"}
    said = past.rename(columns=words)
    return table.join(said[[*words.values(), "actual", "error", "static_error"]])
