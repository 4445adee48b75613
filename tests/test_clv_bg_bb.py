"""BG/BB: published, recovered, calibrated against the truth, identities, refused; and its tables."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from clv_cases import lifetimes_file, within_errors
from published.discrete import donors
from scipy.optimize import check_grad
from scipy.special import betaln, hyp2f1
from scipy.stats import betabinom

import crm_analysis as crm
from crm_analysis.clv.models.bg_bb import BgBb, fit_bg_bb
from crm_analysis.clv.models.bg_bb_likelihood import log_likelihood
from crm_analysis.clv.models.opportunities import (
    opportunities_of,
    opportunity_histories,
    summarise_opportunities,
)
from crm_analysis.errors import ConfigError, DataError, FitError

MODEL = BgBb(alpha=1.2, beta=0.75, gamma=0.66, delta=2.78)
SHORT = BgBb(alpha=1.5, beta=2.5, gamma=2.0, delta=9.0)
CUSTOMERS = pd.DataFrame(
    {"n_repeat": [0, 0, 2, 6, 3], "last_opportunity": [0, 0, 4, 6, 9], "n_opportunities": [6, 0, 6, 6, 9]},
    list("abcde"),
)


def simulate(n: int, generator: np.random.Generator, *, model: BgBb, held: tuple[int, int], ahead: int):
    """Histories opportunity by opportunity, with the truth: alive after the last, and n_later in `ahead`."""
    observed = generator.integers(held[0], held[1] + 1, n)
    buys, leaves = generator.beta(model.alpha, model.beta, n), generator.beta(model.gamma, model.delta, n)
    there = np.ones(n, bool)
    alive, n_repeat, last, later = (np.zeros(n, int) for _ in range(4))
    for opportunity in range(1, held[1] + ahead + 1):
        alive[observed == opportunity - 1] = there[observed == opportunity - 1]
        there &= generator.random(n) >= leaves
        bought = there & (generator.random(n) < buys)
        seen = bought & (opportunity <= observed)
        n_repeat += seen
        last[seen] = opportunity
        later += bought & (opportunity > observed) & (opportunity <= observed + ahead)
    table = {"n_repeat": n_repeat, "last_opportunity": last, "n_opportunities": observed}
    return pd.DataFrame({**table, "alive": alive.astype(bool), "n_later": later})


@pytest.fixture(scope="module")
def truth():
    return simulate(40_000, np.random.default_rng(11), model=SHORT, held=(4, 12), ahead=6)


# Published: tests/published/discrete.py has the numbers; here is where they come from.


def test_the_donations_are_the_published_ones():
    assert donors()["n_customers"].sum() == 11_104
    assert lifetimes_file("donations.csv").exists()


def test_p_alive_of_the_papers_is_that_at_the_next_opportunity():
    fit = fit_bg_bb(donors())
    active = donors().query("last_opportunity == 6")
    assert (fit.model.p_alive(active) == 1).all()
    assert fit.model.p_alive(active, horizon="1 year").round(2).unique().tolist() == [0.93]


# Recovered.


def test_forecasts_are_recovered(truth):
    fit = fit_bg_bb(truth)
    ours = fit.model.expected_purchases(truth, horizon="6 years").sum()
    assert ours == pytest.approx(SHORT.expected_purchases(truth, horizon="6 years").sum(), rel=0.03)
    assert ours == pytest.approx(truth["n_later"].sum(), rel=0.03)


def test_estimates_lie_within_their_errors_of_the_truth(truth):
    fit = fit_bg_bb(truth)
    distance = (pd.Series(fit.model.parameters) - pd.Series(SHORT.parameters)) / fit.standard_errors
    assert (distance.abs() < 4).all()


# Calibrated against the truth.


def test_p_alive_is_the_share_alive(truth):
    chance = SHORT.p_alive(truth)
    assert truth["alive"][chance == 1].all()
    for low, high in ((0.1, 0.4), (0.4, 0.7), (0.7, 0.95)):
        group = chance.between(low, high, inclusive="left")
        assert group.sum() > 500
        assert within_errors(truth["alive"][group].astype(float), chance[group])


def test_purchases_ahead_are_those_made(truth):
    expected = SHORT.expected_purchases(truth, horizon="6 opportunities")
    chance = SHORT.p_buy(truth, horizon="6 opportunities")
    exceeded = (truth["n_later"] > SHORT.purchase_quantiles(truth, horizon="6 years", level=0.9)).mean()
    for _, group in truth.groupby(["n_repeat"]):
        if len(group) > 300:
            assert within_errors(group["n_later"].astype(float), expected[group.index])
            assert within_errors((group["n_later"] > 0).astype(float), chance[group.index])
    assert exceeded <= 0.1


def test_variance_is_that_of_what_is_made(truth):
    """Squared distance from the mean, in its own standard errors."""
    expected = SHORT.expected_purchases(truth, horizon="6 years")
    squared = (truth["n_later"] - expected) ** 2
    assert within_errors(squared, SHORT.purchase_variance(truth, horizon="6 years"))


def test_draws_are_of_the_expected_mean_and_variance():
    many = CUSTOMERS.loc[["c"] * 20_000].reset_index(drop=True)
    drawn = MODEL.draw_purchases(many, horizon="8 years", generator=np.random.default_rng(2)).astype(float)
    assert within_errors(drawn, MODEL.expected_purchases(CUSTOMERS, horizon="8 years")["c"])
    assert drawn.var() == pytest.approx(MODEL.purchase_variance(CUSTOMERS, horizon="8 years")["c"], rel=0.04)


def test_an_interval_covers_the_mean_of_the_truth(truth):
    fit = fit_bg_bb(truth)
    distinct = truth.iloc[:200]
    error = fit.standard_error(lambda model: model.expected_purchases(distinct, horizon="6 years"))
    distance = fit.model.expected_purchases(distinct, horizon="6 years") - SHORT.expected_purchases(
        distinct, horizon="6 years"
    )
    assert ((distance / error).abs() < 4).all()


# Identities.


def test_the_base_adds_up_to_the_forecast_for_newcomers():
    """E[X(10)] = E[X(4)] + E[E[X(4, 10) | history]], over all histories of 4 opportunities."""
    incidence = pd.DataFrame([[1, *(i >> k & 1 for k in range(4))] for i in range(16)])
    histories = opportunities_of(incidence)
    values, _ = log_likelihood(np.array(list(MODEL.parameters.values())), opportunity_histories(histories)[0])
    chance = np.exp(values)[opportunity_histories(histories)[1]]
    assert chance.sum() == pytest.approx(1)
    ahead = (chance * MODEL.expected_purchases(histories, horizon="6 years")).sum()
    so_far = MODEL.expected_purchases_new(horizon="4 years")
    assert so_far + ahead == pytest.approx(MODEL.expected_purchases_new(horizon="10 years"))
    assert (chance * MODEL.p_alive(histories)).sum() == pytest.approx(
        np.exp(betaln(MODEL.gamma, MODEL.delta + 4) - betaln(MODEL.gamma, MODEL.delta))
    )


def test_answers_agree_with_the_distribution():
    chances = MODEL.purchase_distribution(CUSTOMERS, horizon="7 years", up_to=9)
    n = np.arange(10)
    mean = MODEL.expected_purchases(CUSTOMERS, horizon="7 years")
    np.testing.assert_allclose(chances.sum(axis="columns"), 1)
    np.testing.assert_allclose(chances[[8, 9]], 0)
    np.testing.assert_allclose(chances @ n, mean)
    variance = MODEL.purchase_variance(CUSTOMERS, horizon="7 years")
    np.testing.assert_allclose(chances @ n**2 - mean**2, variance)
    np.testing.assert_allclose(1 - chances[0], MODEL.p_buy(CUSTOMERS, horizon="7 years"))
    quantile = MODEL.purchase_quantiles(CUSTOMERS, horizon="7 years", level=0.9)
    reached = chances.cumsum(axis="columns")
    assert [reached.loc[who, q] >= 0.9 - 1e-12 for who, q in quantile.items()] == [True] * 5
    assert [reached.loc[who, q - 1] < 0.9 for who, q in quantile.items() if q] == [True] * (
        quantile > 0
    ).sum()


def test_the_distribution_of_a_newcomer_is_the_papers():
    """Eq. 8: beta-binomial while there, over the opportunities held."""
    alpha, beta, gamma, delta = MODEL.parameters.values()
    lives = [np.exp(betaln(gamma + 1, delta + i) - betaln(gamma, delta)) for i in range(5)]
    lives.append(np.exp(betaln(gamma, delta + 5) - betaln(gamma, delta)))
    theirs = [sum(w * betabinom(i, alpha, beta).pmf(x) for i, w in enumerate(lives)) for x in range(6)]
    np.testing.assert_allclose(MODEL.purchase_distribution_new(horizon="5 years", up_to=5), theirs)


def test_discounting_is_the_closed_form_and_the_sum():
    """Eq. 14 of the paper with its 2F1, where SciPy's is right, and 0% against expected purchases."""
    ours = MODEL.discounted_purchases(CUSTOMERS, annual_discount_rate=0.1)
    alpha, beta, gamma, delta = MODEL.parameters.values()
    x, n = CUSTOMERS["n_repeat"], CUSTOMERS["n_opportunities"]
    series = hyp2f1(1, delta + n + 1, gamma + delta + n + 1, 1 / 1.1) / 1.1
    there = (delta + n) / (gamma + delta + n) * MODEL.p_alive(CUSTOMERS)
    np.testing.assert_allclose(ours, (alpha + x) / (alpha + beta + n) * there * series)
    steps = [MODEL.expected_purchases(CUSTOMERS, horizon=f"{k} years") for k in range(401)]
    summed = sum((steps[k] - steps[k - 1]) / 1.1**k for k in range(1, 401))
    np.testing.assert_allclose(ours, summed)
    finite = MODEL.discounted_purchases(CUSTOMERS, annual_discount_rate=0.1, horizon="8 years")
    np.testing.assert_allclose(finite, sum((steps[k] - steps[k - 1]) / 1.1**k for k in range(1, 9)))
    free = MODEL.discounted_purchases(CUSTOMERS, annual_discount_rate=0, horizon="8 years")
    np.testing.assert_allclose(free, steps[8])


