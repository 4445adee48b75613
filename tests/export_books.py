"""Exports that are no text: workbooks, pages of HTML, Parquet, databases, folders of files."""

from __future__ import annotations

import datetime as dt
import sqlite3
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from export_files import HEADER, REFUNDED, SALES, TIMED, Export, comma, plain, sales, sum_of, table
from judged import Sale
from openpyxl.utils.datetime import CALENDAR_MAC_1904

# Workbooks ---------------------------------------------------------------------------------------------


def cells(rows: Sequence[Sale] = SALES) -> list[list[Any]]:
    return [[*HEADER], *([s.customer, s.at, float(s.amount), s.order] for s in rows)]


def book(
    change: Callable[[Any], Any] | None = None, rows: list[list[Any]] | None = None
) -> Callable[[Path], Any]:
    """Write a workbook with a sheet called Sales, after a change."""

    def write(path: Path) -> None:
        made = openpyxl.Workbook()
        made.active.title = "Sales"
        for row in rows or cells():
            made.active.append(row)
        if change:
            change(made)
        made.save(path)

    return write


def of_1904(made: Any) -> None:
    made.epoch = CALENDAR_MAC_1904


def titled(made: Any) -> None:
    sheet = made.active
    sheet.insert_rows(1, 3)
    sheet["A1"], sheet["A2"] = "Sales of the Nordwind shop", "2023"
    sheet.merge_cells("A1:D1")
    sheet.append(["Total", None, float(sum_of(SALES)), None])


def another_sheet(state: str) -> Callable[[Any], None]:
    def add(made: Any) -> None:
        sheet = made.create_sheet("Archive")
        for row in cells(SALES[:5]):
            sheet.append(row)
        sheet.sheet_state = state

    return add


def with_notes(made: Any) -> None:
    made.create_sheet("Read me").append(["Exported on 31 December 2023"])


def an_empty_sheet(made: Any) -> None:
    made.create_sheet("Sheet2")


def cell(place: str, value: Any) -> Callable[[Any], None]:
    def put(made: Any) -> None:
        made.active[place] = value

    return put


def filtered(made: Any) -> None:
    """Rows that a filter hides are still rows."""
    made.active.auto_filter.ref = "A1:D25"
    for number in range(5, 12):
        made.active.row_dimensions[number].hidden = True


def grouped_clients() -> list[list[Any]]:
    """A pivot table: the client stands in its first row only."""
    rows = sorted(cells()[1:])
    for before, row in zip(rows[::-1][1:], rows[::-1][:-1], strict=True):
        if row[0] == before[0]:
            row[0] = None
    return [[*HEADER], *rows]


def texts_and_numbers() -> list[list[Any]]:
    rows = cells()
    for i, row in enumerate(rows[1:]):
        row[1] = f"{row[1]:%Y-%m-%d}" if i % 2 else row[1]
        row[2] = f"{row[2]:,.2f}" if i % 3 == 0 else row[2]
    return rows


def two_header_rows(made: Any) -> None:
    made.active.insert_rows(1)
    made.active["A1"], made.active["C1"] = "Customer", "Sale"
    made.active.merge_cells("A1:B1")


def bomb(path: Path) -> None:
    """A workbook of two megabytes, whose sheet is a gigabyte of blanks."""
    book()(path)
    with zipfile.ZipFile(path) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    sheet = next(name for name in parts if "worksheets/" in name)
    blanks, crc = b" " * (1 << 20), 0
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = parts.pop(sheet)[: -len(b"</worksheet>")]
    first = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(blanks) + packer.flush(zlib.Z_FULL_FLUSH)
    crc = zlib.crc32(start)
    for _ in range(1024):
        crc = zlib.crc32(blanks, crc)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as whole:
        for name, content in parts.items():
            whole.writestr(name, content)
    packed = first + block * 1024 + b"\x03\x00"
    append_packed(path, sheet, packed, crc, len(start) + (1 << 30))


