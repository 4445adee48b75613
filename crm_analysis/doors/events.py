"""The door for event logs: who did what when, in one table of any length.

Rows stay an expression in the engine of their source: a Parquet file of a hundred million rows is counted and
checked in a few passes, and is never in the memory of Python. The order of the file means nothing: what is at
the same time is at the same time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.schema import PLACES, Check, Checked, Column, Schema, check_rows, is_missing, written
from crm_analysis.doors.sources import SourceTable, read_table
from crm_analysis.doors.transactions import as_date
from crm_analysis.doors.transactions.hashes import has_hashes, hash_of
from crm_analysis.doors.verdict import Defect, Verdict
from crm_analysis.errors import ConfigError, DataError

FIXED = (
    Column("entity_id", "id", required=True),
    Column("event", "text", required=True),
    Column("occurred_at", "time", required=True),
)
KEYS = [column.name for column in FIXED]
# Names that the door needs for itself.
TAKEN = {*PLACES, "source_total", "reason"}
# Columns of the door's own: no attribute has a colon in its name.
COPY, HASH, TIMES, TOTAL = "door:copy", "door:hash", "door:times", "door:total"
# Beyond so many rows, looking for exact duplicates costs more than it tells.
MOST_COMPARED = 20_000_000
SHOWS = ("entity_id", "event", "occurred_at")


@dataclass(frozen=True)
class Events:
    """A checked event log.

    rows : entity_id (text), event (text), occurred_at (local timestamp), and the attributes under the names
        that `columns` gives them, of the type that the source has; in no order. An Ibis expression.
    attributes : their names.
    observed_from, observed_until : first and last whole day that the log covers, where given.
    set_aside : reason -> rows;  set_aside_rows : those rows, with their reason.
    """

    rows: ir.Table
    attributes: tuple[str, ...]
    observed_from: dt.date | None
    observed_until: dt.date | None
    verdict: Verdict
    set_aside: dict[str, int]
    set_aside_rows: ir.Table
    n_rows_in: int

    def as_of(self, date: dt.date | str) -> Events:
        """Return the log as it was seen at the end of an earlier day."""
        at = as_date(date, "as_of")
        if self.observed_until is not None and at > self.observed_until:
            raise ConfigError(
                f"events: as_of {at} lies after observed_until {self.observed_until}; give an earlier day"
            )
        rows = self.rows.filter(self.rows.occurred_at < _after(at))
        return replace(self, rows=rows, observed_until=at)


def read_events(
    source: Any,
    *,
    columns: Mapping[str, Any],
    observed_from: dt.date | str | None = None,
    observed_until: dt.date | str | None = None,
    strict_order: bool = False,
    drop_duplicates: bool = False,
    max_set_aside: float = 0.05,
    **options: Any,
) -> Events:
    """Read and check an event log.

    Parameters
    ----------
    source : path, "env:VARIABLE", DataFrame or Ibis table.
    columns : canonical name -> name in the source: entity_id (a session, user, opportunity or account),
        event, occurred_at, and any attribute under a name of its own, such as {"platform": "device_type"}.
    observed_from, observed_until : first and last whole day that the log covers, local business time; rows
        outside are set aside.
    strict_order : counting will ask which of two events came first; then events of one entity at the same
        moment are counted, and rows that the source has out of order, with what that does to the counts.
    drop_duplicates : set exact duplicates aside; by default they are counted and kept. Above
        MOST_COMPARED rows they are looked for only if they are to be dropped.
    max_set_aside : share of rows set aside, above which the source is refused.
    options : what the source does not prove (`sources.Options`), and `engine`.

    Raises
    ------
    DataError
        Carrying the verdict: a column is missing or unreadable, too many rows set aside, nothing left.
    ConfigError
        The arguments contradict each other.

    Examples
    --------
    >>> read_events("clicks.parquet", columns={"entity_id": "session", "event": "action", "occurred_at": "at",
    ...     "platform": "platform"})
    """
    first, last = _span(observed_from, observed_until)
    schema = _schema(columns)
    read = read_table(source, schema, columns=columns, **options)
    attributes = tuple(column.name for column in schema.columns if column not in FIXED)
    table, copies = _marked(read.table) if drop_duplicates else (read.table, [])
    checks = [*_checks(first, last), *copies]
    checked = check_rows(table, checks, name=read.place, max_set_aside=max_set_aside)
    rows = checked.kept.select(*KEYS, *attributes)
    verdict = _judged(read, checked, strict_order=strict_order, counts_copies=not drop_duplicates)
    verdict.raise_if_refused()
    return Events(
        rows, attributes, first, last, verdict, checked.set_aside, checked.set_aside_rows, checked.n_rows_in
    )


def check_events(source: Any, **arguments: Any) -> Verdict:
    """Return the verdict of `read_events`, called with the same arguments, without raising it."""
    try:
        return read_events(source, **arguments).verdict
    except DataError as error:
        if error.verdict is None:
            raise
        return error.verdict


def _span(start: dt.date | str | None, end: dt.date | str | None) -> tuple[dt.date | None, dt.date | None]:
    first = None if start is None else as_date(start, "observed_from")
    last = None if end is None else as_date(end, "observed_until")
    if first and last and last < first:
        raise ConfigError(f"events: observed_until {last} lies before observed_from {first}")
    return first, last


def _schema(columns: Mapping[str, Any]) -> Schema:
    """Entity, event, time, and a column for every other name that is mapped."""
    names = [name for name in columns if name not in KEYS]
    small = [name.lower() for name in columns]
    alike = {name for name in names if small.count(name.lower()) > 1}
    if taken := sorted(name for name in names if name in {*TAKEN, *alike} or ":" in name or not name.strip()):
        raise ConfigError(
            f"events: {taken} cannot be names of attributes: they are taken, differ only in capital letters, "
            "or hold a colon; map them under other ones"
        )
    return Schema("events", (*FIXED, *(Column(name, "as it is") for name in names)))


def _checks(first: dt.date | None, last: dt.date | None) -> list[Check]:
    """Rows that cannot be used, in the order in which a rule claims a row."""
    outside = []
    if first is not None:
        begin = dt.datetime.combine(first, dt.time())
        outside.append(_outside("before observed_from", lambda t: t.occurred_at < begin, first))
    if last is not None:
        outside.append(_outside("after observed_until", lambda t: t.occurred_at >= _after(last), last))
    return [
        Check(
            "entity missing",
            "set aside",
            is_missing("entity_id"),
            "name nobody (entity_id)",
            "events of known entities are too few if some of these are theirs: counts lean low",
            ("event", "occurred_at"),
        ),
        Check(
            "event missing",
            "set aside",
            is_missing("event"),
            "have no event (event)",
            "steps are too few: counts lean low",
            ("entity_id", "occurred_at"),
        ),
        Check(
            "time missing",
            "set aside",
            is_missing("occurred_at"),
            "have no time (occurred_at)",
            "steps are too few: counts lean low",
            ("entity_id", "event"),
        ),
        *outside,
    ]


def _outside(name: str, finds: Any, day: dt.date) -> Check:
    where, option = name.split()
    found = f"lie {where} {option} {day}"
    return Check(name, "set aside", finds, found, f"none, if the log is incomplete {where} that day", SHOWS)


def _after(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time()) + dt.timedelta(days=1)


def _marked(table: ir.Table) -> tuple[ir.Table, list[Check]]:
    """Mark rows that repeat another one in every column of the source; which of them stays is all one."""
    same = ibis.window(group_by=[table[name] for name in _comparable(table)], order_by=table.entity_id)
    check = Check(
        "exact duplicate",
        "set aside",
        lambda t: t[COPY],
        "repeat another row in every column",
        "events are biased down if they happened twice",
        SHOWS,
    )
    return table.mutate(**{COPY: ibis.row_number().over(same) > 0}), [check]


def _comparable(table: ir.Table) -> list[str]:
    kinds = {name: table[name].type() for name in table.columns if name not in PLACES}
    return [name for name, kind in kinds.items() if not (kind.is_nested() or kind.is_json())]


def _judged(read: SourceTable, checked: Checked, *, strict_order: bool, counts_copies: bool) -> Verdict:
    verdict, name = read.judged(checked.verdict), read.place
    if not verdict.n_kept:
        empty = f"{name}: no rows are left; correct the source or the dates"
        return verdict.with_defects([Defect("no rows", "refuse", empty)])
    if counts_copies and verdict.n_rows > MOST_COMPARED:
        line = f"exact duplicates not looked for in more than {MOST_COMPARED:,} rows"
        verdict = replace(verdict, reading=(*verdict.reading, line))
    elif counts_copies:
        verdict = verdict.with_defects(_copies(checked.kept, name, verdict.n_rows))
    return verdict.with_defects(_order(checked.kept, name)) if strict_order else verdict


def _copies(kept: ir.Table, name: str, n_rows: int) -> list[Defect]:
    """Rows that repeat another one in every column of the source, looked for among those alike in `KEYS`."""
    columns = _comparable(kept)
    suspects = kept
    if has_hashes(kept):
        hashed = kept.mutate(**{HASH: hash_of(*(kept[column] for column in KEYS))})
        again = hashed.group_by(HASH).agg(**{TIMES: hashed.count()})
        again = written(again.filter(again[TIMES] > 1).select(HASH))
        suspects = hashed.semi_join(again, HASH).drop(HASH)
    groups = suspects.group_by(columns).agg(**{TIMES: suspects.count()})
    groups = groups.filter(groups[TIMES] > 1)
    groups = groups.select(*KEYS, **{TOTAL: (groups[TIMES] - 1).sum().over()})
    rows = groups.order_by(KEYS).limit(3).to_pyarrow().to_pylist()
    if not rows:
        return []
    n = int(rows[0][TOTAL])
    found = (
        f"{name}: {n:,} of {n_rows:,} rows ({n / n_rows:.1%}) are exact duplicates of another row; they are "
        "kept: set drop_duplicates = true if the log wrote them twice"
    )
    bias = "none on who came how far, but where a step is asked for twice; events are too many"
    return [Defect("exact duplicate", "flag", found, n, n / n_rows, None, tuple(map(_shown, rows)), bias)]


def _shown(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {row[name]}" for name in KEYS)


def _order(kept: ir.Table, name: str) -> list[Defect]:
    """Events of one entity at the same moment, and rows that the source has out of order."""
    return [*_ties(kept, name), *_out_of_order(kept, name)]


def _ties(kept: ir.Table, name: str) -> list[Defect]:
    moments = kept.group_by("entity_id", "occurred_at").agg(n=kept.count(), n_events=kept.event.nunique())
    tied = moments.filter(moments.n > 1)
    totals = tied.agg(n=(tied.n - 1).sum(), n_unlike=tied.count(where=tied.n_events > 1))
    n, n_unlike = (int(value or 0) for value in totals.to_pyarrow().to_pylist()[0].values())
    of = int(kept.count().to_pyarrow().as_py())
    if not n:
        return []
    order = [ibis.desc("n_events"), "entity_id", "occurred_at"]
    some = tied.order_by(order).limit(3).to_pyarrow().to_pylist()
    found = (
        f"{name}: {n:,} of {of:,} rows ({n / of:.1%}) are at the same moment as another row of their entity; "
        f"in {n_unlike:,} moments these are different events, and which came first is not known"
    )
    bias = (
        "steps at one moment are taken in their declared order: rates lean high; where times must increase, "
        "they lean low"
    )
    examples = tuple(f"entity_id {row['entity_id']}, occurred_at {row['occurred_at']}" for row in some)
    return [Defect("events at the same moment", "flag", found, n, n / of, None, examples, bias)]


def _out_of_order(kept: ir.Table, name: str) -> list[Defect]:
    """Rows that are earlier than the row above them, where the source numbers its rows."""
    places = [column for column in PLACES if column in kept.columns]
    if not {"source_line", "source_row"} & {*places}:
        return []
    order = [kept[column] for column in places]
    above = kept.occurred_at.lag().over(ibis.window(order_by=order))
    before = kept.occurred_at.lag().over(ibis.window(group_by=kept.entity_id, order_by=order))
    steps = kept.select(*KEYS, *places, above=above, before=before)
    late = steps.filter(steps.occurred_at < steps.above)
    n_own, n, of = (
        int(t.count().to_pyarrow().as_py())
        for t in (steps.filter(steps.occurred_at < steps.before), late, kept)
    )
    if not n:
        return []
    some = late.order_by(places).limit(3).to_pyarrow().to_pylist()
    found = (
        f"{name}: {n:,} of {of:,} rows ({n / of:.1%}) are earlier than the row above them, and {n_own:,} "
        "earlier than a row above them of their own entity; the times count, not the order of the rows"
    )
    bias = (
        "if the order of the rows is right, times are wrong, and steps seem to have happened backwards"
        if n_own
        else "none: each entity's rows are in order"
    )
    return [Defect("rows out of order", "flag", found, n, n / of, None, tuple(map(_shown, some)), bias)]
