"""The gap between two firms: published splits, intervals against each other and against a known truth."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel import compare, count_stages

A = [10000, 3000, 1500, 600, 240]
B = [10000, 3200, 800, 310, 120]
ROWS = ["Leads", "Stage 1 to Stage 2", "Stage 2 to Stage 3", "Stage 3 to Stage 4", "Stage 4 to Stage 5"]


@pytest.fixture(scope="module")
def gap():
    return compare(A, B)


def test_swapped_firms_flip_every_sign(gap):
    swapped = compare(B, A)
    assert swapped.contributions["contribution"].to_numpy() == pytest.approx(
        -gap.contributions["contribution"].to_numpy(), abs=1e-12
    )
    assert (swapped.gap_low, swapped.gap_high) == pytest.approx((-gap.gap_high, -gap.gap_low))
    assert swapped.contributions["share"].tolist() == pytest.approx(gap.contributions["share"].tolist())


def test_standard_errors_of_the_toy_funnel(gap):
    se = np.sqrt(np.diag(gap.covariance))
    assert se == pytest.approx([0, 3.685426, 8.365811, 9.416630, 15.046514], abs=1e-6)
    z = norm.ppf(0.975)
    assert gap.contributions["high"].tolist() == pytest.approx(
        (gap.contributions["contribution"] + z * se).tolist()
    )
    # The covariance must add up to that of two binomial counts of wins.
    total = np.sqrt(sum(10000 * p * (1 - p) for p in (0.024, 0.012)))
    assert np.sqrt(gap.covariance.to_numpy().sum()) == pytest.approx(total, rel=1e-8)
    assert total == pytest.approx(18.782971, abs=1e-6)
    assert gap.gap_high - gap.gap == pytest.approx(z * total, rel=1e-8)


def test_bootstrap_of_the_toy_funnel():
    """Published from 200,000 draws; here 50,000, whose percentiles are sure to about 0.3."""
    drawn = compare(A, B, intervals="bootstrap", n_draws=50_000, rng=np.random.default_rng(5))
    ends = drawn.contributions[["low", "high"]].to_numpy()
    expected = [[0, 0], [-18.44, -3.99], [103.98, 136.74], [-12.84, 24.09], [-23.59, 35.53]]
    assert ends == pytest.approx(np.array(expected), abs=0.5)
    share = drawn.contributions.loc["Stage 2 to Stage 3"]
    assert (share["share"], share["share_low"], share["share_high"]) == pytest.approx(
        (1.0, 0.765, 1.411), abs=0.01
    )


def test_share_of_the_toy_funnel(gap):
    """Fieller's interval and the published bootstrap's agree to a point."""
    row = gap.contributions.loc["Stage 2 to Stage 3"]
    assert row["share"] == pytest.approx(1.0)
    assert (row["share_low"], row["share_high"]) == pytest.approx((0.765, 1.411), abs=0.01)
    assert gap.contributions["share"].sum() == pytest.approx(1.0)
    assert gap.p_largest["Stage 2 to Stage 3"] == pytest.approx(1.0, abs=1e-3)
    assert gap.p_largest.sum() == pytest.approx(1.0)


def test_revenue_has_the_deal_value_as_a_bar():
    gap = compare(A, B, per="revenue", deal_value_a=5000, deal_value_b=5500)
    parts = gap.contributions["contribution"]
    expected = [0, -58294.821783, 626089.514415, 28677.209788, 29617.611995, -86089.514415]
    assert parts.tolist() == pytest.approx(expected, abs=1e-5)
    assert gap.gap == pytest.approx(540000)
    assert list(parts.index) == [*ROWS, "Deal value"]
    assert gap.conversion == pytest.approx(sum(expected[1:5]))
    assert gap.unit == "revenue"


def test_equal_investment_has_leads_per_unit_of_spend_first():
    gap = compare(
        [2000, 400, 100],
        [1000, 250, 60],
        per="spend",
        spend_a=500_000,
        spend_b=400_000,
        spend_unit=100_000,
        currency="CNY",
    )
    assert gap.contributions.index[0] == "Leads per 100,000 CNY"
    assert gap.unit == "wins per 100,000 CNY"
    assert gap.factors.iloc[0].tolist() == pytest.approx([400, 250, 1.6])
    assert (gap.value_a, gap.value_b) == pytest.approx((20, 15))
    assert gap.contributions["contribution"].sum() == pytest.approx(5)
    # Leads bought are a count too, so that wins are one: Var = W^2 / wins, for a and for b.
    assert gap.covariance.to_numpy().sum() == pytest.approx(20**2 / 100 + 15**2 / 60, rel=1e-6)


def test_revenue_per_spend_is_the_same_under_both_names():
    spend = {"spend_a": 500, "spend_b": 400, "deal_value_a": 10, "deal_value_b": 12}
    one, other = (compare(A, B, per=per, **spend).contributions for per in ("spend", "revenue"))
    pd.testing.assert_frame_equal(one, other)


def test_leads_too_young_to_judge_were_paid_for_too():
    judged = count_stages([2000, 400, 100])
    with_young = replace(judged, n_not_yet_known=500)
    gap = compare(with_young, judged, per="spend", spend_a=1000, spend_b=1000)
    assert gap.factors.iloc[0]["ratio"] == pytest.approx(1.25)
    assert gap.factors["ratio"].tolist()[1:] == pytest.approx([1, 1])


def test_uncertain_deal_values_widen_the_interval():
    amounts = np.random.default_rng(6).gamma(2, 2500, 240)
    exact = compare(A, B, per="revenue", deal_value_a=float(amounts.mean()), deal_value_b=5500)
    sampled = compare(A, B, per="revenue", deal_value_a=amounts, deal_value_b=5500)
    assert sampled.gap == pytest.approx(exact.gap)
    # d(revenue of a) / d(ln v) is that revenue; the variance is that of the mean's logarithm.
    added = (sampled.covariance - exact.covariance).to_numpy().sum()
    spread = amounts.var(ddof=1) / 240 / amounts.mean() ** 2
    assert added == pytest.approx(exact.value_a**2 * spread, rel=1e-6)
    swapped = compare(B, A, per="revenue", deal_value_a=5500, deal_value_b=amounts)
    assert swapped.covariance.to_numpy().sum() == pytest.approx(sampled.covariance.to_numpy().sum())


def test_deal_values_of_the_counts_are_used_where_none_are_given():
    a, b = (
        replace(count_stages([100, 40, 4]), deal_values=pd.Series(values))
        for values in ([10.0, 20.0, 30.0, 40.0], [50.0, 50.0, 50.0, 50.0])
    )
    gap = compare(a, b, per="revenue")
    assert gap.factors.loc["Deal value", ["a", "b"]].tolist() == pytest.approx([25, 50])


def test_one_deal_does_not_make_its_value_certain():
    """The only won deal of a firm varies as the other firm's do; with one each, as much as it is large."""
    counts = [count_stages([100, 40, 1]), count_stages([100, 40, 3])]
    one, several = (
        replace(c, deal_values=pd.Series(values))
        for c, values in zip(counts, ([20.0], [10.0, 20.0, 30.0]), strict=True)
    )
    spreads = [
        compare(one, other, per="revenue").log_covariance[0].loc["Deal value", "Deal value"]
        for other in (several, one)
    ]
    assert spreads == pytest.approx([0.25, 1.0])


