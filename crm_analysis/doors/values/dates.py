"""Dates written as text: the order of year, month and day is proven by the column or stated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import ibis
import ibis.expr.datatypes as dt

from crm_analysis.doors.shapes import Shape, Shapes, Unclear, table_of
from crm_analysis.doors.values import serials
from crm_analysis.doors.values.date_orders import ORDERS, order_of
from crm_analysis.doors.values.date_shapes import CLEAR, NUMBERS, OPEN, DateShape, date_in
from crm_analysis.doors.values.serials import time_of_number

STATED = [*ORDERS, "yyyymmdd", *serials.STATED]
SPOKEN = {"excel serial": "Excel serial numbers"}
CENTURY = "years 69 to 99 as 19.., 00 to 68 as 20.."


@dataclass(frozen=True)
class Times:
    """Times of a column of text, NULL where a text is no date that exists; with a zone where the text has.

    expected : what a readable row looks like.
    """

    value: Any
    expected: str
    style: str = ""
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class _Dates:
    """The dates of a column: its shapes, and the date in each of them."""

    shapes: Shapes
    dates: dict[Shape, DateShape]

    @property
    def styles(self) -> dict[str, list[Shape]]:
        """Shapes of each style."""
        found: dict[str, list[Shape]] = {}
        for shape, date in self.dates.items():
            found.setdefault(date.style, []).append(shape)
        return found

    @property
    def text(self) -> Any:
        """Texts as strptime reads them."""
        text = self.shapes.text
        if any(shape.shape != shape.shape.strip() for shape in self.shapes.shapes):
            text = text.strip()
        renamed = {pair for date in self.dates.values() for pair in date.renamed}
        for word, name in sorted(renamed, key=lambda pair: (-len(pair[0]), pair[0])):
            text = text.replace(word, name)
        return text.strip() if renamed else text

    def told(self, groups: dict[str, list[Shape]]) -> list[str]:
        """Each group with its rows and the first of them."""
        counts = zip(groups.items(), self.shapes.count(*groups.values()), strict=True)
        return [
            f"{SPOKEN.get(name, name)} ({n:,} rows, such as {self.shapes.first(self.shapes.have(some), n=1)})"
            for (name, some), n in counts
        ]


@ibis.udf.scalar.builtin(name="try_strptime", signature=((dt.string, dt.string), dt.Timestamp(scale=6)))
def _clock_in(text: str, form: str) -> Any:
    """DuckDB's: the time that `text` is in the format `form`, else NULL."""


@ibis.udf.scalar.builtin(name="try_strptime", signature=((dt.string, dt.string), dt.Timestamp("UTC")))
def _moment_in(text: str, form: str) -> Any:
    """DuckDB's: the same, for a format with an offset."""


def times_of(raw: Any, *, stated: str | None) -> Times:
    """Times of a column of text.

    Raises
    ------
    Unclear
        The order may be day first or month first, formats are mixed that need an order, or none is known.
    """
    if stated and "%" in stated:
        parsed = _moment_in(raw.strip(), stated) if "%z" in stated else _clock_in(raw.strip(), stated)
        return Times(parsed, f"a date, in the format {stated!r}, that exists", _century("%y" in stated))
    if stated and stated not in STATED:
        raise Unclear(
            f"cannot be read with dates = {stated!r}; write one of {STATED} or a format such as '%d/%m/%Y'"
        )
    if stated in serials.STATED:
        return Times(time_of_number(raw.strip(), stated), serials.STATED[stated])
    shapes = Shapes.of(raw)
    found = {shape: date_in(shape.shape) for shape in shapes.shapes}
    dates = _Dates(shapes, {shape: date for shape, date in found.items() if date is not None})
    dates = _of_one_kind(dates, stated)
    counted = [style for style in dates.styles if style in NUMBERS]
    return _counted(dates, counted[0]) if counted else _written(dates, stated)


def _of_one_kind(dates: _Dates, stated: str | None) -> _Dates:
    """Dates that can be read together.

    Raises
    ------
    Unclear
        There are none, or they are of kinds that do not go together.
    """
    shapes = dates.shapes
    if not dates.dates and shapes.shapes:
        raise Unclear(
            f"holds no dates that are understood, such as {shapes.shapes[0].example!r}; export them as "
            "2024-12-31, or set dates to their format, such as '%d.%m.%y'"
        )
    zones: dict[str, list[Shape]] = {}
    for shape, date in dates.dates.items():
        zones.setdefault("with a time zone" if date.zoned else "without one", []).append(shape)
    if stated:
        wanted = (*CLEAR, *(OPEN if stated in ORDERS else ()))
        kept = {s: d for s, d in dates.dates.items() if d.style in wanted or len(dates.styles) == 1}
        dates = replace(dates, dates=kept)
    open_ones = [style for style in dates.styles if style not in CLEAR and not (stated and style in OPEN)]
    if len(dates.styles) > 1 and open_ones:
        options = ', or set dates = "day first" or "month first"' if set(open_ones) <= {OPEN[0]} else ""
        raise Unclear(
            f"mixes date formats: {', '.join(dates.told(dates.styles))}; export the column in one format"
            f"{options}"
        )
    if len(zones) > 1:
        raise Unclear(
            f"mixes date formats: {', '.join(dates.told(zones))}; export all times with their offset"
        )
    return dates


