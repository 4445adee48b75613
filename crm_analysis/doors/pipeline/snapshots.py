"""The fourth shape: the whole pipeline as it stood on several days, in dated files or in one table."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.pipeline import checks
from crm_analysis.doors.pipeline.history import found_entries
from crm_analysis.doors.pipeline.question import ID, OUTCOME, STAGE, Found, Question, schema_of
from crm_analysis.doors.pipeline.snapshot_days import days_of
from crm_analysis.doors.pipeline.stages import Stages
from crm_analysis.doors.schema import Check, Column, flag_rows
from crm_analysis.doors.sources import SourceTable, input_files
from crm_analysis.doors.verdict import Defect
from crm_analysis.errors import ConfigError

ENOUGH = 3
SCHEMA = schema_of(ID, STAGE, Column("snapshot_on", "day"), Column("created_at", "time"), OUTCOME)
# A column may have come or gone while snapshots were taken.
OF_A_DAY = replace(SCHEMA, may_lack=True)


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
    """All files up to `snapshot_at` as one table, each row with the day in the name of its file."""
    name, files = Path(question.source).name, _files(question)
    reads = [(replace(question, source=file.resolve()).read(OF_A_DAY), day) for day, file in files]
    there = [c.name for c in SCHEMA.columns if any(c.name in read.table.columns for read, _ in reads)]
    if set(question.columns) - set(there):
        # In none of them: refused with the columns of the last one.
        replace(question, source=files[-1][1].resolve()).read(SCHEMA)
    extra = {name for read, _ in reads for name in read.table.columns if name.startswith("source:")}
    wanted = [*there, *sorted(f"source:{name}" for name in question.only if f"source:{name}" in extra)]
    return SourceTable(
        ibis.union(*(_of_day(read.table, wanted, day) for read, day in reads)),
        name,
        reading=tuple(dict.fromkeys(line for read, _ in reads for line in read.reading)),
        notes=(*(note for read, _ in reads for note in read.notes), *_lacking(reads, there, name)),
    )


def _of_day(table: ir.Table, wanted: list[str], day: dt.date) -> ir.Table:
    """Rows of a file; what it lacks is empty."""
    kinds = {"money": "decimal(18, 4)", "time": "timestamp(6)", "day": "date"}
    empty = {column.name: kinds.get(column.kind, "string") for column in SCHEMA.columns}
    values = {
        name: table[name] if name in table.columns else ibis.null(empty.get(name, "string"))
        for name in wanted
    }
    values |= {name: value.cast("string") for name, value in values.items() if name not in empty}
    return table.select(**values, snapshot_on=ibis.literal(day))


def _lacking(reads: list[tuple[SourceTable, dt.date]], there: list[str], name: str) -> list[Defect]:
    """Say which columns came or went between snapshots."""
    lacking = {c: [day for read, day in reads if c not in read.table.columns] for c in there}
    return [
        Defect(
            f"{column} not in all snapshots",
            "flag",
            f"{name}: {len(days):,} of {len(reads):,} snapshots ({days[0]} to {days[-1]}) have no column for "
            f"{column}",
            bias=f"{column} is empty there: changes of it begin and end with its column",
        )
        for column, days in lacking.items()
        if days
    ]


def _files(question: Question) -> list[tuple[dt.date, Path]]:
    folder = Path(question.options.get("folder", "."))
    path, there = folder / question.source, input_files(str(question.source), folder)
    there = [file for file in there if not file.name.startswith(".")]
    if not there:
        raise ConfigError(f"pipeline: no files at {path}; give the folder of the snapshots, or a glob")
    of_file = days_of(there, _root(path), dates=question.options.get("dates"))
    dated = sorted((day, file) for file, day in of_file.items())
    days = [day for day, _ in dated]
    if twice := sorted({str(day) for day in days if days.count(day) > 1}):
        raise ConfigError(f"pipeline: {path} has several files of {twice}; leave one snapshot a day")
    if days[0] > question.snapshot_at:
        raise ConfigError(
            f"pipeline: the first snapshot, of {days[0]}, lies after snapshot_at {question.snapshot_at}"
        )
    return [(day, file) for day, file in dated if day <= question.snapshot_at]


def _root(path: Path) -> Path:
    """Folder of the snapshots: of a glob, the one above its first sign."""
    if path.is_dir():
        return path
    signs = [i for i, part in enumerate(path.parts) if any(sign in part for sign in "*?[")]
    return Path(*path.parts[: signs[0]]) if signs else path.parent


def _about_snapshots(found: Found, question: Question) -> list[Defect]:
    """Say what snapshots cannot show: exact times, steps in between, what was before the first one."""
    days = found.rows.select(day=found.rows.entered_at.date()).distinct().to_pyarrow()
    days = sorted(row["day"] for row in days.to_pylist())
    if not days:
        return []
    return [
        _known_to_the_snapshot(found.name, days),
        *_some_missing(found.name, days),
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


def _some_missing(name: str, days: list[dt.date]) -> list[Defect]:
    """Find holes in a series that is regular but for them."""
    gaps = [(day, later, (later - day).days) for day, later in pairwise(days)]
    if len(gaps) < ENOUGH:
        return []
    usual = sorted(days for *_, days in gaps)[len(gaps) // 2]
    # Days of work leave weekends out.
    longest = max(1.6 * usual, 4 if usual == 1 else 0)
    holes = [gap for gap in gaps if gap[2] > longest]
    irregular = [gap for gap in gaps if abs(gap[2] - usual) > max(0.4 * usual, 3)]
    if not holes or len(irregular) > len(gaps) / 3:
        return []
    shown = ", ".join(f"{day} to {later}" for day, later, _ in holes[:3])
    found = (
        f"{name}: snapshots are {usual} days apart, and farther in {len(holes)} places ({shown}): some are "
        "missing"
    )
    bias = "stages entered there are dated late, and those that were left again are not seen"
    return [Defect("snapshots missing", "flag", found, bias=bias)]


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
    # An end and the stage before it may share a day: the later one in the declared order is the last.
    place = rows.entered_at.epoch_seconds() * len(stages.known) + stages.rank(rows.stage)
    seen = rows.group_by("opportunity_id").agg(
        first_on=rows.entered_at.min().date(),
        last_on=rows.entered_at.max().date(),
        last_stage=rows.stage.argmax(place),
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
