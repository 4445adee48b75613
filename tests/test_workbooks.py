"""Workbooks: every cell is read as what it is, or the workbook is refused with the row."""

import datetime as dt
import json
import re
import warnings
import zipfile
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from openpyxl.utils.datetime import MAC_EPOCH

from crm_analysis.doors.schema import Column, Schema
from crm_analysis.doors.sources import read_table
from crm_analysis.doors.sources.cell import mark
from crm_analysis.errors import DataError

NASTY = Path("../shared/data/nasty")
SALES = Schema(
    "sales",
    (
        Column("customer_id", "id", required=True),
        Column("occurred_at", "time", required=True),
        Column("amount", "money", required=True),
        Column("order_id", "id"),
    ),
)
COLUMNS = {"customer_id": "customer", "occurred_at": "date", "amount": "amount"}
HEAD = ["customer", "date", "amount"]
DAY = dt.datetime(2024, 1, 25)


def book_of(folder, rows, name="sales.xlsx", **sheets):
    """Write a workbook with these rows in its first sheet, and others by their titles."""
    book = openpyxl.Workbook()
    for title, content in {"Sales": rows, **sheets}.items():
        sheet = book.active if title == "Sales" else book.create_sheet(title)
        sheet.title = title
        for row in content:
            sheet.append(row)
    book.save(folder / name)
    return folder / name


def changed(path, edit):
    """Let `edit` change the open workbook, and save it."""
    book = openpyxl.load_workbook(path)
    edit(book)
    book.save(path)
    return path


def digits(written):
    return lambda xml: re.sub(rb"<v>1\.?23456789[\de+.]*</v>", b"<v>" + written + b"</v>", xml)


def rewritten(path, part, edit):
    """Let `edit` change the bytes of one part of the file."""
    with zipfile.ZipFile(path) as archive:
        parts = {info.filename: archive.read(info) for info in archive.infolist()}
    parts[part] = edit(parts[part])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def read(source, columns=COLUMNS, **options):
    return read_table(source, SALES, columns=columns, **options)


def rows(source, columns=COLUMNS, **options):
    found = read(source, columns, **options).table.select(list(columns)).to_pyarrow().to_pylist()
    return [tuple(row.values()) for row in found]


def refusal(source, columns=COLUMNS, **options):
    with pytest.raises(DataError) as error:
        read(source, columns, **options)
    assert error.value.verdict.status == "REFUSE"
    return str(error.value)


def amounts(source, **options):
    return [row[2] for row in rows(source, **options)]


# Where the table is --------------------------------------------------------------------------------------


def test_titles_above_the_header_are_skipped_and_told(tmp_path):
    path = book_of(tmp_path, [["Sales report"], [], ["amount", "of May"], HEAD, ["007", DAY, 1.5]])
    read_ = read(path)
    assert rows(path) == [("007", DAY, Decimal("1.5"))]
    (note,) = read_.notes
    assert note.consequence == "flag"
    assert note.found == (
        "sales.xlsx, sheet Sales: header in row 4; 2 rows above it were skipped: 'Sales report', 'amount'"
    )
    assert "header in row 4" in read_.reading
    assert read_.table.source_row.to_pyarrow().to_pylist() == [5]


def test_a_table_may_begin_anywhere_and_have_empty_rows_and_columns(tmp_path):
    path = book_of(tmp_path, [[], [None, *HEAD, None], [None] * 4, [None, "007", DAY, 1.5, "  "]])
    assert rows(path) == [("007", DAY, Decimal("1.5"))]
    assert read(path).notes == ()


def test_a_value_in_a_column_without_a_name_is_refused(tmp_path):
    path = book_of(tmp_path, [HEAD, ["007", DAY, 1.5], ["008", DAY, 2, "7%"]])
    assert "row 3 has '7%' in cell 4, a column that the header in row 1 does not name" in refusal(path)


