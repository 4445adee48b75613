"""Spend by frequency band: recovered, calibrated where amounts rise with frequency, identities, refused."""

import numpy as np
import pandas as pd
import pytest
from clv_cases import cdnow, simulate_amounts, within_errors

from crm_analysis.clv.models.bg_nbd import BgNbd
from crm_analysis.clv.models.gamma_gamma import Averages, GammaGamma, fit_gamma_gamma
from crm_analysis.clv.models.spend import (
    BandedGammaGamma,
    _banded_likelihood,
    band_amounts,
    fit_banded_gamma_gamma,
    fit_spend,
    new_customer_amount,
)
from crm_analysis.errors import FitError

TRUTH = GammaGamma(p=6.25, q=3.74, gamma=15.44)
BAND = {0: 1.0, 1: 1.0, 2: 1.5, 3: 1.5}  # amounts of a customer are so many times as large; 4 and more: 3


def base(seed: int, *, depends: bool, n: int = 20_000) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    n_repeat = generator.poisson(generator.gamma(0.6, 3.0, n))
    amounts = simulate_amounts(n_repeat, generator, model=TRUTH)
    times = np.array([BAND.get(k, 3.0) for k in n_repeat]) if depends else 1.0
    return amounts.assign(
        mean_repeat_amount=amounts["mean_repeat_amount"] * times, own_mean=amounts["own_mean"] * times
    )


@pytest.fixture(scope="module")
def rising():
    return base(5, depends=True)


@pytest.fixture(scope="module")
def banded(rising):
    return fit_spend(rising)


# recovered, calibrated


def test_bands_are_fitted_where_frequency_and_amount_depend_on_each_other(banded):
    assert isinstance(banded.model, BandedGammaGamma)
    assert isinstance(fit_spend(base(5, depends=False)).model, GammaGamma)


def test_on_cdnow_frequent_buyers_spend_more_per_purchase():
    """Twice the gain in log likelihood is 37 for two parameters; means of $30.6, $36.2 and $43.1."""
    banded, single = fit_spend(cdnow()), fit_gamma_gamma(cdnow())
    assert 2 * (banded.log_likelihood - single.log_likelihood) == pytest.approx(37.2, abs=0.1)
    assert band_amounts(banded)["mean_amount"].tolist() == pytest.approx([30.6, 36.2, 43.1], abs=0.05)


def test_recovers_the_level_of_every_band(banded):
    intervals = banded.confidence_intervals(level=0.999)
    truth = pd.Series({"p": 6.25, "q": 3.74, "gamma_1": 15.44, "gamma_2": 1.5 * 15.44, "gamma_4": 3 * 15.44})
    assert ((intervals["low"] < truth) & (truth < intervals["high"])).all()
    table = band_amounts(banded)
    means = TRUTH.mean * np.array([1, 1.5, 3])
    assert ((table["mean_amount_low"] < means) & (means < table["mean_amount_high"])).all()
    assert table["mean_amount"].to_numpy() == pytest.approx(means, rel=0.03)


@pytest.mark.parametrize("bought", [(0, 0), (1, 1), (2, 3), (4, 1000)], ids=str)
def test_expected_amount_agrees_with_each_customers_own_mean(rising, banded, bought):
    group = rising[rising["n_paid_repeat"].between(*bought)]
    assert within_errors(group["own_mean"], banded.model.expected_amount(group))
    if bought[0]:
        high = group[group["mean_repeat_amount"] > group["mean_repeat_amount"].median()]
        assert within_errors(high["own_mean"], banded.model.expected_amount(high))


def test_one_gamma_gamma_overrates_those_who_bought_once(rising):
    """What the bands are for: without them one-time buyers are expected to spend like the best customers."""
    once = rising[rising["n_paid_repeat"] == 0]
    pooled = fit_gamma_gamma(rising).model.expected_amount(once).iloc[0]
    assert pooled > 1.2 * once["own_mean"].mean()


