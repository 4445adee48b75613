"""The fourth shape: the whole pipeline as it stood on several days, in dated files or in one table."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.pipeline import checks
from crm_analysis.doors.pipeline.history import found_entries
from crm_analysis.doors.pipeline.question import ID, OUTCOME, STAGE, Found, Question, schema_of
from crm_analysis.doors.pipeline.stages import Stages
from crm_analysis.doors.schema import Check, Column, flag_rows
from crm_analysis.doors.sources import SourceTable, input_files
from crm_analysis.doors.verdict import Defect
from crm_analysis.errors import ConfigError

SCHEMA = schema_of(ID, STAGE, Column("snapshot_on", "day"), Column("created_at", "time"), OUTCOME)
DATE_IN_NAME = re.compile(r"(?<!\d)(\d{4})[-_.]?(\d{2})[-_.]?(\d{2})(?!\d)")


def read_snapshots(question: Question) -> Found:
    """Read the states of all opportunities on several days; an entry is a state that was not there before."""
    read = _dated_rows(question) if _has_dates(question) else _dated_files(question)
    table = read.table.mutate(entered_at=read.table.snapshot_on.cast("timestamp(6)"))
    more = [checks.repeated("flag"), checks.contradicted("opportunity and snapshot")]
    found = found_entries(replace(read, table=table), question, more)
    return replace(found, notes=(*found.notes, *_about_snapshots(found, question)))


def _has_dates(question: Question) -> bool:
    """Whether a column says of which day each row is."""
    in_files = isinstance(question.source, (str, Path)) and not str(question.source).startswith("env:")
    return "snapshot_on" in question.columns or not in_files


def _dated_rows(question: Question) -> SourceTable:
    read = question.read(SCHEMA)
    if "snapshot_on" not in read.table.columns:
        raise ConfigError(
            f"pipeline: {read.place} has no day of its snapshots; map snapshot_on to a column of dates"
        )
    return read


def _dated_files(question: Question) -> SourceTable:
    """All files up to `snapshot_at` as one table, each row with the date in the name of its file."""
    tables = [
        _of_day(replace(question, source=file.resolve()).read(SCHEMA).table, day)
        for day, file in _files(question)
    ]
    return SourceTable(ibis.union(*tables), Path(question.source).name)


def _of_day(table: ir.Table, day: dt.date) -> ir.Table:
    known = [column.name for column in SCHEMA.columns if column.name in table.columns]
    return table.select(*known, snapshot_on=ibis.literal(day))


def _files(question: Question) -> list[tuple[dt.date, Path]]:
    folder = Path(question.options.get("folder", "."))
    path, there = folder / question.source, input_files(str(question.source), folder)
    dated = sorted((_day_of(file), file) for file in there if not file.name.startswith("."))
    days = [day for day, _ in dated]
    if not days:
        raise ConfigError(f"pipeline: no files at {path}; give the folder of the snapshots, or a glob")
    if twice := sorted({str(day) for day in days if days.count(day) > 1}):
        raise ConfigError(f"pipeline: {path} has several files of {twice}; leave one snapshot a day")
    if days[0] > question.snapshot_at:
        raise ConfigError(
            f"pipeline: the first snapshot, of {days[0]}, lies after snapshot_at {question.snapshot_at}"
        )
    return [(day, file) for day, file in dated if day <= question.snapshot_at]


def _day_of(file: Path) -> dt.date:
    days = {"-".join(parts) for parts in DATE_IN_NAME.findall(file.name)}
    try:
        (day,) = days
        return dt.date.fromisoformat(day)
    except ValueError:
        raise ConfigError(
            f"pipeline: the name {file.name!r} does not carry one date; name snapshots such as "
            "deals_2025-01-31.csv, or map snapshot_on to a column of dates"
        ) from None


def _about_snapshots(found: Found, question: Question) -> list[Defect]:
    """Say what snapshots cannot show: exact times, steps in between, what was before the first one."""
    days = found.rows.select(day=found.rows.entered_at.date()).distinct().to_pyarrow()
    days = sorted(row["day"] for row in days.to_pylist())
    if not days:
        return []
    return [
        _known_to_the_snapshot(found.name, days),
        *_last_is_early(found.name, days[-1], question.snapshot_at),
        *_cut_off(found, question.stages, days),
    ]


def _known_to_the_snapshot(name: str, days: list[dt.date]) -> Defect:
    gaps = sorted((later - day).days for day, later in pairwise(days)) or [0]
    found = (
        f"{name}: {len(days)} snapshots, {gaps[len(gaps) // 2]} days apart (at most {gaps[-1]}); a stage "
        "counts as entered on the first snapshot that shows it, so its time is late by up to that long"
    )
    bias = "steps taken and left between two snapshots are not seen: entries and moves back are too few"
    return Defect("times known to the snapshot", "flag", found, bias=bias)


def _last_is_early(name: str, last: dt.date, at: dt.date) -> list[Defect]:
    if last == at:
        return []
    found = (
        f"{name}: the last snapshot is of {last}, {(at - last).days} days before snapshot_at {at}; set "
        "snapshot_at to its day, or add the snapshots that are missing"
    )
    bias = "open opportunities look older than they are known to be, and shares won are too low"
    return [Defect("last snapshot is early", "flag", found, bias=bias)]


def _cut_off(found: Found, stages: Stages, days: list[dt.date]) -> list[Defect]:
    """Find opportunities that were there from the start, and those that vanish without an outcome."""
    rows = found.rows
    seen = rows.group_by("opportunity_id").agg(
        first_on=rows.entered_at.min().date(),
        last_on=rows.entered_at.max().date(),
        last_stage=rows.stage.argmax(rows.entered_at),
    )
    wanted = [
        Check(
            "in the first snapshot",
            "flag",
            lambda t: t.first_on == days[0],
            f"were there in the first snapshot, of {days[0]}: the stages that they had passed are not known",
            "their early stages are missing and their times too short: leave them out of cohorts",
            ("opportunity_id",),
            counted="opportunities",
        ),
        Check(
            "vanished",
            "flag",
            lambda t: (t.last_on < days[-1]) & ~stages.is_closed(t.last_stage),
            "are missing from later snapshots without having been won or lost; they stay open",
            "won of closed leans high if they are losses that were deleted",
            ("opportunity_id", "last_on"),
            counted="opportunities",
        ),
    ]
    return flag_rows(seen, wanted, name=found.name)
