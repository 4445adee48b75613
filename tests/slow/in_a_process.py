"""Read one file in a process of its own, and say how it went, how long it took and what memory it held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

READ = """
import json, resource, sys
from crm_analysis import read_transactions
from crm_analysis.errors import DataError
columns = {"customer_id": "client", "occurred_at": "sold_on", "amount": "amount", "order_id": "order_no"}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    log = read_transactions(sys.argv[1], columns=columns, observed_from="2023-01-01",
                            observed_until="2023-12-31", max_set_aside=1.0)
    said, rows = str(log.verdict), log.n_rows_in
except DataError as error:
    said, rows = str(error), None
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"said": said, "rows": rows, "mb": (peak - before) / 1024}))
"""


@dataclass(frozen=True)
class Went:
    """said : verdict or refusal; rows : rows read, None where refused; mb : memory beyond the imports."""

    said: str
    rows: int | None
    mb: float
    seconds: float


def start(path: Path, **variables: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", READ, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | variables)


def went(path: Path, *, limit: float = 120, **variables: str) -> Went:
    started = time.monotonic()
    process = start(path, **variables)
    try:
        out, _ = process.communicate(timeout=limit)
    finally:
        process.kill()
    assert process.returncode == 0, f"the process ended with {process.returncode}"
    return Went(**json.loads(out.splitlines()[-1]), seconds=time.monotonic() - started)