def test_names_of_columns_lose_what_cannot_be_seen_and_are_there_once(tmp_path):
    path = book_of(tmp_path, [["\ufeffcustomer\u00a0", "\u200bdate", "amount\n"], ["007", DAY, 1.5]])
    assert rows(path) == [("007", DAY, Decimal("1.5"))]
    doubled = book_of(tmp_path, [[*HEAD, "amount\u00a0"], ["007", DAY, 1.5, 2]], "a.xlsx")
    assert "names ['amount'] twice" in refusal(doubled)
    alike = book_of(tmp_path, [[*HEAD, "Amount"], ["007", DAY, 1.5, 2]], "b.xlsx")
    assert "['Amount', 'amount'] differ only in capital letters" in refusal(alike)
    taken = book_of(tmp_path, [[*HEAD, "source_row"], ["007", DAY, 1.5, 2]], "c.xlsx")
    assert "['source_row'] have names under which the place" in refusal(taken)


def test_a_workbook_without_a_header_has_numbered_columns(tmp_path):
    path = book_of(tmp_path, [["007", DAY, 1.5], ["008", DAY, 2]])
    by_place = {"customer_id": "1", "occurred_at": "2", "amount": "3"}
    assert [row[0] for row in rows(path, by_place, header=False)] == ["007", "008"]


def test_several_sheets_are_asked_for_and_read_one_below_the_other(tmp_path):
    path = book_of(
        tmp_path,
        [HEAD, ["007", DAY, 1.5]],
        More=[["Title"], ["amount", "customer", "date"], [2, "008", DAY], ["x", "009", DAY]],
    )
    message = refusal(path)
    assert "holds 2 sheets, ['Sales', 'More']; set sheet to the one that is meant, or to a list" in message
    assert "sheet More row 4 'x'" in refusal(path, sheet=["Sales", "More"])
    changed(path, lambda book: book["More"].delete_rows(4))
    assert rows(path, sheet=["Sales", "More"]) == [("007", DAY, Decimal("1.5")), ("008", DAY, Decimal(2))]
    assert rows(path, sheet="More") == [("008", DAY, Decimal(2))]
    table = read(path, sheet=["Sales", "More"]).table
    places = table.select("source_sheet", "source_row").to_pyarrow().to_pylist()
    assert [tuple(place.values()) for place in places] == [("Sales", 2), ("More", 3)]


def test_lists_of_sheets_that_cannot_be_meant(tmp_path):
    path = book_of(tmp_path, [HEAD, ["007", DAY, 1.5]], More=[["customer", "date", "eur"], ["8", DAY, 2]])
    assert "['amount', 'eur'] are not in both" in refusal(path, sheet=["Sales", "More"])
    assert "has no sheet 'Old'; sheets there: ['Sales', 'More']" in refusal(path, sheet=["Sales", "Old"])
    assert "must name each sheet that is meant once" in refusal(path, sheet=["Sales", "Sales"])
    assert "must name each sheet that is meant once" in refusal(path, sheet=[])


@pytest.mark.skipif(not NASTY.is_dir(), reason="the collection of hard files is not there")
def test_two_sheets_of_the_collection_have_their_totals():
    manifest = {entry["file"]: entry for entry in json.loads((NASTY / "manifest.json").read_text())}
    wanted = manifest["two_sheets.xlsx"]
    columns = {
        "customer_id": "customer_id",
        "occurred_at": "order_date",
        "amount": "amount",
        "order_id": "order_id",
    }
    found = rows(NASTY / "two_sheets.xlsx", columns, sheet=wanted["read"]["sheets"])
    assert len(found) == wanted["totals"]["rows"]
    assert f"{sum(row[2] for row in found):.2f}" == wanted["totals"]["amount"]
    assert len({row[0] for row in found}) == wanted["totals"]["customers"]


def test_a_size_that_the_sheet_states_wrongly_hides_no_rows(tmp_path):
    path = book_of(tmp_path, [HEAD, ["007", DAY, 1.5], ["008", DAY, 2]])
    part = "xl/worksheets/sheet1.xml"
    rewritten(path, part, lambda xml: xml.replace(b'ref="A1:C3"', b'ref="A1"'))
    assert amounts(path) == [Decimal("1.5"), Decimal(2)]


