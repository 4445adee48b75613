"""Forecasts of open opportunities against chains and clocks whose truth is known."""

import datetime as dt
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pipelines import SNAPSHOT, pipeline_of, pipeline_of_ends
from test_funnel_incidence import ends_of

import crm_analysis as crm
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel import backtest_open, forecast_open, incidence
from crm_analysis.funnel.ageing.chances_by_age import chances_by_age
from crm_analysis.funnel.ageing.owners import draw_sums, latent_correlation, owner_likeness

DATA = Path(__file__).parents[1] / "data"


def clocked(rng, n, *, snapshot=SNAPSHOT):
    """Constant chances a day of .01 to be won and .02 to be lost; whole days; seen for up to 180 days."""
    days, seen = rng.geometric(0.03, n), rng.integers(1, 181, n)
    won = rng.random(n) < 1 / 3
    outcome = np.where(days > seen, "open", np.where(won, "won", "lost"))
    return ends_of(np.minimum(days, seen), outcome, snapshot=snapshot)


def chained(rng, n):
    """Histories of a chain: from Lead and Qualified on, back or out, after 1 to 20 days in a stage.

    Lead: .6 to Qualified, .4 lost. Qualified: .5 to Proposal, .1 back, .4 lost. Proposal: .7 won, .3 lost.
    """
    ways = {
        "Lead": (["Qualified", "Lost"], [0.6, 0.4]),
        "Qualified": (["Proposal", "Lead", "Lost"], [0.5, 0.1, 0.4]),
        "Proposal": (["Won", "Lost"], [0.7, 0.3]),
    }
    entries, end = [], pd.Timestamp(SNAPSHOT)
    for k in range(n):
        stage, at = "Lead", end - pd.Timedelta(days=int(rng.integers(0, 180)))
        while at <= end:
            entries.append((f"d{k:05}", stage, at, 100.0))
            if stage not in ways:
                break
            places, chances = ways[stage]
            stage, at = rng.choice(places, p=chances), at + pd.Timedelta(days=int(rng.integers(1, 21)))
    return pipeline_of(pd.DataFrame(entries, columns=["opportunity_id", "stage", "entered_on", "amount"]))


# P(won): w1 = .6 w2, w2 = .35 + .1 w1, w3 = .7.
CHAIN = {"Lead": 0.21 / 0.94, "Qualified": 0.35 / 0.94, "Proposal": 0.7}


def test_a_clock_without_memory_gives_every_age_the_same_chance():
    pipeline = pipeline_of_ends(clocked(np.random.default_rng(1), 6000))
    ever = forecast_open(pipeline, n_draws=20)
    month = forecast_open(pipeline, horizon="30 days", n_draws=20)
    young = ever.table["age_days"] < 60
    assert ever.given == "age"
    assert ever.table.loc[young, "p_won"].mean() == pytest.approx(1 / 3, abs=0.02)
    in_30 = (1 - 0.97**30) / 3
    assert month.table.loc[young, "p_won"].mean() == pytest.approx(in_30, abs=0.015)
    assert month.table.loc[young, "p_open"].mean() == pytest.approx(0.97**30, abs=0.02)


@pytest.mark.parametrize("given", ["age", "stage"])
def test_chances_add_up_and_grow_with_the_horizon(given):
    pipeline = chained(np.random.default_rng(2), 400)
    found = [
        forecast_open(pipeline, horizon=horizon, given=given, n_draws=10).table.sort_index()
        for horizon in ("1 days", "10 days", "400 days", None)
    ]
    for table in found:
        assert table[["p_won", "p_lost", "p_open"]].sum(axis=1).to_numpy() == pytest.approx(1)
        assert (table[["p_won", "p_lost"]] >= 0).all(axis=None)
    for short, long in pairwise(found):
        assert (long["p_won"] >= short["p_won"] - 1e-9).all()
    # Within a time in which everything ends it is the same as ever.
    assert found[2]["p_won"].to_numpy() == pytest.approx(found[3]["p_won"].to_numpy(), abs=1e-6)


def test_a_chain_is_won_as_its_rates_say():
    pipeline = chained(np.random.default_rng(3), 4000)
    found = forecast_open(pipeline, by="all", n_draws=100)
    assert (found.given, found.n_open) == ("stage", len(found.table))
    fresh = found.table[found.table["days_in_stage"] == 0].groupby("stage")["p_won"].mean()
    for stage, truth in CHAIN.items():
        # 4,000 entrants, of which some 1,500 reach Proposal: three standard errors.
        assert fresh[stage] == pytest.approx(truth, abs=0.04)
    row = found.totals.loc["wins"]
    assert row["expected"] == pytest.approx(found.table["p_won"].sum())
    assert row["low_95"] < row["low_80"] < row["expected"] < row["high_80"] < row["high_95"]
    truth = found.table["stage"].map(CHAIN).sum()
    assert row["low_95"] < truth < row["high_95"]


