"""Rules of counting stage histories: each by hand, and all against a search through every chain."""

import datetime as dt
from itertools import combinations_with_replacement, pairwise, product

import numpy as np
import pandas as pd
import pytest
from pipelines import START, pipeline_of

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel import count_stages

FOUR = ("One", "Two", "Three", "Won")
# The four opportunities of the table in the docstring of count_stages.
DOCUMENTED = {
    "jump": [(0, "One"), (5, "Three"), (9, "Won")],
    "late": [(0, "Three"), (4, "Won")],
    "back": [(0, "One"), (5, "Three"), (8, "One")],
    "straight": [(0, "One"), (6, "Won")],
}


def pipeline(deals, *, stages=FOUR, **values):
    """Pipeline of {id: [(days after creation, stage), ...]}; values: {column: {id: value}} of deals."""
    rows = [
        (name, stage, START + dt.timedelta(days=day)) for name, steps in deals.items() for day, stage in steps
    ]
    made = pipeline_of(pd.DataFrame(rows, columns=["opportunity_id", "stage", "entered_on"]), stages=stages)
    ids = sorted(deals)
    return made.with_columns(
        **{column: [known.get(name) for name in ids] for column, known in values.items()}
    )


def closes(counts) -> bool:
    parts = counts.table[["n_advanced", "n_lost", "n_back", "n_open"]].sum(axis=1)
    return bool((counts.table["n_entered"] == parts).all())


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, [4, 4, 4, 3]),
        ({"skipped": "as recorded"}, [3, 0, 3, 3]),
        ({"skipped": "strict"}, [3, 0, 0, 0]),
        ({"back": "undone"}, [4, 3, 3, 3]),
        ({"back": "undone", "skipped": "as recorded"}, [3, 0, 2, 3]),
        ({"reentry": "first entry"}, [4, 4, 4, 3]),
    ],
)
def test_documented_counts_of_every_policy(policy, expected):
    counts = count_stages(pipeline(DOCUMENTED), window="60 days", **policy)
    assert counts.counts == expected
    assert closes(counts)
    assert counts.nested == (policy.get("skipped") != "as recorded")


def test_who_is_behind_the_numbers_of_a_strict_count():
    """Who skipped a stage has gone on, and is in no later stage."""
    counts = count_stages(pipeline(DOCUMENTED), window="60 days", skipped="strict")
    assert counts.table.loc["One", ["n_entered", "n_advanced", "n_uncounted"]].tolist() == [3, 3, 3]
    assert counts.who("One", outcome="uncounted") == ["back", "jump", "straight"]
    assert counts.who("Two", outcome="entered") == []
    assert counts.table.loc["Two", "share_of_previous"] == 0
    assert counts.table["share_of_all"].tolist() == [0.75, 0, 0, 0]


def test_strict_counts_those_who_pass_every_stage_in_order():
    deals = {
        "in order": [(0, "One"), (1, "Two"), (2, "Three"), (3, "Won")],
        "two after three": [(0, "One"), (1, "Three"), (2, "Two")],
        "three again": [(0, "One"), (1, "Three"), (2, "Two"), (3, "Three")],
        "lost in two": [(0, "One"), (1, "Two"), (2, "Lost")],
    }
    latest, first = (
        count_stages(pipeline(deals), window="60 days", skipped="strict", reentry=reentry)
        for reentry in ("latest viable", "first entry")
    )
    assert latest.counts == [4, 4, 2, 1]
    # The first entry into Three lies before that into Two, and no other one counts.
    assert first.counts == [4, 4, 1, 1]
    assert latest.who("Two", outcome="lost") == ["lost in two"]
    assert latest.who("Three", outcome="entered") == ["in order", "three again"]


