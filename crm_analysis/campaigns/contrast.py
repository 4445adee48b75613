"""Treated against control: the difference of two means, how sure it is, and whether one order makes it.

Everybody counts in the group to which chance assigned them, whether they were reached or not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

# Below so many customers in a group a slope would be fitted to noise.
ENOUGH_TO_ADJUST = 30
CAPPED_AT = 0.99


@dataclass(frozen=True)
class Estimate:
    """A number with the ends of its interval; what is not known is missing (NaN)."""

    value: float
    low: float = math.nan
    high: float = math.nan

    def times(self, factor: float) -> Estimate:
        """Every number times a factor of 0 or more."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor)

    def less(self, known: float) -> Estimate:
        """Every number less a known amount, such as a cost."""
        return Estimate(self.value - known, self.low - known, self.high - known)

    @property
    def sign(self) -> str:
        """Where the interval lies: "above", "below", or "unclear" where it holds 0 or is not known."""
        return "above" if self.low > 0 else "below" if self.high < 0 else "unclear"


UNKNOWN = Estimate(math.nan)


@dataclass(frozen=True)
class Welch:
    """Difference of two means, its standard error and degrees of freedom; missing where not known."""

    value: float
    se: float
    degrees: float

    def p(self, against: float = 0.0) -> float:
        """Two-sided p of a true difference of `against`; 1 where nothing is known."""
        from scipy.special import stdtr

        if not self.se > 0:
            return 1.0
        return float(2 * stdtr(self.degrees, -abs(self.value - against) / self.se))

    def estimate(self, level: float) -> Estimate:
        """The difference with its interval."""
        from scipy.special import stdtrit

        if not self.se > 0:
            return Estimate(self.value)
        half = float(stdtrit(self.degrees, 0.5 + level / 2)) * self.se
        return Estimate(self.value, self.value - half, self.value + half)


def welch(outcome: np.ndarray, treated: np.ndarray) -> Welch:
    """Mean of the treated less mean of the control group.

    No standard error where a group has fewer than two customers, or where nothing varies: that everybody did
    the same (nobody bought) does not say that everybody always would.

    Source: Welch (1947), Biometrika 34:28.
    """
    a, b = outcome[treated], outcome[~treated]
    if not len(a) or not len(b):
        return Welch(math.nan, math.nan, math.nan)
    value = float(a.mean() - b.mean())
    if len(a) < 2 or len(b) < 2:
        return Welch(value, math.nan, math.nan)
    parts = np.array([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)])
    if not parts.sum() > 0:
        return Welch(value, math.nan, math.nan)
    degrees = parts.sum() ** 2 / (parts**2 / [len(a) - 1, len(b) - 1]).sum()
    return Welch(value, math.sqrt(parts.sum()), float(degrees))


def difference(outcome: np.ndarray, treated: np.ndarray, *, level: float = 0.95) -> Estimate:
    """Treated less control with Welch's interval."""
    return welch(outcome, treated).estimate(level)


def adjusted(outcome: np.ndarray, before: np.ndarray, treated: np.ndarray) -> np.ndarray:
    """Outcome less what was to be expected from what each customer did before the campaign.

    The slope is the one within the groups, so that the campaign cannot enter it; the mean over all customers
    stays. Chance differences between the groups before the campaign are taken off, and with them most of
    what a few heavy buyers add to the noise. Groups of fewer than 30 stay as they are.

    Source: Deng, Xu, Kohavi & Walker (2013), WSDM (CUPED).
    """
    if min(treated.sum(), (~treated).sum()) < ENOUGH_TO_ADJUST:
        return outcome
    x = before - np.where(treated, before[treated].mean(), before[~treated].mean())
    y = outcome - np.where(treated, outcome[treated].mean(), outcome[~treated].mean())
    if not (spread := float(x @ x)) > 0:
        return outcome
    return outcome - float(x @ y) / spread * (before - before.mean())


def bootstrapped(
    outcome: np.ndarray,
    treated: np.ndarray,
    *,
    generator: np.random.Generator,
    draws: int = 1000,
    level: float = 0.95,
) -> Estimate:
    """Return the same difference with the interval between quantiles of customers drawn again."""
    value = difference(outcome, treated)
    if math.isnan(value.low):
        return value
    drawn = _means(outcome[treated], generator, draws) - _means(outcome[~treated], generator, draws)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value.value, float(low), float(high))


def capped(outcome: np.ndarray, *, at: float = CAPPED_AT) -> np.ndarray:
    """Outcome with the largest values (of both groups together) pulled in to a quantile of the buyers'."""
    bought = outcome[outcome != 0]
    return outcome if not len(bought) else np.minimum(outcome, np.quantile(bought, at))


def readings(
    members: pd.DataFrame,
    *,
    largest: Mapping[str, float],
    generator: np.random.Generator,
    level: float = 0.95,
) -> pd.DataFrame:
    """One difference read in six ways, to see what the answer hangs on.

    Parameters
    ----------
    members : outcome, before, treated; one row per customer.
    largest : position of the customer with the largest single order ("place"), and its outcome ("worth").

    Returns
    -------
    DataFrame, index reading: difference, low, high. "adjusted" is the answer, "adjusted, bootstrap" the same
    without a normal distribution, "plain" and "plain, bootstrap" without what was bought before, "without the
    largest order" and "capped" (the largest 1% of the buyers pulled in) are adjusted again.
    """
    y, x = (members[name].to_numpy(float) for name in ("outcome", "before"))
    treated = members["treated"].to_numpy(bool)
    main = adjusted(y, x, treated)
    without = y.copy()
    if largest:
        without[int(largest["place"])] -= largest["worth"]
    rows = {
        "adjusted": difference(main, treated, level=level),
        "adjusted, bootstrap": bootstrapped(main, treated, generator=generator, level=level),
        "plain": difference(y, treated, level=level),
        "plain, bootstrap": bootstrapped(y, treated, generator=generator, level=level),
        "without the largest order": difference(adjusted(without, x, treated), treated, level=level),
        "capped": difference(adjusted(capped(y), x, treated), treated, level=level),
    }
    table = [(e.value, e.low, e.high) for e in rows.values()]
    return pd.DataFrame(table, pd.Index(rows, name="reading"), ["difference", "low", "high"])


def _means(values: np.ndarray, generator: np.random.Generator, draws: int) -> np.ndarray:
    """Means of the values drawn again with replacement; those of 0 are only counted."""
    bought = values[values != 0]
    counts = generator.binomial(len(values), len(bought) / len(values), size=draws)
    taken = bought[generator.integers(0, max(len(bought), 1), size=int(counts.sum()))]
    ends = counts.cumsum()
    sums = np.concatenate([[0.0], taken.cumsum()])
    return (sums[ends] - sums[ends - counts]) / len(values)
