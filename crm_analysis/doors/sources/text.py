"""Delimited text: encoding and dialect are proven by the file or stated, then DuckDB reads it as text."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import ibis

from crm_analysis.doors.sources.opened import Opened, Options, Refusal, header_names, quoted

DELIMITERS = (",", ";", "\t", "|")
LOOK_AHEAD = 1 << 18


@dataclass(frozen=True)
class _Dialect:
    delimiter: str
    header: list[str]


def open_text(path: Path, options: Options, engine: ibis.BaseBackend, wanted: list[str]) -> Opened:
    """Text in a table of text, its rows numbered by line where lines can be counted."""
    with tempfile.TemporaryDirectory(prefix="crm_analysis_") as folder:
        utf8, n_lines = _as_utf8(path, options.encoding, Path(folder))
        dialect = _dialect(utf8, options, wanted)
        load = _load_split if dialect.delimiter == "whitespace" else _load_delimited
        name = load(engine, utf8, dialect, options.header)
    table = engine.table(name)
    n_rows = int(table.count().to_pyarrow().as_py())
    if not n_rows:
        engine.drop_table(name)
        raise Refusal("there are no rows below the header; export it again")
    first = 2 if options.header else 1
    # Quoted line ends and blank lines make lines uncountable: then rows are numbered.
    number, start = ("source_line", first) if n_rows + first - 1 == n_lines else ("source_row", 1)
    return Opened(
        table.mutate(**{number: table.rowid() + start}), path.name, parses_text=True, stored=(name,)
    )


def _as_utf8(path: Path, encoding: str | None, folder: Path) -> tuple[Path, int]:
    """File if it is UTF-8, else a transcoded copy; and its number of lines. Nothing is replaced."""
    found = encoding or _encoding_by_mark(path)
    copy = None if found in (None, "utf-8", "utf-8-sig") else folder / "utf8.txt"
    try:
        decoder = codecs.getincrementaldecoder(found or "utf-8")(errors="strict")
    except LookupError:
        raise Refusal(
            f"encoding {encoding!r} is not known; write one such as 'gb18030' or 'cp1252'"
        ) from None
    n_lines, last = 0, "\n"
    with (
        path.open("rb") as file,
        copy.open("w", encoding="utf-8", newline="") if copy else io.StringIO() as out,
    ):
        while True:
            block = file.read(1 << 20)
            text = _decoded(decoder, block, file.tell() - len(block), found)
            if "\x00" in text:
                raise Refusal(
                    "the text holds NUL characters; is it a damaged file, or UTF-16 without its mark?"
                )
            n_lines += text.count("\n")
            last = text[-1:] or last
            if copy:
                out.write(text)
            if not block:
                break
    return copy or path, n_lines + (last != "\n")


def _decoded(decoder: Any, block: bytes, offset: int, encoding: str | None) -> str:
    try:
        return decoder.decode(block, final=not block)
    except UnicodeDecodeError as error:
        found = error.object[error.start : error.start + 4]
        raise Refusal(
            f"byte {offset + error.start:,} is not {encoding or 'UTF-8'} ({found!r}); "
            "set encoding to what wrote the file, such as 'gb18030' or 'cp1252'"
        ) from None


def _encoding_by_mark(path: Path) -> str | None:
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else None


def _dialect(path: Path, options: Options, wanted: list[str]) -> _Dialect:
    """Delimiter and header that the first lines prove, or that the caller states."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        start = file.read(LOOK_AHEAD)
        whole = not file.read(1)
    stated = [options.delimiter] if options.delimiter else [*DELIMITERS, "whitespace"]
    tables = {delimiter: _records(start, delimiter, whole) for delimiter in stated}
    delimiter = options.delimiter or _settled(tables, wanted if options.header else [])
    if delimiter is None or not tables[delimiter]:
        raise Refusal(
            f"the delimiter is not clear from the first line {start.strip().splitlines()[:1]}; set delimiter "
            'to one of "," ";" "\\t" "|" or "whitespace"'
        )
    first = tables[delimiter][0]
    return _Dialect(delimiter, header_names(list(first)) if options.header else _numbered(first))


