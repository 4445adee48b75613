"""BG/NBD and Pareto/NBD with covariates: recovered, calibrated, the same as plain models, refused."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from clv_cases import cdnow, cdnow_days, simulate_bg_nbd, simulate_pareto_nbd, within_errors
from scipy.stats import chi2

from crm_analysis.clv.fitting.nested import likelihood_ratio
from crm_analysis.clv.models.bg_nbd import BgNbd, fit_bg_nbd
from crm_analysis.clv.models.covariate_fits import fit_with_covariates
from crm_analysis.clv.models.covariates import WithCovariates
from crm_analysis.clv.models.nbd import Nbd, fit_nbd
from crm_analysis.clv.models.pareto_nbd import ParetoNbd, fit_pareto_nbd
from crm_analysis.errors import ConfigError, DataError

AVERAGES = {"web": 0.5, "age": 35.0}
TRUTH = {
    BgNbd: WithCovariates(
        average=BgNbd(r=0.8, alpha=8, a=0.8, b=2.5),
        coefficients={
            "alpha: web": 0.5,
            "alpha: age": 0.02,
            "a: web": 0.4,
            "a: age": 0.0,
            "b: web": -0.3,
            "b: age": 0.01,
        },
        averages=AVERAGES,
    ),
    ParetoNbd: WithCovariates(
        average=ParetoNbd(r=0.8, alpha=8, s=0.9, beta=12),
        coefficients={"alpha: web": 0.5, "alpha: age": 0.02, "beta: web": -0.4, "beta: age": 0.01},
        averages=AVERAGES,
    ),
}
MODELS = [BgNbd, ParetoNbd]
PLAIN = {BgNbd: fit_bg_nbd, ParetoNbd: fit_pareto_nbd}
SIMULATE = {BgNbd: simulate_bg_nbd, ParetoNbd: simulate_pareto_nbd}
GROUPS = [{"web": web, "age": age} for web in (0, 1) for age in (20, 50)]


@cache
def simulated(model):
    """1,500 customers of each group with the truth, times in hundredths of a day: nearly continuous."""
    generator = np.random.default_rng(3)
    parts = [
        SIMULATE[model](
            1500,
            generator,
            model=TRUTH[model].model_of(group),
            observed=(20_000, 50_000),
            ahead=36_500,
            days=700.0,
        ).assign(**group)
        for group in GROUPS
    ]
    return pd.concat(parts, ignore_index=True)


@cache
def fitted(model):
    return fit_with_covariates(model, simulated(model), covariates=["web", "age"], unit="700D")


@cache
def cdnow_with_first_amount():
    first = cdnow_days().sort_values("date").groupby("customer_id")["amount"].first()
    return cdnow().assign(log_first=np.log1p(first))


# recovered


@pytest.mark.parametrize("model", MODELS)
def test_coefficients_are_recovered(model):
    fit = fitted(model)
    errors = (pd.Series(fit.model.parameters) - pd.Series(TRUTH[model].parameters)) / fit.standard_errors
    assert errors.abs().max() < 3.5
    assert fit.model.averages == AVERAGES
    limits = fit.confidence_intervals(level=0.999)
    true = pd.Series(TRUTH[model].parameters)
    assert ((limits["low"] < true) & (true < limits["high"])).all()


# calibrated


@pytest.mark.parametrize("model", MODELS)
def test_each_group_buys_and_stays_as_its_model_says(model):
    customers, truth = simulated(model), replace(TRUTH[model])
    scaled = replace(truth, average=replace(truth.average, unit="700D"))
    expected = scaled.expected_purchases(customers, horizon="36500 days")
    alive = scaled.p_alive(customers)
    for _, part in customers.groupby(["web", "age"]):
        assert within_errors(part["n_later"], expected[part.index])
        assert within_errors(part["alive"].astype(float), alive[part.index])
    low, high = expected.groupby([customers["web"], customers["age"]]).mean().agg(["min", "max"])
    assert high > 1.3 * low  # the groups differ, so that one formula for all would be found out


# identities


ANSWERS = {
    "p_alive": lambda model, part: model.p_alive(part),
    "p_alive later": lambda model, part: model.p_alive(part, horizon="180 days"),
    "p_buy": lambda model, part: model.p_buy(part, horizon="180 days"),
    "expected": lambda model, part: model.expected_purchases(part, horizon="180 days"),
    "variance": lambda model, part: model.purchase_variance(part, horizon="180 days"),
    "quantile": lambda model, part: model.purchase_quantiles(part, horizon="180 days", level=0.9),
    "discounted": lambda model, part: model.discounted_purchases(part, annual_discount_rate=0.1),
    "distribution": lambda model, part: model.purchase_distribution(part, horizon="180 days", up_to=3),
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("model", MODELS)
def test_every_answer_is_that_of_the_groups_plain_model(model, answer):
    """Customers of all groups in one table, each answered by the parameters of its own group."""
    generator = np.random.default_rng(5)
    last = generator.integers(1, 400, 40)
    customers = pd.DataFrame(
        {
            "n_repeat": generator.integers(1, 12, 40),
            "t_last": last,
            "t_observed": last + generator.integers(0, 200, 40),
            **pd.DataFrame(GROUPS * 10).to_dict("list"),
        },
        index=[f"c{i}" for i in range(40)],
    )
    together = ANSWERS[answer](TRUTH[model], customers)
    for group in GROUPS:
        part = customers[(customers["web"] == group["web"]) & (customers["age"] == group["age"])]
        alone = ANSWERS[answer](TRUTH[model].model_of(group), part)
        np.testing.assert_allclose(together.loc[part.index], alone, rtol=1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_draws_follow_the_groups(model):
    one = {"n_repeat": 3, "t_last": 100, "t_observed": 150}
    customers = pd.DataFrame([{**one, **group} for group in GROUPS * 4000])
    drawn = TRUTH[model].draw_purchases(customers, horizon="180 days", generator=np.random.default_rng(1))
    expected = TRUTH[model].expected_purchases(customers, horizon="180 days")
    for _, part in customers.groupby(["web", "age"]):
        assert within_errors(drawn[part.index], expected[part.index])


@pytest.mark.parametrize("model", MODELS)
def test_gradient_is_the_slope_of_the_log_likelihood(model):
    estimation = fitted(model)._estimation
    at = fitted(model)._natural * 1.1 + 0.01
    slopes = estimation.rows(at)[1]
    for i, step in enumerate(1e-6 * np.maximum(np.abs(at), 0.1)):
        shift = step * np.eye(len(at))[i]
        rise = estimation.rows(at + shift)[0] - estimation.rows(at - shift)[0]
        np.testing.assert_allclose(slopes[i], rise / (2 * step), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_log_likelihood_is_the_sum_over_groups_of_plain_ones(model):
    customers, fit = simulated(model), fitted(model)
    total = 0.0
    for (web, age), part in customers.groupby(["web", "age"]):
        plain = PLAIN[model](part, unit="700D")
        own = fit.model.model_of({"web": web, "age": age})
        total += plain._estimation.log_likelihood(np.array(list(own.parameters.values())))[0]
    assert fit.log_likelihood == pytest.approx(total, rel=1e-10)


def test_units_of_a_column_scale_its_coefficients_only():
    """A column in thousandths, from a far zero: the same fit."""
    table = cdnow_with_first_amount()
    fit = fit_with_covariates(BgNbd, table, covariates=["log_first"])
    moved = table.assign(log_first=1e6 + 1000 * table["log_first"])
    other = fit_with_covariates(BgNbd, moved, covariates=["log_first"])
    assert other.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-5)
    scale = pd.Series({name: 1000.0 if ":" in name else 1.0 for name in fit.model.parameters})
    np.testing.assert_allclose(
        pd.Series(other.model.parameters) * scale, list(fit.model.parameters.values()), rtol=1e-4
    )
    np.testing.assert_allclose(other.standard_errors * scale, fit.standard_errors, rtol=1e-4)
    weeks, days = (
        fit_with_covariates(BgNbd, table, covariates=["log_first"], unit=unit) for unit in ("7D", "1D")
    )
    assert days.model.parameters["b: log_first"] == pytest.approx(
        weeks.model.parameters["b: log_first"], rel=1e-4
    )
    np.testing.assert_allclose(
        days.model.p_buy(table, horizon="39 weeks"), weeks.model.p_buy(table, horizon="39 weeks"), rtol=1e-5
    )


def test_counted_rows_are_the_customers_they_count():
    customers = simulated(ParetoNbd).iloc[::6]
    counted = customers.groupby(["n_repeat", "t_last", "t_observed", "web", "age"], as_index=False).size()
    fit = fit_with_covariates(ParetoNbd, customers.sample(frac=1, random_state=1), covariates=["web"])
    other = fit_with_covariates(
        ParetoNbd, counted.rename(columns={"size": "n_customers"}), covariates=["web"]
    )
    assert other.n_customers == len(customers)
    assert other.model.parameters == pytest.approx(fit.model.parameters, rel=1e-5)


def test_only_the_parameters_named_are_moved():
    fit = fit_with_covariates(BgNbd, cdnow_with_first_amount(), covariates=["log_first"], on=["alpha"])
    assert list(fit.model.coefficients) == ["alpha: log_first"]
    all_moved = fit_with_covariates(BgNbd, cdnow_with_first_amount(), covariates=["log_first"])
    test = likelihood_ratio(fit, all_moved)
    assert test.degrees_of_freedom == 2
    assert 0 < test.p_value < 1


def test_a_new_customer_is_an_average_one():
    model = TRUTH[ParetoNbd]
    assert model.expected_purchases_new(horizon="1 years") == model.average.expected_purchases_new(
        horizon="1 years"
    )


@pytest.mark.parametrize("model", MODELS)
def test_stored_and_read_back(model):
    stored = TRUTH[model].to_dict()
    assert WithCovariates.from_dict(stored) == TRUTH[model]
    with pytest.raises(ConfigError, match=r"with covariates: expected the keys \['average'"):
        WithCovariates.from_dict({**stored, "average": {"model": "NBD"}})


# the test of covariates


@pytest.mark.parametrize("model", MODELS)
def test_likelihood_ratio_finds_an_effect_and_no_effect(model):
    customers = simulated(model).iloc[::2]
    noise = customers.assign(noise=np.random.default_rng(8).normal(size=len(customers)))
    plain = PLAIN[model](customers)
    full = fit_with_covariates(model, noise, covariates=["web"])
    found = likelihood_ratio(plain, full)
    assert found.statistic == 2 * (full.log_likelihood - plain.log_likelihood)
    assert found.p_value < 1e-6
    assert found.degrees_of_freedom == len(TRUTH[model].coefficients) / 2
    none = likelihood_ratio(plain, fit_with_covariates(model, noise, covariates=["noise"]))
    assert none.p_value == pytest.approx(chi2.sf(none.statistic, found.degrees_of_freedom))
    assert none.p_value > 0.01
    assert 0 <= none.statistic < 12


def test_likelihood_ratio_refuses_what_is_not_nested():
    table = cdnow_with_first_amount()
    plain, full = fit_bg_nbd(table), fit_with_covariates(BgNbd, table, covariates=["log_first"])
    with pytest.raises(ConfigError, match="2,356 and 2,357 customers"):
        likelihood_ratio(fit_bg_nbd(table.iloc[1:]), full)
    other = pd.concat([table.iloc[1:], table.iloc[[5]]])
    with pytest.raises(ConfigError, match="expected two fits of the same customers, the second a general"):
        likelihood_ratio(fit_bg_nbd(other), full)
    with pytest.raises(ConfigError, match="expected two fits of the same customers, the second a general"):
        likelihood_ratio(fit_nbd(table), plain)
    with pytest.raises(ConfigError, match=r"expected the parameters \['r', 'alpha', 's', 'beta'\] and more"):
        likelihood_ratio(fit_pareto_nbd(table), full)
    with pytest.raises(ConfigError, match="and more in the second"):
        likelihood_ratio(full, plain)


# refused


def test_refuses_columns_that_say_nothing_or_too_much():
    table = cdnow_with_first_amount().assign(one=1.0, twice=lambda t: 2 * t["log_first"] + 3)
    with pytest.raises(DataError, match=r"\['one'\] the same for all customers"):
        fit_with_covariates(BgNbd, table, covariates=["log_first", "one"])
    with pytest.raises(DataError, match=r"\['log_first', 'twice'\] follow from each other"):
        fit_with_covariates(BgNbd, table, covariates=["log_first", "twice"])
    dummies = pd.get_dummies(pd.Series(np.arange(len(table)) % 3, table.index), prefix="shop")
    with pytest.raises(DataError, match="of the columns of a category one is always one too many"):
        fit_with_covariates(BgNbd, table.join(dummies), covariates=list(dummies))
    fit = fit_with_covariates(BgNbd, table.join(dummies), covariates=list(dummies)[1:])
    assert fit.model.averages["shop_1"] == pytest.approx(1 / 3, abs=0.01)


def test_refuses_missing_values_text_and_unknown_columns():
    table = cdnow_with_first_amount()
    gaps = table.assign(log_first=table["log_first"].where(np.arange(len(table)) > 1), shop="a")
    with pytest.raises(DataError, match=r"missing or infinite in \{'log_first': 2\} of 2357 rows"):
        fit_with_covariates(BgNbd, gaps, covariates=["log_first"])
    with pytest.raises(DataError, match=r"\['shop'\] of type \['str'\]; expected numbers; categories become"):
        fit_with_covariates(BgNbd, gaps, covariates=["shop"])
    with pytest.raises(DataError, match=r"no column \['channel'\]; columns present"):
        fit_with_covariates(BgNbd, table, covariates=["channel"])
    fit = fit_with_covariates(BgNbd, table, covariates=["log_first"])
    with pytest.raises(DataError, match=r"no column \['log_first'\]"):
        fit.model.p_buy(cdnow(), horizon="39 weeks")
    with pytest.raises(DataError, match="differs from the average customer's by more than a factor of 1,000"):
        fit.model.p_buy(table.assign(log_first=500.0), horizon="39 weeks")


def test_refuses_models_and_parameters_that_no_covariate_moves():
    table = cdnow_with_first_amount()
    with pytest.raises(ConfigError, match=r"model Nbd; expected \['BgNbd', 'ParetoNbd'\]"):
        fit_with_covariates(Nbd, table, covariates=["log_first"])
    with pytest.raises(ConfigError, match=r"on \['r'\]; expected some of \['alpha', 'beta'\]"):
        fit_with_covariates(ParetoNbd, table, covariates=["log_first"], on=["r"])
    with pytest.raises(ConfigError, match=r"covariates \[\]; expected different columns"):
        fit_with_covariates(ParetoNbd, table, covariates=[])
    with pytest.raises(ConfigError, match="coefficient 'r: x'; expected 'parameter: column'"):
        replace(TRUTH[BgNbd], coefficients={"r: x": 1.0})