def test_time_allowed_into_each_stage():
    """10 days into Two, 5 into Three: both ends included, an imputed entry dated by the next recorded one."""
    deals = {
        "in time": [(0, "One"), (10, "Two"), (15, "Three")],
        "late into two": [(0, "One"), (11, "Two"), (12, "Three")],
        "late into three": [(0, "One"), (10, "Two"), (16, "Three")],
        "two skipped, in time": [(0, "One"), (10, "Three")],
        "two skipped, late": [(0, "One"), (11, "Three")],
        "late and lost": [(0, "One"), (20, "Two"), (21, "Lost")],
    }
    counts = count_stages(
        pipeline(deals), window="60 days", step_windows={"Two": "10 days", "Three": "5 days"}
    )
    assert counts.who("Two", outcome="entered") == ["in time", "late into three", "two skipped, in time"]
    assert counts.who("Three", outcome="entered") == ["in time", "two skipped, in time"]
    assert counts.who("One", outcome="uncounted") == ["late and lost", "late into two", "two skipped, late"]
    assert counts.who("Two", outcome="uncounted") == ["late into three"]
    assert closes(counts)
    assert counts.rules == {"step_windows": {"Two": 10, "Three": 5}}


def test_the_clock_of_a_step_starts_at_the_entry_that_counts():
    """Back to Two and on: from the latest entry into Two 4 days, from the first 50."""
    deals = {"back": [(0, "One"), (2, "Two"), (10, "One"), (48, "Two"), (52, "Three")]}
    steps = {"Three": "10 days"}
    latest = count_stages(pipeline(deals), window="90 days", step_windows=steps)
    first = count_stages(pipeline(deals), window="90 days", step_windows=steps, reentry="first entry")
    never_left = count_stages(pipeline(deals), window="90 days", step_windows=steps, back="undone")
    assert [c.counts for c in (latest, first, never_left)] == [[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 0]]
    # A chain: 5 days into Two as well leave no entry into Two that counts late enough.
    both = count_stages(
        pipeline({"back": [(0, "One"), (2, "Two"), (20, "Three"), (48, "Two"), (52, "Three")]}),
        window="90 days",
        step_windows={"Two": "5 days", "Three": "10 days"},
    )
    assert both.counts == [1, 1, 0, 0]


def test_who_came_back_to_a_stage_never_left_it():
    """In One from day 0 to 48 where the move to Two and back is undone, and from day 10 where it counts."""
    deals = {"back": [(0, "One"), (2, "Two"), (10, "One"), (48, "Two"), (50, "Three")]}
    steps = {"Two": "40 days"}
    undone, counted = (
        count_stages(pipeline(deals), window="90 days", step_windows=steps, back=back)
        for back in ("undone", "counted")
    )
    assert undone.counts == [1, 0, 0, 0]
    assert counted.counts == [1, 1, 1, 0]


def test_a_recorded_stage_that_came_too_late_does_not_count():
    deals = {"in time": [(0, "One"), (10, "Two")], "late": [(0, "One"), (11, "Two"), (12, "Three")]}
    counts = count_stages(
        pipeline(deals), window="60 days", skipped="as recorded", step_windows={"Two": "10 days"}
    )
    assert counts.counts == [2, 1, 0, 0]
    assert counts.who("One", outcome="uncounted") == ["late"]


@pytest.mark.parametrize("reentry", ["latest viable", "first entry"])
def test_the_last_day_of_a_step_is_included(reentry):
    deals = {"on the day": [(0, "One"), (10, "Two")], "a day late": [(0, "One"), (11, "Two")]}
    counts = count_stages(pipeline(deals), window="60 days", step_windows={"Two": "10 days"}, reentry=reentry)
    assert counts.who("Two", outcome="entered") == ["on the day"]


def test_without_a_window_the_steps_together_are_the_window():
    deals = {"d": [(0, "One"), (10, "Two"), (15, "Three"), (40, "Won")]}
    counts = count_stages(pipeline(deals), step_windows=["10 days", "5 days", "30 days"])
    assert (counts.window_days, counts.window_learnt, counts.counts) == (45, False, [1, 1, 1, 1])
    # Where one step has no limit, their sum is none either: the window is learnt from the one win.
    one = count_stages(pipeline(deals), step_windows={"Two": "10 days"})
    assert (one.window_days, one.window_learnt) == (40, True)


