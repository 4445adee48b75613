"""Seasons: an index recovered with honest errors, a clock on which models hold, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from crm_analysis.clv.ahead.season import MONTH_DAYS, NO_SEASON, given_season, normalised
from crm_analysis.clv.ahead.seasonality import count_cells, estimate_season, monthly_repeats, season_of
from crm_analysis.clv.models.bg_nbd import fit_bg_nbd
from crm_analysis.doors.transactions import read_transactions
from crm_analysis.errors import ConfigError, DataError

TRUE = normalised(np.array([0.9, 0.6, 1.0, 0.9, 1.0, 1.1, 0.8, 0.8, 1.0, 1.1, 1.5, 1.3]))
FLAT = np.ones(12)


def simulate(
    n: int, generator, *, index=TRUE, since="2021-01-01", until="2023-12-31", campaign=()
) -> pd.DataFrame:
    """Purchase days of a growing base, whose newcomers come mostly in spring; days of rate index x own rate.

    `campaign` are days on which everybody buys three times as much.
    """
    dates = np.arange(since, np.datetime64(until) + 1, dtype="datetime64[D]")
    month = dates.astype("datetime64[M]").astype(int) % 12
    arrivals = np.linspace(1, 3, len(dates)) * np.where((month > 2) & (month < 6), 4.0, 1.0)
    first = generator.choice(len(dates), n, p=arrivals / arrivals.sum())
    rate = generator.gamma(1.5, 1 / 120, n)
    end = first + generator.exponential(700, n)
    strength = index[month] * np.where(np.isin(dates, campaign), 3, 1)
    chance = -np.expm1(-rate[:, None] * strength)
    day = np.arange(len(dates))
    bought = (generator.random((n, len(dates))) < chance) & (day > first[:, None]) & (day < end[:, None])
    bought[np.arange(n), first] = True
    customer, on = np.nonzero(bought)
    return pd.DataFrame(
        {"customer_id": customer.astype(str), "date": dates[on], "first": dates[first[customer]]}
    )


def cells_of(days: pd.DataFrame, *, since="2021-01-01", until="2023-12-31") -> pd.DataFrame:
    repeats = days[days["date"] > days["first"]]
    months = {"came": repeats["first"], "bought": repeats["date"]}
    counts = pd.DataFrame({name: d.to_numpy("datetime64[M]") for name, d in months.items()})
    born = days.drop_duplicates("customer_id")["first"].value_counts()
    return count_cells(counts.value_counts().rename("n").reset_index(), born, since=since, until=until)


def customers_of(days: pd.DataFrame, *, until="2023-12-31") -> pd.DataFrame:
    seen = days.groupby("customer_id")["date"].agg(["min", "max", "size"])
    return pd.DataFrame(
        {
            "first_at": seen["min"],
            "n_repeat": seen["size"] - 1,
            "t_last": (seen["max"] - seen["min"]).dt.days,
            "t_observed": (pd.Timestamp(until) - seen["min"]).dt.days,
        }
    )


def log_of(days: pd.DataFrame, *, since="2021-01-01", until="2023-12-31"):
    return read_transactions(
        days[["customer_id", "date"]].assign(amount=10.0),
        observed_from=since,
        observed_until=until,
        columns={"customer_id": "customer_id", "occurred_at": "date", "amount": "amount"},
        closed_cohort=True,
    )


@pytest.fixture(scope="module")
def days():
    return simulate(1500, np.random.default_rng(3))


@pytest.fixture(scope="module")
def customers(days):
    return customers_of(days)


def test_recovers_the_index_with_honest_errors():
    """A growing base whose newcomers come in spring; errors in units of their standard errors, 20 bases.

    The sum of 240 squares has a standard deviation of about 22 if errors are as stated; months of one base
    are barely correlated.
    """
    generator = np.random.default_rng(7)
    found = [estimate_season(cells_of(simulate(500, generator))) for _ in range(20)]
    index, errors = (np.array([getattr(s, name) for s in found]) for name in ("index", "standard_errors"))
    assert index.mean(axis=0) == pytest.approx(TRUE, rel=0.05)
    assert 0.8 < np.sqrt((((index - TRUE) / errors) ** 2).mean()) < 1.15
    assert (index @ MONTH_DAYS) == pytest.approx(MONTH_DAYS.sum())


def test_finds_no_season_where_there_is_none():
    """At 5% about one of 20 bases shows one; four or more would happen in 1.6% of all trials."""
    generator = np.random.default_rng(8)
    found = [estimate_season(cells_of(simulate(300, generator, index=FLAT))) for _ in range(20)]
    assert sum(s.adjusted for s in found) < 4
    none = next(s for s in found if not s.adjusted)
    assert (none.source, none.reason, none.index) == ("none", "chance", NO_SEASON.index)
    assert none.p_value > 0.05


def test_one_campaign_is_no_season():
    """In April of the second of three years everybody buys three times as much."""
    april = np.arange("2022-04-01", "2022-05-01", dtype="datetime64[D]")
    found = estimate_season(cells_of(simulate(1500, np.random.default_rng(9), campaign=april)))
    assert found.index[3] == pytest.approx(TRUE[3], rel=0.12)


def test_the_log_says_the_same(days):
    counted = monthly_repeats(log_of(days))
    expected = cells_of(days).sort_values(["came", "bought"], ignore_index=True)
    pd.testing.assert_frame_equal(
        counted.sort_values(["came", "bought"], ignore_index=True), expected, check_dtype=False
    )
    assert counted["n_repeats"].sum() == (days["date"] > days["first"]).sum()
    assert season_of(log_of(days)).index == estimate_season(expected).index


def test_days_at_risk_are_counted_by_hand():
    """Two from 10 March: 21 days of March each, all of April. February and May were not observed whole."""
    counts = pd.DataFrame({"came": [], "bought": [], "n": []}).astype(
        {"came": "datetime64[us]", "bought": "datetime64[us]"}
    )
    born = pd.Series([1, 2], pd.DatetimeIndex(["2021-02-10", "2021-03-10"]))
    cells = count_cells(counts, born, since="2021-02-02", until="2021-05-30")
    assert cells["n_days"].tolist() == [31, 30, 42, 60]
    assert [f"{month:%m}" for month in cells["bought"]] == ["03", "04"] * 2


def test_clock_of_ones_changes_nothing(customers):
    for season in (NO_SEASON, given_season(FLAT)):
        pd.testing.assert_frame_equal(season.on_clock(customers, observed_until="2023-12-31"), customers)
        assert season.length("39 weeks", observed_until="2023-12-31") == "273.000000 days"


def test_whole_years_are_as_long_as_before():
    season = given_season(TRUE)
    assert season.days("12 months", observed_until="2023-09-30") == pytest.approx(365.25, abs=0.5)
    assert season.days("2027-12-31", observed_until="2023-12-31") == pytest.approx(1461)
    table = pd.DataFrame(
        {"first_at": pd.to_datetime(["2020-12-31"]), "n_repeat": 1, "t_last": 365, "t_observed": 730}, ["a"]
    )
    on_clock = season.on_clock(table, observed_until="2022-12-31")
    assert on_clock[["t_last", "t_observed"]].to_numpy().tolist() == [[365, 730]]


def test_clock_runs_with_the_month():
    """From 31 October a purchase on 10 November lies 10 days of November's strength ahead."""
    season = given_season(TRUE)
    table = pd.DataFrame(
        {"first_at": pd.to_datetime(["2022-10-31"]), "n_repeat": 1, "t_last": 10, "t_observed": 61}, ["a"]
    )
    on_clock = season.on_clock(table, observed_until="2022-12-31").loc["a"]
    assert on_clock["t_last"] == round(10 * season.index[10])
    assert on_clock["t_observed"] == round(30 * season.index[10] + 31 * season.index[11])
    since, until = (
        np.array([["2022-10-31"]], "datetime64[D]"),
        np.array(["2022-11-10", "2022-10-30"], "datetime64[D]"),
    )
    assert season.elapsed(since, until)[0] == pytest.approx([10 * season.index[10], -season.index[9]])
    assert season.days("31 days", observed_until="2022-12-31") == pytest.approx(31 * season.index[0])
    assert season.days("2023-02-28", observed_until="2023-01-31") == pytest.approx(28 * season.index[1])


