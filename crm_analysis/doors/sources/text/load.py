"""DuckDB reads a text into a table, every column as text."""

from __future__ import annotations

import duckdb
import ibis

from crm_analysis.doors.sources.opened import Refusal
from crm_analysis.doors.sources.text.layout import Layout
from crm_analysis.doors.sources.text.ragged import refusal

# The error itself may hold bytes that are cut within a character.
DUCKDB_ERRORS = (duckdb.Error, UnicodeDecodeError, RuntimeError)


def load(engine: ibis.BaseBackend, layout: Layout, names: list[str]) -> str:
    """Name of a table of the rows in their order, with the columns c1, c2, ..."""
    name = ibis.util.gen_name("source")
    # In a text of one column DuckDB takes blank lines for rows.
    blank = " WHERE c1 IS NOT NULL" if layout.n_fields == 1 else ""
    for whole in (False, True) if layout.is_cut else (False,):
        try:
            engine.raw_sql(f"CREATE TABLE {name} AS FROM {layout.reader(whole=whole)}{blank}")
        except DUCKDB_ERRORS as error:
            problem = str(error)
        else:
            return _named_only(engine, name, layout, names)
    raise refusal(layout, problem, len(names))


def _named_only(engine: ibis.BaseBackend, name: str, layout: Layout, names: list[str]) -> str:
    """The table, once nothing stands in the fields that the header leaves without a name."""
    unnamed = [f"c{i}" for i in range(len(names) + 1, layout.n_fields + 1)]
    if not unnamed:
        return name
    cell = f"coalesce({', '.join(unnamed)})"
    filled = f"SELECT rowid, {cell} FROM {name} WHERE {cell} IS NOT NULL ORDER BY rowid LIMIT 1"
    row = engine.raw_sql(filled).fetchone()
    if row is not None:
        engine.drop_table(name)
        raise Refusal(
            f"row {row[0] + 1} holds {row[1][:40]!r} in a column that the header does not name; "
            "name all columns"
        )
    return name


def load_split(engine: ibis.BaseBackend, layout: Layout, names: list[str]) -> str:
    """Lines cut at runs of blanks, as in tables of fixed width."""
    lines, name, n = ibis.util.gen_name("lines"), ibis.util.gen_name("source"), len(names)
    trimmed = f"SELECT trim(c1, ' ' || chr(9)) AS line, rowid AS i FROM {lines}"
    parts = f"SELECT string_split_regex(line, '[ \\t]+') AS parts, i FROM ({trimmed}) WHERE line != ''"
    cells = ", ".join(f"parts[{i}] AS c{i}" for i in range(1, n + 1))
    try:
        engine.raw_sql(f"CREATE TABLE {lines} AS FROM {layout.reader()}")
        wrong = f"SELECT i, len(parts), parts FROM ({parts}) WHERE len(parts) != {n} ORDER BY i LIMIT 1"
        if (row := engine.raw_sql(wrong).fetchone()) is not None:
            raise Refusal(
                f"line {row[0] + 1 + layout.n_skipped} {' '.join(row[2])[:80]!r} has {row[1]} fields, the "
                f"first line {n} columns; values that contain blanks need another delimiter"
            )
        engine.raw_sql(f"CREATE TABLE {name} AS SELECT {cells} FROM ({parts}) ORDER BY i")
    except DUCKDB_ERRORS as error:
        raise refusal(layout, str(error), n) from None
    finally:
        engine.drop_table(lines, force=True)
    return name
