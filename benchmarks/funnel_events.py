"""Time a funnel of four ordered steps beside ClickHouse and retentioneering: equal counts first.

    python benchmarks/funnel_events.py [EVENTS ...] [--stream EVENTS] [--rounds N]

Each round times all of them in turn, from the same Parquet file (load and count) and on data that each has in
its own memory (count alone); with a window of a day for chdb, ours and our expression. retentioneering knows
no windows and is held against ours without one. Entities have no two events at one moment, which it would
count in the order of the file. `--stream` counts a file that is too long for memory, in a process of its own,
and prints its peak. Files are made by DuckDB in a temporary folder. chdb and retentioneering are in the
dependency group `benchmark`; without them only ours is timed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pandas as pd

from crm_analysis.funnel.counting.event_counts import count_events
from crm_analysis.funnel.counting.event_members import Span, count_members
from crm_analysis.funnel.counting.event_reading import read_parts
from crm_analysis.funnel.counting.event_rules import read_rules

os.environ["RETENTIONEERING_NO_TRACK"] = "1"
STEPS = ["view", "cart", "ship", "pay"]
DAY = 86_400
MAKE = """
    COPY (
        SELECT 'user_' || lpad(CAST(i * 7919 % {entities} AS VARCHAR), 8, '0') AS entity_id,
            ['view', 'cart', 'ship', 'pay', 'search', 'help', 'home', 'other']
                [1 + CAST(hash(i, 2) % 8 AS INT)] AS event,
            TIMESTAMP '2025-01-01' + to_seconds(CAST(hash(i, 3) % 129600 * 20 + i // {entities} AS INT))
                AS occurred_at
        FROM range({events}) AS numbers(i)
    ) TO '{path}' (FORMAT parquet)
"""
WINDOW_FUNNEL = """
    SELECT reached, count() AS n FROM (
        SELECT windowFunnel({seconds})(toDateTime(occurred_at, 'UTC'), {steps}) AS reached
        FROM {source} GROUP BY entity_id
    ) GROUP BY reached ORDER BY reached FORMAT JSON
"""


def make(folder: Path, events: int) -> Path:
    path = folder / f"events_{events}.parquet"
    with duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(folder)}) as engine:
        engine.execute(MAKE.format(entities=events // 20, events=events, path=path))
    return path


def timed(run: Callable[[], Any]) -> tuple[Any, float, float]:
    started, busy = time.perf_counter(), time.process_time()
    found = run()
    return found, time.perf_counter() - started, time.process_time() - busy


def reading(path: Path) -> ibis.Table:
    return ibis.duckdb.connect(threads=2).read_parquet(path)


class Ours:
    """The arrays, from a file and from arrays that are sorted already; counts alone, as the others give."""

    members = False

    def __init__(self, path: Path, window: str | None) -> None:
        self.rules = read_rules(
            STEPS,
            window=window,
            step_windows=None,
            order="ordered",
            reentry=None,
            count="entities",
            exclude=(),
            exclusion="entity leaves",
            optional=(),
        )
        self.table, self.window = reading(path), window
        parts = read_parts(self.table, self.rules, entity="entity_id", with_ids=self.members)
        self.sorted = [half.sorted() for part in parts for half in part.halves()]

    def from_file(self) -> list[int]:
        """Load and count."""
        return count_events(self.table, steps=STEPS, window=self.window, keep_members=self.members).counts

    def in_memory(self) -> list[int]:
        """Count what is loaded."""
        reached = [0] * len(STEPS)
        for events in self.sorted:
            members, _ = count_members(
                events,
                self.rules,
                Span(),
                attributes=[],
                attribution="first step",
                with_ids=self.members,
            )
            reached = [n + int((members["furthest"] >= k).sum()) for k, n in enumerate(reached)]
        return reached


class WithMembers(Ours):
    """The same, with the id and the times of everybody behind the counts."""

    members = True


class Expression:
    """The Ibis expression on DuckDB."""

    def __init__(self, path: Path, window: str | None) -> None:
        self.file, self.window = reading(path), window
        self.table = self.file.get_backend().create_table("events", self.file)

    def from_file(self) -> list[int]:
        """Load and count."""
        return self._count(self.file)

    def in_memory(self) -> list[int]:
        """Count what is loaded."""
        return self._count(self.table)

    def _count(self, table: ibis.Table) -> list[int]:
        return count_events(table, steps=STEPS, window=self.window, engine="expression").counts


class ClickHouse:
    """windowFunnel in chdb, on the file and on a table in memory."""

    def __init__(self, path: Path, window: str | None) -> None:
        self.path = path
        self.session = importlib.import_module("chdb.session").Session()
        self.session.query("CREATE DATABASE IF NOT EXISTS bench")
        self.session.query("DROP TABLE IF EXISTS bench.events")
        self.session.query(f"CREATE TABLE bench.events ENGINE = Memory AS SELECT * FROM file('{path}')")

    def from_file(self) -> list[int]:
        """Load and count."""
        return self._count(f"file('{self.path}')")

    def in_memory(self) -> list[int]:
        """Count what is loaded."""
        return self._count("bench.events")

    def _count(self, source: str) -> list[int]:
        steps = ", ".join(f"event = '{step}'" for step in STEPS)
        answer = self.session.query(WINDOW_FUNNEL.format(seconds=DAY, steps=steps, source=source))
        n = {int(row["reached"]): int(row["n"]) for row in json.loads(str(answer))["data"]}
        return [sum(n.get(j, 0) for j in range(k + 1, len(STEPS) + 1)) for k in range(len(STEPS))]


class Retentioneering:
    """Eventstream.funnel_data, without a window."""

    def __init__(self, path: Path, window: str | None) -> None:
        self.path = path
        self.stream = self._load()

    def _load(self) -> Any:
        package = importlib.import_module("retentioneering")
        schema = {"path_cols": ["entity_id"], "event_col": "event", "timestamp_col": "occurred_at"}
        return package.Eventstream(pd.read_parquet(self.path), schema=schema)

    def from_file(self) -> list[int]:
        """Load and count."""
        return self._count(self._load())

    def in_memory(self) -> list[int]:
        """Count what is loaded."""
        return self._count(self.stream)

    def _count(self, stream: Any) -> list[int]:
        return [int(row["unique_paths"]) for row in stream.funnel_data(steps=STEPS)["steps"]]


def compare(path: Path, rivals: dict[str, Any], window: str | None, rounds: int) -> None:
    """Time all in turn; the best of the rounds counts, in seconds and in seconds of processor time."""
    ready = {name: rival(path, window) for name, rival in rivals.items()}
    best: dict[tuple[str, str], tuple[float, float]] = {}
    for _ in range(rounds):
        counts = {}
        for name, one in ready.items():
            for what, run in (("load and count", one.from_file), ("count", one.in_memory)):
                counts[name, what], wall, busy = timed(run)
                before = best.get((name, what), (float("inf"), float("inf")))
                best[name, what] = (min(before[0], wall), min(before[1], busy))
        assert len({tuple(found) for found in counts.values()}) == 1, counts
    print(f"  window {window}: {next(iter(counts.values()))}, the same from all")
    for (name, what), (wall, busy) in best.items():
        base = best["ours", what]
        print(
            f"    {name:16} {what:15} {wall:7.2f} s, {wall / base[0]:5.2f} times ours; "
            f"of processor time {busy:7.2f} s, {busy / base[1]:5.2f} times"
        )


def stream(path: Path) -> None:
    """Count a long file and print the time and the peak of this process."""
    engine = ibis.duckdb.connect(threads=2, memory_limit="1GB", temp_directory=str(path.parent))
    counts, wall, _ = timed(
        lambda: (
            count_events(engine.read_parquet(path), steps=STEPS, window="1 day", keep_members=False).counts
        )
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  {counts} in {wall:.1f} s; peak {peak:,.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("events", nargs="*", type=int, default=[1_000_000, 5_000_000])
    parser.add_argument("--stream", type=int)
    parser.add_argument("--stream-file", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if given.stream_file:
        return stream(given.stream_file)
    with tempfile.TemporaryDirectory() as folder:
        if given.stream:
            path = make(Path(folder), given.stream)
            print(f"{given.stream:,} events from Parquet, {path.stat().st_size / 1e6:,.0f} MB", flush=True)
            subprocess.run([sys.executable, __file__, "--stream-file", path], check=True)
            return None
        for n in given.events:
            path = make(Path(folder), n)
            print(f"{n:,} events", flush=True)
            ours: dict[str, Any] = {"ours": Ours, "with members": WithMembers, "expression": Expression}
            with_window = ours | ({"chdb": ClickHouse} if importlib.util.find_spec("chdb") else {})
            compare(path, with_window, "1 day", given.rounds)
            if importlib.util.find_spec("retentioneering"):
                compare(path, {"ours": Ours, "retentioneering": Retentioneering}, None, 2)
    return None


if __name__ == "__main__":
    main()
