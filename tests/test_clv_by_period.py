"""Forecasts by month and quarter: they add up, they follow the season, and their ranges hold."""

import numpy as np
import pandas as pd
import pytest
from clv_cases import cdnow, simulate_bg_nbd

from crm_analysis.clv.ahead.by_period import _Ahead, forecast_by_period
from crm_analysis.clv.ahead.correction import PastBias
from crm_analysis.clv.ahead.forecast import forecast_total
from crm_analysis.clv.ahead.season import NO_SEASON, Season, given_season
from crm_analysis.clv.models.bg_nbd import BgNbd, fit_bg_nbd
from crm_analysis.clv.models.gamma_gamma import fit_gamma_gamma
from crm_analysis.clv.models.nbd import fit_nbd
from crm_analysis.clv.models.pareto_nbd import ParetoNbd
from crm_analysis.errors import ConfigError

UNTIL = "1997-09-30"
SEASON = given_season([0.9, 0.6, 1.0, 0.9, 1.0, 1.1, 0.8, 0.8, 1.0, 1.1, 1.5, 1.3])


@pytest.fixture(scope="module")
def on_clock():
    return SEASON.on_clock(cdnow(), observed_until=UNTIL)


@pytest.fixture(scope="module")
def fit(on_clock):
    return fit_bg_nbd(on_clock)


@pytest.fixture(scope="module")
def months(fit):
    return forecast_by_period(fit, cdnow(), season=SEASON, observed_until=UNTIL)


def test_months_add_up_to_the_year(fit, on_clock, months):
    year = forecast_total(fit, on_clock, horizon=SEASON.length("1998-09-30", observed_until=UNTIL))
    assert len(months) == 12
    assert months.index[[0, -1]].tolist() == ["1997-10", "1998-09"]
    assert months["expected"].sum() == pytest.approx(year.expected, rel=1e-12)


def test_quarters_are_the_sums_of_their_months(fit, months):
    quarters = forecast_by_period(fit, cdnow(), season=SEASON, observed_until=UNTIL, period="quarter")
    assert quarters.index.tolist() == ["1997Q4", "1998Q1", "1998Q2", "1998Q3"]
    by_three = months["expected"].to_numpy().reshape(4, 3).sum(axis=1)
    assert quarters["expected"].to_numpy() == pytest.approx(by_three)
    assert quarters["starts_on"].iloc[0] == pd.Timestamp("1997-10-01")
    assert quarters["ends_on"].iloc[0] == pd.Timestamp("1997-12-31")


def test_months_are_as_strong_as_the_index_says(on_clock):
    """Where nobody leaves, purchases are proportional to the index times the days of the month."""
    table = forecast_by_period(fit_nbd(on_clock), cdnow(), season=SEASON, observed_until=UNTIL)
    days = (table["ends_on"] - table["starts_on"]).dt.days + 1
    index = np.array(SEASON.index)[table["ends_on"].dt.month - 1]
    per_day = table["expected"] / days / index
    assert per_day.to_numpy() == pytest.approx(per_day.iloc[0])


def test_says_whether_it_is_seasonally_adjusted(fit, months):
    plain = forecast_by_period(fit_bg_nbd(cdnow()), cdnow(), season=NO_SEASON, observed_until=UNTIL)
    assert months["seasonally_adjusted"].all()
    assert not plain["seasonally_adjusted"].any()
    assert plain["expected"].iloc[:9].sum() == pytest.approx(1653.41, abs=0.05)


def test_what_is_left_of_a_period(fit):
    """Observed until the 10th: what is left of the month comes first, and whole months end the year."""
    known = cdnow().assign(t_observed=cdnow()["t_observed"] + 10)
    table = forecast_by_period(fit, known, season=SEASON, observed_until="1997-10-10")
    assert len(table) == 13
    assert table["starts_on"].iloc[:2].tolist() == [pd.Timestamp("1997-10-11"), pd.Timestamp("1997-11-01")]
    assert table["ends_on"].iloc[-1] == pd.Timestamp("1998-10-31")


def test_amounts_follow_the_purchases(fit, on_clock, months):
    spend = fit_gamma_gamma(cdnow())
    table = forecast_by_period(fit, cdnow(), season=SEASON, observed_until=UNTIL, spend=spend)
    horizon = SEASON.length("1998-09-30", observed_until=UNTIL)
    counts = fit.model.expected_purchases(on_clock, horizon=horizon)
    expected = (counts * spend.model.expected_amount(cdnow())).sum()
    assert table["expected_amount"].sum() == pytest.approx(expected)
    assert table["expected"].tolist() == months["expected"].tolist()


