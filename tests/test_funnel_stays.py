"""Time in stages: by hand with those still there, against known times; aged deals; refusals."""

import numpy as np
import pandas as pd
import pytest
from deal_tables import deals_of, entries_of

from crm_analysis.errors import DataError
from crm_analysis.funnel import age_classes, aged, time_in_stages

ENTRIES = pd.DataFrame(
    [
        ("D1", "Lead", "2025-01-01"),
        ("D1", "Proposal", "2025-01-11"),
        ("D1", "Won", "2025-01-31"),
        ("D2", "Lead", "2025-01-01"),
        ("D2", "Proposal", "2025-01-05"),
        ("D2", "Lead", "2025-01-10"),
        ("D2", "Lost", "2025-01-12"),
        ("D3", "Lead", "2025-06-10"),
        ("D4", "Proposal", "2025-06-01"),
        ("D5", "Won", "2025-02-01"),
        ("D5", "Proposal", "2025-02-10"),
        ("D5", "Won", "2025-02-20"),
    ],
    columns=["opportunity_id", "stage", "entered_on"],
)


def test_stays_by_hand():
    table = time_in_stages(entries_of(ENTRIES))
    # Lead: 10 days on, 4 days on, 2 days lost, 20 days and there. Proposal: 20 on, 5 back, 29 there, 10 on.
    counts = ["n_entered", "n_advanced", "n_lost", "n_back", "n_there"]
    assert table.loc["Lead", counts].tolist() == [4, 2, 1, 0, 1]
    assert table.loc["Proposal", counts].tolist() == [4, 2, 0, 1, 1]
    assert table.loc["Lead", ["p25", "median_days", "p75"]].tolist() == [2, 4, 10]
    assert table.loc["Proposal", ["p25", "median_days", "p75"]].tolist() == [5, 10, 20]
    assert table["mean_days_left"].tolist() == pytest.approx([16 / 3, 35 / 3])
    assert table[["median_age_there", "oldest_there"]].to_numpy().tolist() == [[20, 20], [29, 29]]
    assert table["n_older_there"].tolist() == [1, 1]


def test_every_stay_is_accounted_for():
    table = time_in_stages(entries_of(ENTRIES))
    assert (table["n_entered"] == table[["n_advanced", "n_lost", "n_back", "n_there"]].sum(axis=1)).all()
    assert table["n_entered"].sum() == ENTRIES["stage"].isin(["Lead", "Proposal"]).sum()


def test_a_stage_that_nobody_left_has_no_median():
    table = time_in_stages(entries_of(ENTRIES[ENTRIES["opportunity_id"] == "D3"]))
    assert table.loc["Lead", ["p25", "median_days", "p75", "mean_days_left"]].isna().all()
    assert table.loc["Lead", ["n_there", "oldest_there", "n_older_there"]].tolist() == [1, 20, 0]
    # Nobody was ever in the other one.
    assert table.loc["Proposal", "n_entered"] == 0
    assert np.isnan(table.loc["Proposal", "oldest_there"])


def test_the_median_of_unfinished_stays_is_the_true_one():
    """Stays of 1 to 99 days, median 50, of deals of all ages: those that are over alone are far too short."""
    rng = np.random.default_rng(3)
    n = 4000
    age, days = rng.integers(0, 100, n), rng.integers(1, 100, n)
    born = pd.Timestamp("2025-06-30") - pd.to_timedelta(age, unit="D")
    first = pd.DataFrame({"opportunity_id": np.arange(n).astype(str), "stage": "Lead", "entered_on": born})
    on = first[days <= age].assign(stage="Proposal")
    on["entered_on"] += pd.to_timedelta(days[days <= age], unit="D")
    table = time_in_stages(entries_of(pd.concat([first, on]).sort_values("opportunity_id", kind="stable")))
    lead = table.loc["Lead"]
    assert lead["low"] <= 50 <= lead["high"]
    assert lead["high"] - lead["low"] < 8
    assert lead["mean_days_left"] < 37


def test_shapes_and_dates_that_cannot_say_are_refused():
    hidden = deals_of(pd.DataFrame([("D1", "2025-01-01", None, "open")], columns=DEAL))
    for ask in (time_in_stages, aged):
        with pytest.raises(DataError, match="does not know when a stage was entered"):
            ask(hidden)
    turned = ENTRIES.iloc[:2].assign(entered_on=["2025-01-11", "2025-01-01"])
    with pytest.raises(DataError, match="1 stays in a stage end before they begin"):
        time_in_stages(entries_of(turned))


DEAL = ["opportunity_id", "created_on", "closed_on", "outcome"]


def test_open_deals_are_measured_by_the_won_ones():
    pipeline = entries_of(ENTRIES, pd.DataFrame({"opportunity_id": ["D3", "D4"], "amount": [5.0, 7.0]}))
    table = aged(pipeline)
    # Stays of won deals: 10 days in Lead; 20 and 10 in Proposal.
    assert table.index.tolist() == ["D4", "D3"]
    assert table["won_had_left"].tolist() == [1, 1]
    assert table["n_won_stays"].tolist() == [2, 1]
    assert table[["days_in_stage", "days_since_creation"]].to_numpy().tolist() == [[29, 29], [20, 20]]
    assert table["amount"].tolist() == [7, 5]


@pytest.mark.parametrize(("day", "share"), [("2025-06-19", 0.5), ("2025-06-20", 0.5), ("2025-06-21", 0.0)])
def test_a_won_deal_that_stayed_as_long_had_left(day, share):
    entries = ENTRIES.assign(entered_on=ENTRIES["entered_on"].replace("2025-06-01", day))
    pipeline = entries_of(entries)
    table = aged(pipeline)
    assert table.loc["D4", "won_had_left"] == share
    classes = age_classes(table, stages=pipeline.stages).set_index(["stage", "age"])["n"]
    half = "50% to 80% of won had left" if share else "under 50% of won had left"
    assert classes["Proposal"].to_dict()[half] == 1


def test_classes_hold_every_open_deal_once():
    pipeline = entries_of(ENTRIES)
    table = age_classes(aged(pipeline), stages=pipeline.stages)
    assert table["n"].sum() == 2
    assert len(table) == 2 * 4
    oldest = table[table["age"] == "95% or more of won had left"]
    assert oldest.set_index("stage")["n"].to_dict() == {"Lead": 1, "Proposal": 1}


def test_where_nothing_was_won_nothing_is_measured():
    pipeline = entries_of(ENTRIES[ENTRIES["opportunity_id"].isin(["D2", "D3"])])
    table = aged(pipeline)
    assert np.isnan(table.loc["D3", "won_had_left"])
    assert table.loc["D3", "n_won_stays"] == 0
    assert age_classes(table, stages=pipeline.stages)["n"].tolist() == [0, 0, 0, 1, 0, 0, 0, 0]


def test_without_open_deals_the_list_is_empty():
    pipeline = entries_of(ENTRIES[ENTRIES["opportunity_id"] == "D1"])
    assert len(aged(pipeline)) == 0
    assert age_classes(aged(pipeline), stages=pipeline.stages)["n"].sum() == 0
