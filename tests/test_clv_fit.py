"""The climb on surfaces made for it: where the summit is, when there is none, and what is said then."""

from dataclasses import replace

import numpy as np
import pytest

from crm_analysis.clv.fitting.fit import Estimation, Limit, maximise
from crm_analysis.clv.fitting.parameters import ParameterSet
from crm_analysis.errors import ConfigError, FitError


def estimation_of(surface, starts=((1.0, 1.0),), limits=()):
    """A two-parameter model whose log likelihood, in log parameters, is `surface`; slopes are differenced."""
    from dataclasses import dataclass

    @dataclass(frozen=True, kw_only=True)
    class Toy(ParameterSet):
        name = "Toy"
        a: float
        b: float

    def rows(parameters):
        at, step = np.log(parameters), 1e-6
        slope = [(surface(*(at + d)) - surface(*(at - d))) / (2 * step) for d in step * np.eye(2)]
        return np.array([surface(*at)]) / 100, (np.array(slope) / parameters)[:, None] / 100

    return Estimation("Toy", ("a", "b"), Toy, rows, np.array([100.0]), starts, limits, "100 toys")


def hill(x, y):
    """Summit at (log 2, log 3); variances 1 and 4 and correlation .6 in log parameters."""
    u, v = x - np.log(2), (y - np.log(3)) / 2
    return -(u**2 - 1.2 * u * v + v**2) / (2 * (1 - 0.36))


def test_finds_the_summit_its_spread_and_its_intervals():
    fit = maximise(estimation_of(hill))
    assert fit.model.parameters == pytest.approx({"a": 2, "b": 3}, rel=1e-4)
    in_logs = fit.covariance / np.outer([2, 3], [2, 3])
    np.testing.assert_allclose(in_logs, [[1, 1.2], [1.2, 4]], rtol=1e-3)
    for kind in ("log-wald", "profile"):  # of a normal surface they are the same
        limits = np.log(fit.confidence_intervals(kind=kind)[["low", "high"]])
        widths = np.array([1.0, 2.0])[:, None] * 1.959964 * np.array([-1, 1])
        np.testing.assert_allclose(limits, np.log([[2], [3]]) + widths, rtol=2e-3, atol=2e-3)
    assert fit.standard_error(lambda model: model.a * model.b) == pytest.approx(
        6 * np.sqrt(1 + 4 + 2.4), rel=1e-3
    )
    assert fit.standard_error(lambda model: np.array([model.a, 7.0])).tolist() == pytest.approx(
        [2, 0], rel=1e-3
    )
    wider = fit.confidence_intervals(level=0.99)
    assert (wider["high"] > fit.confidence_intervals()["high"]).all()


def test_drawn_models_scatter_like_the_covariance():
    fit, generator = maximise(estimation_of(hill)), np.random.default_rng(1)
    drawn = [np.log(list(fit.draw_model(generator).parameters.values())) for _ in range(4000)]
    np.testing.assert_allclose(np.cov(np.transpose(drawn)), [[1, 1.2], [1.2, 4]], rtol=0.1)


def shelf(height):
    """A hill at 0, and in the distance of `a` a plain that rises for ever."""
    return lambda x, y: np.exp(-(x**2)) + height / (1 + np.exp(6 - x)) + 1e-3 * x - y**2


LIMITS = (Limit(frozenset("a"), "infinity", "all toys are alike"),)


def test_a_second_start_is_tried_only_when_the_first_fails():
    lower = estimation_of(shelf(-2.0), starts=((np.exp(15.0), 1.0), (1.1, 1.0)), limits=LIMITS)
    fit = maximise(lower)
    assert len(fit.starts) == 2
    assert fit.model.a == pytest.approx(1, abs=0.01)
    assert fit.starts["a"].iloc[0] > 1e3
    assert len(maximise(estimation_of(shelf(-2.0), starts=((1.1, 1.0), (9.0, 1.0)))).starts) == 1


def test_a_summit_below_a_rising_plain_is_no_estimate():
    higher = estimation_of(shelf(5.0), starts=((np.exp(9.0), 1.0), (1.1, 1.0)), limits=LIMITS)
    with pytest.raises(
        FitError, match=r"after 2 starts, on 100 toys\. a runs to infinity: all toys are alike"
    ):
        maximise(higher)


def test_a_limit_without_a_name_is_still_told():
    plain = estimation_of(lambda x, y: 1e-3 * x - y**2)
    with pytest.raises(FitError, match="flat as a to infinity: the data do not determine them"):
        maximise(plain)


def test_profile_without_an_end_is_zero_or_infinity():
    """A surface that falls by no more than 1.5 in `a`: the 95% limit, a fall of 1.92, is never reached."""
    fit = maximise(estimation_of(lambda x, y: -1.5 * x**2 / (1 + x**2) - y**2))
    limits = fit.confidence_intervals(kind="profile").loc["a", ["low", "high"]]
    assert limits.tolist() == [0.0, np.inf]
    assert np.isfinite(fit.confidence_intervals(kind="profile").loc["b", "high"])


def test_profile_needs_no_log_likelihood_that_compares():
    """As of MBG/CNBD-k, fitted without the times between purchases."""
    fit = maximise(estimation_of(hill))
    unknown = replace(fit, log_likelihood=np.nan).confidence_intervals(kind="profile")
    np.testing.assert_allclose(unknown, fit.confidence_intervals(kind="profile"))


def test_refuses_an_unknown_kind_of_interval():
    with pytest.raises(ConfigError, match=r"kind 'wald'; known are \['bootstrap', 'log-wald', 'profile'\]"):
        maximise(estimation_of(hill)).confidence_intervals(kind="wald")
