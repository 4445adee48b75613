"""All published numbers in one table: source, printed, ours."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

import published
from published import Published
from published.sources import citation

PAGE = Path(__file__).parents[2] / "docs" / "published-numbers.md"

HEAD = """# Published numbers

Every number below was printed by somebody else, or worked by hand from somebody else's example where the
source says so. This package computes it from the raw data or the printed inputs whenever the tests run.
"Printed" is the text of the source; "ours" has the same digits. Where a difference is allowed, the note says
why. Written by `python -m published` in `tests/`.
"""


@cache
def rows() -> tuple[Published, ...]:
    """All rows, topic by topic."""
    others = ("__main__", "page", "sources")
    topics = [name for _, name, _ in pkgutil.iter_modules(published.__path__) if name not in others]
    return tuple(row for name in topics for row in import_module(f"published.{name}").ROWS)


def written() -> str:
    """Return the page: how many numbers, the sources with their counts, and a table for each."""
    sources: dict[str, list[Published]] = {}
    for row in sorted(rows(), key=lambda row: row.source):  # stable: within a source as listed
        sources.setdefault(row.source, []).append(row)
    return "\n".join([HEAD, _count(rows()), _contents(sources), *map(_section, sources, sources.values())])


def _count(listed: Sequence[Published]) -> str:
    near = sum(row.within is not None for row in listed)
    exact = f"{len(listed) - near} to the printed digit"
    return f"{len(listed)} numbers: {exact}, {near} within what their note says.\n"


def _contents(sources: dict[str, list[Published]]) -> str:
    lines = [f"| [{source}](#{_anchor(source)}) | {len(listed)} |" for source, listed in sources.items()]
    return "\n".join(["| source | numbers |", "|---|---|", *lines, ""])


def _anchor(heading: str) -> str:
    """Return the name that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _section(source: str, listed: Sequence[Published]) -> str:
    about = [f"{citation(source)}\n"] if citation(source) else []
    lines = [f"| {row.what} | {row.printed} | {_ours(row)} | {row.note} |" for row in listed]
    table = ["| quantity | printed | ours | note |", "|---|---|---|---|", *lines]
    return "\n".join([f"## {source}\n", *about, *table, ""])


def _ours(row: Published) -> str:
    shown = f"{row.rounded(row.computed()):,f}"
    return shown + ("%" if row.printed.endswith("%") else "")
