"""Refits to resampled customers: the same as fits from scratch, as wide as the sampling, refused."""

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pandas as pd
import pytest
from clv_cases import EXAMPLE, cdnow, simulate_bg_nbd
from published.discrete import bg_bb

from crm_analysis.clv.fitting.bootstrap import bootstrap
from crm_analysis.clv.fitting.climb import climb
from crm_analysis.clv.fitting.fit import maximise
from crm_analysis.clv.models.bg_nbd import BgNbd, fit_bg_nbd
from crm_analysis.clv.models.gamma_gamma import fit_gamma_gamma
from crm_analysis.clv.models.mbg_nbd import fit_mbg_nbd
from crm_analysis.clv.models.nbd import fit_nbd
from crm_analysis.clv.models.pareto_nbd import fit_pareto_nbd
from crm_analysis.errors import ConfigError, FitError

FITS = {
    "BG/NBD": partial(fit_bg_nbd, cdnow()),
    "MBG/NBD": partial(fit_mbg_nbd, cdnow()),
    "Pareto/NBD": partial(fit_pareto_nbd, cdnow()),
    "NBD": partial(fit_nbd, cdnow()),
    "Gamma-Gamma": partial(fit_gamma_gamma, cdnow()),
    "BG/BB": bg_bb,
}


@cache
def fitted(name):
    return FITS[name]()


@cache
def bg_nbd_refits():
    return fitted("BG/NBD").bootstrap(generator=np.random.default_rng(1), refits=400)


@pytest.mark.parametrize("name", FITS)
def test_a_refit_is_the_fit_of_the_resampled_customers(name):
    """Three resamples drawn again, and fitted by a climb of their own."""
    fit, drawn, again = fitted(name), np.random.default_rng(4), np.random.default_rng(4)
    refits = fit.bootstrap(generator=drawn, refits=3).parameters
    estimation, errors = fit._estimation, np.sqrt(np.diag(fit._position_covariance))
    for _, refit in refits.iterrows():
        weights = again.multinomial(fit.n_customers, estimation.weights / fit.n_customers).astype(float)
        assert weights.sum() == fit.n_customers
        alone = climb(replace(estimation, weights=weights), fit._position)
        assert alone.determined
        np.testing.assert_array_less(
            np.abs(estimation.position(refit.to_numpy()) - alone.position), 0.02 * errors
        )
        assert np.abs(estimation.position(refit.to_numpy()) - fit._position).max() > 0.1 * errors.min()


def test_refits_scatter_as_far_as_the_standard_errors():
    """Simulated from the model, so that both are right: within what 200 refits can say."""
    truth = BgNbd(r=0.6, alpha=6.0, a=0.9, b=2.5)
    customers = simulate_bg_nbd(4000, np.random.default_rng(2), model=truth, observed=(180, 400), ahead=0)
    fit = fit_bg_nbd(customers)
    refits = fit.bootstrap(generator=np.random.default_rng(3), refits=200)
    scatter = np.log(refits.parameters).std() / np.sqrt(np.diag(fit._position_covariance))
    assert scatter.between(0.8, 1.25).all()
    centred = np.abs(np.log(refits.parameters).mean() - fit._position) / np.sqrt(
        np.diag(fit._position_covariance)
    )
    assert (centred < 0.35).all()


def test_limits_are_quantiles_over_the_refits():
    refits = bg_nbd_refits()
    limits = refits.confidence_intervals(level=0.9)
    assert limits["estimate"].to_dict() == fitted("BG/NBD").model.parameters
    outside = (refits.parameters < limits["low"]) | (refits.parameters > limits["high"])
    np.testing.assert_allclose(outside.mean(), 0.1, atol=0.01)
    same = fitted("BG/NBD").confidence_intervals(
        kind="bootstrap", level=0.9, refits=400, generator=np.random.default_rng(1)
    )
    pd.testing.assert_frame_equal(same, limits)


def test_anything_computed_from_the_model_has_limits():
    refits = bg_nbd_refits()
    fit = fitted("BG/NBD")
    total = refits.interval(lambda model: model.expected_purchases(cdnow(), horizon="39 weeks").sum())
    assert total["estimate"][0] == pytest.approx(1653.41, abs=0.01)
    # CDNOW is more dispersed than the model: resampled customers scatter wider than its curvature says.
    assert 74 < (total["high"] - total["low"])[0] / (2 * 1.96) < 100
    each = refits.interval(lambda model: model.expected_purchases(EXAMPLE, horizon="39 weeks"))
    assert list(each.index) == ["example"]
    error = fit.standard_error(lambda model: model.expected_purchases(EXAMPLE, horizon="39 weeks"))["example"]
    assert (each["high"] - each["low"])["example"] / (2 * 1.96) == pytest.approx(error, rel=0.3)
    assert each["low"]["example"] < 1.226 < each["high"]["example"]
    assert len(refits.models) == 400
    assert refits.models[7].parameters == pytest.approx(refits.parameters.iloc[7].to_dict())


def test_counted_rows_resample_the_customers_they_count():
    """A row that stands for customers is drawn as often as they would be."""
    fit = fitted("NBD")
    one_by_one = replace(
        fit._estimation,
        weights=np.ones(fit.n_customers),
        rows=lambda natural: tuple(
            np.repeat(part, fit._estimation.weights.astype(int), axis=-1)
            for part in fit._estimation.rows(natural)
        ),
    )
    spread = [
        np.log(
            bootstrap(
                fit.model, estimation, fit._position, generator=np.random.default_rng(6), refits=300
            ).parameters
        ).std()
        for estimation in (fit._estimation, one_by_one)
    ]
    np.testing.assert_allclose(spread[0], spread[1], rtol=0.15)


def test_refuses_too_few_refits_and_no_generator():
    fit = fitted("NBD")
    with pytest.raises(ConfigError, match="kind 'bootstrap' needs a generator, such as numpy"):
        fit.confidence_intervals(kind="bootstrap")
    with pytest.raises(ConfigError, match="refits 1; expected at least 2"):
        fit.bootstrap(generator=np.random.default_rng(1), refits=1)
    with pytest.raises(ConfigError, match="level 95: expected a share between 0 and 1"):
        fit.bootstrap(generator=np.random.default_rng(1), refits=2).confidence_intervals(level=95)


def test_refuses_resamples_that_determine_nothing():
    """A base so small that one resample in ten or so shows no differences between customers."""
    some = cdnow().iloc[::40]
    fit = fit_bg_nbd(some)
    assert maximise(fit._estimation).model == fit.model
    with pytest.raises(
        FitError, match=r"3 of the first \d+ resamples of 59 customers .* determine no optimum, and quantiles"
    ):
        fit.bootstrap(generator=np.random.default_rng(1))
