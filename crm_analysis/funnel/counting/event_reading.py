"""Events come into memory, from a frame or from DuckDB: only the columns and rows that matter.

A log too long for memory comes in parts, each with all events of some of the entities, so that each part can
be counted by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

from crm_analysis.doors.transactions.hashes import hash_of
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel.counting.event_arrays import OTHER, EventArrays, sort_events
from crm_analysis.funnel.counting.event_rules import Rules, refuse_unknown

NEEDED = ("event", "occurred_at")
# Rows that are in memory at once.
LARGE = 20_000_000
# Fewer events are counted before a second thread has started.
WORTH_TWO = 200_000


@dataclass(frozen=True)
class EventColumns:
    """Events in the order of the source.

    ids : of the entities, in the order of their numbers; None where `who` holds hashes and no numbers.
    who, time, code, values : of each event, as in `EventArrays`.
    """

    ids: pd.Index | None
    who: np.ndarray
    time: np.ndarray
    code: np.ndarray
    values: dict[str, pd.Categorical]

    def halves(self) -> list[EventColumns]:
        """Part the entities in two, for two processors."""
        if len(self.who) < WORTH_TWO:
            return [self]
        odd = (self.who & np.asarray(1, self.who.dtype)).astype(bool)
        return [self._half(np.flatnonzero(odd == parity), parity) for parity in (0, 1)]

    def _half(self, rows: np.ndarray, parity: int) -> EventColumns:
        values = {name: values[rows] for name, values in self.values.items()}
        who, time, code = self.who[rows], self.time[rows], self.code[rows]
        if self.ids is None:
            return EventColumns(None, who, time, code, values)
        return EventColumns(self.ids[parity::2], who >> 1, time, code, values)

    def sorted(self) -> EventArrays:
        """Number entities where they have no numbers yet, and sort."""
        ids, who = self.ids, self.who
        if ids is None:
            who, found = pd.factorize(who)
            ids = pd.RangeIndex(len(found))
        return sort_events(ids, who, self.time, self.code, self.values)


def rows_of(events: Any) -> pd.DataFrame | ir.Table:
    """Rows of what a door returned, or of what already is a table."""
    rows = getattr(events, "rows", events)
    if not isinstance(rows, pd.DataFrame | ir.Table):
        raise ConfigError(
            f"funnel: events are a {type(events).__name__}; expected what crm.read_events returned, or a "
            "DataFrame or Ibis table with entity_id, event, occurred_at"
        )
    return rows


def refuse_missing_columns(rows: pd.DataFrame | ir.Table, wanted: Sequence[str]) -> None:
    """Refuse a table without the columns that are asked for."""
    if absent := [name for name in wanted if name not in rows.columns]:
        raise DataError(f"funnel: no columns {absent} in the events; columns present: {list(rows.columns)}")


def read_parts(
    rows: pd.DataFrame | ir.Table,
    rules: Rules,
    *,
    entity: str,
    attributes: Sequence[str] = (),
    with_ids: bool = True,
) -> Iterator[EventColumns]:
    """Give the columns of the events that matter, unsorted, a part of the entities at a time.

    Without ids, texts stay in DuckDB: its 64-bit hash tells entities apart.
    """
    if isinstance(rows, pd.DataFrame):
        yield _from_frame(rows, rules, entity, attributes)
        return
    who = rows[entity]
    hashed = not (with_ids or who.type().is_integer())
    n_rows = int(rows.count().to_pyarrow().as_py())
    n_parts = max(-(-n_rows // LARGE), 1)
    for part in range(n_parts):
        kept = None if n_parts == 1 else hash_of(who) % n_parts == part
        some = _select(rows, rules, hash_of(who) if hashed else who, attributes, kept)
        yield _columns(some.to_pyarrow(), attributes, hashed=hashed)


def count_names(columns: EventColumns, rules: Rules) -> np.ndarray:
    """How many events of each name there are."""
    return np.bincount(columns.code, minlength=len(rules.names) + 1)[1:]


def refuse_absent(rows: pd.DataFrame | ir.Table, absent: Sequence[str]) -> None:
    """Refuse events that are not in the log."""
    if isinstance(rows, pd.DataFrame):
        present = rows["event"].dropna().astype(str).unique().tolist()
    else:
        present = [name for name in rows.select("event").distinct().to_pyarrow()["event"].to_pylist() if name]
    if not present:
        raise DataError("funnel: the log has no events; nothing can be counted")
    refuse_unknown(absent, present)


def _from_frame(rows: pd.DataFrame, rules: Rules, entity: str, attributes: Sequence[str]) -> EventColumns:
    moments = rows["occurred_at"]
    if not pd.api.types.is_datetime64_any_dtype(moments):
        raise DataError(
            f"funnel: occurred_at is {moments.dtype}; expected times, so read the log with crm.read_events"
        )
    missing = {name: int(rows[name].isna().sum()) for name in (entity, *NEEDED)}
    if any(missing.values()):
        raise DataError(f"funnel: values are missing: {missing}; set such rows aside with crm.read_events")
    numbers, names = pd.factorize(rows["event"])
    places = {name: 1 + k for k, name in enumerate(rules.names)}
    code = np.array([places.get(str(name), OTHER) for name in names], dtype=np.uint8)[numbers]
    kept = slice(None) if rules.reads_all else code != OTHER
    who, ids = pd.factorize(rows[entity][kept])
    if moments.dt.tz is not None:
        moments = moments.dt.tz_convert(None)
    time = moments[kept].to_numpy("datetime64[us]").astype(np.int64)
    values = {name: _categories(rows[name][kept]) for name in attributes}
    return EventColumns(pd.Index(ids), who, time, code[kept], values)


def _select(
    rows: ir.Table, rules: Rules, who: ir.Value, attributes: Sequence[str], kept: Any = None
) -> ir.Table:
    """Rows that matter, events as their code; one query, so that DuckDB reads what it keeps and no more."""
    code = rows.event.cases(*((name, 1 + k) for k, name in enumerate(rules.names)), else_=OTHER)
    tests = [*([] if rules.reads_all else [code != OTHER]), *([] if kept is None else [kept])]
    return (rows.filter(tests) if tests else rows).select(
        who=who,
        time=rows.occurred_at.cast("timestamp(6)"),
        code=code.cast("int16"),
        **{name: rows[name].cast("string") for name in attributes},
    )


def _columns(found: pa.Table, attributes: Sequence[str], *, hashed: bool) -> EventColumns:
    if nulls := sum(found[name].null_count for name in ("who", "time", "code")):
        raise DataError(f"funnel: {nulls} values are missing; set such rows aside with crm.read_events")
    time, code = _joined(found["time"].cast(pa.int64())), _joined(found["code"]).astype(np.uint8)
    ids: pd.Index | None = None
    if hashed:
        who = _joined(found["who"])
    elif pa.types.is_integer(found.schema.field("who").type):
        ids, who = _numbered(_joined(found["who"]))
    else:
        encoded = _one(found["who"]).dictionary_encode()
        who = encoded.indices.to_numpy(zero_copy_only=False)
        ids = pd.Index(encoded.dictionary.to_pandas())
    values = {name: _categories(found[name].to_pandas()) for name in attributes}
    return EventColumns(ids, who, time, code, values)


def _numbered(ids: np.ndarray) -> tuple[pd.Index, np.ndarray]:
    """Number entities whose ids are numbers: as they are where they are dense."""
    if len(ids) and (low := int(ids.min())) >= 0 and int(ids.max()) - low < 4 * len(ids):
        return pd.RangeIndex(low, int(ids.max()) + 1), ids - low if low else ids
    who, found = pd.factorize(ids)
    return pd.Index(found, dtype=found.dtype), who


def _one(column: pa.ChunkedArray) -> pa.Array:
    joined = column.combine_chunks()
    return pa.concat_arrays(joined.chunks) if isinstance(joined, pa.ChunkedArray) else joined


def _joined(column: pa.ChunkedArray) -> np.ndarray:
    return _one(column).to_numpy(zero_copy_only=False) if len(column) else np.array([], dtype=np.int64)


def _categories(values: pd.Series) -> pd.Categorical:
    """Values as text, categories sorted."""
    codes, found = pd.factorize(values)
    texts, order = np.unique(np.asarray(found, dtype=object).astype(str), return_inverse=True)
    return pd.Categorical.from_codes(np.append(order, -1)[codes], categories=pd.Index(texts.astype(object)))
