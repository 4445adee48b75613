"""Sources told apart by what they hold and not by what they are called."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pandas as pd

from crm_analysis.doors.sources.databases import open_database, open_duckdb, open_sqlite
from crm_analysis.doors.sources.frames import open_frame
from crm_analysis.doors.sources.gzipped import GZIP, unpacked
from crm_analysis.doors.sources.html import is_html, open_html
from crm_analysis.doors.sources.opened import Opened, Options, Refusal, held_still, shown
from crm_analysis.doors.sources.parquet import open_parquet
from crm_analysis.doors.sources.paths import files_and_litter, find_file, is_glob
from crm_analysis.doors.sources.stacked import stack
from crm_analysis.doors.sources.text import open_text
from crm_analysis.doors.sources.workbook import open_workbook

Opener = Callable[[Path, Options, ibis.BaseBackend, list[str]], Opened]
HEAD = 4096
# What a file begins with, and how it is opened.
OPENERS: dict[bytes, Opener] = {
    b"PAR1": open_parquet,
    b"PK\x03\x04": open_workbook,
    b"SQLite format 3\0": open_sqlite,
}
# What a file begins with that is not read, and what to say of it.
OTHERS = {
    b"BZh": "is compressed (bzip2); unpack it first",
    b"\xfd7zXZ": "is compressed (xz); unpack it first",
    b"\x28\xb5\x2f\xfd": "is compressed (zstd); unpack it first",
    b"7z\xbc\xaf": "is an archive (7z); unpack it first",
    b"Rar!\x1a": "is an archive (rar); unpack it first",
    b"PK\x05\x06": "is an empty zip archive; export it again",
    b"%PDF": "is a PDF; export the table as .xlsx or CSV",
    b"\x89PNG": "is a picture; export the table as .xlsx or CSV",
    b"\xff\xd8\xff": "is a picture; export the table as .xlsx or CSV",
    b"Obj\x01": "is an Avro file; export the table as Parquet",
    b"ARROW1": "is an Arrow file; export the table as Parquet",
    b"MIME-Version:": "is a web archive (MHTML); open it in Excel and save it as .xlsx",
}
OLE = b"\xd0\xcf\x11\xe0"
JSON = re.compile(rb'(?:\[\s*)?(?:\{\s*"[^"]*"\s*:|\[\s*")|\[\s*\]\s*$')
# Far enough into an old Office file to see the list of its parts.
OLE_LOOK = 64 << 20


def open_source(source: Any, options: Options, engine: ibis.BaseBackend, wanted: list[str]) -> Opened:
    """Source as a table of all its columns; `wanted` are the names that the mapping uses."""
    if isinstance(source, ir.Table):
        return Opened(source, _table_name(source), parses_text=False)
    if isinstance(source, pd.DataFrame):
        return open_frame(source, engine)
    if not isinstance(source, (str, Path)):
        raise Refusal(
            f"a {type(source).__name__} is no source; a path, a DataFrame or an Ibis table was expected"
        )
    if str(source).startswith("env:"):
        return open_database(str(source), options)
    try:
        return _open_files(str(source), options, engine, wanted)
    except duckdb.Error as error:
        raise Refusal(f"DuckDB cannot read it ({shown(error)[:300]}); export it again") from None
    except (OSError, ValueError) as error:
        raise Refusal(
            f"the file cannot be read ({shown(error)}); check its name and who may read it"
        ) from None


def _table_name(table: ir.Table) -> str:
    name = table.get_name() if hasattr(table.op(), "name") else ""
    return "table" if not name or name.startswith("ibis_") else f"table {name}"


def _open_files(source: str, options: Options, engine: ibis.BaseBackend, wanted: list[str]) -> Opened:
    if source.startswith("package:"):
        return _open_file(find_file(source), options, engine, wanted)
    paths, litter = files_and_litter(source, options.folder)
    if not paths:
        return _open_file(_one_file(source, options.folder, len(litter)), options, engine, wanted)
    opened = [_named(path, len(paths) > 1, options, engine, wanted) for path in paths]
    found = opened[0] if len(opened) == 1 else stack(opened, engine, options.decimal)
    names = ", ".join(shown(path.name) for path in litter[:3])
    return found.reading_also(f"{len(litter)} files beside the data skipped: {names}") if litter else found


def _one_file(source: str, folder: Path | str, n_litter: int) -> Path:
    """Path of a source that is one file; a sentence where it is a folder or a glob of none."""
    path = Path(folder) / source
    if path.is_dir() or (is_glob(source) and not path.exists()):
        beside = f" but {n_litter} that hold no data" if n_litter else ""
        raise Refusal(f"no files there{beside}: {shown(path)}; put them there, or correct the source")
    return find_file(source, folder)


def _named(
    path: Path, one_of_several: bool, options: Options, engine: ibis.BaseBackend, wanted: list[str]
) -> Opened:
    """Open a file; where it is one of several, what refuses it says which."""
    try:
        return _open_file(path, options, engine, wanted)
    except Refusal as refusal:
        raise (Refusal(f"{shown(path.name)}: {refusal}") if one_of_several else refusal) from None


def _open_file(path: Path, options: Options, engine: ibis.BaseBackend, wanted: list[str]) -> Opened:
    with held_still(path):
        opened = _opener(path)(path, options, engine, wanted)
    return replace(opened, place=shown(opened.place))


def _opener(path: Path) -> Opener:
    """How to open the file, by its first bytes and not by its name."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        raise Refusal("the file is empty (0 bytes); export it again")
    for start, opener in OPENERS.items():
        if head.startswith(start):
            return opener
    if head[8:12] == b"DUCK":
        return open_duckdb
    if head.startswith(GZIP):
        return _open_gzip
    for start, sentence in OTHERS.items():
        if head.startswith(start):
            raise Refusal(f"the file {sentence}")
    if head.startswith(OLE):
        raise Refusal(_old_office(path))
    text = _plain(head)
    if b"schemas-microsoft-com:office:spreadsheet" in text or b'progid="Excel.Sheet"' in text:
        raise Refusal("this is an XML spreadsheet (2003); open it in Excel and save it as .xlsx or as CSV")
    if is_html(text):
        return open_html
    if text.startswith(b"<?xml"):
        raise Refusal("this is XML; export the table as .xlsx or CSV")
    if JSON.match(text):
        raise Refusal("this is JSON; export the table as CSV")
    return open_text


def _open_gzip(path: Path, options: Options, engine: ibis.BaseBackend, wanted: list[str]) -> Opened:
    """Text in a compressed file."""
    with unpacked(path) as copy:
        if not is_delimited_text(copy):
            raise Refusal("the file is compressed (gzip) and holds no text; unpack it first")
        return open_text(copy, options, engine, wanted)


def is_delimited_text(path: Path) -> bool:
    """Whether a file is none of the other formats."""
    return _opener(path) is open_text


def _plain(head: bytes) -> bytes:
    """First bytes without a byte order mark, as UTF-8."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        head = head.decode("utf-16", errors="ignore").encode()
    return head.removeprefix(codecs.BOM_UTF8).lstrip()


def _old_office(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(OLE_LOOK)
    if "EncryptedPackage".encode("utf-16-le") in content:
        return "the workbook is locked with a password; open it in Excel and save it without one"
    return "this is an old Excel workbook (.xls); save it as .xlsx or as CSV"
