"""From a Parquet log to the customer table: the door and Ibis, against the same SQL written by hand.

    python benchmarks/log_to_customers.py [ROWS]

Each side runs in a process of its own, with two threads and a DuckDB memory limit of 1500 MB; printed are the
time of each step, the ratio and the peak memory of the process. Both do the same: typed columns, rows set
aside by first reason, exact duplicates counted, new customers per month, lines merged per order and day with
refunds on the day of their order, one row per customer. Both answers are compared.
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

START, END = "2022-01-01", "2025-12-31"
LOG = """
COPY (
    SELECT
        lpad(CAST(hash(i // 2) % ({rows} // 20 + 1) AS VARCHAR), 9, '0') AS customer,
        TIMESTAMP '2022-01-01' + to_seconds(CAST(hash(i // 2 + 7) % 126230400 AS BIGINT)) AS bought_at,
        'O' || CAST(i // 2 AS VARCHAR) AS invoice,
        CAST(CASE WHEN hash(i + 3) % 50 = 0 THEN -1 ELSE 1 END * (hash(i + 5) % 30000) / 100
            AS DECIMAL(18, 4)) AS amount
    FROM range({rows}) AS t(i)
) TO '{path}' (FORMAT parquet)
"""
CHECKED = f"""
CREATE VIEW marked AS SELECT *, CAST(bought_at AS DATE) AS occurred_on, CASE
    WHEN customer IS NULL THEN 'customer missing'
    WHEN bought_at IS NULL THEN 'time missing'
    WHEN CAST(bought_at AS DATE) < DATE '{START}' THEN 'before observed_from'
    WHEN CAST(bought_at AS DATE) > DATE '{END}' THEN 'after observed_until'
    WHEN amount IS NULL THEN 'amount missing' END AS reason
FROM read_parquet('{{path}}');
CREATE VIEW lines AS SELECT * FROM marked WHERE reason IS NULL;
"""
WORDS = "('', 'NULL', 'null', 'nan', 'NaN', 'NAN', 'None', 'NA', 'N/A', '#N/A', 'n/a')"
STEPS = {
    "words for nothing": f"""SELECT count(*) FILTER (trim(customer) IN {WORDS}),
        count(*) FILTER (trim(invoice) IN {WORDS}) FROM marked""",
    "reasons": """SELECT reason, count(*), sum(abs(amount)), count(*) FILTER (amount < 0),
        sum(abs(amount)) FILTER (amount < 0), count(*) FILTER (amount = 0) FROM marked GROUP BY reason""",
    "duplicates": """SELECT sum(n - 1) FROM (
        SELECT count(*) AS n FROM marked GROUP BY customer, bought_at, invoice, amount) WHERE n > 1""",
    "new customers": """SELECT date_trunc('month', first_on), count(*) FROM (
        SELECT min(occurred_on) AS first_on FROM lines GROUP BY customer) GROUP BY 1""",
    "orders": """SELECT floor(20 * ln(nullif(CAST(sold AS DOUBLE), 0))), first_on < last_on, one < other,
        count(*), sum(sold) FROM (
            SELECT sum(amount) FILTER (amount >= 0) AS sold, min(customer) AS one, max(customer) AS other,
                min(occurred_on) FILTER (amount >= 0) AS first_on,
                max(occurred_on) FILTER (amount >= 0) AS last_on
            FROM lines GROUP BY invoice) GROUP BY ALL""",
    "days": "SELECT occurred_on, count(*) FROM lines GROUP BY 1",
    "customers": f"""
WITH refunded AS (
    SELECT customer, invoice, min(occurred_on) AS ordered_on FROM lines AS s
    WHERE amount >= 0 AND EXISTS (
        SELECT 1 FROM lines AS r WHERE r.amount < 0 AND r.customer = s.customer AND r.invoice = s.invoice)
    GROUP BY customer, invoice
), placed AS (
    SELECT customer, invoice, occurred_on, amount, FALSE AS is_refund FROM lines WHERE amount >= 0
    UNION ALL
    SELECT r.customer, r.invoice, coalesce(o.ordered_on, r.occurred_on), r.amount, TRUE FROM lines AS r
    LEFT JOIN refunded AS o ON o.customer = r.customer AND o.invoice = r.invoice
    WHERE r.amount < 0
), merged AS (
    SELECT customer, invoice, occurred_on, sum(amount) AS amount, count(*) FILTER (NOT is_refund) AS n_lines
    FROM placed GROUP BY customer, invoice, occurred_on
), days AS (
    SELECT customer, occurred_on, sum(amount) AS amount, sum(amount) FILTER (n_lines > 0) AS spent,
        sum(n_lines) AS n_lines FROM merged GROUP BY customer, occurred_on
), orders AS (
    SELECT customer, count(DISTINCT invoice) AS n_orders FROM merged WHERE n_lines > 0 GROUP BY customer
), base AS (
    SELECT customer, min(occurred_on) FILTER (n_lines > 0) AS first_on,
        max(occurred_on) FILTER (n_lines > 0) AS last_on, count(*) FILTER (n_lines > 0) AS n_days,
        count(*) FILTER (n_lines > 0 AND spent > 0) AS n_paid,
        coalesce(sum(spent) FILTER (n_lines > 0 AND spent > 0), 0) AS paid,
        arg_min(spent, occurred_on) FILTER (n_lines > 0) AS first_spent, sum(amount) AS total
    FROM days GROUP BY customer
)
SELECT customer AS customer_id, first_on, last_on, n_orders, n_days AS n_purchase_days,
    n_days - 1 AS n_repeat, last_on - first_on AS t_last, DATE '{END}' - first_on AS t_observed,
    CAST(total AS DOUBLE) AS total_amount,
    CAST(paid - greatest(first_spent, 0) AS DOUBLE) / nullif(n_paid - CAST(first_spent > 0 AS INT), 0)
        AS mean_repeat_amount
FROM base JOIN orders USING (customer) WHERE n_days > 0""",
}
ANSWER = """SELECT count(*), sum(n_orders), sum(n_purchase_days), sum(t_last), sum(t_observed),
    round(sum(CAST(total_amount AS DECIMAL(18, 4))), 4), round(avg(mean_repeat_amount), 6) FROM '{out}'"""


def by_hand(path: Path, out: Path) -> dict[str, float]:
    settings = {"threads": 2, "memory_limit": "1500MB", "temp_directory": str(out.parent / "spill_hand")}
    database = duckdb.connect(":memory:", config=settings)
    database.execute(CHECKED.format(path=path))
    times = {}
    for name, sql in STEPS.items():
        started = time.perf_counter()
        run = f"COPY ({sql}) TO '{out}' (FORMAT parquet)" if name == "customers" else sql
        database.execute(run).fetchall()
        times[name] = time.perf_counter() - started
    return times


def by_door(path: Path, out: Path) -> dict[str, float]:
    import crm_analysis as crm
    from crm_analysis.doors.sources import connect

    engine = connect(memory_limit="1500MB", threads=2, temp_directory=out.parent / "spill_door")
    columns = {
        "customer_id": "customer",
        "occurred_at": "bought_at",
        "order_id": "invoice",
        "amount": "amount",
    }
    started = time.perf_counter()
    log = crm.read_transactions(path, columns=columns, observed_from=START, observed_until=END, engine=engine)
    read = time.perf_counter()
    crm.customer_table(log).to_parquet(out)
    return {"door": read - started, "customers": time.perf_counter() - read}


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.parquet"
        duckdb.execute(LOG.format(rows=rows, path=path))
        print(f"{rows:,} rows, {path.stat().st_size / 2**20:,.0f} MB of Parquet")
        runs = {
            side: _in_a_process(side, path, Path(folder) / f"{side}.parquet") for side in ("hand", "door")
        }
        answers = [duckdb.execute(ANSWER.format(out=Path(folder) / f"{s}.parquet")).fetchone() for s in runs]
    ratio = sum(runs["door"]["times"].values()) / sum(runs["hand"]["times"].values())
    print(f"door / hand {ratio:.2f}; same answer: {answers[0] == answers[1]} {answers[0]}")
    sys.exit(answers[0] != answers[1])


def _in_a_process(side: str, path: Path, out: Path) -> dict:
    run = subprocess.run(
        [sys.executable, __file__, "--side", side, str(path), str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        sys.exit(run.stderr)
    found = json.loads(run.stdout)
    steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in found["times"].items())
    print(f"{side}: {sum(found['times'].values()):.1f} s ({steps}); peak {found['peak_mb']:,.0f} MB")
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        measured = {"hand": by_hand, "door": by_door}[sys.argv[2]](Path(sys.argv[3]), Path(sys.argv[4]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"times": measured, "peak_mb": peak}))
    else:
        main()
