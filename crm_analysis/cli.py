"""The command line: `crm-analysis report | check | init | choose | explore | simulate`.

Exit codes: 0 done, 1 a run failed (or, with `--strict`, the data came with a FLAG), 2 refused or wrong usage.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from crm_analysis.doors.plain import harmless
from crm_analysis.errors import ConfigError, CrmError, DataError

app = typer.Typer(
    help="Customer selection, lifetime value, segments and funnels as notebooks and a management report.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
FLAGGED = "crm-analysis: the data came with a FLAG, and --strict was given"
WorkspaceName = Annotated[
    str, typer.Argument(help="Name of a workspace in data/ or work/, or its TOML file.")
]
SourceOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option", "-o", help="name=value, such as sheet=Orders or encoding=gb18030; may be given again."
    ),
]
PeriodLabel = Annotated[
    str | None,
    typer.Option(help="2025-12, 2025Q4 or 2025; else the last month that was observed completely."),
]


@app.command()
def report(
    workspace: WorkspaceName,
    period: PeriodLabel = None,
    page: Annotated[list[str] | None, typer.Option(help="Only this page; may be given again.")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="name=value, for pages that declare it.")
    ] = None,
    strict: Annotated[bool, typer.Option(help="Exit with 1 where the data come with a FLAG.")] = False,
) -> None:
    """Check the data, run the notebooks, publish the pack; prints the page to open."""
    from crm_analysis.report.interrupt import run_interruptibly
    from crm_analysis.report.run import run_report

    parameters = _parameters(parameter or [])
    done = run_interruptibly(
        lambda cleanup: run_report(
            workspace, period=period, pages=page or (), parameters=parameters, cleanup=cleanup
        )
    )
    typer.echo(done.path / "index.html")
    if strict and done.flagged:
        typer.echo(FLAGGED, err=True)
        raise typer.Exit(1)


@app.command()
def check(
    what: Annotated[
        str,
        typer.Argument(
            help="A workspace, by name or TOML file; or a file, folder or glob to propose one from."
        ),
    ],
    strict: Annotated[bool, typer.Option(help="Exit with 1 where the data come with a FLAG.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdicts for machines.")] = False,
    option: SourceOptions = None,
    name: Annotated[str | None, typer.Option(help="Name of the workspace proposed for a file.")] = None,
) -> None:
    """Print the verdicts of a workspace; of a file, propose a workspace and print what it would read."""
    if _is_workspace(what):
        if option or name:
            raise ConfigError("--option and --name are for a file; a workspace says them itself")
        _check_workspace(what, strict=strict, as_json=as_json)
    elif strict or as_json:
        raise ConfigError(
            "--strict and --json are for a workspace; a file has no verdict before one is confirmed"
        )
    else:
        _check_file(what, _parameters(option or [], "-o"), name or _name_from(what))


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="Name of the new workspace.")],
    orders: Annotated[str, typer.Argument(help="Purchases: a file, folder or glob.")],
    deals: Annotated[str | None, typer.Argument(help="Sales pipeline: a file, folder or glob.")] = None,
) -> None:
    """Propose a workspace from an export, to be read and confirmed, in work/."""
    from crm_analysis.doors.proposal import propose_workspace

    path = propose_workspace(name, orders=orders, deals=deals, folder=_work_folder())
    typer.echo(f"{path}: read it and confirm its lines, then run: crm-analysis check {name}")


@app.command()
def explore(
    page: Annotated[str, typer.Argument(help="Name of a notebook, such as rfm_segmentation.")],
    workspace: Annotated[str, typer.Option(help="Name of a workspace, or its TOML file.")] = "demo",
    period: PeriodLabel = None,
    firm: Annotated[str | None, typer.Option(help="Key of the firm; else the first one.")] = None,
    open_lab: Annotated[bool, typer.Option("--open/--no-open", help="Open JupyterLab on the copy.")] = True,
) -> None:
    """Copy a notebook with its parameters into work/ and open JupyterLab on it."""
    from crm_analysis.report.explore import copy_for_exploring

    copy = copy_for_exploring(page, workspace=workspace, period=period, firm=firm)
    typer.echo(copy)
    if open_lab:
        lab = [sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", str(copy)]
        raise typer.Exit(subprocess.run(lab, check=False).returncode)


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("data"),
    seed: Annotated[int, typer.Option(help="Another seed makes other firms of the same kind.")] = 1,
) -> None:
    """Write the sample data of firms A and B, with the truth beside them."""
    from crm_analysis.simulate import write_sample

    for path in write_sample(out, seed=seed):
        typer.echo(path)


@app.command()
def choose(
    workspace: WorkspaceName,
    firm: Annotated[list[str] | None, typer.Option(help="Only this firm; may be given again.")] = None,
    period: PeriodLabel = None,
) -> None:
    """Choose each firm's model of purchases by how the models forecast before; the workspace keeps it."""
    from crm_analysis.clv import choose_anew
    from crm_analysis.doors.store import open_workspace
    from crm_analysis.report.plan import period_of

    opened = open_workspace(workspace)
    until = period_of(opened.settings, period).end
    for key in firm or opened.firms:
        choice = choose_anew(opened, key, until=until)
        typer.echo(
            f"{opened.firm_name(key)}: {choice.name}, by {choice.reason}, kept in {opened.settings.path}"
        )
        if len(choice.scores):
            typer.echo("Mean log score by last day known, higher is better:")
            typer.echo(choice.scores.round(4).to_string())


