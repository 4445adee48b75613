"""Numbers that others printed, beside ours: one row each, tested and written into the documentation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal


@dataclass(frozen=True)
class Published:
    """A number in print, and how we compute it.

    source : who printed it, and where.
    what : the quantity, and of which data.
    printed : as printed, digits included: ".243", "1,029.18", "44.5%".
    ours : computes it; a share where a percentage is printed.
    within : absolute difference allowed; only where the source itself is inexact, which `note` explains.
    note : what to beware of.
    """

    source: str
    what: str
    printed: str
    ours: Callable[[], float]
    within: float | None = None
    note: str = ""

    @property
    def value(self) -> Decimal:
        """The number in print; a percentage stays one."""
        return Decimal(self.printed.replace(",", "").replace("−", "-").rstrip("%"))

    def computed(self) -> Decimal:
        """Our number on the scale of the print."""
        scale = 100 if self.printed.endswith("%") else 1
        return Decimal(repr(float(self.ours()) * scale))

    def rounded(self, computed: Decimal) -> Decimal:
        """Our number to as many digits as are printed."""
        return computed.quantize(Decimal(1).scaleb(int(self.value.as_tuple().exponent)), ROUND_HALF_EVEN)

    def agrees(self, computed: Decimal) -> bool:
        """Whether ours is the number in print, to the printed digit or within what is allowed."""
        if self.within is not None:
            return abs(computed - self.value) <= Decimal(str(self.within))
        return self.rounded(computed) == self.value
