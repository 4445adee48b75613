"""MBG/NBD: recovered, calibrated, identities, refused; the published numbers are in the registry."""

import numpy as np
import pandas as pd
import pytest
from clv_cases import EXAMPLE, cdnow, simulate_bg_nbd, within_errors
from scipy.integrate import quad
from scipy.special import beta, gamma

from crm_analysis.clv.histories import Histories, purchase_histories
from crm_analysis.clv.models.bg_nbd import BgNbd, fit_bg_nbd
from crm_analysis.clv.models.leaving import log_likelihood
from crm_analysis.clv.models.mbg_nbd import MbgNbd, fit_mbg_nbd
from crm_analysis.clv.models.second_opinion import compare_with_lifetimes
from crm_analysis.errors import ConfigError, FitError

PAPER = MbgNbd(r=0.525, alpha=6.183, a=0.891, b=1.614)  # CDNOW
NEW = pd.DataFrame({"n_repeat": [0], "t_last": [0], "t_observed": [0]}, ["new"])


@pytest.fixture(scope="module")
def fit():
    return fit_mbg_nbd(cdnow())


@pytest.fixture(scope="module")
def simulated():
    """60,000 customers at nearly continuous time: 100 of the table's days are one of the model's."""
    model = MbgNbd(r=0.525, alpha=6.183, a=0.891, b=1.614, unit="700D")
    customers = simulate_bg_nbd(
        60_000, np.random.default_rng(5), model=model, observed=(15_000, 27_300), ahead=27_300, days=700
    )
    return model, customers


# recovered


def test_recovers_the_parameters_and_the_forecast(simulated):
    model, customers = simulated
    fit = fit_mbg_nbd(customers, unit="700D")
    off = pd.Series(fit.model.parameters) - pd.Series(model.parameters)
    assert (off.abs() < 4 * fit.standard_errors).all()
    forecast = fit.model.expected_purchases(customers, horizon="27300 days").sum()
    assert forecast == pytest.approx(customers["n_later"].sum(), rel=0.05)


def test_lifetimes_finds_the_same(fit):
    assert compare_with_lifetimes(fit, cdnow())["difference"].abs().max() < 1e-3


# calibrated against the simulation's truth


def test_share_alive_among_customers_alike_is_p_alive(simulated):
    model, customers = simulated
    p_alive = model.p_alive(customers)
    for low in np.arange(0, 1, 0.1):
        alike = p_alive.between(low, low + 0.1)
        assert within_errors(customers["alive"][alike].astype(float), p_alive[alike]), low
    never = customers["n_repeat"] == 0
    assert within_errors(customers["alive"][never].astype(float), p_alive[never])


@pytest.mark.parametrize("busy", [(0, 0), (1, 1), (2, 3), (4, 8), (9, 500)])
def test_later_purchases_are_as_expected(simulated, busy):
    model, customers = simulated
    alike = customers[customers["n_repeat"].between(*busy)]
    assert within_errors(alike["n_later"], model.expected_purchases(alike, horizon="27300 days"))
    assert within_errors(alike["n_later"].gt(0).astype(float), model.p_buy(alike, horizon="27300 days"))
    mean = model.expected_purchases(alike, horizon="27300 days")
    variance = model.purchase_variance(alike, horizon="27300 days")
    assert within_errors((alike["n_later"] - mean) ** 2, variance)


def test_draws_are_as_expected(simulated):
    model, customers = simulated
    drawn = model.draw_purchases(customers, horizon="27300 days", generator=np.random.default_rng(7))
    assert within_errors(drawn, model.expected_purchases(customers, horizon="27300 days"))
    some = customers["n_repeat"] == 1
    drawn, expected = drawn[some], model.purchase_distribution(customers[some], horizon="27300 days", up_to=2)
    assert within_errors(drawn.eq(2).astype(float), expected[2])


def test_new_customers_buy_as_often_as_simulated(simulated):
    model, _ = simulated
    base = simulate_bg_nbd(
        60_000, np.random.default_rng(6), model=model, observed=(27_300, 27_301), ahead=0, days=700
    )
    assert within_errors(base["n_repeat"], model.expected_purchases_new(horizon="27300 days"))
    distribution = model.purchase_distribution_new(horizon="27300 days", up_to=3)
    for n, chance in distribution.items():
        assert within_errors(base["n_repeat"].eq(n).astype(float), chance), n


# identities


def test_log_likelihood_is_the_papers():
    """Every history has one more chance to leave than repeat purchases, and may have left after any."""
    x, t_x, T = np.array([0.0, 2.0, 26.0]), np.array([0.0, 30.43, 30.857]), np.array([38.86, 38.86, 31.0])
    r, alpha, a, b = 0.525, 6.183, 0.891, 1.614
    likelihood = gamma(r + x) * alpha**r / gamma(r) / beta(a, b)
    likelihood *= beta(a, b + x + 1) / (alpha + T) ** (r + x) + beta(a + 1, b + x) / (alpha + t_x) ** (r + x)
    value, _ = log_likelihood(np.array([r, alpha, a, b]), Histories(x, t_x, T, np.ones(3)), early=1)
    np.testing.assert_allclose(value, np.log(likelihood), rtol=1e-12)


