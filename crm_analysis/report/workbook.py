"""`decisions.xlsx`: one sheet per decision list, every byte the same for the same lists."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from crm_analysis.report.format import Kind, kind_of
from crm_analysis.report.page import BLANK
from crm_analysis.report.text import Catalogue

# The time of writing is the only thing in such a file that would differ between two runs.
CREATED = dt.datetime(2000, 1, 1)
NUMBER_FORMATS: dict[Kind, str] = {
    "integer": "#,##0",
    "money": "#,##0",
    "percent": "0.0%",
    "number": "#,##0.00",
    "date": "yyyy-mm-dd",
}


@dataclass(frozen=True)
class DecisionList:
    """A list of decisions with the name of its sheet."""

    title: str
    page: str
    table: pd.DataFrame


def write_decisions(
    lists: Sequence[DecisionList], path: Path, *, text: Catalogue, currency: str, about: Sequence[str]
) -> None:
    """Write the lists, one sheet each, behind a sheet that says `about`; text is never a formula."""
    import xlsxwriter

    options = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "nan_inf_to_errors": False,
        "remove_timezone": True,
    }
    with xlsxwriter.Workbook(path, options) as book:
        book.set_properties({"title": text.say("decisions"), "created": CREATED})
        _write_about(book, about, text)
        titles = _sheet_names([decisions.title for decisions in lists])
        for title, decisions in zip(titles, lists, strict=True):
            _write_list(book, title, decisions, text, currency)


def _write_about(book: Any, about: Sequence[str], text: Catalogue) -> None:
    sheet = book.add_worksheet(text.say("about"))
    sheet.set_column(0, 0, 100, book.add_format({"text_wrap": True, "valign": "top"}))
    sheet.write_string(0, 0, text.say("decisions"), book.add_format({"bold": True, "font_size": 14}))
    for row, sentence in enumerate(about, start=2):
        sheet.write_string(row, 0, sentence)


def _write_list(book: Any, title: str, decisions: DecisionList, text: Catalogue, currency: str) -> None:
    sheet = book.add_worksheet(title)
    head = book.add_format({"bold": True, "text_wrap": True, "valign": "bottom", "bottom": 1})
    yes, no = text.say("yes"), text.say("no")
    table = decisions.table
    for position, name in enumerate(table.columns):
        column = table[name]
        kind = kind_of(str(name), column)
        label = text.label(str(name), page=decisions.page)
        sheet.write_string(0, position, f"{label} ({currency})" if kind == "money" else label, head)
        cell = book.add_format(_cell_format(str(name), kind))
        for row, value in enumerate(column, start=1):
            _write_cell(sheet, row, position, value, kind, cell, yes, no)
        sheet.set_column(position, position, _width(label, column, kind))
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, max(len(table), 1), len(table.columns) - 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)


def _write_cell(
    sheet: Any, row: int, column: int, value: Any, kind: Kind, cell: Any, yes: str, no: str
) -> None:
    if pd.isna(value) or value == "":
        sheet.write_blank(row, column, None, cell)
    elif kind == "date":
        sheet.write_datetime(row, column, pd.Timestamp(value).to_pydatetime(), cell)
    elif kind == "yes or no":
        sheet.write_string(row, column, yes if value else no, cell)
    elif kind == "text":
        sheet.write_string(row, column, str(value), cell)
    else:
        sheet.write_number(row, column, float(value), cell)


def _cell_format(name: str, kind: Kind) -> dict[str, Any]:
    style: dict[str, Any] = {"valign": "top"}
    if kind in NUMBER_FORMATS:
        style["num_format"] = NUMBER_FORMATS[kind]
    if name in BLANK:
        style |= {"bg_color": "#FFF9E6", "border": 1, "border_color": "#E3D9B8"}
    return style


def _width(label: str, column: pd.Series, kind: Kind) -> int:
    longest = column.astype(str).str.len().max() if kind == "text" and len(column) else 10
    return int(min(max(longest, len(label) * 0.7, 11) + 2, 60))


def _sheet_names(titles: Sequence[str]) -> list[str]:
    """Names that Excel takes: short, without brackets and the like, each once."""
    names: list[str] = []
    for title in titles:
        name = re.sub(r"[\[\]:*?/\\]", " ", title)[:31]
        n = 2
        while name.lower() in {other.lower() for other in names}:
            name, n = f"{title[:27]} ({n})", n + 1
        names.append(name)
    return names
