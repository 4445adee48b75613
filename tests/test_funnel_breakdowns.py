"""Groups of counted opportunities: they add up, whatever the policy, and what is missing is shown."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from maven import OFFICES, maven, needs_maven
from pipelines import SNAPSHOT, STAGES, START, pipeline_of

import crm_analysis as crm
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel import (
    attribute,
    breakdown_table,
    cohort_table,
    conversion_trend,
    count_stages,
    count_wins,
    merge_stages,
)

COLUMNS = ["n_entered", "n_advanced", "n_lost", "n_back", "n_open", "n_not_yet_known"]


def random_entries(n, *, seed, spread=170):
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(n):
        created, day = int(rng.integers(0, spread)), 0
        for stage in rng.choice([*STAGES, "Lost"], rng.integers(1, 6)):
            rows.append((f"d{k:03}", stage, START + dt.timedelta(days=created + day)))
            day += int(rng.integers(0, 15))
    return pd.DataFrame(rows, columns=["opportunity_id", "stage", "entered_on"])


@pytest.fixture(scope="module")
def made():
    return pipeline_of(random_entries(90, seed=3)).with_columns(
        segment=[("Small", "Large", None)[k % 3] for k in range(90)]
    )


@pytest.fixture(scope="module")
def counts(made):
    return count_stages(made, window="40 days")


@pytest.mark.parametrize("policy", [{}, {"skipped": "strict"}, {"skipped": "as recorded"}])
def test_groups_add_up_and_show_what_is_missing(made, policy):
    whole = count_stages(made, window="40 days", **policy)
    parts = whole.by("segment")
    assert list(parts) == ["Large", "Small", "(missing)"]
    assert (sum(part.table[COLUMNS] for part in parts.values()) == whole.table[COLUMNS]).all(axis=None)
    assert sum(part.n_not_yet_known for part in parts.values()) == whole.n_not_yet_known
    everybody = [name for part in parts.values() for name in part.who("Lead", outcome="entered")]
    assert sorted(everybody) == whole.who("Lead", outcome="entered")
    assert {part.skipped for part in parts.values()} == {whole.skipped}


def test_a_group_changes_nobodys_course(made, counts):
    """Counted by themselves the small ones give what their group shows."""
    small = count_stages(made, window="40 days", exclude={"segment": ["Large"]})
    alone = [name for name in small.members.index if small.members.loc[name, "segment"] == "Small"]
    assert counts.by("segment")["Small"].members["furthest"].to_dict() == {
        name: small.members.loc[name, "furthest"] for name in alone
    }


def test_groups_by_a_series_of_ids(counts):
    first = counts.members.index[:10]
    groups = pd.Series("first ten", index=[*first, "nobody"])
    table = breakdown_table(counts, by=groups)
    assert table["group"].unique().tolist() == ["first ten", "(missing)"]
    known = table.groupby("group", sort=False)[["n_entered", "n_not_yet_known"]].first().sum(axis=1)
    assert known.to_dict() == {"first ten": 10, "(missing)": 80}


def test_a_group_that_nobody_can_judge_yet_has_no_rates(made, counts):
    young = pd.Series("young", index=counts.members.index[~counts.members["judged"]])
    table = breakdown_table(counts, by=young).set_index(["group", "stage"]).loc["young"]
    assert (table["n_entered"] == 0).all()
    assert table["per_1000"].isna().all()
    assert table["n_not_yet_known"].max() == counts.n_not_yet_known
    assert table.loc["Won", ["low", "high"]].tolist() == [0, 1]


def test_groups_that_cannot_be_are_refused(counts):
    with pytest.raises(ConfigError, match=r"no attribute 'city'; there are: \["):
        counts.by("city")
    with pytest.raises(ConfigError, match="came without ids"):
        count_stages([10, 5]).by("segment")
    with pytest.raises(DataError, match="id 'd000' has several values"):
        counts.by(pd.Series(["x", "y"], index=["d000", "d000"]))


def handed_over():
    rows = [
        ("kept", "Lead", 0, "Ann", 10),
        ("kept", "Won", 9, "Ann", 12),
        ("given", "Lead", 0, "Ann", 10),
        ("given", "Proposal", 5, "Bob", 20),
        ("given", "Lost", 9, "Cid", 30),
        ("open", "Lead", 0, None, 10),
        ("open", "Proposal", 4, "Bob", 15),
        ("open", "Lead", 6, "Cid", 15),
        ("open", "Proposal", 8, "Dot", 15),
    ]
    log = pd.DataFrame(rows, columns=["opportunity_id", "stage", "day", "owner", "amount"])
    log["entered_at"] = pd.Timestamp(START) + pd.to_timedelta(log.pop("day"), unit="D")
    names = ("opportunity_id", "stage", "entered_at", "owner", "amount")
    return crm.read_pipeline(
        log, columns={name: name for name in names}, stages=STAGES, snapshot_at=SNAPSHOT, max_set_aside=1.0
    )


def test_an_owner_is_attributed_at_a_stated_moment():
    given = handed_over()
    owners = {
        at: attribute(given, "owner", at=at).astype(object).where(lambda v: v.notna(), None).to_dict()
        for at in ("creation", "close", "Proposal", "Lost")
    }
    assert owners == {
        "creation": {"given": "Ann", "kept": "Ann", "open": None},
        "close": {"given": "Cid", "kept": "Ann", "open": None},
        "Proposal": {"given": "Bob", "kept": None, "open": "Bob"},
        "Lost": {"given": "Cid", "kept": None, "open": None},
    }
    counts = count_stages(given, window="30 days")
    parts = counts.by(attribute(given, "owner", at="creation"))
    assert {name: part.counts for name, part in parts.items()} == {
        "Ann": [2, 2, 2, 1],
        "(missing)": [1, 1, 1, 0],
    }
    assert attribute(given, "amount", at="close")["given"] == 30


def test_moments_and_attributes_that_are_not_there_are_refused(made):
    given = handed_over()
    with pytest.raises(
        ConfigError, match=r"no attribute 'segment' that changes .* has \['owner', 'amount'\]"
    ):
        attribute(given, "segment", at="close")
    with pytest.raises(ConfigError, match=r"at='Demo'; expected one of \['creation', 'close', 'Lead'"):
        attribute(given, "owner", at="Demo")
    with pytest.raises(ConfigError, match=r"this pipeline has \[\]"):
        attribute(made, "owner", at="creation")


def test_cohorts_by_month_mark_the_immature(counts):
    table = cohort_table(counts)
    firsts = table.groupby("cohort").first()
    assert firsts.index.tolist() == [pd.Timestamp(2025, month, 1) for month in range(1, 7)]
    assert firsts["n_created"].sum() == len(counts.members)
    # 40 days before 30 June is 21 May: May is judged in part, June not at all.
    assert firsts["is_mature"].tolist() == [True] * 4 + [False] * 2
    assert firsts["n_judged"].iloc[-1] == 0
    lead = table[table["stage"] == "Lead"]
    assert lead["n_entered"].sum() == counts.counts[0]
    assert lead["n_not_yet_known"].sum() == counts.n_not_yet_known
    june = table[(table["cohort"] == "2025-06-01") & (table["stage"] == "Won")]
    assert june["share_of_previous"].isna().all()
    assert len(cohort_table(counts, by="Q")) == 2 * len(STAGES)
    with pytest.raises(ConfigError, match="by='D'; expected 'W'"):
        cohort_table(counts, by="D")


@pytest.mark.parametrize("policy", [{}, {"skipped": "strict"}, {"skipped": "as recorded"}])
def test_merged_stages_are_one(made, policy):
    counts = count_stages(made, window="40 days", **policy)
    merged = merge_stages(counts, ["Qualified", "Proposal"], name="Selling")
    assert merged.stages == ("Lead", "Selling", "Won")
    parts = merged.table[["n_advanced", "n_lost", "n_back", "n_open"]].sum(axis=1)
    assert (merged.table["n_entered"] == parts).all()
    either = {n for stage in ("Qualified", "Proposal") for n in counts.who(stage, outcome="entered")}
    assert set(merged.who("Selling", outcome="entered")) == either
    assert merged.who("Won", outcome="entered") == counts.who("Won", outcome="entered")
    assert (
        merged.table.loc["Lead", COLUMNS[1:]].tolist()[:2]
        == counts.table.loc["Lead", COLUMNS[1:]].tolist()[:2]
    )
    # Who moved back from Proposal to Qualified stands in the merged stage.
    assert set(merged.who("Selling", outcome="open")) >= set(counts.who("Qualified", outcome="open"))


def test_trend_of_conversion_over_mature_cohorts():
    """4, 5, 6 and 7 of 10 go on, a cohort a month; the two youngest months are not yet known."""
    rows = []
    for month, won in enumerate([4, 5, 6, 7, 0, 0], 1):
        for k in range(10):
            steps = [(0, "Lead")] + ([(3, "Qualified"), (5, "Proposal"), (9, "Won")] if k < won else [])
            rows += [(f"{month}-{k}", s, dt.date(2025, month, 1) + dt.timedelta(days=d)) for d, s in steps]
    counts = count_stages(
        pipeline_of(pd.DataFrame(rows, columns=["opportunity_id", "stage", "entered_on"])), window="70 days"
    )
    trend = conversion_trend(counts)
    first = trend.loc["Lead to Qualified"]
    assert first[["n_cohorts", "n", "share", "change"]].tolist() == pytest.approx([4, 40, 0.55, 0.1])
    assert first["low"] < 0.1 < first["high"]
    assert trend.loc["all to Won", "change"] == pytest.approx(0.1)
    # Everybody goes on: a rate of 1 has no trend to be sure of.
    assert trend.loc["Qualified to Proposal", ["change", "low", "high"]].isna().all()
    assert conversion_trend(counts, by="Q").loc["all to Won", "n_cohorts"] == 1


@needs_maven
def test_a_real_pipeline_that_hides_how_far_deals_came():
    """Maven's deals know their end only: wins are counted, stage rates refused, and offices add up."""
    pipeline = maven()
    with pytest.raises(DataError, match="stage rates are refused"):
        count_stages(pipeline, window="138 days")
    wins = count_wins(pipeline, window="138 days")
    deals = pipeline.opportunities.to_pandas()
    days = (pd.to_datetime(deals["closed_on"]) - pd.to_datetime(deals["created_on"])).dt.days
    old = (pd.Timestamp(pipeline.snapshot_at) - pd.to_datetime(deals["created_on"])).dt.days >= 138
    assert wins.counts == [int(old.sum()), int((old & (deals["outcome"] == "won") & (days <= 138)).sum())]
    offices = {office: count_wins(maven(office), window="138 days").counts for office in OFFICES}
    assert np.sum(list(offices.values()), axis=0).tolist() == wins.counts


