"""BG/NBD: recovered, calibrated, identities, refused; the published numbers are in the registry."""

from functools import partial
from itertools import product

import numpy as np
import pandas as pd
import pytest
from clv_cases import EXAMPLE, cdnow, simulate_bg_nbd, within_errors
from scipy.integrate import quad
from scipy.special import hyp2f1

from crm_analysis.clv.histories import Histories, purchase_histories
from crm_analysis.clv.models.bg_nbd import BgNbd, fit_bg_nbd
from crm_analysis.clv.models.leaving import log_likelihood as leaving_likelihood
from crm_analysis.errors import ConfigError, DataError, FitError

PAPER = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)


@pytest.fixture(scope="module")
def fit():
    return fit_bg_nbd(cdnow())


@pytest.fixture(scope="module")
def simulated():
    """60,000 customers at nearly continuous time: 100 of the table's days are one of the model's."""
    model = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="700D")
    customers = simulate_bg_nbd(
        60_000, np.random.default_rng(5), model=model, observed=(15_000, 27_300), ahead=27_300, days=700
    )
    return model, customers


# recovered


def test_recovers_the_forecast_of_simulated_customers(simulated):
    model, customers = simulated
    fit = fit_bg_nbd(customers, unit="700D")
    truth = model.expected_purchases(customers, horizon="27300 days").sum()
    forecast = fit.model.expected_purchases(customers, horizon="27300 days").sum()
    assert forecast == pytest.approx(truth, rel=0.03)
    intervals = fit.confidence_intervals(level=0.999)
    truths = pd.Series(model.parameters)
    assert ((intervals["low"] < truths) & (truths < intervals["high"])).all()


# calibrated against what the simulation knows


def test_p_alive_agrees_with_who_is_alive(simulated):
    model, customers = simulated
    p_alive = model.p_alive(customers)
    for low, high in ((0.1, 0.4), (0.4, 0.6), (0.6, 0.95)):
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


def test_criteria_count_parameters_and_customers(fit):
    assert fit.aic == pytest.approx(8 - 2 * fit.log_likelihood, abs=1e-9)
    assert fit.bic == pytest.approx(4 * np.log(2357) - 2 * fit.log_likelihood, abs=1e-9)
    assert (fit.n_customers, len(fit.starts)) == (2357, 1)


def test_gradient_is_the_slope_of_the_log_likelihood():
    histories = purchase_histories(cdnow(), unit="7D")
    for early, parameters in product((0, 1), ([0.243, 4.414, 0.793, 2.426], [2.0, 1.0, 0.05, 9.0])):
        at, log_likelihood = (
            np.array(parameters),
            partial(leaving_likelihood, histories=histories, early=early),
        )
        slope = log_likelihood(at)[1]
        for i, step in enumerate(1e-6 * at):
            shift = step * np.eye(4)[i]
            rise = log_likelihood(at + shift)[0] - log_likelihood(at - shift)[0]
            np.testing.assert_allclose(slope[i], rise / (2 * step), rtol=1e-5, atol=1e-6)


def test_log_likelihood_is_equation_6():
    x, t_x, T = np.array([0.0, 2.0, 26.0]), np.array([0.0, 30.43, 30.857]), np.array([38.86, 38.86, 31.0])
    r, alpha, a, b = 0.243, 4.414, 0.793, 2.426
    from scipy.special import beta, gamma

    likelihood = gamma(r + x) * alpha**r / gamma(r) / beta(a, b)
    likelihood *= beta(a, b + x) / (alpha + T) ** (r + x) + np.where(
        x > 0, beta(a + 1, b + np.maximum(x, 1) - 1) / (alpha + t_x) ** (r + x), 0
    )
    histories = Histories(x, t_x, T, np.array([1.0, 5.0, 2.0]))
    value, _ = leaving_likelihood(np.array([r, alpha, a, b]), histories, early=0)
    np.testing.assert_allclose(value, np.log(likelihood), rtol=1e-12)


def test_conditional_expectation_is_equation_10():
    x, t_x, T, t = 2, 213 / 7, 272 / 7, 39
    r, alpha, a, b = PAPER.parameters.values()
    series = hyp2f1(r + x, b + x, a + b + x - 1, t / (alpha + T + t))
    top = (a + b + x - 1) / (a - 1) * (1 - ((alpha + T) / (alpha + T + t)) ** (r + x) * series)
    bottom = 1 + a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x)
    assert PAPER.expected_purchases(EXAMPLE, horizon="39 weeks")["example"] == pytest.approx(
        top / bottom, rel=1e-12
    )


