"""What the bytes of a text say before they are understood: line ends, quotes, damage, lines too long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from crm_analysis.doors.sources.opened import Refusal

BLOCK = 1 << 22
WINDOW = 1 << 18
MAX_LINE = 1_000_000
LF, CR = 10, 13


def blocks(path: Path) -> Iterator[bytes]:
    """Bytes of a file in pieces that fit the memory."""
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK):
            yield block


class Scan:
    """Counts over the bytes of a text, which are fed block by block; UTF-8 or any encoding that holds ASCII.

    n_lf, n_cr, n_crlf : line feeds, carriage returns, and pairs of them, which count as both.
    last_line : the last line that holds anything.     has_quote : there is a double quote somewhere.
    """

    def __init__(self) -> None:
        self.n_lf = self.n_cr = self.n_crlf = self.last_line = 0
        self.has_quote = False
        self._held = b""
        self._offset = self._line_start = 0

    @property
    def n_ends(self) -> int:
        """Line ends, a pair counting once."""
        return self.n_lf + self.n_cr - self.n_crlf

    @property
    def is_mixed(self) -> bool:
        """More than one kind of line end is there, inside quotes or outside."""
        lone = (self.n_lf - self.n_crlf, self.n_cr - self.n_crlf, self.n_crlf)
        return sum(map(bool, lone)) > 1

    def feed(self, block: bytes) -> None:
        """Count one block; a pair of CR and LF that it cuts waits for the next one."""
        block = self._held + block if self._held else block
        self._held = b""
        if block.endswith(b"\r"):
            block, self._held = block[:-1], b"\r"
        self._count(block)

    def close(self) -> Scan:
        """Count what waited for another block."""
        held, self._held = self._held, b""
        self._count(held)
        return self

    def _count(self, block: bytes) -> None:
        if b"\x00" in block:
            line = self.n_ends + sum_ends(block[: block.index(b"\x00")]) + 1
            raise Refusal(
                f"the text holds NUL characters, the first in line {line:,}; the file is damaged, or is no "
                "text: export it again"
            )
        self._check_length(block)
        n_lf, n_cr, n_crlf = _ends(block)
        self.n_lf, self.n_cr, self.n_crlf = self.n_lf + n_lf, self.n_cr + n_cr, self.n_crlf + n_crlf
        content = len(block.rstrip(b"\r\n"))
        if content:
            self.last_line = self.n_ends - sum_ends(block[content:]) + 1
        self.has_quote = self.has_quote or b'"' in block
        self._offset += len(block)

    def _check_length(self, block: bytes) -> None:
        """Measure the lines that cross an edge between windows, and so every line longer than a window."""
        for start in range(0, len(block), WINDOW):
            stop = min(start + WINDOW, len(block))
            found = [i for end in (b"\n", b"\r") if (i := block.find(end, start, stop)) >= 0]
            if self._offset + min(found, default=stop) - self._line_start > MAX_LINE:
                line = self.n_ends + sum_ends(block[:start]) + 1
                raise Refusal(
                    f"line {line:,} is longer than {MAX_LINE:,} bytes; no table has such lines: "
                    "export it again, with line ends"
                )
            if found:
                last = max(block.rfind(b"\n", start, stop), block.rfind(b"\r", start, stop))
                self._line_start = self._offset + last + 1


def _ends(block: bytes) -> tuple[int, int, int]:
    """Line feeds, carriage returns, and pairs of them."""
    view = np.frombuffer(block, np.uint8)
    n_lf = int(np.count_nonzero(view == LF))
    if b"\r" not in block:
        return n_lf, 0, 0
    returns = view == CR
    return n_lf, int(np.count_nonzero(returns)), int(np.count_nonzero(returns[:-1] & (view[1:] == LF)))


def sum_ends(block: bytes) -> int:
    """Line ends of any kind."""
    n_lf, n_cr, n_crlf = _ends(block)
    return n_lf + n_cr - n_crlf


def scan(path: Path) -> Scan:
    """Scan of a whole file."""
    found = Scan()
    for block in blocks(path):
        found.feed(block)
    return found.close()


def line_at(path: Path, position: int) -> int:
    """Line of the file in which the byte at `position` stands."""
    line, left, after_return = 1, position, False
    for block in blocks(path):
        part = block[:left]
        line += sum_ends(part) - (after_return and part.startswith(b"\n"))
        after_return = part.endswith(b"\r")
        left -= len(part)
        if not left:
            break
    return line
