"""Text for terminals and comments: nothing in it moves the cursor, the line or the direction of writing."""

from __future__ import annotations

import textwrap
import unicodedata

UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
WIDTH = 100


def harmless(text: object) -> str:
    r"""Text on one line; control, direction and unassigned characters are shown as `\u001b`."""
    return "".join(map(_shown, str(text)))


def _shown(sign: str) -> str:
    return escaped(sign) if unicodedata.category(sign) in UNSAFE else sign


def escaped(sign: str) -> str:
    """Return a character as its number, in the way that Python, JSON and TOML write it."""
    return f"\\u{ord(sign):04x}" if ord(sign) < 0x10000 else f"\\U{ord(sign):08x}"


def width(text: str) -> int:
    """Columns of a terminal that a text takes: Chinese characters take two."""
    return sum(1 + (unicodedata.east_asian_width(sign) in "WF") for sign in text)


def wrapped(text: str, *, first: str = "", indent: str = "") -> str:
    """Text as harmless lines of at most `WIDTH` columns, the first one after `first`."""
    lines, line = [], first
    for i, word in enumerate(_words(harmless(text))):
        if i and width(line) + width(word.rstrip()) > WIDTH:
            lines.append(line.rstrip())
            line = indent
        line += word
    return "\n".join([*lines, line.rstrip()])


def padded(text: str, columns: int) -> str:
    """Text filled with blanks up to that many columns."""
    return text + " " * max(0, columns - width(text))


def _words(text: str) -> list[str]:
    """Pieces between which a line may break, each with the blank behind it."""
    pieces: list[str] = []
    for word in text.split(" "):
        parts = _breakable(word) or [""]
        pieces += [*parts[:-1], f"{parts[-1]} "]
    return pieces


def _breakable(word: str) -> list[str]:
    """Characters of two columns stand alone; a longer run of others is cut."""
    pieces: list[str] = []
    run = ""
    for sign in word:
        if width(sign) == 2:
            pieces, run = [*pieces, run, sign] if run else [*pieces, sign], ""
        else:
            run += sign
    pieces += [run] if run else []
    return [part for piece in pieces for part in textwrap.wrap(piece, WIDTH // 2) or [piece]]
