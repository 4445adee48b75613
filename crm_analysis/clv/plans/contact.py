"""When to stop writing to a customer who does not answer, by recency and frequency.

A customer is known by the periods since the last purchase (recency 1: bought in the period just ended) and
by the purchases so far (frequency, the last class open). Contacted, a customer buys with the chance of that
cell; who buys moves to recency 1 and one frequency up, who does not ages by a period, and after the last
recency is given up. Not contacted, a customer is worth nothing more: where customers buy without being
written to, the rule therefore writes for too long, and a hold-back group is what tells.

Source: Pfeifer & Carraway (2000), Journal of Interactive Marketing 14(2), 43-55; policy iteration of Howard
(1960), Dynamic Programming and Markov Processes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.clv.histories import BoolArray, FloatArray
from crm_analysis.errors import ConfigError

CONTACT_AT = {"start of period": 0.0, "mid-period": 0.5, "end of period": 1.0}
MAX_STEPS = 100


@dataclass(frozen=True, eq=False)
class StopRule:
    """For how long after the last purchase contact pays, and what the rule is worth.

    stop_after : index frequency; the last number of periods since a purchase at which one more contact
        pays, 0 for none.
    values : index periods_since_last, columns frequency: expected present value of a customer's future
        under the rule, contacts paid; 0 where contact has stopped.
    new_customer : value of a customer at the first purchase, that purchase included.
    path : one row per step of the iteration, from "contact everybody" to the rule: stop_after by
        frequency, and new_customer.
    """

    stop_after: pd.Series
    values: pd.DataFrame
    new_customer: float
    path: pd.DataFrame


@dataclass(frozen=True)
class _Terms:
    """What a contact costs and brings, discounted to the start of its period."""

    p_buy: FloatArray
    contribution: float
    cost: float
    factor: float

    @property
    def up(self) -> FloatArray:
        """Frequency after a purchase, by the one before."""
        n = self.p_buy.shape[1]
        return np.minimum(np.arange(n) + 1, n - 1)


def stop_contact(
    p_buy: pd.DataFrame,
    *,
    contribution: float,
    contact_cost: float,
    rate_per_period: float,
    contact_at: str = "mid-period",
) -> StopRule:
    """Find the rule of contact that is worth most, by policy iteration.

    Parameters
    ----------
    p_buy : chance of buying within the next period when contacted; index periods_since_last 1, 2, ...,
        columns frequency 1, 2, ... (the last one open); see `purchase_rates`.
    contribution : of a purchase, before contacts; received at the end of its period.
    contact_cost : of the contacts of one period, paid at `contact_at` ("start of period", "mid-period", "end
        of period").
    rate_per_period : discount rate per period, not per year.

    Raises
    ------
    ConfigError
        Chances that are missing or no shares, rows or columns that are not 1, 2, ..., an unknown
        `contact_at`, or costs and rates that leave nothing to weigh.
    """
    terms = _checked(p_buy, contribution, contact_cost, rate_per_period, contact_at)
    contact = np.ones(p_buy.shape, dtype=bool)
    path = []
    for _ in range(MAX_STEPS):
        values = _evaluate(terms, contact)
        path.append([*_last(contact), contribution + values[0, 0]])
        better = _worth(terms, values) > 0
        if (better == contact).all():
            break
        contact = better
    steps = pd.RangeIndex(len(path), name="step")
    return StopRule(
        pd.Series(_last(contact), p_buy.columns, name="stop_after"),
        pd.DataFrame(values, p_buy.index, p_buy.columns),
        float(contribution + values[0, 0]),
        pd.DataFrame(path, steps, [*p_buy.columns, "new_customer"]).astype(dict.fromkeys(p_buy.columns, int)),
    )


def contact_value(
    p_buy: pd.DataFrame,
    *,
    stop_after: int | pd.Series,
    contribution: float,
    contact_cost: float,
    rate_per_period: float,
    contact_at: str = "mid-period",
) -> pd.DataFrame:
    """Value of a customer's future under a given rule, say "twelve months for everybody".

    Parameters
    ----------
    stop_after : contact up to so many periods since the last purchase, for all or by frequency.

    Returns
    -------
    DataFrame as `StopRule.values`: what the best rule is worth more is what the given one costs.
    """
    terms = _checked(p_buy, contribution, contact_cost, rate_per_period, contact_at)
    last = stop_after.reindex(p_buy.columns) if isinstance(stop_after, pd.Series) else stop_after
    contact = p_buy.index.to_numpy()[:, None] <= np.broadcast_to(np.asarray(last), p_buy.shape[1])
    return pd.DataFrame(_evaluate(terms, contact), p_buy.index, p_buy.columns)


def _evaluate(terms: _Terms, contact: BoolArray) -> FloatArray:
    """Values of all states under a rule: one linear system."""
    state = np.arange(terms.p_buy.size).reshape(terms.p_buy.shape)
    matrix = np.zeros((terms.p_buy.size, terms.p_buy.size))
    np.add.at(matrix, (state, state[0][terms.up][None, :]), terms.p_buy)
    np.add.at(matrix, (state[:-1], state[1:]), 1 - terms.p_buy[:-1])
    reward = terms.p_buy * terms.contribution * terms.factor - terms.cost
    matrix *= terms.factor * contact.ravel()[:, None]
    values = np.linalg.solve(np.eye(len(matrix)) - matrix, (reward * contact).ravel())
    return values.astype(float).reshape(terms.p_buy.shape)


def _worth(terms: _Terms, values: FloatArray) -> FloatArray:
    """Worth of one more contact in each state, the rule afterwards."""
    bought = terms.contribution + values[0][terms.up]
    passed = np.vstack([values[1:], np.zeros(values.shape[1])])
    return terms.factor * (terms.p_buy * bought + (1 - terms.p_buy) * passed) - terms.cost


def _last(contact: BoolArray) -> list[int]:
    """Recencies in a row that are contacted, from 1: whoever is dropped once is not seen again."""
    return np.logical_and.accumulate(contact, axis=0).sum(axis=0).tolist()


def _checked(
    p_buy: pd.DataFrame, contribution: float, contact_cost: float, rate: float, contact_at: str
) -> _Terms:
    chances = p_buy.to_numpy(float)
    for name, labels in {"periods_since_last": p_buy.index, "frequency": p_buy.columns}.items():
        if list(labels) != list(range(1, len(labels) + 1)) or not len(labels):
            raise ConfigError(f"p_buy: {name} {list(labels)}; expected 1, 2, ... without a gap")
    if not ((chances >= 0) & (chances <= 1)).all():
        n = int((~((chances >= 0) & (chances <= 1))).sum())
        raise ConfigError(f"p_buy: {n} of {chances.size} cells are missing or no share between 0 and 1")
    if contact_at not in CONTACT_AT:
        raise ConfigError(f"contact_at {contact_at!r}: expected one of {list(CONTACT_AT)}")
    if contact_cost <= 0 or contribution <= 0 or rate <= 0:
        raise ConfigError(
            f"stop_contact: contribution {contribution}, contact_cost {contact_cost}, rate_per_period "
            f"{rate}; expected all above 0: free contacts never stop"
        )
    return _Terms(chances, contribution, contact_cost * (1 + rate) ** -CONTACT_AT[contact_at], 1 / (1 + rate))
