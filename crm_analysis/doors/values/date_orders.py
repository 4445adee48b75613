"""Whether the day or the month comes first: proven by numbers that can be only one of them."""

from __future__ import annotations

from typing import Any

from crm_analysis.doors.shapes import Shape, Shapes, Unclear, table_of
from crm_analysis.doors.values.date_shapes import DateShape

# What the three parts of a date are in each order, as codes of strptime.
ORDERS = {
    "day first": ("%d", "%m", "%y"),
    "month first": ("%m", "%d", "%y"),
    "year first": ("%y", "%m", "%d"),
}
PARTS = r"^([0-9]{1,2})[-/. ]([0-9]{1,2})[-/. ]([0-9]{2})"
OVER = "(?:1[3-9]|[2-9][0-9])"


def order_of(shapes: Shapes, text: Any, some: list[Shape], date: DateShape) -> str:
    """Order that the dates of these shapes, all of one style, prove.

    Raises
    ------
    Unclear
        They fit several, or none.
    """
    if date.has_short_year:
        return _of_three(shapes, text, some, date)
    (_, first), (_, second), _ = _extremes(text, shapes.have(some))
    if first > 12 and second > 12:
        raise Unclear(
            "mixes day-first and month-first dates, such as "
            f"{shapes.first_like(rf'^[^0-9]*{OVER}[-/. ]', n=1)} and "
            f"{shapes.first_like(rf'^[^0-9]*[0-9]+[-/. ]{OVER}[-/. ]', n=1)}; export the column in one format"
        )
    if first <= 12 and second <= 12:
        raise Unclear(
            f"is ambiguous: {shapes.first(shapes.have(some))} may be day first or month first, "
            'and no row has a number over 12 to prove it; set dates = "day first" or dates = "month first"'
        )
    return "day first" if first > 12 else "month first"


def _of_three(shapes: Shapes, text: Any, some: list[Shape], date: DateShape) -> str:
    """Order of dates with years of two digits: each part may be the year."""
    limits = {"%d": 31, "%m": 12, "%y": 99}
    parts = _extremes(text, shapes.have(some))
    fitting = [
        order
        for order, codes in ORDERS.items()
        if all(
            (low >= 1 or code == "%y") and high <= limits[code]
            for (low, high), code in zip(parts, codes, strict=True)
        )
    ]
    if len(fitting) == 1:
        return fitting[0]
    rows = shapes.first(shapes.have(some))
    if not fitting:
        raise Unclear(
            "has years of two digits, and no one order of day, month and year fits all rows, such as "
            f"{rows}; export the column in one format, with years of four digits"
        )
    options = " or ".join(f'dates = "{date.format.format(*ORDERS[order])}"' for order in fitting)
    raise Unclear(
        f"is ambiguous: {rows} have years of two digits and may be {' or '.join(fitting)}; set {options}"
    )


def _extremes(text: Any, where: Any) -> list[tuple[int, int]]:
    """Smallest and largest of the first, second and third number of the dates."""
    table = table_of(text)
    # There are few different beginnings, however many rows.
    starts = table.filter(where).select(start=text.left(8)).distinct()
    parts = [starts.start.re_extract(PARTS, group).try_cast("int64") for group in (1, 2, 3)]
    asked = {f"{what}{i}": getattr(part, what)() for i, part in enumerate(parts) for what in ("min", "max")}
    row = starts.agg(**asked).to_pyarrow().to_pylist()[0]
    return [(row[f"min{i}"] or 0, row[f"max{i}"] or 0) for i in range(3)]
