"""Text of a file, block by block, strictly: nothing is replaced, and what is wrong has its place."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from crm_analysis.doors.sources.text.scan import blocks


class NotInEncoding(Exception):
    """A byte that is not in the encoding: where it is, and the bytes there."""

    def __init__(self, position: int, found: bytes) -> None:
        super().__init__(position)
        self.position, self.found = position, found


def decoded(path: Path, encoding: str) -> Iterator[str]:
    """Text of a file in pieces."""
    strict = Strict(encoding)
    for block in blocks(path):
        yield strict.decode(block)
    yield strict.decode(b"")


class Strict:
    """An incremental decoder that says where a byte is that is not in the encoding."""

    def __init__(self, encoding: str) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="strict")
        self._n_read = 0

    def decode(self, block: bytes) -> str:
        """Text of the next block; an empty one is the end."""
        waiting = len(self._waiting())
        try:
            text = self._decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            position = self._n_read - waiting + error.start
            raise NotInEncoding(position, error.object[error.start : error.start + 4]) from None
        except UnicodeError:
            raise NotInEncoding(self._n_read, block[:4]) from None
        self._n_read += len(block)
        return text

    def check(self, block: bytes) -> None:
        """Decode the next block where only that shows that it can be: ASCII is in every encoding."""
        if self._waiting() or not block.isascii():
            self.decode(block)
        else:
            self._n_read += len(block)

    def _waiting(self) -> bytes:
        """Bytes at the end of the last block that are the beginning of a character."""
        state = self._decoder.getstate()[0]
        return state if isinstance(state, bytes) else b""
