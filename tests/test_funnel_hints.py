"""Scripted situations, each with the one hint that it supports."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from pipelines import pipeline_of

from crm_analysis.funnel import compare, compare_speed, count_stages, hints, incidence, mix, opposed

STAGES = ("Lead", "Qualified", "Proposal", "Won")
SNAPSHOT = dt.date(2025, 12, 31)
CLEAR = ([10000, 3000, 1500, 600, 240], [10000, 3200, 800, 310, 120])
RATES = (0.5, 0.4, 0.5)


def keys(found):
    return [key for key, _ in found]


def gap_of(a, b):
    return compare(list(a), list(b), per="1000 entrants")


def simulated(rng, *, rates=RATES, days=10.0, n=3000, last_created=1000, forgotten=0.0):
    """A firm with true rates, each step lasting about `days`; some lost ones are never closed."""
    created = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, last_created, n), unit="D")
    at, alive = np.zeros(n), np.ones(n, dtype=bool)
    rows = [pd.DataFrame({"id": np.arange(n), "stage": STAGES[0], "at": 0.0})]
    for stage, rate in zip(STAGES[1:], rates, strict=True):
        at = at + rng.gamma(2, days / 2, n)
        on = alive & (rng.random(n) < rate)
        lost = alive & ~on & (rng.random(n) >= forgotten)
        for name, who in ((stage, on), ("Lost", lost)):
            rows.append(pd.DataFrame({"id": np.flatnonzero(who), "stage": name, "at": at[who]}))
        alive = on
    entries = pd.concat(rows).sort_values(["id", "at"], kind="stable")
    entries["opportunity_id"] = entries["id"].map("{:05}".format)
    entries["entered_on"] = created[entries["id"]] + pd.to_timedelta(entries["at"].round(), unit="D")
    seen = entries[entries["entered_on"] <= pd.Timestamp(SNAPSHOT)]
    return pipeline_of(seen[["opportunity_id", "stage", "entered_on"]], stages=STAGES, snapshot_at=SNAPSHOT)


def hints_of(a, b, *, window="90 days", **period):
    counts = [count_stages(pipeline, window=window, **period) for pipeline in (a, b)]
    incidences = [incidence(pipeline) for pipeline in (a, b)]
    gap = compare(*counts, per="1000 entrants")
    return hints(gap, counts=counts, incidences=incidences, speed=compare_speed(*incidences))


def test_a_clear_stage_is_where_to_act_first():
    found = hints(gap_of(*CLEAR))
    assert keys(found) == ["one_stage"]
    assert found[0][1]["transition"] == "Stage 2 to Stage 3"


@pytest.mark.parametrize(
    ("a", "b", "key"),
    [
        ([30200, 15100, 3020, 302], [60200, 30100, 3010, 150], "tie"),
        ([800, 320, 120], [800, 240, 60], "tie_need_more"),
    ],
)
def test_what_cannot_be_told_apart_is_a_tie(a, b, key):
    assert keys(hints(gap_of(a, b))) == [key]


@pytest.mark.parametrize("swapped", [False, True])
def test_a_stage_better_and_the_next_worse_are_judged_together(swapped):
    """Fewer are qualified by B, and of these more go on: as many win in the end."""
    a, b = [10000, 5000, 2000, 1000], [10000, 3500, 1980, 990]
    found = hints(gap_of(b, a) if swapped else gap_of(a, b), names=("X", "Y"))
    assert keys(found) == ["looser_qualification"]
    values = found[0][1]
    assert (values["looser"], values["stricter"]) == (("Y", "X") if swapped else ("X", "Y"))
    assert (values["transition_1"], values["transition_2"]) == ("Stage 1 to Stage 2", "Stage 2 to Stage 3")
    assert values["both"] == "Stage 1 to Stage 3"
    assert values["rate_1_looser"] == pytest.approx(0.5)
    assert values["rate_2_looser"] == pytest.approx(0.4)
    assert values["rate_both_looser"] == pytest.approx(0.2)
    assert values["rate_both_stricter"] == pytest.approx(0.198)


def test_a_small_step_back_beside_a_large_one_forward_is_no_looser_qualification():
    """The first transition is a little worse, beyond chance, and the second twice as good."""
    assert opposed(gap_of(*CLEAR))["offset"].iloc[0] < 1 / 3
    assert keys(hints(gap_of(*CLEAR))) == ["one_stage"]


def test_a_trade_off_within_chance_is_none():
    assert hints(gap_of([100, 50, 20, 10], [100, 45, 20, 10])) == []


def by_segment(**segments):
    """Counts per segment as they are given, and both together."""
    return [dict(zip(segments, counts, strict=True)) for counts in zip(*segments.values(), strict=True)]


def totals(segments):
    return np.sum(list(segments.values()), axis=0).tolist()


def test_other_customers_are_not_other_selling():
    """The same rates in both segments, and three times the share of the better one."""
    a, b = by_segment(
        large=([6000, 3000, 1800], [2000, 1000, 600]), small=([4000, 1000, 300], [8000, 2000, 600])
    )
    gap = gap_of(totals(a), totals(b))
    found = hints(gap, mix=mix(a, b), names=("X", "Y"))
    assert keys(found) == ["mix_driven"]
    values = found[0][1]
    assert values["ahead"] == "X"
    assert values["share"] == pytest.approx(1.0)
    assert values["mix"] == pytest.approx(gap.gap)
    assert values["rate"] == pytest.approx(0, abs=1e-9)


def test_simpson_is_named():
    """B sells better to large and to small customers, and asks more of the small ones."""
    a, b = by_segment(
        large=([8000, 4800, 3200], [2000, 1240, 900]), small=([2000, 500, 200], [8000, 2400, 1000])
    )
    gap = gap_of(totals(a), totals(b))
    assert gap.gap > 0
    found = hints(gap, mix=mix(a, b))
    assert keys(found) == ["simpson"]
    assert found[0][1]["ahead"] == "A"
    assert found[0][1]["rate_high"] < 0


def test_segments_that_are_alike_leave_the_stage_where_it_was():
    a, b = by_segment(
        large=([5000, 1500, 750, 300, 120], [5000, 1600, 400, 155, 60]),
        small=([5000, 1500, 750, 300, 120], [5000, 1600, 400, 155, 60]),
    )
    assert keys(hints(gap_of(*CLEAR), mix=mix(a, b))) == ["one_stage"]


def test_slow_is_not_low():
    rng = np.random.default_rng(31)
    found = hints_of(simulated(rng), simulated(rng, days=30), window="200 days")
    assert keys(found) == ["slower_not_lower"]
    assert found[0][1]["slower"] == "B"


def test_zombies_are_cleaned_out_first():
    """A tenth of what is lost is never closed: most of what is open will never be won."""
    rng = np.random.default_rng(32)
    found = hints_of(simulated(rng), simulated(rng, forgotten=0.1))
    assert keys(found) == ["zombies"]
    values = found[0][1]
    assert values["stalled_share_b"] > 0.3 > values["stalled_share_a"]
    assert values["n_stalled_b"] / values["n_open_b"] == values["stalled_share_b"]


def test_too_many_too_young_come_back_later():
    """Looked at from May on, with 90 days for each, a good part of the year is not yet known."""
    rng = np.random.default_rng(33)
    firms = [simulated(rng, last_created=1095) for _ in range(2)]
    found = hints_of(*firms, entered_from="2025-05-01")
    assert keys(found) == ["immature"]
    values = found[0][1]
    assert values["n_young_a"] / values["n_entrants_a"] == values["young_share_a"] > 0.2
    # All were created by 30 December.
    assert values["day"] == dt.date(2025, 12, 30) + dt.timedelta(days=90)


def test_nothing_is_said_of_firms_that_are_alike():
    rng = np.random.default_rng(34)
    assert hints_of(simulated(rng), simulated(rng)) == []
    assert hints(gap_of([1000, 300, 100], [1000, 300, 100])) == []


def test_opposed_transitions_are_the_sum_of_their_parts_and_the_rate_of_both():
    gap = gap_of(*CLEAR)
    merged = opposed(gap)
    assert list(merged.index) == ["Stage 1 to Stage 3"]
    row = merged.iloc[0]
    assert row[["transition_1", "transition_2"]].tolist() == ["Stage 1 to Stage 2", "Stage 2 to Stage 3"]
    assert row["contribution"] == pytest.approx(gap.contributions["contribution"].iloc[1:3].sum())
    assert row[["rate_a", "rate_b"]].tolist() == pytest.approx([0.15, 0.08])


def test_nothing_is_merged_where_signs_agree():
    assert opposed(gap_of([1000, 500, 300], [1000, 400, 200])).empty
