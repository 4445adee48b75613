"""An analyst's own copy of a notebook, in `work/`, which git ignores."""

from __future__ import annotations

from pathlib import Path

import nbformat

from crm_analysis.errors import ConfigError
from crm_analysis.report.execute import INJECTED
from crm_analysis.report.plan import plan_report


def copy_for_exploring(
    page: str, *, workspace: str | Path, period: str | None = None, firm: str | None = None
) -> Path:
    """Copy a notebook with its parameters into `work/`, without outputs; a copy that is there stays as it is.

    Raises
    ------
    ConfigError
        The page, the period or the firm is unknown.
    """
    plan = plan_report(workspace, period=period, pages=[page])
    if page in plan.left_out:
        raise ConfigError(f"page {page!r}: {plan.left_out[page]}")
    firms = {run.parameters.get("firm"): run for run in plan.runs}
    if firm is not None and firm not in firms:
        known = sorted(key for key in firms if key)
        raise ConfigError(f"page {page!r}: no firm {firm!r}; firms it can be run for: {known}")
    run = firms[firm] if firm else plan.runs[0]
    copy = run.notebook.parents[1] / "work" / f"{run.key}_{plan.period.label}.ipynb"
    if not copy.exists():
        copy.parent.mkdir(exist_ok=True)
        nbformat.write(_with_parameters(run.notebook, run.parameters), copy)
    return copy


def _with_parameters(notebook: Path, parameters: dict[str, object]) -> nbformat.NotebookNode:
    """Return the notebook without outputs, and with a cell that sets the parameters after their defaults."""
    copied = nbformat.read(notebook, as_version=4)
    tags = [cell.metadata.get("tags", []) for cell in copied.cells]
    source = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    injected = nbformat.v4.new_code_cell(source, id=INJECTED, metadata={"tags": [INJECTED]})
    copied.cells.insert(1 + next(i for i, of_cell in enumerate(tags) if "parameters" in of_cell), injected)
    for cell in copied.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return copied
