"""A fuzzer for the doors: small valid files are bent, and what reaches new lines of code is bent further.

Whatever a file holds, reading it ends in a log or in a DataError, soon and within bounded memory; every row
is kept or set aside; and a second reader, Python's csv module, counts the same rows.
"""

from __future__ import annotations

import csv
import io
import random
import re
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from export_files import COLUMNS, YEAR

import crm_analysis
from crm_analysis import read_transactions
from crm_analysis.doors.sources import connect
from crm_analysis.errors import DataError

DOORS = str(Path(crm_analysis.__file__).parent / "doors")
LARGEST = 1 << 16
# Processor time and memory that one small file may cost.
MOST_SECONDS, MOST_BYTES = 5.0, 300 << 20
SPECIAL = [
    *(bytes([i]) for i in (*range(14), 0x1A, 0x1B, 0x22, 0x27, 0x5C, *range(0x80, 0x100, 9), 0xFF)),
    *(
        sign.encode()
        for sign in (",", ";", "\t", "|", '"', '""', "\n", "\r\n", "\r", "-", "+", "(", ")", "%", "#")
    ),
    *(
        mark.encode()
        for mark in ("\ufeff", "\u200b", "\u00a0", "\u202f", "−", "￥", "€", "年", "١", "２", "𠮷")
    ),
    *(
        b"\xff\xfe",
        b"\xfe\xff",
        b"\x81\x30\x81\x30",
        b"sep=;\n",
        b"1e5",
        b"45000",
        b"NULL",
        b"Total,,",
        b"nan",
        b"inf",
    ),
    *(
        b"2023-02-30",
        b"31/12/2023",
        b"9999-12-31",
        b"0000-00-00",
        b"1700000000",
        b"99999999999999999999",
        b"0.00001",
    ),
]


@dataclass(frozen=True)
class Failure:
    """An input that a door did not survive: what went wrong, and the smallest file that shows it."""

    what: str
    content: bytes
    trace: str = ""

    def __str__(self) -> str:
        return f"{self.what}\n  {self.content!r}\n{self.trace}"


@dataclass
class Found:
    """What a run of the fuzzer came to."""

    failures: list[Failure] = field(default_factory=list)
    n_runs: int = 0
    n_accepted: int = 0
    n_lines: int = 0
    n_corpus: int = 0
    slowest: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.n_runs:,} files, {self.n_accepted:,} of them read; {self.n_corpus:,} in the corpus, "
            f"{self.n_lines:,} lines of the doors reached; slowest {self.slowest:.2f} s; "
            f"{len(self.failures)} failures"
        )


# Reading one file --------------------------------------------------------------------------------------

Door = Callable[[Path], Any]


def new_door() -> Door:
    """Door with an engine of its own, since tables of one are kept as long as it is there."""
    engine = connect(memory_limit="300MB", threads=1)

    def read(path: Path) -> Any:
        first, last = YEAR
        return read_transactions(
            path, columns=COLUMNS, observed_from=first, observed_until=last, max_set_aside=1.0, engine=engine
        )

    return read


def fault(door: Door, path: Path) -> tuple[Failure | None, str]:
    """What is wrong with how the door took the file, if anything; and what it said."""
    content = path.read_bytes()
    started, memory = time.process_time(), peak_memory()
    try:
        log = door(path)
    except DataError as error:
        return too_much(started, memory, content), skeleton(str(error), path)
    except Exception as error:
        return Failure(f"{type(error).__name__}: {error}"[:400], content, short_trace(error)), ""
    if problem := miscounted(log, content):
        return Failure(problem, content), ""
    return too_much(started, memory, content), skeleton(str(log.verdict), path)


def too_much(started: float, memory: int, content: bytes) -> Failure | None:
    seconds, grown = time.process_time() - started, peak_memory() - memory
    if seconds > MOST_SECONDS:
        return Failure(f"took {seconds:.1f} s of processor time", content)
    return Failure(f"took {grown >> 20} MB", content) if grown > MOST_BYTES else None


def peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def short_trace(error: Exception) -> str:
    """Where it was raised, in the doors' own lines."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(DOORS)]
    return "\n".join(f"  {Path(f.filename).name}:{f.lineno} {f.line}" for f in frames[-3:])


def skeleton(text: str, path: Path = Path("the file")) -> str:
    """First words of a message without what it quotes: two files with one skeleton are refused alike."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|[\d.,]+|\[.*?\]", "_", text.replace(path.name, ""))[:100]


# The second reader -------------------------------------------------------------------------------------


def miscounted(log: Any, content: bytes) -> str:
    """What is wrong with the number of rows; nothing where it is right, or where it is not well defined."""
    kept = log.lines.count().to_pyarrow().as_py()
    aside = sum(log.set_aside.values())
    if log.n_rows_in != kept + aside:
        return f"{log.n_rows_in} rows in, but {kept} kept and {aside} set aside"
    counted = rows_by_csv(content, log.verdict)
    if counted is not None and counted != log.n_rows_in:
        return f"{log.n_rows_in} rows read, but the csv module finds {counted}: {log.verdict}"
    return ""


def rows_by_csv(content: bytes, verdict: Any) -> int | None:
    """Records below the header, by Python's csv module; None where the file has more than one reading."""
    said = " ".join([*verdict.reading, *(defect.found for defect in verdict.defects)])
    if re.search(r"skipped|left out|HTML|sheet", said):
        return None
    text = decoded(content, said)
    stated = re.search(r"delimiter (?:'(.)'|(tab))", said)
    delimiters = [stated[1] or "\t"] if stated else [",", ";", "\t", "|"]
    for delimiter in delimiters if text is not None else []:
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
        except csv.Error:
            continue
        if (found := below_header(rows)) is not None:
            return found
    return None


def decoded(content: bytes, said: str) -> str | None:
    stated = re.search(r"encoding ([\w-]+)", said)
    marked = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(stated[1] if stated else marked)
    except (UnicodeDecodeError, LookupError):
        return None


def below_header(rows: list[list[str]]) -> int | None:
    for i, row in enumerate(rows):
        if set(COLUMNS.values()) <= {cell.strip().strip("\ufeff") for cell in row}:
            records = [below for below in rows[i + 1 :] if below]
            # A record of delimiters and blanks alone is a row to some and none to others.
            return len(records) if all(any(cell.strip() for cell in r) for r in records) else None
    return None


# Bending files -----------------------------------------------------------------------------------------


