"""Pareto/NBD: recovered, calibrated, identities, refused; the published numbers are in the registry."""

import numpy as np
import pandas as pd
import pytest
from clv_cases import cdnow, simulate_pareto_nbd, within_errors
from scipy.integrate import quad
from scipy.special import gamma, hyp2f1, hyperu

from crm_analysis.clv.histories import Histories, purchase_histories
from crm_analysis.clv.models.pareto_nbd import ParetoNbd, fit_pareto_nbd, log_likelihood
from crm_analysis.clv.models.purchases import new_customers
from crm_analysis.errors import ConfigError, FitError

PAPER = ParetoNbd(r=0.553, alpha=10.578, s=0.606, beta=11.669)


@pytest.fixture(scope="module")
def fit():
    return fit_pareto_nbd(cdnow())


@pytest.fixture(scope="module")
def simulated():
    """60,000 customers at nearly continuous time: 100 of the table's days are one of the model's."""
    model = ParetoNbd(r=0.553, alpha=10.578, s=0.606, beta=11.669, unit="700D")
    customers = simulate_pareto_nbd(
        60_000, np.random.default_rng(5), model=model, observed=(15_000, 27_300), ahead=27_300, days=700
    )
    return model, customers


# recovered


def test_recovers_the_forecast_of_simulated_customers(simulated):
    """Within three of its own standard errors, which are below 4% with 20,000 customers."""
    model, customers = simulated
    fit = fit_pareto_nbd(customers.iloc[:20_000], unit="700D")

    def forecast(fitted):
        return fitted.expected_purchases(customers, horizon="27300 days").sum()

    error = fit.standard_error(forecast)
    assert error < 0.04 * forecast(model)
    assert forecast(fit.model) == pytest.approx(forecast(model), abs=3 * error)
    intervals = fit.confidence_intervals(level=0.999)
    truths = pd.Series(model.parameters)
    assert ((intervals["low"] < truths) & (truths < intervals["high"])).all()


# calibrated against what the simulation knows


def test_p_alive_agrees_with_who_is_alive(simulated):
    model, customers = simulated
    p_alive = model.p_alive(customers)
    for low, high in ((0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.95)):
        group = (p_alive > low) & (p_alive < high)
        assert group.sum() > 500
        assert within_errors(customers["alive"][group].astype(float), p_alive[group])


@pytest.mark.parametrize("repeats", [(0, 0), (1, 2), (3, 100)])
def test_purchases_agree_with_what_was_bought(simulated, repeats):
    model, customers = simulated
    group = customers[customers["n_repeat"].between(*repeats)]
    horizon = "27300 days"
    assert within_errors(group["n_later"], model.expected_purchases(group, horizon=horizon))
    assert within_errors((group["n_later"] > 0).astype(float), model.p_buy(group, horizon=horizon))
    error = group["n_later"] - model.expected_purchases(group, horizon=horizon)
    assert within_errors(error**2, model.purchase_variance(group, horizon=horizon))
    above = group["n_later"] > model.purchase_quantiles(group, horizon=horizon, level=0.9)
    assert above.mean() < 0.1 + 4 * np.sqrt(0.09 / len(group))


def test_drawn_futures_have_the_mean_and_variance_of_the_model(fit):
    many = cdnow().iloc[np.repeat(np.flatnonzero(cdnow()["n_repeat"] > 2), 60)]
    drawn = fit.model.draw_purchases(many, horizon="39 weeks", generator=np.random.default_rng(8))
    expected = fit.model.expected_purchases(many, horizon="39 weeks")
    variance = fit.model.purchase_variance(many, horizon="39 weeks")
    scores = (drawn - expected) / np.sqrt(variance)
    assert scores.mean() == pytest.approx(0, abs=4 / np.sqrt(len(many)))
    assert scores.var() == pytest.approx(1, abs=0.1)


# identities


def closed_form(parameters, x, t_x, T):
    """Likelihood as printed: a difference of hypergeometric functions, by which of alpha, beta is larger."""
    r, alpha, s, beta = parameters
    larger, b = (alpha, s + 1) if alpha >= beta else (beta, r + x)

    def part(t):
        z = abs(alpha - beta) / (larger + t)
        return hyp2f1(r + s + x, b, r + s + x + 1, z) / (larger + t) ** (r + s + x)

    here = 1 / ((alpha + T) ** (r + x) * (beta + T) ** s)
    left = s / (r + s + x) * (part(t_x) - part(T))
    return gamma(r + x) * alpha**r * beta**s / gamma(r) * (here + left)


