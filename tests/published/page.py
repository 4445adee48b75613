"""All published numbers in one table: source, printed, ours."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from itertools import groupby
from pathlib import Path

import published
from published import Published

PAGE = Path(__file__).parents[2] / "docs" / "published-numbers.md"

HEAD = """# Published numbers

Every number below was printed by somebody else, and is computed by this package from the raw data or the
printed inputs whenever the tests run. "Printed" is the text of the source; "ours" has the same digits. Where
a difference is allowed, the note says why. Written by `python -m published` in `tests/`.
"""


@cache
def rows() -> tuple[Published, ...]:
    """All rows, topic by topic."""
    topics = [
        name for _, name, _ in pkgutil.iter_modules(published.__path__) if name not in ("__main__", "page")
    ]
    return tuple(row for name in topics for row in import_module(f"published.{name}").ROWS)


def written() -> str:
    """Return the page: a table per source, in the order of the rows."""
    ordered = sorted(rows(), key=lambda row: row.source)  # stable: within a source as listed
    parts = [HEAD, f"{len(ordered)} numbers.\n"]
    for source, group in groupby(ordered, key=lambda row: row.source):
        lines = [f"| {row.what} | {row.printed} | {_ours(row)} | {row.note} |" for row in group]
        table = ["| quantity | printed | ours | note |", "|---|---|---|---|", *lines]
        parts.append("\n".join([f"## {source}\n", *table, ""]))
    return "\n".join(parts)


def _ours(row: Published) -> str:
    shown = f"{row.rounded(row.computed()):,f}"
    return shown + ("%" if row.printed.endswith("%") else "")