def test_a_new_customer_stays_with_the_mean_of_staying():
    assert PAPER.p_alive(NEW)["new"] == pytest.approx(1.614 / (0.891 + 1.614), rel=1e-12)
    by_history = PAPER.expected_purchases(NEW, horizon="39 weeks")["new"]
    assert PAPER.expected_purchases_new(horizon="39 weeks") == pytest.approx(by_history, rel=1e-12)
    distribution = PAPER.purchase_distribution_new(horizon="39 weeks", up_to=3000)
    assert distribution.sum() == pytest.approx(1, abs=1e-6)
    assert distribution @ distribution.index == pytest.approx(by_history, rel=1e-4)


def test_once_alive_it_is_bg_nbd_with_one_more_chance_taken():
    """Given alive, b + 1 of MBG/NBD plays the part of b of BG/NBD."""
    bg_nbd = BgNbd(r=0.525, alpha=6.183, a=0.891, b=2.614)
    customers = cdnow().drop_duplicates(["n_repeat", "t_last", "t_observed"])
    ours, theirs = (model.p_alive(customers) for model in (PAPER, bg_nbd))
    for question in ("p_buy", "expected_purchases"):
        answers = [getattr(model, question)(customers, horizon="39 weeks") for model in (PAPER, bg_nbd)]
        np.testing.assert_allclose(answers[0] / ours, answers[1] / theirs, rtol=1e-12)


@pytest.mark.parametrize("model", [PAPER, MbgNbd(r=0.5, alpha=3.0, a=1.0, b=2.0)], ids=str)
def test_expectation_is_the_sum_of_tails_and_the_integral_of_the_rate(model):
    known = purchase_histories(EXAMPLE, unit="7D")
    expected = model._expected(known, 39.0)[0]
    tails = model._at_least(np.arange(1.0, 4001.0), known.take(np.zeros(4000, int)), 39.0).sum()
    rate = quad(lambda t: model._rate(known, np.array([[t]])).item(), 0, 39, epsrel=1e-11)[0]
    assert expected == pytest.approx(tails, rel=1e-9)
    assert expected == pytest.approx(rate, rel=1e-9)


def test_forecasts_add_up_to_that_of_newcomers(simulated):
    """E[X(78)] = E[X(39)] + E[ E[X(39, 78) | history] ]."""
    model, _ = simulated
    base = simulate_bg_nbd(
        60_000, np.random.default_rng(9), model=model, observed=(27_300, 27_301), ahead=0, days=700
    )
    both, one = (model.expected_purchases_new(horizon=f"{days} days") for days in (54_600, 27_300))
    assert within_errors(model.expected_purchases(base, horizon="27300 days"), both - one)


def test_one_time_buyers_may_be_gone(fit):
    """Over half of CDNOW bought once: BG/NBD takes all of them for customers, MBG/NBD four in ten."""
    once = cdnow()[cdnow()["n_repeat"] == 0]
    assert fit_bg_nbd(cdnow()).model.p_alive(once).min() == 1
    assert 0.3 < fit.model.p_alive(once).mean() < 0.5


def test_a_day_as_unit_forecasts_the_same(fit):
    daily = fit_mbg_nbd(cdnow(), unit="1D")
    assert daily.model.alpha == pytest.approx(7 * fit.model.alpha, rel=1e-5)
    ours, theirs = (m.expected_purchases(cdnow(), horizon="39 weeks") for m in (daily.model, fit.model))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert (fit.model.expected_purchases(cdnow(), horizon="0 days") == 0).all()


def test_stored_and_read_back():
    assert MbgNbd.from_dict(PAPER.to_dict()) == PAPER
    with pytest.raises(ConfigError, match="MBG/NBD: expected the keys"):
        MbgNbd.from_dict(BgNbd(r=1, alpha=1, a=1, b=1).to_dict())


# refused


def test_refuses_customers_who_never_came_back():
    customers = pd.DataFrame({"n_repeat": 0, "t_last": 0, "t_observed": range(50, 100)})
    with pytest.raises(FitError, match="nothing to fit, on 50 customers of whom 100% never came back"):
        fit_mbg_nbd(customers)


def test_refuses_customers_who_never_leave_and_says_so():
    generator = np.random.default_rng(2)
    t_observed = generator.integers(200, 700, 3000)
    n_repeat = 1 + generator.poisson(generator.gamma(1.0, 0.02, 3000) * t_observed)
    last = np.ceil(t_observed * generator.random(3000) ** (1 / n_repeat)).astype(int)
    customers = pd.DataFrame({"n_repeat": n_repeat, "t_last": last, "t_observed": t_observed})
    with pytest.raises(FitError, match="no customer is seen to leave"):
        fit_mbg_nbd(customers)
