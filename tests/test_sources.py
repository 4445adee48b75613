"""Sources: what is written is what is read, and what can be read two ways is refused with what settles it."""

import csv
import datetime as dt
import io
import json
import sqlite3
from decimal import Decimal
from pathlib import Path

import duckdb
import ibis
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis.doors.schema import Column, Schema
from crm_analysis.doors.sources import connect, default_engine, input_files, read_table
from crm_analysis.errors import ConfigError, DataError

NASTY = Path("../shared/data/nasty")
SALES = Schema(
    "sales",
    (
        Column("customer_id", "id", required=True),
        Column("occurred_at", "time", required=True),
        Column("amount", "money", required=True),
        Column("order_id", "id"),
        Column("quantity", "number"),
        Column("unit_price", "money"),
    ),
)
COLUMNS = {"customer_id": "customer", "occurred_at": "date", "amount": "amount"}


def write(folder, text, name="sales.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def rows(source, columns=COLUMNS, **options):
    table = read_table(source, SALES, columns=columns, **options).table
    found = table.select(list(columns)).order_by(list(columns)).to_pyarrow().to_pylist()
    return [tuple(row.values()) for row in found]


def refusal(source, columns=COLUMNS, **options):
    with pytest.raises(DataError) as error:
        read_table(source, SALES, columns=columns, **options)
    assert error.value.verdict.status == "REFUSE"
    return str(error.value)


def one(date="2024-01-05", amount="1.5"):
    return [("007", dt.datetime.fromisoformat(date), Decimal(amount))]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "with BOM"])
def test_delimiter_and_mark_are_proven_by_the_header(tmp_path, delimiter, mark):
    text = mark + "\r\n".join(
        delimiter.join(row) for row in (["customer", "date", "amount"], ["007", "2024-01-05", "1.5"])
    )
    assert rows(write(tmp_path, text)) == one()


@pytest.mark.parametrize("encoding", ["utf-16", "gb18030", "cp1252"])
def test_other_encodings_are_proven_by_their_mark_or_stated(tmp_path, encoding):
    path = write(tmp_path, "customer,date,amount,name\n007,2024-01-05,1.5,é\n", encoding=encoding)
    stated = {} if encoding == "utf-16" else {"encoding": encoding}
    assert rows(path, **stated) == one()


def test_quoted_delimiters_quotes_and_line_ends_are_kept(tmp_path):
    path = write(tmp_path, 'customer,date,amount\n"a,""b""\nc",2024-01-05,1.5\nd,2024-13-05,1\n')
    message = refusal(path)
    # A quoted line end makes lines uncountable, so the row is named.
    assert "row 2 '2024-13-05'" in message
    path = write(tmp_path, 'customer,date,amount\n"a,""b""\nc",2024-01-05,1.5\n')
    assert rows(path)[0][0] == 'a,"b"\nc'


def test_runs_of_blanks_with_a_header_and_without(tmp_path):
    with_header = write(tmp_path, "  customer   date amount\n  007 20240105   1.50\n", "a.txt")
    assert rows(with_header) == one()
    without = write(tmp_path, "  007 20240105   1.50\n 008 20240106   2\n", "b.txt")
    by_place = {"customer_id": "1", "occurred_at": "2", "amount": "3"}
    assert rows(without, by_place, header=False)[0] == one()[0]


def test_a_line_with_a_blank_too_many_is_named(tmp_path):
    path = write(tmp_path, "customer date amount\n007 20240105 1.50\n008 9 20240105 1.50\n")
    assert "line 3 '008 9 20240105 1.50' has 4 fields, the first line 3 columns" in refusal(path)


def test_a_ragged_line_is_named_with_its_fields(tmp_path):
    path = write(tmp_path, "customer,date,amount\n007,2024-01-05,1.5\nSmith, J.,2024-01-05,1,5\n")
    assert refusal(path) == (
        "sales.csv: line 3 'Smith, J.,2024-01-05,1,5' has 5 fields, the header 3 columns; quote values that "
        "contain the delimiter, or export with another one"
    )


def test_an_open_quote_is_refused(tmp_path):
    path = write(tmp_path, 'customer,date,amount\n007,2024-01-05,"1.5\n008,2024-01-05,1\n')
    assert "opens a quote that is never closed" in refusal(path)


