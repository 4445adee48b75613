"""What a constant margin is worth where contracts are renewed with a constant probability.

Value = margin x multiple. Retention is a word for contracts: a share of customers who happen to buy again
is a repeat-buying rate, and put in its place gives values that are far too low. The probability is also
taken as the same for every customer and year; where customers differ, those who stay longest are the ones
who leave least, and the customers of today are worth more than a constant probability says.

Sources: Fader & Hardie (2012), "Reconciling and clarifying CLV formulas", brucehardie.com/notes/024;
Gupta & Lehmann (2003), Journal of Interactive Marketing 17(1), 9-24; Gupta, Lehmann & Stuart (2004),
Journal of Marketing Research 41(1), 7-18.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.clv.units import check_rate, check_share
from crm_analysis.errors import ConfigError

FIRST_PAYMENTS = ("today", "just received", "end of period")


def margin_multiple(
    *, retention_probability: float, annual_discount_rate: float, first_payment: str, growth: float = 0.0
) -> float:
    """Value of an endless contract per unit of its yearly margin.

    Parameters
    ----------
    first_payment : "today" for a new customer who pays at once, (1 + d) / (1 + d - r); "just received" for
        a customer who has paid and is asked again in a year, r / (1 + d - r), the margin multiple of Gupta
        & Lehmann; "end of period" for a first margin that is certain but comes in a year, 1 / (1 + d - r).
    growth : of the margin per year; the margin is that of the first payment counted, and r is replaced by
        r (1 + growth) in the denominators.

    Raises
    ------
    ConfigError
        An unknown first payment, a probability or rate that is no share, or margins that grow as fast as
        they are discounted, whose sum has no end.
    """
    if first_payment not in FIRST_PAYMENTS:
        raise ConfigError(f"first_payment {first_payment!r}: expected one of {list(FIRST_PAYMENTS)}")
    check_rate(annual_discount_rate)
    check_share(retention_probability, "retention_probability")
    remaining = 1 + annual_discount_rate - retention_probability * (1 + growth)
    if remaining <= 0 or growth <= -1:
        raise ConfigError(
            f"margin_multiple: retention_probability {retention_probability}, growth {growth} and "
            f"annual_discount_rate {annual_discount_rate} have no finite sum; expected growth above -1 and "
            "retention * (1 + growth) below 1 + rate"
        )
    numerators = (1 + annual_discount_rate, retention_probability, 1.0)
    return dict(zip(FIRST_PAYMENTS, numerators, strict=True))[first_payment] / remaining


def margin_multiples(
    retention_probabilities: Sequence[float],
    *,
    annual_discount_rates: Sequence[float],
    first_payment: str = "just received",
    growth: float = 0.0,
) -> pd.DataFrame:
    """Table of margin multiples: index retention_probability, one column per annual_discount_rate."""
    rows = [
        [
            margin_multiple(
                retention_probability=kept,
                annual_discount_rate=rate,
                first_payment=first_payment,
                growth=growth,
            )
            for rate in annual_discount_rates
        ]
        for kept in retention_probabilities
    ]
    return pd.DataFrame(
        rows,
        pd.Index(retention_probabilities, name="retention_probability"),
        pd.Index(annual_discount_rates, name="annual_discount_rate"),
    )


def payment_cases(
    margin: float, *, retention_probability: float, annual_discount_rate: float, growth: float = 0.0
) -> pd.Series:
    """Value of the same margin under each `first_payment`, side by side; index first_payment."""
    values = {
        case: margin
        * margin_multiple(
            retention_probability=retention_probability,
            annual_discount_rate=annual_discount_rate,
            first_payment=case,
            growth=growth,
        )
        for case in FIRST_PAYMENTS
    }
    return pd.Series(values, name="value").rename_axis("first_payment")


@dataclass(frozen=True)
class FixedLifeError:
    """What comes of treating an uncertain life as if it ended for sure at its expected length.

    value : of a customer who stays from year to year with the probability.
    expected_life : 1 / (1 - probability), in years.
    fixed_life_value : the margin received for sure at the end of each of these years.
    error : how much the second is above the first, as a share of the first.
    """

    value: float
    expected_life: float
    fixed_life_value: float
    error: float


def fixed_life_error(
    *, margin: float, retention_probability: float, annual_discount_rate: float
) -> FixedLifeError:
    """Compare a chance of leaving in every year with a life of the same expected length.

    Most customers leave earlier than the expected life, when little is discounted, and in the first year
    some have left before they pay. So the plan with "a life of five years" is worth too much: +44% at 80%
    retention and a discount rate of 12%. An expected life that is no whole number of years is interpolated
    by the annuity formula.
    """
    if not 0 <= retention_probability < 1 or annual_discount_rate == 0:
        raise ConfigError(
            f"fixed_life_error: retention_probability {retention_probability}, annual_discount_rate "
            f"{annual_discount_rate}; expected a probability below 1, so that a life ends, and a rate above 0"
        )
    value = margin * margin_multiple(
        retention_probability=retention_probability,
        annual_discount_rate=annual_discount_rate,
        first_payment="just received",
    )
    life = 1 / (1 - retention_probability)
    annuity = -np.expm1(-life * np.log1p(annual_discount_rate)) / annual_discount_rate
    return FixedLifeError(value, life, float(margin * annuity), float(margin * annuity / value - 1))
