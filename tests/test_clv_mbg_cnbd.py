"""MBG/CNBD-k: published, recovered, calibrated, identities, refused."""

import numpy as np
import pandas as pd
import pytest
from clv_cases import EXAMPLE, cdnow, simulate_bg_nbd, within_errors
from scipy.integrate import quad
from scipy.optimize import check_grad
from scipy.special import beta, factorial, gamma
from scipy.stats import gamma as gamma_distribution
from scipy.stats import poisson

from crm_analysis.clv.histories import Histories, purchase_histories
from crm_analysis.clv.models.mbg_cnbd import MbgCnbd, fit_mbg_cnbd
from crm_analysis.clv.models.mbg_nbd import MbgNbd, fit_mbg_nbd
from crm_analysis.clv.models.regularity import Regularity
from crm_analysis.clv.models.stages import log_likelihood
from crm_analysis.errors import ConfigError, FitError

THREE = MbgCnbd(r=0.85, alpha=1.45, a=0.79, b=2.42, k=3)  # the example of BTYDplus
SOME = pd.DataFrame(
    {"n_repeat": [0, 0, 1, 4, 60], "t_last": [0, 0, 100, 250, 270], "t_observed": [0, 272, 272, 260, 272]}
)


@pytest.fixture(scope="module")
def simulated():
    """50,000 customers at nearly continuous time: 100 of the table's days are one of the model's."""
    model = MbgCnbd(r=0.85, alpha=1.45, a=0.79, b=2.42, k=3, unit="700D")
    customers = simulate_bg_nbd(
        50_000, np.random.default_rng(5), model=model, observed=(8_000, 27_300), ahead=18_200, days=700
    )
    return model, customers


@pytest.fixture(scope="module")
def fit(simulated):
    return fit_mbg_cnbd(simulated[1], k=3, unit="700D")


# published


def test_log_likelihood_is_that_of_btydplus():
    """BTYDplus, R/mbg-cnbd-k.R, written out; without the times between purchases."""
    x, t_x, T = np.array([0.0, 1.0, 5.0]), np.array([0.0, 3.0, 30.0]), np.array([38.0, 12.0, 31.0])
    r, alpha, a, b = 0.85, 1.45, 0.79, 2.42
    for k in (1, 2, 3, 5):
        raised = gamma(r + k * x) * alpha**r / gamma(r) * (alpha + T) ** -(r + k * x)
        gone = a / (b + x) * ((alpha + T) / (alpha + t_x)) ** (r + k * x)
        stages = sum(
            gamma(r + k * x + j) / gamma(r + k * x) * ((T - t_x) / (alpha + T)) ** j / factorial(j)
            for j in range(k)
        )
        likelihood = raised * beta(a, b + x + 1) / beta(a, b) * (gone + stages)
        got, _ = log_likelihood(np.array([r, alpha, a, b]), Histories(x, t_x, T, np.ones(3)), k=k)
        np.testing.assert_allclose(got, np.log(likelihood), rtol=1e-12)


# recovered


def test_recovers_the_parameters_and_the_forecast(simulated, fit):
    model, customers = simulated
    off = pd.Series(fit.model.parameters) - pd.Series(model.parameters)
    assert (off.abs() < 4 * fit.standard_errors).all()
    assert list(fit.covariance) == ["r", "alpha", "a", "b"]
    forecast = fit.model.expected_purchases(customers, horizon="18200 days").sum()
    assert forecast == pytest.approx(customers["n_later"].sum(), rel=0.02)