@pytest.mark.parametrize("gamma", [0.01, 1.0, 200.0])
@pytest.mark.parametrize("delta", [0.05, 1e4])
@pytest.mark.parametrize("unit", ["1 week", "1 year"])
def test_discounting_holds_where_the_usual_function_does_not(gamma, delta, unit):
    model = BgBb(alpha=1.2, beta=0.75, gamma=gamma, delta=delta, unit=unit)
    one = pd.DataFrame({"n_repeat": [1], "last_opportunity": [200], "n_opportunities": [200]})
    rate = np.log(1.05) * (7 / 365.25 if unit == "1 week" else 1)
    j = np.arange(1.0, 40 / rate)
    there = np.exp(betaln(gamma, delta + 200 + j) - betaln(gamma, delta + 200) - rate * j).sum()
    expected = 2.2 / 201.95 * there
    assert model.discounted_purchases(one, annual_discount_rate=0.05).item() == pytest.approx(
        expected, rel=1e-9
    )


def test_no_horizon_no_purchases():
    assert (MODEL.expected_purchases(CUSTOMERS, horizon="0 opportunities") == 0).all()
    assert (MODEL.p_buy(CUSTOMERS, horizon="0 opportunities") == 0).all()
    assert MODEL.expected_purchases_new(horizon="0 years") == 0


