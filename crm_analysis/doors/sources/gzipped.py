"""Compressed texts, as `sales.csv.gz`: unpacked beside, as far as an export reaches, and read as any text."""

from __future__ import annotations

import gzip
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crm_analysis.doors.scratch import new_folder
from crm_analysis.doors.sources.opened import Refusal

GZIP = b"\x1f\x8b"
BLOCK = 8 << 20
# Tables shrink to a tenth or a fiftieth; to less is made to harm.
MOST_SHRUNK, WORTH_A_LOOK = 200, 256 << 20


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Unpacked copy of a compressed file, of the same name; gone at the end."""
    folder = new_folder()
    try:
        copy = folder / path.name
        try:
            _unpack(path, copy)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise Refusal(f"the file is compressed (gzip) and damaged ({error}); export it again") from None
        yield copy
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpack(path: Path, copy: Path) -> None:
    size, n = path.stat().st_size, 0
    most = max(WORTH_A_LOOK, MOST_SHRUNK * size)
    with gzip.open(path, "rb") as packed, copy.open("wb") as file:
        while block := packed.read(BLOCK):
            n += len(block)
            if n > most:
                raise Refusal(
                    f"the file unpacks from {size / 1e6:.1f} MB to more than {most / 1e6:,.0f} MB, "
                    "as no table does; unpack it first and look at it"
                )
            file.write(block)
