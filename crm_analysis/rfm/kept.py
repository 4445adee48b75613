"""Cut points that a report keeps from period to period."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from crm_analysis.customers import summarise_customers
from crm_analysis.errors import DataError
from crm_analysis.rfm.cut_points import CutPoints, Monetary
from crm_analysis.rfm.scores import score

if TYPE_CHECKING:
    import pandas as pd

    from crm_analysis.doors.transactions import Transactions

Why = Literal["kept", "not_asked", "too_late", "too_early"]
ENOUGH_PER_SCORE = 30


@dataclass(frozen=True)
class KeptCutPoints:
    """Cut points that a report keeps, how many customers they were fitted on, and why on that day.

    why : "kept" from the day asked for; else fitted at the end of the log, because no day was asked for
        ("not_asked"), because it lies after that end ("too_late"), or because fewer than 30 customers per
        score had bought by then ("too_early").
    """

    cut_points: CutPoints
    n_customers: int
    why: Why


def keep_cut_points(
    log: Transactions, *, asked: dt.date | None, bins: int = 5, monetary: Monetary = "total_amount"
) -> KeptCutPoints:
    """Cut points fitted on the log as it stood at the end of `asked`, or else as it stands now.

    Parameters
    ----------
    log : seen at the end of the period that will be scored.
    asked : the day from which they are kept; [rfm] cut_points_at of a workspace.

    Raises
    ------
    DataError
        Nobody had bought by the end of the log, or it has no column `monetary`.
    """
    customers = customers_at(log, asked)
    why = _why_then(log, asked, n_customers=len(customers), needed=ENOUGH_PER_SCORE * bins)
    if why != "kept":
        customers = summarise_customers(log)
    if customers.empty:
        raise DataError(f"rfm: nobody had bought by {log.observed_until}, so there is nobody to score")
    fitted = score(customers, bins=bins, monetary=monetary)
    return KeptCutPoints(fitted.cut_points, len(customers), why)


def _why_then(log: Transactions, asked: dt.date | None, *, n_customers: int, needed: int) -> Why:
    if asked is None:
        return "not_asked"
    if asked > log.observed_until:
        return "too_late"
    return "kept" if n_customers >= needed else "too_early"


def customers_at(log: Transactions, at: dt.date | None) -> pd.DataFrame:
    """Return the customers as seen at the end of a day; nobody where that day was not observed."""
    if at is None or not log.observed_from <= at <= log.observed_until:
        return summarise_customers(log).iloc[:0]
    return summarise_customers(log.as_of(at))
