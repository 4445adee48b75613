"""The embedded DuckDB that reads files and holds what was read."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import ibis

from crm_analysis.doors.schema import own
from crm_analysis.doors.scratch import spill_folder


def connect(
    *, memory_limit: str = "1500MB", threads: int | None = None, temp_directory: Path | None = None
) -> ibis.BaseBackend:
    """Open an embedded DuckDB in UTC, which downloads nothing and spills to disk beyond its memory limit."""
    settings: dict[str, Any] = {
        "memory_limit": memory_limit,
        "temp_directory": str(temp_directory or spill_folder()),
    }
    if threads:
        settings["threads"] = threads
    engine = ibis.duckdb.connect(":memory:", **settings)
    for line in (
        "TimeZone = 'UTC'",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "enable_progress_bar = false",
        # Rows are numbered by it.
        "preserve_insertion_order = true",
    ):
        engine.raw_sql(f"SET {line}")
    return own(engine)


@functools.cache
def default_engine() -> ibis.BaseBackend:
    """Return the DuckDB of this process, for sources that are read without a workspace."""
    return connect()
