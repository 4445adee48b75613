"""Opportunities of one owner or account hang together: what that does to every interval of a comparison."""

import math

import numpy as np
import pytest
from counted import counted, draw_firm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel import compare, wilson
from crm_analysis.funnel.comparing.clusters import effective_clusters, widest

TWO = ("Lead", "Won")


def of_owners(wins, *, size=50, **attributes):
    """A firm of owners with `size` opportunities each, of which so many are won."""
    furthest = np.concatenate([np.arange(size) < k for k in wins]).astype(int)
    return counted(
        furthest, stages=TWO, owner=np.repeat([f"O{i}" for i in range(len(wins))], size), **attributes
    )


A, B = of_owners([25, 5, 40, 30, 10, 28]), of_owners([12, 3, 30, 8, 20])


def test_equal_owners_give_welch_test_of_their_rates():
    """One transition, owners of one size: the gap's test is that of two samples of owners' rates."""
    gap = compare(A, B, per="1000 entrants")
    means = [np.array(w) / 50 for w in ([25, 5, 40, 30, 10, 28], [12, 3, 30, 8, 20])]
    welch = ttest_ind(*means, equal_var=False)
    assert gap.p_gap == pytest.approx(welch.pvalue, rel=1e-6)
    ends = welch.confidence_interval(0.95)
    assert (gap.gap_low / 1000, gap.gap_high / 1000) == pytest.approx((ends.low, ends.high), rel=1e-6)
    assert gap.degrees == pytest.approx((5, 4))
    assert gap.clusters.loc["owner"].tolist() == pytest.approx([6, 5, 1 / 6, 1 / 5])


def test_everything_that_is_printed_allows_for_owners():
    alone, gap = compare(A, B, per="1000 entrants", cluster=None), compare(A, B, per="1000 entrants")
    assert alone.clusters.empty
    assert alone.gap_low > 0 > gap.gap_low
    assert gap.design_effect == pytest.approx(
        gap.covariance.to_numpy().sum() / alone.covariance.to_numpy().sum()
    )
    assert gap.design_effect > 5
    row, before = gap.stages.iloc[0], alone.stages.iloc[0]
    assert before["p_holm"] < 0.001 < 0.05 < row["p_holm"]
    assert row["low"] < 0 < before["low"]
    assert row["high_a"] - row["low_a"] > 2 * (before["high_a"] - before["low_a"])
    assert row["smallest_visible"] > 2 * before["smallest_visible"]
    assert gap.contributions["share"].isna().all()
    assert (row["n_a"], row["k_a"], row["rate_a"]) == (300, 138, 0.46)
    # What is estimated does not change.
    assert gap.contributions["contribution"].tolist() == alone.contributions["contribution"].tolist()


def test_the_largest_is_less_sure_where_owners_differ():
    rng = np.random.default_rng(4)
    a = draw_firm(rng, owners=8, per_owner=120, rates=(0.5, 0.6, 0.5), spread=0.5)
    b = draw_firm(rng, owners=8, per_owner=120, rates=(0.5, 0.4, 0.4), spread=0.5)
    sure, unsure = (compare(a, b, cluster=c, n_draws=8000).p_largest.max() for c in (None, "owner"))
    assert sure > unsure + 0.05


