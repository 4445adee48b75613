"""`record.json`: what a pack was made from and with, so that it can be made again."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import platform
import subprocess
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from crm_analysis.doors.sources import input_files
from crm_analysis.report.plan import Plan
from crm_analysis.workspace import Firm, Source, Workspace

PACKAGES = (
    "crm-analysis",
    "duckdb",
    "ibis-framework",
    "lifetimes",
    "matplotlib",
    "nbconvert",
    "numpy",
    "pandas",
    "papermill",
    "scikit-learn",
    "scipy",
    "xlsxwriter",
)
BLOCK = 1 << 20


def make_record(plan: Plan, *, status: str, headline: str, seconds: Mapping[str, float]) -> dict[str, Any]:
    """Return parameters, checksums of the inputs, versions, seed and durations; only `made` holds times."""
    settings = plan.settings
    return {
        "workspace": settings.key,
        "name": settings.name,
        "language": settings.language,
        "period": plan.period.label,
        "status": status,
        "headline": headline,
        "pages": {run.key: run.parameters for run in plan.runs},
        "left_out": plan.left_out,
        "hold_back": {"share": settings.decisions.hold_back, "seed": settings.decisions.seed},
        "inputs": checksums(settings),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "commit": _commit(),
        "made": {
            "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "seconds": {what: round(value, 3) for what, value in seconds.items()},
        },
    }


def write_json(content: Any, path: Path) -> None:
    """Write JSON that differs only where the content does."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8")


def checksums(settings: Workspace) -> dict[str, str]:
    """SHA-256 of the workspace file and of every input file; a database is named by its variable only."""
    sums = {settings.path.name: _sha256(settings.path)}
    for firm in settings.firms.values():
        for source in _sources(firm):
            sums |= dict(_checksums_of(source.source, settings.folder))
    return sums


def _sources(firm: Firm) -> Iterator[Source]:
    for name in type(firm).model_fields:
        value = getattr(firm, name)
        if isinstance(value, Source):
            yield value


def _checksums_of(source: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Checksum by source, or by source and name where one source is several files."""
    if source.startswith("env:"):
        yield source, "database"
        return
    files = input_files(source, folder)
    for path in files:
        yield source if len(files) == 1 else f"{source}: {path.name}", _sha256(path)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _commit() -> str | None:
    """Commit of the project's checkout, where this is one and git is installed."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=5)
    except OSError:
        return None
    return done.stdout.strip() or None
