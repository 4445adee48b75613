"""BG/BB: customers who can buy only at fixed occasions, do so with their own probability, and leave unseen.

Fader, Hardie & Shang (2010), "Customer-base analysis in a discrete-time noncontractual setting", Marketing
Science 29(6). n_repeat, last_opportunity and n_opportunities are the paper's x, t_x and n. The paper's
P(alive) is that at the next opportunity: `p_alive(..., horizon="1 opportunity")`. Without a horizon it is
P(still a customer after the last one), so that whoever bought then has 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy.special import betaln

from crm_analysis.clv.fitting.fit import Estimation, Fit, Limit, maximise
from crm_analysis.clv.fitting.starts import describe
from crm_analysis.clv.histories import FloatArray, Histories, IntArray
from crm_analysis.clv.models.bg_bb_likelihood import leaving, log_alive, log_likelihood
from crm_analysis.clv.models.opportunities import opportunity_histories
from crm_analysis.clv.models.purchases import NEGLIGIBLE, Horizon, PurchaseModel
from crm_analysis.clv.units import unit_days
from crm_analysis.errors import ConfigError, FitError

_OPPORTUNITIES = re.compile(r"(\d+)\s*opportunit(?:y|ies)")

NOBODY = "no customer is seen to leave, and a model without leaving fits as well"
LIMITS = (
    Limit(frozenset(["alpha", "beta"]), "infinity", "all customers buy with the same probability"),
    Limit(frozenset(["gamma", "delta"]), "infinity", "all customers leave with the same probability"),
    Limit(frozenset(["alpha", "beta"]), "0", "customers buy at every opportunity or at none"),
    Limit(frozenset(["gamma", "delta"]), "0", "customers leave at once or never"),
    Limit(frozenset(["gamma"]), "0", NOBODY),
    Limit(frozenset(["delta"]), "infinity", NOBODY),
    Limit(frozenset(["delta"]), "0", "customers leave before the first opportunity"),
    Limit(frozenset(["gamma"]), "infinity", "customers leave before the first opportunity"),
    Limit(frozenset(["beta"]), "0", "customers buy at every opportunity while they are customers"),
    Limit(frozenset(["alpha"]), "infinity", "customers buy at every opportunity while they are customers"),
    Limit(frozenset(["alpha"]), "0", "hardly anybody comes back, so the chance of buying is not determined"),
    Limit(
        frozenset(["beta"]),
        "infinity",
        "hardly anybody comes back, so the chance of buying is not determined",
    ),
)


@dataclass(frozen=True, kw_only=True)
class BgBb(PurchaseModel):
    """Four numbers that describe a customer base.

    At an opportunity a customer buys with probability p ~ Beta(alpha, beta); before each, the customer leaves
    with probability theta ~ Beta(gamma, delta). `customers` has n_repeat, last_opportunity, n_opportunities;
    a `horizon` is "5 opportunities", or a length that is a whole number of them.

    unit : from one opportunity to the next; it matters to horizons in time and to annual discount rates.
    """

    name: ClassVar[str] = "BG/BB"
    alpha: float
    beta: float
    gamma: float
    delta: float
    unit: str = "1 year"

    def _log_odds_gone(self, histories: Histories) -> FloatArray:
        parameters = np.array([self.alpha, self.beta, self.gamma, self.delta])
        return leaving(parameters, histories)[0] - log_alive(parameters, histories)

    def _expected(self, known: Histories, ahead: FloatArray | float) -> FloatArray:
        return self._buys(known) * self._summed(known, ahead)

    def _rate(self, known: Histories, ahead: FloatArray) -> FloatArray:
        return self._buys(known)[:, None] * self._survives(_column(known), np.floor(ahead) + 1)

    def _survives(self, known: Histories, ahead: FloatArray | float) -> FloatArray:
        stayed = self.delta + known.t_observed
        return np.exp(betaln(self.gamma, stayed + ahead) - betaln(self.gamma, stayed))

    def _at_least(self, n: FloatArray | int, known: Histories, ahead: FloatArray | float) -> FloatArray:
        # The n-th purchase comes at opportunity n + i, and the customer is still there: from i = 0 on, each
        # chance is the one before times a ratio.
        n, ahead = np.broadcast_arrays(np.asarray(n, dtype=float), np.asarray(ahead, dtype=float))
        a, b = self._beta(known)
        first = betaln(a + n, b) - betaln(a, b) + np.log(self._survives(known, n))
        i = np.arange(np.max(ahead - n, initial=-1) + 1)
        j, a, b, stayed = (side[:, None] for side in (n + 0 * a, a, b, self.delta + known.t_observed))
        j = j + i[:-1]
        ratio = j * (b + i[:-1]) * (stayed + j) / ((i[1:]) * (a + b + j) * (self.gamma + stayed + j))
        steps = np.concatenate([first[:, None], np.log(ratio)], axis=1)[:, : len(i)]
        possible = i <= np.reshape(ahead - n, (-1, 1))
        return np.asarray((possible * np.exp(np.cumsum(steps, axis=1))).sum(axis=1))

    def _draw(self, histories: Histories, ahead: float, generator: np.random.Generator) -> IntArray:
        buys = generator.beta(*self._beta(histories))
        leaves = generator.beta(self.gamma, self.delta + histories.t_observed)
        held = np.minimum(generator.geometric(np.maximum(leaves, 1e-12)) - 1, int(ahead))
        return generator.binomial(held, buys)

    def _expected_pairs(self, known: Histories, ahead: float) -> FloatArray:
        a, b = self._beta(known)
        twice = a * (a + 1) / ((a + b) * (a + b + 1))
        return twice * self._summed(known, ahead, weight=np.arange(float(ahead)))

    def _discounted(self, known: Histories, rate: float, until: float | None) -> FloatArray:
        """End-of-period discounting: a purchase at the next opportunity is one period away."""
        if until is not None:
            weight = np.exp(-rate * np.arange(1.0, until + 1))
            return self._buys(known) * self._summed(known, until, weight=weight)
        return self._buys(known) * self._for_life(known, rate)

    def _for_life(self, known: Histories, rate: float) -> FloatArray:
        """Discounted chances of being there at each opportunity ahead.

        The paper's 2F1(1, delta' + 1; gamma + delta' + 1; 1 / (1 + d)) as the series that it stands for, once
        for all histories: SciPy's function loses all digits near gamma = 1 and at low rates.
        """
        first, last = int(known.t_observed.min()), int(known.t_observed.max())
        k = np.arange(float(first), last + np.ceil(NEGLIGIBLE / rate) + 1)
        log_there = betaln(self.gamma, self.delta + k) - rate * k
        there = np.exp(log_there - log_there[0])
        beyond = np.cumsum(there[::-1])[::-1] - there
        here = known.t_observed.astype(int) - first
        return beyond[here] / there[here]

    def _beta(self, known: Histories) -> tuple[FloatArray, FloatArray]:
        return self.alpha + known.n_repeat, self.beta + known.t_observed - known.n_repeat

    def _buys(self, known: Histories) -> FloatArray:
        """P(buys at an opportunity), given there."""
        a, b = self._beta(known)
        return a / (a + b)

    def _summed(
        self, known: Histories, ahead: FloatArray | float, *, weight: FloatArray | float = 1.0
    ) -> FloatArray:
        """Chances of being there at each of the opportunities `ahead`, weighted and added up."""
        observed, row = np.unique(known.t_observed, return_inverse=True)
        j = np.arange(1.0, np.max(ahead, initial=0) + 1)
        stayed = self.delta + observed[:, None]
        there = weight * np.exp(betaln(self.gamma, stayed + j) - betaln(self.gamma, stayed))
        added = np.concatenate([np.zeros((len(observed), 1)), np.cumsum(there, axis=1)], axis=1)
        return added[row, np.broadcast_to(ahead, row.shape).astype(int)]

    def _distinct(self, customers: pd.DataFrame) -> tuple[Histories, IntArray]:
        return opportunity_histories(customers)

    def _units(self, horizon: Horizon, observed_until: str | date | None = None) -> float:
        match = _OPPORTUNITIES.fullmatch(horizon.strip()) if isinstance(horizon, str) else None
        if match:
            return float(match[1])
        count = super()._units(horizon, observed_until)
        if abs(count - round(count)) > 1e-9:
            raise ConfigError(
                f"horizon {horizon!r} is {count:.2f} opportunities, one every {self.unit}; expected a whole "
                f"number of them, such as '{max(round(count), 1)} opportunities'"
            )
        return float(round(count))


def fit_bg_bb(customers: pd.DataFrame, *, unit: str = "1 year") -> Fit[BgBb]:
    """Fit BG/BB by maximum likelihood.

    Parameters
    ----------
    customers : n_repeat, last_opportunity, n_opportunities, and n_customers where a row stands for several;
        see `summarise_opportunities` and `opportunities_of`. Histories must be complete from the first
        purchase.
    unit : from one opportunity to the next, "1 year"; the parameters do not depend on it.

    Raises
    ------
    DataError
        A history is impossible, or the columns are those of purchases at any time or of contracts.
    FitError
        The data do not determine a parameter; the message says which one runs where, and what it means.

    Source: Fader, Hardie & Shang (2010), Marketing Science 29(6), eq. 7.
    """
    unit_days(unit)
    histories, _ = opportunity_histories(customers)
    data = describe(histories)
    if not (histories.n_customers * histories.n_repeat).sum() > 0:
        raise FitError(f"BG/BB: nobody came back, on {data}; there is nothing to fit. Observe for longer.")
    return maximise(
        Estimation(
            name=BgBb.name,
            parameters=BgBb.parameter_names(),
            build=lambda **parameters: BgBb(**parameters, unit=unit),
            rows=lambda parameters: log_likelihood(parameters, histories),
            weights=histories.n_customers,
            starts=[(*_start(histories), 0.5, 3.0), (1.0, 1.0, 0.2, 0.5), (0.5, 3.0, 2.0, 20.0)],
            limits=LIMITS,
            data=data,
        )
    )


def _start(histories: Histories) -> tuple[float, float]:
    """Alpha and beta from the share of opportunities used up to the last purchase, and a little after it."""
    weight = histories.n_customers
    used = (weight * histories.n_repeat).sum() / (
        weight * (histories.t_last + histories.t_observed) / 2
    ).sum()
    return 1.5 * float(np.clip(used, 0.02, 0.98)), 1.5 * float(1 - np.clip(used, 0.02, 0.98))


def _column(known: Histories) -> Histories:
    """The same histories as rows against columns of opportunities."""
    return Histories(
        *(side[:, None] for side in (known.n_repeat, known.t_last, known.t_observed, known.n_customers))
    )
