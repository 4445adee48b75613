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
    from papermill.parameterize import parameterize_notebook

    copied = parameterize_notebook(
        nbformat.read(notebook, as_version=4), parameters, kernel_name="python3", language="python"
    )
    for cell in copied.cells:
        if INJECTED in cell.metadata.get("tags", []):
            cell.id = INJECTED
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return copied
