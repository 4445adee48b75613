"""Dates written as text: the order of year, month and day is proven by the column or stated."""

from __future__ import annotations

import re
from typing import Any

import ibis
import ibis.expr.datatypes as dt

from crm_analysis.doors.shapes import Shape, Shapes, Unclear

CLOCK = r"(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?"
ZONE = r"(?: ?Z| ?[+-]\d{2}:?\d{2})"
ISO = r"\d{4}-\d{2}-\d{2}" + CLOCK
DATES = {
    "year first": r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})",
    "yyyymmdd": r"((?:19|20|21)\d{2})(\d{2})(\d{2})",
    "year and month": r"(\d{4})[-/](\d{1,2})",
    "day and month": r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})",
}
# Where year, month and day stand among the groups of the pattern.
ORDERS = {
    "year first": r"\1-\2-\3",
    "yyyymmdd": r"\1-\2-\3",
    "year and month": r"\1-\2-01",
    "day first": r"\3-\2-\1",
    "month first": r"\3-\1-\2",
}


@ibis.udf.scalar.builtin
def try_strptime(text: str, form: str) -> dt.Timestamp(scale=6):  # type: ignore[valid-type]
    """DuckDB's: the time that `text` is in the format `form`, else NULL."""


def time_of(raw: Any, *, dates: str | None) -> tuple[Any, str]:
    """Time of a column of text, and the order it is in; NULL where a text is no date that exists.

    The time has a zone where the text has.

    Raises
    ------
    Unclear
        The order may be day first or month first, is not the same in all rows, or is none that is known.
    """
    text = raw.strip()
    if dates and "%" in dates:
        return try_strptime(text, dates), f"in the format {dates!r}"
    shapes = Shapes.of(raw)
    order, zoned = _order(shapes, dates)
    kind = "timestamp('UTC')" if zoned else "timestamp(6)"
    if order == "year first" and shapes.all_are(ISO + (ZONE if zoned else "")):
        return raw.try_cast(kind), order
    pattern = rf"^{DATES[_family_of(order)]}({CLOCK})({ZONE if zoned else ''})$"
    n_groups = 2 if order == "year and month" else 3
    iso = text.re_replace(pattern, rf"{ORDERS[order]}\{n_groups + 1}\{n_groups + 2}")
    return text.re_search(pattern).ifelse(iso, None).try_cast(kind), order


def _family_of(order: str) -> str:
    return "day and month" if order in ("day first", "month first") else order


def _order(shapes: Shapes, stated: str | None) -> tuple[str, bool]:
    """Order of year, month and day that the column proves, and whether its times carry a zone."""
    if stated and stated not in ORDERS:
        raise Unclear(
            f"cannot be read with dates = {stated!r}; write one of {sorted(ORDERS)} or a format such as "
            "'%d/%m/%Y'"
        )
    families: dict[tuple[str, bool], list[Shape]] = {}
    for shape in shapes.shapes:
        if (found := _family(shape.example.strip())) is not None:
            families.setdefault(found, []).append(shape)
    if stated:
        return stated, any(zoned for _, zoned in families)
    if not families:
        return _no_date(shapes)
    if len(families) > 1:
        examples = [f"{each[0].example!r} ({sum(s.n for s in each)} rows)" for each in families.values()]
        raise Unclear(f"mixes date formats: {', '.join(examples)}; export the column in one format")
    family, zoned = next(iter(families))
    return (_day_or_month(shapes) if family == "day and month" else family), zoned


def _family(example: str) -> tuple[str, bool] | None:
    for family, pattern in DATES.items():
        for zone in ("", ZONE):
            if re.fullmatch(pattern + CLOCK + zone, example, re.ASCII):
                return family, bool(zone)
    return None


def _no_date(shapes: Shapes) -> tuple[str, bool]:
    if not shapes.shapes:
        return "year first", False
    example = shapes.shapes[0].example
    numeric = shapes.shapes[0].fits(r"\d{5}(\.\d+)?|\d{10}|\d{13}")
    hint = " (an Excel serial number, or an epoch?)" if numeric else ""
    raise Unclear(
        f"holds no dates that are understood, such as {example!r}{hint}; export them as 2024-12-31, or set "
        "dates to their format, such as '%d.%m.%y'"
    )


def _day_or_month(shapes: Shapes) -> str:
    first, second = _largest(shapes)
    over = r"(?:1[3-9]|[2-9]\d)"
    if first > 12 and second > 12:
        raise Unclear(
            f"mixes day-first and month-first dates, such as {shapes.first(rf'{over}[-/.].*', n=1)} and "
            f"{shapes.first(rf'..?[-/.]{over}[-/.].*', n=1)}; export the column in one format"
        )
    if first <= 12 and second <= 12:
        raise Unclear(
            f"is ambiguous: {shapes.first(DATES['day and month'] + CLOCK)} may be day first or month first, "
            'and no row has a number over 12 to prove it; set dates = "day first" or dates = "month first"'
        )
    return "day first" if first > 12 else "month first"


def _largest(shapes: Shapes) -> tuple[int, int]:
    """Largest first and second number of the dates."""
    table = shapes.raw.name("value").as_table()
    parts = [
        table.value.strip().re_extract(f"^{DATES['day and month']}", group).try_cast("int64")
        for group in (1, 2)
    ]
    row = table.agg(first=parts[0].max(), second=parts[1].max()).to_pyarrow().to_pylist()[0]
    return row["first"], row["second"]
