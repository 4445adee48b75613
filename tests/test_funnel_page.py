"""The page of two firms says what was planted, nothing where nothing was, and no number that no table has."""

import datetime as dt
import re
from contextlib import nullcontext
from unittest.mock import patch

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from funnel_pages import demo_workspace, run_page
from maven import FOLDER as MAVEN
from maven import needs_maven

from crm_analysis.report.text import read_catalogue

mpl.use("agg")
# A split is arithmetic: these words are not for it.
CAUSAL = {
    "en": (
        "explain",
        "cause",
        "drive",
        "driving",
        "because of",
        "due to",
        "thanks to",
        "leads to",
        "owing to",
    ),
    "zh": ("导致", "造成", "引起", "致使", "使得", "归因"),
}
OPTIONAL = ("owner", "amount", "source", "segment", "lost_reason", "phone", "expected_close")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The sample firms' page in both languages, and without what may be missing."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, language, without in (
        ("en", "en", ()),
        ("zh", "zh", ()),
        ("bare", "en", (*OPTIONAL, "spend")),
    ):
        # In one folder, so that what was checked once is not checked again.
        workspace = demo_workspace(folder, language=language, without=without)
        # What is drawn is the same with less; once in each language is enough.
        with patch("matplotlib.figure.Figure.savefig") if without else nullcontext():
            found[name] = run_page(workspace, folder / f"page_{name}")
    return found


def test_the_sample_firms_have_one_hint_and_every_part_of_the_page(pages):
    page = pages["en"]
    assert page.record["headline"].startswith("Qualified to Proposal accounts for 9")
    assert [key for key in page.sentences if key.startswith("hint")] == ["hint_one_stage"]
    assert [figure["name"] for figure in page.record["figures"]] == [
        "split", "rates", "reached", "won_by_age", "money", "segments", "lost_by_age",
    ]  # fmt: skip
    assert {found["name"] for found in page.record["decisions"]} == {"open_a", "open_b"}
    assert {"rates", "split", "money", "segments", "ahead", "velocity", "lost_reasons", "found"} <= set(
        page.tables
    )


def numbers_of(text: str) -> list[tuple[float, int, bool]]:
    """Numbers in a text, without dates and names: value, decimals, and whether it is a percentage."""
    plain = re.sub(r"\d{4}-\d{2}-\d{2}|\d{4}年\d+月", " ", text)
    plain = re.sub(r"1,000|100,000|< 0\.001|[<>]\d+%|(?<!\d)(80|90|95|30)(%| days|天)", " ", plain)
    found = re.findall(r"(?<![A-Za-z0-9_.,])[-+−±]?(\d[\d,]*(?:\.\d+)?)(%?)", plain)
    return [(float(n.replace(",", "")), len(n.partition(".")[2]), bool(p)) for n, p in found]


@pytest.mark.parametrize("name", ["en", "zh"])
def test_every_number_in_the_text_is_in_a_table(pages, name):
    page = pages[name]
    tables = [page.table(t).select_dtypes("number").to_numpy(float).ravel() for t in page.tables]
    known = np.abs(np.concatenate(tables))
    known = known[np.isfinite(known)]
    missing = []
    for text in page.words:
        for value, decimals, percent in numbers_of(text):
            wanted = value / 100 if percent else value
            half = 0.5 * 10.0 ** -(decimals + 2 * percent) * 1.000001
            if not (np.abs(known - wanted) <= half).any():
                missing.append((value, text))
    assert missing == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_split_accounts_for_and_never_explains(language):
    sections = read_catalogue(language).content["funnel_comparison"]
    texts = [text for part in (sections, *filter(lambda x: isinstance(x, dict), sections.values()))
             for text in part.values() if isinstance(text, str)]  # fmt: skip
    wrong = [(word, text) for text in texts for word in CAUSAL[language] if word in text.lower()]
    assert len(texts) > 50
    assert wrong == []


