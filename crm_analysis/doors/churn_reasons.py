"""Why customers left, as somebody noted it: mostly for a part of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd

from crm_analysis.doors.framed import Framed, Rows, read_framed
from crm_analysis.doors.schema import Check, Column, Schema, is_missing
from crm_analysis.doors.verdict import Defect

SCHEMA = Schema(
    "churn_reasons",
    (
        Column("customer_id", "id", required=True),
        Column("left_at", "day", required=True),
        Column("reason", "text", required=True),
    ),
)
TOO_FEW = "those who left for a reason are too few"
CHECKS = (
    Check(
        "customer missing",
        "set aside",
        is_missing("customer_id"),
        "name no customer (customer_id)",
        TOO_FEW,
        ("left_at", "reason"),
    ),
    Check(
        "day missing",
        "set aside",
        is_missing("left_at"),
        "have no day (left_at)",
        TOO_FEW,
        ("customer_id", "reason"),
    ),
)


def read_churn_reasons(
    source: Any, *, columns: Mapping[str, Any], observed_until: dt.date | None = None, **options: Any
) -> Framed:
    """Check who left when and why; frame: customer_id, left_at, reason (missing where nobody noted it).

    Parameters
    ----------
    observed_until : the last day that is seen; what was noted after it is set aside.

    Raises
    ------
    DataError
        Carrying the verdict: a column is missing or unreadable, or nothing is left.
    """
    checks = [*CHECKS, *([] if observed_until is None else [_later(observed_until)])]
    return read_framed(source, SCHEMA, checks, _found, columns=columns, **options)


def _later(day: dt.date) -> Check:
    return Check(
        "after observed_until",
        "set aside",
        lambda t: t.left_at > day,
        f"lie after observed_until {day}",
        "none: they are not known yet on that day",
        ("customer_id", "left_at"),
    )


def _found(rows: Rows) -> tuple[pd.DataFrame, list[Defect]]:
    frame = rows.frame
    flag = partial(rows.found, consequence="flag", shows=("customer_id", "left_at"))
    return frame, [
        *flag(
            "reason missing",
            where=frame["reason"].isna(),
            sentence="have no reason (reason); they are kept as not recorded",
            bias="shares of the reasons are of those that were recorded",
        ),
        *flag(
            "left several times",
            where=frame.duplicated("customer_id", keep=False) & ~frame.duplicated(keep=False),
            sentence="are of customers who left more than once: they came back, or were noted twice",
            bias="reasons count each of these customers more than once",
        ),
    ]
