"""What the caller says about a source, and a source that was opened: nothing understood yet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import ibis.expr.types as ir

from crm_analysis.doors import values
from crm_analysis.doors.schema import PLACES
from crm_analysis.doors.verdict import Defect
from crm_analysis.errors import ConfigError

MAX_COLUMNS = 2_000
# Blanks of other kinds and line ends become blanks, marks without a width vanish.
UNSEEN = dict.fromkeys(map(ord, "\u00a0\u202f\u3000\t\r\n"), " ") | dict.fromkeys(
    map(ord, "\u200b\u200e\u200f\u2060\ufeff"), None
)


class Refusal(Exception):
    """One sentence that refuses a source; `read_table` turns it into a DataError."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the caller says about a source; each is needed only where the source does not prove it.

    table : which table of a database.
    sheet : which sheet of a workbook, or "table 2" of an HTML page; a list is read one below the other.
    delimiter : "," ";" tab "|" or "whitespace".     encoding : of a text that is not UTF-8.
    dates : "day first", "month first", "year first", "yyyymmdd", "excel serial", "excel serial 1904",
        "epoch seconds", "epoch milliseconds", or a format such as "%d.%m.%y".
    decimal : "." or ",".     header : False where the first line is data; columns are then "1", "2", ...
    timezone : local business time, into which times with a zone are turned.
    source_timezone : zone of the times that carry none, where it is not the local one.
    folder : where relative paths start.
    """

    table: str | None = None
    sheet: str | Sequence[str] | None = None
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

    table : all its columns; `source_line` or `source_row` numbers the rows where the source does, and
        `source_file` names the file where there are several.
    parses_text : its text may be parsed here, because it lies in our DuckDB and not in a database of others.
    stored : the DuckDB tables that hold it, to be dropped once its values are typed.
    reading : how it was read where the file, and not the caller, settled it, such as "encoding cp1252".
    notes : what was noticed on the way, such as rows above the header that were skipped.
    """

    table: ir.Table
    place: str
    parses_text: bool
    stored: tuple[str, ...] = ()
    reading: tuple[str, ...] = ()
    notes: tuple[Defect, ...] = ()

    def noting(self, *notes: Defect) -> Opened:
        """Return the same source with further notes."""
        return replace(self, notes=(*self.notes, *notes))

    def reading_also(self, *how: str) -> Opened:
        """Return the same source with more on how it was read."""
        return replace(self, reading=(*self.reading, *how))


def chosen(asked: str | Sequence[str] | None, there: Sequence[str], what: str) -> list[str]:
    """Tables or sheets that are meant: those asked for, or the only one."""
    if asked is None and len(there) == 1:
        return list(there)
    if asked is None:
        several = ", or to a list of those that belong together" if what == "sheet" else ""
        raise Refusal(f"holds {len(there)} {what}s, {[*there]}; set {what} to the one that is meant{several}")
    names = [asked] if isinstance(asked, str) else list(asked)
    if absent := [name for name in names if name not in there]:
        raise Refusal(f"has no {what} {', '.join(map(repr, absent))}; {what}s there: {[*there]}")
    if not names or len(set(names)) < len(names):
        raise Refusal(f"{what} = {names} must name each {what} that is meant once; {what}s there: {[*there]}")
    return names


def header_names(names: Sequence[str | None]) -> list[str]:
    """Names of the columns, each there and there once; empty ones at the end belong to no column."""
    found = [clean_name(name) for name in names]
    while found and not found[-1]:
        found.pop()
    if not all(found):
        raise Refusal(
            f"the header {found} has columns without a name; the first row must name all columns: "
            "delete what is above it"
        )
    return unlike_names(found)


def unlike_names(names: list[str]) -> list[str]:
    """Return the names as they are, where each is there once and is none that the doors use themselves."""
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise Refusal(f"the header names {doubled} twice (duplicate columns); rename one of each")
    small = [name.lower() for name in names]
    if alike := sorted(name for name, low in zip(names, small, strict=True) if small.count(low) > 1):
        raise Refusal(f"the columns {alike} differ only in capital letters; rename one of each")
    if taken := sorted(set(PLACES) & set(small)):
        raise Refusal(f"the columns {taken} have names under which the place of a row is kept; rename them")
    if len(names) > MAX_COLUMNS:
        raise Refusal(f"the header has {len(names)} columns, at most {MAX_COLUMNS} are read; export fewer")
    return names


def clean_name(name: str | None) -> str:
    """Name of a column without what cannot be seen: blanks around it, odd blanks, marks of no width."""
    return (name or "").translate(UNSEEN).strip()


def shown(name: Any) -> str:
    """Name of a file, sheet or column for a sentence: what cannot be printed is written as its code."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(name))


@contextmanager
def held_still(path: Path) -> Iterator[None]:
    """Refuse a file that another program changes while it is read."""
    before = _state(path)
    yield
    try:
        same = _state(path) == before
    except OSError:
        same = False
    if not same:
        raise Refusal("the file changed while it was read; wait until it is written, and read it again")


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def quoted(text: Any) -> str:
    """Text between single quotes of SQL."""
    return str(text).replace("'", "''")


def no_pattern(path: Path) -> str:
    """Path for DuckDB's readers, which take a name with brackets or stars for a pattern."""
    return re.sub(r"[*?\[]", r"[\g<0>]", str(path))


def named(column: str) -> str:
    """Name of a column in SQL."""
    return '"' + column.replace('"', '""') + '"'