def test_the_likelihood_finds_how_regular_customers_are():
    """Times between purchases are Erlang-3; only their number and the sum of their logarithms are needed."""
    generator = np.random.default_rng(3)
    n_repeat, last, logs = np.zeros(3000, int), np.zeros(3000), 0.0
    rate, leaves = generator.gamma(0.85, 1 / 1.45, 3000) / 700, generator.beta(0.79, 2.42, 3000)
    for i in range(3000):
        clock = 0.0
        while generator.random() > leaves[i]:
            clock += (interval := np.ceil(generator.gamma(3) / rate[i]))
            if clock > 27_300:
                break
            n_repeat[i], last[i], logs = n_repeat[i] + 1, clock, logs + np.log(interval)
    customers = pd.DataFrame({"n_repeat": n_repeat, "t_last": last.astype(int), "t_observed": 27_300})
    found = Regularity(3.0, 2.5, 3.5, 1000, int(n_repeat.sum()), logs)
    best = fit_mbg_cnbd(customers, regularity=found, unit="700D")
    assert best.model.k == 3
    likelihoods = [
        fit_mbg_cnbd(customers, k=k, regularity=found, unit="700D").log_likelihood for k in (1, 2, 3, 4)
    ]
    assert int(np.argmax(likelihoods)) == 2
    assert best.log_likelihood == likelihoods[2]
    weekly = fit_mbg_cnbd(customers, regularity=found, unit="100D")  # a density per 100 days, not per 700
    per_unit = n_repeat.sum() * np.log(100 / 700)
    assert weekly.log_likelihood == pytest.approx(best.log_likelihood + per_unit, abs=1e-4)


# calibrated against the simulation's truth


def test_share_alive_among_customers_alike_is_p_alive(simulated):
    model, customers = simulated
    p_alive = model.p_alive(customers)
    for low in np.arange(0, 1, 0.1):
        alike = p_alive.between(low, low + 0.1)
        assert within_errors(customers["alive"][alike].astype(float), p_alive[alike]), low


@pytest.mark.parametrize("busy", [(0, 0), (1, 1), (2, 3), (4, 8), (9, 500)])
@pytest.mark.parametrize("waiting", [(0.0, 0.1), (0.1, 0.4), (0.4, 1.0)])
def test_later_purchases_are_as_expected(simulated, busy, waiting):
    """Also of those who bought just now, and of those who may be about to: t_last matters given alive."""
    model, customers = simulated
    waited = 1 - customers["t_last"] / customers["t_observed"]
    alike = customers[customers["n_repeat"].between(*busy) & waited.between(*waiting)]
    if len(alike) < 50:
        return
    mean = model.expected_purchases(alike, horizon="18200 days")
    assert within_errors(alike["n_later"], mean)
    assert within_errors(alike["n_later"].gt(0).astype(float), model.p_buy(alike, horizon="18200 days"))
    variance = model.purchase_variance(alike, horizon="18200 days")
    assert within_errors((alike["n_later"] - mean) ** 2, variance)


def test_the_next_purchase_comes_on_schedule(simulated):
    """Just after a purchase less is expected of the next short while than some time later."""
    model, _ = simulated
    customers = pd.DataFrame({"n_repeat": 20, "t_last": [20_000, 19_400], "t_observed": 20_000})
    soon = model.expected_purchases(customers, horizon="200 days") / model.p_alive(customers)
    assert soon[0] < 0.5 * soon[1]


def test_draws_are_as_expected(simulated):
    model, customers = simulated
    drawn = model.draw_purchases(customers, horizon="18200 days", generator=np.random.default_rng(7))
    assert within_errors(drawn, model.expected_purchases(customers, horizon="18200 days"))
    some = customers["n_repeat"].between(1, 3)
    expected = model.purchase_distribution(customers[some], horizon="18200 days", up_to=3)
    for n in range(4):
        assert within_errors(drawn[some].eq(n).astype(float), expected[n]), n


def test_new_customers_buy_as_often_as_simulated(simulated):
    model, _ = simulated
    base = simulate_bg_nbd(
        50_000, np.random.default_rng(6), model=model, observed=(8_000, 8_001), ahead=18_200, days=700
    )
    assert within_errors(base["n_repeat"], model.expected_purchases_new(horizon="8000 days"))
    for n, chance in model.purchase_distribution_new(horizon="8000 days", up_to=3).items():
        assert within_errors(base["n_repeat"].eq(n).astype(float), chance), n
    both = model.expected_purchases_new(horizon="26200 days")
    later = model.expected_purchases(base, horizon="18200 days")
    assert within_errors(later, both - model.expected_purchases_new(horizon="8000 days"))


def test_alive_later_is_having_stayed_after_every_purchase_until_then():
    """By simulation of stages, for a customer known to be alive."""
    generator, n = np.random.default_rng(8), 200_000
    known = purchase_histories(EXAMPLE, unit="7D")
    weights, shapes = THREE._stages(known)
    stage = generator.choice(3, size=n, p=weights[:, 0])
    rate = generator.gamma(shapes[stage, 0]) / (THREE.alpha + 272 / 7)
    bought = (stage + generator.poisson(rate * 39)) // 3
    stays = (bought < generator.geometric(generator.beta(THREE.a, THREE.b + 3, n))).mean()
    later = THREE.p_alive(EXAMPLE, horizon="39 weeks") / THREE.p_alive(EXAMPLE)
    assert later["example"] == pytest.approx(stays, abs=4 * np.sqrt(stays * (1 - stays) / n))