def test_a_delimiter_that_is_not_clear_is_asked_for(tmp_path):
    path = write(tmp_path, "customer;a,date;b,amount;c\n1;2,3;4,5;6\n")
    assert "the delimiter is not clear from the first line" in refusal(path)
    stated = write(tmp_path, "customer;a,date,amount\n007,2024-01-05,1.5\n")
    assert rows(stated, COLUMNS | {"customer_id": "customer;a"}, delimiter=",") == one()


def test_missing_columns_are_named_all_at_once_with_those_present(tmp_path):
    path = write(tmp_path, "client,date,eur\n007,2024-01-05,1.5\n")
    assert refusal(path).splitlines() == [
        "sales.csv: no column 'customer' (for customer_id); columns present: ['client', 'date', 'eur']; "
        "correct columns, or the export",
        "sales.csv: no column 'amount' (for amount); columns present: ['client', 'date', 'eur']; "
        "correct columns, or the export",
    ]


def test_all_problems_of_a_file_are_told_at_once(tmp_path):
    path = write(tmp_path, "client,date,amount\n007,01/02/2024,TBD\n")
    message = refusal(path)
    assert len(message.splitlines()) == 3
    assert "no column 'customer'" in message
    assert "is ambiguous" in message
    assert "line 2 'TBD'" in message


def test_an_unreadable_date_is_named_with_line_column_and_value(tmp_path):
    path = write(tmp_path, "customer,date,amount\n007,2024-01-05,1.5\n008,2023-02-30,1\n")
    assert refusal(path) == (
        "sales.csv: column 'date' (for occurred_at): 1 of 2 values cannot be read: line 3 '2023-02-30'; "
        "a date, year first, that exists was expected; put them right in the source, or leave them empty"
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2024-01-25", "2024-01-25"),
        ("2024/1/25", "2024-01-25"),
        ("20240125", "2024-01-25"),
        ("25.01.2024", "2024-01-25"),
        ("25/1/2024 13:45", "2024-01-25T13:45"),
        ("1/25/2024 9:05:30", "2024-01-25T09:05:30"),
        ("2024-01-25T23:59:59.5", "2024-01-25T23:59:59.5"),
    ],
)
def test_dates_in_one_provable_format(tmp_path, written, read):
    path = write(tmp_path, f"customer;date;amount\n007;{written};1.5\n")
    assert rows(path) == one(read)


def test_day_or_month_first_is_asked_with_two_values_and_the_option(tmp_path):
    path = write(tmp_path, "customer,date,amount\n007,01/02/2024,1.5\n007,03/04/2024,1.5\n")
    assert refusal(path) == (
        "sales.csv: column 'date' (for occurred_at) is ambiguous: line 2 '01/02/2024' and line 3 "
        "'03/04/2024' may be day first or month first, and no row has a number over 12 to prove it; "
        'set dates = "day first" or dates = "month first"'
    )
    assert rows(path, dates="day first")[0][1] == dt.datetime(2024, 2, 1)
    assert rows(path, dates="month first")[0][1] == dt.datetime(2024, 1, 2)
    assert rows(path, dates="%d/%m/%Y")[0][1] == dt.datetime(2024, 2, 1)


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        (
            ("13/01/2024", "01/13/2024"),
            "mixes day-first and month-first dates, such as line 2 '13/01/2024' and line 3 '01/13/2024'",
        ),
        (("2024-01-13", "13/01/2024"), "mixes date formats"),
        (("soon", "later"), "holds no dates that are understood"),
        (("45294", "2024-01-13"), "Excel serial numbers (1 rows, such as line 2 '45294')"),
        (("05.01.24", "06.01.24"), "may be day first or month first or year first"),
    ],
)
def test_columns_that_are_no_dates_or_two_kinds_of_them(tmp_path, dates, words):
    body = "\n".join(f"007,{date},1.5" for date in dates)
    message = refusal(write(tmp_path, f"customer,date,amount\n{body}\n"))
    assert "column 'date' (for occurred_at)" in message
    assert words in message


