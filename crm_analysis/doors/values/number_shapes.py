"""How the shapes of a column write numbers: sign, currency, digits, suffix."""

from __future__ import annotations

import re
from dataclasses import dataclass

BLANKS = " \t\u00a0\u2007\u2009\u202f\u3000"
# Minus signs; the plain one stands last, where a class of characters takes it as it is.
MINUS = "\u2212\u2013-"
# Signs and codes of one currency; which one "$" and "¥" are is for the caller to know.
CURRENCIES = {
    "$": ("$", "US$", "USD"),
    "€": ("€", "EUR"),
    "£": ("£", "GBP"),
    "¥": ("¥", "￥", "元", "圆", "CNY", "RMB", "CN¥"),
    "JPY": ("JPY", "円", "JP¥"),
    "₹": ("₹", "INR", "Rs.", "Rs"),
    "R$": ("R$", "BRL"),
    "CHF": ("CHF", "Fr."),
    "HKD": ("HK$", "HKD"),
    "TWD": ("NT$", "TWD"),
    "AUD": ("A$", "AU$", "AUD"),
    "CAD": ("C$", "CA$", "CAD"),
    "SGD": ("S$", "SGD"),
    "kr": ("kr", "kr.", "SEK", "NOK", "DKK"),
    "PLN": ("zł", "PLN"),
    "CZK": ("Kč", "CZK"),
    "RUB": ("₽", "RUB"),
    "KRW": ("₩", "KRW"),
    "TRY": ("₺", "TRY"),
    "MXN": ("MX$", "MXN"),
    "ZAR": ("ZAR",),
    "THB": ("฿", "THB"),
    "VND": ("₫", "VND"),
    "ILS": ("₪", "ILS"),
    "AED": ("AED",),
    "SAR": ("SAR",),
}
SIGNS = {sign: currency for currency, signs in CURRENCIES.items() for sign in signs}
# Powers of ten that a suffix stands for, by script.
LATIN = {"K": 3, "k": 3, "M": 6, "m": 6, "mn": 6, "B": 9, "b": 9, "bn": 9}
CHINESE = {"千": 3, "万": 4, "萬": 4, "亿": 8, "億": 8}
SUFFIXES = LATIN | CHINESE


def _any_of(words: dict[str, object]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


_CURRENCY = _any_of(dict(SIGNS))
_B = f"[{BLANKS}]*"
_NUMBER = re.compile(
    rf"{_B}(?P<sign>[+{MINUS}])?{_B}(?P<open>\()?{_B}(?P<before>{_CURRENCY})?{_B}(?P<inner>[+{MINUS}])?{_B}"
    rf"(?P<late>\()?(?P<body>9[9.,'’{BLANKS}]*(?<![{BLANKS}'’])|[.,]9+)"
    rf"{_B}(?P<suffix>{_any_of(dict(SUFFIXES))})?{_B}(?P<after>{_CURRENCY})?{_B}"
    rf"(?P<trailing>[{MINUS}])?{_B}(?P<close>\))?{_B}(?P<last>{_CURRENCY})?{_B}"
)


@dataclass(frozen=True)
class Number:
    """A shape that is a number.

    body : digits (as 9) with their decimal and thousands signs.
    signs : of the currency, as written.
    trailing : whether its minus stands at the end.
    """

    body: str
    signs: tuple[str, ...] = ()
    suffix: str = ""
    trailing: bool = False

    @property
    def currency(self) -> str:
        """Currency that it names, if any."""
        return SIGNS[self.signs[0]] if self.signs else ""


def number_in(shape: str) -> Number | None:
    """Number that a shape is; None where it is none."""
    found = _NUMBER.fullmatch(shape)
    if found is None:
        return None
    part = found.groupdict()
    opened = [part["open"], part["late"]].count("(")
    signs = [part[name] for name in ("before", "after", "last") if part[name]]
    marks = [part["sign"], part["inner"], part["trailing"], part["close"]]
    one_currency = len({SIGNS[sign] for sign in signs}) <= 1 and len({*signs}) == len(signs)
    if opened != bool(part["close"]) or not one_currency or sum(map(bool, marks)) > 1:
        return None
    return Number(part["body"], tuple(signs), part["suffix"] or "", bool(part["trailing"]))