# What cells hold -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("epoch", ["1900", "1904"])
def test_both_date_systems(tmp_path, epoch):
    book = openpyxl.Workbook()
    if epoch == "1904":
        book.epoch = MAC_EPOCH
    for row in (HEAD, ["007", dt.datetime(2024, 2, 29, 13, 45, 30), 1]):
        book.active.append(row)
    book.save(tmp_path / "sales.xlsx")
    assert rows(tmp_path / "sales.xlsx")[0][1] == dt.datetime(2024, 2, 29, 13, 45, 30)


def test_serials_that_are_no_dates_are_refused_with_their_row(tmp_path):
    path = book_of(tmp_path, [HEAD, ["007", DAY, 1], ["008", DAY, 1], ["009", DAY, 1], ["010", DAY, 1]])

    def edit(book):
        for row, serial in ((3, 0), (4, -5), (5, 9e6)):
            book.active.cell(row, 2).value = serial
            book.active.cell(row, 2).number_format = "yyyy-mm-dd"

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        changed(path, edit)
    message = refusal(path)
    assert "row 4 'a date before 1900, 1899-12-25 00:00:00', row 5 '#VALUE!'" in message
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        changed(path, lambda book: book.active.delete_rows(4, 2))
    assert rows(path)[1][1] is None
    assert "holds zeros only (1 rows)" in read(path).notes[0].found


def test_marks_of_cells_give_the_cells_back():
    cells = [0.1 + 0.2, -0.0, 1e-7, 12.0, 1e15, 7, True, "  ", "", None, "n1", float("nan"), DAY]
    assert [mark(cell) for cell in cells] == [
        "n0.3", "n0", "n0.0000001", "n12", "n1000000000000000", "n7", "bTrue",
        None, None, None, "sn1", "snan", "d2024-01-25T00:00:00",
    ]  # fmt: skip


def test_floating_point_neither_adds_nor_loses_digits(tmp_path):
    path = book_of(tmp_path, [HEAD, ["007", DAY, 0.1 + 0.2], ["008", DAY, 1e-4], ["009", DAY, 123456.7891]])
    assert amounts(path) == [Decimal("0.3"), Decimal("0.0001"), Decimal("123456.7891")]
    # Beside a text, numbers are written as text: the same digits.
    changed(path, lambda book: book.active.append(["010", DAY, "n/a"]))
    assert amounts(path) == [Decimal("0.3"), Decimal("0.0001"), Decimal("123456.7891"), None]


@pytest.mark.parametrize(
    ("cells", "read_as"),
    [
        (["1.234,56", 12.5, 1.234, 3], ["1234.56", "12.5", "1.234", "3"]),
        (["1,234.56", 12.5, 1.234, 3], ["1234.56", "12.5", "1.234", "3"]),
        (["N/A", 1.234, 5.678], [None, "1.234", "5.678"]),
        (["7", 1.234, -5.678], ["7", "1.234", "-5.678"]),
        (["1.234", 12, 3], "asked"),
        (["1.234", 12.5, 3], "asked"),
        (["1,234", 12.5, 0.125], "asked"),
    ],
)
def test_numbers_beside_texts_are_what_they_are_and_settle_nothing_for_the_texts(tmp_path, cells, read_as):
    path = book_of(tmp_path, [HEAD, *[["007", DAY, cell] for cell in cells]])
    if read_as != "asked":
        assert amounts(path) == [None if text is None else Decimal(text) for text in read_as]
        return
    assert 'set decimal = "." or decimal = ","' in refusal(path)
    thousands = Decimal(cells[0].replace(".", "").replace(",", ""))
    for decimal in (".", ","):
        first = thousands / 1000 if decimal in cells[0] else thousands
        numbers = [Decimal(str(cell)) for cell in cells[1:]]
        assert amounts(path, decimal=decimal) == [first, *numbers]


