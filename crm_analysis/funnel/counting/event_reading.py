"""Events come into memory, from a frame or from DuckDB: only the columns and rows that matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel.counting.event_arrays import OTHER, EventArrays, sort_events
from crm_analysis.funnel.counting.event_rules import Rules, refuse_unknown

NEEDED = ("event", "occurred_at")


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


def is_local(rows: pd.DataFrame | ir.Table) -> bool:
    """Whether the rows are in memory or in DuckDB, from where arrays come fast."""
    return isinstance(rows, pd.DataFrame) or bool(rows.get_backend().name == "duckdb")


def read_arrays(
    rows: pd.DataFrame | ir.Table,
    rules: Rules,
    *,
    entity: str,
    attributes: Sequence[str] = (),
    known: Sequence[str] = (),
) -> EventArrays:
    """Bring the events that matter into sorted arrays; refuse steps that no event is."""
    refuse_missing_columns(rows, [entity, *NEEDED, *attributes])
    if isinstance(rows, pd.DataFrame):
        ids, who, time, code, values = _from_frame(rows, rules, entity, attributes)
    else:
        ids, who, time, code, values = _from_duckdb(rows, rules, entity, attributes)
    found = np.bincount(code, minlength=len(rules.names) + 1)[1:]
    if absent := [name for name, n in zip(rules.names, found, strict=True) if not n and name not in known]:
        refuse_absent(rows, absent)
    return sort_events(ids, who, time, code, values)


def refuse_absent(rows: pd.DataFrame | ir.Table, absent: Sequence[str]) -> None:
    """Refuse events that are not in the log."""
    if isinstance(rows, pd.DataFrame):
        present = rows["event"].dropna().astype(str).unique().tolist()
    else:
        present = [name for name in rows.select("event").distinct().to_pyarrow()["event"].to_pylist() if name]
    if not present:
        raise DataError("funnel: the log has no events; nothing can be counted")
    refuse_unknown(absent, present)


Columns = tuple[pd.Index, np.ndarray, np.ndarray, np.ndarray, dict[str, pd.Categorical]]


def _from_frame(rows: pd.DataFrame, rules: Rules, entity: str, attributes: Sequence[str]) -> Columns:
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
    values = {name: categories_of(rows[name][kept]) for name in attributes}
    return pd.Index(ids), who, time, code[kept], values


def _from_duckdb(rows: ir.Table, rules: Rules, entity: str, attributes: Sequence[str]) -> Columns:
    found = select_rows(rows, rules, entity=entity, attributes=attributes).to_pyarrow()
    return columns_of(found, attributes)


def select_rows(rows: ir.Table, rules: Rules, *, entity: str, attributes: Sequence[str] = ()) -> ir.Table:
    """Rows that matter, events as their code."""
    code = rows.event.cases(*((name, 1 + k) for k, name in enumerate(rules.names)), else_=OTHER)
    chosen = rows.select(
        who=rows[entity],
        time=rows.occurred_at.cast("timestamp(6)"),
        code=code.cast("uint8"),
        **{name: rows[name] for name in attributes},
    )
    return chosen if rules.reads_all else chosen.filter(chosen.code != OTHER)


def columns_of(found: pa.Table, attributes: Sequence[str] = ()) -> Columns:
    """Arrays of an Arrow table of who, time, code and attributes."""
    if nulls := sum(found[name].null_count for name in ("who", "time", "code")):
        raise DataError(f"funnel: {nulls} values are missing; set such rows aside with crm.read_events")
    time = _joined(found["time"].cast(pa.int64()))
    code = _joined(found["code"])
    if pa.types.is_integer(found.schema.field("who").type):
        ids, who = _numbered(_joined(found["who"]))
    else:
        encoded = found["who"].combine_chunks().dictionary_encode()
        encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
        who = encoded.indices.to_numpy(zero_copy_only=False)
        ids = pd.Index(encoded.dictionary.to_pandas())
    values = {name: categories_of(found[name].to_pandas()) for name in attributes}
    return ids, who, time, code, values


def _numbered(ids: np.ndarray) -> tuple[pd.Index, np.ndarray]:
    """Number entities whose ids are numbers: as they are where they are dense."""
    if len(ids) and (low := int(ids.min())) >= 0 and int(ids.max()) - low < 4 * len(ids):
        return pd.RangeIndex(low, int(ids.max()) + 1), ids - low if low else ids
    who, found = pd.factorize(ids)
    return pd.Index(found), who


def _joined(column: pa.ChunkedArray) -> np.ndarray:
    return (
        column.combine_chunks().to_numpy(zero_copy_only=False)
        if len(column)
        else np.array([], dtype=np.int64)
    )


def categories_of(values: pd.Series) -> pd.Categorical:
    """Values as text, categories sorted."""
    codes, found = pd.factorize(values)
    texts, order = np.unique(np.asarray(found, dtype=object).astype(str), return_inverse=True)
    moved = np.append(order, -1)[codes]
    return pd.Categorical.from_codes(moved, categories=pd.Index(texts.astype(object)))
