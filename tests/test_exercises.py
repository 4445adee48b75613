"""What every exercise promises: a solution that passes, a release without it, help where students write."""

import ast
import copy
import re
from functools import cache
from itertools import chain
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbgrader.preprocessors import CheckCellMetadata, ClearHiddenTests, ClearOutput, ClearSolutions
from nbgrader.utils import is_grade, is_locked, is_solution
from traitlets.config import PyFileConfigLoader

FOLDER = Path(__file__).parents[1] / "notebooks" / "exercises"
SOURCES = sorted((FOLDER / "source").glob("*/*.ipynb"))
EXERCISES = pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
HELP = "Write your answer here, then run the cell again"
REGION = re.compile(r"### BEGIN (?:SOLUTION|HIDDEN TESTS)\n(.*?)### END", re.DOTALL)
NO_NETWORK = "import socket\nsocket.socket.connect = socket.create_connection = socket.getaddrinfo = None"

MISTAKES = [
    ("c14-top", "return round(profit.nlargest(2).sum() / profit.sum(), 4)", "you divided by the net profit"),
    ("c14-top", "return round(profit.nsmallest(2).sum() / 1100, 4)", "you took the two worst customers"),
    ("c14-top", "return 0.8", "970 of 1,100"),
    (
        "c14-bottom",
        "return round(-profit.nsmallest(3).sum() / 1100, 4)",
        "the rule says half of what the top 20%",
    ),
    (
        "c14-bottom",
        "return -profit.nsmallest(math.ceil(0.3 * len(profit))).sum() / 880",
        "nobody loses money",
    ),
    ("c14-peak", "return 0.7, round(1100 / 1100, 4)", "divide by the net profit, where the curve ends"),
    (
        "c34-present-values",
        "return [amount / (1 + annual_discount_rate) ** year for year, amount in enumerate(cash)]",
        "you discounted from t=0: the first year's cash arrives at its end",
    ),
    (
        "c34-value",
        "net = ((r - retention_cost) / (1 + annual_discount_rate) ** t for t, r in enumerate(revenue))\n"
        "    return round(sum(net) - acquisition_cost, 2)",
        "you discounted from t=0: the first year's cash arrives at its end",
    ),
    ("c34-value", "return sum(revenue) - 5 * retention_cost - acquisition_cost", "you did not discount"),
    (
        "c34-timing-values",
        "end = customer_value(revenue, retention_cost, acquisition_cost, annual_discount_rate)\n"
        '    return {"start": round(end * 1.15, 2), "middle": round(end * 1.15**0.5, 2), "end": end}',
        "you let the acquisition cost grow with the rest",
    ),
    (
        "c34-retention",
        "net = [(r - retention_cost) * retention**t for t, r in enumerate(revenue, start=1)]\n"
        "    return round(sum(present_values(net, annual_discount_rate)) - acquisition_cost, 2)",
        "there in year 1",
    ),
    ("c73-rates", "return [n / counts[0] for n in counts[1:]]", "divide each stage by the stage before it"),
    (
        "c73-shares",
        "steps = zip(transition_rates(counts_a), transition_rates(counts_b), strict=True)\n"
        "    gaps = [a - b for a, b in steps]\n"
        "    return [round(gap / sum(gaps), 4) for gap in gaps]",
        "take logarithms of their ratios",
    ),
]


@cache
def source(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def release(path: Path) -> nbformat.NotebookNode:
    """The notebook as `nbgrader generate_assignment` hands it to students, by the same steps and settings."""
    settings = PyFileConfigLoader("nbgrader_config.py", path=str(FOLDER)).load_config()
    notebook, resources = copy.deepcopy(source(path)), {}
    for step in (ClearSolutions, ClearOutput, CheckCellMetadata, ClearHiddenTests):
        notebook, resources = step(config=settings).preprocess(notebook, resources)
    return notebook


def failures_in_a_kernel(notebook: nbformat.NotebookNode, folder: Path) -> list[str]:
    """Errors of the cells in a fresh kernel, in a folder of its own, without network."""
    notebook = copy.deepcopy(notebook)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(NO_NETWORK))
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, kernel_name="python3", allow_errors=True, resources=where).execute()
    outputs = chain.from_iterable(cell.outputs for cell in code(notebook))
    return [f"{output.ename}: {output.evalue}" for output in outputs if output.output_type == "error"]


