"""Parquet files: left where they are, once they were seen to be whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from crm_analysis.doors.sources.opened import Opened, Options, Refusal, named, no_pattern, shown, unlike_names

# A column of one value takes no place: a small file may say that it has any number of rows.
MOST_ROWS, MOST_ROWS_PER_BYTE = 5_000_000_000, 50
FEW_ROWS = 20_000_000


def open_parquet(path: Path, options: Options, engine: ibis.BaseBackend, wanted: Sequence[str]) -> Opened:
    """Parquet file as a table."""
    _check_footer(path)
    try:
        table = engine.read_parquet(no_pattern(path), table_name=ibis.util.gen_name("parquet"))
        # Whether the pages are whole shows only when they are read.
        if there := [name for name in table.columns if name in wanted]:
            values = ", ".join(map(named, there))
            engine.raw_sql(f"SELECT bit_xor(hash({values})) FROM {named(table.get_name())}").fetchall()
    except duckdb.Error as error:
        raise Refusal(f"the Parquet file is damaged ({shown(error)[:200]}); export it again") from None
    return Opened(table, shown(path.name), parses_text=True)


def _check_footer(path: Path) -> None:
    try:
        with pq.ParquetFile(path) as file:
            n_rows, names = file.metadata.num_rows, file.schema_arrow.names
    except (pa.ArrowException, OSError) as error:
        raise Refusal(f"the Parquet file is damaged ({shown(error)[:200]}); export it again") from None
    unlike_names(names)
    size = path.stat().st_size
    if n_rows > MOST_ROWS or (n_rows > FEW_ROWS and n_rows > MOST_ROWS_PER_BYTE * size):
        raise Refusal(f"{size:,} bytes say that they hold {n_rows:,} rows; export the data again")
    if not n_rows:
        raise Refusal("there are no rows in it; export it again")
