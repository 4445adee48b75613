"""Answers read off a few histories are those that every history would give."""

import numpy as np
import pandas as pd
import pytest

from crm_analysis.clv.fitting.smooth import smooth
from crm_analysis.clv.histories import Histories
from crm_analysis.clv.models import purchases
from crm_analysis.clv.models.bg_nbd import BgNbd
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


@pytest.mark.parametrize("model", MODELS[:1] + MODELS[3:4], ids=str)
def test_quantiles_do_not_depend_on_where_counting_up_ends(model, monkeypatch):
    customers = base(2_000)
    usual = model.purchase_quantiles(customers, horizon="12 months", level=0.9)
    assert (usual > 60).any()
    for few in (1, 5):
        monkeypatch.setattr(purchases, "ONE_BY_ONE", few)
        again = model.purchase_quantiles(customers, horizon="12 months", level=0.9)
        pd.testing.assert_series_equal(again, usual)
