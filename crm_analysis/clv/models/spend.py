"""Spend where those who buy more often also spend more, or less, per purchase: Gamma-Gamma by frequency band.

Gamma-Gamma takes everybody's amounts for draws from one distribution, whatever the number of purchases.
Where that is wrong the value of the best customers is, and with it the base's. Here customers with 1, with 2
or 3 and with 4 or more paid repeat purchases each have a level of their own; how much a customer's purchases
differ (p) and how much customers of a band differ (q) are common, since a single purchase shows neither.

Those who bought once have shown no band. They are taken for the lowest, the nearest to them. As a customer
buys more the expected amount moves towards the own average, and from one band's level to the next at the
second and the fourth repeat purchase.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy.special import ndtri

from crm_analysis.clv.fitting.fit import Estimation, Fit, Limit, maximise
from crm_analysis.clv.histories import FloatArray, IntArray, customer_weights
from crm_analysis.clv.models.dependence import frequency_and_amount
from crm_analysis.clv.models.gamma_gamma import (
    LIMITS,
    Averages,
    GammaGamma,
    SpendModel,
    fit_gamma_gamma,
    log_likelihood,
    paid_amounts,
)
from crm_analysis.clv.models.purchases import PurchaseModel

BANDS = ("1", "2-3", "4+")
BAND_STARTS = (1, 2, 4)
ENOUGH = 50  # customers in a band: their mean is known to about a tenth where amounts differ as in CDNOW

SpendFit = Fit[GammaGamma] | Fit["BandedGammaGamma"]


@dataclass(frozen=True, kw_only=True)
class BandedGammaGamma(SpendModel):
    """Five numbers: Gamma-Gamma with a level for each band of paid repeat purchases.

    A customer's amounts are Gamma(p, rate=nu), and nu ~ Gamma(q, rate=gamma of the band): gamma_1 of those
    with 1 (and with none), gamma_2 with 2 or 3, gamma_4 with 4 or more.
    """

    name: ClassVar[str] = "Gamma-Gamma by frequency"
    p: float
    q: float
    gamma_1: float
    gamma_2: float
    gamma_4: float

    def level(self, n_paid_repeat: FloatArray) -> IntArray:
        """That of the band."""
        return _band(n_paid_repeat)


def fit_spend(customers: pd.DataFrame) -> SpendFit:
    """Fit one Gamma-Gamma, or one by frequency band where frequency and amount depend on each other.

    Bands are fitted where `frequency_and_amount` says "positive" or "negative" and each holds at least 50
    customers.

    Raises
    ------
    DataError, FitError
        As `fit_gamma_gamma`.
    """
    n, _ = paid_amounts(customers)
    held = np.bincount(_band(n[n > 0]), customer_weights(customers)[n > 0], minlength=len(BANDS))
    depends = frequency_and_amount(customers).kind in ("positive", "negative")
    return (
        fit_banded_gamma_gamma(customers) if depends and held.min() >= ENOUGH else fit_gamma_gamma(customers)
    )


def fit_banded_gamma_gamma(customers: pd.DataFrame) -> Fit[BandedGammaGamma]:
    """Fit Gamma-Gamma by frequency band; `customers` and errors are those of `fit_gamma_gamma`."""
    model = BandedGammaGamma
    averages = Averages.read(customers, name=model.name)
    band = _band(averages.n)
    starts = [
        (p, q, *(level * max(q - 1, 0.5) / p for level in _levels(averages, band)))
        for p, q in ((4.0, 3.0), (1.0, 2.0), (20.0, 10.0))
    ]
    return maximise(
        Estimation(
            name=model.name,
            parameters=model.parameter_names(),
            build=model,
            rows=lambda parameters: _banded_likelihood(parameters, averages, band),
            weights=averages.weights,
            starts=starts,
            limits=_limits(),
            data=averages.described,
        )
    )


def band_amounts(spend: SpendFit) -> pd.DataFrame:
    """Mean amount per paid repeat purchase of each band, with where it lies (95%).

    Returns
    -------
    DataFrame, index "1", "2-3", "4+" (paid repeat purchases): mean_amount, _low, _high.
    """
    starts = np.array(BAND_STARTS, dtype=float)
    mean = spend.model.mean_amount(starts)
    factor = np.exp(ndtri(0.975) * spend.standard_error(lambda model: np.log(model.mean_amount(starts))))
    columns = {"mean_amount": mean, "mean_amount_low": mean / factor, "mean_amount_high": mean * factor}
    return pd.DataFrame(columns, pd.Index(BANDS, name="n_paid_repeat"))


def new_customer_amount(spend: SpendModel, purchases: PurchaseModel) -> float:
    """Mean amount of the repeat purchases that new customers make in 12 months, over all these purchases.

    Where amounts go by band the purchases of those who come to buy often weigh most.
    """
    chances = purchases.purchase_distribution_new(horizon="12 months", up_to=100)
    n = np.arange(1.0, 101.0)
    weights = n * chances.to_numpy()[1:]
    return float((weights * spend.mean_amount(n)).sum() / weights.sum())


def _band(n_paid_repeat: FloatArray) -> IntArray:
    return (n_paid_repeat >= BAND_STARTS[1]).astype(np.int64) + (n_paid_repeat >= BAND_STARTS[2])


def _levels(averages: Averages, band: IntArray) -> list[float]:
    totals, counts = (
        np.bincount(band, averages.weights * values, minlength=len(BANDS))
        for values in (averages.total, averages.n)
    )
    return np.where(counts > 0, totals / np.maximum(counts, 1), averages.mean).tolist()


def _banded_likelihood(
    parameters: FloatArray, averages: Averages, band: IntArray
) -> tuple[FloatArray, FloatArray]:
    row, (p, q, gamma) = log_likelihood((parameters[0], parameters[1], parameters[2:][band]), averages)
    return row, np.stack([p, q, *(np.where(band == b, gamma, 0.0) for b in range(len(BANDS)))])


def _limits() -> tuple[Limit, ...]:
    gammas = frozenset(f"gamma_{start}" for start in BAND_STARTS)
    return tuple(
        Limit((limit.parameters - {"gamma"}) | gammas, limit.to, limit.meaning)
        if "gamma" in limit.parameters
        else limit
        for limit in LIMITS
    )