def bent(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Content after a few random changes."""
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        change = rng.choice(
            (flip, insert, value, value, value, replace, delete, copy, swap, splice, double_line)
        )
        content = change(rng, content, others)[:LARGEST]
    return content


def place(rng: random.Random, content: bytes) -> int:
    return rng.randrange(len(content) + 1)


def block(rng: random.Random, content: bytes) -> tuple[int, int]:
    start = place(rng, content)
    return start, min(len(content), start + rng.choice((1, 1, 2, 4, 16, 64, 256)))


def flip(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    if not content:
        return content
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1 :]


def insert(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    at = place(rng, content)
    return content[:at] + rng.choice(SPECIAL) * rng.choice((1, 1, 1, 2, 40)) + content[at:]


def replace(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    start, end = block(rng, content)
    return content[:start] + rng.choice(SPECIAL) + content[end:]


def value(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Another value in one field: the rest stays as it is, so that values are looked at."""
    fields = re.split(rb"([,;\t|\r\n]+)", content)
    at = rng.randrange(0, len(fields), 2)
    fields[at] = rng.choice((rng.choice(SPECIAL), rng.choice(fields[::2]), fields[at] + rng.choice(SPECIAL)))
    return b"".join(fields)


def delete(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    start, end = block(rng, content)
    return content[:start] + content[end:]


def copy(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    (start, end), at = block(rng, content), place(rng, content)
    return content[:at] + content[start:end] * rng.choice((1, 1, 3, 100)) + content[at:]


def swap(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    a, b, c = sorted(place(rng, content) for _ in range(3))
    return content[:a] + content[b:c] + content[a:b] + content[c:]


def splice(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    return content[: place(rng, content)] + other[place(rng, other) :]


def double_line(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    at = rng.randrange(len(lines))
    return b"".join([*lines[:at], rng.choice(lines), *lines[at:]])


# The run -----------------------------------------------------------------------------------------------


class Lines:
    """Lines of the doors that were reached; `new`: the last file reached one for the first time."""

    def __init__(self) -> None:
        self.seen: set[Any] = set()
        self.new = False

    def add(self, feature: Any) -> None:
        if feature not in self.seen:
            self.seen.add(feature)
            self.new = True

    @contextmanager
    def watched(self) -> Iterator[None]:
        self.new = False
        before = sys.gettrace()
        sys.settrace(self._calls)
        try:
            yield
        finally:
            sys.settrace(before)

    def _calls(self, frame: Any, event: str, argument: Any) -> Any:
        return self._lines if frame.f_code.co_filename.startswith(DOORS) else None

    def _lines(self, frame: Any, event: str, argument: Any) -> Any:
        if event == "line":
            self.add((frame.f_code.co_filename, frame.f_lineno))
        return self._lines


def fuzz(
    seeds: Sequence[tuple[str, bytes]],
    *,
    seconds: float,
    seed: int,
    make_door: Callable[[], Door] = new_door,
    tell: Callable[[str], Any] = lambda text: None,
) -> Found:
    """Bend the seeds (name, content) for so many seconds; the same seed bends them in the same way."""
    rng, lines, found = random.Random(seed), Lines(), Found()
    corpus, readable = list(seeds), list(seeds)[:1]
    waiting = list(seeds)[::-1]
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="fuzz_") as folder:
        tell(f"files are bent in {folder}")
        while time.monotonic() < end:
            if found.n_runs % 200 == 0:
                door = make_door()
            name, content = waiting.pop() if waiting else _next(rng, rng.choice((corpus, readable)))
            path = Path(folder) / name
            path.write_bytes(content)
            started = time.process_time()
            with lines.watched():
                failure, said = fault(door, path)
            found.slowest = max(found.slowest, time.process_time() - started)
            lines.add(said)
            found.n_runs += 1
            was_read = ": PASS" in said or ": FLAG" in said
            found.n_accepted += was_read
            if failure and all(_kind(failure) != _kind(other) for other in found.failures):
                found.failures.append(smallest(failure, make_door(), path))
                tell(str(found.failures[-1]))
            elif lines.new and not failure:
                corpus.append((name, content))
                readable += [(name, content)] if was_read else []
    found.n_corpus, found.n_lines = len(corpus), len(lines.seen)
    return found


def _next(rng: random.Random, corpus: list[tuple[str, bytes]]) -> tuple[str, bytes]:
    """A file of the corpus, the latest ones more often, bent."""
    recent = corpus[-30:] if rng.random() < 0.3 else corpus
    name, content = rng.choice(recent)
    return name, bent(rng, content, [other for _, other in rng.choices(corpus, k=4)])


def _kind(failure: Failure) -> str:
    return skeleton(failure.what)[:60] + "".join(failure.trace.splitlines()[-1:])


def smallest(failure: Failure, door: Door, path: Path, *, seconds: float = 30) -> Failure:
    """Failure of the same kind with as few bytes as blocks of them can be taken away."""
    end, best, size = time.monotonic() + seconds, failure, max(1, len(failure.content) // 2)
    while size and time.monotonic() < end:
        smaller = _without_one_block(best, size, door, path, end)
        best, size = (smaller, size) if smaller else (best, size // 2)
    return best


def _without_one_block(best: Failure, size: int, door: Door, path: Path, end: float) -> Failure | None:
    for start in range(0, len(best.content), size):
        if time.monotonic() > end:
            return None
        path.write_bytes(best.content[:start] + best.content[start + size :])
        now, _ = fault(door, path)
        if now and _kind(now) == _kind(best):
            return now
    return None
