"""The fuzzer for as long as one likes: `python tests/slow/fuzz_csv.py [SECONDS] [SEED] [text|books]`.

It ends with 1 where a door broke. What breaks is printed at once, as small as it could be made: a crash of
the process itself (of a library that reads Parquet, say) leaves the file in the folder that is named first.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from export_books import OTHERS
from fuzzing import fuzz
from test_fuzz import SEEDS


def tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def books() -> list[tuple[str, bytes]]:
    """Small workbooks, Parquet files and databases as bytes."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [export.written(Path(folder)) for export in OTHERS if "." in export.name]
        return [(path.name, path.read_bytes()) for path in paths if path.stat().st_size < 20_000]


def main(seconds: str = "600", seed: str = "1", kind: str = "text") -> int:
    seeds = SEEDS if kind == "text" else books()
    found = fuzz(seeds, seconds=float(seconds), seed=int(seed), tell=tell)
    tell(str(found))
    return 1 if found.failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
