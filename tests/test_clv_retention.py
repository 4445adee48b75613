"""Models of renewals: recovered, calibrated against the truth, identities, refused.

Published numbers are in tests/published/discrete.py.
"""

import numpy as np
import pandas as pd
import pytest
from published.discrete import COHORTS, renewals
from scipy.optimize import check_grad
from scipy.special import betaln, hyp2f1

import crm_analysis as crm
from crm_analysis.clv.contracts import retention_fits
from crm_analysis.clv.contracts.retention import Bdw, Dw, Geometric, Sbg, digamma_rise, log_rise
from crm_analysis.clv.contracts.tenures import contract_tenures
from crm_analysis.errors import ConfigError, DataError, FitError

SBG, BDW = Sbg(alpha=0.7, beta=1.2), Bdw(alpha=0.5, beta=2.0, c=1.4)
MODELS = [SBG, BDW, Dw(theta=0.3, c=0.6), Geometric(theta=0.2)]
FITS = {
    Sbg: crm.clv.fit_sbg,
    Bdw: crm.clv.fit_bdw,
    Dw: crm.clv.fit_dw,
    Geometric: crm.clv.fit_geometric,
}
NAMED = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)


def simulate(n: int, generator: np.random.Generator, *, model: Bdw, seen: tuple[int, int]) -> pd.DataFrame:
    """Customers whose own chance theta decides renewal by renewal; cohorts of differing ages."""
    theta = generator.beta(model.alpha, model.beta, n)
    observed = generator.integers(seen[0], seen[1] + 1, n)
    tenure, ended, further = np.zeros(n, int), np.zeros(n, bool), np.zeros(n, int)
    there = np.ones(n, bool)
    for t in range(1, seen[1] + 6):
        stays = (1 - theta) ** (t**model.c - (t - 1) ** model.c)
        renews = generator.random(n) < stays
        due = there & (t <= observed)
        tenure[due] = t
        ended |= due & ~renews
        there &= renews
        further += there & (t > observed) & (t <= observed + 5)
    return pd.DataFrame({"tenure": tenure, "ended": ended, "further": further})


@pytest.fixture(scope="module")
def truth():
    return simulate(60_000, np.random.default_rng(8), model=BDW, seen=(3, 9))


# Recovered and calibrated.


@NAMED
def test_exact_survivors_give_back_the_model(model):
    survivors = np.round(1e9 * model.survival(12)).astype(int).tolist()
    fit = FITS[type(model)](survivors)
    assert fit.model.parameters == pytest.approx(model.parameters, rel=1e-3)


def test_forecasts_are_recovered_from_customers_of_differing_ages(truth):
    fit = crm.clv.fit_bdw(truth)
    distance = (pd.Series(fit.model.parameters) - pd.Series(BDW.parameters)) / fit.standard_errors
    assert (distance.abs() < 4).all()
    running = truth[~truth["ended"]]
    ahead = fit.model.expected_renewals(running["tenure"], horizon=5).sum()
    assert ahead == pytest.approx(running["further"].sum(), rel=0.02)


def test_further_renewals_are_those_made(truth):
    """By tenure, against the truth of the simulation."""
    running = truth[~truth["ended"]]
    for tenure, group in running.groupby("tenure"):
        error = group["further"].std() / np.sqrt(len(group))
        assert abs(group["further"].mean() - BDW.expected_renewals(tenure, horizon=5)) < 4 * error
        renewed = (group["further"] > 0).mean()
        chance = BDW.p_renew(tenure)
        assert abs(renewed - chance) < 4 * np.sqrt(chance * (1 - chance) / len(group))


def test_intervals_cover_the_truth():
    """95% intervals of S(12) and of the discounted renewals, over 200 cohorts of 2,000 seen for 7 years."""
    generator, covered = np.random.default_rng(5), np.zeros(2)
    chances = -np.diff(SBG.survival(7), append=0)
    quantities = [
        lambda model: model.survival(12)[12],
        lambda model: model.discounted_renewals(3, next_renewal="now", annual_discount_rate=0.1),
    ]
    for _ in range(200):
        lost = generator.multinomial(2000, chances)
        fit = crm.clv.fit_sbg(np.append(2000, 2000 - np.cumsum(lost)[:-1]))
        for i, quantity in enumerate(quantities):
            spread = np.exp(1.96 * fit.standard_error(quantity) / quantity(fit.model))
            covered[i] += 1 / spread < quantity(SBG) / quantity(fit.model) < spread
    assert (covered / 200 > 0.90).all()
    assert (covered / 200 < 0.99).all()


# Identities.


def test_bdw_with_c_1_is_sbg():
    same = Bdw(**SBG.parameters, c=1)
    np.testing.assert_allclose(same.survival(30), SBG.survival(30))
    assert same.expected_renewals(2, horizon=9) == pytest.approx(SBG.expected_renewals(2, horizon=9))


