"""Whether the log begins in the middle of customers' lives, and whose history may be cut."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import ibis
import ibis.expr.types as ir
import numpy as np

from crm_analysis.doors.customers import Customers
from crm_analysis.doors.transactions.log import Transactions
from crm_analysis.doors.transactions.people import People
from crm_analysis.doors.transactions.policies import Policies
from crm_analysis.doors.verdict import Defect
from crm_analysis.workspace import Period, parse_length

BURN_IN = "6 months"
# Fewer customers say nothing: by chance alone a small log has a first month twice as large as another.
FEWEST = 30


def acquired(customers: Customers | ir.Table | None, engine: ibis.BaseBackend) -> ir.Table | None:
    """Days of acquisition, in the engine of the log."""
    table = customers.table if isinstance(customers, Customers) else customers
    if table is None or "acquired_at" not in table.columns:
        return None
    days = table.select("customer_id", "acquired_at")
    return days if days.get_backend() is engine else ibis.memtable(days.to_pyarrow())


def with_burn_in(log: Transactions, policies: Policies, people: People, name: str) -> Transactions:
    """Flag a log that begins in the middle of customers' lives, and say whose history may be cut."""
    known = policies.closed_cohort or log.acquired is not None
    cut = None if known else _begins_mid_life(log, people.per_month(), name)
    length = policies.burn_in or (BURN_IN if cut else "0 days")
    days = 0 if policies.closed_cohort else round(parse_length(length))
    verdict = log.verdict.with_defects([cut] if cut else [])
    return replace(log, burn_in_days=days, verdict=verdict)


def _begins_mid_life(log: Transactions, seen: dict[str, int], name: str) -> Defect | None:
    """Flag where a first month has more than twice the new customers that later months typically have.

    The customers older than the log are what the first six months have above the typical month; of fewer
    than `FEWEST` nothing is said.
    """
    counts = _whole_months(log, seen)
    n_first = min(3, len(counts) // 3)
    if not n_first:
        return None
    typical = float(np.median(counts[n_first:]))
    n_older = round(sum(max(0.0, n - typical) for n in counts[:6]))
    if max(counts[:n_first]) <= 2 * typical or n_older < FEWEST:
        return None
    sentence = (
        f"{name}: up to {max(counts[:n_first]):,} customers a month are first seen in the first {n_first} "
        f"months, typically {typical:,.0f} later: about {n_older:,} customers are older than the log, which "
        "begins in the middle of their lives; give a customer master with acquired_at, or set closed_cohort "
        "= true if they are one fixed group that was acquired within the log"
    )
    bias = "repeat-buying rates of the early cohorts and the value of new customers are biased up"
    return Defect("log begins mid-life", "flag", sentence, n_older, bias=bias)


def _whole_months(log: Transactions, seen: dict[str, int]) -> list[int]:
    """Customers first seen, per calendar month that was observed whole (the first may be cut)."""
    month, counts = Period.parse(f"{log.observed_from:%Y-%m}"), []
    while month.end <= log.observed_until:
        counts.append(seen.get(month.label, 0))
        month = Period.parse(f"{month.end + dt.timedelta(days=1):%Y-%m}")
    return counts