def test_amounts_rising_with_the_rate_of_buying_itself_are_expected_right():
    """Bands see purchases made, not the rate behind them: within 5% of the truth in each, 25% without."""
    generator = np.random.default_rng(9)
    rate = generator.gamma(0.8, 4.0, 40_000)
    amounts = simulate_amounts(generator.poisson(rate), generator, model=TRUTH)
    times = (0.3 + rate) ** 0.3
    customers = amounts.assign(
        mean_repeat_amount=amounts["mean_repeat_amount"] * times, own_mean=amounts["own_mean"] * times
    )
    n = customers["n_paid_repeat"]
    group = np.select([n == 0, n == 1, n <= 3], ["0", "1", "2-3"], "4+")
    actual = customers["own_mean"].groupby(group).mean()
    by_band = fit_spend(customers).model.expected_amount(customers).groupby(group).mean()
    pooled = fit_gamma_gamma(customers).model.expected_amount(customers).groupby(group).mean()
    assert (by_band / actual - 1).abs()[["1", "2-3", "4+"]].max() < 0.02
    assert 0 < by_band["0"] / actual["0"] - 1 < 0.25  # the lowest band stands in for those never seen again
    assert pooled["0"] / actual["0"] - 1 > 2 * (by_band["0"] / actual["0"] - 1)


# identities


def test_equal_bands_are_one_gamma_gamma():
    same = BandedGammaGamma(p=6.25, q=3.74, gamma_1=15.44, gamma_2=15.44, gamma_4=15.44)
    pd.testing.assert_series_equal(same.expected_amount(cdnow()), TRUTH.expected_amount(cdnow()))
    assert same.mean == pytest.approx(TRUTH.mean)


def test_gradient_is_the_slope_of_the_log_likelihood(rising):
    some = rising[rising["n_paid_repeat"] > 0].iloc[:200]
    averages = Averages.read(some, name="")
    band = np.select([averages.n == 1, averages.n <= 3], [0, 1], 2)
    at = np.array([3.0, 2.0, 9.0, 12.0, 20.0])
    slope = _banded_likelihood(at, averages, band)[1]
    for i, step in enumerate(1e-6 * at):
        shift = step * np.eye(5)[i]
        rise = (
            _banded_likelihood(at + shift, averages, band)[0]
            - _banded_likelihood(at - shift, averages, band)[0]
        )
        np.testing.assert_allclose(slope[i], rise / (2 * step), rtol=1e-5, atol=1e-6)


def test_the_expected_amount_moves_towards_the_own_average_as_purchases_are_made(banded):
    n = np.arange(0, 41)
    grown = pd.DataFrame({"n_paid_repeat": n, "mean_repeat_amount": np.where(n > 0, 500.0, np.nan)})
    expected = banded.model.expected_amount(grown)
    assert expected[0] == pytest.approx(banded.model.mean)
    assert expected.is_monotonic_increasing
    assert 450 < expected[40] < 500


def test_a_stored_model_is_the_same(banded):
    assert BandedGammaGamma.from_dict(banded.model.to_dict()) == banded.model


def test_what_new_customers_spend_is_weighted_by_their_purchases(banded):
    purchases = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
    chances = purchases.purchase_distribution_new(horizon="12 months", up_to=300)
    band = np.array([0, 1, 1])
    means = banded.model.mean_amount(np.array([1.0, 2.0, 4.0]))
    n = np.arange(1, 301)
    amounts = np.where(n < 4, means[band[np.minimum(n, 3) - 1]], means[2])
    expected = (n * chances[1:] * amounts).sum() / (n * chances[1:]).sum()
    assert new_customer_amount(banded.model, purchases) == pytest.approx(expected, rel=1e-3)
    assert new_customer_amount(TRUTH, purchases) == pytest.approx(TRUTH.mean)


# refused


def test_a_band_of_few_customers_is_not_fitted():
    few = base(5, depends=True)
    few = few[(few["n_paid_repeat"] < 4) | (np.arange(len(few)) < 100)]
    assert (few["n_paid_repeat"] >= 4).sum() < 50
    assert isinstance(fit_spend(few).model, GammaGamma)


def test_refuses_bands_that_the_customers_do_not_determine():
    once = base(5, depends=True).query("n_paid_repeat < 2")
    with pytest.raises(FitError, match="Gamma-Gamma by frequency: no optimum"):
        fit_banded_gamma_gamma(once)


def test_an_infinite_mean_is_refused_by_name():
    heavy = BandedGammaGamma(p=2.0, q=0.8, gamma_1=10.0, gamma_2=12.0, gamma_4=15.0)
    nobody = pd.DataFrame({"n_paid_repeat": [0], "mean_repeat_amount": [np.nan]})
    with pytest.raises(FitError, match=r"Gamma-Gamma by frequency: q = 0\.8, so the mean amount"):
        heavy.expected_amount(nobody)
    assert heavy.mean == np.inf
    assert np.isinf(heavy.mean_amount(np.arange(5.0))).all()