@pytest.mark.parametrize(
    ("amounts", "read"),
    [
        (["1234.5", "-2"], ["-2", "1234.5"]),
        (["1,234.56", "1"], ["1", "1234.56"]),
        (["1.234,56", "-0,5"], ["-0.5", "1234.56"]),
        (["0.125", "12"], ["0.125", "12"]),
        (["1.234", "5.5"], ["1.234", "5.5"]),
        (["1.234", "5,5"], ["5.5", "1234"]),
        (["99999999999999.9999", "1.50000000"], ["1.5", "99999999999999.9999"]),
    ],
)
def test_decimal_signs_are_proven_by_the_column(tmp_path, amounts, read):
    body = "\n".join(f"007;2024-01-05;{amount}" for amount in amounts)
    found = [row[2] for row in rows(write(tmp_path, f"customer;date;amount\n{body}\n"))]
    assert found == sorted(Decimal(amount) for amount in read)


def test_a_sign_that_may_be_either_is_asked_for(tmp_path):
    path = write(tmp_path, "customer;date;amount\n007;2024-01-05;1.234\n007;2024-01-05;5\n")
    assert 'set decimal = "." or decimal = ","' in refusal(path)
    assert rows(path, decimal=".")[0][2] == Decimal("1.234")
    assert rows(path, decimal=",")[1][2] == Decimal("1234")


def test_both_signs_are_refused(tmp_path):
    path = write(tmp_path, "customer;date;amount\n007;2024-01-05;1.5\n007;2024-01-05;1,5\n")
    assert "mixes numbers with a decimal point and with a comma: line 2 '1.5' and line 3 '1,5'" in refusal(
        path
    )


@pytest.mark.parametrize(
    "amount", ["TBD", "1e5", "5%", "1.23456", "123456789012345", "--1", "1 5", "12.34.5", "١٢"]
)
def test_amounts_that_are_no_plain_numbers_are_refused_never_rounded(tmp_path, amount):
    message = refusal(write(tmp_path, f"customer;date;amount\n007;2024-01-05;1.5\n008;2024-01-05;{amount}\n"))
    assert f"line 3 '{amount}'" in message


@pytest.mark.parametrize("word", ["", "NULL", "nan", "None", " ", "#N/A"])
def test_words_for_nothing_are_missing_ids_and_amounts(tmp_path, word):
    path = write(tmp_path, f"customer,date,amount\n{word},2024-01-05,1.5\n007,2024-01-05,{word}\n")
    assert {row[0] for row in rows(path)} == {None, "007"}
    assert {row[2] for row in rows(path)} == {None, Decimal("1.5")}


def test_a_customer_called_null_stays_apart_from_none_in_other_columns(tmp_path):
    path = write(tmp_path, "customer,date,amount,name\nC1,2024-01-05,1.5,Null\n")
    table = read_table(path, SALES, columns=COLUMNS).table
    assert table["source:name"].to_pyarrow().to_pylist() == ["Null"]


def test_an_amount_of_quantity_and_price_is_exact(tmp_path):
    path = write(tmp_path, "customer,date,n,price\n007,2024-01-05,3,0.1\n007,2024-01-06,-6,2.55\n")
    columns = COLUMNS | {"amount": {"quantity": "n", "unit_price": "price"}}
    assert [row[2] for row in rows(path, columns)] == [Decimal("0.3"), Decimal("-15.3")]
    with pytest.raises(ConfigError, match="quantity"):
        rows(path, COLUMNS | {"amount": {"pieces": "n", "price": "price"}})


def test_ids_as_numbers_are_their_digits():
    frame = pd.DataFrame(
        {"customer": [12346.0, None], "date": pd.to_datetime(["2024-01-05"] * 2), "amount": [1, 2]}
    )
    assert {row[0] for row in rows(frame)} == {"12346", None}
    assert "1 of 2 values cannot be read: '12346.5'" in refusal(frame.assign(customer=[12346.5, 1.0]))
    assert "cannot be read" in refusal(frame.assign(customer=[2.0**53, 1.0]))


def test_a_frame_is_read_and_left_as_it_was():
    frame = pd.DataFrame(
        {"customer": ["007", None], "date": ["2024-01-05", "2024-01-06"], "amount": [1.5, float("nan")]}
    )
    before = frame.copy(deep=True)
    assert rows(frame) == [*one(), (None, dt.datetime(2024, 1, 6), None)]
    pd.testing.assert_frame_equal(frame, before)
    assert "mixes types" in refusal(frame.assign(amount=[1.5, "x"]).astype(object))


