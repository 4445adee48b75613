"""Counts by hand, and what must hold for any pipeline."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines import SNAPSHOT, STAGES, START, pipeline_of, pipeline_of_ends

from crm_analysis import read_pipeline
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel import count_stages, count_wins, maturity_window, side_by_side, wilson

# id: (day of creation, [(days after it, stage), ...])
DEALS = {
    "straight": (0, [(0, "Lead"), (5, "Qualified"), (10, "Proposal"), (20, "Won")]),
    "created late": (0, [(0, "Proposal"), (15, "Won")]),
    "straight win": (0, [(0, "Lead"), (10, "Won")]),
    "lost early": (0, [(0, "Lead"), (5, "Qualified"), (9, "Lost")]),
    "moved back": (0, [(0, "Lead"), (5, "Qualified"), (9, "Proposal"), (12, "Qualified")]),
    "won late": (0, [(0, "Lead"), (30, "Qualified"), (90, "Won")]),
    "still a lead": (0, [(0, "Lead")]),
    "back, then lost": (0, [(0, "Lead"), (8, "Proposal"), (11, "Lead"), (13, "Lost")]),
    "lost at once": (0, [(0, "Lost")]),
    "young": (165, [(0, "Lead"), (5, "Qualified")]),
}


def entries_of(deals) -> pd.DataFrame:
    rows = [
        (name, stage, START + dt.timedelta(days=created + days), 100.0)
        for name, (created, steps) in deals.items()
        for days, stage in steps
    ]
    return pd.DataFrame(rows, columns=["opportunity_id", "stage", "entered_on", "amount"])


@pytest.fixture(scope="module")
def counts():
    return count_stages(pipeline_of(entries_of(DEALS)), window="60 days")


def numbers(counts) -> dict[str, list[int]]:
    columns = ["n_entered", "n_advanced", "n_lost", "n_back", "n_open", "n_not_yet_known"]
    return counts.table[columns].T.to_dict("list")


def test_counts_by_hand(counts):
    """A late stage implies the earlier ones: nine judged, of whom seven went beyond Lead."""
    assert numbers(counts) == {
        "Lead": [9, 7, 1, 0, 1, 1],
        "Qualified": [7, 5, 1, 0, 1, 1],
        "Proposal": [5, 3, 1, 1, 0, 0],
        "Won": [3, 3, 0, 0, 0, 0],
    }
    assert counts.counts == [9, 7, 5, 3]
    assert counts.n_entrants == 10
    assert counts.window_days == 60
    assert not counts.window_learnt


def test_counts_as_recorded_by_hand():
    counts = count_stages(pipeline_of(entries_of(DEALS)), window="60 days", skipped="as recorded")
    assert numbers(counts) == {
        "Lead": [7, 6, 0, 0, 1, 1],
        "Qualified": [4, 2, 1, 0, 1, 1],
        "Proposal": [4, 2, 1, 1, 0, 0],
        "Won": [3, 3, 0, 0, 0, 0],
    }
    # 6 of the 7 recorded in Lead went further, though only 4 by way of Qualified.
    assert counts.table.loc["Qualified", "share_of_previous"] == pytest.approx(6 / 7)


def test_shares_have_their_own_denominators(counts):
    table = counts.table
    assert table["share_of_previous"].tolist()[1:] == pytest.approx([7 / 9, 5 / 7, 3 / 5])
    assert table["share_of_all"].tolist() == pytest.approx([1, 7 / 9, 5 / 9, 3 / 9])
    assert table.loc["Won", ["low", "high"]].tolist() == pytest.approx(wilson(3, n=5))


def test_ids_behind_every_number(counts):
    assert counts.who("Lead") == ["still a lead"]
    assert counts.who("Qualified", outcome="open") == ["won late"]
    assert counts.who("Proposal", outcome="back") == ["moved back"]
    assert counts.who("Proposal", outcome="lost") == ["back, then lost"]
    assert counts.who("Won", outcome="advanced") == ["created late", "straight", "straight win"]
    assert counts.who("Lead", outcome="not yet known") == ["young"]
    assert len(counts.who("Qualified", outcome="entered")) == 7


def test_unknown_stages_and_outcomes_are_refused(counts):
    with pytest.raises(ConfigError, match=r"no stage 'Demo'; stages: \['Lead', "):
        counts.who("Demo")
    with pytest.raises(ConfigError, match=r"no outcome 'opened'; outcomes: \['advanced', "):
        counts.who("Lead", outcome="opened")
    with pytest.raises(ConfigError, match="came without ids"):
        count_stages([10, 5]).who("Stage 1")


def test_a_longer_window_sees_the_late_win():
    counts = count_stages(pipeline_of(entries_of(DEALS)), window="120 days")
    assert counts.counts == [9, 7, 6, 4]
    assert counts.who("Won", outcome="advanced") == ["created late", "straight", "straight win", "won late"]


def test_both_ends_of_the_window_are_included():
    """On day 60 is within 60 days, and an opportunity 60 days old at the snapshot is judged."""
    age = (SNAPSHOT - START).days
    deals = {
        "in time": (0, [(0, "Lead"), (60, "Won")]),
        "too late": (0, [(0, "Lead"), (61, "Won")]),
        "old enough": (age - 60, [(0, "Lead"), (60, "Won")]),
        "a day too young": (age - 59, [(0, "Lead"), (59, "Won")]),
    }
    counts = count_stages(pipeline_of(entries_of(deals)), window="60 days")
    assert counts.who("Won", outcome="advanced") == ["in time", "old enough"]
    assert counts.who("Lead", outcome="open") == ["too late"]
    assert counts.who("Lead", outcome="not yet known") == ["a day too young"]


def test_only_opportunities_created_in_the_period_are_counted():
    deals = {f"d{day}": (day, [(0, "Lead"), (3, "Won")]) for day in (0, 30, 31, 59, 60)}
    until = START + dt.timedelta(days=59)
    counts = count_stages(
        pipeline_of(entries_of(deals)), window="30 days", entered_from="2025-02-01", entered_until=until
    )
    assert counts.who("Lead", outcome="entered") == ["d31", "d59"]
    assert (counts.entered_from, counts.entered_until) == (dt.date(2025, 2, 1), until)


def test_the_window_is_learnt_where_it_is_not_given():
    """95 of 100 wins come within 40 days, the others later: the window is 40 days."""
    deals = {f"w{k}": (0, [(0, "Lead"), (20 + k % 21 if k < 95 else 90, "Won")]) for k in range(100)}
    deals |= {f"o{k}": (0, [(0, "Lead")]) for k in range(20)}
    pipeline = pipeline_of(entries_of(deals))
    counts = count_stages(pipeline)
    assert maturity_window(pipeline) == "40 days"
    assert (counts.window_days, counts.window_learnt) == (40, True)
    assert counts.counts == [120, 95, 95, 95]


def test_the_longest_window_serves_several_pipelines():
    fast, slow = (pipeline_of(entries_of({"d": (0, [(0, "Lead"), (days, "Won")])})) for days in (10, 70))
    assert maturity_window(fast, slow) == "70 days"


def test_without_a_win_the_window_must_be_given():
    pipeline = pipeline_of(entries_of({"d": (0, [(0, "Lead"), (9, "Lost")])}))
    with pytest.raises(DataError, match=r"no opportunity was won, .*; give a window"):
        count_stages(pipeline)
    assert count_stages(pipeline, window="30 days").counts == [1, 0, 0, 0]


def test_nothing_old_enough_is_refused():
    with pytest.raises(DataError, match=r"none of 10 opportunities .* is 400 days old at 2025-06-30; give"):
        count_stages(pipeline_of(entries_of(DEALS)), window="400 days")


def test_deal_values_are_those_of_judged_wins():
    entries = entries_of(DEALS)
    entries["amount"] = entries["opportunity_id"].map({"straight": 10.0, "created late": 20.0}).astype(float)
    counts = count_stages(pipeline_of(entries.astype({"amount": object})), window="60 days")
    assert counts.deal_values.to_dict() == {"created late": 20.0, "straight": 10.0}


def test_a_deal_is_worth_what_it_was_at_the_win():
    deals = {"d": (0, [(0, "Lead"), (5, "Won")]), "e": (0, [(0, "Lead"), (5, "Won")])}
    entries = entries_of(deals).assign(entered_at=lambda t: pd.to_datetime(t["entered_on"]))
    entries.loc[entries["stage"] == "Lead", "amount"] = 70.0
    repriced = entries.iloc[[1]].assign(entered_at=pd.Timestamp(2025, 3, 1), amount=900.0)
    counts = count_stages(through_the_door(pd.concat([entries, repriced])), window="30 days")
    assert counts.deal_values.tolist() == [100.0, 100.0]


def through_the_door(entries):
    columns = {
        "opportunity_id": "opportunity_id",
        "stage": "stage",
        "entered_at": "entered_at",
        "amount": "amount",
    }
    # Entries of one day are put in the order in which they happened.
    minutes = pd.to_timedelta(entries.groupby("opportunity_id").cumcount(), unit="min")
    entries = (
        entries.assign(entered_at=pd.to_datetime(entries["entered_on"]) + minutes)
        if ("entered_at" not in entries)
        else entries
    )
    return read_pipeline(
        entries[list(columns)], columns=columns, stages=STAGES, snapshot_at=SNAPSHOT, max_set_aside=1.0
    )


@pytest.mark.parametrize("skipped", ["imputed", "as recorded"])
def test_counts_by_hand_through_the_door(skipped):
    entries = entries_of(DEALS)
    by_hand, read = (
        count_stages(pipeline, window="60 days", skipped=skipped)
        for pipeline in (pipeline_of(entries), through_the_door(entries))
    )
    pd.testing.assert_frame_equal(read.table, by_hand.table)


def test_a_shape_that_hides_the_furthest_stage_has_a_win_rate_only():
    ends = pd.DataFrame(
        {
            "opportunity_id": ["w", "l", "o", "late", "young"],
            "outcome": ["won", "lost", "open", "won", "won"],
            "created_on": [START] * 4 + [SNAPSHOT - dt.timedelta(days=3)],
            "closed_on": [START + dt.timedelta(days=d) for d in (10, 20)]
            + [None, START + dt.timedelta(days=70), SNAPSHOT],
        }
    )
    pipeline = pipeline_of_ends(ends)
    with pytest.raises(DataError, match="hides how far lost opportunities came, so stage rates are refused"):
        count_stages(pipeline, window="60 days")
    wins = count_wins(pipeline, window="60 days")
    assert wins.stages == ("Lead", "Won")
    assert numbers(wins) == {"Lead": [4, 1, 1, 0, 2, 1], "Won": [1, 1, 0, 0, 0, 1]}
    assert wins.who("Lead") == ["late", "o"]


def test_wins_agree_with_the_stages():
    pipeline = pipeline_of(entries_of(DEALS))
    wins, counts = (count(pipeline, window="60 days") for count in (count_wins, count_stages))
    assert wins.counts == [counts.counts[0], counts.counts[-1]]


def test_plain_counts():
    counts = count_stages([100, 40, 0, 0], stages=["Lead", "Qualified", "Proposal", "Won"])
    assert counts.counts == [100, 40, 0, 0]
    assert counts.table["share_of_previous"].tolist()[1:3] == pytest.approx([0.4, 0])
    # Nobody could try the last transition: its rate is unknown, which is not 0.
    assert np.isnan(counts.table.loc["Won", "share_of_previous"])
    assert counts.table.loc["Won", ["low", "high"]].tolist() == [0, 1]
    assert counts.table["n_lost"].isna().all()


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([100, 120], DataError, r"counts \[100, 120\]; expected numbers >= 0 that never rise"),
        ([100, -1], DataError, "expected numbers >= 0"),
        ([100, 2.5], DataError, "whole numbers"),
        ([100], ConfigError, "1 counts for 1 stages; expected two or more"),
    ],
)
def test_impossible_counts_are_refused(given, error, message):
    with pytest.raises(error, match=message):
        count_stages(given)


def test_misspelt_arguments_are_refused():
    pipeline = pipeline_of(entries_of(DEALS))
    with pytest.raises(
        ConfigError, match=r"skipped 'any'; expected one of \['imputed', 'as recorded', 'strict'\]"
    ):
        count_stages(pipeline, skipped="any")
    with pytest.raises(ConfigError, match="length '60'"):
        count_stages(pipeline, window="60")
    with pytest.raises(ConfigError, match="at least one day"):
        count_stages(pipeline, window="0 days")


def test_firms_side_by_side(counts):
    table = side_by_side({"A": counts, "B": count_stages([100, 50, 20, 8], stages=STAGES)})
    assert table["firm"].tolist() == ["A"] * 4 + ["B"] * 4
    assert table["per_1000"].tolist() == pytest.approx(
        [1000, 7000 / 9, 5000 / 9, 3000 / 9, 1000, 500, 200, 80]
    )
    assert table["transition"].tolist()[1:4] == [
        "Lead to Qualified",
        "Qualified to Proposal",
        "Proposal to Won",
    ]
    assert table["not_yet_known_per_1000"].tolist()[:2] == pytest.approx([1000 / 9, 1000 / 9])


steps = st.lists(st.tuples(st.integers(0, 40), st.sampled_from([*STAGES, "Lost"])), min_size=1, max_size=6)
random_deals = st.lists(st.tuples(st.integers(0, 180), steps), min_size=3, max_size=25)


def as_deals(drawn):
    return {
        f"d{k:03}": (
            created,
            list(
                zip(np.cumsum([0, *[d for d, _ in moves[1:]]]).tolist(), [s for _, s in moves], strict=True)
            ),
        )
        for k, (created, moves) in enumerate([(0, [(0, "Lead")]), *drawn])
    }


@settings(max_examples=15, deadline=None)
@given(random_deals, st.integers(1, 100), st.randoms(use_true_random=False))
def test_what_holds_for_any_pipeline(drawn, days, random):
    entries = entries_of(as_deals(drawn))
    pipeline = pipeline_of(entries)
    counts = count_stages(pipeline, window=f"{days} days")
    parts = counts.table[["n_advanced", "n_lost", "n_back", "n_open"]].sum(axis=1)
    assert (counts.table["n_entered"] == parts).all()
    assert counts.counts == sorted(counts.counts, reverse=True)
    created = entries.groupby("opportunity_id")["entered_on"].first()
    old = created[created <= SNAPSHOT - dt.timedelta(days=days)]
    assert counts.counts[0] == len(old)
    assert counts.n_not_yet_known == len(created) - len(old)
    recorded = count_stages(pipeline, window=f"{days} days", skipped="as recorded")
    assert (recorded.table["n_entered"] <= counts.table["n_entered"]).all()
    # The order in which opportunities lie in the file changes nothing.
    names = list(dict.fromkeys(entries["opportunity_id"]))
    random.shuffle(names)
    shuffled = pd.concat([entries[entries["opportunity_id"] == name] for name in names])
    again = count_stages(pipeline_of(shuffled), window=f"{days} days")
    pd.testing.assert_frame_equal(again.table, counts.table)


@settings(max_examples=8, deadline=None)
@given(random_deals)
def test_a_longer_window_never_lowers_the_counts_of_those_it_judges(drawn):
    deals = {name: (0, moves) for name, (_, moves) in as_deals(drawn).items()}
    pipeline = pipeline_of(entries_of(deals))
    short, long = (count_stages(pipeline, window=f"{days} days").counts for days in (30, 90))
    assert all(few <= many for few, many in zip(short, long, strict=True))
