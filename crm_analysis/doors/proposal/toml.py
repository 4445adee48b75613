"""Lines of TOML that nothing in a file's names or values can break out of."""

from __future__ import annotations

import unicodedata

from crm_analysis.doors.plain import UNSAFE, escaped, harmless

WIDTH = 42
Value = str | dict[str, str] | list[str]


def quoted(text: str) -> str:
    """Return a basic string of TOML; control, direction and unpaired characters are escaped or replaced."""
    return '"' + "".join(map(_character, text)) + '"'


def _character(sign: str) -> str:
    if sign in '"\\':
        return f"\\{sign}"
    kind = unicodedata.category(sign)
    if kind == "Cs":
        # Half a character: TOML cannot hold it, and no text that was decoded has it.
        return "\ufffd"
    return escaped(sign) if kind in UNSAFE else sign


def value(given: Value) -> str:
    """Return a text, an inline table or a list as TOML."""
    if isinstance(given, str):
        return quoted(given)
    if isinstance(given, list):
        return f"[{', '.join(map(quoted, given))}]"
    return "{ " + ", ".join(f"{key} = {quoted(name)}" for key, name in given.items()) + " }"


def line(key: str, given: Value, note: str = "") -> str:
    """Return `key = "value"   # note`."""
    return with_note(f"{key} = {value(given)}", note)


def open_line(key: str, given: Value, note: str = "") -> str:
    """Return the same as a comment, for somebody to confirm."""
    return with_note(f"# {key} = {value(given)}", note)


def with_note(text: str, note: str) -> str:
    """Line with a note behind it, where there is one."""
    return f"{text:<{WIDTH}} # {harmless(note)}" if note else text


def comment(text: str) -> str:
    """One line of comment, whatever the text holds."""
    return f"# {harmless(text)}"
