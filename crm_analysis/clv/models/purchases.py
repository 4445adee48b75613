"""What a model of purchases answers about customers, whatever the model.

A customer who is alive after a history is a new customer of a sharper model: the same formulas hold with
the parameters learned from it. So a model supplies the chance of being alive and, given alive, how many
purchases are expected, the chance of at least n and that of staying. New customers are a history of zeros.
Counts are repeat purchases: purchase days after the first.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from datetime import date

import numpy as np
import pandas as pd
from scipy.special import expit

from crm_analysis.clv.fitting.parameters import ParameterSet
from crm_analysis.clv.fitting.smooth import Smooth
from crm_analysis.clv.histories import (
    FloatArray,
    Histories,
    IntArray,
    distinct_histories,
    purchase_histories,
)
from crm_analysis.clv.models.tails import Computed, Tails, quantiles
from crm_analysis.clv.units import discount_per_unit, horizon_days, unit_days
from crm_analysis.errors import ConfigError

Horizon = str | date
IfAlive = Callable[[Histories], FloatArray]

NEGLIGIBLE = 36.0  # exp(-36) is the precision of a float


class PurchaseModel(ParameterSet):
    """Base of the purchase models; every answer is a Series with the index of `customers`.

    `customers` has n_repeat, t_last and t_observed in days. A `horizon` is a length with its unit
    ("39 weeks", "12 months") or a date, which needs `observed_until`.
    """

    unit: str

    def p_alive(
        self,
        customers: pd.DataFrame,
        *,
        horizon: Horizon | None = None,
        observed_until: str | date | None = None,
    ) -> pd.Series:
        """P(still a customer at t_observed; with a horizon, at the end of it), in [0, 1]."""
        if horizon is None:
            histories, row = self._distinct(customers)
            return pd.Series(self._alive(histories)[row], customers.index, name="p_alive")
        until = self._units(horizon, observed_until)
        return self._answer(customers, lambda known: self._survives(known, until)).rename("p_alive")

    def p_buy(
        self, customers: pd.DataFrame, *, horizon: Horizon, observed_until: str | date | None = None
    ) -> pd.Series:
        """P(at least one purchase within the horizon), in [0, 1]."""
        until = self._units(horizon, observed_until)
        chance = self._answer(customers, self._tail(1, until))
        return chance.rename("p_buy")

    def expected_purchases(
        self, customers: pd.DataFrame, *, horizon: Horizon, observed_until: str | date | None = None
    ) -> pd.Series:
        """Purchases expected within the horizon, >= 0; a horizon of length 0 gives 0."""
        until = self._units(horizon, observed_until)
        expected = self._answer(customers, lambda known: self._expected(known, until))
        return expected.rename("expected_purchases")

    def expected_purchases_new(self, *, horizon: Horizon) -> float:
        """Repeat purchases expected of a new customer in the time after the first purchase."""
        return float(self._expected_new(np.array([self._units(horizon)]))[0])

    def purchase_variance(
        self, customers: pd.DataFrame, *, horizon: Horizon, observed_until: str | date | None = None
    ) -> pd.Series:
        """Variance of each customer's purchases within the horizon, the parameters taken as known."""
        until = self._units(horizon, observed_until)
        mean = self._answer(customers, lambda known: self._expected(known, until))
        pairs = self._answer(customers, lambda known: self._expected_pairs(known, until))
        return (2 * pairs + mean - mean**2).rename("purchase_variance")

    def purchase_distribution(
        self,
        customers: pd.DataFrame,
        *,
        horizon: Horizon,
        up_to: int,
        observed_until: str | date | None = None,
    ) -> pd.DataFrame:
        """P(exactly n purchases within the horizon) for n = 0 .. up_to, one column each."""
        until = self._units(horizon, observed_until)
        some = [self._answer(customers, self._count(n, until)) for n in range(1, up_to + 1)]
        none = 1 - self._answer(customers, self._tail(1, until))
        columns = pd.RangeIndex(up_to + 1, name="n_purchases")
        return pd.DataFrame(np.column_stack([none, *some]), customers.index, columns)

    def count_probability(
        self,
        customers: pd.DataFrame,
        counts: pd.Series,
        *,
        horizon: Horizon,
        observed_until: str | date | None = None,
    ) -> pd.Series:
        """P(exactly the given number of purchases within the horizon), one count per customer.

        Parameters
        ----------
        counts : whole numbers >= 0 with the index of `customers`, such as what they bought in a holdout.
        """
        histories, row = self._distinct(customers)
        made = counts.loc[customers.index].to_numpy(np.int64)
        base = int(made.max(initial=0)) + 1
        pairs, pair = np.unique(row * base + made, return_inverse=True)
        n, known, until = pairs % base, histories.take(pairs // base), self._units(horizon, observed_until)
        alive = self._alive(known)
        some = alive * self._exactly(np.maximum(n, 1), known, until)
        none = 1 - alive * self._at_least(1, known, until)
        return pd.Series(np.where(n > 0, some, none)[pair], customers.index, name="count_probability")

    def purchase_distribution_new(self, *, horizon: Horizon, up_to: int) -> pd.Series:
        """P(exactly n repeat purchases by a new customer) for n = 0 .. up_to."""
        until, new = self._units(horizon), new_customers(up_to)
        some = self._alive(new) * self._exactly(np.arange(1.0, up_to + 1), new, until)
        none = 1 - self._alive(new_customers(1)) * self._at_least(1, new_customers(1), until)
        columns = pd.RangeIndex(up_to + 1, name="n_purchases")
        return pd.Series(np.concatenate([none, some]), columns, name="probability")

    def purchase_quantiles(
        self,
        customers: pd.DataFrame,
        *,
        horizon: Horizon,
        level: float,
        observed_until: str | date | None = None,
    ) -> pd.Series:
        """Smallest number that each customer's purchases within the horizon exceed with P <= 1 - level.

        What this one customer may do, the parameters taken as known: `level=0.9` is exceeded by one in ten.
        """
        histories, row = self._distinct(customers)
        (quantile,) = self._search(histories, self._units(horizon, observed_until), [1 - level])
        return pd.Series(quantile[row].astype(int), customers.index, name=f"purchases_p{100 * level:.0f}")

    def discounted_purchases(
        self, customers: pd.DataFrame, *, annual_discount_rate: float, horizon: Horizon | None = None
    ) -> pd.Series:
        """Purchases expected from now on, each counted at its present value.

        Parameters
        ----------
        annual_discount_rate : per year, compounded continuously inside: 0.15 is ln(1.15) a year.
        horizon : a length, or None for the whole remaining life (residual; needs a rate above 0).

        Notes
        -----
        The integral of the expected purchase rate times exp(-rate * t). For Pareto/NBD it equals the
        closed form of Fader, Hardie & Lee (2005, JMR 42, eq. 3); for BG/NBD there is none.
        """
        rate = discount_per_unit(annual_discount_rate, unit=self.unit)
        if horizon is None and rate == 0:
            raise ConfigError(
                "discounted_purchases: annual_discount_rate 0 needs a horizon; a life may be endless"
            )
        until = None if horizon is None else self._units(horizon)
        present = self._answer(customers, lambda known: self._discounted(known, rate, until))
        return present.rename("discounted_purchases")

    def draw_purchases(
        self,
        customers: pd.DataFrame,
        *,
        horizon: Horizon,
        generator: np.random.Generator,
        observed_until: str | date | None = None,
    ) -> pd.Series:
        """Draw one possible future: the number of purchases of each customer within the horizon."""
        histories, row = self._distinct(customers)
        alive = generator.random(len(customers)) < self._alive(histories)[row]
        drawn = self._draw(histories.take(row), self._units(horizon, observed_until), generator)
        return pd.Series(np.where(alive, drawn, 0), customers.index, name="purchases")

    # What a model supplies, per row of the histories; `ahead` is one time, or one per row.

    @abstractmethod
    def _log_odds_gone(self, histories: Histories) -> FloatArray:
        """Log odds that the customer is no longer one."""

    @abstractmethod
    def _expected(self, known: Histories, ahead: FloatArray | float) -> FloatArray:
        """Purchases expected in the time `ahead`, given alive."""

    @abstractmethod
    def _expected_pairs(self, known: Histories, ahead: float) -> FloatArray:
        """Pairs of purchases expected in the time `ahead`, given alive: E[Y(Y-1)] / 2."""

    @abstractmethod
    def _discounted(self, known: Histories, rate: float, until: float | None) -> FloatArray:
        """Purchases expected until then (None: for life), each at its present value, given alive."""

    @abstractmethod
    def _survives(self, known: Histories, ahead: FloatArray | float) -> FloatArray:
        """P(still alive after the time `ahead`), given alive."""

    @abstractmethod
    def _at_least(self, n: FloatArray | int, known: Histories, ahead: FloatArray | float) -> FloatArray:
        """P(at least n purchases in the time `ahead`), n >= 1 (one, or one per row), given alive."""

    @abstractmethod
    def _draw(self, histories: Histories, ahead: float, generator: np.random.Generator) -> IntArray:
        """Draw the purchases of each customer in the time `ahead`, given alive."""

    # What follows from it.

    def _alive(self, histories: Histories) -> FloatArray:
        return expit(-self._log_odds_gone(histories))

    def _expected_new(self, ahead: FloatArray) -> FloatArray:
        """Repeat purchases expected of new customers, one per time `ahead`."""
        new = new_customers(len(ahead))
        return self._alive(new) * self._expected(new, ahead)

    def _exactly(self, n: FloatArray | int, known: Histories, ahead: FloatArray | float) -> FloatArray:
        """P(exactly n purchases in the time `ahead`), n >= 1, given alive."""
        return self._at_least(n, known, ahead) - self._at_least(np.asarray(n) + 1, known, ahead)

    def _count(self, n: int, until: float) -> IfAlive:
        return lambda known: self._exactly(n, known, until)

    def _tail(self, n: int, until: float) -> IfAlive:
        return lambda known: self._at_least(n, known, until)

    def _search(self, histories: Histories, until: float, above: Sequence[float]) -> FloatArray:
        """Smallest n with P(more than n) <= each of `above`, shape (above, rows)."""
        alive, (known, row) = self._alive(histories), self._known(histories)
        with np.errstate(divide="ignore"):
            given_alive = np.asarray(above)[:, None] / alive
        at_least = lambda n, known: self._at_least(n, known, until)  # noqa: E731
        tails, rows = self._tails(known, until), np.tile(row, len(above))
        return quantiles(tails, at_least, known, rows, given_alive.ravel()).reshape(given_alive.shape)

    def _tails(self, known: Histories, until: float) -> Tails:
        """P(at least 1, 2, .. purchases) in turn, given alive."""
        return Computed(lambda n, known: self._at_least(n, known, until), known)

    def _distinct(self, customers: pd.DataFrame) -> tuple[Histories, IntArray]:
        distinct, row = distinct_histories(customers)
        return purchase_histories(distinct, unit=self.unit), row

    def _units(self, horizon: Horizon, observed_until: str | date | None = None) -> float:
        return horizon_days(horizon, observed_until=observed_until) / unit_days(self.unit)

    def _answer(self, customers: pd.DataFrame, if_alive: IfAlive) -> pd.Series:
        """P(alive) times a function of what is known of a customer who is."""
        histories, row = self._distinct(customers)
        known, known_row = self._known(histories)
        answer = self._alive(histories) * if_alive(known)[known_row]
        return pd.Series(answer[row], customers.index)

    def _known(self, histories: Histories) -> tuple[Histories, IntArray]:
        """Distinct parts of sorted histories that matter for those alive, and the one of every row."""
        return histories, np.arange(len(histories.n_repeat))

    def _smooth(self, known: Histories) -> Smooth:
        """Choose the few histories from which answers about all follow; all of them unless a model knows."""
        return Smooth(known)


def new_customers(n: int) -> Histories:
    """Histories of customers just after their first purchase."""
    return Histories(np.zeros(n), np.zeros(n), np.zeros(n), np.ones(n))
