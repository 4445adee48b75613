"""Line ends of several kinds made one, so that DuckDB reads them; those within quotes are values and stay."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from crm_analysis.doors.sources.opened import Refusal
from crm_analysis.doors.sources.text.scan import blocks, sum_ends

MAX_RECORD = 1 << 22


def with_line_feeds(path: Path, delimiter: str | None, folder: Path) -> Path:
    """Copy of a text in which every line ends with a line feed; without a delimiter quotes mean nothing."""
    start = b"(?:\\A|(?<=[\r\n" + re.escape(delimiter or "").encode() + b"]))"
    quoted = start + b' *"(?:[^"]++|"")*+(?:"|\\Z)' if delimiter else b"(?!)"
    copy = folder / "lines.txt"
    with copy.open("wb", buffering=0) as out:
        for parts in _whole_lines(path, re.compile(b"(" + quoted + b")")):
            parts[::2] = [part.replace(b"\r\n", b"\n").replace(b"\r", b"\n") for part in parts[::2]]
            out.write(b"".join(parts))
    return copy


def _whole_lines(path: Path, quoted: re.Pattern[bytes]) -> Iterator[list[bytes]]:
    """Lines in pieces: what stands outside quotes, a quoted value, and so on in turn."""
    carried, line = b"", 1
    for block in blocks(path):
        block = carried + block
        parts = quoted.split(block)
        i, end = _last_end(parts)
        parts = [*parts[:i], parts[i][:end]]
        n_done = sum(map(len, parts))
        carried = block[n_done:]
        line += sum_ends(block[:n_done])
        if len(carried) > MAX_RECORD:
            raise Refusal(f"line {line:,} opens a quote that is never closed; put it right in the source")
        yield parts
    yield quoted.split(carried)


def _last_end(parts: list[bytes]) -> tuple[int, int]:
    """Part in which the last line outside quotes ends, and where; a CR at the very end may be half a pair."""
    for i in range(len(parts) - 1, -1, -2):
        part = parts[i][:-1] if i == len(parts) - 1 and parts[i].endswith(b"\r") else parts[i]
        if (end := max(part.rfind(b"\n"), part.rfind(b"\r"))) >= 0:
            return i, end + 1
    return 0, 0