def test_a_second_run_in_the_other_language_writes_the_same_tables_to_the_byte(pages):
    """Two runs, each with its own draws: nothing depends on the run or on the language."""
    for name in pages["en"].tables:
        files = [pages[language].folder / "tables" / f"{name}.csv" for language in ("en", "zh")]
        assert files[0].read_bytes() == files[1].read_bytes(), name
    assert list(pages["en"].sentences) == list(pages["zh"].sentences)
    assert "→" in pages["zh"].record["headline"]


def test_what_a_workspace_lacks_is_left_out_with_a_sentence(pages):
    page = pages["bare"]
    assert page.record["headline"].startswith("Qualified to Proposal accounts for 9")
    assert {"no_money", "no_mix", "no_owners", "no_reasons"} <= set(page.sentences)
    assert not {"money", "segments", "lost_reasons"} & set(page.tables)
    assert list(page.table("open_a").columns)[:3] == ["opportunity_id", "stage", "age_days"]
    assert list(page.table("reasons")["reason"].unique()) == ["stalled", "stuck"]


def test_the_lists_hold_open_opportunities_with_a_reason(pages):
    for firm in "ab":
        listed = pages["en"].table(f"open_{firm}")
        assert listed["opportunity_id"].is_unique
        reasons = listed.filter(["stalled", "stuck", "overdue", "owner_left"])
        assert reasons.any(axis=1).all()
        counted = (
            pages["en"].table("reasons").query("firm == @name", local_dict={"name": f"Firm {firm.upper()}"})
        )
        assert counted.set_index("reason")["n_listed"].to_dict() == reasons.sum().to_dict()


OFFICE = """
[firms.{key}]
name = "{office}"
observed_from = 2016-10-01
observed_until = 2017-12-31
[firms.{key}.transactions]
source = "{office}.csv"
columns = {{ customer_id = "account", occurred_at = "close_date", amount = "close_value" }}
[firms.{key}.pipeline]
source = "{office}.csv"
shape = "current stage"
stages = ["Engaging", "Won"]
lost = ["Lost"]
columns = {{ opportunity_id = "opportunity_id", stage = "deal_stage", created_at = "engage_date", closed_at = "close_date", owner = "sales_agent", amount = "close_value" }}
snapshot_at = 2017-12-31
"""  # noqa: E501


@needs_maven
def test_a_pipeline_of_current_stages_is_compared_by_wins(tmp_path):
    """Stage rates are refused, and most of what is open is older than anything that ever closed."""
    deals = pd.read_csv(MAVEN / "sales_pipeline.csv")
    office_of = pd.read_csv(MAVEN / "sales_teams.csv").set_index("sales_agent")["regional_office"]
    text = 'name = "Maven"\ncurrency = "USD"\ntimezone = "America/New_York"\noutput = "reports"\n'
    for office in ("Central", "West"):
        here = deals["sales_agent"].map(office_of).eq(office) & deals["engage_date"].notna()
        deals[here].to_csv(tmp_path / f"{office}.csv", index=False)
        text += OFFICE.format(key=office.lower(), office=office)
    (tmp_path / "maven.toml").write_text(text)
    page = run_page(tmp_path / "maven.toml", tmp_path / "page", period="2017-12")
    said = page.sentences
    assert said["headline_lead"].startswith("Central leads West by ")
    assert "stage rates are refused" in said["basis_wins"]
    assert "403 of 408 open opportunities of Central (99%)" in said["hint_zombies"]
    assert dt.date.fromisoformat(re.search(r"after (\S+):", said["hint_immature"])[1]) > dt.date(2018, 1, 1)
    assert {"no_money", "no_mix", "no_reasons"} <= set(said)
    # Won of closed ranks West first; of all, open ones counted as open, Central wins more.
    ever = page.table("in_time").query("horizon == 'ever'").set_index("firm")["won"]
    assert ever.to_dict() == pytest.approx({"Central": 0.54083665, "West": 0.49330611}, abs=1e-7)