def test_dw_with_c_1_is_constant_retention():
    np.testing.assert_allclose(Dw(theta=0.2, c=1).retention(9), 0.8)
    np.testing.assert_allclose(Geometric(theta=0.2).retention(9), 0.8)


def test_customers_alike_are_the_limit_of_many_alike():
    many = Bdw(alpha=0.2e9, beta=0.8e9, c=0.7)
    np.testing.assert_allclose(many.survival(20), Dw(theta=0.2, c=0.7).survival(20), rtol=1e-6)


def test_retention_of_sbg_rises_as_in_the_paper():
    t = np.arange(1, 8)
    np.testing.assert_allclose(SBG.retention(7), (1.2 + t - 1) / (0.7 + 1.2 + t - 1))
    assert SBG.p_renew(3) == pytest.approx(SBG.retention(4)[4])


@NAMED
def test_survival_starts_at_1_and_is_the_product_of_retention(model):
    survival = model.survival(15)
    assert survival[0] == 1
    np.testing.assert_allclose(survival[1:], model.retention(15).cumprod())


@NAMED
def test_residual_lives_add_up(model):
    """E[renewals] of a new customer is that up to the third, and what those left then have before them."""
    ahead = model.expected_renewals(0, horizon=40)
    first = model.expected_renewals(0, horizon=3)
    assert ahead == pytest.approx(first + model.survival(3)[3] * model.expected_renewals(3, horizon=37))


@NAMED
def test_discounting_is_the_sum_over_renewals(model):
    one_by_one = np.diff([0.0, *(model.expected_renewals(2, horizon=k) for k in range(1, 400))])
    present = (one_by_one / 1.2 ** np.arange(1, 400)).sum()
    later = model.discounted_renewals(2, next_renewal="in one period", rate_per_period=0.2)
    assert later == pytest.approx(present)
    now = model.discounted_renewals(2, next_renewal="now", rate_per_period=0.2)
    assert now == pytest.approx(1.2 * later)
    short = model.discounted_renewals(2, next_renewal="in one period", rate_per_period=0.2, horizon=4)
    assert short == pytest.approx((one_by_one[:4] / 1.2 ** np.arange(1, 5)).sum())
    free = model.discounted_renewals(2, next_renewal="now", rate_per_period=0, horizon=4)
    assert free == pytest.approx(model.expected_renewals(2, horizon=4))


def test_discounting_of_sbg_is_the_closed_form():
    """Fader & Hardie (2010), with the 2F1 of the renewals after the next."""
    for n in (0, 3, 20):
        closed = (1.2 + n) / (1.9 + n) * hyp2f1(1, 2.2 + n, 2.9 + n, 1 / 1.1)
        ours = SBG.discounted_renewals(n, next_renewal="now", annual_discount_rate=0.1)
        assert ours == pytest.approx(closed)


@pytest.mark.parametrize(("alpha", "beta", "n"), [(1.281, 7.79, 0), (1.01, 3, 5), (3, 1000, 4), (5, 0.1, 0)])
def test_a_whole_life_of_sbg_is_the_closed_form(alpha, beta, n):
    expected = (beta + n) / (alpha - 1)
    assert Sbg(alpha=alpha, beta=beta).expected_renewals(n) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(
    "model", [Dw(theta=0.2, c=0.5), Dw(theta=0.01, c=1.5), Bdw(alpha=4, beta=2, c=1.1), Geometric(theta=0.01)]
)
def test_a_whole_life_is_the_sum(model):
    assert model.expected_renewals(2) == pytest.approx(model.expected_renewals(2, horizon=300_000), rel=1e-6)


def test_a_life_may_be_endless():
    assert SBG.expected_renewals(0) == np.inf
    assert BDW.expected_renewals(3) == np.inf
    assert np.isfinite(Bdw(alpha=0.8, beta=2, c=1.3).expected_renewals(0))


def test_value_of_a_new_customer_by_its_timing():
    later = SBG.discounted_renewals(0, next_renewal="in one period", annual_discount_rate=0.1)
    start = SBG.clv_new(margin=50, timing="start of period", annual_discount_rate=0.1)
    assert start == pytest.approx(50 * (1 + later))
    assert SBG.clv_new(margin=50, timing="end of period", annual_discount_rate=0.1) == pytest.approx(
        start / 1.1
    )
    assert SBG.clv_new(margin=50, timing="start of period", rate_per_period=0.3, horizon=1) == 50


def test_an_annual_rate_is_spread_over_the_periods_of_a_year():
    monthly = Sbg(**SBG.parameters, unit="1 month")
    annual = monthly.discounted_renewals(2, next_renewal="now", annual_discount_rate=0.1)
    per_month = monthly.discounted_renewals(2, next_renewal="now", rate_per_period=1.1 ** (1 / 12) - 1)
    assert annual == pytest.approx(per_month)


