"""Forecasts of totals: published errors, coverage against simulated truth, past origins through the door."""

import numpy as np
import pandas as pd
import pytest
from clv_cases import cdnow, cdnow_days, cdnow_holdout, simulate_bg_nbd

from crm_analysis.clv.ahead.correction import PastBias, past_bias
from crm_analysis.clv.ahead.forecast import (
    TotalForecast,
    compare_forecast,
    forecast_amount,
    forecast_origins,
    forecast_total,
)
from crm_analysis.clv.ahead.goodness import daily_repeats
from crm_analysis.clv.ahead.season import given_season
from crm_analysis.clv.models.bg_nbd import BgNbd, fit_bg_nbd
from crm_analysis.clv.models.gamma_gamma import fit_gamma_gamma
from crm_analysis.clv.models.pareto_nbd import fit_pareto_nbd
from crm_analysis.doors.transactions import read_transactions
from crm_analysis.errors import DataError


@pytest.fixture(scope="module")
def fit():
    return fit_bg_nbd(cdnow())


@pytest.fixture(scope="module")
def spend():
    return fit_gamma_gamma(cdnow())


@pytest.fixture(scope="module")
def log():
    return read_transactions(
        cdnow_days()[["customer_id", "date", "amount"]],
        observed_from="1997-01-01",
        observed_until="1998-06-30",
        columns={"customer_id": "customer_id", "occurred_at": "date", "amount": "amount"},
        closed_cohort=True,
    )


def test_published_error_of_the_total(fit):
    total = forecast_total(fit, cdnow(), horizon="39 weeks")
    assert total.expected == pytest.approx(1653.41, abs=0.005)
    assert total.parameter_error == pytest.approx(74.35, abs=0.005)
    variance = fit.model.purchase_variance(cdnow(), horizon="39 weeks").sum()
    assert total.process_error == pytest.approx(np.sqrt(variance))
    half_width = np.log(total.forecast_high / total.expected)
    assert half_width == pytest.approx(1.96 * np.hypot(74.35, np.sqrt(variance)) / 1653.41, rel=1e-4)
    assert total.forecast_low * total.forecast_high == pytest.approx(total.expected**2)


def test_past_errors_widen_the_range(fit):
    """At an earlier origin the forecast was 30% too low: actual / forecast was 1 / 0.7."""
    plain = forecast_total(fit, cdnow(), horizon="39 weeks")
    widened = forecast_total(fit, cdnow(), horizon="39 weeks", past_errors=[-0.3, 0.01])
    assert widened.forecast_high == pytest.approx(plain.expected / 0.7)
    assert widened.forecast_low == plain.forecast_low


def past_of(*rows):
    """Forecasts of 100 purchases made before: (actual, standard deviation that the range stands for)."""
    index = pd.MultiIndex.from_product([range(len(rows)), ["purchases"]], names=["origin", "quantity"])
    ends = [(100.0, actual, 100 * np.exp(-1.96 * sd), 100 * np.exp(1.96 * sd)) for actual, sd in rows]
    return pd.DataFrame(ends, index, columns=["expected", "actual", "forecast_low", "forecast_high"])


def test_past_bias_by_hand():
    """Forecast 100 and sold 80, then forecast 100 and sold 125."""
    both = past_bias(past_of((80.0, 0.03), (125.0, 0.05)))
    assert both.ratios == pytest.approx((1.25, 0.8))
    assert both.ratio == pytest.approx(0.8)
    assert both.spread == pytest.approx(0.05, rel=1e-4)
    assert past_bias(past_of((80.0, 0.05)), quantity="amount") is None
    assert past_bias(past_of((np.nan, 0.05))) is None


def test_correction_by_hand():
    forecast = TotalForecast(200.0, 200 * np.exp(-1.96 * 0.03), 200 * np.exp(1.96 * 0.04), 1.0, 1.0, 7)
    corrected = PastBias((1.25,), 0.03).correct(forecast)
    assert corrected.expected == pytest.approx(160)
    assert np.log(corrected.forecast_high / 160) == pytest.approx(1.96 * 0.05, rel=1e-4)
    assert np.log(160 / corrected.forecast_low) == pytest.approx(1.96 * 0.03 * np.sqrt(2), rel=1e-4)
    assert PastBias((1.0,), 0.0).correct(forecast).forecast_low == pytest.approx(forecast.forecast_low)
    reaching = PastBias((1.0, 1.6, 1.25), 0.03).correct(forecast)
    assert (reaching.expected, reaching.forecast_low, reaching.forecast_high) == pytest.approx(
        (160, 125, 200)
    )
    nothing = TotalForecast(0.0, 0.0, 0.0, 0.0, 0.0, 7)
    assert PastBias((1.25,), 0.1).correct(nothing) == nothing


