"""DataFrames as tables of DuckDB."""

from __future__ import annotations

import ibis
import pandas as pd
import pyarrow as pa

from crm_analysis.doors.sources.opened import Opened, Refusal, unlike_names


def open_frame(frame: pd.DataFrame, engine: ibis.BaseBackend) -> Opened:
    """Copy of a DataFrame, its index left out."""
    if len(doubled := frame.columns[frame.columns.duplicated()]):
        raise Refusal(f"the columns {sorted(set(map(str, doubled)))} are there twice; rename one of each")
    named = frame.rename(columns=str)
    unlike_names(list(named.columns))
    try:
        table = pa.Table.from_pandas(named, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise Refusal(f"a column mixes types ({' '.join(map(str, error.args))}); make it one type") from None
    name = ibis.util.gen_name("source")
    engine.create_table(name, table.cast(pa.schema([_plain(field) for field in table.schema])))
    return Opened(engine.table(name), "DataFrame", parses_text=True, stored=(name,))


def _plain(field: pa.Field) -> pa.Field:
    """Categories as their values, columns of nothing as text."""
    if pa.types.is_null(field.type):
        return field.with_type(pa.string())
    return field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
