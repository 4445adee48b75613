"""Where tables come from: files, packages, databases, frames; the only module that knows formats.

Files are read by DuckDB: text as text, with an explicit dialect that the file proves or the caller states,
then typed column by column (`values`). Database and Ibis tables stay where they are, in their own engine.
Whatever can be understood in two ways is refused with the option that settles it.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import functools
import importlib.util
import io
import itertools
import os
import re
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from crm_analysis.doors import values
from crm_analysis.doors.schema import Column, Schema, as_view, own
from crm_analysis.doors.verdict import Defect, Verdict
from crm_analysis.errors import ConfigError

DELIMITERS = (",", ";", "\t", "|")
LOOK_AHEAD = 1 << 18
BATCH = 50_000
MAX_COLUMNS = 2_000
Mapped = Mapping[str, str | dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the caller says about a source; each is needed only where the source does not prove it.

    table, sheet : which table of a database, which sheet of a workbook.
    delimiter : "," ";" tab "|" or "whitespace".     encoding : of a text that is not UTF-8.
    dates : "day first", "month first", "year first", "yyyymmdd", or a format such as "%d.%m.%y".
    decimal : "." or ",".     header : False where the first line is data; columns are then "1", "2", ...
    timezone : local business time, into which times with a zone are turned.
    source_timezone : zone of the times that carry none, where it is not the local one.
    folder : where relative paths start.
    """

    table: str | None = None
    sheet: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    dates: str | None = None
    decimal: str | None = None
    header: bool = True
    timezone: str | None = None
    source_timezone: str | None = None
    folder: Path | str = "."

    @classmethod
    def of(cls, given: Mapping[str, Any], *, door: str) -> Options:
        """Options with these values; a name that is no option is refused with the list of those that are."""
        known = [field.name for field in fields(cls)]
        if unknown := sorted(set(given) - set(known)):
            raise ConfigError(f"{door}: no option {', '.join(unknown)}; options: {known}")
        return cls(**given)

    @property
    def habits(self) -> values.Habits:
        """The part that concerns values."""
        return values.Habits(self.dates, self.decimal, self.timezone, self.source_timezone)


@dataclass(frozen=True)
class Opened:
    """A source as it is, nothing understood yet.

    table : all its columns; `source_line` or `source_row` numbers the rows where the source does.
    parses_text : its text may be parsed here, because it lies in our DuckDB and not in a database of others.
    stored : the DuckDB table that holds it, to be dropped once its values are typed.
    """

    table: ir.Table
    place: str
    parses_text: bool
    stored: str | None = None


@dataclass(frozen=True)
class SourceTable:
    """A canonical table: the schema's columns, typed; then the source's other columns as `source:NAME`."""

    table: ir.Table
    place: str


class _Refusal(Exception):
    """One sentence that refuses a source."""


def connect(
    *, memory_limit: str = "1500MB", threads: int | None = None, temp_directory: Path | None = None
) -> ibis.BaseBackend:
    """Open an embedded DuckDB in UTC, which downloads nothing and spills to disk beyond its memory limit."""
    settings: dict[str, Any] = {
        "memory_limit": memory_limit,
        "temp_directory": str(temp_directory or _spill()),
    }
    if threads:
        settings["threads"] = threads
    engine = ibis.duckdb.connect(":memory:", **settings)
    for line in (
        "TimeZone = 'UTC'",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
    ):
        engine.raw_sql(f"SET {line}")
    return own(engine)


def _spill() -> Path:
    return Path(tempfile.gettempdir()) / f"crm_analysis_{os.getpid()}"


@functools.cache
def default_engine() -> ibis.BaseBackend:
    """Return the DuckDB of this process, for sources that are read without a workspace."""
    return connect()


