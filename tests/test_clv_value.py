"""Customer values: counted from their parts, coherent, fast, and refused where the input cannot mean it."""

import time

import numpy as np
import pandas as pd
import pytest
from clv_cases import cdnow, simulate_amounts, simulate_bg_nbd

from crm_analysis.clv.bg_nbd import BgNbd, fit_bg_nbd
from crm_analysis.clv.gamma_gamma import GammaGamma, fit_gamma_gamma
from crm_analysis.clv.pareto_nbd import fit_pareto_nbd
from crm_analysis.clv.value import value_customers
from crm_analysis.errors import ConfigError, DataError

COLUMNS = [
    "p_alive",
    "p_buy",
    "expected_purchases",
    "expected_purchases_low",
    "expected_purchases_high",
    "purchases_p10",
    "purchases_p90",
    "expected_amount",
    "expected_amount_low",
    "expected_amount_high",
    "value_12m",
    "value_12m_low",
    "value_12m_high",
    "residual_value",
    "residual_value_low",
    "residual_value_high",
]


@pytest.fixture(scope="module", params=[fit_bg_nbd, fit_pareto_nbd], ids=["BG/NBD", "Pareto/NBD"])
def purchases(request):
    return request.param(cdnow())


@pytest.fixture(scope="module")
def spend():
    return fit_gamma_gamma(cdnow())


def valued(purchases, spend, customers=None, margin=0.3, rate=0.15):
    customers = cdnow() if customers is None else customers
    return value_customers(
        customers, purchases=purchases, spend=spend, margin=margin, annual_discount_rate=rate
    )


def test_values_are_the_product_of_their_parts(purchases, spend):
    values = valued(purchases, spend)
    model = purchases.model
    assert list(values.columns) == COLUMNS
    assert values.index.equals(cdnow().index)
    pd.testing.assert_series_equal(values["p_alive"], model.p_alive(cdnow()))
    pd.testing.assert_series_equal(values["p_buy"], model.p_buy(cdnow(), horizon="12 months"))
    discounted = model.discounted_purchases(cdnow(), annual_discount_rate=0.15, horizon="12 months")
    np.testing.assert_allclose(
        values["value_12m"], 0.3 * discounted * spend.model.expected_amount(cdnow()), rtol=1e-12
    )
    residual = model.discounted_purchases(cdnow(), annual_discount_rate=0.15)
    np.testing.assert_allclose(
        values["residual_value"], 0.3 * residual * spend.model.expected_amount(cdnow()), rtol=1e-12
    )


def test_values_are_coherent(purchases, spend):
    values = valued(purchases, spend)
    assert (values["value_12m"] <= values["residual_value"]).all()
    assert (values["p_buy"] <= values["p_alive"]).all()
    assert (values["p_buy"] <= values["expected_purchases"]).all()
    assert (values["expected_purchases_low"] < values["expected_purchases"]).all()
    assert (values["expected_purchases"] < values["expected_purchases_high"]).all()
    assert (values["purchases_p10"] <= values["purchases_p90"]).all()
    undiscounted = values["expected_purchases"] * values["expected_amount"] * 0.3
    assert (values["value_12m"] < undiscounted).all()
    assert (values["value_12m"] > undiscounted / 1.15).all()


def test_interval_of_the_mean_is_the_delta_method(purchases, spend):
    values = valued(purchases, spend)
    expected = purchases.model.expected_purchases(cdnow(), horizon="12 months")
    error = purchases.standard_error(lambda model: model.expected_purchases(cdnow(), horizon="12 months"))
    np.testing.assert_allclose(
        np.log(values["expected_purchases_high"] / expected), 1.959964 * error / expected, rtol=1e-6
    )
    np.testing.assert_allclose(
        values["expected_purchases_high"] * values["expected_purchases_low"], expected**2, rtol=1e-9
    )


def test_one_customers_range_is_wider_than_that_of_the_mean(purchases, spend):
    """A list of customers shows p10 and p90: the mean is known far better than one customer's future."""
    busy = valued(purchases, spend)[lambda v: v["expected_purchases"] > 3]
    mean_width = busy["expected_purchases_high"] - busy["expected_purchases_low"]
    assert (busy["purchases_p90"] - busy["purchases_p10"] > mean_width).all()


def test_margin_as_share_column_or_series(purchases, spend):
    shares = pd.Series(np.linspace(0.1, 0.6, len(cdnow())), cdnow().index)
    by_series = valued(purchases, spend, margin=shares.sample(frac=1, random_state=np.random.default_rng(1)))
    by_column = valued(purchases, spend, customers=cdnow().assign(margin=shares), margin="margin")
    pd.testing.assert_frame_equal(by_series, by_column)
    flat = valued(purchases, spend, margin=1.0)
    np.testing.assert_allclose(by_series["value_12m"], flat["value_12m"] * shares)


def test_doubling_amounts_doubles_values(purchases, spend):
    doubled = cdnow().assign(mean_repeat_amount=2 * cdnow()["mean_repeat_amount"])
    twice = valued(purchases, fit_gamma_gamma(doubled), customers=doubled)
    np.testing.assert_allclose(
        twice["residual_value"], 2 * valued(purchases, spend)["residual_value"], rtol=1e-5
    )


def test_order_and_company_change_nothing(purchases, spend):
    some = cdnow().sample(50, random_state=np.random.default_rng(2))
    pd.testing.assert_frame_equal(valued(purchases, spend, some), valued(purchases, spend).loc[some.index])


def test_stored_models_score_without_intervals(purchases, spend):
    model = type(purchases.model).from_dict(purchases.model.to_dict())
    stored = valued(model, GammaGamma.from_dict(spend.model.to_dict()))
    assert stored[[name for name in COLUMNS if name.endswith(("_low", "_high"))]].isna().all(axis=None)
    others = [name for name in COLUMNS if not name.endswith(("_low", "_high"))]
    pd.testing.assert_frame_equal(stored[others], valued(purchases, spend)[others])


def test_hundred_thousand_customers_in_seconds():
    """Processor time, so that a busy machine does not fail it: 1.5 s alone, 6 s allowed."""
    generator = np.random.default_rng(7)
    truth = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
    customers = simulate_bg_nbd(100_000, generator, model=truth, observed=(189, 273), ahead=0)
    amounts = simulate_amounts(
        customers["n_repeat"].to_numpy(), generator, model=GammaGamma(p=6.25, q=3.74, gamma=15.44)
    )
    customers = customers.join(amounts)
    began = time.process_time()
    fit, spend = fit_bg_nbd(customers), fit_gamma_gamma(customers)
    fitted = time.process_time()
    values = valued(fit, spend, customers=customers)
    assert fitted - began < 2
    assert time.process_time() - fitted < 6
    assert values.notna().all(axis=None)


def test_refuses_margins_that_are_no_share(purchases, spend):
    with pytest.raises(ConfigError, match=r"margin 30.*such as 0\.3 for 30%"):
        valued(purchases, spend, margin=30)
    with pytest.raises(DataError, match="margin: missing for 2356 of 2357 customers, first '0002'"):
        valued(purchases, spend, margin=pd.Series({"0001": 0.3}))
    with pytest.raises(DataError, match="margin: no column 'profit'"):
        valued(purchases, spend, margin="profit")
    with pytest.raises(ConfigError, match=r"0\.15 for 15%"):
        valued(purchases, spend, rate=15)
