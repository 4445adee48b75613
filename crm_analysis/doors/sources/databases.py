"""Tables of databases: files of DuckDB and SQLite, and databases that an environment variable names."""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import ibis

from crm_analysis.doors.sources.cell import Broken
from crm_analysis.doors.sources.cells import Part, read_cells
from crm_analysis.doors.sources.headers import Row
from crm_analysis.doors.sources.opened import Opened, Options, Refusal, chosen, named, quoted, shown

# Seconds that a program may take to write to a file that is read.
BUSY = 1.0
# Bytes at the beginning of a SQLite file that say how it is laid out.
HEADER = 100


def open_duckdb(path: Path, options: Options, engine: ibis.BaseBackend, wanted: Sequence[str]) -> Opened:
    """Table or view of a DuckDB file, left where it is."""
    try:
        alias = _attached(path.resolve(), engine)
    except duckdb.Error as error:
        first = shown(str(error).splitlines()[0])
        raise Refusal(
            f"the DuckDB file cannot be opened ({first}); close what writes to it, or export "
            "the table as Parquet"
        ) from None
    there = f"SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = '{alias}'"
    tables = {(n if s == "main" else f"{s}.{n}"): (s, n) for s, n in engine.raw_sql(there).fetchall()}
    (label,) = chosen(options.table, sorted(tables), "table")
    schema, name = tables[label]
    try:
        table = engine.table(name, database=(alias, schema))
    except Exception as error:
        raise Refusal(
            f"table {label!r} cannot be read ({type(error).__name__}: {shown(error)[:200]})"
        ) from None
    return Opened(table, f"{shown(path.name)}, table {shown(label)}", parses_text=True)


def _attached(path: Path, engine: ibis.BaseBackend) -> str:
    """Name under which a file is attached; a file that has changed since is attached anew."""
    state = path.stat()
    alias = f"file_{abs(hash((str(path), state.st_ino, state.st_size, state.st_mtime_ns)))}"
    there = f"SELECT database_name FROM duckdb_databases() WHERE path = '{quoted(path)}'"
    old = [name for (name,) in engine.raw_sql(there).fetchall()]
    for name in old:
        if name != alias:
            engine.raw_sql(f"DETACH {named(name)}")
    if alias not in old:
        engine.raw_sql(f"ATTACH '{quoted(path)}' AS {alias} (READ_ONLY)")
    return alias


def open_sqlite(path: Path, options: Options, engine: ibis.BaseBackend, wanted: Sequence[str]) -> Opened:
    """Table or view of a SQLite file: its columns have no types, its cells have."""
    _check_whole(path)
    try:
        with closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY)
        ) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            _check_pages(path, database)
            names = database.execute(
                "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
            ).fetchall()
            tables = sorted(name for (name,) in names if not name.startswith("sqlite_"))
            (name,) = chosen(options.table, tables, "table")
            part = Part(name, _rows(database, name, path.stat().st_size))
            place = f"{shown(path.name)}, table {shown(name)}"
            plain = Options(decimal=options.decimal)
            return read_cells([part], place, plain, engine, wanted)[0]
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise Refusal(
            f"the SQLite file cannot be read ({shown(error)}); close what writes to it, or export it again"
        ) from None


def _check_whole(path: Path) -> None:
    """Refuse a SQLite file that was cut: SQLite itself takes the rows that are no more there for NULL.

    The size in the header counts where the last program that wrote kept it; a log beside the file may hold
    pages that are not in it yet.
    """
    with path.open("rb") as file:
        head = file.read(HEADER)
    if len(head) < HEADER:
        raise Refusal(f"the SQLite file is cut short ({len(head)} bytes); export it again")
    page, n_pages = int.from_bytes(head[16:18]), int.from_bytes(head[28:32])
    should, size = (65_536 if page == 1 else page) * n_pages, path.stat().st_size
    if _is_size_kept(head) and size < should and not _has_log(path):
        raise Refusal(
            f"the SQLite file is cut short: {size:,} of {should:,} bytes are there; export it again"
        )


def _check_pages(path: Path, database: sqlite3.Connection) -> None:
    """Let SQLite look at all pages where the header does not say how many there are."""
    with path.open("rb") as file:
        head = file.read(HEADER)
    if not _is_size_kept(head) or _has_log(path):
        (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise Refusal(f"the SQLite file is damaged ({shown(found)[:200]}); export it again")


def _is_size_kept(head: bytes) -> bool:
    return head[24:28] == head[92:96] and head[28:32] != bytes(4)


def _has_log(path: Path) -> bool:
    log = path.with_name(f"{path.name}-wal")
    return log.is_file() and log.stat().st_size > 0


def _rows(database: sqlite3.Connection, table: str, size: int) -> Iterator[Row]:
    """Names of the columns, then the rows from 1 on."""
    rows = database.execute(f"SELECT * FROM {named(table)}")
    yield 0, [column[0] for column in rows.description]
    for number, cells in enumerate(rows, start=1):
        if number > size:
            raise Refusal(f"the view {table!r} has more rows than its file has bytes; read a table instead")
        yield number, [Broken("binary data") if isinstance(cell, bytes) else cell for cell in cells]


def open_database(source: str, options: Options) -> Opened:
    """Table of the database whose URL is in an environment variable."""
    variable = source.removeprefix("env:")
    if not (url := os.environ.get(variable)):
        raise Refusal(f"the environment variable {variable} is not set; set it to the URL of the database")
    if options.table is None:
        raise Refusal('a database needs table = "NAME" or "SCHEMA.NAME"')
    try:
        database = ibis.connect(url)
    except Exception as error:
        # The text of the error may hold the password.
        raise Refusal(
            f"the database cannot be reached ({type(error).__name__}); check the URL in {variable}"
        ) from None
    found = _found_table(database, options.table)
    return Opened(found, f"table {shown(options.table)}", parses_text=False)


def _found_table(database: Any, asked: str) -> Any:
    """Table of that name, or the one after the dot in the schema before it."""
    schema, _, name = asked.rpartition(".")
    tried = [(asked, None), *([(name, schema)] if schema else [])]
    problem: Exception = LookupError()
    for each, place in itertools.chain(tried):
        try:
            return database.table(each, database=place)
        except Exception as error:
            # Its text, too, may hold more than it should.
            problem = error
    raise Refusal(f"no table {asked!r} there ({type(problem).__name__}); check table") from None
