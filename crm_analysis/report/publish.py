"""Packs are built out of sight and appear in one step; a failed run leaves the last good one in place.

```
<output>/runs/<id>/               a pack, whole
<output>/runs/<id>.failed/        what a failed run leaves to look at
<output>/<workspace>/<period>     a link to the pack that is published
```
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from crm_analysis.errors import ReportError

RECORD = "record.json"
ABANDONED_AFTER = dt.timedelta(days=1)


def new_run(output: Path, workspace: str, label: str) -> Path:
    """Make an empty folder for a run."""
    runs = output / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    stamp = f"{workspace}-{label}-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}"
    for n in range(1, 100):
        path = runs / (stamp if n == 1 else f"{stamp}-{n}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise ReportError(f"{runs}: a hundred runs were started in the same second")


def publish(run: Path, *, workspace: str, label: str) -> Path:
    """Make `run` the pack of its period, in one step, and remove older runs of it; returns the link."""
    link = run.parents[1] / workspace / label
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_dir() and not link.is_symlink():
        raise ReportError(f"{link}: is a folder, but reports are published as links; move it away")
    coming = link.with_name(f".{run.name}")
    coming.symlink_to(os.path.relpath(run, link.parent), target_is_directory=True)
    coming.replace(link)
    _prune(run, workspace, label)
    return link


def keep_evidence(run: Path, notebooks: list[Path]) -> Path:
    """Keep the failed notebooks of a run, and nothing else of it; returns their folder."""
    evidence = run.with_name(f"{run.name}.failed")
    evidence.mkdir()
    for notebook in notebooks:
        if notebook.is_file():
            notebook.rename(evidence / notebook.name)
    discard(run)
    return evidence


def discard(run: Path) -> None:
    """Remove a run, also while something may still write into it."""
    shutil.rmtree(run, ignore_errors=True)


def _prune(kept: Path, workspace: str, label: str) -> None:
    """Remove earlier runs of the same period; one that is still being built is left alone."""
    for run in _runs_of(kept.parent, workspace, label):
        old = dt.datetime.now(dt.UTC) - dt.datetime.fromtimestamp(run.stat().st_mtime, dt.UTC)
        finished = (run / RECORD).is_file() or run.name.endswith(".failed")
        if run != kept and (finished or old > ABANDONED_AFTER):
            discard(run)


def _runs_of(runs: Path, workspace: str, label: str) -> Iterator[Path]:
    """Folders called `<workspace>-<label>-<time>`, and no longer label that begins alike."""
    for path in runs.glob(f"{workspace}-{label}-*"):
        if path.name.removeprefix(f"{workspace}-{label}-")[:8].isdigit():
            yield path
