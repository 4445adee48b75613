"""Purchase models where usual code overflows: heavy buyers, decades of days, a thousand purchases, nobody."""

import numpy as np
import pandas as pd
import pytest
from clv_cases import simulate_bg_nbd, simulate_pareto_nbd
from scipy.special import betaln
from scipy.stats import nbinom

from crm_analysis.clv.fitting.starts import MANY, sample
from crm_analysis.clv.fitting.tables import HistoryTables
from crm_analysis.clv.histories import Histories, purchase_histories
from crm_analysis.clv.models.bg_nbd import BgNbd, fit_bg_nbd
from crm_analysis.clv.models.leaving import log_likelihood
from crm_analysis.clv.models.mbg_cnbd import MbgCnbd, fit_mbg_cnbd
from crm_analysis.clv.models.mbg_nbd import MbgNbd, fit_mbg_nbd
from crm_analysis.clv.models.nbd import Nbd, fit_nbd
from crm_analysis.clv.models.pareto_nbd import ParetoNbd, fit_pareto_nbd
from crm_analysis.errors import FitError

MODELS = [
    BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426),
    MbgNbd(r=0.525, alpha=6.183, a=0.891, b=1.614),
    MbgCnbd(r=0.85, alpha=1.45, a=0.79, b=2.42, k=3),
    ParetoNbd(r=0.553, alpha=10.578, s=0.606, beta=11.669),
    Nbd(r=0.385, alpha=12.072),
]
FITS = [fit_bg_nbd, fit_mbg_nbd, lambda customers: fit_mbg_cnbd(customers, k=2), fit_pareto_nbd, fit_nbd]
# Thirty years of days: a purchase on nearly every one, on every other one, on one, on none.
THIRTY_YEARS = pd.DataFrame(
    {"n_repeat": [10_900, 5_000, 1, 0], "t_last": [10_956, 10_950, 10_957, 0], "t_observed": 10_957}
)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_thirty_years_of_days_give_finite_answers_that_agree(model):
    p_alive = model.p_alive(THIRTY_YEARS)
    assert p_alive.between(0, 1).all()
    expected = model.expected_purchases(THIRTY_YEARS, horizon="10 years")
    assert np.isfinite(expected).all()
    assert (expected >= 0).all()
    assert model.purchase_variance(THIRTY_YEARS, horizon="10 years").min() >= 0
    life = model.discounted_purchases(THIRTY_YEARS, annual_discount_rate=0.1)
    year = model.discounted_purchases(THIRTY_YEARS, annual_discount_rate=0.1, horizon="12 months")
    assert (life > year).all()
    # Who buys every day and did so yesterday will buy tomorrow, if still a customer.
    soon = model.expected_purchases(THIRTY_YEARS, horizon="7 days") / p_alive
    assert soon[0] == pytest.approx(7 * 10_900 / 10_957, rel=0.05)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_thousand_purchases_have_a_probability(model):
    for n in (1, 200, 1000, 3000):
        counts = pd.Series(n, THIRTY_YEARS.index)
        assert model.count_probability(THIRTY_YEARS, counts, horizon="10 years").between(0, 1).all()
    new = model.purchase_distribution_new(horizon="39 weeks", up_to=1000)
    assert new.sum() == pytest.approx(1, abs=1e-9)


def test_small_probabilities_keep_their_digits():
    """P(exactly n) is no difference of two tails that agree in all digits."""
    share = 39 / (12.072 + 39)
    ours = MODELS[-1].purchase_distribution_new(horizon="39 weeks", up_to=1000)
    theirs = nbinom(0.385, 1 - share).logpmf([0, 10, 200, 1000])
    np.testing.assert_allclose(np.log(ours[[0, 10, 200, 1000]]), theirs, rtol=1e-11)
    # BG/NBD: all n purchases and no leaving, or leaving after the n-th; written out.
    model, n = MODELS[0], 300
    nbd = nbinom(model.r, model.alpha / (model.alpha + 39))
    stays = np.exp(betaln(model.a, model.b + n) - betaln(model.a, model.b))
    leaves = np.exp(betaln(model.a + 1, model.b + n - 1) - betaln(model.a, model.b))
    expected = stays * nbd.pmf(n) + leaves * nbd.sf(n - 1)
    ours = model.purchase_distribution_new(horizon="39 weeks", up_to=n)
    assert ours[n] == pytest.approx(expected, rel=1e-10)


