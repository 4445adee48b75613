"""What the bytes of a text mean: the encoding is stated, marked, or settled by the whole file."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crm_analysis.doors.sources.opened import Refusal
from crm_analysis.doors.sources.text.decoding import NotInEncoding, Strict, decoded
from crm_analysis.doors.sources.text.evidence import settled
from crm_analysis.doors.sources.text.scan import Scan, blocks, line_at

HEAD = 1 << 16
# The marks of UTF-32 begin like those of UTF-16.
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Utf8:
    """A text in UTF-8: the file itself, or a copy of it line by line; and the encoding that it settled."""

    path: Path
    scan: Scan
    settled: str | None = None


def as_utf8(path: Path, stated: str | None, folder: Path, wanted: Sequence[str] = ()) -> Utf8:
    """Text in UTF-8, a copy in `folder` where the file is not; nothing is replaced or left out.

    wanted : names that the header must hold: they may prove the encoding.
    """
    if stated:
        return _stated(path, stated, folder)
    with path.open("rb") as file:
        head = file.read(HEAD)
    if found := _by_mark(head) or _by_pattern(head):
        try:
            return _transcoded(path, found, folder, settled=found)
        except NotInEncoding as wrong:
            raise _refusal(path, wrong, found) from None
    try:
        return Utf8(path, _scanned(path))
    except NotInEncoding as wrong:
        position = wrong.position
    found = settled(path, lambda: f"byte {position:,}, in line {line_at(path, position):,},", wanted)
    return _transcoded(path, found, folder, settled=found)


def _stated(path: Path, stated: str, folder: Path) -> Utf8:
    try:
        codec = codecs.lookup(stated)
    except (LookupError, ValueError, TypeError):
        codec = None
    # Codecs such as base64 turn bytes into bytes.
    if codec is None or codec.incrementaldecoder is None or not getattr(codec, "_is_text_encoding", True):
        raise Refusal(f"encoding {stated!r} is not known; write one such as 'gb18030' or 'cp1252'")
    try:
        if codec.name in ("utf-8", "utf-8-sig", "ascii"):
            return Utf8(path, _scanned(path, codec.name))
        return _transcoded(path, codec.name, folder)
    except NotInEncoding as wrong:
        raise _refusal(path, wrong, stated) from None


def _refusal(path: Path, wrong: NotInEncoding, encoding: str) -> Refusal:
    wide = encoding.replace("_", "-").lower().startswith(("utf-16", "utf-32"))
    line = "" if wide else f" in line {line_at(path, wrong.position):,}"
    return Refusal(
        f"byte {wrong.position:,}{line} is not {encoding} ({wrong.found!r}); "
        "set encoding to what wrote the file, such as 'utf-8', 'gb18030' or 'cp1252'"
    )


def _by_mark(head: bytes) -> str | None:
    found = next((encoding for mark, encoding in MARKS if head.startswith(mark)), None)
    return None if found == "utf-8" else found


def _by_pattern(head: bytes) -> str | None:
    """UTF-16 without its mark: the high bytes of ASCII are NUL, every second byte and none of the others."""
    n_even, n_odd = head[::2].count(0), head[1::2].count(0)
    if 16 * max(n_even, n_odd) < len(head) or min(n_even, n_odd):
        return None
    return "utf-16-le" if n_odd else "utf-16-be"


def _scanned(path: Path, encoding: str = "utf-8") -> Scan:
    """Scan of a file that is UTF-8; blocks of ASCII need no decoding."""
    found = Scan()
    strict = Strict(encoding)
    for block in blocks(path):
        strict.check(block)
        found.feed(block)
    strict.decode(b"")
    return found.close()


def _transcoded(path: Path, encoding: str, folder: Path, settled: str | None = None) -> Utf8:
    copy, found = folder / "utf8.txt", Scan()
    with copy.open("wb", buffering=0) as out:
        for text in decoded(path, encoding):
            try:
                block = text.encode("utf-8")
            except UnicodeEncodeError as error:
                raise Refusal(f"{text[error.start]!r} is no character; set another encoding") from None
            found.feed(block)
            out.write(block)
    return Utf8(copy, found.close(), settled)