def failures(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """Grade id -> error of each cell that fails, in order, all cells run."""
    scope: dict[str, object] = {}
    found = {}
    for cell in code(notebook):
        try:
            exec(cell.source, scope)
        except Exception as error:
            found[grade_id(cell)] = f"{type(error).__name__}: {error}"
    return found


def grade_id(cell: nbformat.NotebookNode) -> str:
    return cell.metadata.get("nbgrader", {}).get("grade_id", cell.id)


def code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def secrets(notebook: nbformat.NotebookNode) -> list[str]:
    """Lines that no student may see: marked regions, and answers that are a solution from end to end."""
    regions = chain.from_iterable(
        REGION.findall(cell.source) or ([cell.source] if is_solution(cell) else []) for cell in notebook.cells
    )
    return [line.strip() for region in regions for line in region.splitlines() if len(line.strip()) > 19]


def test_the_three_exercises_are_there():
    assert [path.stem for path in SOURCES] == ["c14_profit", "c34_lifetime_value", "c73_funnel"]
    assert all(path.parent.name == path.stem for path in SOURCES)


@EXERCISES
def test_the_solution_passes_its_own_checks(path, tmp_path):
    assert failures_in_a_kernel(source(path), tmp_path) == []


@EXERCISES
def test_the_release_keeps_no_line_of_the_solution(path):
    seen = nbformat.writes(release(path))
    texts = "\n".join(cell.source for cell in release(path).cells)
    assert len(secrets(source(path))) > 20
    assert [line for line in secrets(source(path)) if line in texts] == []
    assert not re.search(r"(BEGIN|END) (SOLUTION|HIDDEN TESTS)", seen)
    assert not any(cell.outputs for cell in code(release(path)))


@EXERCISES
def test_the_release_leaves_each_function_its_name_its_docstring_and_the_help(path):
    written = [cell for cell in code(release(path)) if is_solution(cell)]
    for function in (ast.parse(cell.source).body[0] for cell in written):
        assert isinstance(function, ast.FunctionDef)
        assert ast.get_docstring(function)
        assert [ast.unparse(node) for node in function.body[1:]] == [f"raise NotImplementedError('{HELP}')"]


@EXERCISES
def test_the_release_fails_where_the_student_writes_and_says_what_to_do(path):
    failed = failures(release(path))
    students = [grade_id(cell) for cell in code(source(path)) if is_solution(cell)]
    checks = [grade_id(cell) for cell in code(source(path)) if is_grade(cell)]
    assert next(iter(failed)) == students[0]
    # Every answer and every check fails, so the untouched release earns nothing; no other cell does.
    assert set(failed) == {*students, *checks}
    assert set(failed.values()) == {f"NotImplementedError: {HELP}"}


@pytest.mark.parametrize(("answer", "body", "message"), MISTAKES)
def test_a_usual_mistake_is_named(answer, body, message):
    """The solution is replaced by the mistake, and the check that follows says what was done."""
    path = next(path for path in SOURCES if path.stem.startswith(answer[:3]))
    cells = code(source(path))
    here = [grade_id(cell) for cell in cells].index(answer)
    scope: dict[str, object] = {}
    for cell in cells[:here]:
        if not is_grade(cell):
            exec(cell.source, scope)
    exec(re.sub(r"### BEGIN SOLUTION.*### END SOLUTION", body, cells[here].source, flags=re.DOTALL), scope)
    with pytest.raises(AssertionError, match=re.escape(message)):
        exec(cells[here + 1].source, scope)


@EXERCISES
def test_the_readme_states_the_points(path):
    graded = [cell for cell in source(path).cells if is_grade(cell)]
    by_person = sum(cell.metadata.nbgrader.points for cell in graded if is_solution(cell))
    by_checks = sum(cell.metadata.nbgrader.points for cell in graded) - by_person
    assert f"| `{path.stem}` | {by_checks} | {by_person} |" in (FOLDER / "README.md").read_text()


def test_grade_ids_are_unique():
    ids = [grade_id(cell) for path in SOURCES for cell in source(path).cells if "nbgrader" in cell.metadata]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"c\d\d-[a-z0-9-]+", name) for name in ids)


@EXERCISES
def test_cells_are_what_nbgrader_expects(path):
    for cell in source(path).cells:
        settings = cell.metadata.get("nbgrader")
        if settings is None:
            assert not REGION.search(cell.source), cell.source
            continue
        assert settings["schema_version"] == 3
        assert is_locked(cell) != is_solution(cell)
        assert not is_grade(cell) or settings["points"] > 0
        assert not is_grade(cell) or is_solution(cell) or "### BEGIN HIDDEN TESTS" in cell.source
    assert sum(is_grade(cell) and is_solution(cell) for cell in source(path).cells) >= 2  # read by a person


@EXERCISES
def test_only_the_student_defines_functions_and_every_check_says_what_is_wrong(path):
    for cell in code(source(path)):
        tree = ast.walk(ast.parse(cell.source))
        kinds = [node for node in tree if isinstance(node, (ast.FunctionDef, ast.Lambda, ast.Assert))]
        if not is_solution(cell):
            assert all(isinstance(node, ast.Assert) and node.msg is not None for node in kinds), cell.source


@EXERCISES
def test_the_source_is_executed_and_readable(path):
    cells = source(path).cells
    counts = [cell.execution_count for cell in code(source(path))]
    assert counts == list(range(1, len(counts) + 1))
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1
    assert "中文" in text
    assert 12 <= len(cells) <= 30
    assert len({cell.id for cell in cells}) == len(cells)