def chains(steps, skipped, reentry, gaps):
    """Furthest stage, by trying every choice of one entry per stage."""
    rows = [(FOUR.index(stage), day) for day, stage in steps if stage != "Lost"]
    befores = [-1, *(number for number, _ in rows)]
    entries = [
        [
            place
            for place, (number, _) in enumerate(rows)
            if number == k or (skipped != "strict" and befores[place] < k < number)
        ]
        for k in range(len(FOUR))
    ]
    if reentry == "first entry":
        entries = [found[:1] for found in entries]
    for k in reversed(range(len(FOUR))):
        for chain in product(*entries[: k + 1]):
            ordered = all(a <= b for a, b in pairwise(chain))
            days = [rows[place][1] for place in chain]
            if ordered and all(
                gap is None or b - a <= gap for gap, a, b in zip(gaps, days, days[1:], strict=False)
            ):
                return k
    return -1


def drawn_deals(rng, n):
    deals = {}
    for k in range(n):
        days = 3 * np.cumsum([0, *rng.integers(0, 5, rng.integers(0, 6))])
        deals[f"d{k:03}"] = [
            (int(day), str(rng.choice([*FOUR, "Lost"], p=[0.25, 0.25, 0.2, 0.15, 0.15]))) for day in days
        ]
    return deals


@pytest.mark.parametrize("skipped", ["imputed", "strict"])
@pytest.mark.parametrize("reentry", ["latest viable", "first entry"])
@pytest.mark.parametrize("gaps", [(None, None, None), (6, 6, 6), (None, 3, None)])
def test_counts_equal_a_search_through_all_chains(skipped, reentry, gaps):
    deals = drawn_deals(np.random.default_rng(4), 120)
    windows = {stage: f"{gap} days" for stage, gap in zip(FOUR[1:], gaps, strict=True) if gap}
    counts = count_stages(
        pipeline(deals), window="90 days", skipped=skipped, reentry=reentry, step_windows=windows or None
    )
    lowest = 0 if skipped == "imputed" else -1
    expected = {name: max(chains(steps, skipped, reentry, gaps), lowest) for name, steps in deals.items()}
    assert counts.members["furthest"].to_dict() == expected
    assert closes(counts)
    assert counts.counts == sorted(counts.counts, reverse=True)


def test_wider_step_windows_never_lower_the_counts():
    made = pipeline(drawn_deals(np.random.default_rng(5), 80))
    counts = [
        count_stages(made, window="90 days", step_windows=[f"{days} days"] * 3).counts
        for days in (1, 5, 20, 80)
    ]
    for narrow, wide in pairwise(counts):
        assert all(a <= b for a, b in zip(narrow, wide, strict=True))
    assert counts[-1] == count_stages(made, window="90 days").counts


def test_every_pair_of_policies_closes_and_keeps_its_ids():
    made = pipeline(drawn_deals(np.random.default_rng(6), 60))
    for skipped, back, steps in product(
        ("imputed", "as recorded", "strict"), ("counted", "undone"), (None, ["4 days"] * 3)
    ):
        counts = count_stages(made, window="30 days", skipped=skipped, back=back, step_windows=steps)
        assert closes(counts)
        for stage, row in counts.table.iterrows():
            for outcome in ("advanced", "lost", "back", "open", "not yet known", "uncounted", "entered"):
                assert len(counts.who(stage, outcome=outcome)) == row[f"n_{outcome.replace(' ', '_')}"]
        if counts.nested:
            n = counts.table["n_advanced"] - counts.table["n_uncounted"]
            assert n.tolist()[:-1] == counts.counts[1:]


