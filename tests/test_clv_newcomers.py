"""New customers: what is expected of them, and why customers cut by the log's start must not be counted."""

import numpy as np
import pytest
from clv_cases import cdnow, simulate_bg_nbd

from crm_analysis.clv.models.bg_nbd import BgNbd, fit_bg_nbd
from crm_analysis.clv.worth.newcomers import forecast_new

TRUTH = BgNbd(r=0.6, alpha=4.0, a=0.8, b=2.5)


def test_is_the_models_expectation_with_its_error():
    fit = fit_bg_nbd(cdnow())
    new = forecast_new(fit, horizon="39 weeks")
    assert new.expected == fit.model.expected_purchases_new(horizon="39 weeks")
    error = fit.standard_error(lambda model: model.expected_purchases_new(horizon="39 weeks"))
    assert np.log(new.expected_high / new.expected) == pytest.approx(1.959964 * error / new.expected)
    assert new.expected_low * new.expected_high == pytest.approx(new.expected**2)
    narrow = forecast_new(fit, horizon="39 weeks", level=0.5)
    assert new.expected_low < narrow.expected_low < narrow.expected_high < new.expected_high
    assert new.n_fitted == 2357


def test_nothing_in_no_time():
    new = forecast_new(fit_bg_nbd(cdnow()), horizon="0 days")
    assert (new.expected, new.expected_low, new.expected_high) == (0, 0, 0)


def test_intervals_cover_the_truth():
    """100 bases; a share of 95% has a standard error of 2.2%."""
    truth, generator = TRUTH.expected_purchases_new(horizon="12 months"), np.random.default_rng(2)
    inside = []
    for _ in range(100):
        base = simulate_bg_nbd(600, generator, model=TRUTH, observed=(200, 500), ahead=1)
        new = forecast_new(fit_bg_nbd(base))
        inside.append(new.expected_low <= truth <= new.expected_high)
    assert 0.88 < np.mean(inside) <= 1
