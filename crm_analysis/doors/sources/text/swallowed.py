"""Rows that two stray quotes swallow: a quoted value that holds line ends, and between them records."""

from __future__ import annotations

from dataclasses import dataclass

import ibis

from crm_analysis.doors.sources.opened import Refusal, quoted
from crm_analysis.doors.sources.text.layout import Layout

N_SAMPLED = 1_000
MAX_SHOWN = 80
ENDS = r"\r\n|\r|\n"


@dataclass(frozen=True)
class Swallowing:
    """Looks for rows that, cut at the line ends within quotes, are records of the table every one.

    So is a comment of several lines only where each of them has as many delimiters as a record, and digits
    where the columns of the table have digits: then nobody could tell.
    """

    engine: ibis.BaseBackend
    table: str
    layout: Layout

    def check(self, n_above: int, last_line: int) -> None:
        """Refuse a table with such a row; its rows are in their order."""
        asked = f"SELECT rowid, lines FROM ({self._rows('rowid')}) WHERE {self._all_records()} ORDER BY rowid"
        row = self.engine.raw_sql(f"{asked} LIMIT 1").fetchone()
        if row is None:
            return
        number, lines = row
        raise Refusal(
            f"a quote that opens in {self._place(number, n_above, last_line)} {lines[0][:MAX_SHOWN]!r} makes "
            f"one value of {len(lines)} lines that look like rows of the table each; take the quote away, or "
            "double it and quote the value; if the value is meant, leave out its line ends"
        )

    def found(self) -> bool:
        """Whether there is such a row, in rows that may have no numbers."""
        asked = f"SELECT 1 FROM ({self._rows('0')}) WHERE {self._all_records()} LIMIT 1"
        return self.engine.raw_sql(asked).fetchone() is not None

    @property
    def _columns(self) -> list[str]:
        return [f"c{i}" for i in range(1, self.layout.n_fields + 1)]

    @property
    def _has_ends(self) -> str:
        return " OR ".join(map(_has_end, self._columns))

    def _rows(self, number: str) -> str:
        """Rows with line ends within quotes, as the lines that they are without these quotes."""
        delimiter = quoted(self.layout.delimiter)
        cells = [
            f"CASE WHEN {_has_end(c)} THEN {c} ELSE replace(coalesce({c}, ''), '{delimiter}', ' ') END"
            for c in self._columns
        ]
        text = f"array_to_string([{', '.join(cells)}], '{delimiter}')"
        lines = f"list_filter(string_split_regex(text, '{ENDS}'), lambda line: line != '')"
        rows = f"SELECT {number} AS rowid, {text} AS text FROM {self.table} WHERE {self._has_ends}"
        # Most comments are known by this: cutting them into lines takes longer than reading them.
        enough = (
            f"length(text) - length(replace(text, '{delimiter}', '')) >= {2 * (self.layout.n_fields - 1)}"
        )
        few = f"WITH few AS MATERIALIZED (SELECT * FROM ({rows}) WHERE {enough})"
        return f"{few} SELECT rowid, {lines} AS lines FROM few"

    def _all_records(self) -> str:
        """Condition that each of several lines has the fields of a record, and digits where records do."""
        parts = f"string_split(line, '{quoted(self.layout.delimiter)}')"
        n, digits = self.layout.n_fields, self._digits()
        is_record = f"len({parts}) = {n} OR (len({parts}) = {n + 1} AND {parts}[-1] = '')"
        there = f"lambda part, i: list_contains({digits}, i) AND regexp_matches(part, '[0-9]')"
        has_digits = f"2 * len(list_filter({parts}, {there})) > {len(digits)}" if digits else "true"
        proper = f"list_filter(lines, lambda line: ({is_record}) AND {has_digits})"
        return f"len(lines) > 1 AND len({proper}) = len(lines)"

    def _digits(self) -> list[int]:
        """Columns, counted from 1, of which every value in the first plain rows has a digit."""
        asked = [f"coalesce(bool_and(regexp_matches({c}, '[0-9]')), false)" for c in self._columns]
        plain = f"SELECT * FROM {self.table} WHERE NOT coalesce({self._has_ends}, false) LIMIT {N_SAMPLED}"
        row = self.engine.raw_sql(f"SELECT {', '.join(asked)} FROM ({plain})").fetchone()
        return [i for i, has in enumerate(row, start=1) if has]

    def _place(self, number: int, n_above: int, last_line: int) -> str:
        """Line of a row; where blank lines lie between the rows, its number."""
        within = " + ".join(f"coalesce(len(string_split_regex({c}, '{ENDS}')) - 1, 0)" for c in self._columns)
        counted = f"SELECT count(*), sum({within}), sum({within}) FILTER (rowid < {number}) FROM {self.table}"
        n_rows, n_within, above = self.engine.raw_sql(counted).fetchone()
        if n_rows + n_within != last_line - n_above:
            return f"row {number + 1}"
        return f"line {n_above + 1 + number + int(above or 0):,}"


def _has_end(column: str) -> str:
    return f"contains({column}, chr(10)) OR contains({column}, chr(13))"
