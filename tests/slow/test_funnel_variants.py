"""The page of two firms on every variant of the simulator; run with CRM_TEST_SLOW=1."""

import os
import re

import matplotlib as mpl
import pytest
from funnel_pages import ROOT, run_page

from crm_analysis import simulate

mpl.use("agg")
pytestmark = pytest.mark.skipif("CRM_TEST_SLOW" not in os.environ, reason="set CRM_TEST_SLOW=1")
GUILTY = {
    "first stage": "Lead to Qualified",
    "second stage": "Qualified to Proposal",
    "third stage": "Proposal to Negotiation",
    "last stage": "Negotiation to Won",
}


def page_of(folder, variant):
    for key in "ab":
        simulated = simulate.firm(key.upper(), seed=1, variant=variant)
        simulate.write_firm(simulated, folder / f"firm_{key}", truth_folder=folder / "truth" / f"firm_{key}")
    (folder / "demo.toml").write_text((ROOT / "data" / "demo.toml").read_text())
    return run_page(folder / "demo.toml", folder / "page")


def hints_of(page):
    return [key for key in page.sentences if key.startswith("hint")]


@pytest.mark.parametrize("variant", GUILTY)
def test_the_planted_transition_is_named_with_share_and_interval(tmp_path, variant):
    page = page_of(tmp_path, variant)
    found = re.match(rf"{GUILTY[variant]} accounts for (\d+)% \((\d+)% to (\d+)%\)", page.record["headline"])
    share, low, high = (int(n) for n in found.groups())
    assert low < share < high
    assert low > 50
    assert hints_of(page) == ["hint_one_stage"]


def test_slower_is_not_lower(tmp_path):
    page = page_of(tmp_path, "slow")
    assert page.record["headline"].startswith("No gap in conversion, but Firm B is slower than Firm A")
    assert set(hints_of(page)) <= {"hint_slower_not_lower", "hint_immature"}


def test_other_customers_are_named(tmp_path):
    assert hints_of(page_of(tmp_path, "mix")) == ["hint_mix_driven"]


def test_where_nothing_differs_nothing_is_hinted(tmp_path):
    page = page_of(tmp_path, "same")
    assert page.record["headline"].startswith(("No gap in conversion", "Firm A and Firm B win", "Firm B and"))
    assert hints_of(page) == []
