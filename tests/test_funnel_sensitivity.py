"""What the counts say, under other rules of counting."""

import datetime as dt

import pandas as pd
import pytest
from pipelines import START, pipeline_of

from crm_analysis.errors import ConfigError
from crm_analysis.funnel import count_stages, sensitivity

STEPS = [(0, "Lead"), (5, "Qualified"), (10, "Proposal"), (20, "Won")]


def firm(name, reached, *, skip=0, slow=1):
    """Opportunities of which reached[k] came to stage k; the first `skip` winners skip Qualified."""
    rows = []
    for n in range(reached[0]):
        furthest = max(k for k, many in enumerate(reached) if n < many)
        for k, (day, stage) in enumerate(STEPS[: furthest + 1]):
            if not (k == 1 and n < skip):
                rows.append((f"{name}{n:03}", stage, START + dt.timedelta(days=day * slow)))
    return pipeline_of(pd.DataFrame(rows, columns=["opportunity_id", "stage", "entered_on"]))


def by_rule(table):
    return table.groupby("rule", sort=False)[["conclusion", "share_of_gap", "survives"]].first()


def test_a_conclusion_that_survives():
    a, b = firm("a", [100, 50, 40, 20]), firm("b", [100, 50, 20, 10])
    table = sensitivity({"A": a, "B": b}, window="60 days")
    found = by_rule(table)
    assert found.index.tolist() == [
        "as declared",
        "window 30 days",
        "window 90 days",
        "skipped as recorded",
        "skipped strict",
        "back undone",
    ]
    assert found["survives"].all()
    assert (found["conclusion"] == "Qualified to Proposal").all()
    # Twice the rate in one transition, equal ones in the others: all of the gap.
    assert found["share_of_gap"].tolist() == pytest.approx([1] * 6)
    row = table.iloc[1]
    assert (row["firm"], row["transition"], row["n_previous"]) == ("A", "Qualified to Proposal", 50)
    assert row["share_of_previous"] == pytest.approx(0.8)


def test_a_conclusion_that_rests_on_imputed_stages():
    """A's lead lies in Qualified to Proposal; 30 of A skip Qualified, and by strict rules are lost there."""
    a, b = firm("a", [100, 50, 40, 36], skip=30), firm("b", [100, 50, 20, 18])
    found = by_rule(sensitivity({"A": a, "B": b}, window="60 days", windows=[]))
    assert found.loc["as declared", "conclusion"] == "Qualified to Proposal"
    assert not found.loc["skipped strict", "survives"]
    assert found.loc["back undone", "survives"]


def test_a_window_too_short_for_the_slower_firm():
    a, b = firm("a", [100, 50, 40, 20]), firm("b", [100, 50, 40, 20], slow=3)
    found = by_rule(sensitivity({"A": a, "B": b}, window="60 days", windows=["40 days"], policies=[]))
    assert found.loc["as declared", "share_of_gap"] != found.loc["as declared", "share_of_gap"]  # no gap
    # In 40 days nobody of B is won: a rate of 0 has no logarithm, and nothing is concluded.
    assert found.loc["window 40 days", "conclusion"] is None or pd.isna(
        found.loc["window 40 days", "conclusion"]
    )


def test_one_pipeline_and_its_duplicates():
    """Ten second records that go nowhere make Lead to Qualified look like the weak transition."""
    pipeline = firm("a", [30, 15, 10, 6])
    table = sensitivity(
        pipeline, window="60 days", policies=[], windows=[], duplicates=[f"a{n:03}" for n in range(20, 30)]
    )
    found = by_rule(table)
    assert found["conclusion"].to_dict() == {
        "as declared": "Lead to Qualified",
        "without duplicates": "Proposal to Won",
    }
    assert found["survives"].tolist() == [True, False]
    assert table["share_of_gap"].isna().all()


def test_the_window_is_learnt_once():
    a = firm("a", [30, 15, 10, 6])
    declared = sensitivity(a, policies=[], windows=["100 days"]).set_index("rule").loc["as declared"]
    counts = count_stages(a, window="20 days")
    assert declared["share_of_previous"].tolist() == pytest.approx(
        counts.table["share_of_previous"].tolist()[1:]
    )


def test_more_than_two_are_refused():
    a = firm("a", [30, 15, 10, 6])
    with pytest.raises(ConfigError, match="sensitivity of 3 pipelines; expected one or two"):
        sensitivity(dict.fromkeys("abc", a))
