"""NBD: its place as the limit of the others, closed forms."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import check_grad
from scipy.stats import nbinom

from crm_analysis.clv.histories import purchase_histories
from crm_analysis.clv.models.bg_nbd import BgNbd
from crm_analysis.clv.models.nbd import Nbd, fit_nbd, log_likelihood
from crm_analysis.errors import FitError

MODEL = Nbd(r=0.385, alpha=12.072)
CUSTOMERS = pd.DataFrame(
    {"n_repeat": [0, 2, 9], "t_last": [0, 213, 250], "t_observed": [100, 272, 260]}, ["a", "b", "c"]
)


def test_bg_nbd_without_leaving_is_nbd():
    """With a = 1e-9 nobody leaves: every answer agrees."""
    limit = BgNbd(r=0.385, alpha=12.072, a=1e-9, b=1.0)
    for question in ("p_buy", "expected_purchases", "purchase_variance"):
        ours, theirs = (getattr(model, question)(CUSTOMERS, horizon="39 weeks") for model in (MODEL, limit))
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    np.testing.assert_allclose(MODEL.p_alive(CUSTOMERS), 1.0)
    np.testing.assert_allclose(MODEL.p_alive(CUSTOMERS, horizon="10 years"), 1.0)


def test_counts_ahead_are_negative_binomial():
    shape, rate = MODEL.r + CUSTOMERS["n_repeat"], MODEL.alpha + CUSTOMERS["t_observed"] / 7
    theirs = nbinom(shape, rate / (rate + 39))
    ours = MODEL.purchase_distribution(CUSTOMERS, horizon="39 weeks", up_to=5)
    for n in range(6):
        np.testing.assert_allclose(ours[n], theirs.pmf(n), rtol=1e-9)
    np.testing.assert_allclose(
        MODEL.purchase_quantiles(CUSTOMERS, horizon="39 weeks", level=0.9), theirs.ppf(0.9)
    )
    np.testing.assert_allclose(
        MODEL.purchase_variance(CUSTOMERS, horizon="39 weeks"), theirs.var(), rtol=1e-9
    )


def test_an_endless_life_is_worth_rate_over_discount():
    rate = (MODEL.r + CUSTOMERS["n_repeat"]) / (MODEL.alpha + CUSTOMERS["t_observed"] / 7)
    per_week = np.log(1.15) * 7 / 365.25
    ours = MODEL.discounted_purchases(CUSTOMERS, annual_discount_rate=0.15)
    np.testing.assert_allclose(ours, rate / per_week, rtol=1e-6)


def test_draws_have_the_expected_mean():
    many = CUSTOMERS.loc[["b"] * 20_000].reset_index(drop=True)
    drawn = MODEL.draw_purchases(many, horizon="39 weeks", generator=np.random.default_rng(3))
    expected = MODEL.expected_purchases(CUSTOMERS, horizon="39 weeks")["b"]
    error = np.sqrt(MODEL.purchase_variance(CUSTOMERS, horizon="39 weeks")["b"] / len(many))
    assert abs(drawn.mean() - expected) < 4 * error


def test_gradient_is_that_of_the_likelihood():
    histories = purchase_histories(CUSTOMERS, unit="7D")
    value, slope = (lambda p, i=i: log_likelihood(np.asarray(p), histories)[i].sum(axis=-1) for i in (0, 1))
    assert check_grad(value, slope, [0.7, 9.0]) < 1e-5


def test_customers_alike_determine_nothing():
    alike = pd.DataFrame({"n_repeat": [3] * 50, "t_last": [300] * 50, "t_observed": [365] * 50})
    with pytest.raises(FitError, match="r and alpha run to infinity: all customers buy at the same rate"):
        fit_nbd(alike)
