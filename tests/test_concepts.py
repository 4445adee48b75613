"""The course's trace names every concept once, and nothing that does not exist."""

import re
from functools import reduce
from pathlib import Path

import pytest

import crm_analysis as crm
from crm_analysis.doors.store import OpenWorkspace
from crm_analysis.workspace import Workspace

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8")
LINES = [line for line in PAGE.splitlines() if re.match(r"\| C\d\d \|", line)]
GAPS = ["C01", "C04", "C14", "C25", "C26", "C28", "C34", "C35", "C36", "C54", "C56", "C73"]
NAMES = sorted(set(re.findall(r"`([^`]+)`", "\n".join(LINES))))


def exists(name: str) -> bool:
    if name.startswith("crm."):
        return callable(reduce(getattr, name.split(".")[1:], crm))
    if call := re.fullmatch(r"ws\.(\w+)\(firm\)", name):
        return callable(getattr(OpenWorkspace, call[1]))
    if name == "customer":
        return name in Workspace.model_fields
    exercise = ROOT / "notebooks" / "exercises" / "source" / name
    return exercise.is_dir() or (ROOT / name).is_file()


def test_every_concept_has_one_line_with_an_answer():
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in LINES]
    assert [row[0] for row in cells] == [f"C{i:02}" for i in range(1, 95)]
    assert all(len(row) == 4 and all(row) for row in cells)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_named_exists(name):
    assert exists(name)


@pytest.mark.parametrize("concept", GAPS)
def test_gaps_of_the_material_are_marked(concept):
    line = next(line for line in LINES if line.startswith(f"| {concept} "))
    assert re.search(r"\*\*(Truncated|Garbled|Ambiguous|Not stated|Missing):\*\*", line)
