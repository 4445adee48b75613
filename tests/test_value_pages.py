"""The two pages of value have a sentence for every answer, and say so where there is none to give."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from clv_cases import cdnow

from crm_analysis.clv.models.bg_nbd import fit_bg_nbd
from crm_analysis.clv.models.spend import fit_spend
from crm_analysis.clv.worth.value import value_customers
from crm_analysis.report.text import read_catalogue

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
GROUPS = ("alike", "single", "apart", "one")
LIFETIMES = ("same", "differs", "unknown", "failed")
RHYTHMS = ("random", "schedule", "bursts", "unknown")
SEASONS = ("estimated", "given", "short_log", "chance", "none")
REASONS = ("none", "only_one", "kept", "kept_alone", "log_score", "log_score_close", "log_likelihood",
           "nobody_leaves", "contracts")  # fmt: skip
LENGTHS = ("months", "weeks", "days")
BOTH = {"lifetimes": LIFETIMES, "rhythm": RHYTHMS, "season": SEASONS, "reason": REASONS, "length": LENGTHS}
ANSWERS = {
    "customer_value": {
        **BOTH,
        "cohorts": (*GROUPS, "untested"),
        "margin": ("given", "from_costs", "unknown", "not_positive"),
        "test": ("better", "mixed", "worse", "none"),
        "past": ("high", "low", "mixed", "none", "high_part", "low_part", "mixed_part"),
        "own": ("inside", "outside", "none"),
        "dependence": ("none", "weak", "unknown", "positive", "negative", "positive_one", "negative_one"),
    },
    "value_model": {
        **BOTH,
        "acquired": GROUPS,
        "column": GROUPS,
        "headline": ("inside", "outside", "none", "no_model", "contracts"),
        "silence": ("fell", "above", "below"),
        "once": ("tested", "untested", "nobody"),
        "paradox": ("less", "none"),
        "counts": ("close", "off", "unknown"),
    },
}
ASKED = [
    (page, f"{about}_{answer}")
    for page, keys in ANSWERS.items()
    for about, answers in keys.items()
    for answer in answers
]


@pytest.mark.parametrize(("page", "key"), ASKED)
def test_every_answer_has_its_sentence(page, key):
    assert isinstance(read_catalogue("en").sentences(page).get(key), str)


def test_every_column_of_the_values_has_a_label():
    spend = fit_spend(cdnow())
    values = value_customers(
        cdnow().head(5), purchases=fit_bg_nbd(cdnow()), spend=spend, margin=0.3, annual_discount_rate=0.1
    )
    for language in ("en", "zh"):
        assert set(values) <= set(read_catalogue(language).content["columns"])


WORKSPACE = """
schema_version = 1
name = "Small"
currency = "CNY"
timezone = "Asia/Shanghai"
contracts = {contracts}
[firms.a]
name = "Firm A"
observed_from = 2023-01-01
observed_until = 2024-12-31
[firms.a.transactions]
source = "log.csv"
columns = {{ customer_id = "customer", occurred_at = "date", amount = "amount" }}
{more}
"""
RUNS = {
    "contracts": ("true", "", ("customer_value", "value_model", "customer_selection")),
    # Nobody's history is complete.
    "cut": ("false", 'burn_in = "24 months"', ("customer_value", "value_model")),
}


def small_log() -> pd.DataFrame:
    """Purchases of 60 customers at random moments in two years."""
    generator = np.random.default_rng(5)
    rows = [
        (f"<{i}>", pd.Timestamp("2023-01-01") + pd.Timedelta(days=int(day)), float(i % 7 + 1))
        for i in range(60)
        for day in generator.integers(0, 730, 1 + i % 5)
    ]
    return pd.DataFrame(rows, columns=["customer", "date", "amount"])


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Text of every run of `RUNS` -> what its cells displayed, or the exception."""
    import papermill

    folder = tmp_path_factory.mktemp("pages")
    small_log().to_csv(folder / "log.csv", index=False)
    for name, (contracts, more, _) in RUNS.items():
        (folder / f"{name}.toml").write_text(WORKSPACE.format(contracts=contracts, more=more))

    def run(case: tuple[str, str]) -> str | Exception:
        asked = {"workspace": str(folder / f"{case[0]}.toml"), "period": "2024-12", "firm": "a"}
        try:
            done = papermill.execute_notebook(
                NOTEBOOKS / f"{case[1]}.ipynb", None, asked, kernel_name="python3", progress_bar=False
            )
        except Exception as error:
            return error
        return "\n".join(str(output) for cell in done.cells for output in cell.get("outputs", []))

    cases = [(name, page) for name, (*_, wanted) in RUNS.items() for page in wanted]
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(cases, pool.map(run, cases), strict=True))


def test_no_page_breaks_and_none_shows_what_is_no_number(pages):
    for case, shown in pages.items():
        assert isinstance(shown, str), (case, shown)
        assert not re.search(r"\bnan\b|nan%|\binf\b|Warning", shown), case


@pytest.mark.parametrize("page", ["customer_value", "value_model"])
def test_a_page_says_that_its_models_are_not_for_contracts(pages, page):
    assert "customers have contracts" in pages["contracts", page]
    assert "crm.clv.fit_sbg" in pages["contracts", page]


@pytest.mark.parametrize("page", ["customer_value", "value_model"])
def test_a_page_says_that_nobody_can_be_valued(pages, page):
    assert "0 customers have a complete history" in pages["cut", page]
