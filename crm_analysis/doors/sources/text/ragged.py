"""Which lines of a text cannot be read, and why: one sentence for all of them."""

from __future__ import annotations

import csv
import io

import duckdb

from crm_analysis.doors.sources.opened import Refusal
from crm_analysis.doors.sources.text.layout import MAX_RECORD, Layout
from crm_analysis.doors.sources.text.scan import line_at

N_SHOWN, MAX_SHOWN = 3, 80
MAX_STORED = 1_000
RAGGED = ("MISSING COLUMNS", "TOO MANY COLUMNS")
Bad = tuple[int, str, str]


def refusal(layout: Layout, problem: str, n_columns: int) -> Refusal:
    """Refusal that names the first lines that cannot be read; `problem` is what DuckDB says."""
    bad = _bad_lines(layout)
    if not bad:
        return Refusal(f"the text cannot be read ({problem.splitlines()[0]}); export it again")
    some = [
        f"line {line:,} {text[:MAX_SHOWN]!r} {_why(kind, text, layout)}" for line, kind, text in bad[:N_SHOWN]
    ]
    if any(kind in RAGGED for _, kind, _ in bad[:N_SHOWN]):
        first = next(i for i, (_, kind, _) in enumerate(bad) if kind in RAGGED)
        some[first] += f", the header {n_columns} columns"
    left = len(bad) - N_SHOWN
    more = f"; {left:,}{' or more' if len(bad) >= MAX_STORED else ''} further lines" if left > 0 else ""
    return Refusal(f"{'; '.join(some)}{more}; {_advice(bad[0][1])}")


def _advice(kind: str) -> str:
    if kind in RAGGED:
        return "quote values that contain the delimiter, or export with another one"
    return "put it right in the source"


def _why(kind: str, text: str, layout: Layout) -> str:
    """What is wrong with a line; the words of a value are DuckDB's."""
    if kind in RAGGED:
        n = _n_fields(text, layout.delimiter)
        return f"has {n} {'field' if n == 1 else 'fields'}"
    if kind == "LINE SIZE OVER MAXIMUM":
        return f"is longer than {MAX_RECORD:,} bytes, or opens a quote that is never closed"
    if kind == "UNQUOTED VALUE" and _is_open(text, layout.delimiter):
        return "opens a quote that is never closed"
    if kind == "UNQUOTED VALUE":
        return "has text behind a closing quote; a quote within quotes must be doubled"
    return f"cannot be read ({kind.lower()})"


def _n_fields(text: str, delimiter: str) -> int:
    try:
        return len(
            next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True))
        )
    except (csv.Error, StopIteration):
        return text.count(delimiter) + 1


def _is_open(text: str, delimiter: str) -> bool:
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    try:
        list(reader)
    except csv.Error as error:
        return "end of data" in str(error)
    return True


def _bad_lines(layout: Layout) -> list[Bad]:
    """Line, kind and text of the first lines that cannot be read, in their order; by their place in bytes.

    DuckDB counts rows, not lines: what it calls a line is wrong below quoted line ends.
    """
    database = duckdb.connect(config={"threads": 1, "memory_limit": "1GB"})
    stored = f", store_rejects = true, rejects_limit = {MAX_STORED}"
    try:
        # The rejects are there once the last row is fetched.
        database.execute(
            f"SELECT count(COLUMNS(*)) FROM {layout.reader(whole=True, further=stored)}"
        ).fetchall()
        rows = database.execute(
            "SELECT line_byte_position, first(error_type), first(csv_line) FROM reject_errors "
            "WHERE line_byte_position IS NOT NULL GROUP BY 1 ORDER BY 1"
        ).fetchall()
    except (duckdb.Error, UnicodeDecodeError, RuntimeError):
        return []
    finally:
        database.close()
    at = _lines(layout, [row[0] for row in rows[:N_SHOWN]])
    return [
        (line, str(kind), (text or "").strip("\r\n")) for line, (_, kind, text) in zip(at, rows, strict=False)
    ] + [(0, str(kind), text or "") for _, kind, text in rows[N_SHOWN:]]


def _lines(layout: Layout, positions: list[int]) -> list[int]:
    return [layout.n_cut + line_at(layout.path, position - 1) for position in positions]
