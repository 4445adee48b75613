"""Limits of parameters: what they cover, and of coefficients, which may be negative."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from crm_analysis.clv.fitting.fit import Estimation, maximise
from crm_analysis.clv.fitting.parameters import ParameterSet
from crm_analysis.clv.models.nbd import Nbd, fit_nbd
from crm_analysis.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Line(ParameterSet):
    """A normal variable: mean `slope` (any number), standard deviation `spread`."""

    name = "Line"
    settings = ("slope",)  # not one of those checked to be positive
    slope: float
    spread: float

    @property
    def parameters(self):
        return {"slope": self.slope, "spread": self.spread}


def normal_fit(values, scale=1.0):
    def rows(parameters):
        slope, spread = parameters
        away = (values - slope) / spread
        return -np.log(spread) - away**2 / 2, np.stack([away / spread, (away**2 - 1) / spread])

    return maximise(
        Estimation(
            name="Line",
            parameters=("slope", "spread"),
            build=Line,
            rows=rows,
            weights=np.ones(len(values)),
            starts=[(0.0, scale)],
            limits=(),
            data=f"{len(values)} values",
            signed={"slope": scale},
        )
    )


@pytest.mark.parametrize("scale", [1.0, 1e6, 1e-6])
def test_a_coefficient_may_be_negative_and_of_any_size(scale):
    values = scale * np.random.default_rng(2).normal(-0.1, 2.0, 400)
    fit = normal_fit(values, scale)
    assert fit.model.slope == pytest.approx(values.mean(), rel=1e-5)
    assert fit.standard_errors["slope"] == pytest.approx(values.std() / 20, rel=1e-4)
    assert fit.standard_errors["spread"] == pytest.approx(values.std() / np.sqrt(800), rel=1e-4)
    wald = fit.confidence_intervals().loc["slope"]
    np.testing.assert_allclose(
        wald[["low", "high"]], values.mean() + np.array([-1, 1]) * 1.959964 * values.std() / 20, rtol=1e-3
    )
    assert wald["low"] < 0 < wald["high"]
    # The profile of a normal mean: n / 2 * log(1 + (away / sd)^2) falls by half the chi-square quantile.
    profile = fit.confidence_intervals(kind="profile").loc["slope"]
    away = values.std() * np.sqrt(np.expm1(3.841459 / 400))
    np.testing.assert_allclose(profile[["low", "high"]], values.mean() + np.array([-away, away]), rtol=2e-3)
    resampled = fit.confidence_intervals(kind="bootstrap", generator=np.random.default_rng(3)).loc["slope"]
    assert resampled["high"] - resampled["low"] == pytest.approx(4 * values.std() / 20, rel=0.2)


def test_drawn_coefficients_scatter_around_the_estimate():
    fit = normal_fit(np.random.default_rng(2).normal(-0.1, 2.0, 400))
    generator = np.random.default_rng(1)
    drawn = np.array([fit.draw_model(generator).slope for _ in range(2000)])
    assert drawn.mean() == pytest.approx(fit.model.slope, abs=0.01)
    assert drawn.std() == pytest.approx(fit.standard_errors["slope"], rel=0.08)
    assert fit.standard_error(lambda model: 3 * model.slope) == pytest.approx(
        3 * fit.standard_errors["slope"], rel=1e-4
    )


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    """150 bases of NBD: about 142 should; standard errors a third too small would cover in 121."""
    truth = Nbd(r=0.8, alpha=10.0)
    covered = pd.DataFrame(nbd_base(truth, np.random.default_rng([9, i])) for i in range(150)).sum()
    assert covered.between(134, 149).all(), covered.to_dict()


def nbd_base(truth, generator):
    t_observed = generator.integers(200, 500, 400)
    n_repeat = generator.poisson(generator.gamma(truth.r, 1 / truth.alpha, 400) * t_observed / 7)
    customers = pd.DataFrame(
        {"n_repeat": n_repeat, "t_last": np.where(n_repeat > 0, t_observed, 0), "t_observed": t_observed}
    )
    fit = fit_nbd(customers)
    limits, true = fit.confidence_intervals(), pd.Series(truth.parameters)
    inside = (limits["low"] < true) & (true < limits["high"])

    def total(model):
        return float(np.log(model.expected_purchases(customers, horizon="52 weeks").sum()))

    near = abs(total(fit.model) - total(truth)) < 1.96 * fit.standard_error(total)
    return {**inside.to_dict(), "total": near}


def test_refuses_a_level_that_is_no_share():
    fit = normal_fit(np.random.default_rng(2).normal(-0.1, 2.0, 50))
    for kind in ("log-wald", "profile"):
        with pytest.raises(ConfigError, match=r"level 95: expected a share between 0 and 1, such as 0\.95"):
            fit.confidence_intervals(kind=kind, level=95)
