"""Half a minute of the fuzzer; ten minutes of it are in tests/slow."""

import pytest
from export_books import PAGES
from export_files import FILES, SALES, table
from export_values import VALUES
from fuzzing import COLUMNS, Failure, fault, fuzz, new_door, rows_by_csv, smallest

from crm_analysis.doors.verdict import Verdict
from crm_analysis.errors import DataError

SEEDS = [
    (export.name, export.content)
    for export in (*FILES, *PAGES, *VALUES)
    if isinstance(export.content, bytes) and len(export.content) < 3000
]
# In a file of one row, one change is enough to leave a column without any value.
SEEDS += [
    ("short.csv", table(SALES[:n], delimiter=delimiter).encode()) for n, delimiter in ((1, ","), (2, ";"))
]
# Files that a door did not survive once, as small as they could be made.
SURVIVED = [b"", b"\n", b'"', b"\xef\xbb\xbf", b"\xff\xfe", b"client\nK001\n"]


def test_bent_files_are_read_or_refused():
    assert len(SEEDS) > 100
    found = fuzz(SEEDS[::5], seconds=15, seed=20)
    assert not found.failures, "\n".join(map(str, found.failures))
    assert found.n_runs > 15
    assert found.n_accepted


HEADER_AND = b"client,sold_on,amount,order_no\n"


@pytest.mark.parametrize("content", [*SURVIVED, HEADER_AND + b"K001,,1.50,R1\n"], ids=repr)
def test_files_that_broke_a_door_once_are_survived(content, tmp_path):
    path = tmp_path / "sales.csv"
    path.write_bytes(content)
    assert fault(new_door(), path)[0] is None


def brittle(path):
    """A door that breaks at two quotes in a row."""
    if b'""' in path.read_bytes():
        raise ValueError(f"two quotes in {path.name}")
    raise DataError("refused", verdict=Verdict("sales"))


def test_the_fuzzer_finds_what_breaks_a_door_and_makes_it_small():
    found = fuzz([("a.csv", b"client,amount\nK001,1.50\n")], seconds=2, seed=1, make_door=lambda: brittle)
    assert [failure.what for failure in found.failures] == ["ValueError: two quotes in a.csv"]
    assert found.failures[0].content == b'""'
    assert found.n_accepted == 0


def test_the_smallest_file_still_fails_in_the_same_way(tmp_path):
    path = tmp_path / "a.csv"
    found = smallest(Failure("ValueError: two quotes in a.csv", b'abc""def\x00""'), brittle, path)
    assert found.content == b'""'


def test_the_second_reader_counts_records_below_the_header():
    head = ",".join(COLUMNS.values()).encode()
    assert rows_by_csv(head + b'\na,b,c,"d\ne"\n\n1,2,3,4\n', Verdict("x")) == 2
    assert rows_by_csv(head + b"\na,b,c,d\n,,,\n", Verdict("x")) is None
    assert (
        rows_by_csv(head.replace(b",", b";") + b"\n1;2;3;4\n", Verdict("x", reading=("delimiter ';'",))) == 1
    )
    assert rows_by_csv(b"\xff", Verdict("x")) is None
    assert rows_by_csv(b"other\n1\n", Verdict("x")) is None
