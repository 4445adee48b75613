"""Excel workbooks: every cell as what it is, read by openpyxl and judged here."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis

from crm_analysis.doors.sources.archive import check_workbook
from crm_analysis.doors.sources.cells import Part, read_cells
from crm_analysis.doors.sources.headers import Header
from crm_analysis.doors.sources.opened import Opened, Options, Refusal, chosen, shown
from crm_analysis.doors.verdict import Defect

if TYPE_CHECKING:
    from crm_analysis.doors.sources.sheet import Sheet


def open_workbook(path: Path, options: Options, engine: ibis.BaseBackend, wanted: Sequence[str]) -> Opened:
    """Sheet of a workbook, or several of them one below the other."""
    import openpyxl

    check_workbook(path)
    with warnings.catch_warnings():
        # It warns of styles and extensions that are not read here.
        warnings.simplefilter("ignore")
        try:
            book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
            try:
                return _open_sheets(book, path, options, engine, wanted)
            finally:
                book.close()
        except Refusal:
            raise
        except Exception as error:
            # Whatever the parts of a damaged workbook make of it.
            raise Refusal(
                f"the workbook cannot be read ({type(error).__name__}: {shown(error)[:200]}); save it "
                "again as .xlsx or as CSV"
            ) from None


def _open_sheets(
    book: Any, path: Path, options: Options, engine: ibis.BaseBackend, wanted: Sequence[str]
) -> Opened:
    from crm_analysis.doors.sources.sheet import Sheet  # openpyxl: a tenth of a second that few inputs need

    there = {sheet.title: sheet for sheet in book.worksheets if next(Sheet(sheet).rows(), None)}
    if not there:
        raise Refusal("no sheet has any content; save it as a plain .xlsx (not 'Strict Open XML'), or as CSV")
    names = chosen(options.sheet, list(there), "sheet")
    sheets = {name: Sheet(there[name]) for name in names}
    which = f"sheet {shown(names[0])}" if len(names) == 1 else f"{len(names)} sheets"
    parts = (Part(name, sheet.rows()) for name, sheet in sheets.items())
    place = f"{shown(path.name)}, {which}"
    opened, headers = read_cells(parts, place, options, engine, wanted)
    for name, sheet in sheets.items():
        _refuse_merged(sheet, headers[name], wanted)
    hidden = sum(sheet.n_hidden for sheet in sheets.values())
    return opened.noting(*([_hidden(place, hidden)] if hidden else []))


def _refuse_merged(sheet: Sheet, header: Header, wanted: Sequence[str]) -> None:
    """Refuse cells that are merged over several rows: only the first of these rows has the value."""
    mapped = {i: n for n, i in zip(header.names, header.positions, strict=True) if n in wanted or not wanted}
    found = [
        f"{ref} ({mapped[i]!r})"
        for ref, left, top, right, bottom in sheet.merged
        if bottom > top and bottom > header.number
        for i in range(left - 1, right)
        if i in mapped
    ]
    if found:
        more = ", ..." if len(found) > 3 else ""
        raise Refusal(
            f"sheet {shown(sheet.title)!r}: {len(found)} cells are merged over several rows: "
            f"{', '.join(found[:3])}{more}; take the merging back and fill every row"
        )


def _hidden(place: str, n: int) -> Defect:
    found = f"{place}: {n:,} rows are hidden in the workbook; they were read like the others"
    return Defect("hidden rows", "flag", found, n)
