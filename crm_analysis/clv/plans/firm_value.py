"""What a firm's customers are worth together: those it has, and those it will win.

For firms with contracts: margin, retention and cost of acquisition are averages, the same for everybody.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.clv.plans.multiples import margin_multiple
from crm_analysis.clv.units import check_share
from crm_analysis.errors import ConfigError


def customer_base_value(
    *,
    n_customers: float,
    margin: float,
    retention_probability: float,
    annual_discount_rate: float,
    periods_per_year: int = 1,
    new_customers: float = 0.0,
    acquisition_cost: float = 0.0,
    tax_rate: float = 0.0,
) -> float:
    """Value of today's customers and of new ones, after the cost of winning these and after tax.

    Parameters
    ----------
    margin : per customer and period, the next one due in a period (see `margin_multiple`, "just received").
    retention_probability, annual_discount_rate : per year; a period has its share of both.
    new_customers : number won in future, each discounted from the day of joining: sum of n_t / (1 + d)^t.

    Notes
    -----
    (1 - tax) * (m L (N + N_new) - c N_new), L the margin multiple of a period. It is how the values of Gupta,
    Lehmann & Stuart (2004), Journal of Marketing Research 41(1), table 4 come about: quarterly margins,
    quarterly shares of the yearly retention and discount rate, 38% tax.
    """
    check_share(tax_rate, "tax_rate")
    if periods_per_year < 1 or n_customers < 0 or new_customers < 0:
        raise ConfigError(
            f"customer_base_value: n_customers {n_customers}, new_customers {new_customers}, "
            f"periods_per_year {periods_per_year}; expected none below 0, and at least one period a year"
        )
    multiple = margin_multiple(
        retention_probability=retention_probability ** (1 / periods_per_year),
        annual_discount_rate=(1 + annual_discount_rate) ** (1 / periods_per_year) - 1,
        first_payment="just received",
    )
    earned = margin * multiple * (n_customers + new_customers)
    return (1 - tax_rate) * (earned - acquisition_cost * new_customers)


@dataclass(frozen=True)
class BassGrowth:
    """New customers over time, where some come by themselves and others because others came.

    innovation, imitation : p and q of the paper, per period.
    market : number of customers there will ever be.

    Source: Bass (1969), Management Science 15(5), 215-227.
    """

    innovation: float
    imitation: float
    market: float

    def __post_init__(self) -> None:
        if not (self.innovation > 0 and self.imitation > 0 and self.market > 0):
            raise ConfigError(
                f"Bass growth: innovation {self.innovation}, imitation {self.imitation}, market "
                f"{self.market}; expected all above 0"
            )

    def customers(self, periods: float | np.ndarray) -> np.ndarray:
        """Number of customers won up to a time."""
        grown = np.exp(-(self.innovation + self.imitation) * np.asarray(periods, dtype=float))
        return self.market * (1 - grown) / (1 + self.imitation / self.innovation * grown)

    @property
    def peak_period(self) -> float:
        """When most come at once; 0 if the flow falls from the start."""
        together = self.innovation + self.imitation
        return max(float(np.log(self.imitation / self.innovation)) / together, 0.0)

    @property
    def peak_customers(self) -> float:
        """Number who come per period at the peak."""
        together = self.innovation + self.imitation
        falls = self.imitation <= self.innovation
        return self.market * (self.innovation if falls else together**2 / (4 * self.imitation))

    def new_customers(self, *, periods: int) -> pd.Series:
        """Customers won in each of the coming periods; index period, from 1."""
        won = np.diff(self.customers(np.arange(periods + 1)))
        return pd.Series(won, pd.RangeIndex(1, periods + 1, name="period"), name="new_customers")
