"""How many customers with a contract renew: sBG, BdW, and the models without their differences.

Fader & Hardie (2007), "How to project customer retention", Journal of Interactive Marketing 21(1): sBG.
Fader, Hardie, Liu, Davin & Steenburgh (2018), "How to project customer retention revisited: the role of
duration dependence", Journal of Interactive Marketing 43: BdW. Customers differ in their chance of leaving,
so that those left over renew more and more often: retention rises with tenure although nobody grows more
loyal. BdW lets each customer's own chance move with tenure as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import betaln, digamma, gamma, gammaincc

from crm_analysis.clv.contracts.renewals import RenewalModel
from crm_analysis.clv.fitting.quadrature import over_time
from crm_analysis.clv.histories import FloatArray
from crm_analysis.errors import ConfigError

LARGEST = 1e300  # a tenure to the power c is cut here, far beyond any chance of being alive
LARGE = 1e4  # from here on Stirling's formula with one correction is exact
POWER_LAW = 1e8  # where t^c is so many times alpha + beta, the survival is a power of t


@dataclass(frozen=True, kw_only=True)
class Sbg(RenewalModel):
    """Shifted beta-geometric: a customer leaves at a renewal with probability theta ~ Beta(alpha, beta)."""

    name: ClassVar[str] = "sBG"
    alpha: float
    beta: float
    unit: str = "1 year"

    def _log_survival(self, t: FloatArray) -> FloatArray:
        return log_survival(self.alpha, self.beta, t)

    def _endless(self, t: float) -> float:
        return _beta_tail(self.alpha, self.beta, 1.0, t)


@dataclass(frozen=True, kw_only=True)
class Bdw(RenewalModel):
    """Beta-discrete-Weibull: as sBG, and each customer's own chance of leaving moves with tenure.

    A customer with theta ~ Beta(alpha, beta) survives t renewals with probability (1 - theta)^(t^c): with
    c above 1 the customer's own chance of leaving rises with tenure, with c below 1 it falls, c = 1 is sBG.
    """

    name: ClassVar[str] = "BdW"
    alpha: float
    beta: float
    c: float
    unit: str = "1 year"

    def _log_survival(self, t: FloatArray) -> FloatArray:
        return log_survival(self.alpha, self.beta, power(t, self.c))

    def _endless(self, t: float) -> float:
        return _beta_tail(self.alpha, self.beta, self.c, t)


class _Alike(RenewalModel):
    """All customers share one theta, below 1."""

    theta: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.theta < 1:
            raise ConfigError(f"{self.name}: theta must be a probability below 1, got {self.theta}")


@dataclass(frozen=True, kw_only=True)
class Dw(_Alike):
    """Discrete Weibull: every customer survives t renewals with probability (1 - theta)^(t^c)."""

    name: ClassVar[str] = "dW"
    theta: float
    c: float
    unit: str = "1 year"

    def _log_survival(self, t: FloatArray) -> FloatArray:
        return np.log1p(-self.theta) * power(t, self.c)

    def _endless(self, t: float) -> float:
        rate, shape = -np.log1p(-self.theta), 1 / self.c
        return float(gamma(shape) * gammaincc(shape, rate * t**self.c) * shape / rate**shape)


@dataclass(frozen=True, kw_only=True)
class Geometric(_Alike):
    """Constant retention: every customer leaves at each renewal with probability theta."""

    name: ClassVar[str] = "geometric"
    theta: float
    unit: str = "1 year"

    def _log_survival(self, t: FloatArray) -> FloatArray:
        return np.log1p(-self.theta) * t

    def _endless(self, t: float) -> float:
        return float((1 - self.theta) ** t / -np.log1p(-self.theta))


def log_survival(alpha: float, beta: float, u: FloatArray) -> FloatArray:
    """Log of B(alpha, beta + u) / B(alpha, beta)."""
    if beta < LARGE:
        return np.asarray(betaln(alpha, beta + u) - betaln(alpha, beta))
    return log_rise(beta, u) - log_rise(alpha + beta, u)


def log_rise(z: float, u: FloatArray) -> FloatArray:
    """Log of Gamma(z + u) / Gamma(z) for large z, not as a difference of two large logarithms."""
    further = -u / (z * (z + u)) / 12
    return (z + u - 0.5) * np.log1p(u / z) + u * (np.log(z) - 1) + further


def digamma_rise(z: float, u: FloatArray) -> FloatArray:
    """Return digamma(z + u) - digamma(z)."""
    if z < LARGE:
        return np.asarray(digamma(z + u) - digamma(z))
    step = u / (z * (z + u))
    return np.log1p(u / z) + step / 2 + step * (2 * z + u) / (z * (z + u)) / 12


def power(t: FloatArray, c: float) -> FloatArray:
    """Tenure to the power c, cut at `LARGEST`."""
    with np.errstate(over="ignore"):
        return np.minimum(np.power(t, c), LARGEST)


def _beta_tail(alpha: float, beta: float, c: float, since: float) -> float:
    """Integral of B(alpha, beta + t^c) / B(alpha, beta) over t from `since`; infinite unless alpha c > 1."""
    if alpha * c <= 1:
        return np.inf
    far = max(since, float(power(np.array(POWER_LAW * (alpha + beta)), 1 / c)))
    survival = lambda t: np.exp(log_survival(alpha, beta, power(t, c)))  # noqa: E731
    near = over_time(survival, until=far, scale=np.array([since]), since=since, nodes=200)
    return float(near[0] + survival(np.array(far)) * far / (alpha * c - 1))
