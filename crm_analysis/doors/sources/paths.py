"""Files behind a source: one, those of a folder or a glob, or one inside an installed package."""

from __future__ import annotations

import fnmatch
import importlib.util
from pathlib import Path

from crm_analysis.doors.sources.opened import Refusal, shown

# What systems leave beside the data.
LITTER = (
    ".*",
    "~$*",
    "Thumbs.db",
    "desktop.ini",
    "Icon\r",
    "_SUCCESS",
    "_started_*",
    "_committed_*",
    "*.crc",
)
LITTER_FOLDERS = (".*", "__MACOSX", "_delta_log", "_temporary")


def find_file(source: str | Path, folder: Path | str = ".") -> Path:
    """Path of a file source, `package:NAME/path/inside` included."""
    text = str(source)
    path = _in_package(text) if text.startswith("package:") else Path(folder) / source
    if not path.is_file():
        what = "not a regular file" if path.exists() else "no such file"
        raise Refusal(f"{what}: {shown(path)}; put it there, or correct the source")
    return path


def _in_package(source: str) -> Path:
    name, _, inside = source.removeprefix("package:").partition("/")
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise Refusal(f"no package {name!r} is installed; install it, or give the path of the file")
    return Path(spec.submodule_search_locations[0]) / inside


def input_files(source: str, folder: Path | str = ".") -> list[Path]:
    """Files behind a file source, sorted: one, those of a folder or of a glob; none where none is there."""
    if source.startswith("package:"):
        try:
            return [find_file(source)]
        except Refusal:
            return []
    return files_and_litter(source, folder)[0]


def files_and_litter(source: str, folder: Path | str = ".") -> tuple[list[Path], list[Path]]:
    """Files with data, and files that systems leave beside them."""
    path = Path(folder) / source
    if path.is_file():
        return [path], []
    if path.is_dir():
        root, found = path, path.rglob("*")
    elif is_glob(source):
        root = Path(Path(source).anchor or folder)
        found = root.glob(str(path.relative_to(root)) if Path(source).is_absolute() else source)
    else:
        return [], []
    try:
        files = sorted(file for file in found if file.is_file())
    except (ValueError, NotImplementedError) as error:
        raise Refusal(
            f"{source!r} is no pattern of file names ({error}); write one such as 'orders/*.csv'"
        ) from None
    litter = {file for file in files if _is_litter(file.relative_to(root))}
    return [file for file in files if file not in litter], sorted(litter)


def is_glob(source: str) -> bool:
    """Whether a source is a pattern of file names."""
    return any(sign in source for sign in "*?[")


def _is_litter(file: Path) -> bool:
    if any(fnmatch.fnmatchcase(file.name, pattern) for pattern in LITTER):
        return True
    return any(fnmatch.fnmatchcase(part, p) for part in file.parts[:-1] for p in LITTER_FOLDERS)