def test_dates_as_text_beside_real_dates(tmp_path):
    path = book_of(tmp_path, [HEAD, ["007", DAY, 1], ["008", "2024-01-26", 1]])
    assert [row[1].day for row in rows(path)] == [25, 26]
    # Real dates beside day-first texts are often days and months that Excel has exchanged.
    swapped = book_of(
        tmp_path, [HEAD, ["007", dt.datetime(2024, 5, 1), 1], ["008", "13/01/2024", 1]], "b.xlsx"
    )
    assert "column 'date' (for occurred_at)" in refusal(swapped)


def test_ids_as_text_as_numbers_and_with_zeros_that_only_the_format_shows(tmp_path):
    path = book_of(tmp_path, [HEAD, ["00001", DAY, 1], [1, DAY, 1], [12.0, DAY, 1]])
    assert [row[0] for row in rows(path)] == ["00001", "1", "12"]
    shown = book_of(tmp_path, [HEAD, [42, DAY, 1], [7, DAY, 1]], "b.xlsx")

    def pad(book):
        for row in (2, 3):
            book.active.cell(row, 1).number_format = "00000"

    assert [row[0] for row in rows(changed(shown, pad))] == ["00042", "00007"]


def test_ids_that_are_longer_than_a_number_can_hold(tmp_path):
    cut = book_of(tmp_path, [HEAD, ["1", DAY, 1], [12345678901234567, DAY, 1]])
    assert "row 3 '12345678901234570, which may have lost digits after the 15th'" in refusal(cut)
    part = "xl/worksheets/sheet1.xml"
    # Written by a program, with all its digits; and by Excel, which keeps fifteen.
    assert rows(rewritten(cut, part, digits(b"12345678901234567")))[1][0] == "12345678901234567"
    assert "may have lost digits" in refusal(rewritten(cut, part, digits(b"12345678901234500")))


def test_booleans_and_times_are_no_amounts(tmp_path):
    assert "holds boolean" in refusal(book_of(tmp_path, [HEAD, ["007", DAY, True]]))
    path = book_of(tmp_path, [HEAD, ["007", DAY, 1.5], ["008", DAY, dt.time(1, 30)]], "b.xlsx")
    assert "row 3 '01:30:00'" in refusal(path)
    path = book_of(tmp_path, [HEAD, ["007", DAY, 1.5], ["008", DAY, dt.datetime(2024, 5, 1)]], "c.xlsx")
    assert "row 3 '2024-05-01" in refusal(path)


# What loses sales without a word -------------------------------------------------------------------------


def test_error_cells_are_refused_with_their_rows_and_not_available_is_missing(tmp_path):
    path = book_of(tmp_path, [HEAD, ["007", DAY, 1], ["#REF!", DAY, 2], ["#N/A", DAY, 3]])
    message = refusal(path)
    assert "column 'customer': 1 cells have no value: row 3 '#REF!'" in message
    changed(path, lambda book: book.active.delete_rows(3))
    assert [row[0] for row in rows(path)] == ["007", None]
    carried = book_of(tmp_path, [[*HEAD, "share"], ["007", DAY, 1, "#DIV/0!"]], "b.xlsx")
    assert amounts(carried) == [Decimal(1)]
    unmapped = read(
        book_of(tmp_path, [["customer_id", "occurred_at", "amount"], ["#REF!", DAY, 1]], "c.xlsx"), {}
    )
    assert "row 2 '#REF!'" in unmapped.notes[0].found


def test_formulas_whose_result_was_not_saved_are_refused(tmp_path):
    path = book_of(tmp_path, [HEAD, ["007", DAY, 1], ["008", DAY, "=C2*2"]])
    assert "column 'amount': 1 cells have no value: row 3 'a formula without its result'" in refusal(path)
    part = "xl/worksheets/sheet1.xml"
    rewritten(
        path,
        part,
        lambda xml: xml.replace(b"</f><v></v>", b"</f><v>2</v>").replace(b"</f><v />", b"</f><v>2</v>"),
    )
    assert amounts(path) == [Decimal(1), Decimal(2)]
    rewritten(
        path,
        part,
        lambda xml: xml.replace(b'<c r="C3"><f>C2*2</f><v>2</v>', b'<c r="C3" t="str"><f>C2*2</f><v></v>'),
    )
    assert amounts(path) == [Decimal(1), None]