def test_days_in_a_stage_count_in_a_stage_that_is_left_fast_or_lost():
    """Won after 5 days (30 of 61 who stay so long) or lost after 20: who has been there for 10 is lost."""
    rows = []
    for k in range(60):
        start = pd.Timestamp("2025-02-01")
        end, stage = (5, "Won") if k % 2 else (20, "Lost")
        rows += [(f"d{k:03}", "Proposal", start), (f"d{k:03}", stage, start + pd.Timedelta(days=end))]
    rows += [("late", "Proposal", "2025-06-20"), ("fresh", "Proposal", "2025-06-29")]
    found = forecast_open(
        pipeline_of(pd.DataFrame(rows, columns=["opportunity_id", "stage", "entered_on"])), n_draws=10
    )
    assert found.table["p_won"].to_dict() == pytest.approx({"fresh": 30 / 61, "late": 0.0})
    assert found.table["p_lost"].to_dict() == pytest.approx({"fresh": 31 / 61, "late": 1.0})


def test_a_horizon_ends_on_its_last_day():
    """Five days as a lead and five as qualified: won ten days after creation, not nine."""
    starts = pd.Timestamp("2025-02-01") + pd.to_timedelta(np.arange(30), unit="D")
    steps = (("Lead", 0), ("Qualified", 5), ("Won", 10))
    rows = [
        (f"d{k:03}", stage, start + pd.Timedelta(days=days))
        for k, start in enumerate(starts)
        for stage, days in steps
    ]
    rows += [("new", "Lead", SNAPSHOT), ("old", "Qualified", pd.Timestamp(SNAPSHOT) - pd.Timedelta(days=2))]
    pipeline = pipeline_of(pd.DataFrame(rows, columns=["opportunity_id", "stage", "entered_on"]))
    for horizon, new, old in (("2 days", 0, 0), ("3 days", 0, 1), ("9 days", 0, 1), ("10 days", 1, 1)):
        found = forecast_open(pipeline, horizon=horizon, n_draws=2).table["p_won"]
        assert found.to_dict() == pytest.approx({"new": new, "old": old}, abs=1e-6)


def test_the_static_rate_forgets_that_open_ones_are_old():
    """Wins come within 10 days, losses after 60: of those open at 30 days none is won."""
    days = [5] * 50 + [60] * 50 + [30] * 20
    found = forecast_open(pipeline_of_ends(ends_of(days, ["won"] * 50 + ["lost"] * 50 + ["open"] * 20)))
    assert found.totals.loc["wins", "static"] == pytest.approx(10)
    assert found.totals.loc["wins", ["expected", "high_95"]].tolist() == [0, 0]
    assert found.static_rate == 0.5


def test_stalled_and_unsupported_ones_have_no_chance_and_are_counted():
    days = [10] * 20 + [50] * 2 + [50, 51, 60]
    outcomes = ["won"] * 15 + ["lost"] * 5 + ["won"] * 2 + ["open"] * 3
    found = forecast_open(pipeline_of_ends(ends_of(days, outcomes)), n_draws=20)
    assert found.table["stalled"].to_dict() == {"d00022": False, "d00023": True, "d00024": True}
    assert (found.n_stalled, found.n_beyond) == (2, 1)
    assert (found.table[["p_won", "p_lost"]] == 0).all(axis=None)


def test_revenue_is_chance_times_amount_and_what_has_none_is_counted():
    ends = clocked(np.random.default_rng(4), 500)
    amounts = np.random.default_rng(5).integers(1, 100, 500).astype(float)
    amounts[:50] = np.nan
    found = forecast_open(pipeline_of_ends(ends.assign(amount=amounts)), by="all", n_draws=20)
    table = found.table
    assert found.n_unpriced == table["amount"].isna().sum() > 0
    assert found.totals.loc["revenue", "expected"] == pytest.approx((table["p_won"] * table["amount"]).sum())
    assert found.totals.loc["revenue", "static"] == pytest.approx(found.static_rate * table["amount"].sum())
    assert table["expected_amount"].dropna().is_monotonic_decreasing


