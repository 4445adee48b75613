"""A way in which a ledger may differ from the log."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Reason:
    """A way in which a ledger may differ from the log.

    per_day : its amount, by day.
    says : what it means where it accounts for a difference, and what to set then.
    family : no two of one family can both be so.
    noun : what its amount is of, in the plural; by default its name.
    """

    name: str
    per_day: pd.Series = field(repr=False)
    says: str
    family: str
    noun: str = ""

    @property
    def things(self) -> str:
        """What its amount is of."""
        return self.noun or self.name