def test_merged_rates_are_products_of_the_rates():
    counts = count_stages([100, 40, 30, 12], stages=STAGES)
    merged = merge_stages(counts, ["Qualified", "Proposal"])
    assert (merged.stages, merged.counts) == (("Lead", "Qualified + Proposal", "Won"), [100, 40, 12])
    assert merged.table.loc["Won", "share_of_previous"] == pytest.approx(30 / 40 * 12 / 30)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["Qualified", "Demo"], "no stage 'Demo'"),
        (["Qualified"], "cannot be merged; expected two or more"),
        ([], "cannot be merged"),
        (["Proposal", "Qualified"], "next to each other in .* in that order"),
        (["Lead", "Proposal"], "next to each other"),
        (["Proposal", "Won"], "cannot be merged"),
    ],
)
def test_what_cannot_be_merged_is_refused(counts, names, message):
    with pytest.raises(ConfigError, match=message):
        merge_stages(counts, names)


def test_a_merged_stage_needs_a_name_of_its_own(counts):
    with pytest.raises(ConfigError, match="called 'Lead' already"):
        merge_stages(counts, ["Qualified", "Proposal"], name="Lead")
    # The name of a merged stage is free.
    assert merge_stages(counts, ["Qualified", "Proposal"], name="Proposal").stages == (
        "Lead",
        "Proposal",
        "Won",
    )