def _settled(tables: dict[str, list[list[str]]], wanted: list[str]) -> str | None:
    """Delimiter under which the header names the mapped columns; else the one that cuts all lines alike.

    Blanks are looked at last, since every text has some.
    """
    if all(len(row) == 1 for rows in tables.values() for row in rows):
        return DELIMITERS[0]
    evidence = (
        lambda rows: bool(wanted) and set(wanted) <= {name.strip() for name in rows[0]},
        lambda rows: len(rows[0]) > 1 and all(len(row) == len(rows[0]) for row in rows),
        lambda rows: bool(wanted) and len(rows[0]) > 1,
    )
    for proves in evidence:
        for candidates in (DELIMITERS, ("whitespace",)):
            found = [d for d in candidates if tables[d] and proves(tables[d])]
            if found:
                return found[0] if len(found) == 1 else None
    return None


def _numbered(row: list[str]) -> list[str]:
    return [str(i) for i in range(1, len(row) + 1)]


def _records(start: str, delimiter: str, whole: bool) -> list[list[str]]:
    """First records under a delimiter, without the last one, which may be cut."""
    if delimiter == "whitespace":
        rows = [line.split() for line in start.splitlines()]
    else:
        try:
            rows = list(
                itertools.islice(csv.reader(io.StringIO(start, newline=""), delimiter=delimiter), 1000)
            )
        except csv.Error:
            return []
    rows = [row for row in rows if row]
    return rows if whole or len(rows) < 2 else rows[:-1]


def _load_delimited(engine: ibis.BaseBackend, path: Path, dialect: _Dialect, header: bool) -> str:
    name = ibis.util.gen_name("source")
    try:
        engine.raw_sql(
            f"CREATE TABLE {name} AS FROM {_read_csv(path, dialect.header, dialect.delimiter, header)}"
        )
    except duckdb.Error as error:
        raise Refusal(_csv_problem(str(error), dialect)) from None
    return name


def _read_csv(path: Path, header: list[str], delimiter: str, has_header: bool, quote: str = '"') -> str:
    """DuckDB's reader with nothing left to detect."""
    columns = ", ".join(f"'{quoted(name)}': 'VARCHAR'" for name in header)
    return (
        f"read_csv('{quoted(path)}', auto_detect = false, columns = {{{columns}}}, header = {has_header}, "
        f"delim = '{delimiter}', quote = '{quote}', escape = '{quote}', strict_mode = true)"
    )


def _csv_problem(error: str, dialect: _Dialect) -> str:
    """DuckDB's complaint as a sentence with the line, and how many fields it has."""
    line = re.search(r"Line: (\d+)\nOriginal Line: ?\n?(.*)", error)
    if not line:
        return f"the text cannot be read ({error.splitlines()[0]}); export it again"
    found = f"line {line[1]} {line[2][:80]!r}"
    if "unterminated quote" in error:
        return f"{found} opens a quote that is never closed; put the quote right in the source"
    if "Expected Number of Columns" in error:
        n_fields = len(next(csv.reader([line[2]], delimiter=dialect.delimiter), []))
        return (
            f"{found} has {n_fields} fields, the header {len(dialect.header)} columns; "
            "quote values that contain the delimiter, or export with another one"
        )
    return f"{found} cannot be read ({error.splitlines()[3:4]}); put it right in the source"


def _load_split(engine: ibis.BaseBackend, path: Path, dialect: _Dialect, header: bool) -> str:
    """Lines cut at runs of blanks, as in tables of fixed width."""
    lines, name, n = ibis.util.gen_name("lines"), ibis.util.gen_name("source"), len(dialect.header)
    engine.raw_sql(f"CREATE TABLE {lines} AS FROM {_read_csv(path, ['line'], chr(1), header, quote='')}")
    try:
        trimmed = f"SELECT trim(line, ' ' || chr(9)) AS line, rowid AS i FROM {lines}"
        parts = f"SELECT string_split_regex(line, '\\s+') AS parts, i FROM ({trimmed}) WHERE line != ''"
        wrong = f"SELECT i, len(parts), parts FROM ({parts}) WHERE len(parts) != {n} ORDER BY i LIMIT 1"
        if (row := engine.raw_sql(wrong).fetchone()) is not None:
            raise Refusal(
                f"line {row[0] + 1 + header} {' '.join(row[2])[:80]!r} has {row[1]} fields, the first line "
                f"{n} columns; values that contain blanks need another delimiter"
            )
        cells = ", ".join(
            f'parts[{i}] AS "{_doubled(column)}"' for i, column in enumerate(dialect.header, start=1)
        )
        engine.raw_sql(f"CREATE TABLE {name} AS SELECT {cells} FROM ({parts}) ORDER BY i")
    finally:
        engine.drop_table(lines)
    return name


def _doubled(name: str) -> str:
    return name.replace('"', '""')
