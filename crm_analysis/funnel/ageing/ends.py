"""How old opportunities are, and how each of them ended: counted by age in the engine of the pipeline."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import ibis
import pandas as pd

from crm_analysis.doors.transactions import as_date
from crm_analysis.errors import ConfigError, DataError

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

ENDINGS = ("won", "lost", "open")


def ages(
    pipeline: Pipeline,
    *,
    entered_from: dt.date | str | None = None,
    entered_until: dt.date | str | None = None,
) -> ibis.Table:
    """Give each opportunity created in the period its age in days at the end, or at the snapshot if open.

    Parameters
    ----------
    entered_from, entered_until : first and last creation date, both included; all where not given.

    Returns
    -------
    The pipeline's opportunities with a column age_days, NULL without a date of creation.
    """
    deals = pipeline.opportunities
    if entered_from is not None:
        deals = deals.filter(deals.created_on >= as_date(entered_from, "entered_from"))
    if entered_until is not None:
        deals = deals.filter(deals.created_on <= as_date(entered_until, "entered_until"))
    end = ibis.coalesce(deals.closed_on, ibis.literal(pipeline.snapshot_at))
    return deals.mutate(age_days=end.delta(deals.created_on, unit="day").cast("int64"))


def count_ends(aged: ibis.Table, *, by: Sequence[str] = ()) -> tuple[pd.DataFrame, int]:
    """How many opportunities ended in each way at each age, and how many have no age.

    Parameters
    ----------
    aged : result of `ages`.
    by : columns to count apart; a missing value is one of its own, "".

    Returns
    -------
    DataFrame with the columns `by`, age_days, outcome, n, sorted; and the number without an age.

    Raises
    ------
    DataError
        No opportunity has a creation date, or some close before they are created.
    ConfigError
        There is no such column.
    """
    if unknown := sorted(set(by) - set(aged.columns)):
        raise ConfigError(f"incidence: no column {unknown}; columns: {sorted(aged.columns)}")
    keys = {name: ibis.coalesce(aged[name].cast("string"), "") for name in by}
    counted = aged.group_by(**keys, age_days=aged.age_days, outcome=aged.outcome).agg(n=aged.count())
    found = counted.to_pandas()
    undated = found["age_days"].isna()
    n_undated, ends = int(found.loc[undated, "n"].sum()), found[~undated].astype({"age_days": "int64"})
    if ends.empty:
        raise DataError(f"incidence: none of {n_undated} opportunities has a creation date; map created_on")
    if (ends["age_days"] < 0).any():
        n = int(ends.loc[ends["age_days"] < 0, "n"].sum())
        raise DataError(f"incidence: {n} opportunities close before they are created; correct their dates")
    return ends.sort_values([*by, "age_days", "outcome"], ignore_index=True), n_undated
