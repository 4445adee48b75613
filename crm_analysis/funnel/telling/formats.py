"""How the columns of these tables are written where their names alone do not say it."""

from __future__ import annotations

from typing import Final, Literal

Written = Literal["percent", "number", "integer"]

_PERCENT = (
    "difference", "low", "high", "difference_low", "difference_high", "smallest_visible", "won", "error",
    "static_error",
)  # fmt: skip
FORMATS: Final[dict[str, Written]] = dict.fromkeys(_PERCENT, "percent")
FORMATS.update(dict.fromkeys(("rates", "rates_low", "rates_high"), "number"))
# Tables whose low and high are those of a contribution rather than of a rate.
IN_UNIT: Final[dict[str, Written]] = {
    "low": "number",
    "high": "number",
    "median_days_a": "integer",
    "median_days_b": "integer",
}
