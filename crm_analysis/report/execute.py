"""Run one notebook with papermill in a fresh kernel, and say where and why it failed if it did."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from crm_analysis.errors import ReportError
from crm_analysis.report.kernels import Kernels
from crm_analysis.report.page import FOLDER_VARIABLE
from crm_analysis.report.plan import PageRun

INJECTED = "injected-parameters"
# A kernel that loses a race for its ports does not answer, or dies before its first answer.
NO_START = ("Kernel didn't respond", "Kernel died before replying")
OWN_ERRORS = ("ReportError", "DataError", "FitError", "ConfigError")


@dataclass(frozen=True)
class Done:
    """A notebook that ran: its cells and outputs, and how long it took."""

    run: PageRun
    notebook: Any
    seconds: float


class PageError(ReportError):
    """One notebook failed; `notebook` is what came out of it until then."""

    def __init__(self, message: str, notebook: Path) -> None:
        super().__init__(message)
        self.notebook = notebook


def execute(run: PageRun, *, folder: Path, kernels: Kernels) -> Done:
    """Run a notebook, store it in `folder`/notebooks, let its page write into `folder`/pages.

    Success is read from the absence of an exception only: after the death of a kernel the stored notebook
    still says that every cell was completed.

    Raises
    ------
    PageError
        A cell failed or the kernel died.
    """
    started = time.perf_counter()
    output, page_folder = folder / "notebooks" / f"{run.key}.ipynb", folder / "pages" / run.key
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        notebook = _in_a_kernel(run, output, page_folder, kernels)
    except RuntimeError as error:
        if not str(error).startswith(NO_START):
            raise
        notebook = _in_a_kernel(run, output, page_folder, kernels)
    _settle(notebook, run)
    nbformat.write(notebook, output)
    return Done(run, notebook, time.perf_counter() - started)


def _in_a_kernel(run: PageRun, output: Path, page_folder: Path, kernels: Kernels) -> Any:
    """Run the notebook; whatever goes wrong in it is told with the cell in which it went wrong."""
    import papermill
    from nbclient.exceptions import DeadKernelError

    cells: list[str] = []
    try:
        return papermill.execute_notebook(
            run.notebook,
            output,
            run.parameters,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            record_timing=False,
            shutdown_kernel="immediate",
            kernel_manager_class=kernels.manager_class({FOLDER_VARIABLE: str(page_folder)}),
            on_cell_execute=lambda cell, cell_index: cells.append(cell.id),
        )
    except papermill.PapermillExecutionError as error:
        why = error.evalue if error.ename in OWN_ERRORS else f"{error.ename}: {error.evalue}"
        raise PageError(f"{run.key}: cell {cells[-1]!r} failed: {why}", output) from None
    except DeadKernelError:
        why = "the kernel died, as it does when memory runs out"
        raise PageError(f"{run.key}: cell {cells[-1]!r} failed: {why}", output) from None


def _settle(notebook: Any, run: PageRun) -> None:
    """Take out of an executed notebook what differs from machine to machine and from run to run.

    Papermill's metadata keep their times. Warnings on stderr hold paths of temporary files.
    """
    notebook.metadata.papermill |= {"input_path": run.notebook.name, "output_path": f"{run.key}.ipynb"}
    for cell in notebook.cells:
        if INJECTED in cell.metadata.get("tags", []):
            cell.id = INJECTED
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