def test_large_deals_that_are_won_more_often_are_seen_in_thirds_of_the_amount():
    rng = np.random.default_rng(6)
    small, large = clocked(rng, 1500), clocked(rng, 1500)
    large.loc[large["outcome"] == "lost", "outcome"] = "won"
    ends = pd.concat([small.assign(amount=1.0), large.assign(amount=100.0)], ignore_index=True)
    ends["opportunity_id"] = [f"d{k:05}" for k in range(3000)]
    pipeline = pipeline_of_ends(ends)
    apart, together = (forecast_open(pipeline, by=by, n_draws=20) for by in (None, "all"))
    young = apart.table["age_days"] < 60
    mean = apart.table[young].groupby("amount")["p_won"].mean()
    assert mean[100.0] > 0.9
    assert mean[1.0] == pytest.approx(1 / 3, abs=0.04)
    assert apart.totals.loc["revenue", "expected"] > 1.3 * together.totals.loc["revenue", "expected"]


def test_a_group_of_few_wins_learns_from_all():
    rng = np.random.default_rng(7)
    ends = clocked(rng, 800).assign(source=["web"] * 790 + ["fair"] * 10)
    found = forecast_open(pipeline_of_ends(ends), by="source", n_draws=10).table
    fair = found[(found["group"] == "fair") & (found["age_days"] < 60)]
    assert len(fair)
    assert fair["p_won"].between(0.2, 0.5).all()


def test_owners_are_as_alike_as_they_were_made():
    rng = np.random.default_rng(8)
    rates = rng.beta(3, 6, 300)
    won = rng.random((300, 40)) < rates[:, None]
    ends = pd.DataFrame(
        {"owner": np.repeat(np.arange(300), 40), "outcome": np.where(won.ravel(), "won", "lost")}
    )
    # Beta(3, 6): correlation 1 / (3 + 6 + 1).
    assert owner_likeness(ends.assign(n=1)) == pytest.approx(0.1, abs=0.02)
    even = ends.assign(outcome=np.tile(["won", "lost"], 6000), n=1)
    assert owner_likeness(even) == 0
    # 3 of 4 and 1 of 4: between .5, within .25, (.5 - .25) / (.5 + 3 x .25).
    few = pd.DataFrame({"owner": list("aabb"), "outcome": ["won", "lost"] * 2, "n": [3, 1, 1, 3]})
    assert owner_likeness(few) == pytest.approx(0.2)
    assert owner_likeness(even[even["owner"] == 0]) == 0


def test_likeness_widens_a_sum_as_much_as_it_says():
    """20 owners of 20 deals: the variance of the wins grows by 1 + 19 x likeness."""
    deals = pd.DataFrame({"owner": np.repeat([f"o{k}" for k in range(20)], 20)})
    chances, state = np.full((1001, 1), 0.3), np.zeros(400, dtype=int)
    rng = np.random.default_rng(9)
    spread = {
        likeness: draw_sums(chances, state, deals, likeness=likeness, rng=rng)["wins"].var()
        for likeness in (0.0, 0.1)
    }
    assert spread[0.0] == pytest.approx(400 * 0.21, rel=0.1)
    assert spread[0.1] == pytest.approx(400 * 0.21 * (1 + 19 * 0.1), rel=0.12)
    assert latent_correlation(0.1, 0.0) == 0


def test_ranges_hold_what_comes():
    """50 books of 60 open deals, learnt from 500 closed or not: 80% and 95% within sampling error.

    The chance is that of a book drawn again, known from the clock.
    """
    rng, held = np.random.default_rng(10), []
    for _ in range(50):
        ends = clocked(rng, 500).assign(n=1)
        ends["age_days"] = (
            pd.to_datetime(ends["closed_on"]).fillna(pd.Timestamp(SNAPSHOT)) - ends["created_on"]
        ).dt.days
        ages = rng.integers(0, 60, 60)
        chances, _ = chances_by_age(ends, ages, horizon_days=30, n_draws=60, owners=None, rng=rng)
        wins = draw_sums(chances[..., 0], np.arange(60), pd.DataFrame(index=range(60)), likeness=0, rng=rng)[
            "wins"
        ]
        came = rng.binomial(60, (1 - 0.97**30) / 3)
        held.append(
            [
                wins.quantile((1 - level) / 2) <= came <= wins.quantile((1 + level) / 2)
                for level in (0.8, 0.95)
            ]
        )
    share = np.mean(held, axis=0)
    # Whole wins make ranges a little wide; two and a half standard errors are 14 and 7.7 points.
    assert 0.66 < share[0] < 0.95
    assert 0.87 < share[1] <= 1


@pytest.mark.parametrize(
    ("days", "outcomes"),
    [
        ([5, 9], ["open", "open"]),
        ([5], ["open"]),
        ([5, 9, 9], ["lost", "lost", "open"]),
        ([0, 0], ["won", "open"]),
    ],
)
def test_little_to_learn_from_is_no_error(days, outcomes):
    found = forecast_open(pipeline_of_ends(ends_of(days, outcomes)), n_draws=10)
    assert (found.table["p_won"] == 0).all()
    assert found.totals.loc["wins", "expected"] == 0
    assert np.isnan(found.static_rate) == ("won" not in outcomes and "lost" not in outcomes)


