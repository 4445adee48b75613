"""Pages, Parquet and databases: told apart by what they hold, read as they are, or refused."""

import datetime as dt
import os
import sqlite3
import stat
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis.doors.schema import Column, Schema
from crm_analysis.doors.sources import opened, read_table
from crm_analysis.errors import ConfigError, DataError

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
DAY = dt.datetime(2024, 1, 25)
HEADER = "<tr><th>customer</th><th>date</th><th>amount</th></tr>"
ROW = "<tr><td>007</td><td>2024-01-25</td><td>1.5</td></tr>"
MEANT = [("007", DAY, Decimal("1.5"))]


def rows(source, columns=COLUMNS, **options):
    table = read_table(source, SALES, columns=columns, **options).table
    return [tuple(row.values()) for row in table.select(list(columns)).to_pyarrow().to_pylist()]


def refusal(source, columns=COLUMNS, **options):
    with pytest.raises(DataError) as error:
        read_table(source, SALES, columns=columns, **options)
    assert error.value.verdict.status == "REFUSE"
    return str(error.value)


def page(folder, html, name="export.xls", encoding="utf-8"):
    path = folder / name
    path.write_bytes(html.encode(encoding))
    return path


# Pages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_a_page_named_xls_is_a_table(tmp_path, encoding):
    meta = (
        "<meta http-equiv=Content-Type content='text/html; charset=gb2312'>" if encoding == "gb18030" else ""
    )
    html = f"<html><head>{meta}<title>x</title></head><body><table>{HEADER}{ROW}</table></body></html>"
    html = html.replace("customer", "客户")
    assert rows(page(tmp_path, html, encoding=encoding), COLUMNS | {"customer_id": "客户"}) == MEANT


def test_what_a_page_shows_is_what_is_read(tmp_path):
    html = f"""<!DOCTYPE html><script>document.write("<table><tr><td>1</table>")</script>
    <style>td {{ color: red }}</style><table>{HEADER}
    <tr><td>&lt;b&gt;&#38;&nbsp; Co<br>KG<script>alert(1)</script></td><td> 2024-01-25
    </td><td><b>1</b>.5</td></tr><tr><td>x</td><td>2024-01-26<td>&nbsp;</tr></table>"""
    assert rows(page(tmp_path, html)) == [
        ("<b>& Co KG", DAY, Decimal("1.5")),
        ("x", dt.datetime(2024, 1, 26), None),
    ]


def test_cells_that_span_columns_and_rows(tmp_path):
    title = "<tr><td colspan=3>Report</td></tr>"
    note = "<tr><td>8</td><td colspan=2>2024-01-26</td></tr>"
    path = page(tmp_path, f"<table>{title}{HEADER}{ROW}{note}</table>")
    assert rows(path) == [*MEANT, ("8", dt.datetime(2024, 1, 26), None)]
    read = read_table(path, SALES, columns=COLUMNS)
    assert "header in row 2; 1 row above it was skipped: 'Report'" in read.notes[0].found
    down = (
        "<tr><td rowspan=2>9</td><td>2024-01-25</td><td>1</td></tr><tr><td>2024-01-26</td><td>2</td></tr>"
        + ROW
    )
    message = refusal(page(tmp_path, f"<table>{HEADER}{down}</table>"))
    assert "column 'customer': 1 cells have no value: row 3 'a cell that reaches down from above'" in message


def test_tables_in_tables_and_several_tables(tmp_path):
    layout = f"<table><tr><td><table>{HEADER}{ROW}</table></td></tr></table>"
    assert rows(page(tmp_path, layout)) == MEANT
    footed = layout.removesuffix("</table>") + "<tr><td>Page 1</td></tr></table>"
    assert rows(page(tmp_path, footed), sheet="table 2") == MEANT
    two = page(tmp_path, f"<table>{HEADER}{ROW}</table><table>{HEADER}{ROW.replace('007', '008')}</table>")
    assert "holds 2 sheets, ['table 1', 'table 2']; set sheet" in refusal(two)
    assert rows(two, sheet="table 2")[0][0] == "008"
    assert [row[0] for row in rows(two, sheet=["table 1", "table 2"])] == ["007", "008"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"<html><body>Please log in</body></html>",
            "a web page without a table (a login or an error page?)",
        ),
        (b"<html><table><tr><td>caf\xe9</table>", "the page is not utf-8-sig (b'\\xe9</t'); set encoding"),
        (b"<html><meta charset=klingon><table>", "encoding 'klingon' is not known"),
        (b"<html><body><" + b"a" * 3_000_000, "a tag that does not end"),
        (b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>', "an XML spreadsheet (2003)"),
        (b'<?xml version="1.0"?><orders/>', "this is XML"),
        (b"\xd0\xcf\x11\xe0" + bytes(600), "an old Excel workbook (.xls); save it as .xlsx"),
        (b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"), "locked with a password"),
        (b'{"customer": "007"}\n{"customer": "008"}\n', "this is JSON; export the table as CSV"),
        (b'\xef\xbb\xbf [\n  {"customer": "007", "amount": 1}]', "this is JSON"),
        (b'[["customer", "date"], ["007", "2024-01-25"]]', "this is JSON"),
        (b"[]\n", "this is JSON"),
        ('{"data": []}'.encode("utf-16"), "this is JSON"),
        (b"PK\x03\x04", "the file is damaged"),
        (b"\x1f\x8b\x08\x00", "compressed (gzip) and damaged"),
        (b"%PDF-1.7", "is a PDF"),
        (b"MIME-Version: 1.0\r\n", "a web archive (MHTML)"),
    ],
)
def test_files_that_are_something_else_are_told_apart(tmp_path, content, words):
    path = tmp_path / "export.csv"
    path.write_bytes(content)
    assert words in refusal(path)


