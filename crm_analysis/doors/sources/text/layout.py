"""A text as DuckDB is told to read it, with nothing left to detect."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from crm_analysis.doors.sources.opened import quoted

MAX_RECORD = 2_000_000
BUFFER, LARGE_BUFFER = 32_000_000, 256_000_000
MAX_ABOVE = 1 << 21


@dataclass(frozen=True)
class Layout:
    r"""A text in UTF-8 as DuckDB is told to read it.

    n_fields : columns of each row, called c1, c2, ..., whatever the header calls them.
    new_line : "\n", "\r", or "" for pairs of both.     quote : "" where quotes mean nothing.
    n_skipped : lines above the first row.     n_cut : lines of the source that are no more in `path`.
    """

    path: Path
    delimiter: str
    n_fields: int
    new_line: str
    n_skipped: int
    n_cut: int = 0
    quote: str = '"'

    @property
    def is_cut(self) -> bool:
        """DuckDB reads it in several pieces, and may take a line end within quotes for the end of one."""
        return self.path.stat().st_size > BUFFER

    def reader(self, *, whole: bool = False, further: str = "") -> str:
        """Call of DuckDB's reader.

        Pairs of CR and LF are not named, since DuckDB reads them wrong when they are: unnamed, it takes the
        kind of line end that it sees first. Reading is never told to be in one thread, which loses a row
        whose quote is not closed; `whole` reads larger pieces.
        """
        columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(1, self.n_fields + 1))
        pieces = f", buffer_size = {LARGE_BUFFER}" if whole and self.is_cut else ""
        new_line = {"\n": "new_line = '\\n', ", "\r": "new_line = '\\r', "}.get(self.new_line, "")
        return (
            f"read_csv('{quoted(self.path)}', auto_detect = false, columns = {{{columns}}}, header = false, "
            f"skip = {self.n_skipped}, delim = '{self.delimiter}', quote = '{self.quote}', "
            f"escape = '{self.quote}', {new_line}strict_mode = true, max_line_size = {MAX_RECORD}, "
            f"compression = 'none', hive_partitioning = false{pieces}{further})"
        )


def linked(path: Path, folder: Path) -> Path:
    """Path that DuckDB takes for one file: to it, brackets and stars in a name are patterns."""
    if not set(str(path)) & set("*?[]{}~:"):
        return path
    link = folder / "text"
    link.symlink_to(path.resolve())
    return link


def without_above(layout: Layout, folder: Path) -> Layout:
    """Layout of a copy that begins with the first row: quotes above it may hold line ends."""
    rest = folder / "rest.txt"
    with layout.path.open("rb") as file, rest.open("wb") as out:
        file.seek(sum(map(len, file.read(MAX_ABOVE).splitlines(keepends=True)[: layout.n_skipped])))
        shutil.copyfileobj(file, out, 1 << 20)
    return replace(layout, path=rest, n_skipped=0, n_cut=layout.n_skipped)
