"""Ten minutes of the fuzzer: `python tests/slow/fuzz_csv.py [SECONDS] [SEED]`; exits 1 where a door broke."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzzing import fuzz
from test_fuzz import SEEDS


def tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(seconds: float = 600, seed: int = 1) -> int:
    found = fuzz(SEEDS, seconds=seconds, seed=seed, tell=tell)
    tell(str(found))
    return 1 if found.failures else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