def test_histories_on_the_clock_are_possible(customers):
    """Weak months may round to nothing, yet who came back did so after the first day."""
    season = given_season([0.01, *[1.0] * 11])
    table = season.on_clock(customers, observed_until="2023-12-31")
    assert ((table["n_repeat"] == 0) == (table["t_last"] == 0)).all()
    assert (table["t_last"] <= table["t_observed"]).all()
    assert (table["first_at"] == customers["first_at"]).all()
    short = pd.DataFrame(
        {"first_at": pd.to_datetime(["2022-12-31"]), "n_repeat": 1, "t_last": 1, "t_observed": 5}, ["a"]
    )
    on_clock = season.on_clock(short, observed_until="2023-01-05")
    assert on_clock[["t_last", "t_observed"]].to_numpy().tolist() == [[1, 1]]


def test_on_the_clock_a_model_finds_its_world(days, customers):
    """Likelihoods of times on two clocks compare once the speed of each clock at each purchase is added.

    That speed is the same sum for the calendar's clock, 0, whatever the model.
    """
    month = days["date"].dt.month.to_numpy()[(days["date"] > days["first"]).to_numpy()] - 1

    def comparable(index):
        fit = fit_bg_nbd(given_season(index).on_clock(customers, observed_until="2023-12-31"))
        return fit.log_likelihood + np.log(normalised(index))[month].sum()

    assert comparable(TRUE) > comparable(FLAT) + 50
    assert comparable(FLAT) > comparable(1 / TRUE) + 50


