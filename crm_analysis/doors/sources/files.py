"""Files, frames and databases as tables, told apart by what they hold and not by what they are called."""

from __future__ import annotations

import datetime as dt
import importlib.util
import itertools
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from crm_analysis.doors.schema import PLACES
from crm_analysis.doors.sources.opened import Opened, Options, Refusal, header_names, quoted
from crm_analysis.doors.sources.text import open_text

BATCH = 50_000


def open_source(source: Any, options: Options, engine: ibis.BaseBackend, wanted: list[str]) -> Opened:
    """Source as a table of all its columns; `wanted` are the names that the mapping uses."""
    if isinstance(source, ir.Table):
        return Opened(source, _table_name(source), parses_text=False)
    if isinstance(source, pd.DataFrame):
        return _open_frame(source, engine)
    if not isinstance(source, (str, Path)):
        raise Refusal(
            f"a {type(source).__name__} is no source; a path, a DataFrame or an Ibis table was expected"
        )
    if str(source).startswith("env:"):
        return _open_database(str(source), options)
    paths = _several(str(source), options.folder) or [find_file(source, options.folder)]
    opened = [_opener(path)(path, options, engine, wanted) for path in paths]
    return opened[0] if len(opened) == 1 else _stacked(opened)


def _several(source: str, folder: Path | str) -> list[Path]:
    """Files of a folder or a glob; none where the source is one file."""
    files = input_files(source, folder)
    return files if len(files) > 1 or _is_glob(source) else []


def _is_glob(source: str) -> bool:
    return any(sign in source for sign in "*?[")


def _stacked(opened: list[Opened]) -> Opened:
    """Files with one and the same header, one below the other."""
    first = opened[0]
    for other in opened[1:]:
        if _columns(other) != _columns(first):
            raise Refusal(
                f"{other.place} has the columns {_columns(other)}, {first.place} {_columns(first)}; "
                "files that are read together need the same columns in the same order"
            )
    numbered = all(other.table.columns == first.table.columns for other in opened)
    shown = first.table.columns if numbered else _columns(first)
    tables = [each.table.select(*shown, source_file=ibis.literal(each.place)) for each in opened]
    stored = tuple(itertools.chain.from_iterable(each.stored for each in opened))
    return Opened(ibis.union(*tables), f"{len(opened)} files", parses_text=True, stored=stored)


def _columns(opened: Opened) -> list[str]:
    return [name for name in opened.table.columns if name not in PLACES]


def _table_name(table: ir.Table) -> str:
    name = table.get_name() if hasattr(table.op(), "name") else ""
    return "table" if not name or name.startswith("ibis_") else f"table {name}"


def find_file(source: str | Path, folder: Path | str = ".") -> Path:
    """Path of a file source, `package:NAME/path/inside` included."""
    text = str(source)
    if text.startswith("package:"):
        name, _, inside = text.removeprefix("package:").partition("/")
        spec = importlib.util.find_spec(name)
        if spec is None or not spec.submodule_search_locations:
            raise Refusal(f"no package {name!r} is installed; install it, or give the path of the file")
        path = Path(spec.submodule_search_locations[0]) / inside
    else:
        path = Path(folder) / source
    if not path.is_file():
        raise Refusal(f"no such file: {path}; put it there, or correct the source")
    return path


def input_files(source: str, folder: Path | str = ".") -> list[Path]:
    """Files behind a file source, sorted: one, those of a folder or of a glob; none where none is there."""
    if source.startswith("package:"):
        try:
            return [find_file(source)]
        except Refusal:
            return []
    path = Path(folder) / source
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    if _is_glob(source):
        root = Path(Path(source).anchor or folder)
        pattern = str(path.relative_to(root)) if Path(source).is_absolute() else source
        return sorted(file for file in root.glob(pattern) if file.is_file())
    return [path] if path.is_file() else []