def test_many_renewals_at_once_are_those_one_by_one():
    made = pd.Series([3, 0, 3, 17], list("abcd"), name="made")
    for question in ("p_renew", "expected_renewals", "discounted_renewals"):
        how = {"horizon": 6} if question == "expected_renewals" else {}
        if question == "discounted_renewals":
            how = {"next_renewal": "now", "rate_per_period": 0.05}
        ours = getattr(BDW, question)(made, **how)
        np.testing.assert_allclose(ours, [getattr(BDW, question)(n, **how) for n in made])
        assert ours.index.tolist() == list("abcd")


@NAMED
def test_gradient_is_that_of_the_likelihood(model):
    slopes = getattr(retention_fits, f"_{type(model).__name__.lower()}_slopes")
    tenure, ended = np.array([0.0, 1, 1, 3, 7, 7]), np.array([False, True, False, True, True, False])
    total = lambda p, i: retention_fits.log_likelihood(np.asarray(p), tenure, ended, slopes)[i].sum(axis=-1)  # noqa: E731
    at = list(model.parameters.values())
    assert check_grad(lambda p: total(p, 0), lambda p: total(p, 1), at) < 1e-5
    assert check_grad(lambda p: total(p, 0), lambda p: total(p, 1), [0.7 * value for value in at]) < 1e-5


def test_large_parameters_keep_their_digits():
    """Against sums: rises of the log gamma function over 1, 7 and 200 steps."""
    for z in (1e4, 1e7):
        for u in (1, 7, 200):
            steps = z + np.arange(u)
            assert float(log_rise(z, np.array(float(u)))) == pytest.approx(np.log(steps).sum(), rel=1e-13)
            assert float(digamma_rise(z, np.array(float(u)))) == pytest.approx((1 / steps).sum(), rel=1e-13)
    wide = Sbg(alpha=2e6, beta=8e6).survival(200)
    np.testing.assert_allclose(
        np.log(wide), betaln(2e6, 8e6 + np.arange(201)) - betaln(2e6, 8e6), rtol=1e-6, atol=1e-8
    )


def test_cohorts_together_say_what_customers_say(truth):
    """The same contracts one by one, counted, and as survivors per cohort."""
    one_by_one, counted = crm.clv.fit_sbg(truth), crm.clv.fit_sbg(contract_tenures(truth))
    cohort = simulate(5000, np.random.default_rng(1), model=BDW, seen=(6, 6))
    left = [5000, *(5000 - int((cohort["ended"] & (cohort["tenure"] <= t)).sum()) for t in range(1, 7))]
    short = [300, 200, 150, np.nan, np.nan, np.nan, np.nan]
    both = pd.DataFrame([left, short], ["2018", "2022"])
    rows = pd.concat([cohort, contract_tenures([300, 200, 150])]).fillna({"n_customers": 1})
    assert counted.log_likelihood == pytest.approx(one_by_one.log_likelihood)
    assert crm.clv.fit_sbg(both).log_likelihood == pytest.approx(crm.clv.fit_sbg(rows).log_likelihood)
    assert counted.n_customers == len(truth)


def test_ten_million_customers_and_200_periods():
    survivors = np.round(1e7 * BDW.survival(200)).astype(int)
    fit = crm.clv.fit_bdw(survivors)
    assert fit.model.parameters == pytest.approx(BDW.parameters, rel=1e-4)
    assert fit.n_customers == 10_000_000


def test_bdw_gains_over_sbg_only_where_retention_moves_with_tenure():
    """High End, 4 renewals: the published 4.77; on survivors of an sBG the gain is none."""
    assert (
        crm.clv.likelihood_ratio(renewals("sBG", "High End", 4), renewals("BdW", "High End", 4)).p_value
        < 0.03
    )
    survivors = np.round(2000 * SBG.survival(9)).astype(int)
    none = crm.clv.likelihood_ratio(crm.clv.fit_sbg(survivors), crm.clv.fit_bdw(survivors))
    assert none.statistic < 0.5


def test_profile_intervals_are_near_those_of_the_logarithm():
    fit = renewals("sBG", "Regular", 7)
    wald, profile = (fit.confidence_intervals(kind=kind) for kind in ("log-wald", "profile"))
    np.testing.assert_allclose(wald, profile, rtol=0.05)


def test_survivors_are_read_as_published():
    table = contract_tenures(COHORTS["Regular"][:3])
    assert table.to_numpy().tolist() == [[1, True, 369.0], [2, False, 468.0], [2, True, 163.0]]


# Refused.


def exactly(model, n=100_000, periods=8):
    return np.round(n * model.survival(periods)).astype(int)