def append_packed(path: Path, name: str, packed: bytes, crc: int, size: int) -> None:
    """Add a part to a zip file that is compressed already."""
    content, title = path.read_bytes(), name.encode()
    end = content.rindex(b"PK\x05\x06")
    n, length, start = struct.unpack("<10xHII", content[end : end + 20])
    common = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, crc, len(packed), size, len(title), 0)
    local = b"PK\x03\x04" + common + title + packed
    entry = b"PK\x01\x02" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, start) + title
    directory = content[start : start + length] + entry
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, n + 1, n + 1, len(directory), start + len(local), 0)
    path.write_bytes(content[:start] + local + directory + tail)


def zipped(**parts: str) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as whole:
            for name, content in parts.items():
                whole.writestr(name.replace("__", "."), content)

    return write


SHEET = {"sheet": "Sales"}
BOOKS = [
    Export("plain.xlsx", book(), "accepted"),
    Export("of_1904.xlsx", book(of_1904), "accepted"),
    Export("times.xlsx", book(rows=cells(TIMED)), "accepted", sales=TIMED),
    Export("texts_and_numbers.xlsx", book(rows=texts_and_numbers()), "accepted"),
    Export("refunds.xlsx", book(rows=cells(REFUNDED)), "flagged", ("refund",), sales=REFUNDED),
    Export("title_and_total.xlsx", book(titled), "flagged or refused", ("header|row 4", "total")),
    Export(
        "two_header_rows.xlsx",
        book(two_header_rows),
        "accepted or flagged or refused",
        ("header|row 2|name",),
    ),
    Export(
        "hidden_sheet.xlsx", book(another_sheet("hidden")), "flagged or asked", ("Archive",), settles=SHEET
    ),
    Export(
        "very_hidden_sheet.xlsx",
        book(another_sheet("veryHidden")),
        "flagged or asked",
        ("Archive",),
        settles=SHEET,
    ),
    Export("two_sheets.xlsx", book(another_sheet("visible")), "asked", ("Archive", "Sales"), settles=SHEET),
    Export("a_sheet_of_notes.xlsx", book(with_notes), "flagged or asked", ("Read me",), settles=SHEET),
    Export("an_empty_sheet.xlsx", book(an_empty_sheet), "accepted"),
    Export("hidden_rows.xlsx", book(filtered), "accepted or flagged"),
    Export("formula_not_computed.xlsx", book(cell("C7", "=10+2.5")), "refused", ("formula", "row 7|C7")),
    Export("error_in_a_cell.xlsx", book(cell("C7", "#REF!")), "refused", ("#REF!", "row 7|C7")),
    Export("word_in_a_cell.xlsx", book(cell("C7", "tbd")), "refused", ("tbd", "row 7")),
    Export("true_in_a_cell.xlsx", book(cell("C7", True)), "refused", ("true", "row 7")),
    Export("a_cell_outside.xlsx", book(cell("H9", "see mail")), "refused or flagged", ("row 9|H",)),
    Export("clients_in_their_first_row.xlsx", book(rows=grouped_clients()), "refused", ("customer",)),
    Export("header_only.xlsx", book(rows=[[*HEADER]]), "refused", ("no rows",)),
    Export("nothing.xlsx", book(rows=[[]]), "refused", ("empty|no rows|sheet",)),
    Export("zip_bomb.xlsx", bomb, "refused", ("unpack|zip|MB|GB|bytes",)),
    Export("a_document.xlsx", zipped(word_document__xml="<w/>"), "refused", ("workbook|Excel|zip",)),
    Export("zipped.csv", zipped(sales__csv=table()), "refused or accepted", ("zip|workbook",)),
    Export(
        "cut.xlsx",
        lambda path: (book()(path), path.write_bytes(path.read_bytes()[:3000])),
        "refused",
        ("workbook|zip",),
    ),
]

