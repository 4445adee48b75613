"""Which lines of a text cannot be read, and why: one sentence for all of them."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Iterator

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
    return "end of data" in _error(text, delimiter)


def _error(text: str, delimiter: str) -> str:
    """What Python says of the quotes of a text; nothing where it can read it."""
    lines = io.StringIO(text, newline="")
    try:
        list(csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error as error:
        return str(error)
    return ""


def _is_so(kind: str, text: str | None, layout: Layout) -> bool:
    """Whether a line can be what DuckDB says is wrong."""
    return bool(text) and (kind != "UNQUOTED VALUE" or bool(_error(text or "", layout.delimiter)))


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
        # It keeps the beginning of a long line, and cuts it within a character.
        rows = []
    finally:
        database.close()
    if not rows or not all(_is_so(kind, text, layout) for _, kind, text in rows[:N_SHOWN]):
        # Of records longer than what it reads at once it names an empty line, or the one before.
        return list(itertools.islice(_bad_by_csv(layout), MAX_STORED))
    return [
        (layout.n_cut + line_at(layout.path, at - 1), str(kind), text.strip("\r\n"))
        for at, kind, text in rows[:N_SHOWN]
    ] + [(0, str(kind), text or "") for _, kind, text in rows[N_SHOWN:]]


def _bad_by_csv(layout: Layout) -> Iterator[Bad]:
    """Line, kind and text of each record that has not the fields that it should have, read once more."""
    taken: list[str] = []
    line = layout.n_cut + layout.n_skipped + 1
    csv.field_size_limit(MAX_RECORD)
    with layout.path.open(encoding="utf-8-sig", newline="") as file:
        lines = _noted(itertools.islice(file, layout.n_skipped, None), taken)
        reader = csv.reader(lines, delimiter=layout.delimiter, strict=True, skipinitialspace=True)
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                kind = "LINE SIZE OVER MAXIMUM" if "field limit" in str(error) else "UNQUOTED VALUE"
                yield line, kind, "".join(taken).strip("\r\n")
                return
            if cells is None:
                return
            n = len(cells) - (cells[-1:] == [""] and len(cells) > layout.n_fields)
            if cells and n != layout.n_fields:
                yield line, RAGGED[n > layout.n_fields], "".join(taken).strip("\r\n")
            line += len(taken)
            taken.clear()


def _noted(lines: Iterable[str], taken: list[str]) -> Iterator[str]:
    """Lines, each of them put into `taken`."""
    for line in lines:
        taken.append(line)
        yield line