def _is_workspace(what: str) -> bool:
    """Whether a workspace of that name is there, which goes before a file of the same name.

    Raises
    ------
    ConfigError
        Neither is there.
    """
    from crm_analysis.doors.sources import input_files
    from crm_analysis.workspace import find_workspace

    try:
        find_workspace(what)
    except ConfigError as error:
        if what.startswith(("env:", "package:")) or (not what.endswith(".toml") and input_files(what)):
            return False
        raise ConfigError(f"{error}; and no file, folder or glob {what} in {Path.cwd()}") from None
    return True


def _check_workspace(name: str, *, strict: bool, as_json: bool) -> None:
    """Print the verdict of every table, then exit with what the worst of them asks for."""
    from crm_analysis.doors.store import open_workspace

    opened = open_workspace(name)
    verdicts = opened.judged()
    if as_json:
        found = [{"firm": firm, "name": table} | v.to_dict() for (firm, table), v in verdicts.items()]
        typer.echo(json.dumps(found, indent=1))
    else:
        for (firm, _), verdict in verdicts.items():
            typer.echo(verdict.told(before=f"{opened.firm_name(firm)}: "))
    statuses = [verdict.status for verdict in verdicts.values()]
    if n_refused := statuses.count("REFUSE"):
        typer.echo(f"crm-analysis: {n_refused} of {len(statuses)} tables are refused", err=True)
        raise typer.Exit(2)
    if strict and "FLAG" in statuses:
        typer.echo(FLAGGED, err=True)
        raise typer.Exit(1)


def _check_file(source: str, options: dict[str, str], name: str) -> None:
    """Print what a file seems to hold and write it as a workspace, unless there is one of that name."""
    from crm_analysis.doors.proposal import check_name, propose_file, show, write_workspace

    proposed = propose_file(source, options)
    typer.echo(show(proposed))
    try:
        path = check_name(name, _work_folder())
    except ConfigError as error:
        typer.echo(f"Not written. {error}, or give --name")
        return
    write_workspace(name, [proposed], folder=path.parent)
    typer.echo(f"Written to {path}: read it, confirm its lines, then run: crm-analysis check {name}")


def _name_from(source: str) -> str:
    """Name of a workspace for a file: its own, in letters that name files everywhere."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", Path(source).stem).strip("_") or "proposed"


def _parameters(given: list[str], option: str = "-p") -> dict[str, str]:
    """`["bins=4"]` as {"bins": "4"}."""
    pairs = [text.partition("=") for text in given]
    if wrong := [text for text, (_, sign, _) in zip(given, pairs, strict=True) if not sign]:
        raise ConfigError(f"{option} {wrong[0]!r}: expected name=value")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _work_folder() -> Path:
    """`work/` of the project that the working directory is in, else of the working directory itself."""
    here = Path.cwd()
    root = next((base for base in (here, *here.parents) if (base / "notebooks").is_dir()), here)
    return root / "work"


def main() -> None:
    """Run the command line; a refusal or a failure is one sentence on stderr, not a traceback."""
    try:
        app()
    except CrmError as error:
        # A sentence may quote what a file holds: its lines stay, everything else is made harmless.
        typer.echo("\n".join(map(harmless, f"crm-analysis: {error}".split("\n"))), err=True)
        sys.exit(2 if isinstance(error, (ConfigError, DataError)) else 1)


if __name__ == "__main__":
    main()
