"""Who makes the profit: whale curve, the 80/20/30 rule, concentration.

Sources: Sherden, Market Ownership (1994), for 80/20/30; Storbacka (1997), Journal of Marketing Management
13, 479-492, for the curve and its index; Kaplan & Narayanan (2001), Journal of Cost Management 15(5), 5-15.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError


@dataclass(frozen=True, eq=False)
class WhaleCurve:
    """Cumulative profit of the customers, the most profitable first.

    table : one row per customer in that order, index as given: rank (from 1), profit, share_of_customers,
        cumulative_profit, share_of_total.
    total : profit of all customers.
    peak : highest share_of_total; 1.67 means that the profitable customers earn 167% of the profit.
    customers_at_peak : share of customers at which it is reached; the others earn nothing or lose.
    loss_pool : peak - 1, what the loss-makers take away again, as a share of the profit.
    stobachoff : area between curve and diagonal over the area under the curve: 0 if all customers earn the
        same, towards 1 the more the profit hangs on a few.
    """

    table: pd.DataFrame
    total: float
    peak: float
    customers_at_peak: float
    loss_pool: float
    stobachoff: float


def whale_curve(profit: pd.Series) -> WhaleCurve:
    """Whale curve of a profit per customer, one value each.

    Raises
    ------
    DataError
        A customer without profit figure, nobody, or a total not above 0, which has no shares.
    """
    ordered = _checked(profit, "whale curve").sort_values(ascending=False, kind="stable")
    total = _positive(math.fsum(ordered), "whale curve", "profit")
    table = pd.DataFrame({"profit": ordered})
    table.insert(0, "rank", range(1, len(table) + 1))
    table["share_of_customers"] = table["rank"] / len(table)
    table["cumulative_profit"] = ordered.cumsum()
    table["share_of_total"] = table["cumulative_profit"] / total
    peak = int(np.argmax(table["share_of_total"]))
    return WhaleCurve(
        table=table,
        total=total,
        peak=float(table["share_of_total"].iloc[peak]),
        customers_at_peak=float(table["share_of_customers"].iloc[peak]),
        loss_pool=float(table["share_of_total"].iloc[peak]) - 1.0,
        stobachoff=_stobachoff(table),
    )


def _stobachoff(table: pd.DataFrame) -> float:
    """Trapezoids from (0, 0); the diagonal lies below the curve, for the best come first."""
    curve = np.concatenate([[0.0], table["share_of_total"]])
    area = float(np.trapezoid(curve, dx=1 / len(table)))
    return (area - 0.5) / area


@dataclass(frozen=True)
class Rule802030:
    """What a firm's customers say to "the top 20% make 80% of the profit, the bottom 30% lose half of it".

    gross_profit : sum of the positive profits. The rule speaks of it: more than all of the *net* profit is
        often made by the top 20%.
    n_customers, n_top, n_bottom : numbers of customers, rounded up.
    top_profit, top_share_of_gross : what the top customers earn (a loss among them is no gain of theirs), and
        its share of the gross profit.
    bottom_profit : what the bottom customers earn; below 0 they lose.
    lost_share_of_top : their loss over the profit of the top; 0 where they lose nothing.
    share_making_80 : smallest share of customers that makes 80% of the gross profit.
    share_losing : share of customers with a profit below 0.
    """

    n_customers: int
    n_top: int
    n_bottom: int
    gross_profit: float
    top_profit: float
    top_share_of_gross: float
    bottom_profit: float
    lost_share_of_top: float
    share_making_80: float
    share_losing: float


def rule_80_20_30(profit: pd.Series, *, top: float = 0.2, bottom: float = 0.3) -> Rule802030:
    """Measure the 80/20/30 rule on a profit per customer.

    Raises
    ------
    DataError
        A customer without profit figure, nobody, or nobody who earns anything.
    ConfigError
        `top` or `bottom` is no share between 0 and 1.
    """
    ordered = np.sort(_checked(profit, "80/20/30"))[::-1]
    n_top, n_bottom = (_n_of(share, len(ordered)) for share in (top, bottom))
    gains = np.clip(ordered, 0, None)
    gross = _positive(float(gains.sum()), "80/20/30", "gross profit")
    earned, last = float(gains[:n_top].sum()), float(ordered[-n_bottom:].sum())
    reached = np.cumsum(gains) >= 0.8 * gross * (1 - 1e-12)
    return Rule802030(
        n_customers=len(ordered),
        n_top=n_top,
        n_bottom=n_bottom,
        gross_profit=gross,
        top_profit=earned,
        top_share_of_gross=earned / gross,
        bottom_profit=last,
        lost_share_of_top=max(-last, 0.0) / earned,
        share_making_80=float(np.argmax(reached) + 1) / len(ordered),
        share_losing=float((ordered < 0).mean()),
    )


@dataclass(frozen=True, eq=False)
class Concentration:
    """How much hangs on few customers.

    table : index top_share of customers (.01 .. ); n_customers (rounded up), amount, share_of_total.
    gini : 0 if all customers are alike, towards 1 the more one has everything; may exceed 1 where some
        amounts are negative.
    hhi : sum of the squared shares; 1 / hhi customers of equal size would be as concentrated.
    """

    table: pd.DataFrame
    gini: float
    hhi: float


def concentration(
    amounts: pd.Series, *, top_shares: Sequence[float] = (0.01, 0.05, 0.1, 0.2, 0.5)
) -> Concentration:
    """Concentration of an amount per customer, such as revenue or profit.

    Gini = sum of (2i - n - 1) x_i over n sum x_i, x ascending, i from 1: the exact value of these customers,
    without a correction for small n.

    Raises
    ------
    DataError
        A customer without amount, nobody, or a total not above 0.
    ConfigError
        A top share is not between 0 and 1.
    """
    ordered = np.sort(_checked(amounts, "concentration"))[::-1]
    n = len(ordered)
    total = _positive(float(ordered.sum()), "concentration", "total")
    sizes = [_n_of(share, n) for share in top_shares]
    sums = [float(ordered[:size].sum()) for size in sizes]
    table = pd.DataFrame({"n_customers": sizes, "amount": sums}, index=pd.Index(top_shares, name="top_share"))
    table["share_of_total"] = table["amount"] / total
    weights = n + 1 - 2 * np.arange(1, n + 1)
    gini = float((weights * ordered).sum() / (n * total))
    return Concentration(table, gini, float(((ordered / total) ** 2).sum()))


def _checked(values: pd.Series, where: str) -> pd.Series:
    numbers = pd.Series(values).astype("float64")
    if numbers.empty:
        raise DataError(f"{where}: no customers")
    if n := int((~np.isfinite(numbers)).sum()):
        raise DataError(
            f"{where}: {n} of {len(numbers)} customers have no figure; give each one or leave out"
        )
    return numbers


def _positive(total: float, where: str, what: str) -> float:
    if total <= 0:
        raise DataError(f"{where}: {what} is {total:.2f} in all; shares need a sum above 0")
    return total


def _n_of(share: float, n: int) -> int:
    """Round a share of n customers up to whole ones, forgiving the last binary digit of share * n."""
    if not 0 < share <= 1:
        raise ConfigError(f"share of customers {share!r}: expected above 0 and at most 1")
    return math.ceil(round(share * n, 9))