def test_shares_are_withheld_where_the_gap_may_be_nothing():
    gap = compare([1000, 300, 100], [1000, 305, 98])
    assert gap.gap_low < 0 < gap.gap_high
    assert not gap.is_clear
    assert gap.contributions[["share", "share_low", "share_high"]].isna().all(axis=None)
    assert gap.contributions[["contribution", "low", "high"]].notna().all(axis=None)


def test_identical_firms_have_no_gap(gap):
    same = compare(A, A)
    assert same.contributions["contribution"].tolist() == pytest.approx([0] * 5)
    assert same.gap_low < 0 < same.gap_high
    assert same.largest == "Stage 1 to Stage 2"
    assert compare(A, B).largest == compare(B, A).largest == "Stage 2 to Stage 3"


@pytest.mark.parametrize(
    ("a", "b", "at_fault"),
    [
        ([100, 0, 0], [100, 50, 10], 1),
        ([100, 50, 0], [100, 50, 10], 2),
        ([100, 50, 10], [100, 0, 0], 1),
        ([100, 100, 10], [100, 50, 10], None),
        ([100, 0, 0], [100, 0, 0], None),
        ([1, 1, 1], [1, 0, 0], 1),
    ],
)
@pytest.mark.parametrize("intervals", ["delta", "bootstrap"])
def test_zero_cells_give_finite_stated_results(a, b, at_fault, intervals):
    gap = compare(a, b, intervals=intervals)
    numbers = gap.contributions[["contribution", "low", "high"]].to_numpy()
    assert np.isfinite(numbers).all()
    assert numbers[:, 0].sum() == pytest.approx(gap.gap)
    assert np.isfinite(gap.covariance.to_numpy()).all()
    assert np.isfinite(gap.stages[["low", "high", "p", "p_holm", "smallest_visible"]].to_numpy()).all()
    if at_fault is not None:
        # The transition that nobody passed takes the whole gap, and its interval has a width.
        assert gap.contributions["contribution"].iloc[at_fault] == pytest.approx(gap.gap)
        assert numbers[at_fault, 2] - numbers[at_fault, 1] > 0


