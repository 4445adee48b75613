"""What a purchase of each customer brings in: the expected amount, with its error, times the margin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.histories import FloatArray, IntArray
from crm_analysis.clv.models.gamma_gamma import SpendModel, paid_amounts
from crm_analysis.clv.models.spend import SpendFit
from crm_analysis.errors import ConfigError, DataError


@dataclass(frozen=True)
class PerPurchase:
    """Per customer: expected amount, the standard error of its logarithm (parameters), and the margin."""

    expected: FloatArray
    error: FloatArray
    margin: FloatArray

    @property
    def earned(self) -> FloatArray:
        """Margin on the expected amount."""
        return self.expected * self.margin


def per_purchase(
    customers: pd.DataFrame, spend: SpendFit | SpendModel, margin: float | str | pd.Series
) -> PerPurchase:
    """What a purchase of each customer brings in."""
    model = spend.model if isinstance(spend, Fit) else spend
    expected = model.expected_amount(customers).to_numpy()
    error = _log_error(customers, spend) if isinstance(spend, Fit) else np.full(len(customers), np.nan)
    return PerPurchase(expected, error, _margins(customers, margin))


def customer_numbers(customers: pd.DataFrame, given: float | str | pd.Series, name: str) -> FloatArray:
    """One number per customer, from a number, a column's name or a Series by customer.

    Raises
    ------
    DataError
        There is no such column, or a customer has no number.
    """
    if isinstance(given, str) and given not in customers:
        raise DataError(f"{name}: no column {given!r}; columns present: {list(customers.columns)}")
    column = customers[given] if isinstance(given, str) else given
    if isinstance(column, pd.Series):
        numbers = column.reindex(customers.index).to_numpy(float)
    else:
        numbers = np.full(len(customers), float(column))
    missing = ~np.isfinite(numbers)
    if missing.any():
        first = customers.index[int(missing.argmax())]
        raise DataError(f"{name}: missing for {missing.sum()} of {len(numbers)} customers, first {first!r}")
    return numbers


def _margins(customers: pd.DataFrame, margin: float | str | pd.Series) -> FloatArray:
    shares = customer_numbers(customers, margin, "margin")
    if (shares > 1).any():
        raise ConfigError(f"margin {shares.max()}: expected a share of the amount, such as 0.3 for 30%")
    return shares


def _log_error(customers: pd.DataFrame, spend: SpendFit) -> FloatArray:
    """Standard error of the logarithm of the expected amount, by the delta method.

    Of log p + log(gamma + total) - log(p n + q - 1) the slopes in log p and log q depend on n alone, that in
    log gamma is gamma's share of gamma + total: the variance is a polynomial in this share, for each n.
    """
    n, mean = paid_amounts(customers)
    counts, place = _counts(n)
    model, parameters = spend.model, np.array(list(spend.model.parameters.values()))
    covariance = spend.covariance.to_numpy() / np.outer(parameters, parameters)
    shape = model.p * counts + model.q - 1
    by_p, by_q, gamma = 1 - model.p * counts / shape, -model.q / shape, 2 + model.level(counts)
    constant = covariance[0, 0] * by_p**2 + 2 * covariance[0, 1] * by_p * by_q + covariance[1, 1] * by_q**2
    linear = 2 * (covariance[0, gamma] * by_p + covariance[1, gamma] * by_q)
    square = covariance[gamma, gamma]
    share = model.gammas(n)
    share /= share + n * mean
    return np.sqrt(np.maximum(constant[place] + share * (linear[place] + share * square[place]), 0.0))


def _counts(n: FloatArray) -> tuple[FloatArray, IntArray]:
    """Numbers of purchases, all up to the largest where it is small, and the place of every customer's."""
    if n.max(initial=0) > len(n):
        return np.unique(n, return_inverse=True)
    return np.arange(n.max(initial=0) + 1), n.astype(np.int64)
