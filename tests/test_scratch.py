"""Folders for a while: gone with what they were for, or cleared away after a process that was killed."""

import os
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from crm_analysis.doors import scratch
from crm_analysis.doors.sources import Options
from crm_analysis.doors.sources.engine import connect
from crm_analysis.doors.sources.files import open_source

LEAVING = """
import time
from crm_analysis.doors import scratch
(scratch.new_folder() / "copy.txt").write_text("a")
spill = scratch.spill_folder()
spill.mkdir()
(spill / "block").write_text("b")
print("there", flush=True)
time.sleep(60)
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_what_a_killed_process_left_is_cleared_and_what_a_living_one_has_is_not(temporary, how):
    process = subprocess.Popen(
        [sys.executable, "-c", LEAVING], stdout=subprocess.PIPE, env=os.environ | {"TMPDIR": str(temporary)}
    )
    process.stdout.readline()
    scratch.clear()
    assert len(list(temporary.iterdir())) == 2
    process.send_signal(how)
    process.communicate()
    scratch.clear()
    assert list(temporary.iterdir()) == []


def test_folders_of_others_stay(temporary, monkeypatch):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    dead, here = process.pid, scratch._machine()
    (target := temporary / "elsewhere").mkdir()
    theirs = [f"crm_analysis_00000000_{dead}_a", f"crm_analysis_{dead}", "crm_analysis_abc", "other"]
    theirs += [f"crm_analysis_{here}_{os.getpid()}_a", f"crm_analysis_{here}_1_a", f"crm_analysis_{here}__a"]
    for name in theirs:
        (temporary / name).mkdir()
    (temporary / f"crm_analysis_{here}_{dead}_link").symlink_to(target)
    (temporary / f"crm_analysis_{here}_{dead}_file").touch()
    before = set(temporary.iterdir())
    (ours := temporary / f"crm_analysis_{here}_{dead}_a").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: ours.stat().st_uid + 1)
    scratch.clear()
    assert ours.is_dir()
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    scratch.clear()
    assert set(temporary.iterdir()) == before


def test_the_first_folder_of_a_process_clears_what_others_left(temporary, monkeypatch):
    cleared = []
    monkeypatch.setattr(scratch, "clear", lambda: cleared.append(time.time()))
    scratch._clear_once.cache_clear()
    scratch.spill_folder()
    scratch.new_folder()
    assert len(cleared) == 1


def test_a_copy_of_a_text_is_gone_once_it_is_read(temporary):
    path = temporary / "sales.csv"
    path.write_text("customer,amount\na,1\n", encoding="utf-16")
    engine = connect(threads=1)
    open_source(path, Options(), engine, [])
    path.write_text("customer,amount\na\n", encoding="utf-16")
    with pytest.raises(Exception, match="has 1 field"):
        open_source(path, Options(), engine, [])
    assert list(temporary.iterdir()) == [path]


def test_rows_keep_their_order_whatever_an_engine_is_told():
    asked = "SELECT current_setting('preserve_insertion_order')"
    assert connect(threads=2).raw_sql(asked).fetchone() == (True,)
