"""Reasons of loss: by hand, with bounds, two firms, degenerate; against the truth behind the demo."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from deal_tables import deals_of, entries_of

import crm_analysis as crm
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel import compare_lost_reasons, lost_reasons, newcombe, wilson
from crm_analysis.simulate.pipeline import LOST_REASONS, REASON_CHANCE

DATA = Path(__file__).parents[1] / "data"

ENTRIES = pd.DataFrame(
    [
        ("D1", "Lead", "2025-01-01"),
        ("D1", "Lost", "2025-01-11"),
        ("D2", "Lead", "2025-01-01"),
        ("D2", "Proposal", "2025-01-05"),
        ("D2", "Lead", "2025-01-10"),
        ("D2", "Lost", "2025-01-12"),
        ("D3", "Lead", "2025-01-01"),
        ("D3", "Proposal", "2025-01-05"),
        ("D3", "Lost", "2025-02-12"),
        ("D4", "Proposal", "2025-01-05"),
        ("D4", "Lost", "2025-02-12"),
        ("D5", "Lost", "2025-02-12"),
        ("D6", "Lead", "2025-02-12"),
        ("D7", "Lead", "2025-02-12"),
        ("D7", "Won", "2025-02-13"),
    ],
    columns=["opportunity_id", "stage", "entered_on"],
)
DEALS = pd.DataFrame(
    [
        ("D1", "Price", 10.0, "Web"),
        ("D2", "Price", 20.0, "Web"),
        ("D3", "Budget", 40.0, None),
        ("D4", None, 80.0, "Web"),
        ("D5", "  ", 160.0, "Fair"),
        ("D6", None, 1000.0, "Web"),
        ("D7", "Price", 1000.0, "Web"),
    ],
    columns=["opportunity_id", "lost_reason", "amount", "source"],
)
FIRM = entries_of(ENTRIES, DEALS)


def test_reasons_by_hand():
    found = lost_reasons(FIRM)
    assert (found.n_lost, found.n_unrecorded) == (5, 2)
    assert found.reasons["n"].to_dict() == {"Price": 2, "Budget": 1}
    assert found.reasons["share_of_recorded"].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert found.reasons["cumulative_share"].tolist() == pytest.approx([2 / 3, 1])
    # If none, or both, of the two without a reason were lost for it.
    assert found.reasons[["lowest", "highest"]].to_numpy().tolist() == [[2 / 5, 4 / 5], [1 / 5, 3 / 5]]
    assert found.reasons["value"].tolist() == [30, 40]
    assert tuple(found.reasons.loc["Price", ["low", "high"]]) == wilson(2, n=3)


def test_a_deal_is_lost_in_the_stage_it_was_in():
    found = lost_reasons(FIRM)
    # D2 had been at Proposal before it went back; D5 was never seen in a stage.
    assert found.groups["n_lost"].to_dict() == {"Lead": 2, "Proposal": 2, "(missing)": 1}
    assert found.groups["share_unrecorded"].tolist() == [0, 0.5, 1]
    assert tuple(found.groups.loc["Proposal", ["low", "high"]]) == wilson(1, n=2)
    assert found.groups["value_unrecorded"].tolist() == [0, 80, 160]
    assert found.table.loc["Lead", "n"].to_dict() == {"Price": 2, "Budget": 0}
    assert found.table.loc[("Proposal", "Budget"), "share_of_recorded"] == 1
    nothing = found.table.loc[("(missing)", "Price")]
    assert np.isnan(nothing["share_of_recorded"])
    assert nothing[["low", "high", "lowest", "highest"]].tolist() == [0, 1, 0, 1]


def test_groups_are_any_mapped_column_and_add_up():
    found = lost_reasons(FIRM, by="source")
    assert found.groups["n_lost"].to_dict() == {"Web": 3, "(missing)": 1, "Fair": 1}
    assert found.groups.index[0] == "Web"
    assert found.groups[["n_lost", "n_unrecorded"]].sum().tolist() == [5, 2]
    assert found.table["n"].groupby("reason").sum().to_dict() == {"Price": 2, "Budget": 1}
    with pytest.raises(ConfigError, match="by='owner'"):
        lost_reasons(FIRM, by="owner")


def test_losses_of_a_period():
    assert lost_reasons(FIRM, since="2025-01-12", until="2025-01-12").groups["n_lost"].to_dict() == {
        "Lead": 1
    }


def test_without_reasons_or_losses():
    with pytest.raises(DataError, match="map the column lost_reason"):
        lost_reasons(entries_of(ENTRIES, DEALS.drop(columns="lost_reason")))
    nothing = lost_reasons(FIRM, since="2026-01-01")
    assert (nothing.n_lost, len(nothing.table), len(nothing.reasons)) == (0, 0, 0)
    silent = lost_reasons(entries_of(ENTRIES, DEALS.assign(lost_reason=None)))
    assert (silent.n_lost, silent.n_unrecorded, len(silent.reasons)) == (5, 5, 0)
    assert lost_reasons(entries_of(ENTRIES, DEALS.drop(columns="amount"))).reasons["value"].isna().all()


def test_a_shape_without_stages_knows_the_reasons():
    deals = pd.DataFrame(
        [("D1", "2025-01-01", "2025-01-02", "lost", "Price")],
        columns=["opportunity_id", "created_on", "closed_on", "outcome", "lost_reason"],
    )
    found = lost_reasons(deals_of(deals))
    assert found.groups["n_lost"].to_dict() == {"(missing)": 1}


def test_two_firms_side_by_side():
    other = lost_reasons(entries_of(ENTRIES, DEALS.assign(lost_reason="Time")))
    table = compare_lost_reasons(lost_reasons(FIRM), other)
    assert list(table.index) == ["(not recorded)", "Time", "Price", "Budget"]
    assert table[["n_a", "of_a", "n_b", "of_b"]].loc["Price"].tolist() == [2, 3, 0, 5]
    assert table[["n_a", "of_a", "n_b", "of_b"]].iloc[0].tolist() == [2, 5, 0, 5]
    assert table.loc["Price", "difference"] == pytest.approx(2 / 3)
    assert tuple(table.loc["Price", ["low", "high"]]) == newcombe(2, 3, k_b=0, n_b=5)
    assert (table["p_holm"] >= table["p"]).all()
    back = compare_lost_reasons(other, lost_reasons(FIRM))
    assert (back["difference"] == -table["difference"]).all()


def test_a_firm_that_records_nothing_shows_no_difference():
    silent = lost_reasons(entries_of(ENTRIES, DEALS.assign(lost_reason=None)))
    table = compare_lost_reasons(lost_reasons(FIRM), silent)
    assert np.isnan(table.loc["Price", "difference"])
    assert table.loc["Price", "p"] == 1
    assert table.loc["(not recorded)", "difference"] == pytest.approx(-0.6)


# The demo's truth ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo():
    pipeline = crm.open_workspace(DATA / "demo.toml").pipeline("a")
    truth = pd.read_parquet(DATA / "truth" / "firm_a" / "opportunities.parquet")
    return lost_reasons(pipeline, level=0.999), pipeline, truth.set_index("opportunity_id")


def test_reasons_are_recorded_at_random(demo):
    found, *_ = demo
    assert len(found.groups) == 4
    assert ((found.groups["low"] < 0.35) & (found.groups["high"] > 0.35)).all()


def test_the_reasons_of_each_stage_are_the_planted_ones(demo):
    found, *_ = demo
    for stage, chances in zip(found.groups.index, REASON_CHANCE, strict=True):
        n = found.table.loc[stage, "n"].drop("Duplicate")
        for reason, chance in zip(LOST_REASONS, chances, strict=True):
            low, high = wilson(n[reason], n=n.sum(), level=0.999)
            assert low < chance < high, f"{stage}, {reason}: {n[reason]} of {n.sum()}, planted {chance}"


def test_what_was_not_recorded_lies_within_the_bounds(demo):
    found, pipeline, truth = demo
    deals = pipeline.opportunities.filter(pipeline.opportunities.outcome == "lost").to_pandas()
    reasons = truth.loc[deals["opportunity_id"], "lost_reason"].to_numpy()
    share = pd.Series(reasons).value_counts(normalize=True)
    assert (
        share.loc[list(LOST_REASONS)]
        .between(
            found.reasons["lowest"].loc[list(LOST_REASONS)], found.reasons["highest"].loc[list(LOST_REASONS)]
        )
        .all()
    )
