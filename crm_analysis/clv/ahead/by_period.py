"""What a customer base will buy month by month, or quarter by quarter, in season."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import ndtri

from crm_analysis.clv.ahead.correction import PastBias
from crm_analysis.clv.ahead.season import MONTH_DAYS, Season
from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.histories import FloatArray, distinct_histories
from crm_analysis.clv.models.purchases import PurchaseModel
from crm_analysis.clv.models.spend import SpendFit
from crm_analysis.errors import ConfigError
from crm_analysis.workspace import add_months

_MONTHS = {"month": 1, "quarter": 3}


def forecast_by_period(
    purchases: Fit[PurchaseModel],
    customers: pd.DataFrame,
    *,
    season: Season,
    observed_until: dt.date | str,
    period: Literal["month", "quarter"] = "month",
    n_periods: int | None = None,
    spend: SpendFit | None = None,
    bias: PastBias | None = None,
) -> pd.DataFrame:
    """Forecast the purchases of known customers per calendar period after `observed_until`.

    Parameters
    ----------
    purchases : fitted on the clock of `season`.
    customers : as `summarise_customers` gives them, not yet on the clock.
    n_periods : a year of them by default; where `observed_until` lies inside a period, the first is what is
        left of it.
    bias : `past_bias`, by which every period is corrected.

    Returns
    -------
    DataFrame, index period ("2026-01", "2026Q1"): starts_on, ends_on, expected, forecast_low, forecast_high
    (95%: parameters, process, and the errors of the index and of the correction), with `spend`
    expected_amount, and seasonally_adjusted, the same in every row. The periods add up to the forecast for
    the whole time.
    """
    if period not in _MONTHS:
        raise ConfigError(f"forecast_by_period: period {period!r}; known are {sorted(_MONTHS)}")
    table = _periods(pd.Timestamp(observed_until).date(), _MONTHS[period], n_periods)
    ends = [season.days(f"{day:%Y-%m-%d}", observed_until=observed_until) for day in table["ends_on"]]
    distinct, row = distinct_histories(season.on_clock(customers, observed_until=observed_until))
    ahead = _Ahead(distinct, np.bincount(row, minlength=len(distinct)).astype(float), np.array(ends))
    bias = bias or PastBias((1.0,), 0.0)
    error = np.hypot(ahead.error(purchases), np.hypot(_index_error(season, table), bias.spread))
    uncorrected, factor = ahead.expected(purchases.model), np.exp(ndtri(0.975) * error)
    expected, reached = uncorrected / bias.ratio, np.outer(1 / np.array(bias.ratios), uncorrected)
    table = table.assign(
        expected=expected,
        forecast_low=np.minimum(expected / factor, reached.min(axis=0)),
        forecast_high=np.maximum(expected * factor, reached.max(axis=0)),
    )
    if spend is not None:
        amounts: FloatArray = np.bincount(
            row, spend.model.expected_amount(customers), minlength=len(distinct)
        ).astype(float)
        table["expected_amount"] = replace(ahead, weight=amounts).expected(purchases.model) / bias.ratio
    return table.assign(seasonally_adjusted=season.adjusted)


@dataclass(frozen=True)
class _Ahead:
    """Distinct histories with their weights, and the ends of the periods ahead of them, in days."""

    distinct: pd.DataFrame
    weight: FloatArray
    ends: FloatArray

    def expected(self, model: PurchaseModel) -> FloatArray:
        """Weighted total expected in each period."""
        return np.diff([self._total(model.expected_purchases, end) for end in self.ends], prepend=0.0)

    def error(self, purchases: Fit[PurchaseModel]) -> FloatArray:
        """Relative standard deviation of each period's total: parameters and process."""
        expected = np.maximum(self.expected(purchases.model), np.finfo(float).tiny)
        parameters = purchases.standard_error(self.expected) / expected
        lengths = np.diff(self.ends, prepend=0.0)
        return np.sqrt(parameters**2 + self._dispersion(purchases.model, lengths) / expected)

    def _dispersion(self, model: PurchaseModel, lengths: FloatArray) -> FloatArray:
        """Variance of the total per purchase expected, in a period of each length that begins today.

        A later period has a little more, since who is still there then is less certain: a year ahead the
        standard deviation is less than a tenth larger.
        """
        means = np.array([self._total(model.expected_purchases, length) for length in lengths])
        variances = np.array([self._total(model.purchase_variance, length) for length in lengths])
        return variances / np.maximum(means, np.finfo(float).tiny)

    def _total(self, answer: Callable[..., pd.Series], length: float) -> float:
        return float((self.weight * answer(self.distinct, horizon=f"{length:.6f} days").to_numpy()).sum())


def _periods(observed_until: dt.date, n_months: int, n_periods: int | None) -> pd.DataFrame:
    start = observed_until + dt.timedelta(days=1)
    begin = dt.date(start.year, start.month - (start.month - 1) % n_months, 1)
    count = 12 // n_months + (begin < start) if n_periods is None else n_periods
    begins = [add_months(begin, n_months * i) for i in range(count + 1)]
    names = [f"{d:%Y-%m}" if n_months == 1 else f"{d.year}Q{(d.month + 2) // 3}" for d in begins[:-1]]
    return pd.DataFrame(
        {
            "starts_on": pd.to_datetime([max(d, start) for d in begins[:-1]]),
            "ends_on": pd.to_datetime([d - dt.timedelta(days=1) for d in begins[1:]]),
        },
        pd.Index(names, name="period"),
    )


def _index_error(season: Season, table: pd.DataFrame) -> FloatArray:
    """Relative standard error of the index over each period; 0 where it was not estimated."""
    if season.standard_errors is None:
        return np.zeros(len(table))
    index, errors = np.array(season.index) * MONTH_DAYS, np.array(season.standard_errors) * MONTH_DAYS
    months = [
        np.arange(begin.month, end.month + 1) - 1
        for begin, end in zip(table["starts_on"], table["ends_on"], strict=True)
    ]
    return np.array([np.sqrt((errors[m] ** 2).sum()) / index[m].sum() for m in months])
