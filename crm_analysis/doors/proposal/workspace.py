"""A whole workspace proposed from files, written once, never over one that is there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from crm_analysis.doors.proposal import toml
from crm_analysis.doors.proposal.looks import Looked
from crm_analysis.doors.proposal.orders import propose_orders
from crm_analysis.doors.proposal.part import Part
from crm_analysis.doors.proposal.recognise import propose_part, propose_pipeline
from crm_analysis.doors.sources import connect
from crm_analysis.doors.sources.files import open_source
from crm_analysis.doors.sources.opened import Options, Refusal
from crm_analysis.errors import ConfigError, DataError


@dataclass(frozen=True)
class Proposed:
    """A file and what it was taken for."""

    source: str
    options: dict[str, str]
    table: Looked
    part: Part


def propose_file(source: str, options: Mapping[str, str] | None = None) -> Proposed:
    """Open a file as the doors would, and say what it is.

    Raises
    ------
    DataError
        The doors refuse the file; the sentence says what to do.
    """
    table = _opened(source, options or {})
    return Proposed(source, dict(options or {}), table, propose_part(table))


def propose_workspace(name: str, *, orders: str, deals: str | None, folder: Path) -> Path:
    """Write `NAME.toml` into `folder`; what cannot be known from the files stands in it as a comment.

    Raises
    ------
    ConfigError
        The workspace exists already.
    DataError
        The doors refuse a file.
    """
    check_name(name, folder)
    table = _opened(orders, {})
    parts = [Proposed(orders, {}, table, propose_orders(table))]
    if deals:
        table = _opened(deals, {})
        parts.append(Proposed(deals, {}, table, propose_pipeline(table)))
    return write_workspace(name, parts, folder=folder)


def check_name(name: str, folder: Path) -> Path:
    """Path of the new workspace."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise ConfigError(f"workspace name {name!r}: use letters, digits, - and _, since it names files")
    path = folder / f"{name}.toml"
    if path.exists():
        raise ConfigError(f"{path}: is there already; it is not overwritten. Choose another name or move it")
    return path


def write_workspace(name: str, parts: Sequence[Proposed], *, folder: Path) -> Path:
    """Write the workspace; the file appears whole, and only where there is none."""
    path = check_name(name, folder)
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write("\n".join(workspace_lines(name, parts)) + "\n")
    return path


def workspace_lines(name: str, parts: Sequence[Proposed]) -> list[str]:
    """Return the lines of a workspace of one firm."""
    currency = next((proposed.part.currency for proposed in parts if proposed.part.currency), None)
    firm = [line for proposed in parts for line in proposed.part.above] or [
        "# observed_from = 2024-01-01       # confirm: first whole day observed",
        "# observed_until = 2024-12-31      # confirm: last whole day observed",
    ]
    lines = [*_head(name, currency), *firm]
    for proposed in parts:
        lines += ["", *_part_lines(proposed)]
    if not any(proposed.part.kind == "transactions" for proposed in parts):
        lines += ["", "# A workspace needs purchases: add [firms.a.transactions] with source and columns."]
    return lines


def _head(name: str, currency: str | None) -> list[str]:
    money = toml.quoted(currency or "CNY")
    found = "the only one in the file" if currency else "the currency of all amounts"
    return [
        "# Proposed by crm-analysis from the names and values of the columns. Read every line, remove the #",
        f"# where a line is to hold, then run: crm-analysis check {name}",
        "schema_version = 1",
        f"name = {toml.quoted(name)}",
        '# language = "en"                  # or "zh"',
        f"# currency = {money}                 # confirm: {found}",
        '# timezone = "Asia/Shanghai"       # confirm: where the business day begins',
        '# customer = "customer"            # what one customer is: person, account, household',
        "",
        "[firms.a]",
        'name = "Firm A"',
    ]


def _part_lines(proposed: Proposed) -> list[str]:
    kind = proposed.part.kind
    options = [f"{key} = {_option(given)}" for key, given in proposed.options.items()]
    source = f"source = {toml.quoted(_absolute(proposed.source))}"
    return [f"[firms.a.{kind}]", source, *options, *proposed.part.lines]


def _option(given: str) -> str:
    return given if given in ("true", "false") else toml.quoted(given)


def _absolute(source: str) -> str:
    is_path = not source.startswith(("env:", "package:"))
    return str(Path.cwd() / source) if is_path else source


def _opened(source: str, given: Mapping[str, str]) -> Looked:
    """Open a source as the doors do; their refusal is the answer."""
    read: dict[str, Any] = {
        key: {"true": True, "false": False}.get(text, text) for key, text in given.items()
    }
    options = Options.of(read, door="check")
    try:
        return Looked(open_source(source, options, connect(), []), options)
    except Refusal as refusal:
        raise DataError(f"{Path(source).name}: {refusal}") from None
    except duckdb.Error as error:
        sentence = f"cannot be read ({str(error).splitlines()[0]}); export it again"
        raise DataError(f"{Path(source).name}: {sentence}") from None