def read_table(
    source: Any, schema: Schema, *, columns: Mapped, engine: ibis.BaseBackend | None = None, **options: Any
) -> SourceTable:
    """Source as a canonical, typed table; text is parsed once, into DuckDB.

    Parameters
    ----------
    source : path, "package:NAME/path/inside", "env:VARIABLE" (a database URL), DataFrame or Ibis table.
    columns : canonical name -> name in the source; {} takes the columns that already have canonical names.
    options : see `Options`.

    Raises
    ------
    DataError
        With every problem found: columns missing, values unreadable or readable in two ways.
    """
    chosen = Options.of(options, door=schema.name)
    _check_names(schema, columns)
    place = _place(source)
    try:
        opened = _open(source, chosen, engine or default_engine(), _wanted(columns))
    except _Refusal as refusal:
        raise _refused(schema, [f"{place}: {refusal}"]) from None
    return _typed(opened, schema, columns, chosen)


def _refused(schema: Schema, sentences: list[str], defects: list[Defect] | None = None) -> Exception:
    found = [Defect("unreadable", "refuse", sentence) for sentence in sentences]
    return Verdict(schema.name, defects=(*found, *(defects or []))).refused()


def _check_names(schema: Schema, columns: Mapped) -> None:
    known = [column.name for column in schema.columns]
    if unknown := sorted(set(columns) - set(known)):
        raise ConfigError(
            f"{schema.name}: columns names {', '.join(unknown)}; a column may be one of {known}"
        )


def _wanted(columns: Mapped) -> list[str]:
    """Source columns that the mapping names."""
    named = [name if isinstance(name, str) else list(name.values()) for name in columns.values()]
    return list(itertools.chain.from_iterable([n] if isinstance(n, str) else n for n in named))


def _place(source: Any) -> str:
    if isinstance(source, (str, Path)):
        return str(source) if str(source).startswith("env:") else Path(str(source)).name
    return "DataFrame" if isinstance(source, pd.DataFrame) else "table"


# Opening --------------------------------------------------------------------------------------------------


def _open(source: Any, options: Options, engine: ibis.BaseBackend, wanted: list[str]) -> Opened:
    if isinstance(source, ir.Table):
        return Opened(source, _table_name(source), parses_text=False)
    if isinstance(source, pd.DataFrame):
        return _open_frame(source, engine)
    if not isinstance(source, (str, Path)):
        raise _Refusal(
            f"a {type(source).__name__} is no source; a path, a DataFrame or an Ibis table was expected"
        )
    if str(source).startswith("env:"):
        return _open_database(str(source), options)
    path = find_file(source, options.folder)
    return _opener(path)(path, options, engine, wanted)


def _table_name(table: ir.Table) -> str:
    return table.get_name() if hasattr(table.op(), "name") else "table"


def find_file(source: str | Path, folder: Path | str = ".") -> Path:
    """Path of a file source, `package:NAME/path/inside` included."""
    text = str(source)
    if text.startswith("package:"):
        name, _, inside = text.removeprefix("package:").partition("/")
        spec = importlib.util.find_spec(name)
        if spec is None or not spec.submodule_search_locations:
            raise _Refusal(f"no package {name!r} is installed; install it, or give the path of the file")
        path = Path(spec.submodule_search_locations[0]) / inside
    else:
        path = Path(folder) / source
    if not path.is_file():
        raise _Refusal(f"no such file: {path}; put it there, or correct the source")
    return path


def input_files(source: str, folder: Path | str = ".") -> list[Path]:
    """Files behind a file source: one, those of a folder, or those that a glob finds; sorted."""
    if source.startswith("package:"):
        return [find_file(source)]
    path = Path(folder) / source
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    if any(sign in source for sign in "*?["):
        root = Path(Path(source).anchor or folder)
        pattern = str(path.relative_to(root)) if Path(source).is_absolute() else source
        return sorted(file for file in root.glob(pattern) if file.is_file())
    return [path] if path.is_file() else []


