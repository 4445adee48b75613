"""Numbers written as text: the decimal sign is proven by the column or stated, nothing is rounded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import ibis

from crm_analysis.doors.shapes import Shape, Shapes, Unclear, table_of
from crm_analysis.doors.values.number_shapes import (
    BLANKS,
    CHINESE,
    MINUS,
    SUFFIXES,
    Number,
    number_in,
)

UNCLEAR = r"9{1,3}[.,]999"
GROUPS = rf"['’{BLANKS}]"


@dataclass(frozen=True)
class Size:
    """Most digits before and after the decimal sign; further zeros after it are ignored."""

    whole: int
    decimals: int


@dataclass(frozen=True)
class Numbers:
    """Values of a column of numbers, NULL where a text is none; how they are written, and what is odd.

    n_decimals : the most that a value is written with.
    """

    value: Any
    style: str = ""
    notes: tuple[tuple[str, str], ...] = ()
    n_decimals: int = 0


@dataclass(frozen=True)
class _Written:
    """The numbers of a column: its shapes, and the number in each of them."""

    shapes: Shapes
    numbers: dict[Shape, Number]
    point: str

    @property
    def other(self) -> str:
        return "," if self.point == "." else "."

    def some(self, wanted: Any) -> list[Shape]:
        """Shapes whose number is as wanted."""
        return [shape for shape, number in self.numbers.items() if wanted(number)]


def numbers_of(raw: Any, *, decimal: str | None, kind: str, size: Size) -> Numbers:
    """Values of a column of text as `kind`, a decimal.

    Raises
    ------
    Unclear
        A sign may mark decimals or thousands, both mark decimals, or there are several currencies.
    """
    shapes = Shapes.of(raw)
    whole, decimals = size.whole, size.decimals
    if decimal != "," and shapes.all_are(rf"-?9{{1,{whole}}}(?:\.9{{1,{decimals}}})?"):
        numbers = {shape: Number(shape.shape.lstrip("-")) for shape in shapes.shapes}
        point = decimal or _decimal_sign(shapes, numbers)
        if point == ".":
            return Numbers(raw.try_cast(kind), n_decimals=_most_decimals(numbers.values(), point))
    found = {shape: number_in(shape.shape) for shape in shapes.shapes}
    numbers = {shape: number for shape, number in found.items() if number is not None}
    written = _Written(shapes, numbers, decimal or _decimal_sign(shapes, numbers))
    good = {shape: n for shape, n in numbers.items() if _is_written_so(n, written.point, size)}
    written = _Written(shapes, good, written.point)
    return Numbers(
        _value(written, kind, size),
        "decimal comma" if written.point == "," and _shows_the_sign(written) else "",
        (*_currency(written), *_suffixes(written)),
        _most_decimals(good.values(), written.point),
    )


# The decimal sign ----------------------------------------------------------------------------------------


def _decimal_sign(shapes: Shapes, numbers: dict[Shape, Number]) -> str:
    """Decimal sign that the column proves; a point where it has whole numbers only."""
    points = [s for s, number in numbers.items() if re.fullmatch(_proofs(".", ","), number.body)]
    commas = [s for s, number in numbers.items() if re.fullmatch(_proofs(",", "."), number.body)]
    unclear = [s for s, number in numbers.items() if re.fullmatch(UNCLEAR, number.body)]
    if points and commas:
        raise Unclear(
            f"mixes numbers with a decimal point and with a comma: {shapes.first(shapes.have(points), n=1)} "
            f"and {shapes.first(shapes.have(commas), n=1)}; export the column in one style"
        )
    if unclear:
        return _proven_by_zeros(shapes, bool(points), bool(commas), unclear)
    return "," if commas else "."


def _proofs(point: str, other: str) -> str:
    """Pattern of digits in which `point` can only be the decimal sign; a leading zero says so in a value."""
    p, o = re.escape(point), re.escape(other)
    indian = r"|9{1,2}(?:,99)+,999(?:\.9*)?" if point == "." else ""
    return (
        rf"9*{p}(?:9{{1,2}}|9{{4,}})|9{{4,}}{p}999|9{{1,3}}(?:{o}999)+{p}9*|9{{1,3}}(?:{o}999){{2,}}"
        rf"|{p}9+|9{{1,3}}(?:{GROUPS}999)+{p}9*{indian}"
    )


def _proven_by_zeros(shapes: Shapes, point: bool, comma: bool, unclear: list[Shape]) -> str:
    """Decimal sign where some shapes are unclear: 0.125 proves what its shape, that of 9.125, does not."""
    counts = {
        "point": shapes.text.re_search(r"(^|[^0-9.,])0\.[0-9]{3}($|[^0-9.,])").sum(),
        "comma": shapes.text.re_search(r"(^|[^0-9.,])0,[0-9]{3}($|[^0-9.,])").sum(),
    }
    zeros = table_of(shapes.raw).agg(**counts).to_pyarrow().to_pylist()[0]
    point, comma = point or bool(zeros["point"]), comma or bool(zeros["comma"])
    if point and comma:
        raise Unclear(
            "mixes numbers with a decimal point and with a comma, such as "
            f"{shapes.first(shapes.have(unclear))}; export the column in one style"
        )
    if not point and not comma:
        raise Unclear(
            f"is ambiguous: in {shapes.first(shapes.have(unclear))} the sign may mark decimals or thousands, "
            'and no row proves which; set decimal = "." or decimal = ","'
        )
    return "," if comma else "."


def _shows_the_sign(written: _Written) -> bool:
    return any("," in number.body or "." in number.body for number in written.numbers.values())


# What is a number ----------------------------------------------------------------------------------------


def _is_written_so(number: Number, point: str, size: Size) -> bool:
    """Whether a number with that decimal sign has thousands where they belong, and fits the size."""
    whole, _, fraction = number.body.partition(point)
    other = "," if point == "." else "."
    grouped = rf"9{{1,3}}(?P<g>{re.escape(other)}|{GROUPS})999(?:(?P=g)999)*"
    indian = r"|9{1,2}(?:,99)+,999" if point == "." else ""
    if re.fullmatch(rf"9*|{grouped}{indian}", whole) is None or re.fullmatch("9*", fraction) is None:
        return False
    power = SUFFIXES.get(number.suffix, 0)
    fits = whole.count("9") + power <= size.whole
    # With a suffix, zeros at the end would have to be looked at in every row: none is that exact.
    return fits and (not power or len(fraction) <= size.decimals + power)


def _most_decimals(numbers: Iterable[Number], point: str) -> int:
    return max((len(number.body.partition(point)[2]) for number in numbers), default=0)


def _value(written: _Written, kind: str, size: Size) -> Any:
    """Values, where the shape is that of a number and no digit would be lost."""
    shapes, numbers = written.shapes, written.numbers
    value = _cleaned(written).try_cast(kind)
    if len(numbers) < len(shapes.shapes) or not shapes.complete:
        value = shapes.have(numbers).ifelse(value, None)
    if any(_too_fine(number, written.point, size) for number in numbers.values()):
        lost = re.escape(written.point) + rf"[0-9]{{{size.decimals}}}[0-9]*[1-9]"
        value = shapes.text.re_search(lost).ifelse(None, value)
    return value


def _too_fine(number: Number, point: str, size: Size) -> bool:
    return not number.suffix and len(number.body.partition(point)[2]) > size.decimals


def _cleaned(written: _Written) -> Any:
    """Texts as a cast reads them: -1234.5, or -1.5e3 for thousands."""
    text = written.shapes.text
    numbers = list(written.numbers.values())
    for sign in sorted({sign for n in numbers for sign in n.signs}, key=len, reverse=True):
        text = text.replace(sign, "")
    for suffix in sorted({n.suffix for n in numbers if n.suffix}, key=len, reverse=True):
        text = text.replace(suffix, f"e{SUFFIXES[suffix]}")
    there = set("".join(shape.shape for shape in written.numbers))
    renamed = {**dict.fromkeys(MINUS[:-1] + "(", "-"), written.point: "."}
    renamed = {sign: name for sign, name in renamed.items() if sign in there and sign != name}
    gone = sorted((set(f"+)'’{written.other}{BLANKS}") & there) - set(renamed))
    if renamed or gone:
        text = text.translate("".join([*renamed, *gone]), "".join(renamed.values()))
    if any(number.trailing for number in numbers):
        text = text.endswith("-").ifelse(ibis.literal("-") + text.replace("-", ""), text)
    return text


# What is said of it --------------------------------------------------------------------------------------


def _currency(written: _Written) -> list[tuple[str, str]]:
    """Note where only some rows name a currency.

    Raises
    ------
    Unclear
        Rows name several.
    """
    shapes = written.shapes
    currencies = sorted({n.currency for n in written.numbers.values()} - {""})
    named = [written.some(lambda n, c=c: n.currency == c) for c in currencies]
    bare = written.some(lambda n: not n.signs)
    if len(currencies) > 1:
        counts = zip(named, shapes.count(*named), strict=True)
        found = [f"{n:,} rows such as {shapes.first(shapes.have(some), n=1)}" for some, n in counts]
        raise Unclear(
            f"names several currencies: {', '.join(found)}; put the currency in a column of its own, or the "
            "amounts into one currency"
        )
    if not named or not bare:
        return []
    n_named, n_bare = shapes.count(named[0], bare)
    if not n_bare:
        return []
    return [
        (
            "currency not always named",
            f"names a currency in {n_named:,} rows, such as {shapes.first(shapes.have(named[0]), n=1)}, and "
            f"none in {n_bare:,}, such as {shapes.first(shapes.have(bare), n=1)}; all are read as the same",
        )
    ]


def _suffixes(written: _Written) -> list[tuple[str, str]]:
    """Note where amounts are shortened to thousands or millions, each read by its own suffix.

    Raises
    ------
    Unclear
        Suffixes of two scripts are there.
    """
    shapes, suffixes = written.shapes, {n.suffix for n in written.numbers.values()} - {""}
    if not suffixes:
        return []
    latin = written.some(lambda n: n.suffix and n.suffix not in CHINESE)
    chinese, whole = written.some(lambda n: n.suffix in CHINESE), written.some(lambda n: not n.suffix)
    present = [shapes.first(shapes.have(some), n=1) for some in (latin, chinese) if some]
    if len(present) > 1:
        raise Unclear(f"shortens amounts in two ways: {' and '.join(present)}; export the column unshortened")
    read = ", ".join(f"{suffix} as {10 ** SUFFIXES[suffix]:,}" for suffix in sorted(suffixes))
    found = f"holds rounded amounts, such as {present[0]}: {read}; they are as exact as they are written"
    (n_whole,) = shapes.count(whole) if whole else (0,)
    if n_whole:
        example = shapes.first(shapes.have(whole), n=1)
        found += f"; {n_whole:,} rows have no suffix, such as {example}, and are read as they are"
    return [("rounded amounts", found)]