def test_an_excluded_stage_leaves_out_or_ends():
    stages = ("Lead", "On hold", "Proposal", "Won")
    deals = {
        "never": [(0, "Lead"), (5, "Proposal"), (9, "Won")],
        "held": [(0, "Lead"), (2, "Proposal"), (5, "On hold"), (20, "Won")],
        "held late": [(0, "Lead"), (2, "Proposal"), (70, "On hold")],
        "lost": [(0, "Lead"), (1, "Lost")],
    }
    made = pipeline(deals, stages=stages)
    gone = count_stages(made, window="60 days", exclude=["On hold"])
    assert gone.stages == ("Lead", "Proposal", "Won")
    assert gone.counts == [3, 2, 1]
    assert (gone.n_left_out, gone.rules["exclude"]) == (1, {"stage": ("On hold",)})
    ends = count_stages(made, window="60 days", exclude={"stage": "On hold"}, exclusion="chain ends")
    assert ends.counts == [4, 3, 1]
    assert ends.who("Proposal") == ["held", "held late"]
    assert ends.n_left_out == 0
    lost = count_stages(made, window="60 days", exclude=["Lost"])
    assert (lost.counts, lost.n_left_out) == ([3, 3, 3, 2], 1)
    still_lost = count_stages(made, window="60 days", exclude=["Lost"], exclusion="chain ends")
    assert still_lost.who("Lead", outcome="lost") == ["lost"]


def test_values_leave_opportunities_out():
    made = pipeline(DOCUMENTED, segment={"jump": "Test", "late": "Small", "back": None})
    counts = count_stages(made, window="60 days", exclude={"segment": "Test", "opportunity_id": ["late"]})
    assert counts.who("One", outcome="entered") == ["back", "straight"]
    assert counts.n_left_out == 2


def test_opportunities_of_one_account_are_counted_as_one():
    deals = {
        "a lost": [(0, "One"), (5, "Three"), (9, "Lost")],
        "a open": [(2, "One"), (5, "Three")],
        "a early": [(1, "One")],
        "b won": [(0, "One"), (5, "Won")],
        "b open": [(0, "One"), (5, "Two")],
        "alone": [(0, "One")],
    }
    accounts = {"a lost": "A", "a open": "A", "a early": "A", "b won": "B", "b open": "B"}
    counts = count_stages(pipeline(deals, account_id=accounts), window="60 days", entity="account_id")
    assert counts.counts == [3, 2, 2, 1]
    assert counts.who("Three") == ["A"]
    assert counts.who("One") == ["opportunity alone"]
    assert counts.members.loc["A", ["opportunity_id", "n_opportunities"]].tolist() == ["a open", 3]
    assert counts.members["n_opportunities"].sum() == len(deals)
    assert counts.rules == {"entity": "account_id"}


def test_a_young_opportunity_does_not_hide_what_is_known_of_its_account():
    deals = {"old": [(0, "One")], "young": [(150, "One"), (151, "Won")], "other": [(150, "One")]}
    made = pipeline(deals, account_id={"old": "A", "young": "A", "other": "B"})
    counts = count_stages(made, window="60 days", entity="account_id")
    assert counts.who("One") == ["A"]
    assert counts.who("One", outcome="not yet known") == ["B"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"skipped": "all"}, r"skipped 'all'; expected one of \['imputed', 'as recorded', 'strict'\]"),
        ({"reentry": "last"}, r"reentry 'last'; expected one of \['latest viable', 'first entry'\]"),
        ({"back": "ignored"}, "back 'ignored'; expected one of"),
        ({"exclusion": "out"}, "exclusion 'out'; expected one of"),
        (
            {"exclude": ["Demo"]},
            r"exclude names the stage 'Demo'; these can be excluded: \['Two', 'Three', 'Lost'\]",
        ),
        ({"exclude": ["Won"]}, "exclude names the stage 'Won'"),
        ({"exclude": "Two"}, "exclude 'Two'; expected a list of stages"),
        ({"exclude": {"city": ["X"]}}, "exclude names 'city'; there are"),
        (
            {"step_windows": {"One": "5 days"}},
            r"step_windows names 'One'; .* one of \['Two', 'Three', 'Won'\]",
        ),
        ({"step_windows": ["5 days"]}, "expected 3 lengths, one per stage after the first"),
        ({"step_windows": {"Two": "0 days"}}, "window into Two '0 days'; expected at least one day"),
        ({"entity": "account_id"}, r"entity 'account_id'; this pipeline can count \['opportunity_id'\]"),
        ({"stages": FOUR}, r"\['stages'\] for a pipeline, which has its own stages"),
        ({"order": "ordered"}, r"\['order'\] for a pipeline"),
    ],
)
def test_rules_that_mean_nothing_are_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        count_stages(pipeline(DOCUMENTED), **{"window": "60 days"} | given)