def test_a_later_forecast_of_being_alive_falls_and_meets_survival():
    chances = [MODEL.p_alive(CUSTOMERS, horizon=f"{k} years") for k in range(4)]
    np.testing.assert_allclose(chances[0], MODEL.p_alive(CUSTOMERS))
    assert all((later < sooner).all() for sooner, later in pairwise(chances))
    new = CUSTOMERS.loc[["b"]]
    assert MODEL.p_alive(new, horizon="1 year").item() == pytest.approx(2.78 / 3.44)


def test_order_counts_and_units_change_nothing(truth):
    sample = truth.iloc[:4000]
    columns = ["n_repeat", "last_opportunity", "n_opportunities"]
    counted = sample.groupby(columns).size().rename("n_customers").reset_index()
    fits = [fit_bg_bb(sample), fit_bg_bb(sample.iloc[::-1]), fit_bg_bb(counted, unit="1 week")]
    for fit in fits[1:]:
        assert fit.log_likelihood == pytest.approx(fits[0].log_likelihood, abs=1e-6)
        assert fit.model.parameters == pytest.approx(fits[0].model.parameters, rel=1e-4)
    assert fits[2].n_customers == 4000


def test_gradient_is_that_of_the_likelihood():
    histories, _ = opportunity_histories(CUSTOMERS)
    value = lambda p: log_likelihood(np.asarray(p), histories)[0].sum()  # noqa: E731
    slope = lambda p: log_likelihood(np.asarray(p), histories)[1].sum(axis=1)  # noqa: E731
    for at in ([1.2, 0.75, 0.66, 2.78], [0.1, 5.0, 3.0, 0.2]):
        assert check_grad(value, slope, at) < 1e-5


