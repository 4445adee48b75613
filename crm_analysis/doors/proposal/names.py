"""Names of columns compared: without case, blanks, punctuation and units, and always whole."""

from __future__ import annotations

import itertools
import re
import unicodedata
from dataclasses import dataclass

from crm_analysis.doors.schema import Kind


def words_of(text: str) -> tuple[str, ...]:
    """Words between blanks."""
    return tuple(text.split())


UNITS = frozenset(
    words_of(
        "usd eur gbp cny rmb cad aud jpy hkd twd sgd chf inr krw dollar dollars euro euros utc gmt "
        "元 人民币 美元 欧元 港币"
    )
)
Tier = tuple[str, tuple[str, ...]]


def plain(name: str) -> str:
    """Name without case, blanks, punctuation and units: "Total (USD)" and "total" are "total"."""
    words = _parts(name)
    kept = [word for word in words if word not in UNITS]
    return "".join(kept or words)


def units_in(name: str) -> list[str]:
    """Units in a name: ["usd"] of "Total (USD)"."""
    return [word for word in _parts(name) if word in UNITS]


def _parts(name: str) -> list[str]:
    """Words of a name, without case and accents."""
    text = unicodedata.normalize("NFKD", name).casefold()
    return re.findall(r"[^\W_]+", "".join(sign for sign in text if not unicodedata.combining(sign)))


def each(firsts: str, seconds: str) -> tuple[str, ...]:
    """Every first word with every second: "order invoice", "id no" gives orderid, orderno, invoiceid, ..."""
    return tuple("".join(pair) for pair in itertools.product(firsts.split(), seconds.split()))


@dataclass(frozen=True)
class Role:
    """A canonical column: what it holds, and the names it usually has.

    tiers : (what such a name says, the names), the better ones first.
    """

    name: str
    kind: Kind
    tiers: tuple[Tier, ...]
    required: bool = False

    def tier_of(self, column: str) -> int | None:
        """Number of the tier that holds the name of a column; None where none does."""
        found = plain(column)
        return next((i for i, (_, names) in enumerate(self.tiers) if found in names), None)


def role(name: str, kind: Kind, *names: str, required: bool = False) -> Role:
    """Role with a tier per text of names."""
    return Role(name, kind, tuple((name, words_of(text)) for text in names), required)
