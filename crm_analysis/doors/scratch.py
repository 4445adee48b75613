"""Folders for a while: named after the process that made them, and cleared away when it no longer lives."""

from __future__ import annotations

import functools
import os
import re
import shutil
import socket
import tempfile
import zlib
from pathlib import Path

PREFIX = "crm_analysis_"


def new_folder() -> Path:
    """Make a folder of this process; who asks for it removes it."""
    _clear_once()
    return Path(tempfile.mkdtemp(prefix=f"{_stem()}_"))


def spill_folder() -> Path:
    """Place where DuckDB makes a folder when it needs one, and removes it."""
    _clear_once()
    return Path(tempfile.gettempdir()) / f"{_stem()}_spill"


def _stem() -> str:
    return f"{PREFIX}{_machine()}_{os.getpid()}"


@functools.cache
def _machine() -> str:
    """Where a process id means what it means here: a machine, or a container that shares its folders."""
    space = Path("/proc/self/ns/pid")
    where = space.readlink() if space.is_symlink() else ""
    return f"{zlib.crc32(f'{socket.gethostname()} {where}'.encode()):08x}"


@functools.cache
def _clear_once() -> None:
    clear()


def clear() -> None:
    """Remove what processes left that were killed; of other users, machines and living processes nothing.

    A process id that was given out again keeps a folder until that process has ended, too.
    """
    # On Windows asking whether a process lives would end it.
    if os.name != "posix":
        return
    ours = re.compile(rf"{PREFIX}{_machine()}_(\d+)_\w+")
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        name = ours.fullmatch(folder.name)
        if name and _is_own_folder(folder) and not _lives(int(name[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _is_own_folder(folder: Path) -> bool:
    try:
        return not folder.is_symlink() and folder.is_dir() and folder.stat().st_uid == os.getuid()
    except OSError:
        return False


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