@pytest.mark.parametrize(
    ("fit", "survivors", "message"),
    [
        (
            "sbg",
            exactly(Geometric(theta=0.2)),
            "alpha and beta run to infinity: all customers renew with the same",
        ),
        (
            "sbg",
            exactly(Dw(theta=0.2, c=1.4)),
            "alpha and beta run to infinity: all customers renew with the same",
        ),
        (
            "bdw",
            exactly(Dw(theta=0.2, c=1.4)),
            "alpha and beta run to infinity: customers do not differ beyond",
        ),
        (
            "sbg",
            [10_000, 6000, 6000, 6000],
            "alpha and beta run to 0: customers leave at the first renewal or never",
        ),
        ("dw", [10_000, 6000, 6000, 6000], "c runs to 0: customers leave at the first renewal or never"),
        ("bdw", [10_000, 6000, 6000, 6000], "c runs to 0: customers leave at the first renewal or never"),
        (
            "dw",
            [1000, 800, 0],
            "c runs to infinity: all who stay beyond the first renewal leave at the same one",
        ),
        ("sbg", [1000, 1000, 1000], "nobody has left, on 1,000 contracts of which 0 ended"),
        ("geometric", [1000, 0, 0], "nobody was left after the first renewal"),
        ("sbg", [1000, 600], "1 renewal seen, .* for 2 parameters; expected at least 2"),
        ("bdw", [1000, 600, 500], "2 renewals seen, .* for 3 parameters; expected at least 3"),
    ],
)
def test_what_is_not_determined_is_named(fit, survivors, message):
    with pytest.raises(FitError, match=message):
        getattr(crm.clv, f"fit_{fit}")(survivors)


@pytest.mark.parametrize(
    ("survivors", "message"),
    [
        ([100, 63.1, 46.8], "expected whole numbers of customers; shares become counts"),
        ([1000, 600, 650], "they grow at renewal 2; a cohort only loses customers"),
        ([1000, -5], "expected whole numbers of customers"),
        ([], "expected customers at the start and after each renewal"),
        (pd.DataFrame([[100, np.nan, 50]], ["2019"]), "cohort '2019' has a gap"),
    ],
)
def test_survivors_that_are_none_are_refused(survivors, message):
    with pytest.raises(DataError, match=message):
        crm.clv.fit_sbg(survivors)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(0, True)], r"ended before its first period was over \(tenure 0\) in 1 of 2 rows, first 1"),
        ([(-1, False)], "missing, negative or not whole"),
        ([(2.5, False)], "missing, negative or not whole .* tenure 2.5"),
        ([(2, "yes")], "ended must be True or False"),
        ([(2, None)], "ended must be True or False"),
    ],
)
def test_impossible_tenures_are_refused(rows, message):
    table = pd.DataFrame([(3, False), *rows], columns=["tenure", "ended"])
    with pytest.raises(DataError, match=message):
        contract_tenures(table)


def test_purchases_are_no_contracts():
    table = pd.DataFrame({"n_repeat": [1], "t_last": [10], "t_observed": [20]})
    with pytest.raises(
        DataError, match=r"stay away without saying.*Use fit_mbg_nbd, fit_pareto_nbd or fit_bg_nbd"
    ):
        crm.clv.fit_sbg(table)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"next_renewal": "soon", "rate_per_period": 0.1}, "next_renewal 'soon': expected one of"),
        ({"next_renewal": "now"}, "give either annual_discount_rate or rate_per_period, got None and None"),
        ({"next_renewal": "now", "rate_per_period": 0.1, "annual_discount_rate": 0.1}, "got 0.1 and 0.1"),
        ({"next_renewal": "now", "rate_per_period": 10}, "expected a share"),
        ({"next_renewal": "now", "rate_per_period": 1e-6}, "give a horizon, or longer periods"),
    ],
)
def test_questions_without_an_answer_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        SBG.discounted_renewals(1, **arguments)


def test_timing_has_no_default():
    with pytest.raises(ConfigError, match="timing 'later': expected one of"):
        SBG.clv_new(margin=1, timing="later", rate_per_period=0.1)
    with pytest.raises(ConfigError, match="horizon 0: expected a number of periods"):
        SBG.clv_new(margin=1, timing="start of period", rate_per_period=0.1, horizon=0)
    with pytest.raises(ConfigError, match=r"renewals \[-1\]: expected whole numbers from 0"):
        SBG.expected_renewals(pd.Series([-1]), horizon=3)


def test_probabilities_are_below_1():
    with pytest.raises(ConfigError, match=r"dW: theta must be a probability below 1, got 1\.2"):
        Dw(theta=1.2, c=1)


def test_models_are_stored_and_read_back():
    for model in MODELS:
        assert type(model).from_dict(model.to_dict()) == model
