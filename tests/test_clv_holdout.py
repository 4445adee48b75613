"""Holdout report: published figures for CDNOW, hand-counted baselines, refusals."""

import numpy as np
import pandas as pd
import pytest
from clv_cases import cdnow, cdnow_days, cdnow_holdout

from crm_analysis.clv.ahead.goodness import chi_square, frequency_fit, tracking, tracking_error
from crm_analysis.clv.ahead.holdout import _captured, evaluate_holdout
from crm_analysis.clv.models.bg_nbd import BgNbd, fit_bg_nbd
from crm_analysis.clv.models.pareto_nbd import fit_pareto_nbd
from crm_analysis.errors import DataError


@pytest.fixture(scope="module")
def fits():
    return {"BG/NBD": fit_bg_nbd(cdnow()), "Pareto/NBD": fit_pareto_nbd(cdnow())}


@pytest.fixture(scope="module")
def quality(fits):
    return evaluate_holdout(cdnow(), cdnow_holdout(), models=fits)


def test_published_totals_and_errors(quality):
    metrics = quality.metrics
    assert metrics["expected_total"][:2].tolist() == pytest.approx([1653.41, 1665.5], abs=0.05)
    assert (metrics["actual_total"] == 1882).all()
    assert metrics["bias"][:2].tolist() == pytest.approx([-0.121, -0.115], abs=5e-4)
    assert metrics["mae"][:2].tolist() == pytest.approx([0.7855, 0.7545], abs=5e-5)
    assert metrics["rmse"][:2].tolist() == pytest.approx([1.608, 1.603], abs=5e-4)
    assert metrics["correlation"][:2].tolist() == pytest.approx([0.6256, 0.6302], abs=5e-5)


def test_published_classification(quality):
    """P(alive) misleads for BG/NBD, since one-time buyers have 1; P(buy) does not."""
    metrics = quality.metrics
    assert metrics.loc["Pareto/NBD", "accuracy_p_alive"] == pytest.approx(0.7743, abs=5e-5)
    assert metrics.loc["BG/NBD", "accuracy_p_alive"] == pytest.approx(0.339, abs=5e-4)
    assert metrics.loc["BG/NBD", "accuracy"] == pytest.approx(0.779, abs=5e-4)
    assert metrics.loc["BG/NBD", "auc"] == pytest.approx(0.757, abs=5e-4)


@pytest.mark.parametrize(("days", "accuracy"), [(91, 0.779), (122, 0.778), (152, 0.781), (182, 0.7709)])
def test_published_hiatus_rules(fits, days, accuracy):
    quality = evaluate_holdout(cdnow(), cdnow_holdout(), models=fits, hiatus_days=days)
    assert quality.metrics.loc[f"hiatus {days} days", "accuracy"] == pytest.approx(accuracy, abs=6e-4)


def test_published_expectation_by_repeat(quality):
    table = quality.by_repeat
    assert table.index.tolist() == ["0", "1", "2", "3", "4", "5", "6", "7+"]
    assert table["n_customers"].tolist() == [1411, 439, 214, 100, 62, 38, 29, 64]
    actual = [0.2367, 0.6970, 1.3925, 1.5600, 2.5323, 2.9474, 3.8621, 6.3594]
    np.testing.assert_allclose(table["actual"], actual, atol=5e-5)
    np.testing.assert_allclose(table["BG/NBD"][["0", "7+"]], [0.2251, 6.1572], atol=5e-5)
    np.testing.assert_allclose(table["Pareto/NBD"][["0", "7+"]], [0.1384, 6.4031], atol=5e-5)


def test_reliability_counts_every_customer_once(quality):
    tables = quality.reliability
    assert tables.groupby("model")["n_customers"].sum().tolist() == [2357, 2357]
    bought = (tables["actual"] * tables["n_customers"]).groupby("model").sum()
    assert bought.tolist() == pytest.approx([684, 684])
    lower = tables.index.get_level_values("p_buy_from")
    assert tables["predicted"].between(lower, lower + 0.1).all()