def test_a_text_that_begins_like_markup_is_still_text(tmp_path):
    path = page(tmp_path, "<customer>,date,amount\n007,2024-01-25,1.5\n", "sales.csv")
    assert rows(path, COLUMNS | {"customer_id": "<customer>"}) == MEANT


@pytest.mark.parametrize("name", ["[id]", "{customer}", "[[x]]", "{}id"])
def test_a_text_with_brackets_in_its_header_is_still_text(tmp_path, name):
    path = page(tmp_path, f"{name},date,amount\n007,2024-01-25,1.5\n", "sales.csv")
    assert rows(path, COLUMNS | {"customer_id": name}) == MEANT


# Parquet -------------------------------------------------------------------------------------------------


def parquet(folder, select, name="sales.parquet"):
    duckdb.execute(f"COPY ({select}) TO '{folder / name}' (FORMAT parquet)")
    return folder / name


def test_types_of_parquet_are_kept(tmp_path):
    ids = pa.array([2**64 - 1, 2**53 + 1], pa.uint64())
    day = pa.array([dt.date(2024, 1, 25)] * 2)
    path = tmp_path / "sales.parquet"
    money = pa.array([Decimal("1.50"), Decimal("99999999999999.9999")], pa.decimal128(38, 4))
    nested = pa.array([{"a": 1}, None])
    pq.write_table(pa.table({"customer": ids, "date": day, "amount": money, "tree": nested}), path)
    assert rows(path) == [
        (str(2**64 - 1), DAY, Decimal("1.5")),
        (str(2**53 + 1), DAY, Decimal("99999999999999.9999")),
    ]
    assert "column 'tree' (for amount)" in refusal(path, COLUMNS | {"amount": "tree"})


def test_dictionaries_old_times_and_zones(tmp_path):
    path = tmp_path / "sales.parquet"
    table = pa.table(
        {
            "customer": pa.array(["007"]).dictionary_encode(),
            "date": pa.array([dt.datetime(2024, 1, 25)], pa.timestamp("ns")),
            "amount": [1.5],
        }
    )
    pq.write_table(table, path, use_deprecated_int96_timestamps=True)
    assert rows(path) == MEANT
    aware = parquet(
        tmp_path, "SELECT '007' AS customer, TIMESTAMPTZ '2024-01-24 16:00:00Z' AS date, 1.5 AS amount"
    )
    assert rows(aware, timezone="Asia/Shanghai") == MEANT


def test_parquet_names_that_duckdb_would_change_are_refused(tmp_path):
    path = tmp_path / "sales.parquet"
    pq.write_table(pa.table({"customer": ["1"], "date": [DAY], "Amount": [1.5], "amount": [2.5]}), path)
    assert "['Amount', 'amount'] differ only in capital letters" in refusal(path)


def test_damaged_parquet_is_refused_wherever_the_damage_is(tmp_path):
    columns = "i::VARCHAR AS customer, TIMESTAMP '2024-01-25' AS date, random() AS amount"
    numbers = f"SELECT {columns} FROM range(5000) t(i)"
    path = parquet(tmp_path, numbers)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:200], whole[:-1], whole[:4] + bytes(900) + whole[904:]):
        path.write_bytes(damaged)
        assert "damaged" in refusal(path)


