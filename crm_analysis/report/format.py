"""How a value is written: by the name and the type of its column."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Any, Literal

import pandas as pd

Kind = Literal["text", "date", "yes or no", "integer", "percent", "money", "number", "p", "chance"]
MISSING = "–"
MINUS = "−"
FEW = 30
SMALLEST_P = 0.001

_P = re.compile(r"^p$|^p_(holm|value|differ)$")
_CHANCE = re.compile(r"^p_largest$")

_PERCENT = re.compile(
    r"^(bias|accuracy|error|top_tenth)$|^(share|p)_|(^|_)(share|rate|percent|margin|probability)(_|$)"
)
_COUNT = re.compile(r"^n_|^(days|t)_|(^|_)(days|rank|count)$")
_MONEY = re.compile(
    r"(^|_)(amount|revenue|sales|profit|cost|costs|spend|price|clv|gain|money|currency)(_|$)"
    r"|^(value|residual_value|deal_value|order_value)_|^(residual_value|deal_value|order_value)$|_value(_low|_high)?$"
)
_NUMERIC = {"decimal", "integer", "floating", "mixed-integer-float"}


def kind_of(name: str, column: pd.Series) -> Kind:
    """How the values of a column are written: shares in percent, counts whole, money in thousands."""
    inferred = pd.api.types.infer_dtype(column, skipna=True)
    if inferred in ("date", "datetime", "datetime64"):
        return "date"
    if inferred == "boolean":
        return "yes or no"
    if inferred not in _NUMERIC:
        return "text"
    return _numeric_kind(name, whole=inferred == "integer")


def _numeric_kind(name: str, *, whole: bool) -> Kind:
    if _P.search(name):
        return "p"
    if _CHANCE.search(name):
        return "chance"
    if _PERCENT.search(name):
        return "percent"
    if _COUNT.search(name):
        return "integer"
    if _MONEY.search(name):
        return "money"
    return "integer" if whole else "number"


def format_column(column: pd.Series, kind: Kind, *, yes: str = "yes", no: str = "no") -> list[str]:
    """Every value of a column as text, with the same number of decimals.

    Where a column mixes numbers beyond a thousand with numbers under ten, each has its own.
    """
    if kind not in ("text", "date", "yes or no"):
        numbers = pd.to_numeric(column.astype("Float64") if _is_decimal(column) else column)
        sizes = numbers.abs()
        mixed = kind == "number" and sizes.max() >= 1000 and sizes[sizes > 0].min() < 10
        decimals = None if mixed else decimals_for(kind, largest=sizes.max())
        return [MISSING if pd.isna(v) else format_number(float(v), kind, decimals=decimals) for v in numbers]
    return [MISSING if pd.isna(v) else _format_other(v, yes, no) for v in column]


def _is_decimal(column: pd.Series) -> bool:
    return bool(pd.api.types.infer_dtype(column, skipna=True) == "decimal")


def decimals_for(kind: Kind, *, largest: Any) -> int:
    """Decimals for numbers up to `largest`: about four figures, fewer where the unit says so."""
    if kind == "integer" or pd.isna(largest):
        return 0
    if kind == "percent":
        return 1
    if kind == "money":
        return 0 if largest >= 100 else 2
    return next((d for limit, d in ((1000, 0), (100, 1), (10, 2)) if largest >= limit), 3)


def format_number(value: float, kind: Kind, *, decimals: int | None = None) -> str:
    """Write one number; thousands are set apart, and minus nothing is nothing.

    A p-value below 0.001 is "<0.001". A chance that was reckoned from draws is never certain: from 99.5% on
    it is ">99%", below 0.5% "<1%".
    """
    if math.isnan(value):
        return MISSING
    if kind == "p":
        return f"<{SMALLEST_P}" if value < SMALLEST_P else f"{value:.3f}"
    if kind == "chance":
        return ">99%" if value >= 0.995 else "<1%" if value < 0.005 else f"{value:.0%}"
    places = decimals_for(kind, largest=abs(value)) if decimals is None else decimals
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    return with_minus(f"{value:.{places}%}" if kind == "percent" else f"{value:,.{places}f}")


def with_minus(text: str) -> str:
    """Return a written number with a minus that is as wide as a plus; minus nothing is nothing."""
    if not text.startswith("-"):
        return text
    return text.replace("-", MINUS if re.search("[1-9]", text) else "", 1)


def _format_other(value: Any, yes: str, no: str) -> str:
    if isinstance(value, bool) or pd.api.types.is_bool(value):
        return yes if value else no
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%d}" if value.time() == dt.time() else f"{value:%Y-%m-%d %H:%M}"
    return str(value)


def harmless(value: Any) -> Any:
    """Return `value` as it is, or text that a spreadsheet would take for a formula with a quote before it."""
    return (
        f"'{value}"
        if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
        else value
    )
