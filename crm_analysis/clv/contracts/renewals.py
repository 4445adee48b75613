"""What a model of renewals answers about customers with a contract, whatever the model.

A model supplies the chance of surviving t renewals; everything else follows. `renewals` is how many a
customer has made so far: 0 for a new one.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import pandas as pd

from crm_analysis.clv.fitting.parameters import ParameterSet
from crm_analysis.clv.histories import FloatArray
from crm_analysis.clv.units import DAYS_PER_YEAR, check_rate
from crm_analysis.errors import ConfigError
from crm_analysis.workspace import parse_length

SUMMED = 1000  # renewals added one by one before the rest is an integral
NEGLIGIBLE = 36.0  # exp(-36) is the precision of a float
LONGEST = 5_000_000  # renewals whose discounted sum fits in memory
NEXT = ("now", "in one period")


class RenewalModel(ParameterSet):
    """Base of the models of renewals; `unit` is the time from one renewal to the next ("1 month")."""

    unit: str

    def survival(self, periods: int) -> pd.Series:
        """Share of a cohort still under contract after 0 .. `periods` renewals."""
        t = np.arange(periods + 1.0)
        index = pd.RangeIndex(periods + 1, name="period")
        return pd.Series(np.exp(self._log_survival(t)), index, name="survival")

    def retention(self, periods: int) -> pd.Series:
        """Share of those still under contract who renew, at renewal 1 .. `periods`."""
        log_survival = self._log_survival(np.arange(periods + 1.0))
        index = pd.RangeIndex(1, periods + 1, name="renewal")
        return pd.Series(np.exp(np.diff(log_survival)), index, name="retention")

    def p_renew(self, renewals: int | pd.Series) -> float | pd.Series:
        """P(renews the next time), of a customer who has renewed so many times."""
        made = np.asarray(renewals, dtype=float)
        chance = np.exp(self._log_survival(made + 1) - self._log_survival(made))
        return _like(renewals, chance, "p_renew")

    def expected_renewals(
        self, renewals: int | pd.Series, *, horizon: int | None = None
    ) -> float | pd.Series:
        """Further renewals expected: the expected residual lifetime, in periods.

        Parameters
        ----------
        horizon : how many renewals are looked ahead, or None for the whole remaining life. That may be
            infinite (sBG with alpha <= 1, BdW with alpha c <= 1): some customers hardly ever leave.
        """
        values = {n: self._expected(n, horizon) for n in _distinct(renewals)}
        return _like(renewals, _looked_up(renewals, values), "expected_renewals")

    def discounted_renewals(
        self,
        renewals: int | pd.Series,
        *,
        next_renewal: str,
        annual_discount_rate: float | None = None,
        rate_per_period: float | None = None,
        horizon: int | None = None,
    ) -> float | pd.Series:
        """Further renewals expected, each counted at its present value.

        Parameters
        ----------
        next_renewal : "now" (the customer is about to decide, the first renewal is not discounted) or "in one
            period" (the customer has just renewed or just begun). It has no default: the two differ by the
            rate of one period.
        annual_discount_rate, rate_per_period : exactly one of them; 0.1 for 10%.
        horizon : how many renewals are counted, or None for the whole remaining life.

        Notes
        -----
        For sBG and "now" it is the closed form of Fader & Hardie (2010), Marketing Science 29(1).
        """
        if next_renewal not in NEXT:
            raise ConfigError(f"next_renewal {next_renewal!r}: expected one of {list(NEXT)}")
        rate = self._rate(annual_discount_rate, rate_per_period)
        values = self._discounted(_distinct(renewals), rate, horizon)
        early = 1 + rate if next_renewal == "now" else 1.0
        return _like(renewals, early * _looked_up(renewals, values), "discounted_renewals")

    def clv_new(
        self,
        *,
        margin: float,
        timing: str,
        annual_discount_rate: float | None = None,
        rate_per_period: float | None = None,
        horizon: int | None = None,
    ) -> float:
        """Value of a new customer, the first period's margin included, acquisition cost not taken off.

        Parameters
        ----------
        margin : profit per customer and period.
        timing : when the margin of a period comes in, "start of period" or "end of period"; no default.
        annual_discount_rate, rate_per_period : exactly one of them.
        horizon : how many periods are counted, or None for all.
        """
        shift = {"start of period": 0, "end of period": 1}
        if timing not in shift:
            raise ConfigError(f"timing {timing!r}: expected one of {list(shift)}")
        if horizon is not None and horizon < 1:
            raise ConfigError(f"horizon {horizon}: expected a number of periods, at least 1")
        rate = self._rate(annual_discount_rate, rate_per_period)
        later = self._discounted(np.zeros(1, dtype=int), rate, None if horizon is None else horizon - 1)
        return float(margin * (1 + later[0]) / (1 + rate) ** shift[timing])

    # What a model supplies.

    @abstractmethod
    def _log_survival(self, t: FloatArray) -> FloatArray:
        """Log of the chance of surviving t renewals; 0 at t = 0."""

    @abstractmethod
    def _endless(self, t: float) -> float:
        """Integral of the survival from t on; may be infinite."""

    # What follows from it.

    def _expected(self, made: int, horizon: int | None) -> float:
        t = made + np.arange(1.0, (SUMMED if horizon is None else horizon) + 1)
        log_now = self._log_survival(np.array([float(made)]))[0]
        ahead = np.exp(self._log_survival(t) - log_now)
        if horizon is not None:
            return float(ahead.sum())
        # Euler and Maclaurin: the sum beyond the last is the integral from there, less half of it.
        rest = self._endless(t[-1]) / np.exp(log_now)
        slope = (ahead[-1] - ahead[-2]) / 12
        return float(ahead.sum() + rest - ahead[-1] / 2 - slope)

    def _discounted(self, renewals: np.ndarray, rate: float, horizon: int | None) -> dict[int, float]:
        """Discounted renewals per number made, the first one after one period; all from one sum."""
        if rate == 0:
            return {int(n): self._expected(int(n), horizon) for n in renewals}
        log_rate = np.log1p(rate)
        ahead = int(np.ceil(NEGLIGIBLE / log_rate)) if horizon is None else horizon
        most = int(renewals.max(initial=0)) + ahead
        if most > LONGEST:
            raise ConfigError(
                f"discounted_renewals: at a rate of {rate:.2g} per period {ahead:,} renewals count; give a "
                "horizon, or longer periods"
            )
        t = np.arange(most + 1.0)
        log_survival = self._log_survival(t)
        found = {}
        for n in renewals:
            window = slice(int(n) + 1, int(n) + ahead + 1)
            terms = np.exp(log_survival[window] - log_survival[n] - log_rate * (t[window] - n))
            found[int(n)] = float(terms.sum())
        return found

    def _rate(self, annual: float | None, per_period: float | None) -> float:
        if (annual is None) == (per_period is None):
            raise ConfigError(
                "discounting: give either annual_discount_rate or rate_per_period, "
                f"got {annual} and {per_period}"
            )
        rate = annual if annual is not None else per_period
        check_rate(float(rate))  # type: ignore[arg-type]
        if annual is None:
            return float(rate)  # type: ignore[arg-type]
        return float(np.expm1(np.log1p(annual) * parse_length(self.unit) / DAYS_PER_YEAR))


def _distinct(renewals: int | pd.Series) -> np.ndarray:
    made = np.asarray(renewals)
    if not ((made >= 0) & (made == np.round(made))).all():
        raise ConfigError(
            f"renewals {made[~((made >= 0) & (made % 1 == 0))][:1]}: expected whole numbers from 0"
        )
    return np.unique(made).astype(int)


def _looked_up(renewals: int | pd.Series, values: dict[int, float]) -> FloatArray:
    keys = np.array(sorted(values))
    found = np.array([values[key] for key in keys])
    return np.asarray(found[np.searchsorted(keys, np.asarray(renewals))])


def _like(renewals: int | pd.Series, values: FloatArray, name: str) -> float | pd.Series:
    if isinstance(renewals, pd.Series):
        return pd.Series(values, renewals.index, name=name)
    return float(values)
