"""From a CSV export to checked Parquet: a workspace's first opening, against DuckDB's own load of the file.

    python benchmarks/csv_to_checked.py [ROWS]

Each side runs in a process of its own, with two threads and a DuckDB memory limit of 1500 MB. DuckDB is told
the dialect and the types, and writes a table on disk. The door is told the columns only: it scans the bytes,
proves dialect and formats, checks the rows, merges them per order and day, and writes all as Parquet. Printed
are the times, the ratio and the peak memory of each process; rows, customers and money are compared.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

LOG = """
COPY (
    SELECT
        lpad(CAST(hash(i // 2) % ({rows} // 20 + 1) AS VARCHAR), 9, '0') AS customer,
        TIMESTAMP '2022-01-01' + to_seconds(CAST(hash(i // 2 + 7) % 126230400 AS BIGINT)) AS bought_at,
        'O' || CAST(i // 2 AS VARCHAR) AS invoice,
        CAST(CASE WHEN hash(i + 3) % 50 = 0 THEN -1 ELSE 1 END * (hash(i + 5) % 30000) / 100
            AS DECIMAL(18, 2)) AS amount
    FROM range({rows}) AS t(i)
) TO '{path}' (FORMAT csv, TIMESTAMPFORMAT '%Y-%m-%d %H:%M:%S')
"""
LOAD = """
CREATE TABLE log AS FROM read_csv('{path}', auto_detect = false, header = true, delim = ',', quote = '"',
    escape = '"', timestampformat = '%Y-%m-%d %H:%M:%S', columns = {{'customer': 'VARCHAR',
    'bought_at': 'TIMESTAMP', 'invoice': 'VARCHAR', 'amount': 'DECIMAL(18, 4)'}})
"""
TOTALS = "SELECT count(*), count(DISTINCT {customer}), sum(amount) FROM {table}"
WORKSPACE = """
name = "Benchmark"
currency = "EUR"
timezone = "UTC"
output = "out"
[firms.a]
name = "A"
observed_from = 2022-01-01
observed_until = 2025-12-31
[firms.a.transactions]
source = "log.csv"
columns = { customer_id = "customer", occurred_at = "bought_at", order_id = "invoice", amount = "amount" }
"""


def by_duckdb(path: Path) -> tuple[float, list]:
    settings = {"threads": 2, "memory_limit": "1500MB"}
    database = duckdb.connect(str(path.with_suffix(".duckdb")), config=settings)
    started = time.perf_counter()
    database.execute(LOAD.format(path=path))
    database.execute("CHECKPOINT")
    seconds = time.perf_counter() - started
    return seconds, database.execute(TOTALS.format(customer="customer", table="log")).fetchone()


def by_door(path: Path) -> tuple[float, list]:
    import crm_analysis as crm

    workspace = path.with_name("benchmark.toml")
    workspace.write_text(WORKSPACE)
    started = time.perf_counter()
    log = crm.open_workspace(workspace).transactions("a")
    seconds = time.perf_counter() - started
    file = next((path.parent / "out" / ".checked").glob("a-transactions-*/lines.parquet"))
    assert log.verdict.status == "FLAG"
    return seconds, duckdb.execute(TOTALS.format(customer="customer_id", table=f"'{file}'")).fetchone()


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.csv"
        duckdb.execute(LOG.format(rows=rows, path=path))
        print(f"{rows:,} rows, {path.stat().st_size / 2**20:,.0f} MB of CSV")
        runs = {side: _in_a_process(side, path) for side in ("duckdb", "door")}
    same = runs["door"]["totals"] == runs["duckdb"]["totals"]
    ratio = runs["door"]["seconds"] / runs["duckdb"]["seconds"]
    print(f"door / duckdb {ratio:.2f}; same totals: {same} {runs['door']['totals']}")
    sys.exit(not same)


def _in_a_process(side: str, path: Path) -> dict:
    run = subprocess.run(
        [sys.executable, __file__, "--side", side, str(path)], capture_output=True, text=True, check=False
    )
    if run.returncode:
        sys.exit(run.stderr)
    found = json.loads(run.stdout)
    print(f"{side}: {found['seconds']:.1f} s; peak {found['peak_mb']:,.0f} MB")
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        measured, totals = {"duckdb": by_duckdb, "door": by_door}[sys.argv[2]](Path(sys.argv[3]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": measured, "peak_mb": peak, "totals": totals}, default=str))
    else:
        main()