# Numbers -------------------------------------------------------------------------------------------------


def _counted(dates: _Dates, style: str) -> Times:
    """Days or seconds that the column's numbers count, told with an example."""
    shapes = dates.shapes
    value = time_of_number(dates.text, style)
    table = table_of(shapes.raw).filter(value.notnull() & shapes.have(dates.dates))
    first = table.select(value=shapes.raw.cast("string"), read=value).limit(1).to_pyarrow().to_pylist()
    shown = f": {first[0]['value']!r} is {first[0]['read']:%Y-%m-%d %H:%M}" if first else ""
    name = SPOKEN.get(style, style)
    what = (
        f"days of the 1900 date system{shown}; set dates = 'excel serial 1904' if the workbook counts from "
        "1904, or dates = 'excel serial' if this is right"
        if style == "excel serial"
        else f"moments in UTC{shown}; set dates = '{style}' if this is right"
    )
    return Times(value, serials.STATED[style], notes=((name, f"holds {name}, read as {what}"),))


# Formats -------------------------------------------------------------------------------------------------


def _written(dates: _Dates, stated: str | None) -> Times:
    """Times of the formats that the column has, the order of day and month settled."""
    order = _order(dates, stated)
    known = {shape: date.format.format(*ORDERS[order]) for shape, date in dates.dates.items()}
    if order == "year first":
        known = {shape: form for shape, form in known.items() if dates.dates[shape].style != OPEN[0]}
    zoned = any(date.zoned for date in dates.dates.values())
    styles = [order if style in OPEN else style for style in dates.styles] or ["year first"]
    return Times(
        _parsed(dates, known, zoned),
        f"a date, {' or '.join(dict.fromkeys(styles))}, that exists",
        _style(dates, order),
        _several(dates),
    )


def _order(dates: _Dates, stated: str | None) -> str:
    """Order of the dates that do not say it themselves; any where all do."""
    if stated in ORDERS:
        return str(stated)
    if opened := [style for style in dates.styles if style in OPEN]:
        some = dates.styles[opened[0]]
        return order_of(dates.shapes, dates.text, some, dates.dates[some[0]])
    return "day first"


def _parsed(dates: _Dates, known: dict[Shape, str], zoned: bool) -> Any:
    shapes = dates.shapes
    formats: dict[str, list[Shape]] = {}
    for shape, form in known.items():
        formats.setdefault(form, []).append(shape)
    parsed = {form: _in_format(dates.text, form, zoned) for form in formats}
    if not parsed:
        # A column of no values, and not one value: what asks for its rows asks a column.
        return shapes.text.nullif(shapes.text).try_cast("timestamp(6)")
    if len(parsed) == 1 and len(known) == len(shapes.shapes) and shapes.complete:
        return parsed.popitem()[1]
    kind = "timestamp('UTC')" if zoned else "timestamp(6)"
    branches = [(shapes.have(formats[form]), value) for form, value in parsed.items()]
    return ibis.cases(*branches, else_=ibis.null(kind))


def _in_format(text: Any, form: str, zoned: bool) -> Any:
    if form == "cast":
        return text.try_cast("timestamp('UTC')" if zoned else "timestamp(6)")
    value = _moment_in(text, form) if zoned else _clock_in(text, form)
    if "%Y%m%d" not in form:
        return value
    # Eight digits may be anything.
    plausible = value.year().between(1800, 2199) | value.year().isin([1, 9999])
    return plausible.ifelse(value, None)


# What is said of it --------------------------------------------------------------------------------------


def _style(dates: _Dates, order: str) -> str:
    words = {
        "month by name": "dates with the month by name",
        "month by name, two-digit year": "dates with the month by name, day first",
        "2024年3月5日": "dates such as 2024年3月5日",
        "yyyymmdd": "dates yyyymmdd",
        "year and month": "months, as their first day",
        **dict.fromkeys(OPEN, f"dates {order}"),
    }
    found = [words[style] for style in dates.styles if style in words]
    short = any(date.has_short_year for date in dates.dates.values())
    return ", ".join([*dict.fromkeys(found), *filter(None, [_century(short)])])


def _century(short: bool) -> str:
    return CENTURY if short else ""


def _several(dates: _Dates) -> tuple[tuple[str, str], ...]:
    if len(dates.styles) < 2:
        return ()
    told = _and(dates.told(dates.styles))
    return (("several date formats", f"holds several date formats, {told}; each is read as it is written"),)


def _and(parts: Iterable[str]) -> str:
    return " and ".join(parts)
