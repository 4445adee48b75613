"""How the shapes of a column write dates and times: each as a format of `strptime`, or as a number."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

# Styles that say themselves where year, month and day stand.
CLEAR = ("year first", "yyyymmdd", "month by name", "2024年3月5日")
# Styles whose order the column proves, or the caller states.
OPEN = ("day and month", "two-digit year")
NUMBERS = ("excel serial", "epoch seconds", "epoch milliseconds")

_MONTHS = {
    1: "jan january januar jänner jän janvier janv enero ene",
    2: "feb february februar février févr fév febrero",
    3: "mar march märz mär mrz mars marzo",
    4: "apr april avril avr abril abr",
    5: "may mai mayo",
    6: "jun june juni juin junio",
    7: "jul july juli juillet juil julio",
    8: "aug august août aout agosto ago",
    9: "sep sept september septembre septiembre",
    10: "oct october oktober okt octobre octubre",
    11: "nov november novembre noviembre",
    12: "dec december dezember dez décembre déc diciembre dic",
}
_ABBREVIATIONS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = {name: _ABBREVIATIONS[number - 1] for number, names in _MONTHS.items() for name in names.split()}
_WEEKDAYS = re.compile(
    "(?:mon|tues?|wed|thu|thurs?|fri|sat|sun|monday|tuesday|wednesday|thursday|friday|saturday|sunday)",
    re.IGNORECASE,
)
_WEEKDAY = re.compile(r"([^\W\d_]+)\.?,? ?")
_CHINESE_WEEKDAY = re.compile(r" ?[(（]?(?:星期|周)[一二三四五六日天][)）]? ?")
_HALVES = {"上午": "AM", "下午": "PM", "a.m.": "AM", "p.m.": "PM", "A.M.": "AM", "P.M.": "PM"}
_ZONES = ("Z", "UTC", "GMT")

_CODES = {
    "Y": "%Y", "y": "%y", "m": "%m", "d": "%d", "b": "%b", "H": "%H", "I": "%I", "M": "%M", "S": "%S",
    "f": "%f", "p": "%p", "z": "%z", "one": "{0}", "two": "{1}", "three": "{2}",
}  # fmt: skip
_N = "9{1,2}"
_NAME = "|".join(_ABBREVIATIONS)
_DATES = (
    ("year first", rf"(?P<Y>9999)(?P<s>[-/. ])(?P<m>{_N})(?P=s)(?P<d>{_N})"),
    ("day and month", rf"(?P<one>{_N})(?P<s>[-/. ])(?P<two>{_N})(?P=s)(?P<Y>9999)"),
    ("two-digit year", rf"(?P<one>{_N})(?P<s>[-/. ])(?P<two>{_N})(?P=s)(?P<three>99)"),
    ("yyyymmdd", r"(?P<Y>9999)(?P<m>99)(?P<d>99)"),
    ("year and month", rf"(?P<Y>9999)[-/.](?P<m>{_N})"),
    ("2024年3月5日", rf"(?P<Y>9999)(?P<s> ?)年(?P=s)(?P<m>{_N})(?P=s)月(?P=s)(?P<d>{_N})(?P=s)[日号號]"),
    ("month by name", rf"(?P<d>{_N})(?P<s>[-/. ]?)(?P<b>{_NAME})(?:(?P=s)|,? )(?P<Y>9999)"),
    ("month by name", rf"(?P<d>{_N})\. ?(?P<b>{_NAME}) (?P<Y>9999)"),
    ("month by name", rf"(?P<b>{_NAME})[- ](?P<d>{_N})(?:,? |-|,)(?P<Y>9999)"),
    ("month by name", rf"(?P<Y>9999)(?P<s>[-/. ]?)(?P<b>{_NAME})(?P=s)(?P<d>{_N})"),
    ("month by name, two-digit year", rf"(?P<d>{_N})(?P<s>[-/. ]?)(?P<b>{_NAME})(?P=s)(?P<y>99)"),
)
_FRACTION = r"(?::(?P<S>99)(?:\.(?P<f>9{1,6}))?)?"
_CLOCKS = (
    "",
    rf"(?P<H>{_N}):(?P<M>99){_FRACTION}",
    rf"(?P<I>{_N}):(?P<M>99){_FRACTION} ?(?P<p>[AP]M)",
    rf"(?P<p>[AP]M) ?(?P<I>{_N}):(?P<M>99){_FRACTION}",
    r"(?P<H>99)(?P<M>99)(?P<S>99)",
)
_OFFSET = r"(?: ?(?P<z>[+-]99(?::?99)?))?"
# What DuckDB casts without a format, and several times faster than with one.
_CAST = r"9999(?P<s>[-/])9{1,2}(?P=s)" + _N + r"(?:[ T]" + _N + r":99(?::99(?:\.9{1,9})?)?)?"
_CAST_ZONED = r"9999-99-99[ T]99:99:99(?:\.9{1,9})?(?:Z|[+-]99(?::?99)?)"
_NUMBERS = {
    r"9{5}(?:\.9+)?": "excel serial",
    r"9{10}(?:\.9+)?": "epoch seconds",
    r"9{13}": "epoch milliseconds",
}


@dataclass(frozen=True)
class DateShape:
    """A shape that is a date.

    format : of strptime, with the order of an open style left out as {0}, {1}, {2}; "cast" where a cast
        reads it; "number" where it counts days or seconds.
    zoned : it names a moment, and not what a clock showed.
    renamed : words in it that strptime reads under another name, such as 上午 as AM.
    """

    style: str
    format: str
    zoned: bool = False
    renamed: tuple[tuple[str, str], ...] = ()

    @property
    def has_short_year(self) -> bool:
        """Whether the century is left out."""
        return "two-digit year" in self.style


def date_in(shape: str) -> DateShape | None:
    """Date that a shape is; None where it is none."""
    shape = shape.strip()
    for pattern, style in _NUMBERS.items():
        if re.fullmatch(pattern, shape):
            return DateShape(style, "number", zoned=style.startswith("epoch"))
    if re.fullmatch(_CAST, shape) or re.fullmatch(_CAST_ZONED, shape):
        return DateShape("year first", "cast", zoned=re.fullmatch(_CAST, shape) is None)
    renamed = _renamed(shape)
    for word, name in renamed:
        shape = shape.replace(word, name.replace("0", "9"))
    return _with_format(shape.strip(), renamed)


def _renamed(shape: str) -> tuple[tuple[str, str], ...]:
    """Words of a shape, and the names under which strptime reads them, longest first."""
    found = {blank: " " for blank in "\u00a0\u202f\u3000" if blank in shape}
    found |= {word: half for word, half in _HALVES.items() if word in shape}
    found |= {match[0]: "" for match in _CHINESE_WEEKDAY.finditer(shape)}
    first = _WEEKDAY.match(shape)
    if first and _WEEKDAYS.fullmatch(first[1]):
        found[first[0]] = ""
    for match in re.finditer(r"[^\W\d_]+", shape):
        word, rest = match[0], shape[match.end() :]
        written = f"{word}." if re.match(r"\.[ ,]", rest) else word
        if (month := _MONTH.get(word.lower())) and written.lower() != month.lower():
            found[written] = month
        elif word in _ZONES and not rest:
            found[word] = "+00:00"
    return tuple(sorted(found.items(), key=lambda item: (-len(item[0]), item[0])))


def _with_format(text: str, renamed: tuple[tuple[str, str], ...]) -> DateShape | None:
    for style, pattern in _PATTERNS:
        if match := pattern.fullmatch(text):
            return DateShape(style, _format(match), "z" in _groups(match), renamed)
    return None


def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Every date with every clock and offset, compiled."""
    found = []
    for (style, date), clock in itertools.product(_DATES, _CLOCKS):
        gap = "(?:[T ]|, |)" if style in ("yyyymmdd", "2024年3月5日") else "(?:[T :]|, )"
        timed = f"{date}{gap}{clock}{_OFFSET}" if clock else date
        found.append((style, re.compile(timed, re.IGNORECASE)))
    return found


def _groups(match: re.Match[str]) -> dict[str, tuple[int, int]]:
    """Parts of a date that are there, and where."""
    return {name: match.span(name) for name, part in match.groupdict().items() if part and name in _CODES}


def _format(match: re.Match[str]) -> str:
    """Format of strptime: the parts as their codes, what stands between them as it is."""
    text, parts, at = match.string, [], 0
    for name, (start, end) in sorted(_groups(match).items(), key=lambda item: item[1]):
        parts += [text[at:start], _CODES[name]]
        at = end
    return "".join([*parts, text[at:]])


_PATTERNS = _patterns()
