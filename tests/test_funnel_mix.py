"""A gap by segment: different customers or different selling."""

import math
from itertools import pairwise

import numpy as np
import pytest
from counted import counted
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel import compare, count_stages, mix
from crm_analysis.funnel.comparing.odds import mantel_haenszel
from crm_analysis.simulate import pipeline, plan
from crm_analysis.simulate.clock import LOG_FROM

TOTALS = ("gap", "mix", "rate")


def firm(rng, name, variant):
    """A simulated firm's leads of four years, each with all that it ever reached."""
    owners = pipeline.draw_owners(rng)
    deals = pipeline.draw_deals(plan.plan(name, variant=variant), owners, rng)
    deals = deals.take((deals.created >= LOG_FROM) & (deals.duplicate_of < 0))
    segment = np.array(plan.SEGMENTS)[deals.segment]
    return counted(deals.furthest, stages=plan.STAGES, owner=owners.name[deals.owner], segment=segment)


@pytest.fixture(scope="module")
def firms():
    rng = np.random.default_rng(20)
    return {variant: [firm(rng, name, variant) for name in plan.FIRMS] for variant in ("mix", "second stage")}


@pytest.mark.parametrize("variant", ["mix", "second stage"])
@pytest.mark.parametrize("intervals", ["delta", "bootstrap"])
def test_the_planted_parts_lie_in_their_intervals(firms, variant, intervals):
    found = mix(*firms[variant], intervals=intervals)
    truth = plan.mix_split(variant).set_index("part")["contribution"]
    for part in ("mix", "rate"):
        low, high = (getattr(found, f"{part}_{end}") for end in ("low", "high"))
        assert low < truth[part] < high, part
    assert found.mix_driven == (variant == "mix")
    assert not found.reversal
    assert found.clusters.loc["owner", ["n_a", "n_b"]].tolist() == [24, 24]
    if variant == "second stage":
        split = plan.stage_split(variant).set_index("transition")["contribution"]
        parts = found.parts.loc[split.index]
        # The transitions' parts are those of the true rates within segments, all but equal to the split.
        assert (parts["low"] - 1 < split).all()
        assert (split < parts["high"] + 1).all()


def test_all_parts_add_up_to_the_gap(firms):
    for pair in firms.values():
        found, gap = mix(*pair), compare(*pair, per="1000 entrants")
        assert found.gap == pytest.approx(gap.gap)
        assert found.mix + found.rate == pytest.approx(found.gap)
        assert found.table[["mix", "rate"]].sum().tolist() == pytest.approx([found.mix, found.rate])
        assert found.parts[["contribution", "log_mean"]].sum().tolist() == pytest.approx([found.gap] * 2)
        assert (found.gap_low, found.gap_high) == pytest.approx((gap.gap_low, gap.gap_high), rel=0.02)
        assert found.n_entrants == gap.n_entrants
        swapped = mix(*pair[::-1])
        assert [getattr(swapped, t) for t in TOTALS] == pytest.approx([-getattr(found, t) for t in TOTALS])
        assert swapped.odds_ratio.ratio == pytest.approx(1 / found.odds_ratio.ratio)


def test_one_segment_is_the_comparison_by_owner():
    """Everybody in one segment, few owners of unequal size: the gap's interval is that of `compare`."""
    rng = np.random.default_rng(21)
    owner = np.repeat(["O1", "O2", "O3", "O4"], [300, 200, 100, 50])
    wins = np.array([0.5, 0.2, 0.6, 0.3])[np.repeat(range(4), [300, 200, 100, 50])]
    pair = [
        counted(
            (rng.random(650) < wins * factor).astype(int), stages=["Lead", "Won"], owner=owner, segment="x"
        )
        for factor in (1, 0.6)
    ]
    found, gap = mix(*pair), compare(*pair, per="1000 entrants")
    assert (found.gap_low, found.gap_high) == pytest.approx((gap.gap_low, gap.gap_high), rel=1e-4)
    assert (found.rate_low, found.mix) == (pytest.approx(found.gap_low, rel=1e-4), 0)
    ratio = found.odds_ratio
    # The interval of the firms' log odds, by owner: d log odds = d log rate / (1 - rate).
    spreads = [
        gap.log_covariance[i].iloc[1, 1] / (1 - gap.factors[firm].iloc[1]) ** 2 for i, firm in enumerate("ab")
    ]
    df = sum(spreads) ** 2 / sum(s**2 / d for s, d in zip(spreads, gap.degrees, strict=True))
    assert math.log(ratio.high / ratio.ratio) == pytest.approx(
        student.ppf(0.975, df) * math.sqrt(sum(spreads)), rel=1e-3
    )


def test_owners_widen_the_intervals_of_rates(firms):
    by_owner, alone = (mix(*firms["second stage"], cluster=c) for c in ("owner", None))
    assert by_owner.rate_high - by_owner.rate_low > 1.1 * (alone.rate_high - alone.rate_low)
    assert by_owner.odds_ratio.low < alone.odds_ratio.low < alone.odds_ratio.high < by_owner.odds_ratio.high
    assert alone.clusters.empty


def test_independent_intervals_are_those_of_binomial_rates():
    """Equal shares of two segments: the rate's variance is a sum of binomial ones, worked by hand."""
    a, b = {"x": [400, 100], "y": [400, 300]}, {"x": [400, 80], "y": [400, 260]}
    found = mix(a, b)
    variance = sum(0.25 * p * (1 - p) / 400 for p in (0.25, 0.75, 0.2, 0.65))
    half = 1.959964 * math.sqrt(variance) * 1000
    # The mix is drawn with the entrants; it moves the rate's weights, by next to nothing here.
    assert (found.rate - found.rate_low) == pytest.approx(half, rel=0.01)
    assert found.mix == pytest.approx(0)


