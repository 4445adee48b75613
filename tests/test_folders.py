"""Folders and globs: many files with one schema, one below the other."""

import datetime as dt
import time
from decimal import Decimal

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crm_analysis.doors.schema import Column, Schema
from crm_analysis.doors.sources import input_files, read_table
from crm_analysis.errors import DataError

SALES = Schema(
    "sales", (Column("customer_id", "id"), Column("occurred_at", "time"), Column("amount", "money"))
)
COLUMNS = {"customer_id": "customer", "occurred_at": "date", "amount": "amount"}
HEADER = "customer,date,amount\n"


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(text, newline="")
    return path


def rows(source, **options):
    table = read_table(source, SALES, columns=COLUMNS, **options).table
    return sorted(tuple(row.values()) for row in table.select(list(COLUMNS)).to_pyarrow().to_pylist())


def refusal(source, **options):
    with pytest.raises(DataError) as error:
        read_table(source, SALES, columns=COLUMNS, **options)
    return str(error.value)


def test_what_systems_leave_beside_the_data_is_skipped_and_told(tmp_path):
    write(tmp_path, "a.csv", HEADER + "007,2024-01-25,1.5\n")
    for name in (".DS_Store", "Thumbs.db", "~$a.xlsx", "_SUCCESS", ".hidden/b.csv", "__MACOSX/._a.csv"):
        write(tmp_path, name, "litter")
    assert [path.name for path in input_files(str(tmp_path))] == ["a.csv"]
    read = read_table(tmp_path, SALES, columns=COLUMNS)
    assert read.table.count().to_pyarrow().as_py() == 1
    assert any("6 files beside the data skipped" in how for how in read.reading)


def test_a_folder_of_one_file_and_of_none(tmp_path):
    write(tmp_path, "one/a.csv", HEADER + "007,2024-01-25,1.5\n")
    assert len(rows(tmp_path / "one")) == 1
    (tmp_path / "none").mkdir()
    assert "no files there" in refusal(tmp_path / "none")
    write(tmp_path, "none/.DS_Store", "x")
    assert "no files there but 1 that hold no data" in refusal("none", folder=tmp_path)


def test_a_name_with_brackets_is_a_file_before_it_is_a_pattern(tmp_path):
    write(tmp_path, "sales[1].csv", HEADER + "007,2024-01-25,1.5\n")
    write(tmp_path, "sales1.csv", HEADER + "008,2024-01-25,1.5\n")
    assert rows("sales[1].csv", folder=tmp_path)[0][0] == "007"
    assert input_files("sales[1].csv", tmp_path) == [tmp_path / "sales[1].csv"]


def test_columns_may_stand_in_another_order_but_not_be_absent(tmp_path):
    write(tmp_path, "a.csv", HEADER + "007,2024-01-25,1.5\n")
    write(tmp_path, "b.csv", "amount,date,customer\n2.5,2024-01-26,008\n")
    read = read_table(tmp_path, SALES, columns=COLUMNS)
    assert [row[0] for row in rows(tmp_path)] == ["007", "008"]
    assert "b.csv: columns in another order" in read.reading
    write(tmp_path, "c.csv", "customer,date\n009,2024-01-27\n")
    assert "c.csv has the columns ['customer', 'date'], but not ['amount'], which a.csv has" in refusal(
        tmp_path
    )
    (tmp_path / "c.csv").write_text("customer,date,amount,note\n009,2024-01-27,1,x\n")
    assert "but not ['note'], which c.csv has" in refusal(tmp_path)


def test_a_file_that_is_refused_is_named(tmp_path):
    write(tmp_path, "a.csv", HEADER + "007,2024-01-25,1.5\n")
    write(tmp_path, "b.csv", "")
    assert "b.csv: the file is empty" in refusal(tmp_path)


def test_files_of_several_formats_are_judged_together(tmp_path):
    write(tmp_path, "a.csv", HEADER + "007,2024-01-25,1.5\n")
    book = openpyxl.Workbook()
    for row in (["date", "customer", "amount"], [dt.datetime(2024, 1, 26), 8, 1.234]):
        book.active.append(row)
    book.save(tmp_path / "b.xlsx")
    frame = {"customer": [9.0], "date": [dt.datetime(2024, 1, 27)], "amount": [Decimal("2.5")]}
    pq.write_table(pa.table(frame), tmp_path / "c.parquet")
    assert rows(tmp_path) == [
        ("007", dt.datetime(2024, 1, 25), Decimal("1.5")),
        ("8", dt.datetime(2024, 1, 26), Decimal("1.234")),
        ("9", dt.datetime(2024, 1, 27), Decimal("2.5")),
    ]
    write(tmp_path, "a.csv", HEADER + "007,2024-13-25,1.5\n")
    assert "file a.csv line 2 '2024-13-25'" in refusal(tmp_path)


def test_numbers_of_one_file_settle_no_sign_of_another(tmp_path):
    write(tmp_path, "a.csv", HEADER + "007,2024-01-25,1.234\n")
    frame = {"customer": ["8"], "date": [dt.datetime(2024, 1, 27)], "amount": [2.5]}
    pq.write_table(pa.table(frame), tmp_path / "c.parquet")
    assert 'set decimal = "." or decimal = ","' in refusal(tmp_path)
    assert [row[2] for row in rows(tmp_path, decimal=",")] == [Decimal(1234), Decimal("2.5")]


def test_long_ids_survive_a_month_in_which_they_were_floats(tmp_path):
    for name, ids in (("a", pa.array([2**53 + 1], pa.int64())), ("b", pa.array([7.0]))):
        frame = {"customer": ids, "date": [dt.datetime(2024, 1, 27)], "amount": [2.5]}
        pq.write_table(pa.table(frame), tmp_path / f"{name}.parquet")
    assert {row[0] for row in rows(tmp_path)} == {"7", str(2**53 + 1)}


def test_folders_that_contain_themselves_end(tmp_path):
    write(tmp_path, "a/a.csv", HEADER + "007,2024-01-25,1.5\n")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    assert len(rows(tmp_path)) == 1
    assert len(rows("**/*.csv", folder=tmp_path)) == 1


def test_many_small_files_take_seconds(tmp_path):
    for i in range(100):
        write(tmp_path, f"{i:03}.csv", HEADER + f"{i},2024-01-25,1.5\n")
    start = time.process_time()
    assert len(rows(tmp_path)) == 100
    assert time.process_time() - start < 8