def test_holdout_on_the_clock():
    holdout = pd.DataFrame({"n_holdout": [1, 0], "duration": [31, 31]})
    season = given_season(TRUE)
    table = season.holdout_on_clock(holdout, observed_until="2022-10-31")
    assert table["duration"].unique() == pytest.approx([30 * season.index[10] + season.index[11]])


def test_table_carries_the_range():
    season = estimate_season(cells_of(simulate(500, np.random.default_rng(7))))
    table = season.table
    assert (table["low"] < table["index"]).all()
    assert (table["low"] * table["high"]).to_numpy() == pytest.approx(table["index"].to_numpy() ** 2)
    assert given_season(TRUE).table[["low", "high"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ([1.0] * 11, "11 numbers"),
        ([1.0] * 11 + [0.0], "expected positive numbers"),
        ([1.0] * 11 + [-0.2], "expected positive numbers"),
        ([1.0] * 11 + [np.nan], "expected positive numbers"),
    ],
)
def test_refuses_what_is_no_index(index, message):
    with pytest.raises(ConfigError, match=message):
        given_season(index)


def test_refuses_a_short_log(days):
    early = days[days["date"] <= "2022-12-30"]
    with pytest.raises(DataError, match="23 whole months with customers"):
        estimate_season(cells_of(early, until="2022-12-30"))
    assert season_of(log_of(early, until="2022-12-30")).reason == "short log"
    assert season_of(log_of(early, until="2022-12-30"), given=TRUE).source == "given"


def test_refuses_a_table_of_another_day(customers):
    with pytest.raises(DataError, match="t_observed does not count from first_at to 2023-06-30"):
        given_season(TRUE).on_clock(customers, observed_until="2023-06-30")


def test_refuses_to_put_a_table_on_the_clock_twice(customers):
    season = given_season(TRUE)
    once = season.on_clock(customers, observed_until="2023-12-31")
    with pytest.raises(DataError, match="does not count"):
        season.on_clock(once, observed_until="2023-12-31")


def test_a_log_without_a_complete_history_has_no_season(days):
    """Everybody came before the burn-in ended, so that there is not one month to count."""
    with pytest.raises(DataError, match="0 whole months with customers"):
        estimate_season(cells_of(days).iloc[:0])
