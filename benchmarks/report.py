"""How long the whole demo pack takes, before and after the data were checked; goal: 30 s on two cores.

Run: python benchmarks/report.py [WORKSPACE]
"""

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GOAL = 30.0


def report(workspace: Path) -> tuple[float, float, str]:
    """Seconds on the clock, seconds of processor (kernels included), and what was told on the way."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    command = [sys.executable, "-m", "crm_analysis.cli", "report", str(workspace)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu, done.stderr


def copied(workspace: Path, folder: Path) -> Path:
    """The workspace with its sources where they are and its reports in `folder`."""
    text = workspace.read_text(encoding="utf-8")
    text = re.sub(r"^output = .*$", f'output = "{folder}/reports"', text, flags=re.MULTILINE)
    here = rf'source = "{workspace.parent}/'
    text = re.sub(r'^source = "(?!package:|env:|/)', here, text, flags=re.MULTILINE)
    copy = folder / workspace.name
    copy.write_text(text, encoding="utf-8")
    return copy


def main() -> None:
    workspace = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "data" / "demo.toml").resolve()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        copy = copied(workspace, Path(folder))
        for state in ("nothing checked yet", "data checked before"):
            seconds, cpu, told = report(copy)
            slowest = max(slowest, seconds)
            print(f"{workspace.stem}, {state}: {seconds:.1f} s, {cpu:.1f} s of processor")
            print(told)
    print(f"goal {GOAL:.0f} s: {'met' if slowest < GOAL else 'NOT met'} (load {os.getloadavg()[0]:.1f})")


if __name__ == "__main__":
    main()
