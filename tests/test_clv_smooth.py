"""Answers read off a few histories are those that every history would give."""

import numpy as np
import pandas as pd
import pytest

from crm_analysis.clv.fitting.smooth import smooth
from crm_analysis.clv.histories import Histories
from crm_analysis.clv.models import tails
from crm_analysis.clv.models.bg_nbd import BgNbd
from crm_analysis.clv.models.mbg_cnbd import MbgCnbd
from crm_analysis.clv.models.mbg_nbd import MbgNbd
from crm_analysis.clv.models.nbd import Nbd
from crm_analysis.clv.models.pareto_nbd import ParetoNbd
from crm_analysis.clv.worth.answers import Question, log_answers

MODELS = [
    BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426),
    BgNbd(r=3.0, alpha=0.2, a=0.05, b=0.1),
    MbgNbd(r=0.525, alpha=6.183, a=0.891, b=1.614),
    ParetoNbd(r=0.553, alpha=10.578, s=0.606, beta=11.669),
    ParetoNbd(r=0.5, alpha=40.0, s=0.3, beta=0.5),
    Nbd(r=0.385, alpha=12.07),
]
CNBD = MbgCnbd(r=0.5, alpha=2.0, a=0.3, b=3.0, k=3)


def base(n: int = 20_000) -> pd.DataFrame:
    """Ten years of heavy buyers: nearly every pair of n_repeat and t_observed is another."""
    generator = np.random.default_rng(3)
    t_observed = generator.integers(0, 3653, n)
    n_repeat = np.minimum(generator.geometric(0.01, n) - 1, t_observed)
    t_last = np.where(n_repeat > 0, np.maximum(n_repeat, 0.8 * t_observed), 0).astype(int)
    return pd.DataFrame(
        {"n_repeat": n_repeat, "t_last": np.minimum(t_last, t_observed), "t_observed": t_observed}
    )


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_few_histories_tell_of_all(model):
    customers = base()
    histories, row = model._distinct(customers)
    nodes = model._smooth(model._known(histories)[0]).nodes
    assert len(nodes.n_repeat) < len(model._known(histories)[0].n_repeat) / 10
    expected, soon, residual = np.exp(log_answers(histories, Question(365.25, 0.15))(model))
    some = np.sort(np.random.default_rng(1).choice(len(customers), 300, replace=False))
    table = customers.iloc[some]
    at = row[some]
    np.testing.assert_allclose(expected[at], model.expected_purchases(table, horizon="12 months"), rtol=1e-9)
    for found, horizon in ((soon, "12 months"), (residual, None)):
        each = model.discounted_purchases(table, annual_discount_rate=0.15, horizon=horizon)
        np.testing.assert_allclose(found[at], each, rtol=1e-9)


def test_few_histories_are_computed_as_they_are():
    known = Histories(np.array([0.0, 1, 1]), np.zeros(3), np.array([5.0, 3, 9]), np.zeros(3))
    chosen = smooth(known, scale=2.0)
    assert chosen.nodes is known
    logs = np.array([0.1, 0.2, 0.3])
    np.testing.assert_array_equal(chosen.everywhere(logs), logs)


@pytest.mark.parametrize("model", [*MODELS[:4], MODELS[5], CNBD], ids=str)
def test_quantiles_do_not_depend_on_where_counting_up_ends(model, monkeypatch):
    customers = base(1_000)
    for level in (0.1, 0.9):
        usual = model.purchase_quantiles(customers, horizon="12 months", level=level)
        assert (usual > (60 if level == 0.9 else 5)).any()
        for few in (1, 5):
            monkeypatch.setattr(tails, "ONE_BY_ONE", few)
            monkeypatch.setattr(tails, "BY_PRODUCTS", few)
            again = model.purchase_quantiles(customers, horizon="12 months", level=level)
            pd.testing.assert_series_equal(again, usual)
        monkeypatch.undo()


@pytest.mark.parametrize("model", [MODELS[0], MODELS[5], CNBD], ids=str)
def test_tails_by_products_are_those_computed(model):
    known = model._known(model._distinct(base(300))[0])[0]
    by_products = model._tails(known, 52.0)
    rows = np.arange(len(known.n_repeat))
    for n in range(1, 400):
        np.testing.assert_allclose(
            by_products.following(), model._at_least(n, known.take(rows), 52.0), rtol=0, atol=1e-11
        )
        if n in (1, 40):
            half = np.arange(len(rows)) % 2 == 1
            by_products.keep(half)
            rows = rows[half]


@pytest.mark.parametrize("model", [MODELS[0], MODELS[5]], ids=str)
def test_quantiles_of_the_heaviest_buyers_are_searched(model):
    heavy = pd.DataFrame({"n_repeat": [100, 3_500], "t_last": [3_600, 3_650], "t_observed": [3_650, 3_650]})
    assert model._tails(model._distinct(heavy)[0], 2_000.0).far.tolist() == [False, True]
    quantile = model.purchase_quantiles(heavy, horizon="14000 days", level=0.9)
    for who, n in quantile.items():
        known, _ = model._distinct(heavy.loc[[who]])
        more = [model._alive(known) * model._at_least(np.array([m]), known, 2_000.0) for m in (n, n + 1.0)]
        up_to = [1 - float(tail[0]) for tail in more]
        assert up_to[0] < 0.9 <= up_to[1] + 1e-9