# HTML and XML named .xls -------------------------------------------------------------------------------


def html(rows: Sequence[Sale] = SALES, *, above: str = "", head: str = "") -> bytes:
    lines = [[*HEADER], *([s.customer, f"{s.at:%Y-%m-%d}", plain(s.amount), s.order] for s in rows)]
    body = "".join("<tr>" + "".join(f"<td>{text}</td>" for text in line) + "</tr>\n" for line in lines)
    head = f'<meta charset="utf-8">{head}'
    return f"<html><head>{head}</head><body><table>{above}{body}</table></body></html>".encode()


TITLE = '<tr><th colspan="4">Sales &amp; returns, 2023</th></tr>'
AMPERSANDS = sales(("Fish &amp; Chips", "A <b>B</b>", *[f"K00{i}" for i in range(3, 8)]))
SPREADSHEET = (
    b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>'
    b'<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"></Workbook>'
)
PAGES = [
    Export("html.xls", html(), "accepted or flagged"),
    Export("html_title.xls", html(above=TITLE), "accepted or flagged"),
    Export(
        "html_entities.xls",
        html(AMPERSANDS),
        "accepted or flagged",
        sales=sales(("Fish & Chips", "A B", *[f"K00{i}" for i in range(3, 8)])),
    ),
    Export("html_two_tables.xls", html() + html(SALES[:3]), "refused or asked", ("table",)),
    Export("html_ragged.xls", html().replace(b"<td>2023-02-08</td>", b""), "refused", ("row 4|row 3",)),
    Export("html_script.xls", html(head="<script>document.write('<table>')</script>"), "accepted or flagged"),
    Export("xml_of_excel.xls", SPREADSHEET, "refused", ("XML",)),
]

# Parquet and databases ---------------------------------------------------------------------------------


def columns(rows: Sequence[Sale] = SALES) -> dict[str, Any]:
    return {
        "client": pa.array([s.customer for s in rows]),
        "sold_on": pa.array([s.at for s in rows], pa.timestamp("us")),
        "amount": pa.array([s.amount for s in rows], pa.decimal128(12, 2)),
        "order_no": pa.array([s.order for s in rows]),
    }


def parquet(
    rows: Sequence[Sale] = SALES, *, options: dict[str, Any] | None = None, **changed: Any
) -> Callable[[Path], Any]:
    return lambda path: pq.write_table(pa.table(columns(rows) | changed), path, **(options or {}))


def amounts_of(kind: pa.DataType, rows: Sequence[Sale] = SALES) -> pa.Array:
    return pa.array([float(s.amount) if pa.types.is_floating(kind) else s.amount for s in rows], kind)


def nested() -> pa.Array:
    return pa.array([{"amount": float(s.amount), "tags": ["a"]} for s in SALES])


