"""What a report will run: which notebooks, for which firms, which parameters; all of it checked first."""

from __future__ import annotations

import ast
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crm_analysis.errors import ConfigError
from crm_analysis.report.page import page_key
from crm_analysis.workspace import Period, Workspace, add_months, find_workspace, read_workspace

RESERVED = ("workspace", "period", "firm")
NEEDS_TWO_PIPELINES = ("funnel_comparison",)
NEEDS_CONTACTS = ("campaigns",)


@dataclass(frozen=True)
class PageRun:
    """One notebook with its parameters; `key` names it in the pack."""

    key: str
    notebook: Path
    parameters: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the notebook."""
        return self.notebook.stem


@dataclass(frozen=True)
class Plan:
    """Everything that a report will run; `left_out` gives the reason by page."""

    settings: Workspace
    period: Period
    runs: tuple[PageRun, ...]
    left_out: dict[str, str]
    only: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Name of the pack: the period, and the pages where not all of them were asked for."""
        return "-".join([self.period.label, *self.only])


def plan_report(
    workspace: str | Path,
    *,
    period: str | None = None,
    pages: Sequence[str] = (),
    parameters: Mapping[str, str] | None = None,
) -> Plan:
    """Check what was asked for and say what will run; nothing is run or written.

    Parameters
    ----------
    period : label such as "2025-12"; else the last month that every firm was observed in completely.
    pages : notebooks to run; else those of the workspace.
    parameters : for the notebooks that declare them, as text; read as the type of the default.

    Raises
    ------
    ConfigError
        An unknown page or parameter, a value of the wrong type, a period that was not wholly observed.
    """
    settings = read_workspace(workspace)
    chosen = period_of(settings, period)
    wanted = tuple(pages) or settings.report.pages
    left_out = {name: reason for name in wanted if (reason := _reason_to_leave_out(name, settings))}
    notebooks = {name: find_notebook(name, settings) for name in wanted if name not in left_out}
    declared = {name: declared_parameters(path) for name, path in notebooks.items()}
    given = _parsed(parameters or {}, declared)
    common = {"workspace": _name_for_kernels(workspace, settings), "period": chosen.label}
    runs = tuple(
        PageRun(page_key(name, firm), notebooks[name], _of_page(declared[name], common | given, firm))
        for name in notebooks
        for firm in (_firms_with(name, settings) if "firm" in declared[name] else (None,))
    )
    return Plan(settings, chosen, runs, left_out, tuple(pages))


def period_of(settings: Workspace, label: str | None) -> Period:
    """Period to report on; it must have been observed from its first to its last day for every firm."""
    period = Period.parse(label or _last_complete_month(settings), settings.calendar)
    for key, firm in settings.firms.items():
        if period.start < firm.observed_from or period.end > firm.observed_until:
            raise ConfigError(
                f"period {period.label!r}: firm {key!r} was observed from {firm.observed_from} to "
                f"{firm.observed_until}, not all of {period.start} to {period.end}; "
                f"the last complete month is {_last_complete_month(settings)!r}"
            )
    return period


def _last_complete_month(settings: Workspace) -> str:
    until = min(firm.observed_until for firm in settings.firms.values())
    return f"{add_months((until + dt.timedelta(days=1)).replace(day=1), -1):%Y-%m}"


def find_notebook(name: str, settings: Workspace) -> Path:
    """Notebook called `name`, in `notebooks/` or `work/`, from the workspace or the working directory upward.

    Raises
    ------
    ConfigError
        There is none.
    """
    starts = [settings.folder.resolve(), Path.cwd(), Path(__file__).parent]
    folders = [
        folder
        for start in starts
        for base in (start, *start.parents)
        for folder in (base / "notebooks", base / "work")
    ]
    for folder in folders:
        if (path := folder / f"{name}.ipynb").is_file():
            return path
    known = sorted({path.stem for folder in folders for path in folder.glob("*.ipynb")})
    raise ConfigError(f"page {name!r}: no notebooks/{name}.ipynb or work/{name}.ipynb; notebooks: {known}")


def declared_parameters(notebook: Path) -> dict[str, Any]:
    """Parameters that a notebook declares in its cell tagged `parameters`, with their defaults."""
    # Read as plain JSON: nbformat takes a second to import, which a refusal need not wait for.
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    source = "\n".join("".join(cell["source"]) for cell in tagged)
    declared: dict[str, Any] = {}
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            declared[statement.targets[0].id] = ast.literal_eval(statement.value)
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            declared[statement.target.id] = statement.value and ast.literal_eval(statement.value)
    return declared


def _parsed(given: Mapping[str, str], declared: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Values of the parameters as the notebooks declare them; an unknown one is refused."""
    parsed = {}
    for name, text in given.items():
        if name in RESERVED:
            raise ConfigError(
                f"parameter {name!r}: is set by the report itself, from the workspace and --period"
            )
        defaults = [of_page[name] for of_page in declared.values() if name in of_page]
        if not defaults:
            known = {page: sorted(set(names) - set(RESERVED)) for page, names in declared.items()}
            raise ConfigError(f"parameter {name!r}: no page declares it; declared by page: {known}")
        parsed[name] = _value_of(name, text, defaults[0])
    return parsed


def _value_of(name: str, text: str, default: Any) -> Any:
    """`text` as a value of the default's type; text stays text."""
    if default is None or isinstance(default, str):
        return text
    try:
        value = ast.literal_eval({"true": "True", "false": "False"}.get(text, text))
    except (ValueError, SyntaxError):
        value = None
    wanted = (int, float) if isinstance(default, float) else type(default)
    if not isinstance(value, wanted) or isinstance(value, bool) is not isinstance(default, bool):
        raise ConfigError(f"parameter {name} = {text!r}: expected a value like {default!r}")
    return value


def _of_page(declared: Mapping[str, Any], values: dict[str, Any], firm: str | None) -> dict[str, Any]:
    return {name: value for name, value in (values | {"firm": firm}).items() if name in declared}


def _reason_to_leave_out(page: str, settings: Workspace) -> str | None:
    with_pipeline = [key for key, firm in settings.firms.items() if firm.pipeline]
    if page in NEEDS_TWO_PIPELINES and len(with_pipeline) < 2:
        return f"needs the pipelines of two firms; the workspace has {len(with_pipeline)}"
    if not _firms_with(page, settings):
        return "needs contacts of campaigns; no firm of the workspace has them"
    return None


def _firms_with(page: str, settings: Workspace) -> list[str]:
    """Firms that have what a page about one firm needs."""
    return [key for key, firm in settings.firms.items() if page not in NEEDS_CONTACTS or firm.contacts]


def _name_for_kernels(given: str | Path, settings: Workspace) -> str:
    """Name by which a kernel finds the workspace: its key where that is enough, so that no path is stored."""
    try:
        found = find_workspace(settings.key)
    except ConfigError:
        return str(given)
    return settings.key if found == settings.path else str(given)