def test_aware_times_become_local_once_and_naive_ones_stay():
    when = pd.to_datetime(["2024-01-05 23:30+00:00"])
    frame = pd.DataFrame({"customer": ["007"], "date": when, "amount": [1.5]})
    assert rows(frame, timezone="Asia/Shanghai") == one("2024-01-06T07:30")
    assert "set timezone to the local business time" in refusal(frame)
    naive = frame.assign(date=when.tz_localize(None))
    assert rows(naive, timezone="Asia/Shanghai") == one("2024-01-05T23:30")
    assert rows(naive, timezone="America/New_York", source_timezone="UTC") == one("2024-01-05T18:30")


def test_offsets_in_text_become_local(tmp_path):
    path = write(tmp_path, "customer,date,amount\n007,2024-01-05T23:30:00Z,1.5\n")
    assert rows(path, timezone="Asia/Shanghai") == one("2024-01-06T07:30")
    mixed = write(
        tmp_path, "customer,date,amount\n007,2024-01-05T23:30:00Z,1.5\n007,2024-01-05T23:30:00,1.5\n"
    )
    assert "mixes date formats" in refusal(mixed, timezone="Asia/Shanghai")


def test_a_workbook_with_dates_numbers_and_text(tmp_path):
    book = openpyxl.Workbook()
    for row in (
        ["customer", "date", "amount"],
        ["007", dt.datetime(2024, 1, 5), 1.5],
        [None] * 3,
        ["008", "2024-01-06", "2"],
    ):
        book.active.append(row)
    book.save(tmp_path / "sales.xlsx")
    assert rows(tmp_path / "sales.xlsx") == [*one(), ("008", dt.datetime(2024, 1, 6), Decimal(2))]
    book.create_sheet("More").append(["customer", "date", "amount"])
    book.save(tmp_path / "two.xlsx")
    assert "holds 2 sheets, ['Sheet', 'More']; set sheet to the one that is meant" in refusal(
        tmp_path / "two.xlsx"
    )
    assert len(rows(tmp_path / "two.xlsx", sheet="Sheet")) == 2
    assert "has no sheet 'Sales'" in refusal(tmp_path / "two.xlsx", sheet="Sales")


def test_a_sqlite_file_is_read_only_and_row_by_row(tmp_path):
    path = tmp_path / "sales.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE sales (customer TEXT, date TEXT, amount REAL)")
        database.execute("INSERT INTO sales VALUES ('007', '2024-01-05', 1.5)")
    before = path.read_bytes()
    assert rows(path) == one()
    assert path.read_bytes() == before
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE other (x)")
    assert "holds 2 tables, ['other', 'sales']; set table" in refusal(path)
    assert rows(path, table="sales") == one()


def test_a_duckdb_file_is_read_only(tmp_path):
    path = tmp_path / "sales.duckdb"
    with duckdb.connect(str(path)) as database:
        database.execute(
            "CREATE TABLE sales AS SELECT '007' AS customer, DATE '2024-01-05' AS date, 1.5 AS amount"
        )
    before = path.read_bytes()
    assert rows(path) == one()
    assert path.read_bytes() == before


def test_parquet_with_decimals_and_nested_columns(tmp_path):
    path = tmp_path / "sales.parquet"
    duckdb.execute(
        "COPY (SELECT '007' AS customer, TIMESTAMP '2024-01-05' AS date, 1.5::DECIMAL(38, 9) AS amount, "
        f"{{'a': 1}} AS nested) TO '{path}'"
    )
    assert rows(path) == one()
    assert "(for amount) holds STRUCT" in refusal(path, COLUMNS | {"amount": "nested"}).replace(
        "struct", "STRUCT"
    )
    (tmp_path / "half.parquet").write_bytes(path.read_bytes()[:200])
    assert "the Parquet file is damaged" in refusal(tmp_path / "half.parquet")


def test_a_database_table_stays_where_it_is_and_text_is_refused_with_its_cast(monkeypatch, tmp_path):
    path = tmp_path / "sales.duckdb"
    with duckdb.connect(str(path)) as database:
        database.execute(
            "CREATE TABLE sales AS SELECT '007' AS customer, DATE '2024-01-05' AS date, '1.5' AS amount"
        )
    monkeypatch.setenv("CRM_TEST_DATABASE", f"duckdb://{path}?read_only=True")
    message = refusal("env:CRM_TEST_DATABASE", table="sales")
    assert message == (
        "table sales: column 'amount' (for amount) is text in the database, NUMERIC(18, 4) was expected; "
        'read a view instead, with CAST("amount" AS NUMERIC(18, 4)) AS "amount"'
    )
    assert "no table 'orders' there" in refusal("env:CRM_TEST_DATABASE", table="orders")
    assert str(path) not in message
    assert "the environment variable CRM_NOT_SET is not set" in refusal("env:CRM_NOT_SET", table="sales")


