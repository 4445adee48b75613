"""Run the notebooks of a report and publish the pack."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from crm_analysis.errors import ReportError
from crm_analysis.report import publish
from crm_analysis.report.assemble import Finished, assemble, write_reports_index
from crm_analysis.report.execute import PageError, execute
from crm_analysis.report.kernels import Kernels
from crm_analysis.report.plan import PageRun, Plan, plan_report
from crm_analysis.report.render import render_notebook
from crm_analysis.report.text import read_catalogue

AT_ONCE = 2
HEAVY = ("papermill", "nbconvert.exporters.html", "jupyter_client.manager", "xlsxwriter")


@dataclass(frozen=True)
class Report:
    """A published report: where it is, and whether the data came with a FLAG."""

    path: Path
    flagged: bool


def tell(line: str) -> None:
    """Progress, for the terminal."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def run_report(
    workspace: str | Path,
    *,
    period: str | None = None,
    pages: Sequence[str] = (),
    parameters: Mapping[str, str] | None = None,
    tell: Callable[[str], None] = tell,
    cleanup: ExitStack | None = None,
) -> Report:
    """Check the data once, run every notebook, render, and publish the pack in one step.

    Parameters
    ----------
    period, pages, parameters : as for `plan_report`.
    tell : gets one line of progress at a time.
    cleanup : closed by whoever stops the run from outside: it ends the kernels and removes what they wrote.

    Raises
    ------
    ConfigError, DataError
        The question or the data are refused; nothing was written.
    ReportError
        A notebook failed; the last good report is still in place.
    """
    from crm_analysis.doors.store import open_workspace

    cleanup = cleanup or ExitStack()
    plan = plan_report(workspace, period=period, pages=pages, parameters=parameters)
    clock = Clock(tell)
    # Papermill takes a second to import, in which the doors read the data.
    threading.Thread(target=_import_heavy, daemon=True).start()
    opened = open_workspace(plan.settings.path)
    opened.verdicts()
    clock.lap("data checked")
    for page, reason in plan.left_out.items():
        tell(f"  {page} left out: {reason}")
    run = publish.new_run(plan.settings.output_folder, plan.settings.key, plan.label)
    cleanup.callback(publish.discard, run)
    try:
        return _build(plan, opened, run, clock, cleanup)
    except BaseException:
        cleanup.close()
        raise


def _build(plan: Plan, opened: Any, run: Path, clock: Clock, cleanup: ExitStack) -> Report:
    kernels = Kernels()
    cleanup.callback(kernels.stop)
    finished = _run_pages(plan, run, kernels, clock)
    clock.lap("pages run")
    status = assemble(plan, opened, finished, run, seconds=clock.seconds)
    # From here on the run is whole, and stays.
    cleanup.pop_all()
    link = publish.publish(run, workspace=plan.settings.key, label=plan.label)
    write_reports_index(plan.settings.output_folder)
    return Report(link, flagged=status != "PASS")


def _run_pages(plan: Plan, folder: Path, kernels: Kernels, clock: Clock) -> list[Finished]:
    """Run and render all pages, two at a time; all failures are told together."""
    from papermill.iorw import local_file_io_cwd

    text = read_catalogue(plan.settings.language)

    def one(run: PageRun) -> Finished | PageError:
        try:
            done = execute(run, folder=folder, kernels=kernels)
        except PageError as error:
            clock.tell(f"  {run.key}  failed")
            return error
        clock.tell(f"  {run.key}  {done.seconds:.1f} s")
        return Finished(run, render_notebook(done.notebook, page=run.name, text=text), done.seconds)

    # Papermill changes the process's directory around each write, to one that it keeps for all threads; two
    # notebooks side by side would leave there the directory of an earlier run.
    with local_file_io_cwd(), ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(one, plan.runs))
    if failures := [result for result in results if isinstance(result, PageError)]:
        raise _failed(failures, folder)
    return [result for result in results if isinstance(result, Finished)]


def _failed(failures: Sequence[PageError], folder: Path) -> ReportError:
    """Keep what the failed notebooks left and say where it is."""
    evidence = publish.keep_evidence(folder, [failure.notebook for failure in failures])
    problems = "; ".join(str(failure) for failure in failures)
    return ReportError(f"{problems}. The last good report is still in place; to look at: {evidence}")


def _import_heavy() -> None:
    for module in HEAVY:
        import_module(module)


class Clock:
    """Tells how long each part took and keeps it for the record."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, what: str) -> None:
        """Tell and keep the time since the last lap."""
        now = time.perf_counter()
        self.seconds[what] = now - self._last
        self._last = now
        self.tell(f"  {what}  {self.seconds[what]:.1f} s")
