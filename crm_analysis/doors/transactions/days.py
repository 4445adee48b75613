"""Days without rows: where the log begins late, ends early, or has a hole in the middle.

Days without rows are nothing unusual in a small log. A run of them is where, by the share of days with rows
in the eight weeks on its sparser side, it would come by chance in less than one of a hundred such logs.
"""

from __future__ import annotations

import datetime as dt

import ibis.expr.types as ir
import numpy as np

from crm_analysis.doors.verdict import Defect

BESIDE = 56
CHANCE = 0.001
ENOUGH_DAYS = 20
N_NAMED = 3


def day_defects(lines: ir.Table, start: dt.date, end: dt.date, name: str) -> list[Defect]:
    """Runs of days without rows that are no chance, at the ends and in the middle."""
    days = lines.group_by("occurred_on").agg(n=lines.count()).to_pyarrow().to_pylist()
    has_rows = np.zeros((end - start).days + 1, dtype=bool)
    has_rows[[(row["occurred_on"] - start).days for row in days]] = True
    runs = unusual_runs(has_rows)
    first = start + dt.timedelta(days=int(has_rows.argmax()))
    last = end - dt.timedelta(days=int(has_rows[::-1].argmax()))
    inner = [(a, b) for a, b in runs if a > 0 and b < len(has_rows) - 1]
    return [
        *([_late(first, start, name)] if any(a == 0 for a, _ in runs) else []),
        *([_early(last, end, name)] if any(b == len(has_rows) - 1 for _, b in runs) else []),
        *([_holes(inner, has_rows, start, name)] if inner else []),
    ]


def unusual_runs(has_rows: np.ndarray) -> list[tuple[int, int]]:
    """First and last day of the runs without rows that are too long for chance."""
    if has_rows.sum() < ENOUGH_DAYS:
        return []
    edges = np.flatnonzero(np.diff(np.concatenate([[0], ~has_rows, [0]])))
    runs = zip(edges[::2], edges[1::2] - 1, strict=True)
    return [(int(a), int(b)) for a, b in runs if _chance(has_rows, a, b) < CHANCE]


def _chance(has_rows: np.ndarray, first: int, last: int) -> float:
    """Expected number of runs as long as this one, by the sparser of its two sides."""
    sides = [has_rows[max(0, first - BESIDE) : first], has_rows[last + 1 : last + 1 + BESIDE]]
    # One day with and one without rows are added: no side is ever sure.
    empty = max((1 + (~side).sum()) / (2 + len(side)) for side in sides if len(side))
    return float(len(has_rows) * empty ** (last - first + 1))


def _late(first: dt.date, start: dt.date, name: str) -> Defect:
    n = (first - start).days
    sentence = (
        f"{name}: the first row is of {first}, {n:,} days after observed_from {start}: is the export "
        "complete, or was observed_from later?"
    )
    bias = "purchases are biased down, ages of customers who are older than the log too"
    return Defect("first rows missing", "flag", sentence, bias=bias)


def _early(last: dt.date, end: dt.date, name: str) -> Defect:
    n = (end - last).days
    sentence = (
        f"{name}: the last row is of {last}, {n:,} days before observed_until {end}: is the export complete, "
        "or was observed_until earlier?"
    )
    bias = (
        "customers look as if they had stopped: purchases and the share of active customers are biased down"
    )
    return Defect("last rows missing", "flag", sentence, bias=bias)


def _holes(runs: list[tuple[int, int]], has_rows: np.ndarray, start: dt.date, name: str) -> Defect:
    n_days = sum(b - a + 1 for a, b in runs)
    longest = sorted(runs, key=lambda run: run[0] - run[1])[:N_NAMED]
    spans = [tuple(f"{start + dt.timedelta(days=i)}" for i in run) for run in longest]
    said = ", ".join(f"from {a} to {b}" for a, b in spans)
    sentence = (
        f"{name}: no rows {said}{' and more' if len(runs) > len(longest) else ''} ({n_days:,} days in all), "
        f"where {has_rows.mean():.0%} of the days have rows: is a file missing, or was the firm closed?"
    )
    bias = "purchases are biased down, and gaps between them up, if rows are missing"
    return Defect("days without rows", "flag", sentence, bias=bias)


def unfinished_months(start: dt.date, end: dt.date) -> list[str]:
    """Say which of the first and the last month were not observed whole."""
    said = []
    if start.day > 1:
        said.append(f"the first month, {start:%Y-%m}, from its day {start.day}")
    if (end + dt.timedelta(days=1)).day > 1:
        said.append(f"the last month, {end:%Y-%m}, to its day {end.day}")
    return said
