"""Fit and forecast by group: counted by hand, silent where groups are alike, told where they are not."""

import numpy as np
import pandas as pd
import pytest
from clv_cases import simulate_bg_nbd
from scipy.special import ndtri

from crm_analysis.clv.ahead.cohorts import cohort_errors
from crm_analysis.clv.models.bg_nbd import BgNbd, fit_bg_nbd
from crm_analysis.clv.models.mbg_nbd import MbgNbd
from crm_analysis.errors import DataError

TRUTH = BgNbd(r=0.6, alpha=4.0, a=0.8, b=2.5)


def base_of(generator, *, models, n=800):
    """One group of customers per model, acquired in the years from 2020 on."""
    bases = []
    for i, model in enumerate(models):
        base = simulate_bg_nbd(n, generator, model=model, observed=(200, 400), ahead=180)
        bases.append(base.assign(acquired_at=pd.Timestamp(f"{2020 + i}-05-01"), channel=f"channel {i % 2}"))
    return pd.concat(bases, ignore_index=True)


def holdout_of(base):
    return pd.DataFrame({"n_holdout": base["n_later"], "duration": 180})


@pytest.fixture(scope="module")
def worse():
    """The third cohort leaves three times as readily."""
    gone = BgNbd(r=0.6, alpha=4.0, a=2.4, b=2.5)
    return base_of(np.random.default_rng(4), models=[TRUTH, TRUTH, gone])


def test_sums_by_hand(worse):
    fit = fit_bg_nbd(worse)
    table = cohort_errors(fit, worse, holdout=holdout_of(worse))
    first = worse["acquired_at"].dt.year == 2020
    expected = fit.model.expected_purchases(worse[first], horizon="180 days").sum()
    row = table.loc[2020]
    assert (row["n_customers"], row["actual"]) == (800, worse.loc[first, "n_later"].sum())
    assert row["expected"] == pytest.approx(expected)
    assert row["error"] == pytest.approx(expected / row["actual"] - 1)
    overall = table.loc["all", "error"]
    at_random = worse.loc[first, "n_later"] - fit.model.expected_purchases(
        worse[first], horizon="180 days"
    ) / (1 + overall)
    reach = -ndtri((1 - 0.95 ** (1 / 3)) / 2) * at_random.std() * np.sqrt(800)
    assert row["low"] == pytest.approx(expected / (row["actual"] + reach) - 1)
    assert row["high"] == pytest.approx(expected / (row["actual"] - reach) - 1)
    assert table.loc["all", "expected"] == pytest.approx(table["expected"].iloc[:-1].sum())
    assert table.loc["all", "n_customers"] == 2400


def test_fit_is_what_is_expected_of_new_customers(worse):
    fit = fit_bg_nbd(worse)
    table = cohort_errors(fit, worse)
    ages = worse.loc[worse["acquired_at"].dt.year == 2021, "t_observed"]
    by_hand = sum(fit.model.expected_purchases_new(horizon=f"{age} days") for age in ages)
    assert table.loc[2021, "expected"] == pytest.approx(by_hand)
    assert table.loc["all", "actual"] == worse["n_repeat"].sum()


def test_a_worse_cohort_is_flagged(worse):
    fit = fit_bg_nbd(worse)
    ahead = cohort_errors(fit, worse, holdout=holdout_of(worse))
    assert ahead["flagged"].to_dict()[2022]
    assert ahead.loc[2022, "error"] > ahead.loc[2021, "error"]
    so_far = cohort_errors(fit, worse)
    assert so_far.loc[2022, "flagged"]
    assert so_far.loc["all", "flagged"]


def test_groups_alike_are_seldom_flagged():
    """Four cohorts of one kind, 60 bases: some group is flagged in about 5%; over 12% would be rare (1%)."""
    generator, told = np.random.default_rng(6), []
    for _ in range(60):
        base = base_of(generator, models=[TRUTH] * 4, n=300)
        told.append(cohort_errors(TRUTH, base, holdout=holdout_of(base)).loc["all", "flagged"])
    assert 0 <= np.mean(told) <= 0.12


def test_wrong_for_everybody_alike_is_an_error_and_no_flag():
    base = base_of(np.random.default_rng(8), models=[TRUTH] * 3)
    table = cohort_errors(BgNbd(r=1.2, alpha=4.0, a=0.8, b=2.5), base)
    assert table.loc["all", "error"] > 0.5
    assert not table["flagged"].any()


def test_by_a_column_or_a_series(worse):
    by_name = cohort_errors(TRUTH, worse, by="channel")
    by_series = cohort_errors(TRUTH, worse, by=worse["channel"].sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(by_name, by_series)
    assert by_name.index.tolist() == ["channel 0", "channel 1", "all"]
    known = cohort_errors(TRUTH, worse, by=worse["channel"].iloc[:100])
    assert known.loc["unknown", "n_customers"] == 2300


def test_leaving_after_the_first_purchase_counts(worse):
    """New customers of MBG/NBD may be gone at once: fewer are expected of them than of BG/NBD's."""
    mbg = MbgNbd(r=0.6, alpha=4.0, a=0.8, b=2.5)
    assert (
        cohort_errors(mbg, worse).loc["all", "expected"] < cohort_errors(TRUTH, worse).loc["all", "expected"]
    )


def test_one_customer_is_no_evidence(worse):
    lone = worse.iloc[[0, 1]].assign(channel=["a", "b"])
    table = cohort_errors(TRUTH, lone, by="channel")
    assert not table["flagged"].any()


def test_refuses_a_column_that_is_not_there(worse):
    with pytest.raises(DataError, match="no column 'region'"):
        cohort_errors(TRUTH, worse, by="region")
