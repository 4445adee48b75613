"""The command line: `crm-analysis report | check | init | explore | simulate`.

Exit codes: 0 done, 1 a run failed (or, with `--strict`, the data came with a FLAG), 2 refused or wrong usage.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from crm_analysis.errors import ConfigError, CrmError, DataError

app = typer.Typer(
    help="Customer selection, lifetime value, segments and funnels as notebooks and a management report.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
WorkspaceName = Annotated[
    str, typer.Argument(help="Name of a workspace in data/ or work/, or its TOML file.")
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
        typer.echo("crm-analysis: the data came with a FLAG, and --strict was given", err=True)
        raise typer.Exit(1)


@app.command()
def check(workspace: WorkspaceName) -> None:
    """Check the data of a workspace and print the verdicts."""
    from crm_analysis.doors.store import open_workspace
    from crm_analysis.report.assemble import verdicts_of

    opened = open_workspace(workspace)
    for firm, verdict in verdicts_of(opened):
        typer.echo(f"{opened.settings.firm(firm).name}: {verdict}")


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="Name of the new workspace.")],
    orders: Annotated[Path, typer.Argument(help="Purchases: CSV, Excel or Parquet.")],
    deals: Annotated[Path | None, typer.Argument(help="Sales pipeline: CSV, Excel or Parquet.")] = None,
) -> None:
    """Propose a workspace from an export, to be read and confirmed, in work/."""
    from crm_analysis.report.proposal import propose_workspace

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


def _parameters(given: list[str]) -> dict[str, str]:
    """`["bins=4"]` as {"bins": "4"}."""
    pairs = [text.partition("=") for text in given]
    if wrong := [text for text, (_, sign, _) in zip(given, pairs, strict=True) if not sign]:
        raise ConfigError(f"-p {wrong[0]!r}: expected name=value")
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
        typer.echo(f"crm-analysis: {error}", err=True)
        sys.exit(2 if isinstance(error, (ConfigError, DataError)) else 1)


if __name__ == "__main__":
    main()