def test_likelihood_is_that_of_lifetimes():
    lifetimes = pytest.importorskip("lifetimes")
    theirs = lifetimes.BetaGeoBetaBinomFitter._loglikelihood
    table = donors()
    columns = [table[name].to_numpy() for name in ("n_repeat", "last_opportunity", "n_opportunities")]
    at = [1.2, 0.75, 0.66, 2.78]
    histories, row = opportunity_histories(table)
    np.testing.assert_allclose(log_likelihood(np.array(at), histories)[0][row], theirs(at, *columns))


def test_ten_million_customers_cost_what_their_histories_cost():
    base = donors().assign(n_customers=donors()["n_customers"] * 1000)
    fit, small = fit_bg_bb(base), fit_bg_bb(donors())
    assert fit.n_customers == 11_104_000
    assert fit.model.parameters == pytest.approx(small.model.parameters, rel=1e-4)
    np.testing.assert_allclose(fit.standard_errors * np.sqrt(1000), small.standard_errors, rtol=1e-3)


def test_two_hundred_opportunities():
    many = simulate(3000, np.random.default_rng(3), model=SHORT, held=(200, 200), ahead=0)
    fit = fit_bg_bb(many, unit="1 week")
    assert fit.model.expected_purchases_new(horizon="52 weeks") == pytest.approx(
        SHORT.expected_purchases_new(horizon="52 years"), rel=0.1
    )


# Tables.


def test_incidence_is_counted_from_the_first_purchase():
    incidence = pd.DataFrame(
        [[1, 0, 1, 0], [0, 1, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0], [1, 1, np.nan, np.nan]], list("abcde")
    )
    counted = opportunities_of(incidence)
    assert counted.to_numpy().tolist() == [[1, 2, 3], [2, 2, 2], [0, 0, 0], [1, 1, 1]]
    assert counted.index.tolist() == ["a", "b", "c", "e"]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([[1, 2, 0]], "expected 0 or 1 in every cell"),
        ([[1, np.nan, 0]], "lies between others, first customer 0"),
    ],
)
def test_incidence_that_is_none_is_refused(cells, message):
    with pytest.raises(DataError, match=message):
        opportunities_of(pd.DataFrame(cells))