FLOATS = pa.array([1234567890123456789.0 + 256 * (i % 7) for i in range(24)], pa.float64())
AWARE = pa.array([s.at.replace(tzinfo=dt.UTC) for s in TIMED], pa.timestamp("us", "UTC"))
IN_CHINA = tuple(s._replace(at=s.at + dt.timedelta(hours=8)) for s in TIMED)
LATE_IN_CHINA = tuple(s for s in IN_CHINA if s.at.year == 2023)
TINY = pa.array([*(s.amount for s in SALES[:-1]), Decimal("0.00001")], pa.decimal128(38, 10))
MISSING = pa.array([float("nan"), *(float(s.amount) for s in SALES[1:])])
TYPED = [
    Export("plain.parquet", parquet(), "accepted"),
    Export("wide_decimals.parquet", parquet(amount=amounts_of(pa.decimal128(38, 10))), "accepted"),
    Export("a_tiny_amount.parquet", parquet(amount=TINY), "refused", ("amount", "0.00001|1e-05")),
    Export("floats.parquet", parquet(amount=amounts_of(pa.float64())), "accepted"),
    Export(
        "floats_of_single_precision.parquet",
        parquet(amount=amounts_of(pa.float32())),
        "accepted or flagged or refused",
    ),
    Export("not_a_number.parquet", parquet(amount=MISSING), "flagged", ("amount",), sales=SALES[1:]),
    Export("infinite.parquet", parquet(amount=pa.array([float("inf")] * 24)), "refused", ("inf",)),
    Export(
        "dictionary.parquet",
        parquet(client=pa.array([s.customer for s in SALES]).dictionary_encode()),
        "accepted",
    ),
    Export(
        "int96.parquet",
        parquet(TIMED, options={"use_deprecated_int96_timestamps": True}),
        "accepted",
        sales=TIMED,
    ),
    Export(
        "nanoseconds.parquet",
        parquet(TIMED, sold_on=pa.array([s.at for s in TIMED], pa.timestamp("ns"))),
        "accepted",
        sales=TIMED,
    ),
    Export("days.parquet", parquet(sold_on=pa.array([s.at.date() for s in SALES], pa.date32())), "accepted"),
    Export(
        "moments.parquet",
        parquet(TIMED, sold_on=AWARE),
        "asked",
        ("timezone",),
        sales=IN_CHINA,
        settles={"timezone": "Asia/Shanghai"},
    ),
    Export(
        "moments_told.parquet",
        parquet(TIMED, sold_on=AWARE),
        "accepted",
        sales=IN_CHINA,
        stated={"timezone": "Asia/Shanghai"},
    ),
    Export("nested_beside.parquet", parquet(more=nested()), "accepted"),
    Export("nested_amount.parquet", parquet(amount=nested()), "refused", ("amount", "struct")),
    Export("long_ids_as_floats.parquet", parquet(client=FLOATS), "refused", ("2**53|digits",)),
    Export("text_dates.parquet", parquet(sold_on=pa.array([f"{s.at:%d/%m/%Y}" for s in SALES])), "accepted"),
    Export(
        "bytes_for_ids.parquet",
        parquet(client=pa.array([s.customer.encode() for s in SALES])),
        "refused or accepted",
        ("client",),
    ),
    Export("no_rows.parquet", parquet(()), "refused", ("no rows",)),
    Export("names_but_for_case.parquet", parquet(Amount=pa.array([1.0] * 24)), "refused or accepted"),
    Export(
        "cut.parquet",
        lambda path: (parquet()(path), path.write_bytes(path.read_bytes()[:-40])),
        "refused",
        ("Parquet",),
    ),
]


def sqlite(
    kind: str, style: Callable[[dt.datetime], Any], rows: Sequence[Sale] = SALES
) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        with sqlite3.connect(path) as database:
            database.execute(f"CREATE TABLE sales (client TEXT, sold_on {kind}, amount REAL, order_no TEXT)")
            values = [(s.customer, style(s.at), float(s.amount), s.order) for s in rows]
            database.executemany("INSERT INTO sales VALUES (?, ?, ?, ?)", values)
        database.close()

    return write


EPOCH = dt.datetime(1970, 1, 1)


def julian(at: dt.datetime) -> float:
    return (at - EPOCH) / dt.timedelta(days=1) + 2440587.5


DATABASES = [
    Export(
        "text_dates.db", sqlite("TEXT", lambda at: f"{at:%Y-%m-%d %H:%M:%S}", TIMED), "accepted", sales=TIMED
    ),
    Export(
        "seconds.db",
        sqlite("INTEGER", lambda at: int((at - EPOCH).total_seconds()), TIMED),
        "flagged or asked",
        ("epoch",),
        sales=TIMED,
        settles={"dates": "epoch seconds"},
        stated={"timezone": "UTC"},
    ),
    Export("julian_days.db", sqlite("REAL", julian), "refused", ("sold_on",)),
    Export("a_blob.db", sqlite("BLOB", lambda at: b"\x00\x01"), "refused", ("binary|sold_on",)),
    Export(
        "cut.db",
        lambda path: (sqlite("TEXT", str)(path), path.write_bytes(path.read_bytes()[:5000])),
        "refused",
        ("SQLite",),
    ),
]

