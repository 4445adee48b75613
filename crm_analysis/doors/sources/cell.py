"""What one untyped cell holds: its text with its kind in front, as `kinds` reads it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any


class Broken(str):
    """A cell that has no value: what it shows instead, such as "#REF!"."""


def is_filled(cell: Any) -> bool:
    """Whether a cell has content; blanks are none."""
    return cell is not None and not (isinstance(cell, str) and not cell.strip())


def any_filled(cells: Sequence[Any]) -> bool:
    """Whether a row has any content."""
    return any(is_filled(cell) for cell in cells)


def mark(cell: Any) -> str | None:
    """Cell as text with its kind in front, such that reading it gives the cell back."""
    if cell is None:
        return None
    if isinstance(cell, str):
        return _mark_text(cell)
    if isinstance(cell, bool):
        return f"b{cell}"
    if isinstance(cell, int):
        return f"n{cell}"
    if isinstance(cell, float):
        return f"n{_digits(cell)}" if math.isfinite(cell) else f"s{cell}"
    if isinstance(cell, (dt.datetime, dt.date)):
        return f"d{cell.isoformat()}"
    return f"s{cell}"


def _mark_text(cell: str) -> str | None:
    if isinstance(cell, Broken):
        return f"e{cell}"
    return f"s{cell}" if cell and not cell.isspace() else None


def _digits(number: float) -> str:
    """Digits of a number as a spreadsheet shows them: fifteen that count, none added."""
    if number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    return f"{Decimal(f'{number:.15g}'):f}"


def words(cell: Any) -> str:
    """Cell as a name: what `mark` writes, without the kind."""
    return (mark(cell) or " ")[1:]
