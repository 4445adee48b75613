"""Rows of one sheet of a workbook, with what openpyxl leaves out when it streams values.

Its own stream of values passes over formulas whose result was never saved, over merged cells, and trusts the
size that the file states: each of them loses sales without a word.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

from openpyxl.styles.numbers import BUILTIN_FORMATS
from openpyxl.utils import range_boundaries
from openpyxl.worksheet._reader import FORMULA_TAG, MERGE_TAG, ROW_TAG, WorkSheetParser
from openpyxl.xml.functions import iterparse

from crm_analysis.doors.sources.cell import Broken, any_filled
from crm_analysis.doors.sources.headers import Row
from crm_analysis.doors.sources.opened import Refusal

MOST_ROWS, MOST_COLUMNS = 1 << 20, 1 << 14
FIRST_DAY = dt.datetime(1900, 1, 1)
NOT_SAVED = "a formula without its result"
# Control characters as Excel writes them.
ESCAPED = re.compile(r"_x(00[01][0-9A-Fa-f])_")


class Sheet:
    """A sheet; after its rows were read, the cells that are merged and the number of hidden rows.

    merged : (reference, first column, first row, last column, last row), counted from 1.
    """

    def __init__(self, sheet: Any):
        self.title: str = sheet.title
        self.merged: list[tuple[str, int, int, int, int]] = []
        self.n_hidden = 0
        self._sheet = sheet

    def rows(self) -> Iterator[Row]:
        """Number and cells of every row that has content."""
        with self._sheet._get_source() as source:
            parser = _Parser(source, self._sheet)
            for number, cells in parser.parse():
                if any_filled(cells):
                    self.n_hidden += parser.hides
                    yield number, cells
        self.merged = [(ref, *range_boundaries(ref)) for ref in parser.merges]


class _Parser(WorkSheetParser):
    """openpyxl's parser of cells, over rows that are checked."""

    def __init__(self, source: Any, sheet: Any):
        book = sheet.parent
        super().__init__(
            source,
            sheet._shared_strings,
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,
            timedelta_formats=book._timedelta_formats,
        )
        self.merges: list[str] = []
        self.hides = False
        self.row_counter: int = 0
        self._padded = _padded(book)

    def parse(self) -> Iterator[Row]:
        for _, element in iterparse(self.source):
            if element.tag == ROW_TAG:
                self.hides = element.get("hidden") in ("1", "true")
                yield self.parse_row(element)
                element.clear()
            elif element.tag == MERGE_TAG:
                self.merges = [cell.get("ref") for cell in element]

    def parse_row(self, row: Any) -> Row:
        number = int(row.get("r") or self.row_counter + 1)
        if not self.row_counter < number <= MOST_ROWS:
            raise Refusal(f"row {number} follows row {self.row_counter}; save the workbook again")
        self.row_counter, self.col_counter = number, 0
        cells: list[Any] = []
        for element in row:
            cell = self.parse_cell(element)
            n = cell["column"] - 1
            if not len(cells) <= n < MOST_COLUMNS:
                raise Refusal(f"the cells of row {number} are not in order; save the workbook again")
            cells += [None] * (n - len(cells))
            cells.append(cell["value"])
        return number, cells

    def parse_cell(self, element: Any) -> dict[str, Any]:
        cell: dict[str, Any] = super().parse_cell(element)
        value, kind = cell["value"], cell["data_type"]
        if value is None:
            # A formula whose result is an empty text says so.
            if kind != "str" and element.find(FORMULA_TAG) is not None:
                cell["value"] = Broken(NOT_SAVED)
        elif kind == "e":
            cell["value"] = None if value == "#N/A" else Broken(value)
        elif kind == "s":
            cell["value"] = ESCAPED.sub(_control, value) if "_x" in value else value
        elif kind == "n":
            cell["value"] = self._number(value, cell["style_id"])
        elif isinstance(value, dt.datetime) and value < FIRST_DAY:
            cell["value"] = Broken(f"a date before 1900, {value}")
        return cell

    def _number(self, value: float, style: int) -> Any:
        """Number as it is, or as the format shows it; one that Excel has cut to fifteen digits is broken."""
        if style in self._padded and value == int(value):
            return f"{int(value):0{self._padded[style]}d}"
        if abs(value) >= 1e15 and (isinstance(value, float) or float(f"{value:.15g}") == value):
            return Broken(f"{value:.0f}, which may have lost digits after the 15th")
        return value


def _control(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _padded(book: Any) -> dict[int, int]:
    """Styles that show whole numbers with leading zeros, as ids are, and how many digits they show."""
    found = {}
    for i, style in enumerate(book._cell_styles):
        number = style.numFmtId
        form = BUILTIN_FORMATS.get(number) if number < 164 else _custom(book, number - 164)
        if form and re.fullmatch("0{2,}", form):
            found[i] = len(form)
    return found


def _custom(book: Any, i: int) -> str | None:
    return book._number_formats[i] if i < len(book._number_formats) else None
