"""How regularly customers buy: at random moments, or on schedule.

Wheat & Morrison (1990), "Estimating purchase regularity with two interpurchase times", Journal of Marketing
Research 27(1). Where times between purchases are Gamma of shape k, the share of the last in the last two is
Beta(k, k), however differently customers buy: random moments are k = 1, clockwork is k without end. Days are
whole, so purchases a day or two apart look more regular than they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
from scipy.special import ndtri

from crm_analysis.customers import customer_table
from crm_analysis.errors import FitError

if TYPE_CHECKING:
    from crm_analysis.doors.transactions import Transactions


@dataclass(frozen=True)
class Regularity:
    """Regularity of purchases, and what the likelihood of MBG/CNBD-k needs of the times between them.

    k : estimate of Wheat & Morrison, a real number; low, high: 95% interval.
    n_customers : those with three purchase days or more, who have two times between them.
    n_intervals, log_days : times between purchase days of all customers, and the sum of their logarithms.
    """

    k: float
    low: float
    high: float
    n_customers: int
    n_intervals: int
    log_days: float


def purchase_regularity(log: Transactions) -> Regularity:
    """Estimate how regularly customers with complete histories buy.

    Returns
    -------
    Regularity: k near 1 for purchases at random moments, where MBG/NBD will do; from about 1.5 on
    `fit_mbg_cnbd` is worth trying.

    Raises
    ------
    FitError
        Hardly anybody has bought on three days.
    """
    sums = _sums(log).to_pandas().iloc[0].fillna(0)
    return _estimate(**{str(name): float(value) for name, value in sums.items()})


def rhythm(found: Regularity | None) -> tuple[str, dict[str, float]]:
    """Word for how customers buy: "random", "schedule" (more evenly), "bursts" (less), else "unknown".

    Parameters
    ----------
    found : None where too few have bought on three days to say; a range that reaches to 0, which no shape
        does, comes of few customers too.

    Returns
    -------
    key, and the values of `found`.
    """
    if found is None:
        return "unknown", {}
    if found.low <= 0:
        return "unknown", vars(found)
    return "schedule" if found.low > 1 else "bursts" if found.high < 1 else "random", vars(found)


def _sums(log: Transactions) -> ir.Table:
    """One row in the engine of the log: what the estimate and the likelihood need of all times between."""
    complete = customer_table(log).filter(lambda table: table.history_complete).select("customer_id")
    days = log.merged.filter(log.merged.n_lines > 0).select("customer_id", "occurred_on").distinct()
    days = days.semi_join(complete, "customer_id")
    forwards = ibis.window(group_by="customer_id", order_by="occurred_on")
    backwards = ibis.window(group_by="customer_id", order_by=ibis.desc("occurred_on"))
    days = days.mutate(
        previous_on=days.occurred_on.lag(1).over(forwards), place=ibis.row_number().over(backwards)
    )
    days = days.filter(days.previous_on.notnull())
    gaps = days.select(
        "customer_id",
        "place",
        days=days.occurred_on.delta(days.previous_on, unit="day").cast("float64"),
    )
    each = gaps.group_by("customer_id").agg(
        n=gaps.count(),
        log_days=gaps.days.ln().sum(),
        last=gaps.days.sum(where=gaps.place == 0),
        last_two=gaps.days.sum(where=gaps.place < 2),
    )
    two, share = each.n > 1, each["last"] / each.last_two - 0.5
    return each.agg(
        n_intervals=each.n.sum(),
        log_days=each.log_days.sum(),
        n=two.ifelse(1, 0).sum(),
        first=share.sum(where=two),
        second=(share * share).sum(where=two),
    )


def _estimate(*, n_intervals: float, log_days: float, n: float, first: float, second: float) -> Regularity:
    variance = (second - first**2 / n) / (n - 1) if n > 1 else 0.0
    if not variance > 0:
        raise FitError(
            f"regularity: {n:.0f} customers with complete histories bought on three days or more, and the "
            "times between their purchases do not differ; it takes some dozens of customers"
        )
    k = (1 - 4 * variance) / (8 * variance)
    # Of a Beta(k, k), whose kurtosis is 3 - 6 / (2 k + 3).
    error = (2 * k + 1) / 2 * np.sqrt((2 - 6 / (2 * k + 3)) / n)
    width = ndtri(0.975) * error
    return Regularity(
        k=float(k),
        low=float(k - width),
        high=float(k + width),
        n_customers=int(n),
        n_intervals=int(n_intervals),
        log_days=float(log_days),
    )