def _opener(path: Path) -> Any:
    """How to open the file, by its first bytes and not by its name."""
    with path.open("rb") as file:
        head = file.read(16)
    if not head:
        raise _Refusal("the file is empty (0 bytes); export it again")
    if head.startswith(b"PAR1"):
        return _open_parquet
    if head.startswith(b"PK\x03\x04"):
        return _open_workbook
    if head.startswith(b"SQLite format 3"):
        return _open_sqlite
    if head[8:12] == b"DUCK":
        return _open_duckdb
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise _Refusal("this is an old Excel workbook (.xls); save it as .xlsx or as CSV")
    return _open_text


def _open_frame(frame: pd.DataFrame, engine: ibis.BaseBackend) -> Opened:
    if len(doubled := frame.columns[frame.columns.duplicated()]):
        raise _Refusal(f"the columns {sorted(set(map(str, doubled)))} are there twice; rename one of each")
    try:
        table = pa.Table.from_pandas(frame.rename(columns=str), preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise _Refusal(f"a column mixes types ({' '.join(map(str, error.args))}); make it one type") from None
    plain = [_plain(field) for field in table.schema]
    return _stored(engine, table.cast(pa.schema(plain)), "DataFrame")


def _plain(field: pa.Field) -> pa.Field:
    """Categories as their values, columns of nothing as text."""
    if pa.types.is_null(field.type):
        return field.with_type(pa.string())
    return field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field


def _stored(engine: ibis.BaseBackend, table: pa.Table, place: str) -> Opened:
    name = ibis.util.gen_name("source")
    engine.create_table(name, table)
    return Opened(engine.table(name), place, parses_text=True, stored=name)


def _open_parquet(path: Path, options: Options, engine: ibis.BaseBackend, wanted: list[str]) -> Opened:
    try:
        table = engine.read_parquet(path, table_name=ibis.util.gen_name("parquet"))
    except duckdb.Error as error:
        raise _Refusal(
            f"the Parquet file is damaged ({str(error).splitlines()[0]}); export it again"
        ) from None
    return Opened(table, path.name, parses_text=True)


def _open_duckdb(path: Path, options: Options, engine: ibis.BaseBackend, wanted: list[str]) -> Opened:
    alias = f"file_{abs(hash(str(path.resolve())))}"
    try:
        engine.raw_sql(f"ATTACH IF NOT EXISTS '{_quoted(path)}' AS {alias} (READ_ONLY)")
    except duckdb.Error as error:
        raise _Refusal(f"the DuckDB file cannot be opened ({str(error).splitlines()[0]})") from None
    there = f"SELECT table_name FROM information_schema.tables WHERE table_catalog = '{alias}'"
    tables = sorted(name for (name,) in engine.raw_sql(there).fetchall())
    name = _chosen(options.table, tables, "table")
    return Opened(
        engine.table(name, database=(alias, "main")), f"{path.name}, table {name}", parses_text=True
    )


def _chosen(asked: str | None, there: list[str], what: str) -> str:
    """Table or sheet that is meant: the one asked for, or the only one."""
    if asked is None and len(there) == 1:
        return there[0]
    if asked is None:
        raise _Refusal(f"holds {len(there)} {what}s, {there}; set {what} to the one that is meant")
    if asked not in there:
        raise _Refusal(f"has no {what} {asked!r}; {what}s there: {there}")
    return asked


def _quoted(text: Any) -> str:
    return str(text).replace("'", "''")


def _open_sqlite(path: Path, options: Options, engine: ibis.BaseBackend, wanted: list[str]) -> Opened:
    database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        names = database.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
        tables = sorted(name for (name,) in names if not name.startswith("sqlite_"))
        name = _chosen(options.table, tables, "table")
        rows = database.execute('SELECT * FROM "{}"'.format(name.replace('"', '""')))
        header = [column[0] for column in rows.description]
        return _cells(engine, header, enumerate(rows, start=1), f"{path.name}, table {name}")
    except sqlite3.DatabaseError as error:
        raise _Refusal(f"the SQLite file cannot be read ({error})") from None
    finally:
        database.close()


def _cells(
    engine: ibis.BaseBackend, header: list[str], rows: Iterator[tuple[int, Any]], place: str
) -> Opened:
    """Rows of untyped cells as a table of text, in batches; `source_row` is the number of the row."""
    name = ibis.util.gen_name("source")
    schema = pa.schema([(column, pa.string()) for column in header] + [("source_row", pa.int64())])
    engine.create_table(name, schema=ibis.Schema.from_pyarrow(schema))
    while batch := list(itertools.islice(rows, BATCH)):
        texts = [[*map(_text, cells), number] for number, cells in batch]
        arrow = pa.table(list(map(list, zip(*texts, strict=True))), schema=schema)
        engine.insert(name, arrow)
    return Opened(engine.table(name), place, parses_text=True, stored=name)


def _text(cell: Any) -> str | None:
    """Text of a cell, such that reading it gives the cell back."""
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else f"{cell:.12f}".rstrip("0")
    if isinstance(cell, dt.datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, bytes):
        raise _Refusal("holds binary values; select the other columns in a view")
    return str(cell)


def _open_workbook(path: Path, options: Options, engine: ibis.BaseBackend, wanted: list[str]) -> Opened:
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:
        raise _Refusal(f"the workbook cannot be opened ({error}); save it again as .xlsx or as CSV") from None
    try:
        filled = [sheet.title for sheet in book.worksheets if any(_filled(sheet))]
        name = _chosen(options.sheet, filled, "sheet")
        rows = _filled(book[name])
        header = _header([_text(cell) for cell in next(rows)[1]])
        return _cells(engine, header, _as_wide(rows, len(header)), f"{path.name}, sheet {name}")
    finally:
        book.close()


def _filled(sheet: Any) -> Iterator[tuple[int, Any]]:
    """Row number and cells of every row that has any content."""
    for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
        if any(cell not in (None, "") for cell in cells):
            yield number, cells


def _as_wide(rows: Iterator[tuple[int, Any]], n_columns: int) -> Iterator[tuple[int, Any]]:
    for number, cells in rows:
        if any(cell is not None for cell in cells[n_columns:]):
            raise _Refusal(
                f"row {number} has {len(cells)} cells, the header {n_columns}; give every column a name"
            )
        yield number, [*cells[:n_columns], *[None] * (n_columns - len(cells))]


def _header(names: list[str | None]) -> list[str]:
    """Names of the columns, each there and there once; empty ones at the end belong to no column."""
    while names and not (names[-1] or "").strip():
        names = names[:-1]
    found = [(name or "").strip() for name in names]
    if not all(found):
        raise _Refusal(
            f"the header {found} has columns without a name; the first row must name all columns: "
            "delete what is above it"
        )
    if doubled := sorted({name for name in found if found.count(name) > 1}):
        raise _Refusal(f"the header names {doubled} twice (duplicate columns); rename one of each")
    if len(found) > MAX_COLUMNS:
        raise _Refusal(f"the header has {len(found)} columns, at most {MAX_COLUMNS} are read; export fewer")
    return found


def _open_database(source: str, options: Options) -> Opened:
    variable = source.removeprefix("env:")
    if not (url := os.environ.get(variable)):
        raise _Refusal(f"the environment variable {variable} is not set; set it to the URL of the database")
    if options.table is None:
        raise _Refusal('a database needs table = "NAME" or "SCHEMA.NAME"')
    schema, _, name = options.table.rpartition(".")
    try:
        database = ibis.connect(url)
    except Exception as error:
        # The text of the error may hold the password.
        raise _Refusal(
            f"the database cannot be reached ({type(error).__name__}); check the URL in {variable}"
        ) from None
    try:
        return Opened(
            database.table(name, database=schema or None), f"table {options.table}", parses_text=False
        )
    except Exception as error:
        raise _Refusal(f"no table {options.table!r} there ({type(error).__name__}); check table") from None


# Text -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Dialect:
    delimiter: str
    header: list[str]


def _open_text(path: Path, options: Options, engine: ibis.BaseBackend, wanted: list[str]) -> Opened:
    with tempfile.TemporaryDirectory(prefix="crm_analysis_") as folder:
        utf8, n_lines = _as_utf8(path, options.encoding, Path(folder))
        dialect = _dialect(utf8, options, wanted)
        load = _load_split if dialect.delimiter == "whitespace" else _load_delimited
        name = load(engine, utf8, dialect, options.header)
    table = engine.table(name)
    n_rows = int(table.count().to_pyarrow().as_py())
    if not n_rows:
        engine.drop_table(name)
        raise _Refusal("there are no rows below the header; export it again")
    first = 2 if options.header else 1
    # Quoted line ends and blank lines make lines uncountable: then rows are numbered.
    number, start = ("source_line", first) if n_rows + first - 1 == n_lines else ("source_row", 1)
    return Opened(table.mutate(**{number: table.rowid() + start}), path.name, parses_text=True, stored=name)


def _as_utf8(path: Path, encoding: str | None, folder: Path) -> tuple[Path, int]:
    """File if it is UTF-8, else a transcoded copy; and its number of lines. Nothing is replaced."""
    found = encoding or _encoding_by_mark(path)
    copy = None if found in (None, "utf-8", "utf-8-sig") else folder / "utf8.txt"
    try:
        decoder = codecs.getincrementaldecoder(found or "utf-8")(errors="strict")
    except LookupError:
        raise _Refusal(
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
                raise _Refusal(
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
        raise _Refusal(
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
        raise _Refusal(
            f"the delimiter is not clear from the first line {start.strip().splitlines()[:1]}; set delimiter "
            'to one of "," ";" "\\t" "|" or "whitespace"'
        )
    first = tables[delimiter][0]
    return _Dialect(delimiter, _header(list(first)) if options.header else _numbered(first))


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
        raise _Refusal(_csv_problem(str(error), dialect)) from None
    return name


def _read_csv(path: Path, header: list[str], delimiter: str, has_header: bool, quote: str = '"') -> str:
    """DuckDB's reader with nothing left to detect."""
    columns = ", ".join(f"'{_quoted(name)}': 'VARCHAR'" for name in header)
    return (
        f"read_csv('{_quoted(path)}', auto_detect = false, columns = {{{columns}}}, header = {has_header}, "
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
            raise _Refusal(
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


# Typing ---------------------------------------------------------------------------------------------------


def _typed(opened: Opened, schema: Schema, columns: Mapped, options: Options) -> SourceTable:
    """Canonical columns of an opened source; everything that cannot be read, or is not there, at once."""
    mapping = columns or {c.name: c.name for c in schema.columns if c.name in opened.table.columns}
    problems = _absent(opened, schema, mapping)
    readings: dict[str, values.Reading] = {}
    for column, name in _parts(schema, mapping):
        if name not in opened.table.columns:
            continue
        try:
            raw = opened.table[name]
            readings[column.name] = values.read_column(
                column, raw, habits=options.habits, parses_text=opened.parses_text
            )
        except values.Unclear as unclear:
            problems.append(f"{opened.place}: column {name!r} (for {column.name}) {unclear}")
    names = {column.name: name for column, name in _parts(schema, mapping)}
    counts = _count(opened, readings)
    defects = _unreadable(opened, readings, names, counts)
    if problems or defects:
        raise _refused(schema, problems, defects)
    typed = {name: r.value if counts.get(f"empty {name}", 1) else r.text for name, r in readings.items()}
    table = _projection(opened, mapping, typed, names)
    slow = opened.stored is not None or (opened.parses_text and any(r.slow for r in readings.values()))
    return SourceTable(_written(table, opened.stored) if slow else as_view(table), opened.place)


def _absent(opened: Opened, schema: Schema, mapping: Mapped) -> list[str]:
    """Sentences about required columns that are not mapped, and mapped ones that are not there."""
    present = [name for name in opened.table.columns if name not in ("source_line", "source_row")]
    known = f"columns present: {present}"
    unmapped = [
        f"{opened.place}: no column is mapped to {name}, which {schema.name} needs; {known}; "
        f"set columns = {{ {name} = ... }}"
        for name in schema.required
        if name not in mapping
    ]
    return unmapped + [
        f"{opened.place}: no column {name!r} (for {column.name}); {known}; correct columns, or the export"
        for column, name in _parts(schema, mapping)
        if name not in present
    ]


def _parts(schema: Schema, mapping: Mapped) -> list[tuple[Column, str]]:
    """Canonical column and source name; an amount of `{quantity, unit_price}` is read as its two parts."""
    found: dict[str, tuple[Column, str]] = {}
    for name, where in mapping.items():
        if isinstance(where, str):
            found[name] = (schema.column(name), where)
        elif set(where) == {"quantity", "unit_price"} and schema.column(name).kind == "money":
            found |= {part: (schema.column(part), where[part]) for part in where}
        else:
            raise ConfigError(
                f"{schema.name}: columns.{name} = {dict(where)}: a name was expected, or for an amount "
                "{ quantity = ..., unit_price = ... }"
            )
    return list(found.values())


def _count(opened: Opened, readings: dict[str, values.Reading]) -> dict[str, int]:
    """Rows in all; per column those that are unreadable, and those with a word for nothing."""
    asked = {
        f"{what} {name}": where.sum()
        for name, reading in readings.items()
        for what, where in (("unreadable", reading.unreadable), ("empty", reading.empty))
        if where is not None and not where.equals(ibis.literal(False))
    }
    if not asked:
        return {}
    counts = opened.table.agg(rows=opened.table.count(), **asked).to_pyarrow().to_pylist()[0]
    return {name: int(n or 0) for name, n in counts.items()}


def _unreadable(
    opened: Opened, readings: dict[str, values.Reading], names: dict[str, str], counts: dict[str, int]
) -> list[Defect]:
    """Values that have no reading, per column, with the first of them and their lines."""
    return [
        _unreadable_defect(opened, reading, names[name], name, n, counts["rows"])
        for name, reading in readings.items()
        if (n := counts.get(f"unreadable {name}", 0))
    ]


def _unreadable_defect(
    opened: Opened, reading: values.Reading, source: str, name: str, n_bad: int, n_rows: int
) -> Defect:
    number = next((c for c in ("source_line", "source_row") if c in opened.table.columns), None)
    bad = opened.table.filter(reading.unreadable).select(
        *([number] if number else []), value=reading.text.cast("string")
    )
    rows = bad.order_by(number or "value").limit(3).to_pyarrow().to_pylist()
    where = [f"{number.removeprefix('source_')} {r[number]} " if number else "" for r in rows]
    shown = tuple(f"{place}{row['value']!r}" for place, row in zip(where, rows, strict=True))
    found = (
        f"{opened.place}: column {source!r} (for {name}): {n_bad:,} of {n_rows:,} values cannot be read: "
        f"{', '.join(shown)}{', ...' if n_bad > len(shown) else ''}; {reading.expected} was expected; "
        "put them right in the source, or leave them empty"
    )
    return Defect(f"{name} unreadable", "refuse", found, n_bad, n_bad / n_rows, examples=shown)


def _projection(
    opened: Opened, mapping: Mapped, typed: dict[str, ir.Value], names: dict[str, str]
) -> ir.Table:
    """Typed columns, amounts multiplied out, row numbers, and the source's other columns as they are."""
    for name, where in mapping.items():
        if not isinstance(where, str):
            typed[name] = values.product(typed["quantity"], typed["unit_price"])
    numbers = {c: opened.table[c] for c in ("source_line", "source_row") if c in opened.table.columns}
    used = set(names.values()) | set(numbers)
    others = {f"source:{c}": opened.table[c] for c in opened.table.columns if c not in used}
    return opened.table.select(**typed, **numbers, **others)


def _written(table: ir.Table, stored: str | None) -> ir.Table:
    """Write typed values down once, where each pass would parse text or convert times again."""
    engine = table.get_backend()
    name = ibis.util.gen_name("typed")
    engine.create_table(name, table)
    if stored:
        engine.drop_table(stored)
    return engine.table(name)
