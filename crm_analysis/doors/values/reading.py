"""What a reader says of one source column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import ibis.expr.types as ir


@dataclass(frozen=True)
class Reading:
    """A source column understood: its typed value, and the rows that do not fit.

    text : the content of the row, for messages.     expected : what a readable row looks like.
    odd, closer : rows that need a closer look, and the reading that it gives. It costs a pass over the
        column, and is taken only where such rows exist.
    exact : a price with more decimals than money has, for products.
    slow : the value takes long to compute.
    style : how the values are written where the column settled it, such as "dates day first".
    notes : what should be said of the column, as (name, rest of the sentence after "column 'date' (for
        occurred_at) "), such as ("Excel serial numbers", "holds Excel serial numbers, read as ...").
    """

    value: ir.Value
    unreadable: Any
    text: ir.Value
    expected: str
    odd: Any = None
    closer: Callable[[], Reading] | None = None
    exact: Any = None
    slow: bool = False
    style: str = ""
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def undated(self) -> Any:
        """Rows without a time, of a column of times; else None."""
        kind = self.value.type()
        return self.value.isnull() if kind.is_timestamp() or kind.is_date() else None

    def mapped(self, change: Callable[[Any], Any]) -> Reading:
        """Return the same reading with another value, also after a closer look."""
        closer = self.closer
        after = None if closer is None else lambda: closer().mapped(change)
        return replace(self, value=change(self.value), closer=after)


@dataclass(frozen=True)
class Habits:
    """What the caller says about the values of a source; None where the column itself must prove it."""

    dates: str | None = None
    decimal: str | None = None
    timezone: str | None = None
    source_timezone: str | None = None
