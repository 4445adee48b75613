"""The door for delimited text: bytes, encoding, dialect, then a table of text whose rows are numbered."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.scratch import new_folder
from crm_analysis.doors.sources.opened import Opened, Options, Refusal
from crm_analysis.doors.sources.text.dialect import BLANKS, Dialect, find_dialect
from crm_analysis.doors.sources.text.encoding import Utf8, as_utf8
from crm_analysis.doors.sources.text.layout import Layout, linked, without_above
from crm_analysis.doors.sources.text.lines import with_line_feeds
from crm_analysis.doors.sources.text.load import load, load_split
from crm_analysis.doors.sources.text.swallowed import Swallowing


@dataclass(frozen=True)
class Prepared:
    """A text of which encoding, dialect and line ends are settled, and nothing is loaded."""

    place: str
    text: Utf8
    dialect: Dialect
    layout: Layout

    @property
    def reading(self) -> tuple[str, ...]:
        """How it is read, where it settled that itself."""
        encoding = [f"encoding {self.text.settled}"] if self.text.settled else []
        return (*encoding, *self.dialect.reading)

    def numbers(self, table: ir.Table, n_rows: int) -> dict[str, ir.Value]:
        """Column that numbers the rows of a table in which all rows were stored in their order.

        Quoted line ends and blank lines make a row more or less than a line: then rows are numbered.
        """
        n_above = self.dialect.n_above
        if n_rows == self.text.scan.last_line - n_above:
            return {"source_line": table.rowid() + n_above + 1}
        return {"source_row": table.rowid() + 1}

    def check_swallowed(self, table: ir.Table, n_rows: int) -> None:
        """Refuse a table, its rows in their order, with a row that is several; it is dropped then."""
        if not self._may_swallow(n_rows):
            return
        try:
            self._swallowing(table).check(self.dialect.n_above, self.text.scan.last_line)
        except Refusal:
            table.get_backend().drop_table(table.get_name())
            raise

    def swallows(self, rows: ir.Table, n_rows: int) -> bool:
        """Whether a row is several, among rows that may have no order."""
        return self._may_swallow(n_rows) and self._swallowing(rows).found()

    def _swallowing(self, table: ir.Table) -> Swallowing:
        return Swallowing(table.get_backend(), table.get_name(), self.layout)

    def _may_swallow(self, n_rows: int) -> bool:
        """Whether quotes may hold line ends: there are quotes, and more lines than rows."""
        scan, layout = self.text.scan, self.layout
        may = scan.has_quote and bool(layout.quote) and layout.n_fields > 1
        return may and n_rows < scan.last_line - self.dialect.n_above

    def columns(self, table: ir.Table) -> dict[str, ir.Value]:
        """Columns of a table as `Layout` calls them, under the names that they have in the text."""
        return {column: table[f"c{i}"] for i, column in enumerate(self.dialect.names, start=1)}


@contextmanager
def prepared(path: Path, options: Options, wanted: list[str]) -> Iterator[Prepared]:
    """Text ready to be loaded; its copy, where one was made, is gone at the end."""
    try:
        folder = new_folder()
        try:
            text = as_utf8(path, options.encoding, folder, wanted if options.header else ())
            dialect = find_dialect(text.path, path.name, options, wanted)
            yield Prepared(path.name, text, dialect, _layout(text, dialect, folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise Refusal(f"the file cannot be read ({error.strerror}); see to it, and read it again") from None


def open_text(path: Path, options: Options, engine: ibis.BaseBackend, wanted: list[str]) -> Opened:
    """Text in a table of text, its rows numbered by line where every row is one line."""
    with prepared(path, options, wanted) as text:
        loader = load_split if text.dialect.delimiter == BLANKS else load
        name = loader(engine, text.layout, text.dialect.names)
        table = engine.table(name)
        n_rows = int(table.count().to_pyarrow().as_py())
        if not n_rows:
            engine.drop_table(name)
            raise Refusal("there are no rows below the header; export it again")
        text.check_swallowed(table, n_rows)
        rows = table.select(**text.columns(table), **text.numbers(table, n_rows))
        notes = text.dialect.notes
        return Opened(rows, text.place, parses_text=True, stored=(name,), reading=text.reading, notes=notes)


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
