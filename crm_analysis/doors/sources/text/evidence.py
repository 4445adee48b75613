"""Which encoding wrote a text that is neither marked nor UTF-8: settled by all of it, or asked for.

Almost any bytes can be read as cp1252, and many as gb18030, so that they can be proves nothing; what comes
out must be what people write. Two readings are looked at, those of Western and of Chinese Windows.

- gb18030: every character above ASCII is a hanzi, Chinese punctuation or a full-width form, and most of the
  hanzi are among the commonest. Korean, Japanese and Cyrillic bytes also make hanzi, but rare ones.
- cp1252: every word with a letter above ASCII is mostly ASCII and keeps to the alphabet and the habits of one
  Western language; signs stand where signs stand. So "Dvoøák" and "Wa³êsa" are not believed: they are Dvořák
  and Wałęsa, written in cp1250.

Before all of that, names that are wanted and stand in the first lines as gb18030 writes them, and as no other
encoding does, prove it.

One word that is not believed is enough to ask. What is left cannot be told apart by anybody who sees only the
bytes: words of another encoding whose every letter would be right in a Western one. Then cp1252 is taken,
without a flag, for it is the encoding of nearly all such files; only letters can be wrong, never a number or
a date, and the verdict says which encoding was read. Icelandic shares its letters with Turkish cp1254, and
the carons that cp1252 has are half an alphabet: both are asked for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from crm_analysis.doors.sources.opened import Refusal
from crm_analysis.doors.sources.text.decoding import NotInEncoding, decoded
from crm_analysis.doors.sources.text.hanzi import COMMON
from crm_analysis.doors.sources.text.scan import blocks

SHOWN_AS = ("cp1252", "gb18030", "cp1250", "cp1251", "big5", "shift_jis", "cp949")
LIKE_CHINESE = ("big5hkscs", "cp950", "shift_jis", "cp932", "euc_jp", "cp949", "johab", "cp1251", "cp1252")
LOOK_AHEAD = 1 << 16
N_SHOWN, MAX_SHOWN = 2, 40
MIN_COMMON, MIN_SHARE = 4, 0.6
# Words are judged once as long as so many are remembered.
MAX_REMEMBERED = 100_000
MAX_CARRIED = 1 << 16

HIGH = re.compile("[^\x00-\x7f]+")
HANZI = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
CHINESE_SIGN = re.compile("[\u3000-\u3017\uff01-\uff5e\uffe0-\uffe5—‘’“”…·×°℃№€]")
WORD = re.compile('[^\\s,;|"]*[^\x00-\x7f][^\\s,;|"]*')
LETTERS = re.compile("[A-Za-zÀ-ÖØ-öø-ÿŒœŠšŽžŸƒ]+")
# German, French, Spanish and Catalan, Portuguese, Italian, Danish and Norwegian, Swedish, Dutch.
ALPHABETS = tuple(
    map(
        frozenset,
        (
            "äöüß",
            "àâæçéèêëîïôœùûüÿ",
            "áéíóúñüïàèòç",
            "áâãàçéêíóôõúü",
            "àèéìíîòóùú",
            "æøåéèêóòôäöü",
            "åäöéüàè",
            "áéíóúàèëïöüêîôûç",
        ),
    )
)
ALONE = frozenset("àèéóÀÈÉÓ")
# Capitals within a word, and letters where the languages that have them do not use them.
CAPITAL_WITHIN = re.compile("[a-zß-öø-ÿœ][À-ÖØ-ÞŒŸ]")
OUT_OF_PLACE = re.compile("õ(?!e)|ã(?![oei]|s?$)|[ìù](?=[a-zß-ÿ])|œ(?!u|i|c|d|n|t|so|st)")
_LETTER = "[A-Za-zÀ-ÖØ-öø-ÿ]"
STRANGE_SIGNS = re.compile(
    "[¤¦¨¬¯´¸¶¹ˆ˜]|[¡¢£¥§©ª«®°±²³µ·º»¼½¾¿×÷†‡‰•™]{2}|[À-ÖØ-öø-ÿ][ªº]"
    f"|{_LETTER}[‚„¡¿«‹¢£¥±¼½¾×÷µ§†‡‰•]|[¢£¥°±²³ªº»›”¼½¾×÷®™†‡‰]{_LETTER}"
    f"|{_LETTER}(?<!m)[²³]|[a-zß-öø-ÿ][–—](?=[a-zß-öø-ÿ])"
)
SIGNS_IN_PLACE = re.compile(
    "(?<![^\\d(])€(?![A-Za-z])|£(?=\\d)|(?<=\\d)°|^–$|(?<=\\d)–(?=\\d)|(?<=[A-Za-z])’(?=[A-Za-z])|^[“„«]|[”»]$"
)


def settled(path: Path, where: Callable[[], str], wanted: Sequence[str] = ()) -> str:
    """Encoding that the whole text proves; `where` names the first byte that is not UTF-8."""
    if _names_are_chinese(path, wanted) and _is_strict(path, "gb18030"):
        return "gb18030"
    doubts: list[str] = []
    proven = [
        name for name, proves in (("gb18030", _is_chinese), ("cp1252", _is_western)) if proves(path, doubts)
    ]
    if len(proven) == 1:
        return proven[0]
    readings = "; ".join(_readings(path, doubts))
    raise Refusal(
        f"the text is not UTF-8 ({where()} is not), and it does not prove what else it is: {readings}; set "
        "encoding to the one that reads right, such as 'gb18030' or 'cp1252'"
    )


def _names_are_chinese(path: Path, wanted: Sequence[str]) -> bool:
    """All names above ASCII stand in one line near the top, written as only gb18030 writes one of them."""
    names = [name for name in wanted if not name.isascii()]
    encoded = [name.encode("gb18030", "surrogatepass") for name in names]
    own = [bytes_ for name, bytes_ in zip(names, encoded, strict=True) if not _also(name, bytes_)]
    with path.open("rb") as file:
        lines = file.read(LOOK_AHEAD).splitlines()
    cells = ({cell.strip(b' "\t') for cell in re.split(rb"[,;\t|]", line)} for line in lines)
    return bool(own) and any(set(encoded) <= line for line in cells)


def _also(name: str, written: bytes) -> bool:
    """Whether another encoding writes the name in the same way."""
    return any(name.encode(other, "ignore") == written for other in LIKE_CHINESE)


def _is_strict(path: Path, encoding: str) -> bool:
    try:
        return all(text is not None for text in decoded(path, encoding))
    except NotInEncoding:
        return False


def _is_chinese(path: Path, doubts: list[str]) -> bool:
    """Common hanzi and Chinese signs, and nothing else above ASCII."""
    found: Counter[str] = Counter()
    try:
        for text in decoded(path, "gb18030"):
            found.update("".join(HIGH.findall(text)))
    except NotInEncoding:
        return False
    hanzi = {c: n for c, n in found.items() if HANZI.match(c)}
    if any(c not in hanzi and not CHINESE_SIGN.match(c) for c in found):
        return False
    common = {c: n for c, n in hanzi.items() if c in COMMON}
    return len(common) >= MIN_COMMON and sum(common.values()) >= MIN_SHARE * sum(hanzi.values())


def _is_western(path: Path, doubts: list[str]) -> bool:
    """Every word can be believed, and some word or sign is more than possible."""
    proof = False
    try:
        for word in _words(path):
            if not _is_believed(word):
                doubts.append(word)
                if len(doubts) == N_SHOWN:
                    break
            proof = proof or _is_proof(word)
    except NotInEncoding:
        return False
    return proof and not doubts


def _words(path: Path) -> Iterator[str]:
    """Words with anything above ASCII, each once as long as they can be remembered."""
    seen: set[str] = set()
    carried = ""
    for text in decoded(path, "cp1252"):
        text = carried + text
        cut = text.rfind("\n") + 1 or text.rfind("\r") + 1
        carried = text[cut:] if len(text) - cut < MAX_CARRIED else ""
        fresh = set(WORD.findall(text[: len(text) - len(carried)])) - seen
        yield from sorted(fresh)
        seen = seen | fresh if len(seen) < MAX_REMEMBERED else fresh
    yield from WORD.findall(carried)


def _is_believed(word: str) -> bool:
    return not STRANGE_SIGNS.search(word) and all(map(_is_western_word, LETTERS.findall(word)))


def _is_western_word(letters: str) -> bool:
    high = HIGH.findall(letters)
    n_high = sum(map(len, high))
    if not n_high or letters in ALONE:
        return True
    small = frozenset("".join(high).lower())
    return (
        n_high <= len(letters) - n_high + 1
        and len(letters) > n_high
        and any(small <= alphabet for alphabet in ALPHABETS)
        and not CAPITAL_WITHIN.search(letters)
        and not OUT_OF_PLACE.search(letters.lower())
    )


def _is_proof(word: str) -> bool:
    """Two ASCII letters carry one above ASCII, or a sign stands where it is used."""
    carried = any(
        HIGH.search(run) and len(run) - len(HIGH.findall(run)) >= 2 for run in LETTERS.findall(word)
    )
    return carried or bool(SIGNS_IN_PLACE.search(word))


def _readings(path: Path, doubts: list[str]) -> list[str]:
    """Some values of the file under each encoding that can read them."""
    values = [word.encode("cp1252") for word in doubts]
    values = values or list(dict.fromkeys(_fields(path)))[:N_SHOWN]
    found: dict[str, list[str]] = {}
    for name in SHOWN_AS:
        try:
            texts = [value.decode(name)[:MAX_SHOWN] for value in values]
        except UnicodeDecodeError:
            continue
        if not all(map(str.isprintable, texts)):
            continue
        shown = ", ".join(map(repr, texts))
        found.setdefault(shown, []).append(name)
    return [f"{shown} in {' or '.join(names)}" for shown, names in found.items()] or [
        f"{b' '.join(values)[:MAX_SHOWN]!r} is text in none of {', '.join(SHOWN_AS)}"
    ]


def _fields(path: Path) -> Iterator[bytes]:
    """The first fields that hold bytes above ASCII."""
    for block in blocks(path):
        if found := re.findall(b'[^,;|\t"\r\n]{0,40}[\x80-\xff][^,;|\t"\r\n]{0,40}', block):
            yield from found
            return