def test_an_ibis_table_is_used_in_its_own_engine():
    engine = ibis.duckdb.connect()
    table = engine.create_table(
        "sales", pd.DataFrame({"customer": ["007"], "date": pd.to_datetime(["2024-01-05"]), "amount": [1.5]})
    )
    read = read_table(table, SALES, columns=COLUMNS).table
    assert read.get_backend() is engine
    assert engine.list_tables() == ["sales"]
    assert rows(table) == one()


def test_typed_expressions_are_known_to_postgresql():
    engine = ibis.duckdb.connect()
    table = engine.create_table(
        "sales",
        schema={"customer": "int64", "date": "timestamp('UTC')", "n": "float64", "price": "decimal(12, 2)"},
    )
    columns = COLUMNS | {"amount": {"quantity": "n", "unit_price": "price"}}
    read = read_table(table, SALES, columns=columns, timezone="Asia/Shanghai").table
    assert "TIMEZONE('Asia/Shanghai'" in ibis.to_sql(read, dialect="postgres")


def test_files_of_packages_and_files_that_are_not_there(tmp_path):
    sample = "package:lifetimes/datasets/CDNOW_sample.txt"
    columns = {"customer_id": "2", "occurred_at": "3", "amount": "5"}
    assert len(rows(sample, columns, header=False)) == 6919
    assert "no package 'nowhere' is installed" in refusal("package:nowhere/data.csv")
    assert f"no such file: {tmp_path}/gone.csv" in refusal("gone.csv", folder=tmp_path)
    assert refusal(write(tmp_path, "")).startswith("sales.csv: the file is empty (0 bytes)")
    assert "no rows below the header" in refusal(write(tmp_path, "customer,date,amount\n"))
    assert "twice" in refusal(write(tmp_path, "customer,date,amount,amount\n1,2024-01-05,1,2\n"))


def test_arguments_that_are_misspelt_are_refused_with_the_known_ones(tmp_path):
    path = write(tmp_path, "customer,date,amount\n007,2024-01-05,1.5\n")
    with pytest.raises(ConfigError, match=r"no option delimeter; options: .*'delimiter'"):
        read_table(path, SALES, columns=COLUMNS, delimeter=";")
    with pytest.raises(ConfigError, match="columns names cust; a column may be one of"):
        read_table(path, SALES, columns={"cust": "customer"})


def test_input_files_of_names_globs_and_folders(tmp_path):
    first, second = write(tmp_path, "x", "a.csv"), write(tmp_path, "y", "b.csv")
    assert input_files("a.csv", tmp_path) == [first]
    assert input_files("*.csv", tmp_path) == [first, second] == input_files(".", tmp_path)
    assert input_files("package:lifetimes/datasets/CDNOW_sample.txt")[0].is_file()


def test_files_with_one_header_are_read_together_and_named(tmp_path):
    write(tmp_path, "customer,date,amount\n007,2024-01-05,1.5\n", "2024-01.csv")
    write(tmp_path, "customer;date;amount\n008;2024-02-05;1,5\n", "2024-02.csv")
    assert "mixes numbers with a decimal point and with a comma" in refusal("2024*.csv", folder=tmp_path)
    write(tmp_path, "customer;date;amount\n008;2024-02-05;2.5\n", "2024-02.csv")
    assert [row[0] for row in rows("2024*.csv", folder=tmp_path)] == ["007", "008"]
    write(tmp_path, "customer;date;amount\n008;2024-02-05;\n009;2024-02-31;2.5\n", "2024-02.csv")
    message = refusal("2024*.csv", folder=tmp_path)
    assert "2 files: column 'date' (for occurred_at): 1 of 3 values cannot be read" in message
    assert "file 2024-02.csv line 3 '2024-02-31'" in message
    write(tmp_path, "client;date;amount\n008;2024-02-05;2.5\n", "2024-02.csv")
    assert "2024-02.csv has the columns ['client', 'date', 'amount'], but not ['customer']" in refusal(
        "2024*.csv", folder=tmp_path
    )


