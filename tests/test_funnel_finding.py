"""Scripted situations, each with the one sentence it supports."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from counted import counted
from pipelines import pipeline_of

import crm_analysis as crm
from crm_analysis.funnel import compare, compare_speed, count_stages, finding, incidence, sample_size

DATA = Path(__file__).parents[1] / "data"
STAGES = ("Lead", "Qualified", "Proposal", "Won")
SNAPSHOT = dt.date(2025, 12, 31)


def test_one_stage():
    key, values = finding(compare([10000, 3000, 1500, 600, 240], [10000, 3200, 800, 310, 120]))
    assert key == "one_stage"
    assert values["transition"] == "Stage 2 to Stage 3"
    assert values["share"] == pytest.approx(1.0)
    assert (values["ahead"], values["behind"], values["lead"]) == ("A", "B", pytest.approx(120))
    assert values["share_low"] < 1 < values["share_high"]


def test_the_firm_ahead_is_named_whichever_comes_first():
    key, values = finding(
        compare([10000, 3200, 800, 310, 120], [10000, 3000, 1500, 600, 240]), names=("Beta", "Alpha")
    )
    assert key == "one_stage"
    assert (values["ahead"], values["behind"]) == ("Alpha", "Beta")
    assert values["contribution"] == pytest.approx(120)
    assert values["contribution_low"] < 120 < values["contribution_high"]
    assert 0 < values["lead_low"] < values["lead"] < values["lead_high"]
    assert (values["value_ahead"], values["value_behind"]) == pytest.approx((240, 120))


def test_two_equal_stages_are_a_tie():
    """Half the entrants, twice the wins, and two transitions of the same weight."""
    gap = compare([30200, 15100, 3020, 302], [60200, 30100, 3010, 150], per="1000 entrants")
    key, values = finding(gap)
    assert key == "tie"
    assert {values["transition_1"], values["transition_2"]} == {"Stage 2 to Stage 3", "Stage 3 to Stage 4"}
    assert values["share_both"] == pytest.approx(1.0)


def test_two_unequal_stages_of_few_need_more():
    gap = compare([800, 320, 120], [800, 240, 60])
    key, values = finding(gap)
    assert key == "tie_need_more"
    more = 1 + values["n_more"] / 800
    larger = compare(
        *(np.round(np.array(c) * more).astype(int).tolist() for c in ([800, 320, 120], [800, 240, 60]))
    )
    first, second = values["transition_1"], values["transition_2"]
    covariance = larger.covariance
    se = np.sqrt(
        covariance.loc[first, first] + covariance.loc[second, second] - 2 * covariance.loc[first, second]
    )
    parts = larger.contributions["contribution"]
    # With so many more, the difference is 1.96 + 0.84 standard errors.
    assert (parts[first] - parts[second]) / se == pytest.approx(2.80, abs=0.05)


def test_no_gap():
    key, values = finding(compare([1000, 300, 100], [1000, 305, 98]))
    assert key == "no_gap"
    assert values["gap_low"] < 0 < values["gap_high"]
    assert values["smallest_visible"] == pytest.approx(
        2.8016 * np.sqrt(1000 * (0.1 * 0.9 + 0.098 * 0.902)), rel=1e-3
    )


@pytest.mark.parametrize(
    ("a", "b", "delta", "key"),
    [
        # Identical: 1,000 show no more than +-3.5 points, 4,000 show +-1.8.
        ([1000, 400, 200], [1000, 400, 200], 0.02, "no_gap"),
        ([4000, 1600, 800], [4000, 1600, 800], 0.02, "about_the_same"),
        ([4000, 1600, 800], [4000, 1600, 800], 0.01, "no_gap"),
        # Beyond chance, and too little to act on.
        ([400000, 160000, 81000], [400000, 160000, 80000], 0.02, "about_the_same"),
        # Twice as many is not about the same, though both lie within two points.
        ([10000, 3000, 240], [10000, 3000, 120], 0.02, "one_stage"),
    ],
)
def test_about_the_same_is_said_where_the_interval_is_narrow(a, b, delta, key):
    assert finding(compare(a, b, per="1000 entrants"), delta=delta)[0] == key


def test_firms_of_few_unlike_owners_are_not_known_to_be_about_the_same():
    """The same wins of as many leads, once of owners who are alike and once of owners who are not."""
    keys, needed = [], []
    for won in ([200] * 8, [100, 300] * 4):
        furthest = np.concatenate([(np.arange(1000) < k).astype(int) for k in won])
        owner = np.repeat([f"O{i}" for i in range(8)], 1000)
        firm = counted(furthest, stages=("Lead", "Won"), owner=owner)
        key, values = finding(compare(firm, firm, per="1000 entrants"))
        keys.append(key)
        needed.append(values["n_needed"])
    assert keys == ["about_the_same", "no_gap"]
    assert needed[1] > 5 * needed[0]


def test_with_more_leads_for_the_money_firms_are_not_about_the_same():
    a, b = [4000, 1600, 800], [4000, 1600, 800]
    assert finding(compare(a, b, per="spend", spend_a=1e6, spend_b=1e6))[0] == "no_gap"


@pytest.mark.parametrize(
    ("a", "b", "target"),
    [
        ([1000, 300, 100], [1000, 305, 98], 0.02),
        # 6,000 would be enough for two points, not for the difference at hand.
        ([6500, 2600, 1300], [6500, 2600, 1220], 80 / 6500),
    ],
)
def test_what_is_not_seen_says_how_many_would_show_it(a, b, target):
    key, values = finding(compare(a, b, per="1000 entrants"))
    assert key == "no_gap"
    assert values["target"] == pytest.approx(target)
    rate = (a[-1] / a[0] + b[-1] / b[0]) / 2
    assert values["n_needed"] == pytest.approx(sample_size(rate + target / 2, rate - target / 2))
    assert values["n_needed"] > a[0]


def test_more_leads_for_the_money_can_be_the_answer():
    gap = compare([4000, 800, 200], [2000, 400, 100], per="spend", spend_a=1e6, spend_b=1e6)
    key, values = finding(gap)
    assert key == "one_stage"
    assert values["transition"] == gap.contributions.index[0]


def simulated(rng, *, rates, days, n=5000):
    """Stage entries of a firm with true rates, each step lasting about `days`; lost ones leave as late."""
    created = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 1000, n), unit="D")
    at = np.zeros(n)
    alive = np.ones(n, dtype=bool)
    rows = [pd.DataFrame({"id": np.arange(n), "stage": STAGES[0], "at": 0.0})]
    for stage, rate in zip(STAGES[1:], rates, strict=True):
        at = at + rng.gamma(2, days / 2, n)
        on = alive & (rng.random(n) < rate)
        for name, who in ((stage, on), ("Lost", alive & ~on)):
            rows.append(pd.DataFrame({"id": np.flatnonzero(who), "stage": name, "at": at[who]}))
        alive = on
    entries = pd.concat(rows).sort_values(["id", "at"], kind="stable")
    entries["opportunity_id"] = entries["id"].map("{:05}".format)
    entries["entered_on"] = created[entries["id"]] + pd.to_timedelta(entries["at"].round(), unit="D")
    seen = entries[entries["entered_on"] <= pd.Timestamp(SNAPSHOT)]
    return pipeline_of(seen[["opportunity_id", "stage", "entered_on"]], stages=STAGES, snapshot_at=SNAPSHOT)


def findings_of(a, b, **window):
    gap = compare(count_stages(a, **window), count_stages(b, **window), per="1000 entrants")
    return finding(gap, speed=compare_speed(incidence(a), incidence(b)))


RATES = (0.5, 0.4, 0.5)


def test_slower_is_not_lower():
    """Same eventual rates, three times slower: no gap in conversion, and B is the slower one."""
    rng = np.random.default_rng(31)
    a, b = simulated(rng, rates=RATES, days=10), simulated(rng, rates=RATES, days=30)
    key, values = findings_of(a, b)
    assert key == "slower_not_lower"
    assert (values["slower"], values["faster"]) == ("B", "A")
    assert values["days_slower"] / values["days_faster"] == pytest.approx(3, abs=0.4)
    assert 0 < values["days_later_low"] < values["days_later"] < values["days_later_high"]
    assert values["eventual_difference_low"] < 0 < values["eventual_difference_high"]


def test_a_window_too_short_for_the_slower_firm_makes_it_no_worse():
    rng = np.random.default_rng(32)
    a, b = simulated(rng, rates=RATES, days=10), simulated(rng, rates=RATES, days=30)
    gap = compare(*(count_stages(p, window="45 days") for p in (a, b)), per="1000 entrants")
    assert gap.is_clear
    assert findings_of(a, b, window="45 days")[0] == "slower_not_lower"


def test_slower_and_lower_is_lower():
    rng = np.random.default_rng(33)
    a, b = simulated(rng, rates=RATES, days=10), simulated(rng, rates=(0.5, 0.2, 0.5), days=30)
    key, values = findings_of(a, b)
    assert (key, values["transition"]) == ("one_stage", "Qualified to Proposal")


def test_nothing_different_is_no_gap():
    rng = np.random.default_rng(34)
    a, b = simulated(rng, rates=RATES, days=20), simulated(rng, rates=RATES, days=20)
    assert findings_of(a, b)[0] == "about_the_same"


@pytest.mark.parametrize("guilty", [0, 1, 2])
def test_the_planted_stage_is_named(guilty):
    rng = np.random.default_rng(40 + guilty)
    worse = [rate * (0.5 if k == guilty else 1) for k, rate in enumerate(RATES)]
    key, values = findings_of(simulated(rng, rates=RATES, days=15), simulated(rng, rates=worse, days=20))
    assert key == "one_stage"
    assert values["transition"] == f"{STAGES[guilty]} to {STAGES[guilty + 1]}"
    assert values["share_low"] < 1 < values["share_high"]


DEMO = ("Lead", "Qualified", "Proposal", "Negotiation", "Won")


def demo(firm):
    columns = {"opportunity_id": "id", "stage": "stage", "entered_at": "entered_at", "amount": "amount"}
    return crm.read_pipeline(
        DATA / f"firm_{firm}" / "stage_history.parquet", columns=columns, stages=DEMO, snapshot_at=SNAPSHOT
    )


def test_the_sample_firms_have_their_planted_transition_named():
    a, b = demo("a"), demo("b")
    gap = compare(count_stages(a), count_stages(b), per="1000 entrants")
    key, values = finding(gap, speed=compare_speed(incidence(a), incidence(b)), names=("Firm A", "Firm B"))
    truth = pd.read_csv(DATA / "truth" / "firm_a" / "split.csv").set_index("transition")
    assert (key, values["ahead"]) == ("one_stage", "Firm A")
    assert values["transition"] == truth["share"].idxmax()
    assert values["share_low"] < truth["share"].max() < values["share_high"] + 0.05
    # The interval of the true rates' gap holds chance only; duplicates and re-dated deals add a little.
    assert values["lead"] == pytest.approx(truth["contribution"].sum(), rel=0.2)


def test_every_value_is_a_number_or_a_name():
    a, b = [10000, 3000, 1500, 600, 240], [10000, 3200, 800, 310, 120]
    for gap in (compare(a, b), compare(a, a), compare(b, a)):
        _, values = finding(gap)
        assert all(isinstance(value, str | int | float) for value in values.values())