def test_counts_of_each_customer_are_the_distribution():
    for model in MODELS:
        table = model.purchase_distribution(THIRTY_YEARS, horizon="52 weeks", up_to=3)
        for n in range(4):
            counts = pd.Series(n, THIRTY_YEARS.index)
            one = model.count_probability(THIRTY_YEARS, counts, horizon="52 weeks")
            np.testing.assert_allclose(one, table[n], rtol=1e-12)


@pytest.mark.parametrize("fit", FITS)
def test_one_customer_and_none_are_refused_with_a_sentence(fit):
    one = pd.DataFrame({"n_repeat": [3], "t_last": [100], "t_observed": [120]})
    with pytest.raises(FitError, match="on 1 customers of whom 0% never came back"):
        fit(one)
    with pytest.raises(FitError, match="nothing to fit, on 0 customers"):
        fit(one.iloc[:0])
    with pytest.raises(FitError, match="nothing to fit, on 1 customers of whom 100% never came back"):
        fit(one.assign(n_repeat=0, t_last=0))


@pytest.mark.parametrize("early", [0, 1])
def test_tables_change_no_likelihood(early):
    """Looked up per distinct number or computed for each: the same, on days or off them."""
    histories = purchase_histories(THIRTY_YEARS.loc[[1, 2, 3] * 20_000], unit="7D")
    at = np.array([0.5, 6.0, 0.9, 1.6])
    plain = log_likelihood(at, histories, early=early)
    tabled = log_likelihood(at, histories, early=early, tables=HistoryTables.of(histories, unit="7D"))
    np.testing.assert_allclose(tabled[0], plain[0], rtol=1e-13)
    np.testing.assert_allclose(tabled[1], plain[1], rtol=1e-11, atol=1e-13)
    off = Histories(histories.n_repeat, histories.t_last + 0.01, histories.t_observed + 0.02, np.ones(60_000))
    assert HistoryTables.of(off, unit="7D").t_last.place is None
    each = np.repeat(at[:, None], 60_000, axis=1)
    np.testing.assert_allclose(log_likelihood(each, histories, early=early)[1], plain[1], rtol=1e-13)


def test_a_sample_is_as_mixed_as_the_whole():
    generator = np.random.default_rng(1)
    x = np.sort(generator.poisson(2.0, 50_000)).astype(float)
    whole = Histories(x, x, x + 1, generator.integers(1, 5, 50_000).astype(float))
    some = sample(whole, 5_000)
    assert some.n_customers.sum() == pytest.approx(5_000, abs=1)
    means = [(h.n_customers @ h.n_repeat) / h.n_customers.sum() for h in (whole, some)]
    assert means[1] == pytest.approx(means[0], abs=2e-3)  # at random it would be within 0.02


@pytest.mark.parametrize(
    ("fit", "simulate", "model"),
    [(fit_bg_nbd, simulate_bg_nbd, MODELS[0]), (fit_pareto_nbd, simulate_pareto_nbd, MODELS[3])],
    ids=["BG/NBD", "Pareto/NBD"],
)
def test_many_histories_lead_to_the_same_summit_from_a_sample(fit, simulate, model):
    """More distinct histories than are climbed at once: the summit is that of the whole."""
    customers = simulate(70_000, np.random.default_rng(2), model=model, observed=(200, 1800), ahead=0)
    assert len(customers.drop_duplicates(["n_repeat", "t_last", "t_observed"])) > MANY
    found = fit(customers)
    at = np.array(list(found.model.parameters.values()))
    value, slope = found._estimation.log_likelihood(at)
    assert value == pytest.approx(found.log_likelihood, rel=1e-12)
    assert slope @ found.covariance.to_numpy() @ slope < 1e-6
    assert len(found.starts) == 1
    assert found.n_customers == len(customers)
    off = pd.Series(found.model.parameters) - pd.Series(model.parameters)
    assert (off.abs() < 5 * found.standard_errors).all()
