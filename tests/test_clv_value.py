"""Customer values: counted from their parts, coherent, fast, and refused where the input cannot mean it."""

import time
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from clv_cases import cdnow, simulate_amounts, simulate_bg_nbd

from crm_analysis.clv.models.bg_nbd import BgNbd, fit_bg_nbd
from crm_analysis.clv.models.gamma_gamma import GammaGamma, fit_gamma_gamma
from crm_analysis.clv.models.pareto_nbd import fit_pareto_nbd
from crm_analysis.clv.models.spend import fit_banded_gamma_gamma
from crm_analysis.clv.worth.value import value_customers
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


def valued(purchases, spend, customers=None, margin=0.3, rate=0.15, **terms):
    customers = cdnow() if customers is None else customers
    return value_customers(
        customers, purchases=purchases, spend=spend, margin=margin, annual_discount_rate=rate, **terms
    )


def chosen(n: int = 40):
    return cdnow().sample(n, random_state=np.random.default_rng(4))


def test_values_are_the_product_of_their_parts(purchases, spend):
    values = valued(purchases, spend)
    model = purchases.model
    assert list(values.columns) == COLUMNS
    assert values.index.equals(cdnow().index)
    pd.testing.assert_series_equal(values["p_alive"], model.p_alive(cdnow()))
    pd.testing.assert_series_equal(values["p_buy"], model.p_buy(cdnow(), horizon="12 months"))
    for name, level in (("purchases_p10", 0.1), ("purchases_p90", 0.9)):
        quantiles = model.purchase_quantiles(cdnow(), horizon="12 months", level=level)
        pd.testing.assert_series_equal(values[name], quantiles, check_names=False)
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


@pytest.mark.parametrize("fit_amounts", [fit_gamma_gamma, fit_banded_gamma_gamma], ids=["single", "banded"])
def test_interval_of_an_amount_is_the_delta_method(purchases, fit_amounts):
    spend, some = fit_amounts(cdnow()), chosen(200)
    values = valued(purchases, spend, some)
    error = spend.standard_error(lambda model: np.log(model.expected_amount(some)))
    np.testing.assert_allclose(
        np.log(values["expected_amount_high"] / values["expected_amount"]), 1.959964 * error, rtol=1e-5
    )
    np.testing.assert_allclose(
        values["expected_amount_low"] * values["expected_amount_high"], values["expected_amount"] ** 2
    )


@pytest.mark.parametrize(("name", "horizon"), [("value_12m", "12 months"), ("residual_value", None)])
def test_interval_of_a_value_has_the_parameters_of_both_models(purchases, spend, name, horizon):
    some = chosen()
    values = valued(purchases, spend, some)

    def bought(model):
        return np.log(model.discounted_purchases(some, annual_discount_rate=0.15, horizon=horizon))

    error = np.hypot(
        purchases.standard_error(bought),
        spend.standard_error(lambda model: np.log(model.expected_amount(some))),
    )
    np.testing.assert_allclose(np.log(values[f"{name}_high"] / values[name]), 1.959964 * error, rtol=1e-5)
    np.testing.assert_allclose(values[f"{name}_low"] * values[f"{name}_high"], values[name] ** 2)


def test_intervals_of_value_hold_the_truth():
    """Of 60 simulated bases of 1,500 customers: the value of one history lies in 95% of its intervals."""
    truth, amounts = BgNbd(r=0.6, alpha=6.0, a=0.9, b=2.5), GammaGamma(p=6.25, q=3.74, gamma=15.44)
    one = pd.DataFrame(
        {
            "n_repeat": [3],
            "t_last": [150],
            "t_observed": [250],
            "n_paid_repeat": 3,
            "mean_repeat_amount": 50.0,
        }
    )
    true = valued(truth, amounts, one)[["value_12m", "expected_amount", "residual_value"]].iloc[0]
    inside = []
    for seed in range(60):
        generator = np.random.default_rng(seed)
        base = simulate_bg_nbd(1_500, generator, model=truth, observed=(189, 273), ahead=0)
        base = base.join(simulate_amounts(base["n_repeat"].to_numpy(), generator, model=amounts))
        found = valued(fit_bg_nbd(base), fit_gamma_gamma(base), one).iloc[0]
        inside.append(
            {name: found[f"{name}_low"] < true[name] < found[f"{name}_high"] for name in true.index}
        )
    share = pd.DataFrame(inside).mean()
    assert share.between(0.85, 1.0).all()  # 95% less 3.5 standard errors of 60


# costs


def test_a_cost_per_purchase_is_taken_off_every_purchase(purchases, spend):
    plain, costly = valued(purchases, spend), valued(purchases, spend, cost_to_serve=4.0, cost_per="purchase")
    for name, horizon in (("value_12m", "12 months"), ("residual_value", None)):
        bought = purchases.model.discounted_purchases(cdnow(), annual_discount_rate=0.15, horizon=horizon)
        np.testing.assert_allclose(costly[name], plain[name] - 4 * bought, rtol=1e-9, atol=1e-9)
    low_spenders = costly["expected_amount"] * 0.3 < 4
    assert low_spenders.any()
    assert (costly["value_12m"][low_spenders] < 0).all()
    assert (costly["value_12m_low"] < costly["value_12m"]).all()
    assert (costly["value_12m"] < costly["value_12m_high"]).all()


