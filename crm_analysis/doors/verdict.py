"""What a door found: PASS, FLAG or REFUSE, each defect with its count and the direction of its bias."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import pandas as pd

from crm_analysis.doors.plain import wrapped
from crm_analysis.errors import DataError

Consequence = Literal["set aside", "flag", "refuse"]


@dataclass(frozen=True)
class Defect:
    """One thing that is wrong with a table.

    found : one sentence: where, what, what was expected, what to do.
    n_rows, share_of_rows : rows concerned; None where the defect is not one of rows.
    share_of_revenue : their absolute amount as a share of the absolute amount of all rows, where known.
    examples : a few of the rows, as text.
    bias : the direction in which the defect moves what follows.
    """

    name: str
    consequence: Consequence
    found: str
    n_rows: int | None = None
    share_of_rows: float | None = None
    share_of_revenue: float | None = None
    examples: tuple[str, ...] = ()
    bias: str = ""


@dataclass(frozen=True)
class Verdict:
    """Everything a door found in one table: `n_rows` read, `n_kept` of them kept.

    reading : how the source was read where it, and not the caller, settled that: "encoding cp1252".
    """

    table: str
    n_rows: int = 0
    n_kept: int = 0
    defects: tuple[Defect, ...] = ()
    reading: tuple[str, ...] = ()

    @property
    def status(self) -> Literal["PASS", "FLAG", "REFUSE"]:
        """REFUSE where a defect refuses the table, FLAG where there is any other defect, else PASS."""
        if any(defect.consequence == "refuse" for defect in self.defects):
            return "REFUSE"
        return "FLAG" if self.defects else "PASS"

    def with_defects(self, defects: Iterable[Defect]) -> Verdict:
        """Return the same verdict with further defects."""
        return replace(self, defects=(*self.defects, *defects))

    def refused(self) -> DataError:
        """Error that says what refuses the table, every problem at once."""
        sentences = [defect.found for defect in self.defects if defect.consequence == "refuse"]
        return DataError("\n".join(sentences), verdict=self)

    def raise_if_refused(self) -> None:
        """Raise DataError, carrying this verdict, where the status is REFUSE."""
        if self.status == "REFUSE":
            raise self.refused()

    def to_frame(self) -> pd.DataFrame:
        """One row per defect: name, consequence, n_rows, shares, found, examples, bias."""
        columns = list(Defect.__dataclass_fields__)
        frame = pd.DataFrame([asdict(defect) for defect in self.defects], columns=columns)
        frame["examples"] = ["; ".join(examples) for examples in frame["examples"]]
        return frame.astype({"n_rows": "Int64", "share_of_rows": float, "share_of_revenue": float})

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for JSON; `from_dict` reads them back."""
        return asdict(self) | {"status": self.status}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Verdict:
        """Verdict that `to_dict` wrote."""
        defects = tuple(
            Defect(**(defect | {"examples": tuple(defect["examples"])})) for defect in content["defects"]
        )
        reading = tuple(content["reading"])
        return cls(content["table"], content["n_rows"], content["n_kept"], defects, reading)

    def __str__(self) -> str:
        return self.told()

    def told(self, before: str = "") -> str:
        """Return the verdict as lines to read, the first one after `before`."""
        head = f"{before}{self.table}: {self.status}; {self.n_rows:,} rows read, {self.n_kept:,} kept"
        how = (
            [wrapped(f"read with {'; '.join(self.reading)}", first="  ", indent="    ")]
            if self.reading
            else []
        )
        return "\n".join([wrapped(head, indent="  "), *how, *map(_as_lines, self.defects)])


def _as_lines(defect: Defect) -> str:
    """Sentences of a defect, wrapped; whatever its values hold, they stay on their lines."""
    money = "" if defect.share_of_revenue is None else f" ({defect.share_of_revenue:.1%} of revenue)"
    head = f"{defect.consequence}, {defect.name}: {defect.found}{money}"
    below = [f"for example {'; '.join(defect.examples)}"] if defect.examples else []
    below += [f"bias: {defect.bias}"] if defect.bias else []
    lines = [wrapped(head, first="- ", indent="  "), *(wrapped(s, first="  ", indent="    ") for s in below)]
    return "\n".join(lines)
