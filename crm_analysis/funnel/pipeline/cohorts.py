"""The opportunities created in a period, one row each."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import ibis
import pandas as pd

from crm_analysis.doors.transactions import as_date
from crm_analysis.errors import DataError

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline


def cohort_of(
    pipeline: Pipeline, *, since: dt.date | str | None, until: dt.date | str | None
) -> tuple[pd.DataFrame, int]:
    """Opportunities created in that time, and how many have no creation date.

    Columns: opportunity_id, created_on, closed_on, outcome, days (from creation to the end, or to the
    snapshot), and where mapped amount (float), owner, source, segment.
    """
    table = pipeline.opportunities
    n_undated = int(table.created_on.isnull().sum().to_pyarrow().as_py() or 0)  # noqa: PD003
    table = table.filter(table.created_on.notnull())  # noqa: PD004
    if since is not None:
        table = table.filter(table.created_on >= as_date(since, "since"))
    if until is not None:
        table = table.filter(table.created_on <= as_date(until, "until"))
    end = ibis.coalesce(table.closed_on, ibis.literal(pipeline.snapshot_at))
    also = {"amount": table.amount.cast("float64")} if "amount" in table.columns else {}
    names = [name for name in ("owner", "source", "segment") if name in table.columns]
    found = table.select(
        "opportunity_id",
        "created_on",
        "closed_on",
        "outcome",
        *names,
        days=end.delta(table.created_on, unit="day").cast("int64"),
        **also,
    ).to_pandas()
    if found.empty:
        raise DataError(
            f"pipeline: no opportunity was created from {since or 'the beginning'} until "
            f"{until or pipeline.snapshot_at} ({n_undated} have no creation date); give another period"
        )
    if n := int((found["days"] < 0).sum()):
        raise DataError(f"pipeline: {n} opportunities close before they are created; correct their dates")
    return found, n_undated
