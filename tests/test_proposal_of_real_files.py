"""Proposals for real logs, and for exports with everything that goes wrong in them."""

import tomllib
from pathlib import Path

import pytest
from test_proposal import asked, mapped

from crm_analysis.doors.proposal import propose_file, show
from crm_analysis.doors.proposal.workspace import workspace_lines
from crm_analysis.errors import DataError

DATA = Path(__file__).parents[2] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real data is not there")

REAL = {
    "online_retail_2011/online_retail.parquet": (
        {
            "customer_id": "CustomerID", "occurred_at": "InvoiceDate", "order_id": "InvoiceNo",
            "product_id": "StockCode", "quantity": "Quantity", "unit_price": "UnitPrice",
        },
        {},
        ["541,909 rows", "'Quantity' x 'UnitPrice'", "9,747,747.93 in total", "2010-12-01 to 2011-12-09",
         "empty in 135,080 of 541,909 rows", "9,288 rows of orders that begin with 'C' are below zero"],
    ),
    "contoso/sales.parquet": (
        {
            "customer_id": "customer_key", "occurred_at": "order_date", "order_id": "order_key",
            "product_id": "product_key", "quantity": "quantity", "unit_price": "unit_price",
            "unit_cost": "unit_cost", "discount": "discounts", "currency": "currency_code",
        },
        {"amount": ["gross_revenue", "net_revenue"]},
        ["7,305,939.03 in total", "holds 5 currencies (USD 4,004 rows, EUR 1,814 rows, CAD 829 rows"],
    ),
    "cdnow/CDNOW_master.txt": (
        {"customer_id": "customer_id", "occurred_at": "date", "amount": "dollar_value"},
        {},
        ["69,659 rows", "23,570 different", "2,500,315.63 in total", "1997-01-01 to 1998-06-30"],
    ),
    "cdnow/CDNOW_sample.txt": (
        {},
        {"customer_id": ["00004", "0001"], "occurred_at": ["19970101"], "amount": ["29.33"]},
        ["the first line looks like data; if there is no header, set header = false"],
    ),
    "rfm_orders/orders.parquet": (
        {"customer_id": "customer_id", "occurred_at": "order_date", "amount": "revenue"},
        {},
        ["464,158.00 in total", "995 different"],
    ),
    "completejourney/transactions.parquet": (
        {
            "customer_id": "household_id", "occurred_at": "transaction_timestamp", "amount": "sales_value",
            "order_id": "basket_id", "product_id": "product_id", "quantity": "quantity",
        },
        {},
        ["4,596,039.58 in total", "155,848 different"],
    ),
    "maven_crm/accounts.csv": ({"customer_id": "account", "segment": "sector"}, {}, ["taken for customers"]),
}  # fmt: skip


@pytest.mark.parametrize("file", REAL)
def test_real_logs_are_proposed_exactly(file):
    columns, questions, said = REAL[file]
    found = propose_file(str(DATA / file))
    assert mapped(found.part) == columns
    assert asked(found.part) == questions
    shown = " ".join(show(found).split())
    assert [words for words in said if words not in shown] == []


def test_a_pipeline_is_taken_for_one():
    assert propose_file(str(DATA / "maven_crm" / "sales_pipeline.csv")).part.kind == "pipeline"


USUAL = {
    "customer_id": "customer_id",
    "occurred_at": "order_date",
    "amount": "amount",
    "order_id": "order_id",
}
CHINESE = {"customer_id": "客户编号", "occurred_at": "订单日期", "amount": "金额", "order_id": "订单编号"}
WITHOUT = {"missing_column.csv": {"amount"}}
REFUSED = ["duplicate_headers.csv", "empty.csv", "header_only.csv", "ragged_row.csv", "truncated.parquet",
           "two_sheets.xlsx"]  # fmt: skip


def nasty():
    files = sorted((DATA / "nasty").glob("*")) if DATA.is_dir() else []
    return [path.name for path in files if path.name != "manifest.json"]


@pytest.mark.parametrize("file", nasty())
def test_odd_exports_are_proposed_alike_or_refused_as_the_doors_refuse_them(file):
    path = str(DATA / "nasty" / file)
    if file in REFUSED:
        with pytest.raises(DataError, match=file.partition(".")[0]):
            propose_file(path)
        return
    found = propose_file(path)
    expected = CHINESE if file.startswith("gbk") else USUAL
    expected = {role: column for role, column in expected.items() if role not in WITHOUT.get(file, ())}
    assert mapped(found.part) == expected | ({"currency": "currency"} if "currency" in file else {})
    assert asked(found.part) == {}
    tomllib.loads("\n".join(workspace_lines("mine", [found])))