def test_the_fitted_cutoff_beats_every_other(fits, quality):
    best = quality.metrics.loc[f"hiatus {quality.hiatus_days} days", "accuracy"]
    for days in range(0, 280, 7):
        other = evaluate_holdout(
            cdnow(), cdnow_holdout(), models={"BG/NBD": fits["BG/NBD"]}, hiatus_days=days
        )
        assert other.metrics.loc[f"hiatus {days} days", "accuracy"] <= best


def test_the_fitted_cutoff_by_hand():
    """Silent for 10 to 60 days: bought, bought, not, bought, not, not. Up to 20 is right 5 times of 6."""
    silences = np.array([10, 20, 30, 40, 50, 60])
    calibration = pd.DataFrame({"n_repeat": 1, "t_last": 100 - silences, "t_observed": 100})
    holdout = pd.DataFrame({"n_holdout": [1, 2, 0, 1, 0, 0], "duration": 50})
    model = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
    quality = evaluate_holdout(calibration, holdout, models={"m": model})
    assert quality.hiatus_days in (20, 40)
    assert quality.metrics.loc[f"hiatus {quality.hiatus_days} days", "accuracy"] == pytest.approx(5 / 6)
    holdout["n_holdout"] = [1, 0, 0, 0, 1, 1]  # up to 10 days is right 4 times, up to 60 only 3 times
    assert evaluate_holdout(calibration, holdout, models={"m": model}).hiatus_days == 10


def test_baselines_and_scores_by_hand():
    """Four customers over 100 days before and 50 after; the model's own formulas are tested elsewhere."""
    calibration = pd.DataFrame(
        {"n_repeat": [0, 2, 4, 0], "t_last": [0, 90, 20, 0], "t_observed": [100, 100, 100, 100]}, list("abcd")
    )
    holdout = pd.DataFrame({"n_holdout": [0, 1, 0, 3], "duration": 50}, list("dcba"))
    model = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
    metrics = evaluate_holdout(calibration, holdout, models={"m": model}, hiatus_days=30).metrics
    actual = np.array([3.0, 0.0, 1.0, 0.0])
    # alike: 6 repeats in 400 days, 0.75 expected of each in 50
    assert metrics.loc["everybody alike", "expected_total"] == pytest.approx(3.0)
    assert metrics.loc["everybody alike", "mae"] == pytest.approx((2.25 + 0.75 + 0.25 + 0.75) / 4)
    assert metrics.loc["everybody alike", "log_loss"] == pytest.approx(
        -(2 * np.log(1 - np.exp(-0.75)) - 2 * 0.75) / 4
    )
    assert metrics.loc["everybody alike", "auc"] == 0.5
    # as before: 0, 1, 2, 0; right about b? no (1 expected), c yes, d yes, a no
    before = np.array([0.0, 1.0, 2.0, 0.0])
    assert metrics.loc["same rate as before", "rmse"] == pytest.approx(
        np.sqrt(np.mean((before - actual) ** 2))
    )
    assert metrics.loc["same rate as before", "accuracy"] == 0.5
    # silent for at most 30 days: b alone, who did not buy; a and c did
    assert metrics.loc["hiatus 30 days", "accuracy"] == 0.25
    assert metrics.loc["hiatus 30 days", "expected_total"] == 1.0
    # silences 100, 10, 80, 100: buyers a and c against b and d; c beats d, a ties with d
    assert metrics.loc["hiatus 30 days", "auc"] == pytest.approx((0 + 0.5 + 0 + 1) / 4)
    p_buy = model.p_buy(calibration, horizon="50 days").to_numpy()
    log_loss = -np.mean(np.where(actual > 0, np.log(p_buy), np.log1p(-p_buy)))
    assert metrics.loc["m", "log_loss"] == pytest.approx(log_loss)