def test_a_small_file_that_says_it_has_any_number_of_rows_is_refused(tmp_path):
    path = tmp_path / "sales.parquet"
    table = pa.table(
        {"customer": pa.array(["1"] * 1_000_000), "date": [DAY] * 1_000_000, "amount": [1] * 1_000_000}
    )
    with pq.ParquetWriter(path, table.schema) as writer:
        for _ in range(21):
            writer.write_table(table, row_group_size=1_000_000)
    assert path.stat().st_size < 300_000
    assert "bytes say that they hold 21,000,000 rows" in refusal(path)


def test_parquet_without_rows_says_so(tmp_path):
    path = parquet(tmp_path, "SELECT '1' AS customer, now() AS date, 1 AS amount WHERE false")
    assert "there are no rows" in refusal(path)


# Databases -----------------------------------------------------------------------------------------------


def sqlite(folder, *statements, name="sales.db"):
    path = folder / name
    with sqlite3.connect(path) as database:
        for statement in statements:
            database.execute(statement)
    return path


def test_cells_of_sqlite_are_what_they_are(tmp_path):
    path = sqlite(
        tmp_path,
        'CREATE TABLE "my ""sales" (customer, date DATE, amount NUMERIC, blob)',
        """INSERT INTO "my ""sales" VALUES ('007', '2024-01-25', 1.5, x'00ff')""",
        """INSERT INTO "my ""sales" VALUES (8, '2024-01-26', 0.1 + 0.2, NULL)""",
    )
    assert rows(path) == [*MEANT, ("8", dt.datetime(2024, 1, 26), Decimal("0.3"))]
    assert "row 1 'binary data'" in refusal(path, COLUMNS | {"customer_id": "blob"})
    with sqlite3.connect(path) as database:
        database.execute("""CREATE VIEW few AS SELECT * FROM "my ""sales" WHERE customer = '007'""")
    assert rows(path, table="few") == MEANT
    assert len(rows(path, table='my "sales')) == 2


def test_sqlite_files_that_were_cut(tmp_path):
    path = sqlite(
        tmp_path,
        "CREATE TABLE sales (customer, date, amount)",
        *("INSERT INTO sales VALUES ('007', '2024-01-25', 1.5)" for _ in range(500)),
    )
    whole = path.read_bytes()
    assert len(rows(path)) == 500
    for size in (60, 100, 4096, len(whole) - 4096, len(whole) - 1):
        path.write_bytes(whole[:size])
        message = refusal(path)
        assert "the SQLite file is cut short" in message
        assert f"{size:,} " in message
    path.write_bytes(whole + bytes(4096))
    assert len(rows(path)) == 500
    # A program that does not keep the size in the header leaves it to the pages.
    path.write_bytes(whole[:92] + b"\xff\xff\xff\xff" + whole[96:])
    assert len(rows(path)) == 500
    path.write_bytes((whole[:92] + b"\xff\xff\xff\xff" + whole[96:])[:-4096])
    assert "the SQLite file is damaged" in refusal(path)


def test_a_sqlite_file_with_a_log_beside_it_is_whole(tmp_path):
    path = sqlite(tmp_path, "CREATE TABLE sales (customer, date, amount)")
    writer = sqlite3.connect(path)
    writer.execute("PRAGMA journal_mode = wal")
    writer.execute("PRAGMA wal_autocheckpoint = 0")
    with writer:
        writer.executemany("INSERT INTO sales VALUES (?, '2024-01-25', 1.5)", [("007",)] * 500)
    assert (tmp_path / "sales.db-wal").stat().st_size > 4096
    assert len(rows(path)) == 500
    writer.close()


def test_sqlite_files_that_are_locked_damaged_or_endless(tmp_path):
    path = sqlite(
        tmp_path, "CREATE TABLE t (customer, date, amount)", "INSERT INTO t VALUES (1, '2024-01-25', 2)"
    )
    writer = sqlite3.connect(path)
    writer.execute("BEGIN EXCLUSIVE")
    assert "the SQLite file cannot be read (database is locked)" in refusal(path)
    writer.close()
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(path.read_bytes()[:100] + bytes(4000))
    assert "damaged.db" in refusal(damaged)
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    endless = f"CREATE VIEW t AS {numbers} SELECT i AS customer, '2024-01-25' AS date, i AS amount FROM n"
    assert "has more rows than its file has bytes" in refusal(sqlite(tmp_path, endless, name="endless.db"))


