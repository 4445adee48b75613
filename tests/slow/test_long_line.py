"""Two gigabytes that are no table: refused in seconds, within the memory of a small file."""

import os

import pytest
from export_files import HEADER, table
from in_a_process import went

pytestmark = pytest.mark.skipif(
    "CRM_TEST_SLOW" not in os.environ, reason="writes files of 2 GB: set CRM_TEST_SLOW=1"
)
GB = 1 << 30
# A quote that is never closed is known at the end of the file only.
MOST_SECONDS, MOST_MB = {"a quote that is never closed": 90}, 600


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "sales.csv"
    yield path
    path.unlink(missing_ok=True)


def fill(path, start, block, end=b"", size=2 * GB):
    with path.open("wb") as file:
        file.write(start)
        for _ in range(size // len(block)):
            file.write(block)
        file.write(end)


def assert_refused_at_once(path, words, most_seconds=20):
    found = went(path)
    assert found.rows is None, found.said
    assert any(word in found.said for word in words.split("|")), found.said
    assert len(found.said) < 2000
    assert found.mb < MOST_MB, found
    assert found.seconds < most_seconds, found


HEAD = (",".join(HEADER) + "\n").encode()
BLOCKS = {
    "one line": (b"", b"x" * (1 << 20), b"", "line"),
    "one line of delimiters": (b"", b"," * (1 << 20), b"", "line|columns"),
    "one line below a header": (HEAD, b"x" * (1 << 20), b"\n", "line 2"),
    "a quote that is never closed": (HEAD + b'"', b"K001,2023-01-09,1.00,R1\n" * 40_000, b"", "quote|line 2"),
    "one line of digits in UTF-16": (b"\xff\xfe", b"1\0" * (1 << 19), b"", "line"),
    "bytes of no text": (HEAD, b"\xfe\xdc\x81\n" * (1 << 18), b"", "byte|encoding|line"),
    "a last line that is long": (table().encode(), b"y" * (1 << 20), b"", "line 26"),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_two_gigabytes_are_refused_at_once(path, name):
    start, block, end, words = BLOCKS[name]
    fill(path, start, block, end)
    assert_refused_at_once(path, words, MOST_SECONDS.get(name, 20))


def test_two_gigabytes_of_nothing_are_refused_at_once(path):
    with path.open("wb") as file:
        file.truncate(2 * GB)
    assert_refused_at_once(path, "NUL")


def test_a_hundred_million_blank_lines_are_refused(path):
    fill(path, HEAD, b"\n" * (1 << 20), size=100 << 20)
    found = went(path)
    assert found.rows is None
    assert "no rows" in found.said
    assert found.mb < MOST_MB, found
