"""Who buys in the next period, by periods since the last purchase and periods with one so far."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from crm_analysis.customers import customer_table
from crm_analysis.errors import ConfigError, DataError

if TYPE_CHECKING:
    from crm_analysis.doors.transactions import Transactions

MONTHS = {"month": 1, "quarter": 3, "year": 12}


def purchase_rates(
    log: Transactions, *, by: str, n_periods: int, n_frequencies: int = 1, prior: float = 20.0
) -> pd.DataFrame:
    """Count who was in each state, by time since the last purchase and purchases so far, and who bought next.

    Parameters
    ----------
    by : length of a period: "month", "quarter" or "year" of the calendar; only whole ones at the end of the
        log count. Customers who may be older than the log are left out: their frequency is not known.
    n_periods : periods since the last purchase, 1 for "bought in the period just ended"; what happens
        later is left out, as by a rule that gives up then.
    n_frequencies : classes of the number of periods with a purchase so far, the last one open; 1 for all.
    prior : `p_buy` is drawn towards the rate of all frequencies, as if so many more
        customers had been seen there: a cell of three customers says little.

    Returns
    -------
    DataFrame, index periods_since_last and frequency: n (customers and periods), n_bought,
    share_bought (NaN without anybody), p_buy. `table["p_buy"].unstack()` is what `stop_contact` takes, and
    `recency_transitions` its column for one frequency.

    Raises
    ------
    DataError
        No customer was observed for so many periods without a purchase.
    """
    if by not in MONTHS or n_periods < 1 or n_frequencies < 1 or prior < 0:
        raise ConfigError(
            f"purchase_rates: by {by!r}, n_periods {n_periods}, n_frequencies {n_frequencies}, prior "
            f"{prior}; expected one of {list(MONTHS)}, at least 1 of each, and a prior of at least 0"
        )
    pauses = _pauses(log, MONTHS[by], n_frequencies).to_pandas()
    tables = {since: _at(pauses, since, n_frequencies) for since in range(1, n_periods + 1)}
    table = pd.concat(tables, names=["periods_since_last", "frequency"])
    pooled = table.groupby(level="periods_since_last").transform("sum")
    if (pooled["n"] == 0).any():
        empty = pooled.index[pooled["n"] == 0].get_level_values("periods_since_last").min()
        raise DataError(
            f"purchase_rates: nobody was observed {empty} {by}s after a purchase; "
            f"ask for fewer than {empty}, or for shorter periods"
        )
    drawn = (table["n_bought"] + prior * pooled["n_bought"] / pooled["n"]) / (table["n"] + prior)
    return table.assign(share_bought=table["n_bought"] / table["n"], p_buy=drawn)


def _at(pauses: pd.DataFrame, since: int, n_frequencies: int) -> pd.DataFrame:
    """Who came to this since, and who bought then, by frequency."""
    seen = pauses[pauses["length"] >= since]
    bought = seen[(seen["length"] == since) & seen["ended"]]
    counts = {"n": seen, "n_bought": bought}
    frequencies = pd.RangeIndex(1, n_frequencies + 1, name="frequency")
    columns = {
        name: rows.groupby("frequency")["n_pauses"].sum().reindex(frequencies, fill_value=0)
        for name, rows in counts.items()
    }
    return pd.DataFrame(columns).astype(np.int64)


def _pauses(log: Transactions, months: int, n_frequencies: int) -> ir.Table:
    """Count the waits after a period with a purchase: how long, and whether a purchase ended them."""
    known = customer_table(log).filter(lambda t: t.history_complete).select("customer_id")
    number = lambda day: ((day.year() * 12 + day.month() - 1) / months).floor().cast("int64")  # noqa: E731
    last = _last_whole(log.observed_until, months)
    bought = log.purchases.mutate(period=number(log.purchases.occurred_on))
    periods = bought.filter(bought.period <= last).select("customer_id", "period").distinct()
    periods = periods.semi_join(known, "customer_id")
    window = ibis.window(group_by=periods.customer_id, order_by=periods.period)
    waits = periods.mutate(
        following=periods.period.lead(1).over(window), so_far=ibis.row_number().over(window) + 1
    )
    waits = waits.select(
        frequency=ibis.least(waits.so_far, n_frequencies).cast("int64"),
        length=(ibis.coalesce(waits.following, last) - waits.period).cast("int64"),
        ended=waits.following.notnull(),  # noqa: PD004, Ibis,
    )
    return waits.group_by("frequency", "length", "ended").agg(n_pauses=waits.count())


def _last_whole(observed_until: dt.date, months: int) -> int:
    after = observed_until + dt.timedelta(days=1)
    whole_months = after.year * 12 + after.month - 1
    return whole_months // months - 1
