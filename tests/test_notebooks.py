"""What every notebook promises: a question, its parameters, prose before code, executed cells."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NOTEBOOKS = pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)


def cells(path: Path, kind: str | None = None) -> list:
    notebook = nbformat.read(path, as_version=4)
    return [cell for cell in notebook.cells if kind in (None, cell.cell_type)]


def test_the_notebooks_of_the_report_are_there():
    from crm_analysis.workspace import PAGES

    assert set(PAGES) <= {path.stem for path in PATHS}


@NOTEBOOKS
def test_one_title_and_a_readable_number_of_cells(path):
    titles = [
        line for cell in cells(path, "markdown") for line in cell.source.splitlines() if line[:2] == "# "
    ]
    assert len(titles) == 1
    assert 12 <= len(cells(path)) <= 30


@NOTEBOOKS
def test_parameters_are_literals_in_one_tagged_cell(path):
    tagged = [cell for cell in cells(path, "code") if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    statements = ast.parse(tagged[0].source).body
    assert statements
    for statement in statements:
        assert isinstance(statement, (ast.Assign, ast.AnnAssign))
        ast.literal_eval(statement.value)


@NOTEBOOKS
def test_code_is_short_defines_nothing_and_has_prose_before_it(path):
    everything = cells(path)
    for before, cell in zip([None, *everything], everything, strict=False):
        if cell.cell_type != "code":
            continue
        lines = [
            line for line in cell.source.splitlines() if line.strip() and not line.lstrip().startswith("#")
        ]
        assert 1 <= len(lines) <= 6, cell.source
        tree = ast.parse(cell.source)
        kinds = (ast.FunctionDef, ast.ClassDef, ast.Lambda)
        assert not [node for node in ast.walk(tree) if isinstance(node, kinds)], cell.source
        assert before is not None
        assert before.cell_type == "markdown" or "parameters" in before.metadata.get("tags", []), cell.source


@NOTEBOOKS
def test_every_code_cell_was_executed_without_error(path):
    """nbval compares nothing for a cell without an execution count, and would pass."""
    counts = [cell.execution_count for cell in cells(path, "code")]
    assert counts == list(range(1, len(counts) + 1))
    kinds = {output.output_type for cell in cells(path, "code") for output in cell.outputs}
    assert kinds <= {"display_data", "execute_result"}


@NOTEBOOKS
def test_cell_ids_are_words(path):
    ids = [cell.id for cell in cells(path)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*", i) and not re.fullmatch(r"[0-9a-f]{8}", i) for i in ids)


@NOTEBOOKS
def test_no_notebook_reads_the_truth(path):
    assert "truth" not in "\n".join(cell.source for cell in cells(path, "code")).lower()


@pytest.mark.parametrize(
    "call",
    [
        "crm.clv.firm_models(ws, firm, log=log, customers=customers",
        "crm.clv.firm_margin(ws, firm, until=page.period.end)",
        "crm.clv.value_customers(choice.customers, **models, **scale)",
    ],
)
def test_a_customer_is_worth_the_same_on_every_page(call):
    for name in ("customer_value", "customer_selection"):
        code = "\n".join(cell.source for cell in cells(ROOT / "notebooks" / f"{name}.ipynb", "code"))
        assert call in code
