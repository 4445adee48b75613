"""The same expressions on PostgreSQL: doors, customers, periods and funnel give what DuckDB gives."""

import os
from pathlib import Path

import ibis
import pandas as pd
import pytest

import crm_analysis as crm

URL = os.environ.get("CRM_TEST_POSTGRES")
DATA = Path(__file__).parents[2] / "data" / "firm_a"
pytestmark = pytest.mark.skipif(not URL, reason="CRM_TEST_POSTGRES names no PostgreSQL database to write to")

ORDERS = {
    "columns": {
        "customer_id": "customer_id",
        "occurred_at": "date",
        "amount": "amount",
        "order_id": "order_id",
        "quantity": "quantity",
        "unit_cost": "unit_cost",
    },
    "observed_from": "2022-01-01",
    "observed_until": "2025-12-31",
}
DEALS = {
    "columns": {"opportunity_id": "id", "stage": "stage", "entered_at": "entered_at", "owner": "owner"},
    "stages": ["Lead", "Qualified", "Proposal", "Negotiation", "Won"],
    "snapshot_at": "2025-12-31",
}


@pytest.fixture(scope="module", autouse=True)
def tables():
    """Both files as typed tables of the database."""
    server = ibis.connect(URL)
    for table, file in (("orders", "transactions"), ("deals", "stage_history")):
        rows = ibis.duckdb.connect().read_parquet(DATA / f"{file}.parquet").to_pyarrow()
        server.create_table(table, rows, overwrite=True)
    yield
    for table in ("orders", "deals"):
        server.drop_table(table)


@pytest.fixture(scope="module")
def logs():
    here = crm.read_transactions(DATA / "transactions.parquet", **ORDERS)
    return here, crm.read_transactions("env:CRM_TEST_POSTGRES", table="orders", **ORDERS)


def test_customers_are_the_same(logs):
    here, there = (crm.summarise_customers(log) for log in logs)
    pd.testing.assert_frame_equal(here, there, check_dtype=False)


def test_the_verdict_is_the_same(logs):
    here, there = ([(d.name, d.n_rows) for d in log.verdict.defects] for log in logs)
    assert here == there


def test_periods_are_the_same(logs):
    here, there = (crm.base.period_summary(log, period="2025-12") for log in logs)
    pd.testing.assert_frame_equal(here, there, check_dtype=False)


def test_funnels_are_the_same():
    here = crm.read_pipeline(DATA / "stage_history.parquet", **DEALS)
    there = crm.read_pipeline("env:CRM_TEST_POSTGRES", table="deals", **DEALS)
    counts = [crm.funnel.count_stages(p, window="120 days").counts for p in (here, there)]
    assert counts[0] == counts[1]
