"""Value of new customers, and how much of a base's value lies beyond the log."""

import numpy as np
import pandas as pd
import pytest
from clv_cases import cdnow, simulate_bg_nbd, within_errors

from crm_analysis.clv.models.bg_nbd import fit_bg_nbd
from crm_analysis.clv.models.gamma_gamma import GammaGamma, fit_gamma_gamma
from crm_analysis.clv.models.nbd import fit_nbd
from crm_analysis.clv.models.pareto_nbd import fit_pareto_nbd
from crm_analysis.clv.models.spend import fit_spend
from crm_analysis.clv.worth.beyond_log import value_by_model
from crm_analysis.clv.worth.new_customer import clv_new
from crm_analysis.clv.worth.value import value_customers
from crm_analysis.errors import ConfigError

TERMS = {"margin": 0.3, "annual_discount_rate": 0.15}
LOG = {"observed_from": "1997-01-01", "observed_until": "1997-09-30"}


@pytest.fixture(scope="module")
def spend():
    return fit_gamma_gamma(cdnow())


@pytest.fixture(scope="module")
def models():
    return {fit.__name__[4:]: fit(cdnow()) for fit in (fit_bg_nbd, fit_pareto_nbd, fit_nbd)}


def new(models, spend, name="bg_nbd", **terms):
    return clv_new(purchases=models[name], spend=spend, **(TERMS | terms))


def test_a_new_customer_is_the_first_purchase_and_what_follows(models, spend):
    for name, fit in models.items():
        table = new(models, spend, name)
        assert table.index.tolist() == ["12 months", "whole life"]
        zero = pd.DataFrame({"n_repeat": [0], "t_last": [0], "t_observed": [0]})
        for row, horizon in (("12 months", "12 months"), ("whole life", None)):
            later = fit.model.discounted_purchases(zero, annual_discount_rate=0.15, horizon=horizon).item()
            assert table.loc[row, "clv_new"] == pytest.approx(0.3 * spend.model.mean * (1 + later))
        assert (table["clv_new_low"] < table["clv_new"]).all()
        assert (table["clv_new"] < table["clv_new_high"]).all()


def test_simulated_new_customers_bring_in_what_is_expected(models, spend):
    """Undiscounted, 200,000 new customers followed for a year from the first purchase."""
    model = models["bg_nbd"].model
    generator = np.random.default_rng(8)
    year = simulate_bg_nbd(200_000, generator, model=model, observed=(0, 1), ahead=365.25, days=7)
    bought = pd.Series(year["n_later"].to_numpy() + 1)
    means = spend.model.p * spend.model.gamma / generator.gamma(spend.model.q, size=len(bought))
    expected = new(models, spend, annual_discount_rate=1e-9).loc["12 months", "clv_new"]
    assert within_errors(0.3 * bought * means, expected)


def test_interval_is_the_delta_method_over_both_models(models, spend):
    table = new(models, spend)

    def value(model, amounts):
        zero = pd.DataFrame({"n_repeat": [0], "t_last": [0], "t_observed": [0]})
        later = model.discounted_purchases(zero, annual_discount_rate=0.15).item()
        return 0.3 * amounts.mean * (1 + later)

    fit = models["bg_nbd"]
    error = np.hypot(
        fit.standard_error(lambda model: value(model, spend.model)),
        spend.standard_error(lambda amounts: value(fit.model, amounts)),
    )
    life = table.loc["whole life"]
    assert np.log(life["clv_new_high"] / life["clv_new"]) == pytest.approx(1.959964 * error / life["clv_new"])


def test_costs_and_the_price_of_winning_a_customer_come_off(models, spend):
    plain = new(models, spend)
    per_purchase = new(models, spend, cost_to_serve=2.0, cost_per="purchase")
    np.testing.assert_allclose(
        per_purchase["clv_new"], plain["clv_new"] - 2 * (1 + plain["discounted_purchases"])
    )
    per_year = new(models, spend, "nbd", cost_to_serve=2.0, cost_per="year")
    assert per_year.loc["whole life", "cost"] == pytest.approx(2 / np.log(1.15), rel=1e-6)  # nobody leaves
    assert per_year.loc["12 months", "cost"] == pytest.approx(2 * (1 - 1 / 1.15) / np.log(1.15), rel=1e-6)
    won = new(models, spend, acquisition_cost=30.0)
    np.testing.assert_allclose(won["net_value"], won["clv_new"] - 30)
    assert won.loc["12 months", "net_value"] < 0 < won.loc["whole life", "net_value"]
    dear = new(models, spend, cost_to_serve=50.0, cost_per="purchase")
    assert (dear["clv_new"] < 0).all()
    assert (dear["allowable_acquisition_cost"] == 0).all()


