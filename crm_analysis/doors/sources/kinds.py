"""Columns of cells of known kinds: typed where all are of one kind, else text that cannot mislead.

A cell is written with its kind in front: "s" a text, "n" a number, "d" a date or time, "b" true or false,
"e" an error, which has no value. In a column of text and numbers the texts alone prove the decimal sign, and
the numbers follow them: what a number cell says is never a question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ibis

from crm_analysis.doors.sources.opened import named

KINDS = {"s": 1, "n": 2, "d": 4, "b": 8, "e": 16}
# More aggregates in one query take DuckDB longer than several queries.
AT_ONCE = 100


@dataclass(frozen=True)
class Kinds:
    """What a column holds: the kinds of its cells, added up; its longest whole number, if all are whole."""

    found: int
    all_whole: bool
    longest: int

    @property
    def only(self) -> str | None:
        """Kind of all cells, where they have one."""
        return next((kind for kind, flag in KINDS.items() if self.found == flag), None)


def typed_cells(
    engine: ibis.BaseBackend, table: str, columns: Sequence[str], others: Sequence[str], decimal: str | None
) -> str:
    """Name of a table with the `columns` of marked cells typed, and the `others` as they are.

    decimal : the decimal sign of the texts, where the caller states it.
    """
    kinds = _kinds(engine, table, columns)
    cells = [f"{_typed(engine, table, c, kinds[c], decimal)} AS {named(c)}" for c in columns]
    name = ibis.util.gen_name("source")
    chosen = ", ".join([*cells, *map(named, others)])
    engine.raw_sql(f"CREATE TABLE {name} AS SELECT {chosen} FROM {table}")
    return name


def _kinds(engine: ibis.BaseBackend, table: str, columns: Sequence[str]) -> dict[str, Kinds]:
    found: dict[str, Kinds] = {}
    flags = " ".join(f"WHEN '{kind}' THEN {flag}" for kind, flag in KINDS.items())
    for start in range(0, len(columns), AT_ONCE):
        some = columns[start : start + AT_ONCE]
        asked = ", ".join(
            f"bit_or(CASE {c}[1] {flags} END), bool_and(regexp_full_match({c}, 'n-?\\d+')), max(length({c}))"
            for c in map(named, some)
        )
        row = engine.raw_sql(f"SELECT {asked} FROM {table}").fetchone()
        each = zip(row[::3], row[1::3], row[2::3], strict=True)
        found |= {c: Kinds(f or 0, bool(w), n or 0) for c, (f, w, n) in zip(some, each, strict=True)}
    return found


def _typed(engine: ibis.BaseBackend, table: str, column: str, kinds: Kinds, decimal: str | None) -> str:
    """Expression of a column's values."""
    cell = named(column)
    if kinds.only == "n":
        whole = "BIGINT" if kinds.longest <= 19 else "DECIMAL(38, 0)" if kinds.longest <= 38 else "DOUBLE"
        return f"CAST({cell}[2:] AS {whole if kinds.all_whole else 'DOUBLE'})"
    if kinds.only in ("d", "b"):
        return f"CAST({cell}[2:] AS {'TIMESTAMP' if kinds.only == 'd' else 'BOOLEAN'})"
    if not kinds.found & KINDS["n"]:
        return f"{cell}[2:]"
    number = _number(f"{cell}[2:]", decimal or _sign(engine, table, cell))
    return f"CASE WHEN {cell}[1] = 'n' THEN {number} ELSE {cell}[2:] END"


def _number(digits: str, sign: str | None) -> str:
    """Text of a number that can be read in one way only, beside texts with this decimal sign.

    Three decimals might be thousands: they get a zero. Where the texts leave the sign open, a number must
    not settle it for them: it is written as whole digits with an exponent.
    """
    if sign is None:
        power = f"'e-' || length(split_part({digits}, '.', 2))"
        return (
            f"CASE WHEN contains({digits}, '.') THEN replace({digits}, '.', '') || {power} ELSE {digits} END"
        )
    clear = f"regexp_replace({digits}, '^(-?\\d+\\.\\d{{3}})$', '\\1' || '0')"
    return clear if sign == "." else f"replace({clear}, '.', ',')"


def _sign(engine: ibis.BaseBackend, table: str, cell: str) -> str | None:
    """Decimal sign that the texts of a column prove; None where they leave it open."""
    bare = (
        f"SELECT regexp_replace({cell}[2:], '[^0-9.,]', '', 'g') AS bare FROM {table} WHERE {cell}[1] = 's'"
    )
    asked = [
        f"regexp_full_match(bare, '{p}')" for p in (_proofs(",", "."), _proofs(".", ","), r"\d+[.,]\d{3}")
    ]
    counts = ", ".join(f"count_if({each})" for each in asked)
    comma, point, open_ = engine.raw_sql(f"SELECT {counts} FROM ({bare})").fetchone()
    if bool(comma) == bool(point):
        return None if comma or open_ else "."
    return "," if comma else "."


def _proofs(sign: str, other: str) -> str:
    s, o = f"[{sign}]", f"[{other}]"
    return (
        rf"\d*{s}(?:\d{{1,2}}|\d{{4,}})|(?:0|\d{{4,}}){s}\d{{3}}|\d{{1,3}}(?:{o}\d{{3}})+{s}\d*"
        rf"|\d{{1,3}}(?:{o}\d{{3}}){{2,}}"
    )


def marked(column: str, kind: Any) -> str:
    """Expression that marks the values of a typed column of DuckDB as cells."""
    value = named(column)
    if kind.is_floating():
        whole = f"{value} = trunc({value}) AND abs({value}) < 1e15"
        digits = f"CAST(CAST({value} AS BIGINT) AS VARCHAR)"
        text = f"CASE WHEN {whole} THEN {digits} ELSE CAST({value} AS VARCHAR) END"
        return f"CASE WHEN isfinite({value}) THEN 'n' || {text} END"
    if kind.is_numeric():
        return f"'n' || CAST({value} AS VARCHAR)"
    if kind.is_date() or (kind.is_timestamp() and kind.timezone is None):
        return f"'d' || CAST(CAST({value} AS TIMESTAMP) AS VARCHAR)"
    if kind.is_boolean():
        return f"'b' || CAST({value} AS VARCHAR)"
    return f"'s' || CAST({value} AS VARCHAR)"
