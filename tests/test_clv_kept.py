"""The model that a workspace keeps: written into its file, used by its pages, chosen again on request."""

import re
import shutil
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from crm_analysis.clv.ahead import kept
from crm_analysis.clv.ahead.kept import choose_anew, firm_models, steps, write_model
from crm_analysis.clv.ahead.season import given_season
from crm_analysis.clv.models.regularity import Regularity
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
    kept = re.compile(r"\[firms\.\w+\.purchase_model\]\n[^\[]*\n\n")
    path.write_text(kept.sub("", text))
    return path


def test_the_model_is_written_and_everything_else_stays(demo):
    before = demo.read_text()
    write_model(demo, "a", name="MBG/NBD", chosen_at=DAY)
    kept = read_workspace(demo).firms["a"].purchase_model
    assert (kept.name, kept.chosen_at) == ("MBG/NBD", DAY)
    block = '[firms.a.purchase_model]\nname = "MBG/NBD"\nchosen_at = 2025-12-31\n\n'
    assert f"{block}[firms.b]\n" in demo.read_text()  # behind the firm's other tables
    assert demo.read_text().replace(block, "") == before
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


@pytest.mark.parametrize(
    ("k", "low", "expected"), [(1.4, 1.3, 2), (1.4, 0.9, 1), (0.9, 0.8, 1), (3.4, 3.2, 3), (30.0, 20.0, 9)]
)
def test_steps_are_tried_where_purchases_are_surely_not_at_random(k, low, expected):
    assert steps(Regularity(k, low, 2 * k, 100, 300, 900.0)) == expected
    assert steps(None) == 1


def test_a_given_season_goes_before_an_estimated_one(demo):
    flat = "season = [1.0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2.0]"
    demo.write_text(demo.read_text().replace("[firms.b]\n", f"[firms.b]\n{flat}\n"))
    write_model(demo, "b", name="BG/NBD", chosen_at=DAY)
    workspace = open_workspace(demo)
    log = workspace.transactions("b")
    found = firm_models(workspace, "b", log=log, customers=summarise_customers(log), revisited=False)
    assert found.season.source == "given"
    assert found.season.index[11] == pytest.approx(2 * found.season.index[0])


@pytest.mark.parametrize("season", ["[1, 2]", "[0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"])
def test_a_season_that_is_none_is_refused(demo, season):
    demo.write_text(demo.read_text().replace("[firms.b]\n", f"[firms.b]\nseason = {season}\n"))
    with pytest.raises(ConfigError, match=r"firms\.b\.season"):
        read_workspace(demo)


def test_pages_use_what_is_kept_until_it_is_chosen_again(demo):
    write_model(demo, "b", name="BG/NBD", chosen_at=DAY)
    workspace = open_workspace(demo)
    log = workspace.transactions("b")
    customers = summarise_customers(log)
    kept = firm_models(workspace, "b", log=log, customers=customers, revisited=False).choice
    assert (kept.name, kept.reason, kept.origins) == ("BG/NBD", "kept", [])
    chosen = choose_anew(workspace, "b", until=DAY)
    assert chosen.reason == "log score"
    assert (
        chosen.name == chosen.scores.drop(columns="NBD").sub(chosen.scores["BG/NBD"], axis=0).mean().idxmax()
    )
    stands = read_workspace(demo).firms["b"].purchase_model
    assert (stands.name, stands.chosen_at) == (chosen.name, DAY)
    shutil.rmtree(demo.parent / ".checked", ignore_errors=True)


@pytest.fixture
def contracts(demo):
    demo.write_text(demo.read_text().replace("contracts = false", "contracts = true"))
    return open_workspace(demo)


def test_customers_with_contracts_get_no_model_that_reads_silence(contracts):
    log = contracts.transactions("a")
    found = firm_models(contracts, "a", log=log, customers=summarise_customers(log))
    assert not found.choice.usable
    assert found.choice.purchases is None
    assert found.choice.headline == "headline_contracts"
    assert found.choice.sentences == ["reason_contracts"]
    assert found.assumed(str) == {}


def test_none_is_chosen_for_contracts_and_the_right_ones_are_named(contracts):
    before = contracts.settings.path.read_text()
    with pytest.raises(ConfigError, match=r"contracts = true.*fit_sbg or fit_bdw"):
        choose_anew(contracts, "a")
    assert contracts.settings.path.read_text() == before


def test_steps_are_the_nearest_whole_number():
    found = Regularity(k=2.6, low=2.2, high=3.0, n_customers=99, n_intervals=300, log_days=900.0)
    assert steps(found) == 3


def test_the_season_given_and_the_origins_are_asked_for(demo, monkeypatch):
    """Without a model kept, past days are revisited whoever asks: they choose it."""
    asked = []

    def fit(log, customers, **options):
        asked.append((options["season"].source, options["revisited"]))
        return SimpleNamespace(choice=SimpleNamespace(name="NBD"))

    monkeypatch.setattr(kept, "_fit", fit)
    season = f"season = {[1.0] * 11 + [2.0]}"
    demo.write_text(demo.read_text().replace("[firms.a]\n", f"[firms.a]\n{season}\n"))
    workspace = open_workspace(demo)
    log = workspace.transactions("a")
    firm_models(workspace, "a", log=log, customers=summarise_customers(log), revisited=False)
    choose_anew(workspace, "a")
    assert asked == [("given", True), ("given", True)]


def test_models_run_on_the_clock_and_look_back_at_complete_histories(demo, monkeypatch):
    seen = {}

    def choose(customers, *, k, **_):
        seen["chosen"], seen["k"] = customers, k

    def back(customers, **_):
        seen["back"] = customers
        return []

    monkeypatch.setattr(kept, "choose_model", choose)
    monkeypatch.setattr(kept, "look_backs", back)
    workspace = open_workspace(demo)
    log = workspace.transactions("b")
    customers = summarise_customers(log)
    half = customers.assign(history_complete=np.arange(len(customers)) % 2 == 0)
    season = given_season([1.0] * 11 + [2.0])
    kept._fit(log, half, season=season, kept=None, revisited=True)
    on_clock = season.on_clock(half, observed_until=log.observed_until)
    pd.testing.assert_frame_equal(seen["chosen"], on_clock)
    assert not seen["chosen"]["t_observed"].equals(half["t_observed"])
    assert seen["back"].index.equals(half.index[::2])
    assert seen["k"] == 2  # firm B buys on schedule


@pytest.mark.parametrize("kind", ["positive", "negative"])
def test_one_spend_model_for_amounts_that_depend_is_said_to_be_one(kind, monkeypatch):
    monkeypatch.setattr(kept, "frequency_and_amount", lambda customers: SimpleNamespace(kind=kind))
    for name, key in (("Gamma-Gamma", f"{kind}_one"), ("Gamma-Gamma by frequency", kind)):
        spend = SimpleNamespace(model=SimpleNamespace(name=name))
        choice = SimpleNamespace(reason="log score", fitted=None, spend=spend)
        found = kept.FirmModels(choice, given_season([1.0] * 11 + [2.0]), None)
        assert list(found.assumed(str))[-1] == f"dependence_{key}"
