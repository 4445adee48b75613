"""Who may import whom, and what an import may cost."""

import ast
import compileall
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "crm_analysis"
ROOMS = ["base", "rfm", "clv", "selection", "funnel", "campaigns", "simulate"]
RANK = {
    name: rank
    for rank, names in enumerate(
        [
            ["errors"],
            ["workspace", "split", "rates"],
            ["doors"],
            ["customers"],
            ROOMS,
            ["figures"],
            ["report"],
            ["cli"],
        ]
    )
    for name in names
}
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = ("matplotlib", "sklearn", "papermill", "seaborn", "lifetimes", "nbconvert")


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Rooms that a module imports, however it writes it; imports for type checkers count too."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            here = ("crm_analysis", *path.relative_to(PACKAGE).parts[:-1])
            base = ".".join((*here[: len(here) - node.level + 1], *filter(None, [node.module])))
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
        elif isinstance(node, ast.Import):
            rooms |= {a.name.split(".")[1] for a in node.names if a.name.startswith("crm_analysis.")}
            continue
        else:
            continue
        if base == "crm_analysis":
            rooms |= {alias.name for alias in node.names}
        elif base.startswith("crm_analysis."):
            rooms.add(base.split(".")[1])
    return rooms


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_import_only_from_below(path):
    here = room_of(path)
    if here in ("__init__", "__main__"):
        return
    assert here in RANK, f"{path} is in no room of the design"
    # The verdict's type is named by the error that carries it.
    rooms = imported_rooms(path) - {here} - ({"doors"} if here == "errors" else set())
    above = {there for there in rooms if RANK.get(there, 99) >= RANK[here]}
    assert not above, f"{path} imports {above}"


def test_figures_import_no_model():
    rooms = {there for path in MODULES if room_of(path) == "figures" for there in imported_rooms(path)}
    assert not rooms & set(ROOMS)


def test_no_module_is_called_after_nothing():
    assert not {p.stem for p in MODULES} & {"utils", "util", "helpers", "misc", "common", "core"}


def in_a_fresh_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("statement", "limit"),
    [("import crm_analysis", 0.3), ("import crm_analysis; crm_analysis.read_transactions", 1.0)],
)
def test_imports_are_cheap(statement, limit):
    """With bytecode compiled; processor time, best of three, so that a busy machine is no slow import."""
    compileall.compile_dir(PACKAGE, quiet=2)
    clock = f"import time; t = time.process_time(); {statement}; print(time.process_time() - t)"
    assert min(float(in_a_fresh_python(clock)) for _ in range(3)) < limit
    loaded = in_a_fresh_python(f"import sys; {statement}; print(*(m for m in {HEAVY} if m in sys.modules))")
    assert loaded == ""


def test_every_public_name_is_there():
    missing = "[name for name in dir(crm) if getattr(crm, name, None) is None]"
    assert in_a_fresh_python(f"import crm_analysis as crm; print({missing})") == "[]"


# Rooms with sub-rooms, from the bottom up, and those of one rank that do not look at each other.
SUB_ROOMS = {
    "clv": ["", "fitting", "models", "contracts", "plans", "worth", "ahead", "views"],
    "funnel": ["", "ageing", "counting", "comparing", "hygiene", "pipeline", "telling"],
}
BESIDE = {
    "contracts": {"models"},
    "plans": {"fitting", "models", "contracts"},
    "worth": {"contracts", "plans"},
    "hygiene": {"comparing"},
    "pipeline": {"comparing", "hygiene"},
}
IN_SUB_ROOMS = [path for house in SUB_ROOMS for path in sorted((PACKAGE / house).rglob("*.py"))]


@pytest.mark.parametrize("path", IN_SUB_ROOMS, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_sub_rooms_look_down_only(path):
    house, *inner, name = path.relative_to(PACKAGE).parts
    room = inner[0] if inner else ""
    if not inner and name == "__init__.py":
        return
    rooms = SUB_ROOMS[house]
    below = set(rooms[: rooms.index(room)]) - BESIDE.get(room, set()) | {room}
    found = re.findall(rf"from crm_analysis\.{house}(?:\.(\w+))?\.\w+ import", path.read_text())
    assert set(found) <= below, f"{path} imports {set(found) - below}"


@pytest.mark.parametrize("house", SUB_ROOMS)
def test_no_module_hides_a_public_name(house):
    """Once imported, a module called like a function would be what the package's attribute is."""
    names = set(import_module(f"crm_analysis.{house}").__all__)
    assert not {path.stem for path in (PACKAGE / house).rglob("*.py")} & names