def test_cells_merged_over_rows_are_refused_and_over_columns_are_not(tmp_path):
    path = book_of(tmp_path, [["Sales"], ["of 2024"], HEAD, ["007", DAY, 1], [None, DAY, 2]])
    changed(path, lambda book: book.active.merge_cells("A1:C2"))
    changed(path, lambda book: book.active.append(["a note", None, None]))
    changed(path, lambda book: book.active.merge_cells("A6:C6"))
    assert len(rows(path)) == 3
    changed(path, lambda book: book.active.merge_cells("A4:A5"))
    message = refusal(path)
    assert "1 cells are merged over several rows: A4:A5 ('customer')" in message


def test_hidden_rows_are_read_and_told(tmp_path):
    path = book_of(tmp_path, [HEAD, ["007", DAY, 1], ["008", DAY, 2], ["009", DAY, 3]])

    def hide(book):
        for row in (2, 4):
            book.active.row_dimensions[row].hidden = True

    changed(path, hide)
    assert len(rows(path)) == 3
    assert read(path).notes[0].found.startswith("sales.xlsx, sheet Sales: 2 rows are hidden in the workbook")


# Hostile workbooks ---------------------------------------------------------------------------------------


def bomb(path, part, start, piece, n, end):
    with zipfile.ZipFile(path) as archive:
        parts = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in parts.items():
            if name != part:
                archive.writestr(name, content)
        with archive.open(part, "w", force_zip64=True) as file:
            file.write(start)
            for _ in range(n):
                file.write(piece)
            file.write(end)
    return path


@pytest.mark.parametrize(
    ("part", "piece"),
    [
        ("xl/worksheets/sheet1.xml", b"<c><v>1</v></c>"),
        ("xl/sharedStrings.xml", b"<si><t>a</t></si>"),
        ("xl/styles.xml", b"<xf/>"),
    ],
)
def test_a_bomb_is_refused_before_it_unpacks(tmp_path, part, piece):
    path = book_of(tmp_path, [HEAD, ["007", DAY, 1]])
    bomb(path, part, b"<worksheet><sheetData><row>", piece * 100_000, 80, b"</row></sheetData></worksheet>")
    assert path.stat().st_size < 2_000_000
    assert "as no workbook of data does; export the data as CSV" in refusal(path)


def test_one_row_without_end_is_refused_however_little_it_shrinks(tmp_path):
    path = book_of(tmp_path, [HEAD, ["007", DAY, 1]])
    piece = b"".join(b"<c><v>%d</v></c>" % (i * i) for i in range(60_000))
    bomb(
        path,
        "xl/worksheets/sheet1.xml",
        b"<worksheet><sheetData><row>",
        piece,
        20,
        b"</row></sheetData></worksheet>",
    )
    assert "MB without a row" in refusal(path)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (b'<row r="2"', b'<row r="99999999999"', "row 99999999999 follows row 1"),
        (b'<row r="2"', b'<row r="1"', "row 1 follows row 1"),
        (b'r="B2"', b'r="ZZZ2"', "cells of row 2 are not in order"),
        (b'r="B2"', b'r="A2"', "cells of row 2 are not in order"),
    ],
)
def test_places_that_no_sheet_has(tmp_path, before, after, words):
    path = book_of(tmp_path, [HEAD, ["007", DAY, 1]])
    assert words in refusal(
        rewritten(path, "xl/worksheets/sheet1.xml", lambda xml: xml.replace(before, after))
    )


def test_control_characters_and_markup_in_names_are_shown_escaped(tmp_path):
    path = book_of(tmp_path, [HEAD, ["007", DAY, "_x001F_x"]], "a\nb\u202e.xlsx")
    message = refusal(path)
    assert message.isprintable()
    assert "a\\nb\\u202e.xlsx" in message
    assert "'\\x1fx'" in message