# Folders -----------------------------------------------------------------------------------------------

FIRST, SECOND = SALES[:11], SALES[11:]
STORE = b"\x00\x00\x00\x01Bud1\x00\x00\x10\x00" + bytes(200)
REORDERED = (HEADER[3], HEADER[0], HEADER[2], HEADER[1])


def folder(**files: str | bytes) -> Callable[[Path], Any]:
    """Write files, their names without points: `january_csv` is january.csv."""

    def write(path: Path) -> None:
        path.mkdir()
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            (path / name.replace("_", ".")).write_bytes(data)

    return write


def reordered(rows: Sequence[Sale]) -> str:
    lines = [[*REORDERED], *([s.order, s.customer, plain(s.amount), f"{s.at:%Y-%m-%d}"] for s in rows)]
    return "\n".join(",".join(row) for row in lines) + "\n"


RAGGED = table(SECOND).replace("R2014", "R2014,and more")
FOLDERS = [
    Export("two_files", folder(a_csv=table(FIRST), b_csv=table(SECOND)), "accepted"),
    Export(
        "what_a_mac_leaves",
        folder(_DS__Store=STORE, a_csv=table(FIRST), b_csv=table(SECOND)),
        "accepted or flagged",
    ),
    Export(
        "what_excel_leaves",
        folder(**{"~$a_csv": b"\x05owner" + bytes(50), "a_csv": table(FIRST), "b_csv": table(SECOND)}),
        "accepted or flagged",
    ),
    Export(
        "two_dialects",
        folder(a_csv=table(FIRST), b_csv="\ufeff" + table(SECOND, delimiter=";", end="\r\n")),
        "accepted",
    ),
    Export(
        "two_encodings",
        folder(a_csv=table(FIRST), b_csv=table(SECOND, delimiter="\t").encode("utf-16")),
        "accepted",
    ),
    Export(
        "two_signs_of_decimals",
        folder(a_csv=table(FIRST), b_csv=table(SECOND, delimiter=";", amount=comma)),
        "refused or accepted",
        ("b.csv",),
    ),
    Export(
        "two_orders_of_dates",
        folder(a_csv=table(FIRST, day="%d/%m/%Y"), b_csv=table(SECOND, day="%m/%d/%Y")),
        "refused or accepted",
        ("sold_on",),
    ),
    Export(
        "two_orders_of_columns",
        folder(a_csv=table(FIRST), b_csv=reordered(SECOND)),
        "refused or accepted",
        ("b.csv",),
    ),
    Export("one_of_them_ragged", folder(a_csv=table(FIRST), b_csv=RAGGED), "refused", ("b.csv", "line 4")),
    Export(
        "one_of_them_cut",
        folder(a_csv=table(FIRST), b_csv=table(SECOND) + '"K001,2023'),
        "refused",
        ("b.csv",),
    ),
    Export(
        "one_of_them_empty",
        folder(a_csv=table(FIRST), b_csv=table(SECOND), c_csv=b""),
        "refused or flagged",
        ("c.csv",),
    ),
    Export(
        "one_of_them_other",
        folder(a_csv=table(FIRST), b_csv=table(SECOND), notes_txt="call Bo\n"),
        "refused or flagged",
        ("notes.txt",),
    ),
    Export(
        "the_same_file_twice",
        folder(**{"a_csv": table(), "a (1)_csv": table()}),
        "flagged or refused",
        ("duplicate|same",),
        sales=[s for s in SALES for _ in range(2)],
    ),
    Export("no_files", lambda path: path.mkdir(), "refused", ("no ",)),
]
OTHERS = [*BOOKS, *PAGES, *TYPED, *DATABASES, *FOLDERS]