def test_engine_is_in_utc_and_keeps_to_its_memory():
    engine = connect(memory_limit="200MB", threads=1)
    asked = "SELECT current_setting('TimeZone'), current_setting('memory_limit'), current_setting('threads')"
    assert engine.raw_sql(asked).fetchone() == ("UTC", "190.7 MiB", 1)
    assert default_engine() is default_engine()


# Files of the shared collection --------------------------------------------------------------------------

ACCEPTED = [
    "utf8_plain.csv",
    "utf8_bom.csv",
    "utf16_tab.txt",
    "semicolon_decimal_comma.csv",
    "dayfirst_clear.csv",
    "pipe.txt",
    "unsorted.csv",
    "thousands_us.csv",
    "leading_zero_ids.csv",
    "unicode_names.csv",
    "csv_injection.csv",
    "plain.xlsx",
    "text_and_numbers.xlsx",
    "excel_serials.csv",
    "plain.parquet",
]
REFUSED = [
    "ambiguous_dates.csv",
    "mixed_formats_ambiguous.csv",
    "impossible_dates.csv",
    "missing_column.csv",
    "ragged_row.csv",
    "duplicate_headers.csv",
    "empty.csv",
    "header_only.csv",
    "amount_text.csv",
    "two_sheets.xlsx",
    "truncated.parquet",
]
EXPORT = {
    "customer_id": "customer_id",
    "occurred_at": "order_date",
    "amount": "amount",
    "order_id": "order_id",
}


@pytest.fixture(scope="module")
def manifest():
    if not NASTY.is_dir():
        pytest.skip(f"{NASTY} is not there")
    return {entry["file"]: entry for entry in json.loads((NASTY / "manifest.json").read_text())}


@pytest.mark.parametrize("file", ACCEPTED)
def test_accepted_files_have_their_totals(manifest, file):
    table = read_table(NASTY / file, SALES, columns=EXPORT).table
    found = table.agg(
        rows=table.count(), customers=table.customer_id.nunique(), orders=table.order_id.nunique(),
        amount=table.amount.sum(), first=table.occurred_at.min(), last=table.occurred_at.max(),
    ).to_pyarrow().to_pylist()[0]  # fmt: skip
    plain = {name: f"{v:.2f}" if name == "amount" else v for name, v in found.items()}
    plain |= {name: found[name].date().isoformat() for name in ("first", "last")}
    assert plain == manifest[file]["totals"]


@pytest.mark.parametrize("file", REFUSED)
def test_refused_files_say_why(manifest, file):
    message = refusal(NASTY / file, EXPORT).lower()
    for wanted in manifest[file]["must_name"]:
        words = wanted["any"] if isinstance(wanted, dict) else [wanted]
        assert any(word.lower() in message for word in words), message


# What was written is what is read ------------------------------------------------------------------------

IDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cf", "Z")), min_size=1, max_size=6
)
DAYS = st.dates(dt.date(1970, 1, 1), dt.date(2100, 1, 1))
CENTS = st.decimals(-(10**9), 10**9, places=2)


@settings(max_examples=40, deadline=None)
@given(
    table=st.lists(st.tuples(IDS, DAYS, CENTS), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    line_end=st.sampled_from(["\n", "\r\n"]),
    form=st.sampled_from(["%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%Y%m%d"]),
    comma=st.booleans(),
    mark=st.booleans(),
)
def test_tables_survive_random_dialects_or_are_refused(
    tmp_path_factory, table, delimiter, line_end, form, comma, mark
):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end)
    writer.writerow(["customer", "date", "amount"])
    for name, day, amount in table:
        written = f"{amount:.2f}".replace(".", ",") if comma else f"{amount:.2f}"
        writer.writerow([name, day.strftime(form), written])
    path = write(tmp_path_factory.mktemp("dialect"), ("\ufeff" if mark else "") + text.getvalue())
    words = ("NULL", "null", "nan", "NaN", "NAN", "None", "NA", "N/A", "#N/A", "n/a")
    meant = [(None if n in words else n, dt.datetime.combine(d, dt.time()), a) for n, d, a in table]
    problem = None
    try:
        found = rows(path)
    except DataError as error:
        problem = str(error)
    if problem is None:
        assert sorted(found, key=repr) == sorted(meant, key=repr)
    else:
        assert "is ambiguous" in problem
        assert form in ("%d/%m/%Y", "%m/%d/%Y")