def test_forecasts_of_the_base_add_up_to_those_of_newcomers(simulated):
    """E[X(78)] = E[X(39)] + E[ E[X(39, 78) | history] ]."""
    model, _ = simulated
    generator = np.random.default_rng(6)
    base = simulate_bg_nbd(60_000, generator, model=model, observed=(27_300, 27_301), ahead=0, days=700)
    later = model.expected_purchases(base, horizon="27300 days")
    newcomers = [model.expected_purchases_new(horizon=f"{days} days") for days in (27_300, 54_600)]
    assert within_errors(later, newcomers[1] - newcomers[0])
    assert within_errors(base["n_repeat"], newcomers[0])


@pytest.mark.parametrize(
    "model",
    [
        PAPER,
        BgNbd(r=0.5, alpha=3.0, a=1.0, b=2.0),  # a = 1: the closed form is 0/0
        BgNbd(r=0.5, alpha=3.0, a=1.0 + 2e-6, b=2.0),
        BgNbd(r=0.5, alpha=3.0, a=0.3, b=0.7),  # a + b = 1
        BgNbd(r=0.5, alpha=3.0, a=0.2, b=0.5),
        BgNbd(r=4.0, alpha=60.0, a=2.5, b=300.0),
    ],
    ids=str,
)
@pytest.mark.parametrize("n_repeat", [0, 3, 400])
def test_expectation_is_the_sum_of_tails_and_the_integral_of_the_rate(model, n_repeat):
    last = min(n_repeat * 10, 250)
    customer = pd.DataFrame({"n_repeat": [n_repeat], "t_last": [last], "t_observed": [260]})
    expected = model.expected_purchases(customer, horizon="39 weeks")[0]
    p_alive = model.p_alive(customer)[0]
    known = purchase_histories(customer, unit="7D")
    tails = model._at_least(np.arange(1.0, 4001.0), known.take(np.zeros(4000, int)), 39.0).sum()
    rate = quad(lambda t: model._rate(known, np.array([[t]])).item(), 0, 39, epsabs=1e-12, epsrel=1e-11)[0]
    assert expected == pytest.approx(p_alive * tails, rel=1e-9)
    assert expected == pytest.approx(p_alive * rate, rel=1e-9)


def test_discounted_purchases_add_up_week_by_week(fit):
    customers = cdnow().iloc[[0, 3, 8]]
    rate = np.log(1.15) * 7 / 365.25
    expected = [fit.model.expected_purchases(customers, horizon=f"{d} days") for d in range(366)]
    weekly = np.diff(np.stack(expected), axis=0) * np.exp(-rate * (np.arange(365) + 0.5) / 7)[:, None]
    got = fit.model.discounted_purchases(customers, annual_discount_rate=0.15, horizon="365 days")
    np.testing.assert_allclose(got, weekly.sum(axis=0), rtol=1e-6)


def test_residual_purchases_are_the_integral_of_the_expectation(fit):
    """DERT = rate * integral of exp(-rate t) E[Y(t)], by partial integration."""
    rate = np.log(1.15) * 7 / 365.25

    known = purchase_histories(EXAMPLE, unit="7D")

    def integrand(t):
        return rate * np.exp(-rate * t) * fit.model._expected(known, t)[0]

    brute = quad(integrand, 0, 60 / rate, limit=500, epsrel=1e-11)[0] * fit.model.p_alive(EXAMPLE).iloc[0]
    got = fit.model.discounted_purchases(EXAMPLE, annual_discount_rate=0.15)["example"]
    assert got == pytest.approx(brute, rel=1e-8)


def test_horizon_of_nothing_gives_nothing(fit):
    assert (fit.model.expected_purchases(cdnow(), horizon="0 days") == 0).all()
    assert (fit.model.p_buy(cdnow(), horizon="0 days") == 0).all()
    assert (fit.model.discounted_purchases(cdnow(), annual_discount_rate=0.1, horizon="0 days") == 0).all()