def test_refuses_holdouts_of_other_customers_or_several_lengths(fits):
    with pytest.raises(DataError, match="no row for 1 calibration customers, first '0001'"):
        evaluate_holdout(cdnow(), cdnow_holdout().iloc[1:], models=fits)
    mixed = cdnow_holdout().assign(duration=[1, *[273] * 2356])
    with pytest.raises(DataError, match="duration takes 2 values"):
        evaluate_holdout(cdnow(), mixed, models=fits)


def test_the_share_of_purchases_with_the_tenth_of_whom_most_were_expected(fits):
    """Ten customers: the best one made 6 of 10 purchases; of ten alike, a tenth of them."""
    best = np.array([5.0, *[1.0] * 9])
    assert _captured(best, np.array([6, 4, *[0] * 8])) == pytest.approx(0.6)
    assert _captured(np.ones(10), np.array([6, 4, *[0] * 8])) == pytest.approx(0.1)
    assert np.isnan(_captured(best, np.zeros(10)))
    metrics = evaluate_holdout(cdnow(), cdnow_holdout(), models=fits).metrics["top_tenth"]
    assert metrics["everybody alike"] == pytest.approx(0.1)
    assert metrics["BG/NBD"] > 0.3


# how closely the models follow their own customers


@pytest.mark.parametrize(("name", "statistic", "p"), [("BG/NBD", 4.8211, 0.19), ("Pareto/NBD", 11.99, 0.007)])
def test_published_fit_of_the_frequencies(fits, name, statistic, p):
    table = frequency_fit(fits[name], cdnow())
    assert table["actual"].tolist() == [1411, 439, 214, 100, 62, 38, 29, 64]
    assert table["expected"].sum() == pytest.approx(2357)
    found, probability = chi_square(table, n_parameters=4)
    assert found == pytest.approx(statistic, abs=0.005)
    assert probability == pytest.approx(p, abs=0.005)
    assert np.isnan(chi_square(table, n_parameters=7)[1])


@pytest.mark.parametrize(
    ("name", "total", "error"), [("BG/NBD", 4160.6, 0.0263), ("Pareto/NBD", 4270.0, 0.0131)]
)
def test_published_tracking(fits, name, total, error):
    days = cdnow_days()
    repeats = days[days["date"] > days["first_at"]].groupby("date").size()
    table = tracking(fits[name], cdnow(), repeats=repeats, until="1998-06-30")
    assert len(table) == 78
    assert table["actual"][19:25].tolist() == [73, 55, 70, 33, 56, 99]
    assert table["actual_cumulative"].iloc[-1] == 4339
    assert table["expected_cumulative"].iloc[-1] == pytest.approx(total, abs=0.05)
    assert tracking_error(table, since="1997-09-30") == pytest.approx(error, abs=5e-5)
    assert tracking_error(table) > error  # the first weeks are off by more
    assert table["expected"].sum() == pytest.approx(total, abs=0.05)


def test_published_tracking_weeks_on_the_true_calendar(fits):
    days = cdnow_days()
    repeats = days[days["date"] > days["first_at"]].groupby("date").size()
    table = tracking(fits["BG/NBD"], cdnow(), repeats=repeats, until="1998-06-30")
    assert table["expected_cumulative"].iloc[[19, 24]].tolist() == pytest.approx(
        [1301.60, 1659.95], abs=0.005
    )


def test_tracking_by_hand():
    """Two customers, one born on the second day: expectations of ages 1 and 0, then 3 and 2 days."""
    model = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
    customers = pd.DataFrame({"first_at": pd.to_datetime(["2024-01-01", "2024-01-02"])})
    repeats = pd.Series([1, 2], pd.to_datetime(["2024-01-02", "2024-01-04"]))
    table = tracking(model, customers, repeats=repeats, until="2024-01-05", step="2 days")
    assert table.index.tolist() == [pd.Timestamp("2024-01-02"), pd.Timestamp("2024-01-04")]
    assert table["actual"].tolist() == [1, 2]
    ages = [model.expected_purchases_new(horizon=f"{days} days") for days in (0, 1, 2, 3)]
    assert table["expected_cumulative"].tolist() == pytest.approx([ages[1], ages[3] + ages[2]])