def test_past_bias_corrects_every_period(fit, months):
    bias = PastBias((1.25,), 0.1)
    table = forecast_by_period(fit, cdnow(), season=SEASON, observed_until=UNTIL, bias=bias)
    assert (table["expected"] * 1.25).to_numpy() == pytest.approx(months["expected"].to_numpy())
    widths = [np.log(t["forecast_high"] / t["expected"]).to_numpy() / 1.96 for t in (months, table)]
    assert np.hypot(widths[0], 0.1) == pytest.approx(widths[1], rel=1e-4)
    far = PastBias((2.5, 1.25), 0.1)
    reaching = forecast_by_period(fit, cdnow(), season=SEASON, observed_until=UNTIL, bias=far)
    assert reaching["forecast_low"].to_numpy() == pytest.approx(months["expected"].to_numpy() / 2.5)
    assert reaching["forecast_high"].tolist() == table["forecast_high"].tolist()


def test_an_uncertain_index_widens_the_ranges(fit, months):
    errors = (*(0.1 * value for value in SEASON.index[:11]), 0.2 * SEASON.index[11])
    uncertain = Season(SEASON.index, "estimated", errors)
    table = forecast_by_period(fit, cdnow(), season=uncertain, observed_until=UNTIL)
    widths = [np.log(t["forecast_high"] / t["expected"]).to_numpy() / 1.96 for t in (months, table)]
    added = np.where(table.index == "1997-12", 0.2, 0.1)
    assert np.hypot(widths[0], added) == pytest.approx(widths[1], rel=1e-4)
    quarters = [
        forecast_by_period(fit, cdnow(), season=s, observed_until=UNTIL, period="quarter")
        for s in (SEASON, uncertain)
    ]
    widths = [np.log(t["forecast_high"] / t["expected"]).to_numpy() / 1.96 for t in quarters]
    assert np.sqrt(widths[1] ** 2 - widths[0] ** 2)[1:] == pytest.approx(0.1 / np.sqrt(3), rel=0.1)


@pytest.mark.parametrize("months_ahead", [1, 6, 12])
def test_scatter_of_a_month_is_that_of_simulated_customers(months_ahead):
    """300 new customers of Pareto/NBD, 3,000 times: the last month's total, against the variance used.

    That is of a month from now, and by up to a tenth too narrow for one a year ahead.
    """
    model, days = ParetoNbd(r=1.2, alpha=10.0, s=0.9, beta=40.0), 30.0
    generator = np.random.default_rng(3)
    rate = generator.gamma(model.r, 1 / model.alpha, (3000, 300)) / 7
    life = generator.exponential(1 / generator.gamma(model.s, 1 / model.beta, rate.shape)) * 7
    totals = generator.poisson(rate * np.clip(life - days * (months_ahead - 1), 0, days)).sum(axis=1)
    new = pd.DataFrame({"n_repeat": [0], "t_last": [0], "t_observed": [0], "n_customers": [1]})
    ahead = _Ahead(new, np.array([300.0]), days * np.arange(1, months_ahead + 1))
    expected = ahead.expected(model)[-1]
    sd = np.sqrt(expected * ahead._dispersion(model, np.array([days]))[0])
    assert totals.mean() == pytest.approx(expected, rel=0.01)
    assert 0.9 < sd / totals.std() < 1.04


def test_ranges_cover_what_simulated_customers_do():
    """Next 30 days of 60 bases fitted anew; a share of 95% in 60 has a standard error of 2.8%."""
    truth, generator, inside = BgNbd(r=0.6, alpha=4.0, a=0.8, b=2.5), np.random.default_rng(12), []
    for _ in range(60):
        base = simulate_bg_nbd(800, generator, model=truth, observed=(200, 400), ahead=30)
        first = pd.Timestamp("2021-03-31") - pd.to_timedelta(base["t_observed"], unit="D")
        table = forecast_by_period(
            fit_bg_nbd(base),
            base.assign(first_at=first),
            season=NO_SEASON,
            observed_until="2021-03-31",
            n_periods=1,
        )
        inside.append(
            table["forecast_low"].iloc[0] <= base["n_later"].sum() <= table["forecast_high"].iloc[0]
        )
    assert 0.85 < np.mean(inside) <= 1


def test_refuses_other_periods(fit):
    with pytest.raises(ConfigError, match="period 'week'; known are"):
        forecast_by_period(fit, cdnow(), season=SEASON, observed_until=UNTIL, period="week")
