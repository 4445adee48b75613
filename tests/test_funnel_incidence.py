"""Wins by age with open opportunities, against R's survival and an analytic truth."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from maven import OFFICES, maven, needs_maven
from pipelines import SNAPSHOT, pipeline_of_ends
from published.funnel_ageing import DAYS, OUTCOMES

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel import aalen_johansen, compare_speed, days_to_win, gray_test, incidence, wilson

OUTCOME = {0: "open", 1: "won", 2: "lost"}
TOY_DAYS, TOY_OUTCOMES = list(DAYS), list(OUTCOMES)


def ends_of(days, outcomes, *, snapshot=SNAPSHOT, prefix="d") -> pd.DataFrame:
    """Opportunities that ended, or were last seen, so many days after their creation."""
    days, outcomes = np.asarray(days), np.asarray(outcomes)
    still_open, age = outcomes == "open", pd.to_timedelta(days, unit="D")
    last_seen = pd.DatetimeIndex([snapshot if is_open else "2025-06-01" for is_open in still_open])
    created, closed = last_seen - age, last_seen.where(~still_open)
    ids = [f"{prefix}{k:05}" for k in range(len(days))]
    return pd.DataFrame(
        {"opportunity_id": ids, "outcome": outcomes, "created_on": created, "closed_on": closed}
    )


def test_a_pipeline_gives_the_same_curve_as_its_ages():
    result = incidence(pipeline_of_ends(ends_of(TOY_DAYS, TOY_OUTCOMES)), at=["4 days", "1 week"])
    pd.testing.assert_frame_equal(result.curve, aalen_johansen(TOY_DAYS, outcome=TOY_OUTCOMES))
    assert result.table["won"].tolist() == pytest.approx([0.3285714, 0.4809524], abs=5e-8)
    assert result.table["age_days"].tolist() == [4, 7]
    assert result.table["n_at_risk"].tolist() == [6, 2]
    assert (result.n_opportunities, result.n_open, result.n_undated) == (10, 3, 0)


def test_shares_add_up_and_ties_do_not_depend_on_the_order():
    rng = np.random.default_rng(4)
    days, outcomes = rng.integers(0, 12, 300), rng.choice(list(OUTCOME.values()), 300)
    curve = aalen_johansen(days, outcome=outcomes)
    assert (curve["won"] + curve["lost"] + curve["open"]).to_numpy() == pytest.approx(1)
    order = rng.permutation(300)
    pd.testing.assert_frame_equal(aalen_johansen(days[order], outcome=outcomes[order]), curve)
    # A pair that stands for several opportunities is the same as the opportunities.
    counted = pd.DataFrame({"days": days, "outcome": outcomes}).value_counts().reset_index(name="n")
    weighted = aalen_johansen(counted["days"], outcome=counted["outcome"], n=counted["n"])
    pd.testing.assert_frame_equal(weighted, curve)


def test_without_open_opportunities_it_is_the_plain_share():
    """Standard error and estimate are then those of a binomial rate."""
    days = np.repeat([3, 5, 9], 20)
    outcomes = np.array(["won", "lost", "lost", "won", "lost"] * 12)
    curve = aalen_johansen(days, outcome=outcomes)
    won = (outcomes == "won") & (days <= 5)
    assert curve.loc[5, "won"] == pytest.approx(won.mean())
    assert curve.loc[5, "won_se"] == pytest.approx(np.sqrt(won.mean() * (1 - won.mean()) / 60))


def test_open_opportunities_count_as_open():
    """Wins at .01 and losses at .02 a day, entries spread over 180 days: the truth is known exactly.

    Counting open as lost gives .27188 where .33183 will have been won by day 180.
    """
    rng = np.random.default_rng(11)
    n = 20_000
    ended, seen = rng.exponential(1 / 0.03, n), rng.uniform(0, 180, n)
    outcome = np.where(ended > seen, "open", np.where(rng.random(n) < 1 / 3, "won", "lost"))
    curve = aalen_johansen(np.minimum(ended, seen), outcome=outcome)
    for age, truth in ((30, 0.19781), (90, 0.31093)):
        row = curve.loc[:age].iloc[-1]
        assert abs(row["won"] - truth) < 3 * row["won_se"]
    last = curve.iloc[-1]
    assert abs(last["won"] - 0.33183) < 3 * last["won_se"]
    naive = (outcome == "won").mean()
    assert naive == pytest.approx(0.27188, abs=3 * np.sqrt(0.272 * 0.728 / n))
    assert naive < last["won"] - 3 * last["won_se"]


def test_intervals_cover_the_truth():
    rng = np.random.default_rng(12)
    inside = []
    for _ in range(200):
        ended, seen = rng.exponential(1 / 0.03, 200), rng.uniform(0, 180, 200)
        outcome = np.where(ended > seen, "open", np.where(rng.random(200) < 1 / 3, "won", "lost"))
        row = aalen_johansen(np.minimum(ended, seen), outcome=outcome).loc[:90].iloc[-1]
        inside.append(row["won_low"] <= 0.31093 <= row["won_high"])
    # 200 runs at 95%: two and a half standard errors are 3.9 points.
    assert np.mean(inside) == pytest.approx(0.95, abs=0.039)


def test_before_the_first_win_the_interval_is_that_of_none():
    curve = aalen_johansen([5, 6, 7], outcome=["lost", "won", "open"])
    assert curve.loc[0, ["won", "won_low", "won_high"]].tolist() == [0, *wilson(0, n=3)]


def test_an_age_beyond_every_opportunity_is_missing():
    result = incidence(pipeline_of_ends(ends_of(TOY_DAYS, TOY_OUTCOMES)), at=["8 days", "9 days"])
    assert result.table["won"].notna().tolist() == [True, False]
    assert result.table["n_at_risk"].tolist() == [1, 0]


def test_eventual_share_is_read_where_ten_are_at_risk():
    days, outcomes = [1] * 20 + [2] * 5 + [3] * 10, ["won"] * 20 + ["lost"] * 5 + ["open"] * 10
    days, outcomes = [*days, 4, 5], [*outcomes, "won", "lost"]
    result = incidence(pipeline_of_ends(ends_of(days, outcomes)))
    assert result.horizon_days == 3
    assert result.eventual["won"] == pytest.approx(20 / 37)
    assert result.median_days == 1


def test_stalled_are_the_open_ones_older_than_any_that_closed():
    days, outcomes = [10, 20, 20, 21, 30], ["won", "lost", "open", "open", "open"]
    result = incidence(pipeline_of_ends(ends_of(days, outcomes)))
    assert result.stalled["age_days"].to_dict() == {"d00004": 30, "d00003": 21}


def test_nothing_closed_is_no_error():
    result = incidence(pipeline_of_ends(ends_of([5, 9], ["open", "open"])), at=["5 days"])
    assert result.table.loc["5 days", ["won", "won_low", "open"]].tolist() == [0, 0, 1]
    assert np.isnan(result.median_days)
    assert result.stalled.empty


def test_undated_opportunities_are_left_out_and_counted():
    ends = ends_of(TOY_DAYS, TOY_OUTCOMES)
    ends.loc[3, "created_on"] = pd.NaT
    result = incidence(pipeline_of_ends(ends))
    assert (result.n_opportunities, result.n_undated) == (9, 1)


def test_closing_before_creation_is_refused():
    ends = ends_of(TOY_DAYS, TOY_OUTCOMES)
    ends.loc[0, "closed_on"] = ends.loc[0, "created_on"] - pd.Timedelta(days=1)
    with pytest.raises(DataError, match="1 opportunities close before they are created"):
        incidence(pipeline_of_ends(ends))


def test_misspelt_arguments_are_refused():
    with pytest.raises(ConfigError, match="length '30'"):
        incidence(pipeline_of_ends(ends_of(TOY_DAYS, TOY_OUTCOMES)), at=["30"])
    with pytest.raises(DataError, match=r"outcome \['closed'\]; expected \['won', 'lost', 'open'\]"):
        aalen_johansen([1], outcome=["closed"])


def firm(rng, n, *, mean_days, share=0.25):
    days = np.ceil(rng.gamma(2, mean_days / 2, n)).astype(int)
    seen = rng.integers(1, 720, n)
    outcome = np.where(days > seen, "open", np.where(rng.random(n) < share, "won", "lost"))
    return incidence(pipeline_of_ends(ends_of(np.minimum(days, seen), outcome)))


def test_the_slower_firm_is_found_and_its_conversion_is_the_same():
    rng = np.random.default_rng(21)
    a, b = firm(rng, 3000, mean_days=30), firm(rng, 3000, mean_days=90)
    speed = compare_speed(a, b)
    assert speed.same_conversion
    assert speed.slower == "b"
    # Medians of gamma(2) days: 1.678 times the scale.
    assert speed.table.loc["median_days", "a"] == pytest.approx(1.678 * 15, abs=3)
    assert speed.table.loc["median_days", "b"] == pytest.approx(1.678 * 45, abs=6)
    eventual = speed.table.loc["eventual"]
    assert eventual["a_low"] < 0.25 < eventual["a_high"]
    assert eventual["difference"] == pytest.approx(eventual["a"] - eventual["b"])
    half = 1.959964 * np.sqrt(a.eventual["won_se"] ** 2 + b.eventual["won_se"] ** 2)
    assert eventual["high"] - eventual["difference"] == pytest.approx(half, rel=1e-6)
    assert compare_speed(b, a).slower == "a"


def test_equal_firms_are_neither_slower_nor_lower():
    rng = np.random.default_rng(22)
    speed = compare_speed(firm(rng, 2000, mean_days=40), firm(rng, 2000, mean_days=40))
    assert (speed.same_conversion, speed.slower) == (True, None)


def test_median_intervals_cover_the_truth():
    """All 28 pairs of eight equal firms: the difference of two medians holds 0 in about 95%."""
    rng = np.random.default_rng(23)
    firms = [firm(rng, 400, mean_days=40) for _ in range(8)]
    found = [compare_speed(a, b, n_draws=60, rng=rng) for a, b in combinations(firms, 2)]
    assert sum(speed.slower is None for speed in found) >= 24


def test_a_generator_of_the_same_seed_gives_the_same_speed():
    a, b = (firm(np.random.default_rng(k), 500, mean_days=40) for k in (1, 2))
    first, again = (compare_speed(a, b, rng=np.random.default_rng(9)) for _ in range(2))
    pd.testing.assert_frame_equal(first.table, again.table)


@needs_maven
@pytest.mark.parametrize(
    ("office", "at_30", "at_138", "se", "won_of_closed"),
    [
        # R 4.2.2, survival 3.5-3: survfit on the same rows.
        ("Central", 0.22609562, 0.54083665, 0.0090800697, 0.62558),
        ("East", 0.23018348, 0.52297419, 0.0105970609, 0.63025),
        ("West", 0.20331139, 0.49330611, 0.0093116845, 0.63940),
    ],
)
def test_a_real_pipeline_as_in_r(office, at_30, at_138, se, won_of_closed):
    result = incidence(maven(office), at=["30 days", "138 days"])
    assert result.table["won"].tolist() == pytest.approx([at_30, at_138], abs=5e-9)
    assert result.table.loc["138 days", "won_se"] == pytest.approx(se, abs=5e-11)
    closed = result.curve[["n_won", "n_lost"]].sum()
    assert closed["n_won"] / closed.sum() == pytest.approx(won_of_closed, abs=5e-6)


@needs_maven
def test_the_office_with_most_won_of_closed_wins_least():
    """748 open deals of West are in no won-of-closed rate: it ranks first there, and last by age."""
    results = {office: incidence(maven(office), at=["138 days"]) for office in OFFICES}
    closed = {office: r.curve[["n_won", "n_lost"]].sum() for office, r in results.items()}
    rates = pd.Series({office: n["n_won"] / n.sum() for office, n in closed.items()})
    by_age = pd.Series({office: r.table.loc["138 days", "won"] for office, r in results.items()})
    assert (rates.idxmax(), by_age.idxmin()) == ("West", "West")
    assert results["West"].n_open == 748


@needs_maven
def test_most_open_deals_of_the_real_pipeline_are_stalled():
    result = incidence(maven())
    assert (result.n_opportunities, result.n_open) == (8300, 1589)
    assert len(result.stalled) == 1291
    assert result.stalled["age_days"].min() > 138


@needs_maven
def test_the_order_of_rows_and_whole_day_ties_change_nothing():
    pipeline = maven("West")
    shuffled = pipeline.opportunities.to_pandas().sample(frac=1, random_state=3)
    again = pipeline_of_ends(shuffled, snapshot_at=pipeline.snapshot_at)
    pd.testing.assert_frame_equal(incidence(again).curve, incidence(pipeline).curve)


def test_a_period_of_creation_can_be_looked_at():
    ends = ends_of(TOY_DAYS, TOY_OUTCOMES)
    whole = incidence(pipeline_of_ends(ends), entered_from="2025-05-29", entered_until="2025-05-30")
    inside = pd.to_datetime(ends["created_on"]).between("2025-05-29", "2025-05-30")
    pd.testing.assert_frame_equal(whole.curve, incidence(pipeline_of_ends(ends[inside])).curve)
    assert 0 < whole.n_opportunities < 10


@pytest.mark.parametrize("outcome", ["won", "lost", "open"])
def test_one_opportunity_is_a_curve_too(outcome):
    result = incidence(pipeline_of_ends(ends_of([5], [outcome])), at=["5 days"])
    row = result.table.loc["5 days"]
    assert row["won"] == (outcome == "won")
    assert row["lost"] == (outcome == "lost")
    assert result.curve.drop(columns=["won_se", "lost_se"]).notna().all(axis=None)


def test_all_on_the_day_of_creation():
    result = incidence(pipeline_of_ends(ends_of([0] * 12, ["won"] * 3 + ["lost"] * 9)), at=["0 days"])
    assert result.eventual[["won", "lost", "open"]].tolist() == pytest.approx([0.25, 0.75, 0])
    assert (result.median_days, result.horizon_days) == (0, 0)


def test_no_dates_of_creation_are_refused():
    ends = ends_of(TOY_DAYS, TOY_OUTCOMES).assign(created_on=pd.NaT)
    with pytest.raises(DataError, match="none of 10 opportunities has a creation date; map created_on"):
        incidence(pipeline_of_ends(ends))


@pytest.mark.parametrize("day", [-1, float("nan")])
def test_ages_below_zero_or_missing_are_refused(day):
    with pytest.raises(DataError, match="1 of 2 ages are missing or below 0; expected days >= 0"):
        aalen_johansen([1, day], outcome=["won", "lost"])


def test_times_to_win_are_those_of_the_wins_that_happen():
    """Gamma(2) days of mean 40: quartiles 19.2, 33.6, 53.9; open ones must not shorten them."""
    rng = np.random.default_rng(31)
    found = days_to_win(firm(rng, 4000, mean_days=40), shares=[0.25, 0.5, 0.75])
    for share, truth in ((0.25, 19.2), (0.5, 33.6), (0.75, 53.9)):
        row = found.loc[share]
        # Days are rounded up.
        assert row["low"] - 1 <= truth <= row["high"]
        assert row["days"] == pytest.approx(truth + 0.5, abs=3)
    assert days_to_win(incidence(pipeline_of_ends(ends_of([5], ["lost"])))).isna().all(axis=None)


def owned(rng, *, n_owners, n_each, spread):
    """Firm whose owners win at rates of their own; everything has closed."""
    rates = rng.normal(0.3, spread, n_owners).clip(0.02, 0.98)
    won = rng.random((n_owners, n_each)) < rates[:, None]
    ends = ends_of(rng.integers(1, 60, won.size), np.where(won.ravel(), "won", "lost"))
    return incidence(
        pipeline_of_ends(ends.assign(owner=np.repeat([f"o{k}" for k in range(n_owners)], n_each)))
    )


def test_owners_widen_the_interval_of_the_difference():
    """20 owners of 100 deals, standard deviation .1 of their rates: the share's error is .1 / sqrt(20)."""
    rng = np.random.default_rng(32)
    a, b = (owned(rng, n_owners=20, n_each=100, spread=0.1) for _ in range(2))
    speed = compare_speed(a, b, n_draws=500)
    assert speed.by_owner
    half = (speed.table.loc["eventual", "high"] - speed.table.loc["eventual", "low"]) / 2 / 1.96
    truth = np.sqrt(2 * (0.1**2 / 20 + 0.3 * 0.7 / 2000))
    assert half == pytest.approx(truth, rel=0.3)
    assert half > 1.5 * np.hypot(a.eventual["won_se"], b.eventual["won_se"])


def test_few_owners_are_not_drawn():
    rng = np.random.default_rng(33)
    a, b = (owned(rng, n_owners=5, n_each=100, spread=0.1) for _ in range(2))
    assert not compare_speed(a, b, n_draws=50).by_owner


def test_grays_test_stands_beside_the_difference():
    rng = np.random.default_rng(34)
    a, b = firm(rng, 800, mean_days=30), firm(rng, 800, mean_days=60)
    speed = compare_speed(a, b, n_draws=50)
    for outcome in ("won", "lost"):
        assert speed.gray.loc[outcome, "p"] == gray_test({"a": a, "b": b}, outcome=outcome).p
