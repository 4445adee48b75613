"""Telephone numbers and e-mail addresses in a form in which two ways of writing one are equal."""

from __future__ import annotations

import re
import unicodedata

import pandas as pd

# Numbers alike in so many digits at the end are one, with or without the code of a country.
COMPARED = 9
FEWEST = 5
SEVERAL = re.compile(r"[/;,、，；|]")
EXTENSION = re.compile(r"(?:ext\.?|extension|转|分机|x|#)\s*\d*\s*$", re.IGNORECASE)
NOBODY = {
    "none",
    "na",
    "n.a",
    "null",
    "noemail",
    "nomail",
    "unknown",
    "noreply",
    "no-reply",
    "test",
    "example",
}


def plain_phone(text: str | float | None) -> str | None:
    """Last nine digits of a telephone number; None where it is none, or stands for none.

    Too few digits, or the same one over and over, are what people write who have no number.
    """
    if not isinstance(text, str):
        return None
    first = SEVERAL.split(unicodedata.normalize("NFKC", text).strip())[0]
    digits = re.sub(r"\D", "", EXTENSION.sub("", first))
    if len(digits) < FEWEST or len(set(digits.lstrip("0"))) < 2:
        return None
    return digits[-COMPARED:]


def plain_email(text: str | float | None) -> str | None:
    """Address without case and blanks; None where it is none, or stands for none."""
    if not isinstance(text, str):
        return None
    address = unicodedata.normalize("NFKC", text).strip().casefold().removeprefix("mailto:")
    address = SEVERAL.split(address)[0].strip()
    name, _, host = address.partition("@")
    return address if name and "." in host and name not in NOBODY and not re.search(r"\s", address) else None


PLAIN = {"phone": plain_phone, "email": plain_email}


def keys_of(deals: pd.DataFrame) -> pd.DataFrame:
    """Phone and e-mail of each opportunity in their plain form, as far as they are there."""
    there = [name for name in PLAIN if name in deals]
    return pd.DataFrame(
        {name: [PLAIN[name](text) for text in deals[name]] for name in there}, deals.index, dtype="str"
    )