def test_a_cost_per_year_is_taken_off_while_the_customer_is_one(purchases, spend):
    some = chosen(30)
    yearly = pd.Series(np.linspace(0, 20, 30), some.index)
    plain = valued(purchases, spend, some)
    costly = valued(purchases, spend, some.assign(yearly=yearly), cost_to_serve="yearly", cost_per="year")
    days = np.arange(0, 366.25, 2)
    days[-1] = 365.25
    alive = np.array([purchases.model.p_alive(some, horizon=f"{day} days") for day in days])
    years = np.trapezoid(alive * 1.15 ** (-days[:, None] / 365.25), days / 365.25, axis=0)
    np.testing.assert_allclose(costly["value_12m"], plain["value_12m"] - yearly * years, rtol=1e-4, atol=1e-4)
    assert (costly["residual_value"][yearly > 0] < plain["residual_value"][yearly > 0]).all()
    rare = some["n_repeat"] == 0
    assert (costly["value_12m"][rare].iloc[-5:] < 0).any()


@pytest.mark.parametrize("cost_per", ["purchase", "year"])
def test_interval_of_a_value_less_costs_is_the_delta_method(purchases, spend, cost_per):
    some = chosen(12)
    terms = {"cost_to_serve": 6.0, "cost_per": cost_per}
    values = valued(purchases, spend, some, **terms)
    by_purchases = purchases.standard_error(
        lambda model: valued(model, spend.model, some, **terms)["value_12m"]
    )
    by_spend = spend.standard_error(lambda model: valued(purchases.model, model, some, **terms)["value_12m"])
    width = 1.959964 * np.hypot(by_purchases, by_spend)
    np.testing.assert_allclose(values["value_12m_high"] - values["value_12m"], width, rtol=1e-4)
    np.testing.assert_allclose(values["value_12m"] - values["value_12m_low"], width, rtol=1e-4)


def test_customers_sold_to_at_a_loss_are_worth_less_than_nothing(purchases, spend):
    loss = valued(purchases, spend, margin=-0.1)
    assert (loss["value_12m_low"] < loss["value_12m"]).all()
    assert (loss["value_12m"] < loss["value_12m_high"]).all()
    assert (loss["value_12m_high"] < 0).all()


def test_refuses_a_cost_without_its_unit(purchases, spend):
    for terms in ({"cost_to_serve": 4.0}, {"cost_per": "year"}, {"cost_to_serve": 4.0, "cost_per": "month"}):
        with pytest.raises(ConfigError, match="expected a cost with its unit, 'purchase' or 'year'"):
            valued(purchases, spend, **terms)
    with pytest.raises(DataError, match="cost_to_serve: missing for 2356 of 2357 customers, first '0002'"):
        valued(purchases, spend, cost_to_serve=pd.Series({"0001": 1.0}), cost_per="year")


# horizons


def test_the_value_is_named_for_its_horizon(purchases, spend):
    names = {"12 months": "value_12m", "39 weeks": "value_39w", "2 years": "value_2y", "90 days": "value_90d"}
    for horizon, name in names.items():
        assert name in valued(purchases, spend, chosen(3), horizon=horizon)
    dated = valued(purchases, spend, chosen(), horizon="1998-06-30", observed_until="1997-09-30")
    weeks = valued(purchases, spend, chosen(), horizon="273 days")
    np.testing.assert_allclose(dated["value_until_1998-06-30"], weeks["value_273d"])
    np.testing.assert_allclose(dated["p_buy"], purchases.model.p_buy(chosen(), horizon="273 days"))


def test_longer_horizons_approach_the_residual_value(purchases, spend):
    lengths = ["12 months", "36 months", "120 months", "6000 months"]
    tables = [valued(purchases, spend, chosen(), horizon=length) for length in lengths]
    values = [table[f"value_{length.split()[0]}m"] for table, length in zip(tables, lengths, strict=True)]
    assert all((shorter < longer).all() for shorter, longer in pairwise(values))
    np.testing.assert_allclose(values[-1], tables[-1]["residual_value"], rtol=1e-6)


def test_refuses_a_horizon_without_length_and_a_life_without_end(purchases, spend):
    with pytest.raises(ConfigError, match="horizon 0 days: expected a length above 0"):
        valued(purchases, spend, horizon="0 days")
    with pytest.raises(ConfigError, match="a life may be endless"):
        valued(purchases, spend, rate=0.0)
    with pytest.raises(ConfigError, match="a date needs observed_until"):
        valued(purchases, spend, horizon="1998-06-30")


# the rest


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


def test_refuses_mixed_units_and_currencies(purchases, spend):
    weeks = cdnow().assign(t_last=cdnow()["t_last"] // 7, t_observed=cdnow()["t_observed"] // 7)
    weeks = weeks[(weeks["t_last"] > 0) == (weeks["n_repeat"] > 0)]
    with pytest.raises(DataError, match=r"observed until 1997-\d\d-\d\d to .* expected t_observed in days"):
        valued(purchases, spend, weeks)
    mixed = cdnow().assign(currency=np.where(cdnow()["n_repeat"] > 0, "EUR", "USD"))
    with pytest.raises(DataError, match="amounts in EUR, USD; expected one currency"):
        valued(purchases, spend, mixed)