def test_duckdb_files_with_schemas_views_and_new_content(tmp_path):
    path = tmp_path / "it's sales.duckdb"
    one = "SELECT '007' AS customer, DATE '2024-01-25' AS date, 1.5 AS amount"
    with duckdb.connect(str(path)) as database:
        database.execute(f"CREATE SCHEMA shop; CREATE TABLE shop.sales AS {one}")
        database.execute(f'CREATE VIEW "all" AS {one.replace("007", "008")}')
    assert "holds 2 tables, ['all', 'shop.sales']; set table" in refusal(path)
    assert rows(path, table="shop.sales") == MEANT
    assert rows(path, table="all")[0][0] == "008"
    with duckdb.connect(str(tmp_path / "new.duckdb")) as database:
        database.execute(f"CREATE TABLE sales AS {one.replace('007', '009')}")
    (tmp_path / "new.duckdb").replace(path)
    assert rows(path)[0][0] == "009"


def test_duckdb_files_that_are_damaged(tmp_path):
    path = tmp_path / "sales.duckdb"
    with duckdb.connect(str(path)) as database:
        database.execute("CREATE TABLE sales AS SELECT 1 AS customer")
    whole = path.read_bytes()
    newer = tmp_path / "newer.duckdb"
    newer.write_bytes(whole[:12] + bytes([250]) + whole[13:])
    assert "the DuckDB file cannot be opened" in refusal(newer)
    half = tmp_path / "half.duckdb"
    half.write_bytes(whole[:5000])
    assert "the DuckDB file cannot be opened" in refusal(half)


@pytest.mark.parametrize(
    "url", ["postgres://me:s3cret@localhost:1/x", "nonsense://me:s3cret@x", "s3cret", "sqlite:///s3cret/x.db"]
)
def test_passwords_are_in_no_message(monkeypatch, url):
    monkeypatch.setenv("CRM_TEST_DATABASE", url)
    with pytest.raises(DataError) as error:
        rows("env:CRM_TEST_DATABASE", table="sales")
    assert "s3cret" not in str(error.value)
    assert error.value.__cause__ is None


def test_tables_of_a_database_by_schema_and_by_name(monkeypatch, tmp_path):
    path = tmp_path / "sales.duckdb"
    one = "SELECT '007' AS customer, DATE '2024-01-25' AS date, 1.5 AS amount"
    with duckdb.connect(str(path)) as database:
        database.execute(f'CREATE SCHEMA shop; CREATE TABLE shop.sales AS {one}; CREATE TABLE "a.b" AS {one}')
    monkeypatch.setenv("CRM_TEST_DATABASE", f"duckdb://{path}?read_only=True")
    assert rows("env:CRM_TEST_DATABASE", table="shop.sales") == MEANT
    assert rows("env:CRM_TEST_DATABASE", table="a.b") == MEANT
    assert "no table 'shop.orders' there" in refusal("env:CRM_TEST_DATABASE", table="shop.orders")


# Whatever lies there -------------------------------------------------------------------------------------


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    assert "not a regular file" in refusal(tmp_path / "pipe.csv")
    assert "not a regular file: /dev/zero" in refusal("/dev/zero")
    assert "no files there" in refusal(tmp_path / "*.xlsx")
    assert "no such file" in refusal("a\0b.csv", folder=tmp_path)
    assert "the file cannot be read" in refusal("a" * 5000, folder=tmp_path)
    assert "no pattern of file names" in refusal("**.csv", folder=tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    path = page(tmp_path, "customer,date,amount\n007,2024-01-25,1.5\n", "sales.csv")
    path.chmod(stat.S_IWUSR)
    assert "the file cannot be read" in refusal(path)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = page(tmp_path, f"<table>{HEADER}{ROW}</table>")
    states = iter([(1, 1, 1), (1, 2, 1)])
    monkeypatch.setattr(opened, "_state", lambda path: next(states))
    assert "the file changed while it was read" in refusal(path)


def test_names_of_files_in_messages_and_in_sql(tmp_path):
    path = page(tmp_path, "customer,date,amount\n007,2024-01-25,x\n", "it's \n\x1b[31m<b>.csv")
    message = refusal(path)
    assert message.isprintable()
    assert "it's \\n\\x1b[31m<b>.csv" in message


STARTS = [
    b"PAR1",
    b"PK\x03\x04",
    b"SQLite format 3\0",
    bytes(8) + b"DUCK",
    b"<table>",
    b"\xff\xfe<\0",
    b"\xd0\xcf\x11\xe0",
    b"",
]


@settings(max_examples=60, deadline=None)
@given(
    start=st.sampled_from(STARTS),
    content=st.binary(max_size=300),
    name=st.sampled_from(["a.csv", "a.xlsx", "a"]),
)
def test_any_bytes_are_read_or_refused(tmp_path_factory, start, content, name):
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes(start + content)
    with pytest.raises((DataError, ConfigError)):
        rows(path)
