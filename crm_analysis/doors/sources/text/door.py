"""The door for delimited text: bytes, encoding, dialect, then a table of text whose rows are numbered."""

from __future__ import annotations

import tempfile
from pathlib import Path

import ibis

from crm_analysis.doors.sources.opened import Opened, Options, Refusal, held_still
from crm_analysis.doors.sources.text.dialect import BLANKS, Dialect, find_dialect
from crm_analysis.doors.sources.text.encoding import Utf8, as_utf8
from crm_analysis.doors.sources.text.layout import Layout, linked, without_above
from crm_analysis.doors.sources.text.lines import with_line_feeds
from crm_analysis.doors.sources.text.load import load, load_split


def open_text(path: Path, options: Options, engine: ibis.BaseBackend, wanted: list[str]) -> Opened:
    """Text in a table of text, its rows numbered by line where every row is one line."""
    try:
        with tempfile.TemporaryDirectory(prefix="crm_analysis_") as folder, held_still(path):
            return _opened(path, options, engine, wanted, Path(folder))
    except OSError as error:
        raise Refusal(f"the file cannot be read ({error.strerror}); see to it, and read it again") from None


def _opened(
    path: Path, options: Options, engine: ibis.BaseBackend, wanted: list[str], folder: Path
) -> Opened:
    text = as_utf8(path, options.encoding, folder)
    dialect = find_dialect(text.path, path.name, options, wanted)
    layout = _layout(text, dialect, folder)
    name = (load_split if dialect.delimiter == BLANKS else load)(engine, layout, dialect.names)
    table = engine.table(name)
    n_rows = int(table.count().to_pyarrow().as_py())
    if not n_rows:
        engine.drop_table(name)
        raise Refusal("there are no rows below the header; export it again")
    # Quoted line ends and blank lines make a row more or less than a line: then rows are numbered.
    one_line_each = n_rows == text.scan.last_line - dialect.n_above
    number, start = ("source_line", dialect.n_above + 1) if one_line_each else ("source_row", 1)
    columns = {column: table[f"c{i}"] for i, column in enumerate(dialect.names, start=1)}
    return Opened(
        table.select(**columns, **{number: table.rowid() + start}),
        path.name,
        parses_text=True,
        stored=(name,),
        reading=(*([f"encoding {text.settled}"] if text.settled else []), *dialect.reading),
        notes=dialect.notes,
    )


def _layout(text: Utf8, dialect: Dialect, folder: Path) -> Layout:
    """How DuckDB reads the text, from a copy where it could not read the file as it is."""
    path, scan = text.path, text.scan
    split = dialect.delimiter == BLANKS
    if scan.is_mixed:
        path = with_line_feeds(path, None if split else dialect.delimiter, folder)
    new_line = "\n" if scan.is_mixed or not scan.n_cr else "" if scan.n_lf else "\r"
    layout = Layout(
        linked(path, folder),
        delimiter="\x01" if split else dialect.delimiter,
        n_fields=1 if split else dialect.n_fields,
        new_line=new_line,
        n_skipped=dialect.n_above,
        quote="" if split else '"',
    )
    return (
        without_above(layout, folder)
        if dialect.quotes_above and dialect.n_above > 1 and not split
        else layout
    )