def test_origins_on_the_clock_of_a_season(log, fit):
    """An index of ones changes nothing; a strong end of the year puts more into the 9 months from October."""
    plain = forecast_origins(log, origins=["1997-09-30"], fit=fit_bg_nbd, months=9)
    ones = given_season([1.0] * 12)
    same = forecast_origins(log, origins=["1997-09-30"], fit=fit_bg_nbd, months=9, season=ones)
    pd.testing.assert_frame_equal(plain, same)
    strong = given_season([1.0] * 10 + [2.0, 2.0])
    later = forecast_origins(log, origins=["1997-09-30"], fit=fit_bg_nbd, months=9, season=strong)
    known = strong.on_clock(cdnow(), observed_until="1997-09-30")
    horizon = strong.length("273 days", observed_until="1997-09-30")
    by_hand = forecast_total(fit_bg_nbd(known), known, horizon=horizon).expected
    assert later["expected"].iloc[0] == pytest.approx(by_hand, rel=1e-6)
    assert by_hand > 1.1 * plain["expected"].iloc[0]
    assert later["actual"].iloc[0] == plain["actual"].iloc[0]


def test_nothing_ahead_is_certain(fit):
    total = forecast_total(fit, cdnow(), horizon="0 days")
    assert (total.expected, total.forecast_low, total.forecast_high) == (0, 0, 0)


def test_ranges_cover_the_actual_total_of_simulated_bases():
    """95% ranges of the total and of the parameters, over 100 bases of 1,000 customers fitted anew.

    A share of 95% in 100 trials has a standard error of 2.2%: four of them below is 86%.
    """
    truth = BgNbd(r=0.6, alpha=4.0, a=0.8, b=2.5)
    generator = np.random.default_rng(11)
    covered = []
    for _ in range(100):
        base = simulate_bg_nbd(1000, generator, model=truth, observed=(200, 400), ahead=180)
        fit = fit_bg_nbd(base)
        total = forecast_total(fit, base, horizon="180 days")
        intervals = fit.confidence_intervals()
        parameters = pd.Series(truth.parameters).between(intervals["low"], intervals["high"])
        covered.append([total.forecast_low <= base["n_later"].sum() <= total.forecast_high, *parameters])
    shares = np.mean(covered, axis=0)
    assert (shares > 0.86).all()
    assert shares.mean() < 0.99


def test_amount_is_drawn_around_what_is_expected(fit, spend):
    generator = np.random.default_rng(1)
    amount = forecast_amount(fit, cdnow(), spend=spend, horizon="39 weeks", generator=generator)
    counts = fit.model.expected_purchases(cdnow(), horizon="39 weeks")
    assert amount.expected == pytest.approx((counts * spend.model.expected_amount(cdnow())).sum())
    assert (
        0.8 * amount.expected
        < amount.forecast_low
        < amount.expected
        < amount.forecast_high
        < 1.25 * amount.expected
    )
    again = forecast_amount(fit, cdnow(), spend=spend, horizon="39 weeks", generator=np.random.default_rng(1))
    assert (again.forecast_low, again.forecast_high) == (amount.forecast_low, amount.forecast_high)


def test_forecast_beside_what_happened(fit, spend):
    table = compare_forecast(
        cdnow(), cdnow_holdout(), purchases=fit, spend=spend, generator=np.random.default_rng(1)
    )
    assert table.loc["purchases", "actual"] == 1882
    assert table.loc["purchases", "error"] == pytest.approx(-0.1215, abs=5e-5)
    assert table.loc["amount", "actual"] == pytest.approx(cdnow_holdout()["amount_holdout"].sum())
    assert not table.loc["purchases", "within"]


def test_past_origins_through_the_door(log, fit):
    table = forecast_origins(log, origins=["1997-09-30", "1997-07-31"], fit=fit_bg_nbd, months=9)
    first = table.loc[(pd.Timestamp("1997-09-30"), "purchases")]
    assert first["expected"] == pytest.approx(1653.41, abs=0.005)
    assert (first["actual"], first["n_customers"]) == (1882, 2357)
    assert table.index.names == ["origin", "quantity"]
    daily = forecast_origins(
        log, origins=["1997-09-30"], fit=lambda customers: fit_pareto_nbd(customers, unit="1D"), months=9
    )
    assert daily["expected"].iloc[0] == pytest.approx(1665.5, abs=0.05)


def test_daily_repeats_are_those_of_the_cohort(log):
    repeats = daily_repeats(log, acquired_until="1997-09-30")
    days = cdnow_days()
    assert repeats.sum() == (days["date"] > days["first_at"]).sum() == 4339
    early = daily_repeats(log, acquired_until="1997-01-31")
    cohort = days[days["first_at"] <= "1997-01-31"]
    assert early.to_dict() == cohort[cohort["date"] > cohort["first_at"]].groupby("date").size().to_dict()


def test_refuses_origins_without_a_complete_history():
    cut = read_transactions(
        cdnow_days()[["customer_id", "date", "amount"]],
        observed_from="1997-01-01",
        observed_until="1998-06-30",
        columns={"customer_id": "customer_id", "occurred_at": "date", "amount": "amount"},
        burn_in="6 months",
    )
    with pytest.raises(DataError, match="at 1997-06-30 none of 2357 customers has a complete history"):
        forecast_origins(cut, origins=["1997-06-30"], fit=fit_bg_nbd)
