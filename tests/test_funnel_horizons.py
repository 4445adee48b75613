"""Wins within a time, wins in the period they came, and logs of outcomes that begin late."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from maven import FOLDER, maven, needs_maven
from pipelines import pipeline_of_ends

import crm_analysis as crm
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel import truncation, won_in_period, won_within

DATA = Path(__file__).parents[1] / "data"
SNAPSHOT = dt.date(2025, 6, 30)
WIN, LOSE = 0.02, 0.03


def simulated(rng, n, *, snapshot=SNAPSHOT, days_back=365):
    """Opportunities with constant chances a day to be won and lost, created evenly over a year."""
    created = pd.Timestamp(snapshot) - pd.to_timedelta(rng.integers(0, days_back, n), unit="D")
    days = rng.geometric(WIN + LOSE, n)
    closed = created + pd.to_timedelta(days, unit="D")
    won = rng.random(n) < WIN / (WIN + LOSE)
    outcome = np.where(closed > pd.Timestamp(snapshot), "open", np.where(won, "won", "lost"))
    ids = [f"d{k:05}" for k in range(n)]
    ends = pd.DataFrame({"opportunity_id": ids, "outcome": outcome, "created_on": created})
    return pipeline_of_ends(ends.assign(closed_on=closed.where(outcome != "open")), snapshot_at=snapshot)


def by_day(day):
    """True share won within so many days."""
    return WIN / (WIN + LOSE) * (1 - (1 - WIN - LOSE) ** day)


def deals(*rows, snapshot=SNAPSHOT):
    table = pd.DataFrame(rows, columns=["created_on", "closed_on", "outcome", "source"])
    table.insert(0, "opportunity_id", [f"d{k}" for k in range(len(rows))])
    return pipeline_of_ends(table, snapshot_at=snapshot)


def test_horizons_are_those_of_the_truth():
    found = won_within(simulated(np.random.default_rng(1), 6000))
    assert found.index.tolist() == ["7 days", "14 days", "30 days", "90 days", "ever"]
    for row in found.itertuples():
        truth = by_day(row.horizon_days)
        assert row.low - 0.003 < truth < row.high + 0.003
        assert row.share_low - 0.003 < truth < row.share_high + 0.003
    # Those who are not old enough are in no denominator, and widen the second interval.
    assert found["n_old_enough"].is_monotonic_decreasing
    assert (found["n_old_enough"] < found["n"]).all()
    assert not found["complete"].any()
    assert found.loc["90 days", "high"] - found.loc["90 days", "low"] < (
        found.loc["90 days", "share_high"] - found.loc["90 days", "share_low"]
    )


def test_horizons_counted_by_hand():
    pipeline = deals(
        ("2025-01-01", "2025-01-06", "won", "web"),
        ("2025-01-01", "2025-01-11", "won", "web"),
        ("2025-02-01", "2025-02-05", "lost", "fair"),
        ("2025-06-25", None, "open", "fair"),
    )
    found = won_within(pipeline, ["5 days", "6 days", "ever"])
    assert found["horizon_days"].tolist() == [5, 6, 10]
    assert found["n_old_enough"].tolist() == [4, 3, 3]
    assert found["n_won"].tolist() == [1, 1, 2]
    assert found["share"].tolist() == pytest.approx([1 / 4, 1 / 3, 2 / 3])
    assert found["complete"].tolist() == [True, False, False]
    # S(5-) = 3/4 of 4, then 1 of 2 at risk at 10 days.
    assert found["won"].tolist() == pytest.approx([0.25, 0.25, 0.75])
    apart = won_within(pipeline, ["5 days"], by="source")
    assert apart.loc[("web", "5 days"), ["n", "n_won"]].tolist() == [2, 1]
    months = won_within(pipeline, ["30 days"], by="month")
    assert months.index.get_level_values("group").tolist() == ["2025-01", "2025-02", "2025-06"]
    assert months["n_old_enough"].tolist() == [2, 1, 0]
    assert np.isnan(
        months.loc[("2025-06", "30 days"), ["won", "share", "low", "share_high"]].astype(float)
    ).all()


def test_groups_add_up_to_all():
    pipeline = simulated(np.random.default_rng(2), 500)
    whole = won_within(pipeline)
    for by in ("month", "quarter", "year"):
        summed = won_within(pipeline, by=by)[["n", "n_old_enough", "n_won"]].groupby(level="horizon").sum()
        pd.testing.assert_frame_equal(summed.loc[whole.index], whole[["n", "n_old_enough", "n_won"]])


def test_horizons_that_cannot_be_are_refused():
    pipeline = deals(("2025-01-01", "2025-01-06", "won", "web"))
    with pytest.raises(ConfigError, match="length '7'"):
        won_within(pipeline, ["7"])
    with pytest.raises(
        ConfigError, match=r"by = 'week'; expected one of \['month', 'quarter', 'year', 'age_days'"
    ):
        won_within(pipeline, by="week")


def test_nothing_closed_is_won_never_so_far():
    found = won_within(deals(("2025-06-01", None, "open", "web")), ["7 days", "ever"])
    assert found["won"].tolist() == [0, 0]
    assert found.loc["ever", "horizon_days"] == 29


def in_the_month_truth(start, end):
    """Share won before the month of creation is over, created evenly over the days from start to end."""
    left = [(pd.Timestamp(day) + pd.offsets.MonthEnd(0)).day - day.day for day in pd.date_range(start, end)]
    return float(np.mean([by_day(days) for days in left]))


def test_wins_in_the_month_they_came_are_those_of_the_truth():
    found = won_in_period(simulated(np.random.default_rng(3), 8000))
    truth = in_the_month_truth("2024-07-01", "2025-06-30")
    overall = found.overall
    assert overall["low"] < truth < overall["high"]
    assert overall["share"] == overall["n_won_in_period"] / overall["n_created"]
    # A third of what is won in the end: the month is too short a look.
    assert overall["ever"] == pytest.approx(WIN / (WIN + LOSE), abs=0.02)
    assert overall["share"] < 0.6 * overall["ever"]
    assert found.table.index[[0, -1]].tolist() == ["2024-07", "2025-06"]
    assert found.table["complete"].all()


def test_periods_counted_by_hand():
    pipeline = deals(
        ("2025-01-30", "2025-01-31", "won", "web"),
        ("2025-01-31", "2025-02-01", "won", "web"),
        ("2025-03-02", "2025-03-05", "lost", "web"),
        ("2025-06-10", None, "open", "web"),
        snapshot=dt.date(2025, 6, 29),
    )
    found = won_in_period(pipeline)
    table = found.table
    assert table.index.tolist() == ["2025-01", "2025-02", "2025-03", "2025-04", "2025-05", "2025-06"]
    assert table["n_created"].tolist() == [2, 0, 1, 0, 0, 1]
    assert table["n_won_in_period"].tolist() == [1, 0, 0, 0, 0, 0]
    assert table["n_won"].tolist() == [2, 0, 0, 0, 0, 0]
    assert table["complete"].tolist() == [True] * 5 + [False]
    assert table["share"].isna().tolist() == [False, True, False, True, True, False]
    # The month that is not over counts in no overall share.
    assert found.overall[["n_created", "n_won_in_period"]].tolist() == [3, 1]
    assert won_in_period(pipeline, by="quarter").table.loc["2025Q1", "share"] == pytest.approx(2 / 3)
    with pytest.raises(DataError, match="no year is over at 2025-06-29"):
        won_in_period(pipeline, by="year")
    with pytest.raises(ConfigError, match="by = 'week'"):
        won_in_period(pipeline, by="week")


@pytest.mark.parametrize("firm", ["a", "b"])
def test_of_the_sample_firms_under_5_percent_convert_in_the_month_they_came(firm):
    found = won_in_period(crm.open_workspace(DATA / "demo.toml").pipeline(firm))
    assert found.overall["high"] < 0.05
    assert found.overall["ever_low"] > 0.1


@needs_maven
def test_outcomes_that_begin_late_are_found():
    """Deals are engaged from 2016-10-20, won and lost from 2017-03-01 only."""
    found = truncation(maven())
    assert found.detected
    assert (found.first_entry, found.first_outcome) == (dt.date(2016, 10, 20), dt.date(2017, 3, 1))
    assert (found.gap_days, found.n_before, found.bias) == (132, 1185, "slow")
    assert found.whole_from == dt.date(2017, 3, 1)
    # Cohorts from that day on win faster.
    whole, rest = (won_within(maven(), ["30 days"], entered_from=day) for day in (found.whole_from, None))
    assert whole.loc["30 days", "low"] > rest.loc["30 days", "won"]


@needs_maven
def test_the_door_and_truncation_agree():
    pipeline = crm.read_pipeline(
        FOLDER / "sales_pipeline.csv",
        shape="current stage",
        stages=["Prospecting", "Engaging", "Won"],
        snapshot_at="2017-12-31",
        columns={
            "opportunity_id": "opportunity_id",
            "stage": "deal_stage",
            "created_at": "engage_date",
            "closed_at": "close_date",
        },
    )
    found = truncation(pipeline)
    flagged = {defect.name: defect for defect in pipeline.verdict.defects}["outcomes begin late"]
    assert (found.detected, found.n_too_slow) == (True, flagged.n_rows)


@pytest.mark.parametrize("firm", ["a", "b"])
def test_whole_logs_are_not_suspected(firm):
    found = truncation(crm.open_workspace(DATA / "demo.toml").pipeline(firm))
    assert (found.detected, found.bias, found.whole_from) == (False, "", found.first_entry)


def late_log(n_slow):
    """Half close within 4 days from March on; n_slow were created in January and closed in March."""
    early = [("2025-01-05", "2025-03-10", "won", "web")] * n_slow
    first = [("2025-02-26", "2025-03-01", "lost", "web")]
    later = [("2025-03-01", "2025-03-05", "won", "web"), ("2025-03-02", "2025-03-06", "lost", "web")] * 5
    return deals(*early, *first, *later)


def test_ten_that_are_too_slow_are_enough_to_tell():
    assert truncation(late_log(10)).detected
    found = truncation(late_log(9))
    assert (found.detected, found.n_too_slow, found.median_days) == (False, 9, 4)


def test_nothing_closed_or_nothing_dated():
    found = truncation(deals(("2025-06-01", None, "open", "web")))
    assert (found.detected, found.first_outcome, found.gap_days) == (False, None, 0)
    with pytest.raises(DataError, match="no opportunity has a creation date"):
        truncation(deals((None, None, "open", "web")))
