"""The whole report on the sample firms and on real purchases."""

import json
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from crm_analysis.report.run import run_report

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"
ONLINE_RETAIL = """
name = "Online Retail"
currency = "GBP"
timezone = "Europe/London"
output = "reports"
[firms.shop]
name = "Online Retail"
observed_from = 2010-12-01
observed_until = 2011-12-09
[firms.shop.transactions]
source = "{source}"
max_set_aside = 0.3
cancelled_orders = "C"
[firms.shop.transactions.columns]
customer_id = "CustomerID"
occurred_at = "InvoiceDate"
amount = {{ quantity = "Quantity", unit_price = "UnitPrice" }}
order_id = "InvoiceNo"
[value]
margin = 0.3
[report]
pages = ["management_summary", "rfm_segmentation", "customer_value"]
"""


def pack_of(workspace: str, folder: Path, period: str) -> Path:
    """Render the workspace's pack into `folder`."""
    path = folder / "shop.toml"
    text = workspace.replace('output = "../reports"', 'output = "reports"')
    path.write_text(text.replace('"firm_', f'"{(ROOT / "data").as_posix()}/firm_'))
    return run_report(path, period=period, tell=lambda line: None).path


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return pack_of((ROOT / "data" / "demo.toml").read_text(), tmp_path_factory.mktemp("demo"), "2025-12")


@pytest.fixture(scope="module")
def cdnow(tmp_path_factory):
    return pack_of((ROOT / "data" / "cdnow.toml").read_text(), tmp_path_factory.mktemp("cdnow"), "1998-06")


def metrics_of(pack: Path, page: str) -> dict:
    return json.loads((pack / "pages" / page / "metrics.json").read_text())


def test_the_sample_firms_have_a_page_each_and_one_together(demo):
    about_one = ("rfm_segmentation", "customer_value", "customer_selection", "campaigns")
    wanted = {"index", "funnel_comparison"} | {f"{page}_{firm}" for page in about_one for firm in "ab"}
    assert {path.stem for path in demo.glob("*.html")} == wanted


def test_pages_are_self_contained_and_show_no_code(demo):
    for path in demo.glob("*.html"):
        page = path.read_text()
        assert "import crm_analysis" not in page
        assert 'src="http' not in page
        assert '<link rel="stylesheet"' not in page
        assert page.count("<img") == page.count(" alt=") + page.count("\nalt=")


def test_the_funnel_page_leads_with_the_planted_transition(demo):
    assert metrics_of(demo, "funnel_comparison")["headline"].startswith(
        "Qualified to Proposal accounts for 9"
    )


def test_the_page_of_campaigns_tells_a_coupon_that_only_pulled_forward(demo):
    said = [s["text"] for s in metrics_of(demo, "campaigns_a")["sentences"]]
    assert any(text.startswith("Only pulled forward: 2025 spring coupon") for text in said)


def test_one_customer_has_one_value_on_every_page(demo):
    value = pd.read_csv(demo / "pages/customer_value_a/tables/values.csv", dtype={"customer_id": str})
    chosen = pd.read_csv(demo / "pages/customer_selection_a/tables/invest.csv", dtype={"customer_id": str})
    both = value.merge(chosen, on="customer_id")
    assert len(both) == len(chosen)
    assert both["purchases_p90_x"].equals(both["purchases_p90_y"])


def test_decisions_are_listed_with_those_held_back(demo):
    book = openpyxl.load_workbook(demo / "decisions.xlsx")
    lists = book.worksheets[1:]
    assert len(lists) >= 8
    headers = [cell.value for cell in lists[0][1]]
    assert {"Customer", "Why", "What", "Held back", "Owner", "Due"} <= set(headers)
    held = [
        row[[cell.value for cell in sheet[1]].index("Held back")]
        for sheet in lists
        for row in sheet.iter_rows(min_row=2, values_only=True)
    ]
    assert 0.05 < held.count("yes") / len(held) < 0.15


def test_the_closed_cohort_says_so_and_what_is_left_out(cdnow):
    index = (cdnow / "index.html").read_text()
    assert "There are no new customers by design" in index
    assert "Left out" in index
    assert "pipeline" in index
    assert not (cdnow / "funnel_comparison.html").exists()
    assert not list(cdnow.glob("campaigns*.html"))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real data of ../shared/data are not here")
def test_a_real_shop_log_makes_a_pack_that_says_what_it_biases(tmp_path):
    """Begins in the middle of customers' lives; a quarter of its rows name no customer."""
    source = (SHARED / "online_retail_2011" / "online_retail.parquet").as_posix()
    pack = pack_of(ONLINE_RETAIL.format(source=source), tmp_path, "2011-11")
    index = (pack / "index.html").read_text()
    assert "begins in the middle" in index
    assert "135,080 of 541,909 rows" in index
    assert {path.stem for path in pack.glob("*.html")} >= {
        "index",
        "rfm_segmentation_shop",
        "customer_value_shop",
    }
