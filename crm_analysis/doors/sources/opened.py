"""What the caller says about a source, and a source that was opened: nothing understood yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import ibis.expr.types as ir

from crm_analysis.doors import values
from crm_analysis.doors.verdict import Defect
from crm_analysis.errors import ConfigError

MAX_COLUMNS = 2_000


class Refusal(Exception):
    """One sentence that refuses a source; `read_table` turns it into a DataError."""


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


def header_names(names: list[str | None]) -> list[str]:
    """Names of the columns, each there and there once; empty ones at the end belong to no column."""
    while names and not (names[-1] or "").strip():
        names = names[:-1]
    found = [(name or "").strip() for name in names]
    if not all(found):
        raise Refusal(
            f"the header {found} has columns without a name; the first row must name all columns: "
            "delete what is above it"
        )
    if doubled := sorted({name for name in found if found.count(name) > 1}):
        raise Refusal(f"the header names {doubled} twice (duplicate columns); rename one of each")
    if len(found) > MAX_COLUMNS:
        raise Refusal(f"the header has {len(found)} columns, at most {MAX_COLUMNS} are read; export fewer")
    return found


def quoted(text: Any) -> str:
    """Text between single quotes of SQL."""
    return str(text).replace("'", "''")
