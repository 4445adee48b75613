"""Totals of a group of customers, with the range that the actual total should fall in.

Two sources of error are counted: the parameters (few customers were observed) and the process (each
customer's purchases scatter around the mean). What no model of its own data can see, cohorts that get worse
or a price rise, shows in the errors made at past origins: these widen the range where they are given, or
correct the forecast (`past_bias`). A season is no such error: see `season.Season`, on whose clock customers,
holdouts and horizons are put before they come here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtri

from crm_analysis.clv.ahead.holdout import holdout_horizon
from crm_analysis.clv.ahead.season import NO_SEASON, Season
from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.histories import FloatArray
from crm_analysis.clv.models.purchases import Horizon, PurchaseModel
from crm_analysis.clv.models.spend import SpendFit
from crm_analysis.errors import DataError

if TYPE_CHECKING:
    from crm_analysis.doors.transactions import Transactions


@dataclass(frozen=True)
class TotalForecast:
    """The total expected of a group of customers.

    forecast_low, forecast_high : where the actual total falls 95 times in 100 if the model is right,
        parameters and process included, widened to the errors made at past origins where given.
    parameter_error, process_error : standard deviations of the two parts; NaN where only drawn together.
    """

    expected: float
    forecast_low: float
    forecast_high: float
    parameter_error: float
    process_error: float
    n_customers: int


def forecast_total(
    purchases: Fit[PurchaseModel],
    customers: pd.DataFrame,
    *,
    horizon: Horizon,
    observed_until: str | date | None = None,
    past_errors: Sequence[float] = (),
) -> TotalForecast:
    """Forecast the purchases of a group of customers within the horizon.

    Parameters
    ----------
    past_errors : forecast / actual - 1 at earlier origins; the range is never narrower than the largest.
    """

    def total(model: PurchaseModel) -> float:
        return model.expected_purchases(customers, horizon=horizon, observed_until=observed_until).sum()

    expected = total(purchases.model)
    variances = purchases.model.purchase_variance(customers, horizon=horizon, observed_until=observed_until)
    parameter_error = float(purchases.standard_error(total))
    process_error = float(np.sqrt(variances.sum()))
    error = np.hypot(parameter_error, process_error)
    factor = np.exp(ndtri(0.975) * error / expected) if expected > 0 else 1.0
    forecast = TotalForecast(
        expected, expected / factor, expected * factor, parameter_error, process_error, len(customers)
    )
    return _widened(forecast, past_errors)


def forecast_amount(
    purchases: Fit[PurchaseModel],
    customers: pd.DataFrame,
    *,
    spend: SpendFit,
    horizon: Horizon,
    generator: np.random.Generator,
    observed_until: str | date | None = None,
    draws: int = 200,
    past_errors: Sequence[float] = (),
) -> TotalForecast:
    """Forecast the amount that a group of customers will spend within the horizon.

    The range is drawn, not computed: amounts may be too heavy-tailed to have a variance. Each draw takes new
    parameters for both models, new purchases and new amounts; takes about `draws` times a scoring.

    Raises
    ------
    FitError
        The mean amount is infinite (q <= 1), so no total can be expected.
    """
    counts = purchases.model.expected_purchases(customers, horizon=horizon, observed_until=observed_until)
    expected = float((counts * spend.model.expected_amount(customers)).sum())
    drawn = draw_amounts(
        purchases,
        customers,
        spend=spend,
        horizon=horizon,
        generator=generator,
        observed_until=observed_until,
        draws=draws,
    )
    totals = [amounts.sum() for amounts in drawn]
    return drawn_total(expected, totals, n_customers=len(customers), past_errors=past_errors)


def draw_amounts(
    purchases: Fit[PurchaseModel],
    customers: pd.DataFrame,
    *,
    spend: SpendFit,
    horizon: Horizon,
    generator: np.random.Generator,
    observed_until: str | date | None = None,
    draws: int = 200,
) -> Iterator[FloatArray]:
    """Draw possible futures: what each customer spends within the horizon, an array per draw.

    Each takes new parameters for both models, new purchases and new amounts.
    """
    for _ in range(draws):
        bought = purchases.draw_model(generator).draw_purchases(
            customers, horizon=horizon, observed_until=observed_until, generator=generator
        )
        yield spend.draw_model(generator).draw_amounts(customers, bought, generator=generator).to_numpy()


def drawn_total(
    expected: float, totals: Sequence[float], *, n_customers: int, past_errors: Sequence[float] = ()
) -> TotalForecast:
    """Range of a total from what was drawn of it, widened to past errors."""
    low, high = np.quantile(totals, [0.025, 0.975])
    return _widened(TotalForecast(expected, low, high, np.nan, np.nan, n_customers), past_errors)


def compare_forecast(
    calibration: pd.DataFrame,
    holdout: pd.DataFrame,
    *,
    purchases: Fit[PurchaseModel],
    spend: SpendFit | None = None,
    generator: np.random.Generator | None = None,
    draws: int = 200,
) -> pd.DataFrame:
    """Set a forecast made at the end of the calibration beside what then happened.

    Returns
    -------
    DataFrame, index "purchases" and, where `spend` is given, "amount": expected, forecast_low, forecast_high,
    actual, error (expected / actual - 1), within (the actual lies in the range), n_customers.
    """
    horizon = holdout_horizon(holdout)
    made = {"purchases": (forecast_total(purchases, calibration, horizon=horizon), "n_holdout")}
    if spend is not None:
        generator = generator if generator is not None else np.random.default_rng(0)
        amount = forecast_amount(
            purchases, calibration, spend=spend, horizon=horizon, generator=generator, draws=draws
        )
        made["amount"] = (amount, "amount_holdout")
    rows = {
        name: _beside(forecast, float(holdout[column].sum())) for name, (forecast, column) in made.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def forecast_origins(
    log: Transactions,
    *,
    origins: Sequence[date | str],
    fit: Callable[[pd.DataFrame], Fit[PurchaseModel]],
    spend: Callable[[pd.DataFrame], SpendFit] | None = None,
    months: int = 12,
    season: Season = NO_SEASON,
) -> pd.DataFrame:
    """Forecast from several past days with what was known then, and compare with what happened.

    Parameters
    ----------
    origins : last days of what each fit may see; `months` after each must have been observed.
    fit, spend : how to fit, such as `fit_pareto_nbd` and `fit_gamma_gamma`.
    season : on whose clock to fit and forecast. It tells months apart and no year from another, so that one
        estimated today may be used for the past.

    Returns
    -------
    `compare_forecast` for customers with complete histories, index (origin, quantity). Without a season a
    forecast from the end of the strong months is too high, since many have just bought.
    """
    tables = {}
    for origin in origins:
        until = (pd.Timestamp(origin) + pd.DateOffset(months=months)).date()
        calibration, holdout = season.split(log, at=origin, until=until)
        complete = calibration["history_complete"]
        if not complete.any():
            raise DataError(
                f"forecast_origins: at {origin} none of {len(complete)} customers has a complete history; "
                "take later origins, or tell the door that the log is a closed cohort"
            )
        calibration, holdout = calibration[complete], holdout[complete]
        amounts = spend(calibration) if spend is not None else None
        tables[pd.Timestamp(origin)] = compare_forecast(
            calibration, holdout, purchases=fit(calibration), spend=amounts
        )
    return pd.concat(tables, names=["origin", "quantity"])


def _widened(forecast: TotalForecast, past_errors: Sequence[float]) -> TotalForecast:
    """Reach as far as each error made before would put the actual: forecast / (1 + error)."""
    return reaching(forecast, [forecast.expected / (1 + error) for error in past_errors])


def reaching(forecast: TotalForecast, actuals: Sequence[float]) -> TotalForecast:
    """Widen the range of a forecast to hold each of some totals."""
    return replace(
        forecast,
        forecast_low=min([forecast.forecast_low, *actuals]),
        forecast_high=max([forecast.forecast_high, *actuals]),
    )


def _beside(forecast: TotalForecast, actual: float) -> dict[str, float | bool | int]:
    return {
        "expected": forecast.expected,
        "forecast_low": forecast.forecast_low,
        "forecast_high": forecast.forecast_high,
        "actual": actual,
        "error": forecast.expected / actual - 1 if actual else np.nan,
        "within": forecast.forecast_low <= actual <= forecast.forecast_high,
        "n_customers": forecast.n_customers,
    }