@pytest.mark.parametrize(
    "parameters", [(0.553, 10.578, 0.606, 11.669), (0.6, 12.0, 0.4, 5.0), (1.0, 4.0, 1.0, 4.0)]
)
def test_log_likelihood_is_the_hypergeometric_one(parameters):
    x, t_x, T = (
        np.array([0.0, 2.0, 12.0, 1.0]),
        np.array([0.0, 30.43, 30.857, 38.0]),
        np.array([38.86, 38.86, 31.0, 38.0]),
    )
    value, _ = log_likelihood(np.array(parameters), Histories(x, t_x, T, np.ones(4)))
    np.testing.assert_allclose(value, np.log(closed_form(parameters, x, t_x, T)), rtol=1e-11)


def test_gradient_is_the_slope_of_the_log_likelihood():
    histories = purchase_histories(cdnow(), unit="7D")
    for parameters in ([0.553, 10.578, 0.606, 11.669], [2.0, 30.0, 3.0, 5.0], [0.3, 2.0, 0.05, 90.0]):
        at = np.array(parameters)
        slope = log_likelihood(at, histories)[1]
        for i, step in enumerate(1e-6 * at):
            shift = step * np.eye(4)[i]
            rise = log_likelihood(at + shift, histories)[0] - log_likelihood(at - shift, histories)[0]
            np.testing.assert_allclose(slope[i], rise / (2 * step), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n_repeat", [0, 5, 3000])
@pytest.mark.parametrize(
    "model",
    [PAPER, ParetoNbd(r=0.05, alpha=0.1, s=3, beta=500), ParetoNbd(r=9, alpha=900, s=0.1, beta=0.5)],
    ids=str,
)
def test_p_alive_of_extreme_customers_is_the_integral(model, n_repeat):
    """The chance of having left, integrated adaptively on a log scale instead of at fixed nodes."""
    last, end = (90 / 7, 520.0) if n_repeat else (0.0, 520.0)
    r, alpha, s, beta = model.parameters.values()
    here = (r + n_repeat) * np.log(alpha + end) + s * np.log(beta + end)

    def density(u):
        y = last + np.expm1(u) * alpha / 3001
        at_y = (r + n_repeat) * np.log(alpha + y) + (s + 1) * np.log(beta + y)
        return s * np.exp(here - at_y - 700) * np.exp(u) * alpha / 3001

    top = np.log1p((end - last) * 3001 / alpha)
    if n_repeat < 3000:
        odds = sum(
            quad(density, *span, epsrel=1e-10, limit=400)[0] for span in np.array([[0, 0.5], [0.5, 1]]) * top
        )
        expected = 1 / (1 + odds * np.exp(700.0))
    else:
        expected = 0.0
    customer = pd.DataFrame({"n_repeat": [n_repeat], "t_last": [round(last * 7)], "t_observed": [3640]})
    assert model.p_alive(customer)[0] == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_residual_purchases_are_the_closed_form():
    """FHL (2005, JMR) eq. 3, with the confluent hypergeometric function of the second kind."""
    customers = pd.DataFrame({"n_repeat": [0, 2, 9], "t_last": [0, 213, 260], "t_observed": [272, 272, 272]})
    r, alpha, s, beta = PAPER.parameters.values()
    x, T = customers["n_repeat"], 272 / 7
    for annual in (0.05, 0.15, 0.6):
        delta = np.log1p(annual) * 7 / 365.25
        tricomi = (delta * (beta + T)) ** (s - 1) * hyperu(s, s, delta * (beta + T)) * (beta + T)
        closed = PAPER.p_alive(customers) * (r + x) / (alpha + T) * tricomi
        np.testing.assert_allclose(
            PAPER.discounted_purchases(customers, annual_discount_rate=annual), closed, rtol=1e-9
        )


def test_forecasts_of_the_base_add_up_to_those_of_newcomers(simulated):
    """E[X(78)] = E[X(39)] + E[ E[X(39, 78) | history] ]."""
    model, _ = simulated
    generator = np.random.default_rng(6)
    base = simulate_pareto_nbd(60_000, generator, model=model, observed=(27_300, 27_301), ahead=0, days=700)
    later = model.expected_purchases(base, horizon="27300 days")
    newcomers = [model.expected_purchases_new(horizon=f"{days} days") for days in (27_300, 54_600)]
    assert within_errors(later, newcomers[1] - newcomers[0])
    assert within_errors(base["n_repeat"], newcomers[0])


@pytest.mark.parametrize(
    "model",
    [PAPER, ParetoNbd(r=0.5, alpha=3.0, s=1.0, beta=9.0), ParetoNbd(r=3.0, alpha=80.0, s=40.0, beta=900.0)],
    ids=str,
)
@pytest.mark.parametrize("n_repeat", [0, 3, 200])
def test_expectation_is_the_sum_of_tails_and_the_integral_of_the_rate(model, n_repeat):
    customer = pd.DataFrame({"n_repeat": [n_repeat], "t_last": [250 if n_repeat else 0], "t_observed": [260]})
    expected = model.expected_purchases(customer, horizon="39 weeks")[0]
    p_alive = model.p_alive(customer)[0]
    known = purchase_histories(customer, unit="7D")
    tails = model._at_least(np.arange(1.0, 901.0), known.take(np.zeros(900, int)), 39.0).sum()
    rate = quad(lambda t: model._rate(known, np.array([[t]])).item(), 0, 39, epsrel=1e-11)[0]
    assert expected == pytest.approx(p_alive * tails, rel=1e-6)
    assert expected == pytest.approx(p_alive * rate, rel=1e-9)


def test_at_least_n_is_the_integral_over_the_moment_of_leaving():
    """P(at least n) by the other way round: Poisson tails integrated over rate and lifetime by simulation."""
    generator = np.random.default_rng(4)
    rate = generator.gamma(PAPER.r, 1 / PAPER.alpha, 400_000)
    life = generator.exponential(1 / generator.gamma(PAPER.s, 1 / PAPER.beta, 400_000))
    bought = generator.poisson(rate * np.minimum(life, 39))
    for n in (1, 2, 5, 9):
        share = (bought >= n).mean()
        error = np.sqrt(share / len(bought))
        assert PAPER._at_least(n, new_customers(1), 39.0)[0] == pytest.approx(share, abs=4 * error)


def test_alive_later_is_the_share_whose_life_lasts():
    """P(alive at 39 weeks | alive now) = ((beta + T) / (beta + T + 39)) ** s, whatever was bought."""
    ratio = PAPER.p_alive(cdnow(), horizon="39 weeks") / PAPER.p_alive(cdnow())
    beta = PAPER.beta + cdnow()["t_observed"] / 7
    np.testing.assert_allclose(ratio, (beta / (beta + 39)) ** PAPER.s, rtol=1e-12)


def test_nothing_ahead_other_units_other_orders(fit):
    assert (fit.model.expected_purchases(cdnow(), horizon="0 days") == 0).all()
    assert (fit.model.p_buy(cdnow(), horizon="0 days") == 0).all()
    daily = fit_pareto_nbd(cdnow(), unit="1D")
    assert daily.model.beta == pytest.approx(7 * fit.model.beta, rel=1e-4)
    np.testing.assert_allclose(
        daily.model.expected_purchases(cdnow(), horizon="39 weeks"),
        fit.model.expected_purchases(cdnow(), horizon="273 days"),
        rtol=1e-5,
    )
    shuffled = cdnow().sample(frac=1, random_state=np.random.default_rng(3))
    assert fit_pareto_nbd(shuffled).model == fit.model


def test_stored_and_read_back():
    assert ParetoNbd.from_dict(PAPER.to_dict()) == PAPER
    with pytest.raises(ConfigError, match="Pareto/NBD: expected the keys"):
        ParetoNbd.from_dict({"model": "Pareto/NBD", "r": 1.0})


# refused


def test_refuses_equal_lifetimes_and_says_what_runs_where():
    """Everybody leaves at the same hazard: the data show no differences between lifetimes."""
    generator = np.random.default_rng(2)
    t_observed = generator.integers(200, 700, 4000)
    life = np.minimum(t_observed, generator.exponential(300, 4000))
    n_repeat = generator.poisson(generator.gamma(2, 0.75, 4000) * life)
    last = np.ceil(life * generator.random(4000) ** (1 / np.maximum(n_repeat, 1)))
    customers = pd.DataFrame(
        {
            "n_repeat": n_repeat,
            "t_last": np.where(n_repeat > 0, last, 0).astype(int),
            "t_observed": t_observed,
        }
    )
    with pytest.raises(
        FitError, match="s and beta run to infinity: all customers have the same expected lifetime"
    ):
        fit_pareto_nbd(customers)
