"""The sales people: when they were hired, and when they left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from crm_analysis.doors.framed import Framed, Rows, read_framed
from crm_analysis.doors.schema import Check, Column, Schema, is_missing
from crm_analysis.doors.verdict import Defect

SCHEMA = Schema(
    "owners",
    (Column("owner", "text", required=True), Column("hired_at", "day"), Column("left_at", "day")),
)
CHECKS = (
    Check(
        "owner missing", "set aside", is_missing("owner"), "name nobody (owner)", "those who left are too few"
    ),
)


def read_owners(source: Any, *, columns: Mapping[str, Any], **options: Any) -> Framed:
    """Check the sales people; frame: owner, hired_at, left_at (missing while employed, or where not mapped).

    Raises
    ------
    DataError
        Carrying the verdict: a column is missing or unreadable, an owner is there twice or left before hired.
    """
    return read_framed(source, SCHEMA, CHECKS, _found, columns=columns, **options)


def _found(rows: Rows) -> tuple[pd.DataFrame, list[Defect]]:
    frame = rows.frame.reindex(columns=[column.name for column in SCHEMA.columns])
    frame = frame.astype({"hired_at": "datetime64[us]", "left_at": "datetime64[us]"})
    rows = Rows(frame, rows.name)
    return frame, [
        *rows.found(
            "owner twice",
            "refuse",
            frame.duplicated("owner", keep=False),
            "share their name (owner) with another row, one row per owner was expected: merge the times of "
            "one person, and tell two people of one name apart",
            shows=("owner",),
        ),
        *rows.found(
            "left before hired",
            "refuse",
            frame["left_at"] < frame["hired_at"],
            "left (left_at) before they were hired (hired_at); put the days right",
            shows=("owner", "hired_at", "left_at"),
        ),
    ]
