"""Tables of HTML pages, which many systems export under the name .xls."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import ibis

from crm_analysis.doors.sources.cell import Broken, any_filled
from crm_analysis.doors.sources.cells import Part, read_cells
from crm_analysis.doors.sources.headers import Row
from crm_analysis.doors.sources.opened import Opened, Options, Refusal, chosen, shown

MOST_BYTES = 100 << 20
BLOCK = 1 << 16
# A tag longer than this is none; the parser would look at it again with every block.
MOST_OPEN = 1 << 20
MOST_SPAN, MOST_CELLS = 1_000, 1 << 14
MARKUP = re.compile(rb"<(?:!doctype html|html|head|meta|body|table|style|div|title)\b", re.IGNORECASE)
CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
# What pages that name the first mean by it.
MEANT = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "ascii": "cp1252",
}
UNSEEN = ("script", "style", "head", "title", "template", "noscript")


def is_html(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a page."""
    return head.lstrip().startswith(b"<") and MARKUP.search(head) is not None


def open_html(path: Path, options: Options, engine: ibis.BaseBackend, wanted: Sequence[str]) -> Opened:
    """Table of a page, or several of them one below the other."""
    if path.stat().st_size > MOST_BYTES:
        raise Refusal(f"the page is larger than {MOST_BYTES >> 20} MB; export the data as CSV")
    page = _Page()
    for text in _texts(path, options.encoding):
        page.feed(text)
        if len(page.rawdata) > MOST_OPEN:
            raise Refusal("the page has a tag that does not end; export the data as CSV or .xlsx")
    page.close()
    tables = {f"table {i}": rows for i, rows in enumerate(filter(None, page.tables), start=1)}
    if not tables:
        raise Refusal("this is a web page without a table (a login or an error page?); export the data again")
    names = chosen(options.sheet, list(tables), "sheet")
    which = names[0] if len(names) == 1 else f"{len(names)} tables"
    parts = (Part(name, iter(tables[name])) for name in names)
    place = shown(path.name) if len(tables) == 1 else f"{shown(path.name)}, {which}"
    return read_cells(parts, place, options, engine, wanted)[0]


def _texts(path: Path, encoding: str | None) -> Iterator[str]:
    """Blocks of the page's text, by its mark, what it says of itself, or UTF-8; nothing is replaced."""
    with path.open("rb") as file:
        head = file.read(BLOCK)
        name = encoding or _encoding(head)
        try:
            decoder = codecs.getincrementaldecoder(name)(errors="strict")
        except LookupError:
            raise Refusal(f"encoding {name!r} is not known; set encoding to what wrote the file") from None
        block = head
        while block:
            yield _decoded(decoder, block, name)
            block = file.read(BLOCK)
        yield _decoded(decoder, b"", name)


def _decoded(decoder: Any, block: bytes, name: str) -> str:
    try:
        return str(decoder.decode(block, final=not block))
    except UnicodeDecodeError as error:
        found = error.object[error.start : error.start + 4]
        raise Refusal(
            f"the page is not {name} ({found!r}); set encoding to what wrote it, such as 'gb18030'"
        ) from None


def _encoding(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    said = CHARSET.search(head)
    if head.startswith(codecs.BOM_UTF8) or said is None:
        return "utf-8-sig"
    name = said[1].decode("ascii").lower()
    return MEANT.get(name, name)


class _Table:
    """A table that is being read: its rows, the open row and cell, and what spans down from above."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.number = 0
        self.row: list[str | None] | None = None
        self.text: list[str] | None = None
        self.span = (1, 1)
        self.below: dict[int, int] = {}

    def start_row(self) -> None:
        self.end_row()
        self.number += 1
        self.row = []

    def start_cell(self, span: tuple[int, int]) -> None:
        self.end_cell()
        if self.row is None:
            self.start_row()
        self.text, self.span = [], span

    def end_cell(self) -> None:
        if self.text is None or self.row is None:
            return
        wide, high = self.span
        self._fill_from_above(self.row)
        if high > 1:
            self.below |= dict.fromkeys(range(len(self.row), len(self.row) + wide), high)
        self.row += [" ".join("".join(self.text).split()) or None, *[None] * (wide - 1)]
        self.text = None
        if len(self.row) > MOST_CELLS:
            raise Refusal(f"row {self.number} has more than {MOST_CELLS:,} cells; export the data as CSV")

    def end_row(self) -> None:
        self.end_cell()
        if self.row is None:
            return
        self._fill_from_above(self.row)
        if any_filled(self.row):
            self.rows.append((self.number, self.row))
        self.below = {i: n - 1 for i, n in self.below.items() if n > 1}
        self.row = None

    def _fill_from_above(self, row: list[str | None]) -> None:
        while len(row) in self.below:
            row.append(Broken("a cell that reaches down from above"))


class _Page(HTMLParser):
    """All tables of a page, in the order in which they begin; a table within a table stands for itself."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[Row]] = []
        self._open: list[_Table] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in UNSEEN:
            self._unseen += 1
        elif tag == "table":
            table = _Table()
            self._open.append(table)
            self.tables.append(table.rows)
        elif self._open and tag == "tr":
            self._open[-1].start_row()
        elif self._open and tag in ("td", "th"):
            said = dict(attrs)
            self._open[-1].start_cell((_span(said.get("colspan")), _span(said.get("rowspan"))))
        elif tag in ("br", "p", "div", "li"):
            self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in UNSEEN:
            self._unseen = max(self._unseen - 1, 0)
        elif self._open and tag in ("td", "th"):
            self._open[-1].end_cell()
        elif self._open and tag == "tr":
            self._open[-1].end_row()
        elif self._open and tag == "table":
            self._open.pop().end_row()

    def handle_data(self, data: str) -> None:
        if self._open and not self._unseen and (text := self._open[-1].text) is not None:
            text.append(data)

    def close(self) -> None:
        super().close()
        for table in self._open:
            table.end_row()


def _span(said: str | None) -> int:
    return max(1, min(int(said[:9]), MOST_SPAN)) if said and said.isdecimal() else 1
