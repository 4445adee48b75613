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
    if source.startswith("env:"):
        yield source, "database"
        return
    for path in sorted(files_of(source, folder)):
        if path.is_file():
            yield source if not _is_pattern(source) else path.name, _sha256(path)


def files_of(source: str, folder: Path) -> Iterator[Path]:
    """Files that a `source` of a workspace names: a path, a pattern, or a file inside a package."""
    if source.startswith("package:"):
        from importlib.resources import files

        package, _, inside = source.removeprefix("package:").partition("/")
        yield Path(str(files(package).joinpath(inside)))
    elif _is_pattern(source):
        base = Path(source)
        yield from (Path(base.anchor) if base.is_absolute() else folder).glob(
            str(base.relative_to(base.anchor)) if base.is_absolute() else source
        )
    else:
        yield folder / source


def _is_pattern(source: str) -> bool:
    return any(sign in source for sign in "*?[")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _commit() -> str | None:
    """Commit of the package's checkout, where there is one and git is installed."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
            timeout=5,
        )
    except OSError:
        return None
    return done.stdout.strip() or None