# identities


@pytest.mark.parametrize("a", [0.8, 1.0, 2.3])
def test_one_stage_is_mbg_nbd(a):
    ours = MbgCnbd(r=0.52, alpha=6.2, a=a, b=1.6, k=1)
    theirs = MbgNbd(r=0.52, alpha=6.2, a=a, b=1.6)
    for question, asked in [
        ("p_alive", {}),
        ("p_alive", {"horizon": "39 weeks"}),
        ("p_buy", {"horizon": "39 weeks"}),
        ("expected_purchases", {"horizon": "39 weeks"}),
        ("purchase_variance", {"horizon": "39 weeks"}),
        ("purchase_distribution", {"horizon": "39 weeks", "up_to": 5}),
        ("purchase_quantiles", {"horizon": "10 years", "level": 0.9}),
        ("discounted_purchases", {"annual_discount_rate": 0.15, "horizon": "12 months"}),
        ("discounted_purchases", {"annual_discount_rate": 0.15}),
    ]:
        answers = [getattr(model, question)(SOME, **asked) for model in (ours, theirs)]
        np.testing.assert_allclose(*answers, rtol=3e-8, err_msg=question)


def test_one_stage_is_fitted_as_mbg_nbd():
    ours, theirs = fit_mbg_cnbd(cdnow(), k=1), fit_mbg_nbd(cdnow())
    assert ours.model.parameters == pytest.approx(theirs.model.parameters, rel=1e-5)
    assert ours.log_likelihood == pytest.approx(theirs.log_likelihood, abs=1e-8)


@pytest.mark.parametrize("k", [2, 3, 7])
def test_what_is_known_of_a_live_customer_is_the_posterior(k):
    """P(alive) and P(buy) by integrating over lambda: k - 1 stages or fewer since the last purchase."""
    model = MbgCnbd(r=0.85, alpha=1.45, a=0.79, b=2.42, k=k)
    x, t_x, T = 3, 20.0, 26.0
    customer = pd.DataFrame({"n_repeat": [x], "t_last": [140], "t_observed": [182]})
    prior = lambda rate: gamma_distribution.pdf(rate, model.r, scale=1 / model.alpha)  # noqa: E731
    bought = lambda rate: prior(rate) * rate ** (k * x) * np.exp(-rate * t_x)  # noqa: E731
    waiting = lambda rate: bought(rate) * poisson.cdf(k - 1, rate * (T - t_x))  # noqa: E731
    alive = beta(model.a, model.b + x + 1) * quad(waiting, 0, 40, epsabs=0, epsrel=1e-11)[0]
    left = beta(model.a + 1, model.b + x) * quad(bought, 0, 40, epsabs=0, epsrel=1e-11)[0]
    assert model.p_alive(customer)[0] == pytest.approx(alive / (alive + left), rel=1e-8)
    still = lambda rate: bought(rate) * poisson.cdf(k - 1, rate * (T + 9 - t_x))  # noqa: E731
    nothing = quad(still, 0, 40, epsabs=0, epsrel=1e-11)[0] / quad(waiting, 0, 40, epsabs=0, epsrel=1e-11)[0]
    p_buy = alive / (alive + left) * (1 - nothing)
    assert model.p_buy(customer, horizon="9 weeks")[0] == pytest.approx(p_buy, rel=1e-8)


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("horizon", ["1 days", "39 weeks"])
def test_expectations_are_sums_of_tails(k, horizon):
    model = MbgCnbd(r=0.85, alpha=1.45, a=0.79, b=2.42, k=k)
    table = model.purchase_distribution(SOME, horizon=horizon, up_to=400)
    n = table.columns.to_numpy()
    np.testing.assert_allclose(table @ n, model.expected_purchases(SOME, horizon=horizon), rtol=1e-6)
    variance = table @ n**2 - (table @ n) ** 2
    np.testing.assert_allclose(variance, model.purchase_variance(SOME, horizon=horizon), rtol=1e-4)


