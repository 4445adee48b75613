"""Every declared parameter of every notebook is run with a second value, and makes a difference."""

import ast
import copy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
ALTERNATIVES = {
    "management_summary": {"workspace": "cdnow", "period": "2025Q3", "n_drawn": 12},
    "funnel_comparison": {
        "workspace": "{folder}/zh.toml",
        "period": "2025-06",
        "firms": ["b", "a"],
        "months": 24,
        "window": "90 days",
    },
    "rfm_segmentation": {
        "workspace": "cdnow",
        "period": "2025",
        "firm": "b",
        "monetary": "total_profit",
        "best": ["Champions"],
        "watched": ["Can't lose them"],
    },
    "customer_selection": {
        "workspace": "cdnow",
        "period": "2025Q3",
        "firm": "b",
        "months": 24,
        "high": 0.3,
        "weights": {"profit": 1, "n_orders": 1},
    },
    "customer_value": {
        "workspace": "cdnow",
        "period": "2025-06",
        "firm": "b",
        "unlikely_below": 0.2,
        "n_listed": 5,
        "seed": 2,
    },
    "campaigns": {
        "workspace": "cdnow",
        "period": "2025-06",
        "firm": "b",
        "after": "30 days",
        "group": "region",
        "budget": 1_000_000,
    },
    "value_model": {
        "workspace": "cdnow",
        "period": "2025-06",
        "firm": "b",
        "customer_id": "001678",
        "step": "quarter",
        "group": "source",
    },
}
# CDNOW was observed until June 1998.
WITH = {
    ("management_summary", "workspace"): {"period": "1998-06"},
    ("rfm_segmentation", "workspace"): {"period": "1998-06", "firm": "cdnow"},
    ("customer_selection", "workspace"): {"period": "1998-06", "firm": "cdnow"},
    ("customer_value", "workspace"): {"period": "1998-06", "firm": "cdnow"},
    ("campaigns", "workspace"): {"period": "1998-06", "firm": "cdnow"},
    ("value_model", "workspace"): {"period": "1998-06", "firm": "cdnow"},
}
CASES = [(name, parameter) for name, values in ALTERNATIVES.items() for parameter in values]


def declared(name: str) -> dict[str, object]:
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    return {s.targets[0].id: ast.literal_eval(s.value) for s in ast.parse(cell.source).body}


def shown(notebook) -> list:
    """Everything a run displays."""
    return [output.data for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A workspace in Chinese beside the sample one."""
    folder = tmp_path_factory.mktemp("workspaces")
    data = NOTEBOOKS.parent / "data"
    demo = (data / "demo.toml").read_text()
    chinese = demo.replace('language = "en"', 'language = "zh"').replace(
        '"firm_', f'"{data.as_posix()}/firm_'
    )
    (folder / "zh.toml").write_text(chinese)
    return folder


@pytest.fixture(scope="module")
def runs(folder):
    """Every case run: case -> executed notebook, or the exception; the notebooks two at a time.

    A notebook's cases share a kernel: that it runs in a fresh one is nbval's to say.
    """
    with ThreadPoolExecutor(2) as pool:
        of_notebooks = pool.map(lambda name: cases_of(name, folder), ALTERNATIVES)
        return {case: run for runs in of_notebooks for case, run in runs.items()}


def cases_of(name: str, folder: Path) -> dict[tuple[str, str], object]:
    """Run one notebook with each of its second values."""
    notebook = load_notebook_node(str(NOTEBOOKS / f"{name}.ipynb"))
    where = {"metadata": {"path": str(NOTEBOOKS)}}
    client = NotebookClient(notebook, kernel_name="python3", resources=where)
    runs: dict[tuple[str, str], object] = {}
    with client.setup_kernel():
        for parameter, value in ALTERNATIVES[name].items():
            value = value.format(folder=folder) if isinstance(value, str) else value
            values = {parameter: value} | WITH.get((name, parameter), {})
            client.nb = parameterize_notebook(copy.deepcopy(notebook), values)
            try:
                for place, cell in enumerate(client.nb.cells):
                    client.execute_cell(cell, place)
                runs[name, parameter] = client.nb
            except CellExecutionError as error:
                runs[name, parameter] = error
    return runs


def test_every_declared_parameter_has_a_second_value():
    wanted = {path.stem: set(declared(path.stem)) for path in NOTEBOOKS.glob("*.ipynb")}
    assert {name: set(values) for name, values in ALTERNATIVES.items()} == wanted


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_a_parameter_changes_what_is_shown(case, runs):
    run = runs[case]
    assert not isinstance(run, Exception), run
    committed = nbformat.read(NOTEBOOKS / f"{case[0]}.ipynb", as_version=4)
    assert shown(run) != shown(committed)
