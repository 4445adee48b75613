"""The model that a workspace keeps: written into its file, used by its pages, chosen again on request."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from crm_analysis.clv.kept import choose_anew, firm_choice, write_model
from crm_analysis.customers import summarise_customers
from crm_analysis.doors.store import open_workspace
from crm_analysis.errors import ConfigError
from crm_analysis.workspace import read_workspace

DATA = Path(__file__).parents[1] / "data"
DAY = date(2025, 12, 31)


@pytest.fixture
def demo(tmp_path):
    """A copy of the demo workspace that keeps no model; its sources are where they are."""
    text = (DATA / "demo.toml").read_text().replace('source = "firm', f'source = "{DATA}/firm')
    path = tmp_path / "demo.toml"
    path.write_text(text.split("[firms.a.purchase_model]")[0])
    return path


def test_the_model_is_written_and_everything_else_stays(demo):
    before = demo.read_text()
    write_model(demo, "a", name="MBG/NBD", chosen_at=DAY)
    kept = read_workspace(demo).firms["a"].purchase_model
    assert (kept.name, kept.chosen_at) == ("MBG/NBD", DAY)
    assert demo.read_text().startswith(before.rstrip("\n"))
    assert read_workspace(demo).firms["b"].purchase_model is None


def test_choosing_again_replaces_the_old_one_alone(demo):
    write_model(demo, "b", name="Pareto/NBD", chosen_at=DAY)
    write_model(demo, "a", name="MBG/NBD", chosen_at=DAY)
    with demo.open("a") as file:
        file.write("\n# What follows stays.\n[engine]\nthreads = 1\n")
    write_model(demo, "a", name="MBG/CNBD-2", chosen_at=date(2026, 1, 31))
    settings = read_workspace(demo)
    assert settings.firms["a"].purchase_model.name == "MBG/CNBD-2"
    assert settings.firms["b"].purchase_model.name == "Pareto/NBD"
    assert settings.engine.threads == 1
    assert demo.read_text().count("purchase_model]") == 2
    assert "# What follows stays." in demo.read_text()


def test_a_model_written_in_another_form_is_not_touched(demo):
    inline = demo.read_text().replace(
        "[firms.a]\n", '[firms.a]\npurchase_model = { name = "NBD", chosen_at = 2025-12-31 }\n'
    )
    demo.write_text(inline)
    with pytest.raises(ConfigError, match="purchase_model that is not a table of its own; remove it"):
        write_model(demo, "a", name="MBG/NBD", chosen_at=DAY)
    assert demo.read_text() == inline
    assert [path.name for path in demo.parent.iterdir()] == ["demo.toml"]


def test_an_unknown_model_is_refused(demo):
    write_model(demo, "a", name="BG/NBX", chosen_at=DAY)
    with pytest.raises(ConfigError, match=r"firms\.a\.purchase_model\.name = 'BG/NBX'"):
        read_workspace(demo)


def test_pages_use_what_is_kept_until_it_is_chosen_again(demo):
    write_model(demo, "b", name="BG/NBD", chosen_at=DAY)
    workspace = open_workspace(demo)
    log = workspace.transactions("b")
    customers = summarise_customers(log)
    kept = firm_choice(workspace, "b", log=log, customers=customers, revisited=False)
    assert (kept.name, kept.reason, kept.origins) == ("BG/NBD", "kept", [])
    chosen = choose_anew(workspace, "b", until=DAY)
    assert chosen.reason == "log score"
    assert chosen.name == chosen.scores.sub(chosen.scores["BG/NBD"], axis=0).mean().idxmax() != "BG/NBD"
    stands = read_workspace(demo).firms["b"].purchase_model
    assert (stands.name, stands.chosen_at) == (chosen.name, DAY)
    shutil.rmtree(demo.parent / ".checked", ignore_errors=True)