def test_a_day_as_unit_forecasts_the_same(fit):
    daily = fit_bg_nbd(cdnow(), unit="1D")
    assert daily.model.alpha == pytest.approx(7 * fit.model.alpha, rel=1e-5)
    assert daily.model.a == pytest.approx(fit.model.a, rel=1e-5)
    for horizon in ("39 weeks", "273 days"):
        np.testing.assert_allclose(
            daily.model.expected_purchases(cdnow(), horizon=horizon),
            fit.model.expected_purchases(cdnow(), horizon="39 weeks"),
            rtol=2e-5,
        )
    np.testing.assert_allclose(
        daily.model.discounted_purchases(cdnow(), annual_discount_rate=0.15),
        fit.model.discounted_purchases(cdnow(), annual_discount_rate=0.15),
        rtol=1e-4,
    )


def test_shuffling_counting_and_untouched_input(fit):
    shuffled = cdnow().sample(frac=1, random_state=np.random.default_rng(3))
    before = shuffled.copy()
    again = fit_bg_nbd(shuffled)
    assert again.model.parameters == pytest.approx(fit.model.parameters, rel=1e-9)
    pd.testing.assert_frame_equal(shuffled, before)
    pd.testing.assert_series_equal(
        fit.model.p_alive(shuffled), fit.model.p_alive(cdnow()).reindex(shuffled.index)
    )
    columns = ["n_repeat", "t_last", "t_observed"]
    counted = cdnow().groupby(columns).size().rename("n_customers").reset_index()
    by_count = fit_bg_nbd(counted)
    assert by_count.model.parameters == pytest.approx(fit.model.parameters, rel=1e-9)
    assert by_count.n_customers == 2357


def test_probabilities_sum_to_one_and_quantiles_invert_them():
    customers = pd.DataFrame({"n_repeat": [0, 2, 60], "t_last": [0, 213, 271], "t_observed": [272, 272, 272]})
    table = PAPER.purchase_distribution(customers, horizon="39 weeks", up_to=900)
    n = table.columns.to_numpy()
    np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(table @ n, PAPER.expected_purchases(customers, horizon="39 weeks"), rtol=1e-8)
    variance = table @ n**2 - (table @ n) ** 2
    np.testing.assert_allclose(variance, PAPER.purchase_variance(customers, horizon="39 weeks"), rtol=1e-6)
    np.testing.assert_allclose(1 - table[0], PAPER.p_buy(customers, horizon="39 weeks"), rtol=1e-12)
    for level in (0.1, 0.5, 0.9, 0.99):
        by_sum = (table.cumsum(axis=1) < level).sum(axis=1)
        quantiles = PAPER.purchase_quantiles(customers, horizon="39 weeks", level=level)
        assert quantiles.tolist() == by_sum.tolist()


def test_alive_later_is_having_stayed_after_every_purchase_until_then():
    """By simulation: as many purchases as come in time, none of which was the one to leave after."""
    generator = np.random.default_rng(8)
    rate = generator.gamma(PAPER.r + 2, 1 / (PAPER.alpha + 272 / 7), 200_000)
    leaves_after = generator.geometric(generator.beta(PAPER.a, PAPER.b + 2, 200_000))
    stays = (generator.poisson(rate * 39) < leaves_after).mean()
    later = PAPER.p_alive(EXAMPLE, horizon="39 weeks")["example"] / PAPER.p_alive(EXAMPLE)["example"]
    assert later == pytest.approx(stays, abs=4 * np.sqrt(stays * (1 - stays) / 200_000))
    assert PAPER.p_alive(EXAMPLE, horizon="0 days").equals(PAPER.p_alive(EXAMPLE))
    by_date = PAPER.p_alive(EXAMPLE, horizon="1998-06-30", observed_until="1997-09-30")
    assert by_date.equals(PAPER.p_alive(EXAMPLE, horizon="39 weeks"))


def test_one_time_buyers_are_alive_for_certain_but_may_not_buy(fit):
    never = cdnow()[cdnow()["n_repeat"] == 0]
    assert (fit.model.p_alive(never) == 1).all()
    assert fit.model.p_buy(never, horizon="39 weeks").max() < 0.2


def test_no_customers_are_no_answers(fit):
    assert fit.model.expected_purchases(cdnow().iloc[:0], horizon="12 months").empty


