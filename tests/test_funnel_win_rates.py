"""Win rates: each by hand, named for its denominator; by group; degenerate; against simulated truth."""

import numpy as np
import pandas as pd
import pytest
from deal_tables import deals_of
from scipy.special import expit
from scipy.stats import t as student

from crm_analysis.errors import ConfigError
from crm_analysis.funnel import wilson, win_rates

DEALS = pd.DataFrame(
    [
        ("D1", "2025-01-01", "2025-01-11", "won", 100.0, "Web"),
        ("D2", "2025-01-01", "2025-01-31", "won", 300.0, "Web"),
        ("D3", "2025-02-01", "2025-02-06", "lost", 500.0, "Web"),
        ("D4", "2025-02-01", "2025-02-21", "lost", None, "Fair"),
        ("D5", "2025-02-11", None, "open", 70.0, "Fair"),
        ("D6", "2025-06-10", None, "open", 70.0, None),
    ],
    columns=["opportunity_id", "created_on", "closed_on", "outcome", "amount", "source"],
)


def test_each_rate_has_its_denominator():
    table = win_rates(deals_of(DEALS))
    assert table["rate"].tolist()[:3] == [2 / 4, 2 / 6, 400 / 900]
    assert table["of"].tolist()[:3] == [4, 6, 900]
    # Closed after 5 (lost), 10 (won), 20 (lost) and 30 days (won); D6 is 20 days old, D5 older than all.
    by_age = 5 / 6 * 1 / 5 + 5 / 6 * 4 / 5 * 3 / 4 * 1 / 2
    assert table.loc["won in the end", "rate"] == pytest.approx(by_age)
    assert table["n"].tolist() == [4, 6, 3, 6]
    for measure, k, n in (("won of closed", 2, 4), ("won of all", 2, 6)):
        assert tuple(table.loc[measure, ["low", "high"]]) == wilson(k, n=n)
    assert table["denominator"].tolist()[:3] == ["won + lost", "won + lost + open", "amount won + lost"]


def test_groups_are_the_rates_of_their_deals_and_add_up():
    table = win_rates(deals_of(DEALS), by="source")
    assert list(table.index.get_level_values(0).unique()) == ["Web", "Fair", "(missing)"]
    closed = table.xs("won of closed", level=1)
    assert closed["of"].tolist() == [3, 1, 0]
    assert closed[["won", "of"]].sum().tolist() == [2, 4]
    assert table.xs("won of all", level=1)["of"].sum() == 6
    pd.testing.assert_frame_equal(
        table.loc["Web"], win_rates(deals_of(DEALS[DEALS["source"] == "Web"])), check_dtype=False
    )


def test_a_rate_of_nothing_is_missing_and_its_interval_holds_all():
    table = win_rates(deals_of(DEALS[DEALS["outcome"] == "open"]))
    row = table.loc["won of closed"]
    assert np.isnan(row["rate"])
    assert (row["low"], row["high"]) == (0, 1)
    assert table.loc["amount won of closed", ["low", "high"]].tolist() == [0, 1]
    assert table.loc["won of all", "rate"] == 0


def test_all_won_is_no_certainty():
    table = win_rates(deals_of(DEALS[DEALS["outcome"] == "won"]))
    assert table["rate"].tolist() == [1, 1, 1, 1]
    assert (table["low"] < 1).all()
    assert table["low"].iloc[2] == pytest.approx(wilson(2, n=2)[0])


def test_equal_amounts_have_the_interval_of_the_log_odds():
    """60 of 100: log odds with variance 1/60 + 1/40, Student's quantile of 99 degrees of freedom."""
    deals = pd.DataFrame(
        {
            "opportunity_id": np.arange(100).astype(str),
            "created_on": "2025-01-01",
            "closed_on": "2025-02-01",
            "outcome": ["won"] * 60 + ["lost"] * 40,
            "amount": 7.0,
        }
    )
    row = win_rates(deals_of(deals)).loc["amount won of closed"]
    half = student.ppf(0.975, 99) * np.sqrt(100 / 99 * (1 / 60 + 1 / 40))
    assert [row["low"], row["high"]] == pytest.approx(expit(np.log(1.5) + np.array([-half, half])).tolist())


def test_without_amounts_there_is_no_rate_by_amount():
    assert list(win_rates(deals_of(DEALS.drop(columns="amount"))).index) == [
        "won of closed",
        "won of all",
        "won in the end",
    ]
    with pytest.raises(ConfigError, match=r"by='owner'; the pipeline has \['source'\]"):
        win_rates(deals_of(DEALS), by="owner")


def test_only_the_rate_by_age_finds_what_will_be_won():
    """Wins come slowly, losses fast, half of the deals are young: 40% will be won, whoever counts by age."""
    rng = np.random.default_rng(8)
    n = 20_000
    age = rng.integers(0, 300, n)
    won = rng.random(n) < 0.4
    days = np.where(won, rng.integers(60, 120, n), rng.integers(5, 30, n))
    closed = days <= age
    created = pd.Timestamp("2025-06-30") - pd.to_timedelta(age, unit="D")
    deals = pd.DataFrame(
        {
            "opportunity_id": np.arange(n).astype(str),
            "created_on": created,
            "closed_on": (created + pd.to_timedelta(days, unit="D")).where(closed, None),
            "outcome": np.where(closed, np.where(won, "won", "lost"), "open"),
            "amount": rng.lognormal(8, 1, n),
        }
    )
    table = win_rates(deals_of(deals))
    assert table.loc["won in the end", "low"] < 0.4 < table.loc["won in the end", "high"]
    assert table.loc["won of closed", "high"] < 0.36
    assert table.loc["won of all", "high"] < 0.30
    # The amounts know nothing of the outcome, so the third says what the first does.
    ends = table.loc["amount won of closed", ["low", "high"]].tolist()
    assert ends[0] < table.loc["won of closed", "rate"] < ends[1]
