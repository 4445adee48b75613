"""Numbers written as text: the decimal sign is proven by the column or stated, nothing is rounded."""

from __future__ import annotations

import re
from typing import Any

from crm_analysis.doors.shapes import Shapes, Unclear, full

UNCLEAR = r"[+-]?\d{1,3}[.,]\d{3}"


def number_of(raw: Any, *, decimal: str | None, kind: str, whole: int, decimals: int) -> Any:
    """Value of a column of numbers as `kind`, a decimal; NULL where a text is no number of that size.

    whole, decimals : most digits before and after the decimal sign; further zeros after it are ignored.

    Raises
    ------
    Unclear
        The sign may mark decimals or thousands, or both signs mark decimals.
    """
    shapes = Shapes.of(raw)
    point = decimal or _decimal_sign(shapes)
    if point == "." and shapes.all_are(rf"-?\d{{1,{whole}}}(?:\.\d{{1,{decimals}}})?"):
        return raw.try_cast(kind)
    other = "," if point == "." else "."
    p, o = re.escape(point), re.escape(other)
    grouped = rf"\d{{1,3}}(?:{o}\d{{3}}){{1,{(whole - 1) // 3}}}"
    fraction = rf"{p}\d{{0,{decimals}}}0*"
    pattern = rf"[+-]?(?:(?:\d{{1,{whole}}}|{grouped})(?:{fraction})?|{p}\d{{1,{decimals}}}0*)"
    text = raw.strip()
    plain = text.replace(other, "").replace(point, ".")
    return full(text, pattern).ifelse(plain, None).try_cast(kind)


def _decimal_sign(shapes: Shapes) -> str:
    """Decimal sign that the column proves; a point where it has whole numbers only."""
    point, comma = _proofs(".", ","), _proofs(",", ".")
    n_point, n_comma, n_unclear = (shapes.count(pattern) for pattern in (point, comma, UNCLEAR))
    if n_unclear:
        zeros = _proven_by_zeros(shapes)
        n_point, n_comma = n_point + zeros["."], n_comma + zeros[","]
    if n_point and n_comma:
        raise Unclear(
            f"mixes numbers with a decimal point and with a comma: {shapes.first(point, n=1)} and "
            f"{shapes.first(comma, n=1)}; export the column in one style"
        )
    if n_unclear and not n_point and not n_comma:
        raise Unclear(
            f"is ambiguous: in {shapes.first(UNCLEAR)} the sign may mark decimals or thousands, and no row "
            'proves which; set decimal = "." or decimal = ","'
        )
    return "," if n_comma else "."


def _proofs(point: str, other: str) -> str:
    """Pattern of numbers in which `point` can only be the decimal sign; a leading zero says so in a value."""
    p, o = re.escape(point), re.escape(other)
    return (
        rf"[+-]?(?:\d*{p}(?:\d{{1,2}}|\d{{4,}})|(?:0|\d{{4,}}){p}\d{{3}}"
        rf"|\d{{1,3}}(?:{o}\d{{3}})+{p}\d*|\d{{1,3}}(?:{o}\d{{3}}){{2,}})"
    )


def _proven_by_zeros(shapes: Shapes) -> dict[str, int]:
    """Rows such as 0.125, which no thousands sign can be in: a shape does not tell them from 9.125."""
    table = shapes.raw.name("value").as_table()
    text = table.value.strip()
    counts = {"point": full(text, r"[+-]?0\.\d{3}").sum(), "comma": full(text, r"[+-]?0,\d{3}").sum()}
    found = table.agg(**counts).to_pyarrow().to_pylist()[0]
    return {".": int(found["point"] or 0), ",": int(found["comma"] or 0)}
