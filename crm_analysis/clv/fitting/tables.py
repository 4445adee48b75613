"""Functions of numbers among which few differ: computed once per distinct number and looked up.

n_repeat, t_last and t_observed are whole numbers of purchases and days, so a million histories hold some
hundred of each. A logarithm or a gamma function per number costs nothing against one per history.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from crm_analysis.clv.histories import FloatArray, Histories, IntArray
from crm_analysis.clv.units import unit_days

Function = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Table:
    """Numbers as places among `levels`; without places every number is its own level."""

    levels: FloatArray
    place: IntArray | None = None

    @classmethod
    def of(cls, values: FloatArray, *, step: float) -> Table:
        """Lay out a table where the values are few whole multiples of `step`."""
        place = np.rint(values / step).astype(np.int64)
        few = len(values) > 0 and place.min() >= 0 and place.max() < len(values)
        if not few or not (abs(place * step - values) <= 1e-9 * step).all():
            return cls(values)
        return cls(np.arange(place.max() + 1) * step, place)

    def part(self, rows: slice) -> Table:
        """The same for some of the numbers."""
        if self.place is None:
            return Table(self.levels[rows])
        return Table(self.levels, self.place[rows])

    def __call__(self, function: Function) -> FloatArray:
        """Values of a function of one number at a time."""
        values = function(self.levels)
        return values if self.place is None else values[self.place]


@dataclass(frozen=True)
class HistoryTables:
    """Tables of the three numbers of histories."""

    n_repeat: Table
    t_last: Table
    t_observed: Table

    @classmethod
    def of(cls, histories: Histories, *, unit: str) -> HistoryTables:
        """Tables of histories whose times are in a unit."""
        day = 1 / unit_days(unit)
        return cls(
            Table.of(histories.n_repeat, step=1.0),
            Table.of(histories.t_last, step=day),
            Table.of(histories.t_observed, step=day),
        )

    @classmethod
    def plain(cls, histories: Histories) -> HistoryTables:
        """No tables: where functions have parameters that differ between histories."""
        return cls(Table(histories.n_repeat), Table(histories.t_last), Table(histories.t_observed))

    def part(self, rows: slice) -> HistoryTables:
        """The same for some of the histories."""
        return HistoryTables(self.n_repeat.part(rows), self.t_last.part(rows), self.t_observed.part(rows))