def test_one_opportunity_each_is_independence():
    furthest = np.random.default_rng(1).integers(0, 4, 80)
    alone = compare(counted(furthest), counted(furthest[::-1] // 2))
    each = compare(
        counted(furthest, owner=[f"O{i}" for i in range(80)]), counted(furthest[::-1] // 2, owner=[None] * 80)
    )
    assert each.clusters.empty
    assert (each.gap_low, each.gap_high) == (alone.gap_low, alone.gap_high)


def test_opportunities_without_an_owner_are_on_their_own():
    owner = ["O1"] * 30 + ["O2"] * 30 + [None] * 20 + [""] * 20
    furthest = np.random.default_rng(2).integers(0, 4, 100)
    gap = compare(counted(furthest, owner=owner), counted(furthest // 2, owner=["O1"] * 60 + ["O2"] * 40))
    assert gap.clusters.loc["owner", ["n_a", "n_b"]].tolist() == [42, 2]


def test_a_firm_with_one_owner_beside_one_with_several():
    """How its owners differ cannot be known: its opportunities are independent, the other firm's are not."""
    alone = of_owners([300], size=600)
    gap, apart = compare(A, alone), compare(A, alone, cluster=None)
    assert gap.clusters.loc["owner", ["n_a", "n_b"]].tolist() == [6, 1]
    assert gap.degrees == (pytest.approx(5), math.inf)
    assert gap.gap_high - gap.gap_low > apart.gap_high - apart.gap_low
    drawn = compare(A, alone, intervals="bootstrap")
    assert drawn.gap_high - drawn.gap_low > apart.gap_high - apart.gap_low
    with pytest.raises(DataError, match="all opportunities of firm b have one owner"):
        compare(A, alone, cluster="owner")
    both = compare(alone, alone)
    assert both.clusters.empty


@pytest.mark.parametrize("intervals", ["delta", "bootstrap"])
def test_a_firm_without_owners_beside_one_with_them(intervals):
    gap = compare(A, [250, 80], stages=["Lead", "Won"], intervals=intervals, n_draws=200)
    assert list(gap.clusters.index) == ["owner"]
    assert np.isfinite([gap.gap_low, gap.gap_high]).all()


@pytest.mark.parametrize("cluster", ["owner", "account_id"])
def test_a_cluster_that_is_not_known_is_refused(cluster):
    with pytest.raises(
        ConfigError, match=f"opportunities of firm a have no {cluster}; map it, or use 'auto'"
    ):
        compare([100, 50], [100, 40], cluster=cluster)
    with pytest.raises(ConfigError, match="cluster='team'; expected None, 'auto' or one of"):
        compare(A, B, cluster="team")


def test_a_deal_entered_twice_counts_once():
    """Accounts with two equal opportunities each: half as many opportunities, and so twice the variance."""
    rng = np.random.default_rng(3)
    once = [rng.binomial(1, 0.3, 400), rng.binomial(1, 0.4, 400)]
    twice = [
        counted(np.repeat(x, 2), stages=TWO, account_id=np.repeat(np.arange(400), 2).astype(str))
        for x in once
    ]
    gap = compare(*twice, per="spend", spend_a=1000, spend_b=1000)
    single = compare(*(counted(x, stages=TWO) for x in once), per="spend", spend_a=1000, spend_b=1000)
    assert list(gap.clusters.index) == ["account_id"]
    assert gap.design_effect == pytest.approx(2, rel=0.01)
    # Leads, bought two at a time, too.
    spread, alone = (np.sqrt(np.diag(g.covariance)) / g.value_a for g in (gap, single))
    assert spread == pytest.approx(alone, rel=0.01)
    assert gap.stages["p"].iloc[0] == pytest.approx(single.stages["p"].iloc[0], rel=0.05)


def test_deal_values_of_one_owner_are_alike_too():
    wins, size = 20, 40
    furthest = np.tile(np.arange(size) < wins, 6).astype(int)
    owner = np.repeat([f"O{i}" for i in range(6)], size)
    prices = np.array([10.0, 20.0, 30.0, 25.0, 15.0, 22.0])
    a = counted(furthest, stages=TWO, owner=owner, amount=np.repeat(prices, size))
    gap = compare(a, a, per="revenue")
    # Every owner wins the same share, so that only the mean of six prices is unsure.
    expected = prices.var(ddof=1) / 6 / prices.mean() ** 2
    assert gap.log_covariance[0].loc["Deal value", "Deal value"] == pytest.approx(expected)
    given = compare(a, a, per="revenue", deal_value_a=20.0, deal_value_b=20.0)
    assert given.log_covariance[0].loc["Deal value", "Deal value"] == 0


def test_one_giant_deal_makes_the_interval_of_revenue_wide():
    rng = np.random.default_rng(9)
    amount = rng.lognormal(8, 0.5, 400)
    plain = counted(np.ones(400, int), stages=TWO, amount=amount)
    giant = counted(np.ones(400, int), stages=TWO, amount=np.append(amount[:-1], amount.sum()))
    for intervals in ("delta", "bootstrap"):
        gap = compare(giant, plain, per="revenue", intervals=intervals)
        assert gap.gap > 0.9 * gap.value_b
        assert gap.gap_low < 0.1 * gap.value_b


def test_owners_drawn_anew_agree_with_the_delta_method():
    rng = np.random.default_rng(6)
    a, b = (
        draw_firm(rng, owners=80, per_owner=60, rates=rates, spread=0.4)
        for rates in ((0.5, 0.6, 0.5), (0.5, 0.4, 0.5))
    )
    by_delta, drawn = (
        compare(a, b, intervals=kind, n_draws=6000).contributions for kind in ("delta", "bootstrap")
    )
    widths = [(t["high"] - t["low"]).to_numpy()[1:] for t in (by_delta, drawn)]
    assert widths[1] == pytest.approx(widths[0], rel=0.06)


def test_intervals_hold_the_truth_with_few_owners():
    """Ten owners whose rates scatter: as independent, 95% intervals of the gap hold the truth far less often.

    The truth is the rate of owners as such: of a standard normal effect, by quadrature.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    true = [
        float((weights / weights.sum() / (1 + np.exp(-(math.log(p / (1 - p)) + 0.4 * nodes)))).sum())
        for p in (0.5, 0.3)
    ]
    rng = np.random.default_rng(12)
    held = {None: [], "owner": []}
    for _ in range(70):
        a, b = (
            draw_firm(rng, owners=10, per_owner=100, rates=[p], spread=0.4, stages=TWO) for p in (0.5, 0.3)
        )
        for cluster, inside in held.items():
            gap = compare(a, b, per="1000 entrants", cluster=cluster, n_draws=10, rng=rng)
            inside.append(gap.gap_low <= 1000 * (true[0] - true[1]) <= gap.gap_high)
    # Two standard errors of 95% in 70 pairs are 5.2 points.
    assert np.mean(held["owner"]) == pytest.approx(0.95, abs=0.055)
    assert np.mean(held[None]) < 0.75


matrices = st.lists(st.floats(-2, 2), min_size=9, max_size=9).map(lambda x: np.reshape(x, (3, 3)))


@settings(max_examples=50, deadline=None)
@given(matrices, st.lists(st.floats(0.01, 3), min_size=3, max_size=3))
def test_the_widest_covariance_is_nowhere_below_any(half, variances):
    variances, covariance = np.array(variances), half @ half.T
    joined = widest(variances, [covariance])
    for below in (np.diag(variances), covariance):
        assert np.linalg.eigvalsh(joined - below).min() > -1e-9 * (1 + np.trace(covariance))


def test_the_widest_covariance_is_one_of_two_that_are_ordered():
    small, large = np.diag([1.0, 2.0]), np.array([[3.0, 0.5], [0.5, 4.0]])
    assert widest(np.diag(small), [large]) == pytest.approx(large)
    assert widest(np.array([5.0, 6.0]), [large]) == pytest.approx(np.diag([5.0, 6.0]))
    # What is fixed stays fixed.
    fixed = widest(np.array([0.0, 1.0]), [np.diag([0.0, 2.0])])
    assert fixed == pytest.approx(np.diag([0.0, 2.0]))


def test_unequal_owners_count_for_fewer():
    assert effective_clusters([10, 10, 10, 10]) == pytest.approx(4)
    assert 2 <= effective_clusters([100, 10, 10, 10]) < 2.5
    assert effective_clusters([50]) == 2


OWNERS = ["O1"] * 10 + ["O2"] * 10


@pytest.mark.parametrize("intervals", ["delta", "bootstrap"])
@pytest.mark.parametrize(
    ("furthest", "owner"),
    [
        ([0] * 20, OWNERS),
        ([3] * 20, OWNERS),
        ([3] * 10 + [0] * 10, OWNERS),
        ([2] * 19 + [3], OWNERS),
        ([0] * 20, ["O1"] * 20),
        ([1] * 20, [None] * 20),
        ([3], ["O1"]),
        ([0, 3], ["O1", "O1"]),
    ],
)
def test_degenerate_firms_have_finite_results(furthest, owner, intervals):
    rng = np.random.default_rng(8)
    other = draw_firm(rng, owners=4, per_owner=30, rates=(0.5, 0.6, 0.5), amount=5.0)
    firm = counted(furthest, owner=owner, amount=7.0)
    for per in (None, "revenue"):
        gap = compare(firm, other, per=per, intervals=intervals, n_draws=200)
        assert np.isfinite(gap.contributions[["contribution", "low", "high"]].to_numpy()).all()
        assert np.isfinite([gap.gap_low, gap.gap_high, gap.p_gap, gap.design_effect]).all()
        assert np.isfinite(gap.p_largest).all()
        assert gap.p_largest.sum() == pytest.approx(1)
        tested = gap.stages[["low", "high", "low_a", "high_a", "z", "p", "p_holm", "smallest_visible"]]
        assert np.isfinite(tested.to_numpy(float)).all()
        assert np.isfinite(gap.pairs[["contribution", "low", "high", "p"]].to_numpy(float)).all()


def test_neighbours_are_judged_together():
    gap = compare([1000, 600, 150, 60], [1000, 300, 150, 60], stages=["Lead", "Qualified", "Proposal", "Won"])
    pair = gap.pairs.loc["Lead to Proposal"]
    parts = gap.contributions["contribution"]
    assert pair["opposite"]
    assert (pair["first"], pair["second"]) == (parts.iloc[1], parts.iloc[2])
    assert pair["contribution"] == pytest.approx(0, abs=1e-9)
    assert (pair["rate_a"], pair["rate_b"], pair["p"]) == pytest.approx((0.15, 0.15, 1.0))
    assert pair["low"] < 0 < pair["high"]
    assert not gap.pairs.loc["Qualified to Won", "opposite"]
    # One transition in place of two accounts for the same.
    merged = compare([1000, 150, 60], [1000, 150, 60])
    assert merged.contributions["contribution"].iloc[1] == pytest.approx(pair["contribution"], abs=1e-9)
    assert (merged.contributions["low"].iloc[1], merged.contributions["high"].iloc[1]) == pytest.approx(
        (pair["low"], pair["high"]), rel=1e-6
    )


def test_counts_that_are_not_their_opportunities_are_refused():
    broken = counted([0, 1, 2, 3], owner=["a", "a", "b", "b"])
    broken.members["furthest"] = 0
    with pytest.raises(DataError, match="the opportunities behind the counts are not those counted"):
        compare(broken, broken)


def test_drawn_owners_are_taken_as_few():
    """Percentiles of eleven drawn owners reach as far as the interval of t does, not a fifth less far."""
    by_delta, drawn = (
        compare(A, B, per="1000 entrants", intervals=kind, n_draws=20_000) for kind in ("delta", "bootstrap")
    )
    widths = [gap.gap_high - gap.gap_low for gap in (by_delta, drawn)]
    assert widths[1] == pytest.approx(widths[0], rel=0.05)


def test_each_firm_has_the_design_effect_of_its_own_owners():
    gap = compare(A, [250, 80], stages=["Lead", "Won"])
    row = gap.stages.iloc[0]
    assert row["design_effect_a"] > 5
    assert row["design_effect_b"] == 1
    assert (row["low_b"], row["high_b"]) == pytest.approx(wilson(80, n=250))
    assert row["high_a"] - row["low_a"] > 2 * (wilson(138, n=300)[1] - wilson(138, n=300)[0])


def test_two_transitions_of_the_same_owners_vary_together():
    """Owners good at both: the two as one are less sure than the sum of what is unsure in each."""
    rng = np.random.default_rng(40)
    ability = np.repeat(rng.normal(0, 0.6, 24), 100)
    owner = np.repeat([f"O{i}" for i in range(24)], 100)
    chance = 1 / (1 + np.exp(-ability))
    furthest = [np.cumprod(rng.random((2400, 3)) < chance[:, None], axis=1).sum(axis=1) for _ in range(2)]
    both = compare(*(counted(f, owner=owner) for f in furthest)).pairs.loc["Lead to Proposal"]
    merged = [
        counted(np.array([0, 0, 1, 2])[f], stages=("Lead", "Proposal", "Won"), owner=owner) for f in furthest
    ]
    one = compare(*merged).stages.loc["Lead to Proposal"]
    assert (both["rate_a"], both["difference"]) == pytest.approx((one["rate_a"], one["difference"]))
    assert both["difference_high"] - both["difference_low"] == pytest.approx(
        one["high"] - one["low"], rel=0.02
    )