def test_an_untried_transition_has_the_other_firms_rate():
    gap = compare([100, 0, 0], [100, 50, 10])
    assert gap.factors.loc["Stage 2 to Stage 3", ["a", "b"]].tolist() == pytest.approx([0.2, 0.2])
    assert np.isnan(gap.stages.loc["Stage 2 to Stage 3", "rate_a"])
    assert gap.stages.loc["Stage 2 to Stage 3", ["low_a", "high_a"]].tolist() == [0, 1]


funnels = st.lists(st.integers(0, 3000), min_size=4, max_size=4).map(lambda c: sorted(c, reverse=True))


@settings(max_examples=20, deadline=None)
@given(funnels, funnels)
def test_what_holds_for_any_two_funnels(a, b):
    assume(a[0] > 0)
    assume(b[0] > 0)
    gap = compare(a, b, n_draws=50)
    parts = gap.contributions["contribution"]
    assert parts.sum() == pytest.approx(a[-1] - b[-1], abs=1e-9 * max(1, parts.abs().max(), *a, *b))
    assert np.isfinite(gap.contributions[["contribution", "low", "high"]].to_numpy()).all()
    assert (gap.contributions["low"] <= parts + 1e-9).all()
    assert (parts <= gap.contributions["high"] + 1e-9).all()
    swapped = compare(b, a, n_draws=50).contributions["contribution"]
    assert swapped.to_numpy() == pytest.approx(-parts.to_numpy(), abs=1e-9 * max(1, parts.abs().max()))
    per_1000 = compare(a, b, per="1000 entrants", n_draws=50)
    assert per_1000.gap == pytest.approx(1000 * (a[-1] / a[0] - b[-1] / b[0]), abs=1e-9)
    assert per_1000.contributions["contribution"].iloc[0] == 0


def nested(rng, n, rates):
    counts = [n]
    for rate in rates:
        counts.append(int(rng.binomial(counts[-1], rate)))
    return counts


def test_intervals_cover_the_true_split():
    """Only the second transition differs: 120 pairs of firms, intervals at 95%."""
    true_a, true_b = [0.31, 0.5, 0.4, 0.4], [0.31, 0.25, 0.4, 0.4]
    truth = 1000 * 0.31 * 0.16 * 0.25
    rng = np.random.default_rng(8)
    inside, shares, largest = [], [], []
    for _ in range(120):
        a, b = nested(rng, 4000, true_a), nested(rng, 4000, true_b)
        gap = compare(a, b, per="1000 entrants", n_draws=20, rng=rng)
        rows = gap.contributions.iloc[1:]
        expected = np.array([0, truth, 0, 0])
        inside.append((rows["low"] <= expected) & (expected <= rows["high"]))
        shares.append(rows["share_low"].iloc[1] <= 1 <= rows["share_high"].iloc[1])
        largest.append(rows["contribution"].argmax() == 1)
    # Two and a half standard errors of a coverage of 95% in 120 runs are 5 points.
    assert np.mean(inside, axis=0) == pytest.approx(0.95, abs=0.05)
    assert np.mean(shares) == pytest.approx(0.95, abs=0.05)
    assert np.mean(largest) == 1.0


def test_delta_and_bootstrap_agree_where_counts_are_large():
    a, b = [20000, 8000, 4000, 2000], [20000, 9000, 3000, 1500]
    delta, drawn = (
        compare(a, b, intervals=kind, n_draws=40_000).contributions.iloc[1:]
        for kind in ("delta", "bootstrap")
    )
    width = delta["high"] - delta["low"]
    assert (drawn["high"] - drawn["low"]).tolist() == pytest.approx(width.tolist(), rel=0.02)


def test_a_generator_of_the_same_seed_gives_the_same_draws():
    first, again = (compare(A, B, intervals="bootstrap", rng=np.random.default_rng(3)) for _ in range(2))
    pd.testing.assert_frame_equal(first.contributions, again.contributions)
    pd.testing.assert_series_equal(compare(A, B).p_largest, compare(A, B).p_largest)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"per": "1000 leads"}, ConfigError, "per='1000 leads', expected one of"),
        ({"method": "lmdi"}, ConfigError, r"method='lmdi', expected one of \('log-mean', 'shapley'\)"),
        ({"spend_a": 5, "spend_b": 5}, ConfigError, "per=None uses no spend and no deal values"),
        ({"per": "spend", "spend_a": 5}, DataError, r"spend of a and b is \[5.0, nan\]; expected two"),
        ({"per": "revenue"}, ConfigError, "revenue needs deal_value_a and deal_value_b"),
        ({"per": "revenue", "deal_value_a": 1, "deal_value_b": -1}, DataError, "mean deal value of a and b"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        compare(A, B, **arguments)


def test_funnels_that_cannot_be_compared_are_refused():
    with pytest.raises(ConfigError, match="stages differ"):
        compare(A, B[:-1])
    with pytest.raises(DataError, match="firm b has no entrants"):
        compare([10, 5], [0, 0])