def test_a_first_purchase_of_its_own_size(models, spend):
    table = new(models, spend, first_amount=100.0)
    assert (table["first_value"] == 30).all()
    np.testing.assert_allclose(table["repeat_value"], new(models, spend)["repeat_value"])


def test_new_customers_of_bands_start_with_the_lowest(models):
    banded = fit_spend(cdnow())
    table = new(models, banded)
    assert table.loc["12 months", "first_value"] == pytest.approx(0.3 * banded.model.mean)
    per_repeat = table["repeat_value"] / table["discounted_purchases"]
    assert (per_repeat > 0.3 * banded.model.mean).all()


def test_refuses_what_has_no_value(models, spend):
    with pytest.raises(ConfigError, match="margin 30: expected a share"):
        new(models, spend, margin=30)
    with pytest.raises(ConfigError, match="a life may be endless"):
        new(models, spend, annual_discount_rate=0.0)


# beyond the log


def test_totals_by_model_are_those_of_the_customers(models, spend):
    table = value_by_model(cdnow(), purchases=models, spend=spend, **TERMS, **LOG)
    assert table.index.tolist() == list(models)
    for name, fit in models.items():
        values = value_customers(cdnow(), purchases=fit, spend=spend, **TERMS)
        seen = value_customers(cdnow(), purchases=fit, spend=spend, **TERMS, horizon="273 days")
        row = table.loc[name]
        assert row["value_12m"] == pytest.approx(values["value_12m"].sum())
        assert row["residual_value"] == pytest.approx(values["residual_value"].sum())
        assert row["share_beyond_12m"] == pytest.approx(1 - row["value_12m"] / row["residual_value"])
        beyond = 1 - seen["value_273d"].sum() / values["residual_value"].sum()
        assert row["share_beyond_log"] == pytest.approx(beyond)
        assert row["residual_value_low"] < row["residual_value"] < row["residual_value_high"]


def test_models_that_fit_alike_part_ways_beyond_the_log(models, spend):
    """Three quarters of the residual value come later than the log is long; NBD says four times as much."""
    table = value_by_model(cdnow(), purchases=models, spend=spend, **TERMS, **LOG)
    assert table.loc["bg_nbd", "share_beyond_log"] == pytest.approx(0.766, abs=0.001)
    assert table.loc["nbd", "residual_value"] > 4 * table.loc["bg_nbd", "residual_value"]


def test_interval_of_a_total_is_the_delta_method(models, spend):
    table = value_by_model(cdnow(), purchases=models, spend=spend, **TERMS, **LOG)

    def total(model, amounts):
        values = value_customers(cdnow(), purchases=model, spend=amounts, **TERMS)
        return values["residual_value"].sum()

    fit, row = models["pareto_nbd"], table.loc["pareto_nbd"]
    error = np.hypot(
        fit.standard_error(lambda model: total(model, spend.model)),
        spend.standard_error(lambda amounts: total(fit.model, amounts)),
    )
    width = np.log(row["residual_value_high"] / row["residual_value"])
    assert width == pytest.approx(1.959964 * error / row["residual_value"], rel=1e-4)


def test_refuses_a_log_that_ends_before_it_begins(models, spend):
    turned = {"observed_from": "1998-01-01", "observed_until": "1997-09-30"}
    with pytest.raises(ConfigError, match="observed_from 1998-01-01 lies after observed_until 1997-09-30"):
        value_by_model(cdnow(), purchases=models, spend=spend, **TERMS, **turned)


def test_an_infinite_mean_has_no_value(models, spend):
    from dataclasses import replace

    heavy = replace(spend, model=GammaGamma(p=2.0, q=0.8, gamma=10.0))
    with pytest.raises(ConfigError, match=r"q = 0\.8, so the mean amount of new customers is infinite"):
        new(models, heavy)
