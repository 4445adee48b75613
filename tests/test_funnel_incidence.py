"""Wins by age with open opportunities, against R's survival and an analytic truth."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pipelines import SNAPSHOT, pipeline_of_ends

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel import aalen_johansen, compare_speed, incidence, wilson

SHARED = Path(__file__).parents[1] / ".." / "shared" / "data"
OUTCOME = {0: "open", 1: "won", 2: "lost"}
# R 4.2.2, survival 3.5-3: survfit(Surv(t, factor(s)) ~ 1), values and std.err; 1 won, 2 lost, 0 open.
TOY_DAYS = [1, 2, 2, 3, 4, 4, 5, 6, 7, 8]
TOY_OUTCOMES = [OUTCOME[s] for s in (1, 2, 0, 1, 1, 2, 0, 2, 1, 0)]
TOY = {
    "won": [0.1, 0.1, 0.2142857, 0.3285714, 0.3285714, 0.3285714, 0.4809524, 0.4809524],
    "lost": [0, 0.1, 0.1, 0.2142857, 0.2142857, 0.3666667, 0.3666667, 0.3666667],
    "won_se": [0.0948683, 0.0948683, 0.1350413, 0.1561845, 0.1561845, 0.1561845, 0.1780011, 0.1780011],
    "lost_se": [0, 0.0948683, 0.0948683, 0.1350413, 0.1350413, 0.1721392, 0.1721392, 0.1721392],
}


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


@pytest.mark.parametrize("column", list(TOY))
def test_values_and_standard_errors_as_in_r(column):
    curve = aalen_johansen(TOY_DAYS, outcome=TOY_OUTCOMES)
    assert curve.loc[1:8, column].tolist() == pytest.approx(TOY[column], abs=5e-8)


def test_a_pipeline_gives_the_same_curve_as_its_ages():
    result = incidence(pipeline_of_ends(ends_of(TOY_DAYS, TOY_OUTCOMES)), at=["4 days", "1 week"])
    assert result.curve.loc[1:8, "won"].tolist() == pytest.approx(TOY["won"], abs=5e-8)
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
    """Thirty pairs: the difference of two equal firms' medians holds 0 in about 95%."""
    rng = np.random.default_rng(23)
    found = [
        compare_speed(firm(rng, 400, mean_days=40), firm(rng, 400, mean_days=40), n_draws=100, rng=rng)
        for _ in range(30)
    ]
    # Whole days make the interval a little wide; 30 runs at 95% give at least 25 but once in 300 times.
    assert sum(speed.slower is None for speed in found) >= 25


def test_a_generator_of_the_same_seed_gives_the_same_speed():
    a, b = (firm(np.random.default_rng(k), 500, mean_days=40) for k in (1, 2))
    first, again = (compare_speed(a, b, rng=np.random.default_rng(9)) for _ in range(2))
    pd.testing.assert_frame_equal(first.table, again.table)


def maven(region: str):
    """Dated opportunities of a region; Engaging is still open."""
    deals = pd.read_csv(SHARED / "maven_crm" / "sales_pipeline.csv")
    teams = pd.read_csv(SHARED / "maven_crm" / "sales_teams.csv").set_index("sales_agent")
    deals = deals[deals["engage_date"].notna()]
    deals["region"] = deals["sales_agent"].map(teams["regional_office"])
    outcome = deals["deal_stage"].map({"Won": "won", "Lost": "lost", "Engaging": "open"})
    ends = deals.assign(outcome=outcome, created_on=deals["engage_date"], closed_on=deals["close_date"])
    ends = ends[ends["region"].eq(region) | (region == "all")]
    return incidence(pipeline_of_ends(ends, snapshot_at=dt.date(2017, 12, 31)), at=["30 days", "138 days"])


needs_maven = pytest.mark.skipif(
    not (SHARED / "maven_crm").is_dir(), reason="../shared/data/maven_crm is absent"
)


@needs_maven
@pytest.mark.parametrize(
    ("region", "at_30", "at_138", "se"),
    [
        # R survfit on the same rows.
        ("Central", 0.22609562, 0.54083665, 0.0090800697),
        ("East", 0.23018348, 0.52297419, 0.0105970609),
        ("West", 0.20331139, 0.49330611, 0.0093116845),
    ],
)
def test_a_real_pipeline_as_in_r(region, at_30, at_138, se):
    table = maven(region).table
    assert table["won"].tolist() == pytest.approx([at_30, at_138], abs=5e-9)
    assert table.loc["138 days", "won_se"] == pytest.approx(se, abs=5e-11)


@needs_maven
def test_most_open_deals_of_the_real_pipeline_are_stalled():
    result = maven("all")
    assert (result.n_opportunities, result.n_open) == (8300, 1589)
    assert len(result.stalled) == 1291
    assert result.stalled["age_days"].min() > 138