def test_stored_and_read_back():
    assert BgNbd.from_dict(PAPER.to_dict()) == PAPER
    assert PAPER.to_dict() == {
        "model": "BG/NBD",
        "r": 0.243,
        "alpha": 4.414,
        "a": 0.793,
        "b": 2.426,
        "unit": "7D",
    }
    with pytest.raises(ConfigError, match="BG/NBD: expected the keys"):
        BgNbd.from_dict({**PAPER.to_dict(), "model": "Pareto/NBD"})


# refused


def test_refuses_customers_who_never_came_back():
    customers = pd.DataFrame({"n_repeat": 0, "t_last": 0, "t_observed": range(50, 100)})
    with pytest.raises(FitError, match="nothing to fit, on 50 customers of whom 100% never came back"):
        fit_bg_nbd(customers)


def test_refuses_customers_who_never_leave_and_says_so():
    generator = np.random.default_rng(2)
    t_observed = generator.integers(200, 700, 3000)
    n_repeat = generator.poisson(generator.gamma(1.0, 0.02, 3000) * t_observed)
    last = np.ceil(t_observed * generator.random(3000) ** (1 / np.maximum(n_repeat, 1)))
    customers = pd.DataFrame(
        {
            "n_repeat": n_repeat,
            "t_last": np.where(n_repeat > 0, last, 0).astype(int),
            "t_observed": t_observed,
        }
    )
    with pytest.raises(FitError, match=r"after 3 starts, on 3,000 customers .* no customer is seen to leave"):
        fit_bg_nbd(customers)


def test_refuses_impossible_histories_all_at_once():
    customers = pd.DataFrame(
        {"n_repeat": [1, 0, 2, 1], "t_last": [300, 5, 0, np.nan], "t_observed": [272, 10, 50, 60]},
        list("abcd"),
    )
    with pytest.raises(DataError) as refused:
        PAPER.p_alive(customers)
    message = str(refused.value)
    assert "t_last exceeds t_observed in 1 of 4 rows, first customer 'a': n_repeat 1, t_last 300.0" in message
    assert "n_repeat is 0 although t_last is not in 1 of 4 rows, first customer 'b'" in message
    assert "t_last is 0 although n_repeat is not in 1 of 4 rows, first customer 'c'" in message
    assert "a missing value among n_repeat, t_last, t_observed in 1 of 4 rows, first customer 'd'" in message


def test_refuses_weeks_and_missing_columns():
    weeks = pd.DataFrame({"n_repeat": [2], "t_last": [30.43], "t_observed": [38.86]})
    with pytest.raises(DataError, match="customer tables are in days: multiply weeks by 7"):
        fit_bg_nbd(weeks)
    with pytest.raises(
        DataError, match=r"no column \['t_last'\]; columns present: \['n_repeat', 't_observed'\]"
    ):
        fit_bg_nbd(weeks.drop(columns="t_last"))


def test_refuses_bare_numbers_and_dates_without_a_beginning():
    with pytest.raises(ConfigError, match="expected a number with its unit"):
        PAPER.p_buy(EXAMPLE, horizon=39)
    with pytest.raises(ConfigError, match="needs observed_until"):
        PAPER.p_buy(EXAMPLE, horizon="1998-06-30")
    by_date = PAPER.p_buy(EXAMPLE, horizon="1998-06-30", observed_until="1997-09-30")
    assert by_date["example"] == PAPER.p_buy(EXAMPLE, horizon="39 weeks")["example"]
    with pytest.raises(ConfigError, match="lies before observed_until"):
        PAPER.p_buy(EXAMPLE, horizon="1997-06-30", observed_until="1997-09-30")


def test_refuses_rates_units_and_parameters_that_cannot_be():
    with pytest.raises(ConfigError, match=r"0\.15 for 15%"):
        PAPER.discounted_purchases(EXAMPLE, annual_discount_rate=15)
    with pytest.raises(ConfigError, match="needs a horizon"):
        PAPER.discounted_purchases(EXAMPLE, annual_discount_rate=0)
    with pytest.raises(ConfigError, match="such as '7D'"):
        fit_bg_nbd(cdnow(), unit="W")
    with pytest.raises(ConfigError, match=r"must be positive and finite, got \{'a': 0.0\}"):
        BgNbd(r=1, alpha=1, a=0, b=1)
