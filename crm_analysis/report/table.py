"""A table as the report shows it (HTML and plain text) and as it hands it over (CSV)."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from crm_analysis.report.format import FEW, MISSING, Kind, format_column, harmless, kind_of
from crm_analysis.report.text import Catalogue

# A text cell with more signs is a sentence.
SENTENCE = 24


@dataclass(frozen=True)
class Column:
    """One column of a shown table, its cells written out; `ranges`, if any, stand under the cells."""

    header: str
    kind: Kind
    cells: list[str]
    ranges: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """Header and cells, ranges in brackets behind them."""
        ranges = self.ranges or [""] * len(self.cells)
        pairs = zip(self.cells, ranges, strict=True)
        return [self.header, *(f"{cell} ({span})" if span else cell for cell, span in pairs)]

    @property
    def is_number(self) -> bool:
        """Numbers stand on the right."""
        return self.kind not in ("text", "date", "yes or no")


@dataclass(frozen=True)
class Shown:
    """Columns written out; `few` marks the rows that stand on fewer than 30 customers."""

    columns: Sequence[Column]
    few: Sequence[bool]


def flat(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with a named index as columns; an unnamed one only numbers the rows."""
    named = [name for name in table.index.names if name is not None]
    return table.reset_index() if named else table.reset_index(drop=True)


def written(
    table: pd.DataFrame,
    text: Catalogue,
    page: str,
    currency: str,
    formats: Mapping[str, Kind],
    *,
    ranges: bool = False,
) -> Shown:
    """Every column with its label and its values as text; `formats` overrules what the name suggests.

    With `ranges`, a number's low and high right behind it are written under it.
    """
    kinds = {
        str(name): formats.get(str(name)) or kind_of(str(name), column) for name, column in table.items()
    }
    ends = _ends(list(kinds)) if ranges else {}
    inside = {end for pair in ends.values() for end in pair}
    columns = []
    for name, kind in kinds.items():
        if name in inside:
            continue
        label = text.label(name, page=page)
        header = f"{label} ({currency})" if kind == "money" else label
        if name in ends:
            columns.append(_with_range(header, kind, [table[n] for n in (name, *ends[name])], text))
            continue
        cells = format_column(table[name], kind, yes=text.say("yes"), no=text.say("no"))
        columns.append(Column(header, kind, [text.value(c) for c in cells] if kind == "text" else cells))
    base = next((table[c] for c in ("n_customers", "n") if c in table.columns), None)
    return Shown(columns, [False] * len(table) if base is None else [bool(abs(n) < FEW) for n in base])


def _ends(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Names of numbers whose low and high are the next two columns."""
    found = {}
    for name, low, high in zip(names, names[1:], names[2:], strict=False):
        if low.removeprefix(f"{name}_") in ("low", "low_80") and high == low.replace("low", "high"):
            found[name] = (low, high)
    return found


def _with_range(header: str, kind: Kind, parts: Sequence[pd.Series], text: Catalogue) -> Column:
    """One column of a number and its range, all with the same decimals."""
    n = len(parts[0])
    cells = format_column(pd.concat([part.astype(float) for part in parts], ignore_index=True), kind)
    spans = [
        "" if MISSING in (low, high) else text.say("interval", low=low, high=high)
        for low, high in zip(cells[n : 2 * n], cells[2 * n :], strict=True)
    ]
    return Column(header, kind, cells[:n], spans)


def html_table(shown: Shown, caption: str, note: str) -> str:
    """Markup of a table; nothing in it is taken for markup."""
    heads = "".join(f'<th scope="col"{_align(c)}>{html.escape(c.header)}</th>' for c in shown.columns)
    rows = "\n".join(_html_row(shown, i) for i in range(len(shown.few)))
    below = f'\n<p class="crm-note">{html.escape(note)}</p>' if note else ""
    return (
        f'<div class="crm-table"><table>\n<caption>{html.escape(caption)}</caption>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>{below}"
    )


def _html_row(shown: Shown, i: int) -> str:
    cells = "".join(f"<td{_align(c)}>{html.escape(c.cells[i])}{_range(c, i)}</td>" for c in shown.columns)
    return f'<tr class="few">{cells}</tr>' if shown.few[i] else f"<tr>{cells}</tr>"


def _range(column: Column, i: int) -> str:
    if not column.ranges or not column.ranges[i]:
        return ""
    return f'<span class="range">{html.escape(column.ranges[i])}</span>'


def _align(column: Column) -> str:
    """Class of a column's cells: numbers stand right, dates do not break, sentences get room."""
    if column.kind == "text":
        return ' class="words"' if any(len(cell) > SENTENCE for cell in column.cells) else ""
    return ' class="number"' if column.is_number else ' class="date"' if column.kind == "date" else ""


def plain_table(shown: Shown, caption: str, note: str) -> str:
    """Return the same table in plain text, numbers on the right."""
    widths = [max(map(len, c.lines)) for c in shown.columns]
    lines = [
        "  ".join(
            text.rjust(width) if column.is_number else text.ljust(width)
            for column, text, width in zip(shown.columns, line, widths, strict=True)
        ).rstrip()
        for line in zip(*(c.lines for c in shown.columns), strict=True)
    ]
    return "\n".join([caption, *lines, *([note] if note else [])])


def _in_one_cell(value: Any) -> Any:
    """Text without carriage returns: unquoted they would end the row, and what follows may be a formula."""
    return value.replace("\r\n", "\n").replace("\r", "\n") if isinstance(value, str) else value


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV that a spreadsheet opens without running anything in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    safe = table.rename(columns=harmless)
    for position in range(safe.shape[1]):
        if not pd.api.types.is_numeric_dtype(safe.iloc[:, position]):
            safe.isetitem(position, [_in_one_cell(harmless(value)) for value in safe.iloc[:, position]])
    # Excel reads UTF-8 only behind a byte order mark.
    safe.to_csv(path, index=False, lineterminator="\n", encoding="utf-8-sig")
