"""Zip files: which kind of document one is, and whether it unpacks to something that can be read safely."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from crm_analysis.doors.sources.opened import Refusal

MEGABYTE = 1 << 20
# What Excel itself can write stays far below these.
MOST_UNPACKED = 4_000 * MEGABYTE
MOST_STRINGS = 300 * MEGABYTE
MOST_PER_ROW = 16 * MEGABYTE
# Sheets shrink to a tenth or a thirtieth; a hundredth is made to harm.
MOST_SHRUNK, WORTH_A_LOOK = 100, 32 * MEGABYTE
STRINGS = "xl/sharedStrings.xml"
ROW = re.compile(rb"<(?:\w+:)?row[\s>/]")
# Comments and document types are written by no spreadsheet; they would hide where rows end.
ODD = re.compile(rb"<!(?:--|DOCTYPE|ENTITY)")
# Parts of other documents, and what to say of them.
OTHERS = {
    "xl/workbook.bin": "a binary workbook (.xlsb); save it as .xlsx",
    "content.xml": "an OpenDocument file (.ods); save it as .xlsx",
    "word/document.xml": "a Word document; export the table as .xlsx or CSV",
    "ppt/presentation.xml": "a presentation; export the table as .xlsx or CSV",
    "Index/Document.iwa": "an Apple Numbers document; export it as .xlsx",
}


def check_workbook(path: Path) -> None:
    """Refuse a zip file that is no workbook, or one that would fill the machine."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            _check_kind([part.filename for part in parts])
            _check_size(parts)
            for part in parts:
                # A sheet may lie anywhere; what is small cannot harm.
                if part.file_size > MOST_PER_ROW and part.filename != STRINGS:
                    _check_rows(archive, part)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise Refusal(f"the file is damaged ({error}); export it again") from None


def _check_kind(names: list[str]) -> None:
    # Some writers name the parts with a slash in front, or in other capitals.
    found = {name.lstrip("/").lower() for name in names}
    if "xl/workbook.xml" in found:
        return
    for part, sentence in OTHERS.items():
        if part.lower() in found:
            raise Refusal(f"this is {sentence}")
    if not any(name.startswith("xl/") for name in found):
        raise Refusal(f"this is a zip archive of {len(names)} files ({names[:3]}); unpack it first")


def _check_size(parts: list[zipfile.ZipInfo]) -> None:
    total = sum(part.file_size for part in parts)
    if total > MOST_UNPACKED:
        raise Refusal(f"the workbook unpacks to {total / 1e9:.1f} GB; export the data as CSV")
    for part in parts:
        size, packed = part.file_size, max(part.compress_size, 1)
        if size > WORTH_A_LOOK and size / packed > MOST_SHRUNK:
            raise Refusal(
                f"the part {part.filename!r} unpacks from {packed / 1e6:.1f} MB to {size / 1e6:,.0f} MB, "
                "as no workbook of data does; export the data as CSV"
            )
        if part.filename == STRINGS and size > MOST_STRINGS:
            raise Refusal(f"the workbook has {size / 1e6:,.0f} MB of texts; export the data as CSV")


def _check_rows(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Refuse a sheet with more between two rows than a row can hold: it is kept in memory row by row."""
    since, rest = 0, b""
    with archive.open(part) as file:
        while block := file.read(MEGABYTE):
            text = rest + block
            if ODD.search(text):
                raise Refusal(f"the part {part.filename!r} is XML that no spreadsheet writes; save it again")
            ends = [row.start() for row in ROW.finditer(text)]
            since = len(text) - ends[-1] if ends else since + len(block)
            if since > MOST_PER_ROW:
                raise Refusal(
                    f"the part {part.filename!r} has more than {MOST_PER_ROW / 1e6:.0f} MB without a row; "
                    "export the data as CSV"
                )
            rest = text[-32:]
