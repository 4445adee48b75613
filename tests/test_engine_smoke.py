"""What breaks where Ibis, DuckDB and SQLGlot do not fit: version bounds move only with this green."""

import ibis
import pandas as pd
import pytest

from crm_analysis.doors.sources import connect


@pytest.fixture
def engine():
    return connect()


def test_sql(engine):
    assert engine.sql("SELECT 1 AS one").to_pyarrow().to_pylist() == [{"one": 1}]


def test_create_table_and_list_tables(engine):
    engine.create_table("numbers", pd.DataFrame({"n": [1, 2]}))
    engine.create_view("twice", engine.table("numbers").mutate(m=ibis._.n * 2))
    assert engine.list_tables() == ["numbers", "twice"]
    assert engine.table("twice").m.sum().to_pyarrow().as_py() == 6


def test_to_pyarrow_batches(engine):
    engine.create_table("numbers", pd.DataFrame({"n": range(10)}))
    batches = engine.table("numbers").to_pyarrow_batches(chunk_size=4)
    assert sum(batch.num_rows for batch in batches) == 10


def test_decimals_and_times_keep_their_types(engine):
    table = engine.sql(
        "SELECT 1.5::DECIMAL(18, 4) AS amount, TIMESTAMP '2024-01-05 10:00' AS at, DATE '2024-01-05' AS day"
    )
    assert {name: str(kind) for name, kind in table.schema().items()} == {
        "amount": "decimal(18, 4)",
        "at": "timestamp(6)",
        "day": "date",
    }


def test_time_zones_need_no_download(engine):
    local = "SELECT timezone('Asia/Shanghai', TIMESTAMPTZ '2024-01-05 23:30:00+00')"
    assert str(engine.raw_sql(local).fetchone()[0]) == "2024-01-06 07:30:00"