def _opener(path: Path) -> Any:
    """How to open the file, by its first bytes and not by its name."""
    with path.open("rb") as file:
        head = file.read(16)
    if not head:
        raise Refusal("the file is empty (0 bytes); export it again")
    if head.startswith(b"PAR1"):
        return _open_parquet
    if head.startswith(b"PK\x03\x04"):
        return _open_workbook
    if head.startswith(b"SQLite format 3"):
        return _open_sqlite
    if head[8:12] == b"DUCK":
        return _open_duckdb
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise Refusal("this is an old Excel workbook (.xls); save it as .xlsx or as CSV")
    return open_text


def _open_frame(frame: pd.DataFrame, engine: ibis.BaseBackend) -> Opened:
    if len(doubled := frame.columns[frame.columns.duplicated()]):
        raise Refusal(f"the columns {sorted(set(map(str, doubled)))} are there twice; rename one of each")
    try:
        table = pa.Table.from_pandas(frame.rename(columns=str), preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise Refusal(f"a column mixes types ({' '.join(map(str, error.args))}); make it one type") from None
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
    return Opened(engine.table(name), place, parses_text=True, stored=(name,))


def _open_parquet(path: Path, options: Options, engine: ibis.BaseBackend, wanted: list[str]) -> Opened:
    try:
        table = engine.read_parquet(path, table_name=ibis.util.gen_name("parquet"))
    except duckdb.Error as error:
        raise Refusal(
            f"the Parquet file is damaged ({str(error).splitlines()[0]}); export it again"
        ) from None
    return Opened(table, path.name, parses_text=True)


def _open_duckdb(path: Path, options: Options, engine: ibis.BaseBackend, wanted: list[str]) -> Opened:
    alias = f"file_{abs(hash(str(path.resolve())))}"
    try:
        engine.raw_sql(f"ATTACH IF NOT EXISTS '{quoted(path)}' AS {alias} (READ_ONLY)")
    except duckdb.Error as error:
        raise Refusal(f"the DuckDB file cannot be opened ({str(error).splitlines()[0]})") from None
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
        raise Refusal(f"holds {len(there)} {what}s, {there}; set {what} to the one that is meant")
    if asked not in there:
        raise Refusal(f"has no {what} {asked!r}; {what}s there: {there}")
    return asked


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
        raise Refusal(f"the SQLite file cannot be read ({error})") from None
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
    return Opened(engine.table(name), place, parses_text=True, stored=(name,))


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
        raise Refusal("holds binary values; select the other columns in a view")
    return str(cell)


def _open_workbook(path: Path, options: Options, engine: ibis.BaseBackend, wanted: list[str]) -> Opened:
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:
        raise Refusal(f"the workbook cannot be opened ({error}); save it again as .xlsx or as CSV") from None
    try:
        filled = [sheet.title for sheet in book.worksheets if any(_filled(sheet))]
        name = _chosen(options.sheet, filled, "sheet")
        rows = _filled(book[name])
        header = header_names([_text(cell) for cell in next(rows)[1]])
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
            raise Refusal(
                f"row {number} has {len(cells)} cells, the header {n_columns}; give every column a name"
            )
        yield number, [*cells[:n_columns], *[None] * (n_columns - len(cells))]


def _open_database(source: str, options: Options) -> Opened:
    variable = source.removeprefix("env:")
    if not (url := os.environ.get(variable)):
        raise Refusal(f"the environment variable {variable} is not set; set it to the URL of the database")
    if options.table is None:
        raise Refusal('a database needs table = "NAME" or "SCHEMA.NAME"')
    schema, _, name = options.table.rpartition(".")
    try:
        database = ibis.connect(url)
    except Exception as error:
        # The text of the error may hold the password.
        raise Refusal(
            f"the database cannot be reached ({type(error).__name__}); check the URL in {variable}"
        ) from None
    try:
        return Opened(
            database.table(name, database=schema or None), f"table {options.table}", parses_text=False
        )
    except Exception as error:
        raise Refusal(f"no table {options.table!r} there ({type(error).__name__}); check table") from None