def test_discounted_purchases_add_up():
    rate = np.log(1.9) * 7 / 365.25
    known = purchase_histories(SOME, unit="7D")
    ends = np.concatenate([np.arange(365), np.arange(365, 1400 * 7, 14)]) / 7
    at = known.take(np.repeat(np.arange(len(SOME)), len(ends)))
    expected = THREE._expected(at, np.tile(ends, len(SOME))).reshape(len(SOME), -1)
    present = np.diff(expected, axis=1) * np.exp(-rate * (ends[1:] + ends[:-1]) / 2)
    p_alive = THREE.p_alive(SOME)
    life = THREE.discounted_purchases(SOME, annual_discount_rate=0.9)
    np.testing.assert_allclose(life, p_alive * present.sum(axis=1), rtol=2e-4)
    year = THREE.discounted_purchases(SOME, annual_discount_rate=0.9, horizon="364 days")
    np.testing.assert_allclose(year, p_alive * present[:, :364].sum(axis=1), rtol=2e-6)


def test_gradient_is_that_of_the_likelihood():
    customers = purchase_histories(SOME.iloc[1:], unit="7D")
    for k in (1, 2, 4):
        value, slope = (
            lambda p, i=i, k=k: log_likelihood(np.asarray(p), customers, k=k)[i].sum(axis=-1) for i in (0, 1)
        )
        assert check_grad(value, slope, [0.7, 9.0, 0.5, 2.0]) < 1e-4


def test_nothing_ahead_heavy_buyers_other_units(simulated, fit):
    heavy = pd.DataFrame({"n_repeat": [0, 5000], "t_last": [0, 10_000], "t_observed": [20, 10_001]})
    assert (THREE.expected_purchases(heavy, horizon="0 days") == 0).all()
    assert THREE.p_alive(heavy, horizon="0 days").equals(THREE.p_alive(heavy))
    assert (THREE.expected_purchases(heavy, horizon="52 weeks") / THREE.p_alive(heavy))[1] == pytest.approx(
        5000 / 10_000 * 364, rel=0.02
    )
    _, customers = simulated
    again = fit_mbg_cnbd(customers.sample(frac=1, random_state=1), k=3, unit="70D").model
    assert again.alpha == pytest.approx(10 * fit.model.alpha, rel=1e-4)
    ours, theirs = (m.expected_purchases(customers[:500], horizon="18200 days") for m in (again, fit.model))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_stored_and_read_back():
    assert THREE.to_dict() == {
        "model": "MBG/CNBD-k",
        "r": 0.85,
        "alpha": 1.45,
        "a": 0.79,
        "b": 2.42,
        "k": 3,
        "unit": "7D",
    }
    assert MbgCnbd.from_dict(THREE.to_dict()) == THREE


# refused


def test_without_the_times_between_purchases_the_likelihood_of_k_is_unknown(fit):
    assert np.isnan(fit.log_likelihood)
    assert np.isnan(fit.aic)
    assert np.isfinite(fit.standard_errors).all()


def test_refuses_to_choose_k_blindly_or_from_others():
    with pytest.raises(ConfigError, match="say k, or give regularity=purchase_regularity"):
        fit_mbg_cnbd(cdnow())
    others = Regularity(1.0, 0.9, 1.1, 507, 2456, 7690.6)
    with pytest.raises(
        ConfigError, match="regularity has 2,456 times between purchases, the customers have 2,457"
    ):
        fit_mbg_cnbd(cdnow(), regularity=others)


@pytest.mark.parametrize("k", [0, 1.5, -2, "2"])
def test_refuses_stages_that_cannot_be(k):
    with pytest.raises(ConfigError, match="expected a whole number of stages"):
        fit_mbg_cnbd(cdnow(), k=k)
    with pytest.raises(ConfigError, match="expected a whole number of stages"):
        MbgCnbd(r=1, alpha=1, a=1, b=1, k=k)


def test_refuses_customers_who_never_came_back():
    customers = pd.DataFrame({"n_repeat": 0, "t_last": 0, "t_observed": range(50, 100)})
    with pytest.raises(FitError, match="nothing to fit, on 50 customers of whom 100% never came back"):
        fit_mbg_cnbd(customers, k=2)