def test_nothing_open_is_nothing_expected():
    found = forecast_open(pipeline_of_ends(ends_of([5, 9], ["won", "lost"])), n_draws=10)
    assert (found.n_open, found.totals.loc["wins", "high_95"]) == (0, 0)


def test_misspelt_arguments_are_refused():
    pipeline = pipeline_of_ends(ends_of([5, 9], ["won", "open"]))
    with pytest.raises(ConfigError, match="by = 'region'; expected 'all' or one of"):
        forecast_open(pipeline, by="region")
    with pytest.raises(ConfigError, match="given = 'owner'; expected 'stage' or 'age'"):
        forecast_open(pipeline, given="owner")
    with pytest.raises(ConfigError, match="'current stage' does not know when stages were entered"):
        forecast_open(pipeline, given="stage")
    with pytest.raises(ConfigError, match="n_draws = 0; expected 1 or more"):
        forecast_open(pipeline, n_draws=0)
    with pytest.raises(ConfigError, match="length '90'"):
        forecast_open(pipeline, horizon="90")
    ends = ends_of([5, 9], ["won", "open"])
    ends.loc[0, "closed_on"] = ends.loc[0, "created_on"] - pd.Timedelta(days=1)
    backwards = pipeline_of_ends(ends)
    with pytest.raises(DataError, match="close before they are created"):
        forecast_open(backwards)


@cache
def firm(name):
    return crm.open_workspace(DATA / "demo.toml").pipeline(name)


@cache
def past_of(name, given=None):
    return backtest_open(firm(name), ["2024-12-31"], given=given, n_draws=20)


@pytest.mark.parametrize("name", ["a", "b"])
def test_of_a_sample_firm_forecasts_hold_where_the_share_of_all_closed_does_not(name):
    """Against what is planted: of the last day only the truth knows the future; and an earlier day."""
    pipeline = firm(name)
    truth = pd.read_parquet(DATA / "truth" / f"firm_{name}" / "opportunities.parquet")
    won = truth.set_index("opportunity_id")["eventual_outcome"] == "won"
    last = forecast_open(pipeline, n_draws=20)
    came = won[last.table.index].sum()
    past = past_of(name)
    wins = past.table.xs("wins", level="measure")
    expected = wins["expected"].sum() + last.totals.loc["wins", "expected"]
    static = wins["static"].sum() + last.totals.loc["wins", "static"]
    actual = wins["actual"].sum() + came
    assert abs(expected / actual - 1) < 0.2
    assert abs(expected / actual - 1) < abs(static / actual - 1) / 2
    assert (past.scores["brier"] < 0.8 * past.scores["static_brier"]).all()


def test_stages_tell_more_than_age_on_a_sample_firm():
    scores = {given: past_of("a", given).scores["brier"].mean() for given in (None, "age")}
    assert scores[None] < 0.9 * scores["age"]


def test_shares_by_age_hold_what_came_later():
    """Seen at two days, the share won by 90 days is that of the same opportunities later."""
    pipeline = firm("a")
    for day in ("2024-03-31", "2025-03-31"):
        then = incidence(pipeline.as_of(day), at=["90 days"]).table.loc["90 days"]
        later = incidence(pipeline, at=["90 days"], entered_until=day).table.loc["90 days"]
        assert abs(then["won"] - later["won"]) <= 2 * then["won_se"]


def test_days_without_a_future_are_refused():
    pipeline = firm("a")
    for day, horizon in (("2025-12-31", None), ("2025-12-01", "60 days")):
        with pytest.raises(ConfigError, match="expected days before 2025-12-31, and outcomes that are known"):
            backtest_open(pipeline, [day], horizon=horizon)


def test_backtests_add_up():
    rng, firm_log = np.random.default_rng(12), firm("b")
    found = backtest_open(
        firm_log, [dt.date(2025, 1, 31), "2025-02-28"], horizon="60 days", n_draws=5, rng=rng
    )
    table = found.table.xs("wins", level="measure")
    assert table["until"].tolist() == [dt.date(2025, 4, 1), dt.date(2025, 4, 29)]
    assert found.error["wins"] == pytest.approx(table["expected"].sum() / table["actual"].sum() - 1)
    deals = firm_log.opportunities.to_pandas()
    closed, created = pd.to_datetime(deals["closed_on"]), pd.to_datetime(deals["created_on"])
    there = (created <= "2025-01-31") & (closed.isna() | (closed > "2025-01-31"))
    assert table["n_open"].iloc[0] == there.sum()
    assert table["actual"].iloc[0] == (there & (deals["outcome"] == "won") & (closed <= "2025-04-01")).sum()
