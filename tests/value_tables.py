"""Small tables of text with lines, read through the door of values."""

import ibis
import pandas as pd
import pyarrow as pa
import pytest

from crm_analysis.doors.schema import Column, Schema
from crm_analysis.doors.sources import default_engine, read_table
from crm_analysis.doors.sources.opened import Opened, Options
from crm_analysis.doors.sources.typed import typed
from crm_analysis.errors import DataError

SALES = Schema(
    "sales",
    (
        Column("customer_id", "id", required=True),
        Column("occurred_at", "time", required=True),
        Column("amount", "money", required=True),
        Column("quantity", "number"),
        Column("unit_price", "money"),
        Column("category", "text"),
    ),
)
COLUMNS = {"customer_id": "customer", "occurred_at": "date", "amount": "amount"}


def frame(**columns):
    """Table of text: the columns given, and usual values in the others."""
    n = len(next(iter(columns.values())))
    usual = {"customer": ["C1"] * n, "date": ["2024-01-05"] * n, "amount": ["1.5"] * n}
    return pd.DataFrame(usual | columns | {"source_line": range(2, n + 2)})


def read(source, columns=COLUMNS, **options):
    """Typed table of a path, or of a frame whose rows have lines."""
    if not isinstance(source, pd.DataFrame):
        return read_table(source, SALES, columns=columns, **options)
    name = ibis.util.gen_name("source")
    fields = pa.Table.from_pandas(source, preserve_index=False)
    nothing = [pa.field(f.name, pa.string()) if pa.types.is_null(f.type) else f for f in fields.schema]
    table = default_engine().create_table(name, fields.cast(pa.schema(nothing)))
    opened = Opened(table, "sales", parses_text=True, stored=(name,))
    return typed(opened, SALES, columns, Options(**options))


def values(source, name, columns=COLUMNS, **options):
    """Values of one canonical column, in the order of the rows."""
    table = read(source, columns, **options).table
    return table.order_by("source_line")[name].to_pyarrow().to_pylist()


def flags(source, columns=COLUMNS, **options):
    """Name -> sentence of what is noted of a table that is accepted."""
    return {defect.name: defect.found for defect in read(source, columns, **options).notes}


def refusal(source, columns=COLUMNS, **options):
    with pytest.raises(DataError) as error:
        read(source, columns, **options)
    return str(error.value)