def test_plain_counts_have_no_rules():
    with pytest.raises(ConfigError, match=r"\['window', 'skipped'\] mean nothing for plain counts"):
        count_stages([10, 5], window="30 days", skipped="strict")


def test_a_shape_without_dates_of_entries_has_no_steps():
    from dataclasses import replace

    made = replace(pipeline(DOCUMENTED), shape="current stage")
    assert count_stages(made, window="60 days").counts == [4, 4, 4, 3]
    for rule in ({"skipped": "strict"}, {"back": "undone"}, {"step_windows": {"Two": "5 days"}}):
        with pytest.raises(DataError, match="does not show when stages were entered"):
            count_stages(made, window="60 days", **rule)


@pytest.mark.parametrize(
    "policy", [{}, {"skipped": "strict"}, {"skipped": "as recorded"}, {"step_windows": ["5 days"] * 3}]
)
def test_one_opportunity_and_stages_never_reached(policy):
    counts = count_stages(pipeline({"d": [(0, "One")]}), window="60 days", **policy)
    assert counts.counts == [1, 0, 0, 0]
    assert counts.who("One") == ["d"]
    # Nobody could try the later transitions: their rate is missing, and their interval 0 to 1.
    assert counts.table["share_of_previous"].isna().tolist() == [True, False, True, True]
    assert counts.table.loc["Three", ["low", "high"]].tolist() == [0, 1]
    assert counts.table[["share_of_all", "n_entered", "n_open"]].notna().all(axis=None)


def test_entries_before_the_creation_count_as_made_at_it():
    """Dates that contradict each other make no negative stay, and nobody vanishes."""
    made = pipeline({"d": [(20, "One"), (-5, "Two"), (25, "Three")], "e": [(20, "One"), (19, "Won")]})
    counts = count_stages(made, window="60 days", step_windows=["1 day", "9 days", "9 days"])
    assert counts.who("Three", outcome="entered") == ["d", "e"]
    assert counts.counts == [2, 2, 2, 1]


def test_without_a_creation_date_nothing_is_known():
    made = pipeline(DOCUMENTED)
    undated = made.with_columns(created_on=[START, START, None, START])
    for policy in ({}, {"skipped": "strict"}, {"step_windows": ["90 days"] * 3}):
        counts = count_stages(undated, window="60 days", **policy)
        assert counts.n_not_yet_known == 1
        assert closes(counts)
        assert counts.counts[0] + counts.n_not_yet_known <= 4


def test_monotone_chains_are_the_same_whatever_the_order_of_rows():
    """combinations_with_replacement gives histories that never move back: all policies of moves agree."""
    deals = {
        f"d{k}": [(day, FOUR[number]) for day, number in enumerate(numbers)]
        for k, numbers in enumerate(combinations_with_replacement(range(4), 3))
    }
    made = pipeline(deals)
    kept, undone = (count_stages(made, window="60 days", back=back) for back in ("counted", "undone"))
    pd.testing.assert_frame_equal(kept.table, undone.table)
