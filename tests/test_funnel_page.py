"""The funnel page says what was planted, and nothing where nothing was."""

import re
from pathlib import Path

import pytest

from crm_analysis import simulate

ROOT = Path(__file__).parents[1]


def lead_of(folder: Path, variant: str) -> str:
    """Headline of the page for both firms of a variant, simulated anew and written out."""
    import papermill

    demo = (ROOT / "data" / "demo.toml").read_text()
    for key in "ab":
        simulated = simulate.firm(key.upper(), seed=1, variant=variant)
        simulate.write_firm(simulated, folder / f"firm_{key}", truth_folder=folder / "truth" / f"firm_{key}")
    (folder / "demo.toml").write_text(demo)
    run = papermill.execute_notebook(
        ROOT / "notebooks" / "funnel_comparison.ipynb",
        None,
        {"workspace": str(folder / "demo.toml"), "months": 36},
        kernel_name="python3",
        progress_bar=False,
    )
    shown = [o.data["text/plain"] for c in run.cells if c.cell_type == "code" for o in c.outputs]
    return shown[0]


@pytest.mark.parametrize(
    ("variant", "transition"),
    [("second stage", "Qualified to Proposal"), ("last stage", "Negotiation to Won")],
)
def test_the_page_names_the_planted_transition_with_share_and_interval(tmp_path, variant, transition):
    lead = lead_of(tmp_path, variant)
    assert lead.startswith(f"{transition} accounts for ")
    share, low, high = (
        int(n) for n in re.match(rf"{transition} accounts for (\d+)% \((\d+)% to (\d+)%\)", lead).groups()
    )
    assert low < share < high
    assert low > 50


def test_a_firm_that_is_only_slower_has_no_gap_and_is_called_slower(tmp_path):
    """Same eventual rates, three times slower."""
    lead = lead_of(tmp_path, "slow")
    assert lead.startswith("No gap in conversion, but Firm B is slower than Firm A")


def test_where_nothing_differs_no_gap_is_found(tmp_path):
    assert lead_of(tmp_path, "same").startswith("No gap in conversion between")
