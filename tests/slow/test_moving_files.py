"""Files that move while they are read, that are no files, and processes that are killed over them."""

import os
import signal
import threading
import time

import pytest
from export_files import HEADER, table
from in_a_process import start, went

pytestmark = pytest.mark.skipif(
    "CRM_TEST_SLOW" not in os.environ, reason="takes some minutes: set CRM_TEST_SLOW=1"
)
ROW = "K{:03d},2023-{:02d}-{:02d},{}.25,R{:07d}\n"


def rows(start, end):
    return "".join(ROW.format(i % 900, 1 + i % 12, 1 + i % 28, i % 500, i) for i in range(start, end))


def export(path, n, encoding="utf-8"):
    mark = "" if encoding == "utf-8" else "\ufeff"
    path.write_text(mark + ",".join(HEADER) + "\n" + rows(0, n), encoding=encoding)
    return path


def moved(path, how, encoding, *, every=0.002):
    """Do something to a file again and again until the returned event is set."""
    stop = threading.Event()

    def run():
        i = 10_000_000
        while not stop.is_set():
            how(path, i, encoding)
            i += 1
            time.sleep(every)

    thread = threading.Thread(target=run)
    thread.start()
    return stop, thread


def append(path, i, encoding):
    with path.open("ab") as file:
        file.write(rows(i, i + 1).encode(encoding))


def append_in_parts(path, i, encoding):
    content = rows(i, i + 1).encode(encoding)
    with path.open("ab") as file:
        file.write(content[:9])
        file.flush()
        time.sleep(0.001)
        file.write(content[9:])


def replace(path, i, encoding):
    other = path.with_suffix(".new")
    other.write_text(table(), encoding="utf-8")
    other.replace(path)


def cut(path, i, encoding):
    os.truncate(path, max(100, path.stat().st_size // 2))


@pytest.mark.parametrize("how", [append, append_in_parts, replace, cut], ids=lambda how: how.__name__)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_file_that_changes_is_refused_or_read_as_it_was_once(tmp_path, how, encoding):
    n = 400_000
    path = export(tmp_path / "sales.csv", n, encoding)
    stop, thread = moved(path, how, encoding)
    try:
        found = went(path, limit=200)
    finally:
        stop.set()
        thread.join()
    assert found.rows is None or found.rows >= n or (how is replace and found.rows == 24), found.said


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "sales.csv")
    found = went(tmp_path / "sales.csv", limit=30)
    assert found.rows is None
    assert "no such file" in found.said or "no file" in found.said or "pipe" in found.said, found.said


def test_a_folder_with_a_pipe_is_not_waited_for(tmp_path):
    export(tmp_path / "a.csv", 10)
    os.mkfifo(tmp_path / "b.csv")
    assert went(tmp_path, limit=30).rows in (None, 10)


def test_an_endless_device_is_refused():
    found = went("/dev/zero", limit=30)
    assert found.rows is None


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_a_killed_process_leaves_nothing_for_long(tmp_path, how):
    """What it left is gone after the next process has read a file."""
    big, small = export(tmp_path / "big.csv", 600_000, "utf-16-le"), export(tmp_path / "small.csv", 10)
    (temporary := tmp_path / "temporary").mkdir()
    process = start(big, TMPDIR=str(temporary))
    end = time.monotonic() + 60
    while not any(temporary.iterdir()) and process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
    assert process.poll() is None, "it was over before it could be killed"
    process.send_signal(how)
    process.wait()
    assert went(small, TMPDIR=str(temporary)).rows == 10
    assert not list(temporary.iterdir())
