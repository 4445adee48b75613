"""Gamma-Gamma: published, recovered, calibrated, identities, refused.

Published numbers: Fader & Hardie (2013), brucehardie.com/notes/025, with more digits recomputed.
"""

import numpy as np
import pandas as pd
import pytest
from clv_cases import cdnow, simulate_amounts, within_errors

from crm_analysis.clv.models.gamma_gamma import Averages, GammaGamma, fit_gamma_gamma, log_likelihood
from crm_analysis.errors import DataError, FitError


@pytest.fixture(scope="module")
def fit():
    return fit_gamma_gamma(cdnow())


@pytest.fixture(scope="module")
def simulated():
    model = GammaGamma(p=6.25, q=3.74, gamma=15.44)
    generator = np.random.default_rng(5)
    n_repeat = generator.poisson(generator.gamma(0.6, 2.0, 40_000))
    return model, simulate_amounts(n_repeat, generator, model=model)


# published (estimates and amounts: tests/published/spend_and_value.py)


def test_published_standard_errors(fit):
    assert fit.standard_errors.to_dict() == pytest.approx({"p": 1.190, "q": 0.290, "gamma": 4.159}, abs=6e-4)


# recovered, calibrated


def test_recovers_simulated_amounts(simulated):
    model, customers = simulated
    fit = fit_gamma_gamma(customers)
    assert fit.model.mean == pytest.approx(model.mean, rel=0.02)
    intervals = fit.confidence_intervals(level=0.999)
    truths = pd.Series(model.parameters)
    assert ((intervals["low"] < truths) & (truths < intervals["high"])).all()


@pytest.mark.parametrize("bought", [(0, 0), (1, 1), (2, 100)])
def test_expected_amount_agrees_with_each_customers_own_mean(simulated, bought):
    model, customers = simulated
    group = customers[customers["n_paid_repeat"].between(*bought)]
    assert within_errors(group["own_mean"], model.expected_amount(group))
    spenders = group[group["mean_repeat_amount"].fillna(0) > 40]
    if bought != (0, 0):
        assert within_errors(spenders["own_mean"], model.expected_amount(spenders))


def test_drawn_amounts_have_the_expected_mean(fit):
    generator = np.random.default_rng(3)
    many = cdnow().iloc[np.repeat(np.flatnonzero(cdnow()["n_repeat"] > 1), 100)]
    purchases = pd.Series(generator.poisson(2, len(many)), many.index)
    drawn = fit.model.draw_amounts(many, purchases, generator=generator)
    assert (drawn[purchases == 0] == 0).all()
    assert within_errors(drawn, fit.model.expected_amount(many) * purchases)


# identities


def test_gradient_is_the_slope_of_the_log_likelihood():
    paid = cdnow()[cdnow()["n_paid_repeat"] > 0]
    averages = Averages.of(paid["n_paid_repeat"].to_numpy(float), paid["mean_repeat_amount"].to_numpy())
    at = np.array([3.0, 2.0, 9.0])
    slope = log_likelihood(at, averages)[1]
    for i, step in enumerate(1e-6 * at):
        shift = step * np.eye(3)[i]
        rise = log_likelihood(at + shift, averages)[0] - log_likelihood(at - shift, averages)[0]
        np.testing.assert_allclose(slope[i], rise / (2 * step), rtol=1e-5, atol=1e-6)


def test_likelihood_is_a_density():
    """Integrated over the average of three amounts it is 1."""
    mean = np.exp(np.linspace(-12, 16, 40_001))
    values, _ = log_likelihood(np.array([2.0, 3.0, 5.0]), Averages.of(np.full(len(mean), 3.0), mean))
    assert np.trapezoid(np.exp(values) * mean, np.log(mean)) == pytest.approx(1, abs=1e-6)


def test_rows_may_stand_for_several_customers(fit):
    paid = cdnow().assign(n_customers=np.where(cdnow()["n_paid_repeat"] > 0, 2, 1))
    twice = fit_gamma_gamma(paid)
    assert twice.model.parameters == pytest.approx(fit.model.parameters, rel=1e-5)
    assert twice.log_likelihood == pytest.approx(2 * fit.log_likelihood)
    assert twice.n_customers == 2 * fit.n_customers


def test_doubling_all_amounts_doubles_what_is_expected(fit):
    doubled = cdnow().assign(mean_repeat_amount=2 * cdnow()["mean_repeat_amount"])
    again = fit_gamma_gamma(doubled)
    np.testing.assert_allclose(
        again.model.expected_amount(doubled), 2 * fit.model.expected_amount(cdnow()), rtol=1e-5
    )


def test_expectation_lies_between_the_customers_average_and_everybodys(fit):
    expected = fit.model.expected_amount(cdnow())
    own = cdnow()["mean_repeat_amount"]
    nobody = own.isna()
    assert expected[nobody].to_numpy() == pytest.approx(fit.model.mean)
    low, high = own.clip(upper=fit.model.mean), own.clip(lower=fit.model.mean)
    assert expected[~nobody].between(low[~nobody], high[~nobody]).all()


# refused


def test_refuses_an_infinite_mean_for_those_who_never_came_back():
    heavy = GammaGamma(p=2.0, q=0.8, gamma=10.0)
    came_back = pd.DataFrame({"n_paid_repeat": [1, 4], "mean_repeat_amount": [10.0, 20.0]})
    assert heavy.expected_amount(came_back).notna().all()
    nobody = pd.DataFrame({"n_paid_repeat": [0, 1], "mean_repeat_amount": [np.nan, 10.0]})
    with pytest.raises(
        FitError, match=r"q = 0\.8, so the mean amount over all customers is infinite .* of 1 customers"
    ):
        heavy.expected_amount(nobody)
    assert heavy.mean == np.inf


def test_refuses_amounts_that_do_not_differ_and_bases_without_amounts():
    same = pd.DataFrame({"n_paid_repeat": [3] * 50, "mean_repeat_amount": [10.0] * 50})
    with pytest.raises(FitError, match="a customer's purchases do not differ in amount"):
        fit_gamma_gamma(same)
    none = pd.DataFrame({"n_paid_repeat": [0] * 5, "mean_repeat_amount": [np.nan] * 5})
    with pytest.raises(FitError, match="0 of 5 customers made a paid repeat purchase"):
        fit_gamma_gamma(none)


def test_refuses_missing_columns_and_amounts_that_contradict():
    with pytest.raises(
        DataError, match=r"no column \['n_paid_repeat'\]; columns present: \['mean_repeat_amount'\]"
    ):
        fit_gamma_gamma(pd.DataFrame({"mean_repeat_amount": [1.0]}))
    refunded = pd.DataFrame({"n_paid_repeat": [2, 1], "mean_repeat_amount": [5.0, -3.0]}, ["a", "b"])
    with pytest.raises(
        DataError, match=r"mean_repeat_amount -3.0 over n_paid_repeat 1.0 in 1 of 2 rows, .* 'b'"
    ):
        fit_gamma_gamma(refunded)
