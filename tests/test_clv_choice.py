"""The model of the page, its second opinion, the margin, what depends on what, and whom to call."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from clv_cases import cdnow, cdnow_holdout, simulate_bg_nbd

from crm_analysis.clv.ahead import choice as choosing
from crm_analysis.clv.ahead.choice import against_rules, choose_model
from crm_analysis.clv.ahead.holdout import evaluate_holdout
from crm_analysis.clv.ahead.kept import firm_models
from crm_analysis.clv.ahead.look_back import LookBack
from crm_analysis.clv.ahead.origins import Origin
from crm_analysis.clv.ahead.outlook import fit_models
from crm_analysis.clv.models.bg_nbd import BgNbd
from crm_analysis.clv.models.dependence import Dependence, frequency_and_amount
from crm_analysis.clv.models.estimates import parameter_table
from crm_analysis.clv.models.nbd import fit_nbd
from crm_analysis.clv.worth.margin import firm_margin
from crm_analysis.clv.worth.unlikely import at_stake, unlikely_buyers
from crm_analysis.customers import summarise_customers
from crm_analysis.doors.store import open_workspace
from crm_analysis.errors import ConfigError

ROOT = Path(__file__).parents[1]
RULES = ("alike", "before", "hiatus")


@pytest.fixture(scope="module")
def models():
    return fit_models(cdnow())


@pytest.fixture(scope="module")
def quality(models):
    return evaluate_holdout(cdnow(), cdnow_holdout(), models=models.purchases)


@pytest.fixture
def choose(monkeypatch, models):
    """Choose for a customer table, with origins whose mean log scores are as told."""
    back = LookBack(date(1997, 9, 30), date(1998, 6, 30))
    origin = Origin(back, cdnow().assign(history_complete=True), cdnow_holdout(), models)

    def chosen(customers, *, scores=None, kept=None):
        monkeypatch.setattr(choosing, "log_scores", lambda origins: pd.DataFrame(scores or {}))
        origins = [origin] * len(next(iter(scores.values()))) if scores else []
        return choose_model(customers.assign(history_complete=True), origins=origins, kept=kept)

    return chosen


@pytest.fixture(scope="module")
def few_once():
    """CDNOW without half of those who bought once, so that under half did."""
    once = cdnow()["n_repeat"] == 0
    return cdnow()[~once | (once.cumsum() % 2 == 0)]


# The rules, in their order -------------------------------------------------------------------------------


def test_bg_nbd_is_not_chosen_where_over_half_bought_once(choose):
    """On CDNOW 60% bought once; BG/NBD has the better score and is not taken."""
    found = choose(cdnow(), scores={"BG/NBD": [-0.1], "Pareto/NBD": [-0.9], "MBG/NBD": [-1.0]})
    assert (found.name, found.excluded) == ("Pareto/NBD", True)
    assert found.share_once == pytest.approx(1411 / 2357)
    assert found.other != "BG/NBD"
    assert found.usable
    assert found.headline == "headline"


@pytest.mark.parametrize(("bg", "pareto", "name"), [(-0.5, -0.6, "BG/NBD"), (-0.6, -0.5, "Pareto/NBD")])
def test_the_higher_mean_log_score_decides(choose, few_once, bg, pareto, name):
    scores = {"BG/NBD": [bg, -0.55], "Pareto/NBD": [pareto, -0.55], "NBD": [-0.1, -0.1]}
    found = choose(few_once, scores=scores)
    assert (found.name, found.reason, found.excluded) == (name, "log score", False)
    assert found.purchases is found.models.purchases[name]
    assert found.values["score"] == pytest.approx(-0.525)
    assert found.tried == [name, found.other]


def test_a_model_is_compared_where_it_was_determined(choose, few_once):
    """Pareto/NBD was determined only at the second, easier day: its higher mean says nothing by itself."""
    found = choose(few_once, scores={"BG/NBD": [-0.9, -0.3], "Pareto/NBD": [np.nan, -0.4]})
    assert found.name == "BG/NBD"
    found = choose(few_once, scores={"BG/NBD": [-0.1, -0.5], "Pareto/NBD": [np.nan, -0.4]})
    assert found.name == "Pareto/NBD"


def test_a_lead_within_its_error_is_called_close(choose, few_once):
    found = choose(few_once, scores={"BG/NBD": [-0.5], "Pareto/NBD": [-0.6]})
    assert replace(found, lead=0.01, lead_error=0.006).sentence == "reason_log_score_close"
    assert replace(found, lead=0.01, lead_error=0.004).sentence == "reason_log_score"


def test_what_the_workspace_keeps_is_used_whatever_it_scores(choose, few_once):
    found = choose(few_once, scores={"BG/NBD": [-0.5], "Pareto/NBD": [-0.6]}, kept="Pareto/NBD")
    assert (found.name, found.reason, found.other) == ("Pareto/NBD", "kept", "BG/NBD")
    assert found.sentence == "reason_kept"
    assert choose(few_once, kept="BG/NBD").sentence == "reason_kept_alone"


def test_without_an_origin_the_likelihood_decides(choose, few_once):
    found = choose(few_once)
    likelihoods = {name: fit.log_likelihood for name, fit in found.models.purchases.items()}
    assert likelihoods[found.name] == max(likelihoods.values())
    assert found.lead == pytest.approx(likelihoods[found.name] - likelihoods[found.other])
    assert (found.reason, found.tested, found.metrics().empty) == ("log likelihood", False, True)
    assert found.buyers == {}
    assert found.look_back is None


def test_where_nobody_is_seen_to_leave_nbd_stands_in(choose):
    stays = simulate_bg_nbd(
        2000,
        np.random.default_rng(4),
        model=BgNbd(r=1.5, alpha=8.0, a=1e-9, b=1.0),
        observed=(150, 300),
        ahead=1,
    )
    found = choose(stays.assign(mean_repeat_amount=np.nan, n_paid_repeat=0), kept="BG/NBD")
    assert (found.name, found.reason, found.sentence) == ("NBD", "nobody leaves", "reason_nobody_leaves")
    assert not found.usable  # nobody spent anything
    assert found.headline == "headline_no_model"
    assert {"Pareto/NBD", "BG/NBD", "Gamma-Gamma"} <= set(found.models.refused)


def test_nobody_determines_nothing(choose):
    found = choose(cdnow().iloc[:0])
    assert (found.name, found.reason, len(found.fitted), found.other) == (None, "none", 0, None)
    assert found.look_back is None


def test_past_days_are_of_customers_with_complete_histories():
    workspace = open_workspace(ROOT / "data" / "demo.toml")
    log = workspace.transactions("b")
    models = firm_models(workspace, "b", log=log, customers=summarise_customers(log))
    found = models.choice
    assert models.season.source == "estimated"
    assert "MBG/CNBD-2" in found.scores  # firm B's customers buy with mild regularity
    assert found.look_back == LookBack(date(2024, 12, 31), date(2025, 12, 31))
    assert list(found.scores.index.astype(str)) == ["2023-12-31", "2024-06-30", "2024-12-31"]
    assert (found.quality.metrics["n_customers"] == 799).all()
    assert len(found.fitted) == 1150
    named = found.metrics(lambda key, days: f"{key} {days}")
    assert list(named.index)[-3:] == [f"rule_{key} 64" for key in RULES]
    assert found.buyers["n_bought"] == pytest.approx(308)


# Better than a rule of thumb? ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "key"),
    [((1.2, 2.2), "better"), ((0.9, 2.2), "mixed"), ((1.0, 2.0), "worse"), ((0.9, 1.9), "worse")],
)
def test_errors_below_those_of_every_rule(rule, key):
    rows = {"BG/NBD": (1.0, 2.0), "Pareto/NBD": (0.1, 0.1), "first": (3.0, 3.0), "second": rule}
    metrics = pd.DataFrame(rows, ["mae", "rmse"]).T.assign(auc=0.8)
    found, values = against_rules(metrics, model="BG/NBD")
    assert found == key
    assert (values["rule"], values["rule_mae"], values["mae"]) == ("second", rule[0], 1.0)
    assert values["mae_change"] == pytest.approx(1 / rule[0] - 1)


def test_a_model_that_was_not_tried_is_not_compared():
    assert against_rules(pd.DataFrame(), model="BG/NBD") == ("none", {})


# What was estimated --------------------------------------------------------------------------------------


def test_estimates_stand_beside_those_of_lifetimes(models):
    fit = models.purchases["Pareto/NBD"]
    found = parameter_table(fit, customers=cdnow())
    assert list(found.table.index) == ["estimate", "standard error", "low", "high", "lifetimes"]
    assert found.table.loc["estimate"].to_dict() == fit.model.parameters
    np.testing.assert_allclose(found.table.loc["standard error"], np.sqrt(np.diag(fit.covariance)))
    ours, theirs = found.table.loc["estimate"], found.table.loc["lifetimes"]
    assert found.largest == pytest.approx((ours / theirs - 1).abs().max(), rel=1e-6)
    assert (found.kind, found.known) == ("same", True)


def test_lifetimes_says_the_same_twice(models):
    """Its own start is random; a page must have the same bytes every time."""
    tables = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002
        tables.append(parameter_table(models.purchases["Pareto/NBD"], customers=cdnow()).table)
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_estimates_that_differ_are_said_to(models):
    fit = models.purchases["BG/NBD"]
    half = parameter_table(fit, customers=cdnow().iloc[::2])
    assert half.kind == "differs"
    assert half.largest > 0.01


def test_lifetimes_has_no_nbd():
    found = parameter_table(fit_nbd(cdnow()), customers=cdnow())
    assert found.kind == "unknown"
    assert found.table.loc["lifetimes"].isna().all()


# Frequency and amount ------------------------------------------------------------------------------------


def paid(n, mean):
    return pd.DataFrame({"n_paid_repeat": n, "mean_repeat_amount": mean})


@pytest.mark.parametrize(("slope", "kind"), [(0.5, "positive"), (-0.5, "negative"), (0.0, "none")])
def test_dependence_is_named_by_its_direction(slope, kind):
    generator = np.random.default_rng(2)
    n = generator.poisson(5, 400) + 1
    found = frequency_and_amount(paid(n, np.exp(slope * np.log(n) + generator.normal(size=400))))
    assert found.kind == kind
    assert found.low < found.correlation < found.high
    assert found.n_customers == 400


def test_dependence_is_a_rank_correlation():
    """Published in every textbook: 1 - 6 sum d^2 / (n (n^2 - 1)) without ties."""
    n, mean = np.arange(1, 13), np.array([2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11.0])
    found = frequency_and_amount(paid(n, mean))
    rho = 1 - 6 * 12 / (12 * 143)
    assert found.correlation == pytest.approx(rho)
    width = 1.959964 * np.sqrt((1 + rho**2 / 2) / 9)
    assert found.low == pytest.approx(np.tanh(np.arctanh(rho) - width), rel=1e-6)
    assert frequency_and_amount(paid(n, np.exp(mean))).correlation == pytest.approx(rho)


def test_a_small_dependence_is_weak_and_few_customers_say_nothing():
    assert Dependence(0.05, 0.01, 0.09, 5000).kind == "weak"
    assert frequency_and_amount(paid(np.arange(1, 10), np.arange(1.0, 10.0))).kind == "unknown"
    assert frequency_and_amount(paid(np.ones(50), np.arange(1.0, 51.0))).kind == "unknown"


def test_only_paid_repeats_count():
    generator = np.random.default_rng(1)
    table = paid(generator.poisson(1, 300), generator.gamma(2, 10, 300))
    assert frequency_and_amount(table).n_customers == (table["n_paid_repeat"] > 0).sum()


# Margin --------------------------------------------------------------------------------------------------


def test_margin_from_costs_is_that_of_the_last_twelve_months():
    workspace = open_workspace(ROOT / "data" / "demo.toml")
    found = firm_margin(workspace, "a", until=date(2025, 12, 31))
    assert (found.source, found.since, found.until) == ("from costs", date(2025, 1, 1), date(2025, 12, 31))
    assert found.profit == pytest.approx(found.revenue - found.cost_of_goods - found.cost_to_serve)
    assert found.share == pytest.approx(found.profit / found.revenue)
    year = workspace.profit("a", since="2025-01-01", until="2025-12-31")
    assert found.profit == pytest.approx(year["profit"].sum())
    assert firm_margin(workspace, "a", until=date(2022, 3, 31)).since == date(2022, 1, 1)


def test_margin_is_given_unknown_or_gone():
    until = date(1998, 6, 30)

    def workspace(margin, *columns, profit=0.0):
        lines = SimpleNamespace(columns=columns)
        log = SimpleNamespace(lines=lines, observed_from=date(1997, 1, 1))
        sums = pd.DataFrame(
            {"revenue": [100.0], "cost_of_goods": [0], "cost_to_serve": [0], "profit": [profit]}
        )
        return SimpleNamespace(
            transactions=lambda firm: log,
            settings=SimpleNamespace(value=SimpleNamespace(margin=margin)),
            profit=lambda firm, since, until: sums,
        )

    given = firm_margin(workspace(0.3), "f", until=until)
    assert (given.share, given.source) == (0.3, "given")
    assert firm_margin(workspace("from costs"), "f", until=until).source == "unknown"
    lost = firm_margin(workspace("from costs", "cost", profit=-5.0), "f", until=until)
    assert (lost.share, lost.source, lost.profit) == (1.0, "not positive", -5.0)
    assert firm_margin(workspace(0.0), "f", until=until).source == "not positive"


# Whom to call --------------------------------------------------------------------------------------------


@pytest.fixture
def customers():
    return pd.DataFrame(
        {"n_repeat": [0, 4, 4, 9], "t_last": [0, 200, 200, 300], "days_since_last": [90, 60, 40, 5]},
        pd.Index(["once", "silent", "rare", "safe"], name="customer_id"),
    )


@pytest.fixture
def values(customers):
    chances = {"p_buy": [0.1, 0.4, 0.49, 0.9], "value_12m": [5.0, 30.0, 20.0, 45.0]}
    return pd.DataFrame(chances | {"purchases_p10": 0, "purchases_p90": [1, 4, 5, 12]}, customers.index)


def test_the_largest_values_of_those_unlikely_to_buy(customers, values):
    """Every 50 days so far: 60 days of silence are long, 40 are not."""
    listed = unlikely_buyers(customers, values)
    assert list(listed.index) == ["silent", "rare", "once"]
    assert listed["pattern"].to_dict() == {"silent": "silent", "rare": "rare", "once": "once"}
    assert listed["usual_gap_days"].iloc[:2].tolist() == [50.0, 50.0]
    assert np.isnan(listed.loc["once", "usual_gap_days"])
    assert listed["value_at_stake"].tolist() == [30.0, 20.0, 5.0]
    assert listed["purchases_p90"].tolist() == [4, 5, 1]
    assert at_stake(listed, values) == {"n": 3, "value": 55.0, "share": 0.55}


def test_the_list_is_cut_and_may_be_empty(customers, values):
    assert list(unlikely_buyers(customers, values, n_largest=1).index) == ["silent"]
    assert list(unlikely_buyers(customers, values, below=0.4).index) == ["once"]
    empty = unlikely_buyers(customers, values, below=0.05)
    assert at_stake(empty, values) == {"n": 0, "value": 0.0, "share": 0.0}


def test_a_limit_that_is_no_probability_is_refused(customers, values):
    with pytest.raises(ConfigError, match="below 50: expected a probability above 0 and at most 1"):
        unlikely_buyers(customers, values, below=50)


def test_customers_with_cut_histories_are_counted_beside_the_reason(choose, few_once):
    found = choose(few_once)
    assert "extrapolated" not in found.sentences
    half = found.customers["n_repeat"] > 0
    cut = replace(found, customers=found.customers.assign(history_complete=half))
    assert cut.sentences[-1] == "extrapolated"
    assert cut.values["n"] == half.sum()
    assert cut.values["n_cut"] == (~half).sum()
    assert cut.values["share_cut"] == pytest.approx((~half).mean())


def test_one_model_alone_has_no_range_over_models(choose, few_once):
    found = choose(few_once)
    assert found.long_run == "long_run"
    one = {name: found.models.purchases[name] for name in (found.name, "NBD")}
    assert replace(found, models=replace(found.models, purchases=one)).long_run == "long_run_alone"


# What planted errors survived ----------------------------------------------------------------------------


def test_the_best_rule_is_the_one_with_the_lowest_mean_error():
    index = ["MBG/NBD", "alike", "before"]
    metrics = pd.DataFrame({"mae": [1.0, 3.0, 2.0], "rmse": [1.0, 2.0, 3.0], "auc": 0.5}, index)
    assert against_rules(metrics, model="MBG/NBD")[1]["rule"] == "before"


def test_bg_nbd_is_used_where_it_is_all_that_there_is(models):
    only = replace(models, purchases={"BG/NBD": models.purchases["BG/NBD"]})
    assert choosing._rank(only, pd.DataFrame(), 0.9) == (["BG/NBD"], "only one")


def test_a_lead_in_likelihood_has_no_error(choose, few_once):
    assert np.isnan(choose(few_once).lead_error)