def test_the_paradox_is_flagged_where_it_is_beyond_chance():
    behind = {"hard": [900, 270], "easy": [100, 80]}
    ahead = {"hard": [100, 20], "easy": [900, 630]}
    found = mix(behind, ahead)
    assert found.gap < 0 < found.rate_low
    assert found.reversal
    assert found.mix_driven
    # A hundredth of it says nothing.
    few = mix({"hard": [9, 3], "easy": [1, 1]}, {"hard": [1, 0], "easy": [9, 6]})
    assert few.gap * few.rate < 0
    assert not few.reversal
    assert not mix(behind, behind).reversal


def test_a_segment_that_one_firm_lacks_is_all_mix():
    found = mix({"x": [100, 30], "new": [100, 80]}, {"x": [100, 30]})
    assert found.rate == pytest.approx(0)
    assert found.mix == pytest.approx(1000 * (0.55 - 0.30))
    assert np.isnan(found.table.loc["new", "rate_b"])
    assert found.table.loc["new", ["n_b", "share_b"]].tolist() == [0, 0]
    numbers = found.table.drop(columns=["rate_a", "rate_b"])
    assert np.isfinite(numbers.to_numpy(float)).all()


def test_opportunities_without_a_segment_are_a_segment_of_their_own():
    segment = ["x", "y", None, "x"] * 25
    found = mix(*(counted(np.arange(100) % 4, segment=segment) for _ in range(2)))
    assert list(found.table.index) == ["x", "y", "(missing)"]
    assert found.table["n_a"].tolist() == [50, 25, 25]


def test_any_column_of_the_members_can_be_the_segment(firms):
    a, b = firms["second stage"]
    assert mix(a, b, by="owner").gap == pytest.approx(mix(a, b).gap)
    with pytest.raises(ConfigError, match="no attribute 'region'"):
        mix(a, b, by="region")


def test_segments_that_cannot_be_compared_are_refused(firms):
    with pytest.raises(ConfigError, match="both firms counted, or both as counts per segment"):
        mix(firms["mix"][0], {"x": [10, 5]})
    with pytest.raises(ConfigError, match=r"segments have \[2, 3\] stages"):
        mix({"x": [10, 5]}, {"x": [10, 5, 2]})
    with pytest.raises(DataError, match="firm b has no entrants"):
        mix({"x": [10, 5]}, {"x": [0, 0]})
    with pytest.raises(ConfigError, match="intervals='exact', expected one of"):
        mix({"x": [10, 5]}, {"x": [10, 5]}, intervals="exact")
    with pytest.raises(ConfigError, match="came without ids"):
        mix(count_stages([100, 50]), count_stages([100, 50]))


cells = st.lists(st.integers(0, 40), min_size=3, max_size=3).map(lambda c: sorted(c, reverse=True))


@settings(max_examples=15, deadline=None)
@given(st.lists(cells, min_size=2, max_size=3), st.lists(cells, min_size=2, max_size=3))
def test_zero_cells_give_finite_results(a, b):
    a, b = ({f"s{i}": c for i, c in enumerate(cells)} | {"known": [30, 20, 10]} for cells in (a, b))
    for intervals in ("delta", "bootstrap"):
        found = mix(a, b, intervals=intervals, n_draws=50)
        numbers = [getattr(found, f"{name}{end}") for name in TOTALS for end in ("", "_low", "_high")]
        assert np.isfinite(numbers).all()
        assert np.isfinite(found.parts.to_numpy()).all()
        assert found.parts["contribution"].sum() == pytest.approx(found.gap, abs=1e-9)
        assert found.gap_low <= found.gap + 1e-9
        assert not math.isnan(found.odds_ratio.ratio)
        assert 0 <= found.odds_ratio.p <= 1


def test_odds_where_nothing_can_be_compared():
    nothing = mantel_haenszel([5, 0], [10, 0], k_b=[0, 3], n_b=[0, 10])
    assert (nothing.ratio, nothing.low, nothing.high, nothing.p) == (1.0, 0.0, math.inf, 1.0)
    never = mantel_haenszel([0], [20], k_b=[10], n_b=[20])
    assert (never.ratio, never.low, never.high) == (0.0, 0.0, math.inf)
    assert never.p < 0.01


def test_one_stratum_is_the_plain_odds_ratio():
    found = mantel_haenszel([30], [100], k_b=[20], n_b=[100])
    assert found.ratio == pytest.approx(30 * 80 / (70 * 20))
    spread = 1.959964 * math.sqrt(1 / 30 + 1 / 70 + 1 / 20 + 1 / 80)
    assert found.high == pytest.approx(found.ratio * math.exp(spread), rel=1e-6)


def test_a_flag_needs_a_clear_gap():
    few = mix({"x": [30, 10], "y": [10, 8]}, {"x": [10, 3], "y": [10, 7]})
    assert abs(few.mix) > abs(few.gap) / 2
    assert not few.is_clear
    assert not few.mix_driven


def test_stages_of_counted_firms_name_the_parts(firms):
    found = mix(*firms["mix"])
    assert list(found.parts.index) == ["Mix", *(f"{a} to {b}" for a, b in pairwise(plan.STAGES))]