def test_several_rows_of_one_customer_are_one_customer():
    """Rows that repeat a stage, and twins of rows, fan out a join; counting ids does not.

    2,000 came, 348 put something in the basket, 226 went to the checkout, 144 bought: as a join of tables
    with repeated purchases the same log gives 2108, 456, 334, 252.
    """
    stages = ("Browse", "Basket", "Checkout", "Purchase")
    reached, again = [2000, 348, 226, 144], 108
    day = pd.Timestamp(START)
    tables = [
        pd.DataFrame(
            {
                "opportunity_id": [f"u{n:04}" for n in range(n_reached)],
                "stage": stage,
                "entered_at": day + pd.Timedelta(hours=k),
            }
        )
        for k, (stage, n_reached) in enumerate(zip(stages, reached, strict=True))
    ]
    tables[-1] = pd.concat([tables[-1], tables[-1].head(again).assign(entered_at=day + pd.Timedelta(days=2))])
    joined = tables[0]
    for table in tables[1:]:
        joined = joined.merge(
            table, on="opportunity_id", how="left", suffixes=("", f" {table['stage'].iloc[0]}")
        )
    wrong = [len(joined), *(int(joined[f"stage {stage}"].notna().sum()) for stage in stages[1:])]
    assert wrong == [2108, 456, 334, 252]
    log = crm.read_pipeline(
        pd.concat(tables),
        columns={name: name for name in ("opportunity_id", "stage", "entered_at")},
        stages=stages,
        snapshot_at=SNAPSHOT,
    )
    assert count_stages(log, window="30 days").counts == reached


def test_wins_have_groups_too(made):
    wins = count_wins(made, window="40 days")
    assert sum(part.counts[1] for part in wins.by("segment").values()) == wins.counts[1]


def test_events_are_counted_with_the_rules_of_events():
    log = pd.DataFrame(
        {
            "who": ["a", "a", "a", "b", "b", "c"],
            "what": ["A", "X", "B", "A", "B", "B"],
            "at": pd.Timestamp(START) + pd.to_timedelta([1, 2, 3, 1, 9, 1], unit="h"),
        }
    )
    events = crm.read_events(log, columns={"entity_id": "who", "event": "what", "occurred_at": "at"})
    assert count_stages(events, stages=["A", "B"], window="5 hours").counts == [2, 1]
    assert count_stages(events, stages=["A", "B"], exclude=["X"], exclusion="chain ends").counts == [2, 1]
    assert count_stages(events, stages=["B", "A"], order="any order").counts == [3, 2]
    with pytest.raises(ConfigError, match="an event log needs stages"):
        count_stages(events)
    with pytest.raises(ConfigError, match=r"\['skipped'\] mean nothing for events"):
        count_stages(events, stages=["A", "B"], skipped="strict")
