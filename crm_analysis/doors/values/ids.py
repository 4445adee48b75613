"""Ids and other names written as text: kept as they are, leading zeros and all.

Two ids that differ only by blanks around them or by characters that nobody sees are one: an export pads
them, a web page leaves zero-width characters behind. Ids that lost digits on the way are refused.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ibis

from crm_analysis.doors.shapes import MISSING, Shapes, Unclear, full, has_edges, says_nothing, table_of
from crm_analysis.doors.values.reading import Reading

# Letters, signs of ids and at least one digit: such an id holds nothing that needs a closer look.
PLAIN = r"[A-Za-z_/#-]*[0-9][0-9A-Za-z_/#-]*"
HIDDEN = (
    r"[\x{00}-\x{08}\x{0E}-\x{1F}\x{7F}-\x{9F}\x{AD}\x{61C}\x{200B}-\x{200F}\x{202A}-\x{202E}"
    r"\x{2060}-\x{206F}\x{FEFF}]"
)
WIDE_BLANK = r"[\x{A0}\x{1680}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}]"
UNSEEN = rf"^\s|\s$|{HIDDEN}|{WIDE_BLANK}"
SCIENTIFIC = r"[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2,3}"


def read_id(raw: Any) -> Reading:
    """Ids of a column of text."""
    plain = Reading(raw, ibis.literal(False), raw, "text")
    return replace(plain, odd=~full(raw, PLAIN), closer=lambda: _closer(raw, plain))


def read_words(raw: Any) -> Reading:
    """Names that are no ids: without words for nothing, and without blanks around them."""
    plain = Reading(raw, ibis.literal(False), raw, "text")
    stripped = raw.strip()
    closer = replace(plain, value=stripped.isin(MISSING).ifelse(ibis.null("string"), stripped))
    return replace(plain, odd=raw.isin(MISSING) | has_edges(raw), closer=lambda: closer)


def _closer(raw: Any, plain: Reading) -> Reading:
    """Reading of ids some of which are not plain: the odd ones are counted by what is odd about them."""
    nothing = says_nothing(raw)
    kinds = {
        "nothing": nothing,
        "unseen": raw.re_search(UNSEEN) & ~nothing,
        "destroyed": full(raw, SCIENTIFIC),
        "float": full(raw, r"[0-9]+\.0"),
    }
    n = _counts(raw, ~full(raw, PLAIN), kinds)
    column = Shapes(raw, raw, (), complete=True)
    if n["destroyed"]:
        raise Unclear(
            f"holds {n['destroyed']:,} ids that lost their digits, such as "
            f"{column.first(kinds['destroyed'])}; format the column as text in Excel and export it again"
        )
    value, notes = raw, []
    if n["unseen"]:
        value = _seen(raw)
        notes.append(("invisible characters", _say_unseen(column.first(kinds["unseen"]), n["unseen"])))
    if n["float"] and _all_are_floats(column, n["float"]):
        value = value.re_replace(r"^([0-9]+)\.0$", r"\1")
        notes.append(("ids as floats", _say_floats(column.first(kinds["float"], n=1), n["float"])))
    if n["unseen"]:
        value = value.isin(MISSING).ifelse(ibis.null("string"), value)
    elif n["nothing"]:
        value = nothing.ifelse(ibis.null("string"), value)
    return replace(plain, value=value, notes=tuple(notes))


def _counts(raw: Any, among: Any, kinds: dict[str, Any]) -> dict[str, int]:
    """Rows of each kind among some rows."""
    table = table_of(raw).filter(among)
    rows = table.agg(**{name: where.sum() for name, where in kinds.items()}).to_pyarrow().to_pylist()
    return {name: int(count or 0) for name, count in rows[0].items()}


def _seen(raw: Any) -> Any:
    """Ids without characters that nobody sees, and without blanks around them."""
    return raw.re_replace(HIDDEN, "").re_replace(WIDE_BLANK, " ").strip()


def _all_are_floats(column: Shapes, n_floats: int) -> bool:
    """Whether ".0" is what a float left behind: no id has other decimals.

    Raises
    ------
    Unclear
        Some ids have the ".0" and others not: 12346 and 12346.0 would be two customers.
    """
    whole, decimals = full(column.raw, "[0-9]+"), full(column.raw, r"[0-9]+\.[0-9]+")
    n = _counts(column.raw, whole | decimals, {"whole": whole, "decimals": decimals})
    if n["decimals"] > n_floats:
        return False
    if n["whole"]:
        raise Unclear(
            f"holds {n_floats:,} ids with .0, such as {column.first(full(column.raw, r'[0-9]+[.]0'), n=1)}, "
            f"and {n['whole']:,} without, such as {column.first(whole, n=1)}: one customer may be there "
            "twice; export the column as text"
        )
    return True


def _say_unseen(examples: str, n: int) -> str:
    return (
        f"holds {n:,} ids with blanks around them or with invisible characters, such as {examples}; they are "
        "read without these, so that ids that look the same are the same"
    )


def _say_floats(example: str, n: int) -> str:
    return (
        f"holds ids as floats, such as {example} ({n:,} rows); they are read without .0, but leading zeros "
        "that the source may have had are lost"
    )