def test_a_log_is_counted_per_occasion(tmp_path):
    rows = pd.DataFrame(
        [
            ("a", "2020-03-05", 10), ("a", "2020-03-31", 10), ("a", "2022-03-01", 10),
            ("b", "2021-02-28", 10), ("b", "2021-03-01", 10), ("c", "2023-03-02", 10),
        ],
        columns=["customer", "day", "paid"],
    )  # fmt: skip
    rows.to_csv(tmp_path / "log.csv", index=False)
    log = crm.read_transactions(
        tmp_path / "log.csv",
        columns={"customer_id": "customer", "occurred_at": "day", "amount": "paid"},
        observed_from="2020-03-01",
        observed_until="2023-07-01",
    )
    yearly = summarise_opportunities(log, every="1 year")
    assert yearly.loc["a"].tolist() == [1, 2, 2]
    assert yearly.loc["b"].tolist() == [1, 1, 2]
    assert "c" not in yearly.index  # first seen in the year that is not over
    assert summarise_opportunities(log, every="1 month").loc["c"].tolist() == [0, 0, 3]
    weekly = summarise_opportunities(log, every="7 days")
    assert weekly.loc["a"].tolist() == [2, 104, 173]
    with pytest.raises(ConfigError, match="holds 1 of '3 years'; expected at least 2"):
        summarise_opportunities(log, every="3 years")


# Refused.


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((2, 1, 6), "n_repeat exceeds last_opportunity"),
        ((1, 7, 6), "last_opportunity exceeds n_opportunities"),
        ((0, 3, 6), "n_repeat is 0 although last_opportunity is not"),
        ((1, 2.5, 6), "missing or not whole in 1 of 2 rows, first customer 1"),
        ((1, np.nan, 6), "missing or not whole"),
        ((-1, 2, 6), "a negative count"),
    ],
)
def test_impossible_histories_are_refused(row, message):
    table = pd.DataFrame([(0, 0, 6), row], columns=["n_repeat", "last_opportunity", "n_opportunities"])
    with pytest.raises(DataError, match=message):
        fit_bg_bb(table)


def test_purchases_at_any_time_are_refused():
    table = pd.DataFrame({"n_repeat": [1], "t_last": [10], "t_observed": [20]})
    with pytest.raises(
        DataError, match=r"may buy at any time.*Use fit_mbg_nbd, fit_pareto_nbd or fit_bg_nbd"
    ):
        fit_bg_bb(table)


def table_of(rows):
    return pd.DataFrame(rows, columns=["n_repeat", "last_opportunity", "n_opportunities", "n_customers"])


def test_nobody_coming_back_is_nothing_to_fit():
    with pytest.raises(FitError, match="nobody came back, on 100 customers"):
        fit_bg_bb(table_of([(0, 0, 6, 100)]))


def test_buying_always_or_never_is_named():
    with pytest.raises(FitError, match="buy at every opportunity"):
        fit_bg_bb(table_of([(6, 6, 6, 500), (3, 3, 6, 100), (1, 1, 6, 100), (2, 2, 6, 100), (5, 5, 6, 100)]))


def test_nobody_leaving_is_named():
    """Beta-binomial customers who never leave."""
    generator = np.random.default_rng(4)
    bought = generator.random((3000, 12)) < generator.beta(20, 20, 3000)[:, None]
    incidence = pd.DataFrame(np.column_stack([np.ones(3000, int), bought]))
    with pytest.raises(
        FitError, match="no customer is seen to leave, and a model without leaving fits as well"
    ):
        fit_bg_bb(opportunities_of(incidence))


@pytest.mark.parametrize("horizon", ["18 months", "40 days"])
def test_a_horizon_between_opportunities_is_refused(horizon):
    with pytest.raises(ConfigError, match="opportunities, one every 1 year; expected a whole number of them"):
        MODEL.expected_purchases(CUSTOMERS, horizon=horizon)


def test_units_are_lengths():
    with pytest.raises(ConfigError, match="unit 'yearly'"):
        fit_bg_bb(donors(), unit="yearly")
    assert BgBb(**MODEL.parameters, unit="1 week").expected_purchases_new(horizon="5 weeks") == pytest.approx(
        MODEL.expected_purchases_new(horizon="5 years")
    )


def test_a_model_is_stored_and_read_back():
    assert BgBb.from_dict(MODEL.to_dict()) == MODEL
