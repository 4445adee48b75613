"""Models asked again on days in the past: what is fitted then, and how what happened scores them."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from clv_cases import cdnow, cdnow_days, cdnow_holdout

from crm_analysis import customers
from crm_analysis.clv.ahead import origins as past
from crm_analysis.clv.ahead.look_back import LookBack
from crm_analysis.clv.ahead.origins import Origin, difference, log_scores, revisit
from crm_analysis.clv.ahead.outlook import Models
from crm_analysis.clv.ahead.season import given_season
from crm_analysis.clv.models.bg_nbd import BgNbd, fit_bg_nbd
from crm_analysis.clv.models.pareto_nbd import ParetoNbd
from crm_analysis.doors.transactions import read_transactions

BACK = LookBack(date(1997, 9, 30), date(1998, 6, 30))
BG = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
PARETO = ParetoNbd(r=0.553, alpha=10.578, s=0.606, beta=11.669)


def origin(calibration, holdout, **models):
    fits = {name.replace("_", "/"): SimpleNamespace(model=model) for name, model in models.items()}
    return Origin(BACK, calibration.assign(history_complete=True), holdout, Models(fits, None, {}))


@pytest.fixture(scope="module")
def both():
    return origin(cdnow(), cdnow_holdout(), BG_NBD=BG, Pareto_NBD=PARETO)


@pytest.mark.parametrize("model", [BG, PARETO], ids=lambda model: model.name)
def test_a_count_has_the_probability_that_the_distribution_gives_it(model):
    made = cdnow_holdout()["n_holdout"]
    said = model.count_probability(cdnow(), made, horizon="273 days")
    table = model.purchase_distribution(cdnow(), horizon="273 days", up_to=int(made.max()))
    assert said.to_numpy() == pytest.approx(table.to_numpy()[np.arange(len(made)), made], abs=1e-12)
    assert said.index.equals(cdnow().index)


def test_the_score_is_the_mean_log_probability(both):
    made = cdnow_holdout()["n_holdout"]
    by_hand = np.log(BG.count_probability(cdnow(), made, horizon="273 days")).mean()
    table = log_scores([both])
    assert list(table.index) == [pd.Timestamp("1997-09-30")]
    assert table["BG/NBD"].item() == pytest.approx(by_hand)
    assert table["BG/NBD"].item() > table["Pareto/NBD"].item()


def test_a_model_that_was_not_determined_has_no_score(both):
    alone = origin(cdnow(), cdnow_holdout(), BG_NBD=BG)
    table = log_scores([alone, both])
    assert len(table) == 1  # of one day, the later table stands
    assert log_scores([]).empty


def test_what_cannot_happen_by_a_model_costs_much_and_not_everything():
    never = cdnow().assign(n_repeat=0, t_last=0)
    many = cdnow_holdout().assign(n_holdout=2000)
    table = log_scores([origin(never, many, BG_NBD=BG)])
    assert np.isfinite(table["BG/NBD"].item())
    assert table["BG/NBD"].item() < -20


def test_the_error_of_a_difference_counts_a_customer_once(both):
    lead, error = difference([both], better="BG/NBD", worse="Pareto/NBD")
    table = log_scores([both])
    assert lead == pytest.approx((table["BG/NBD"] - table["Pareto/NBD"]).item())
    again, repeated = difference([both, both, both], better="BG/NBD", worse="Pareto/NBD")
    assert (again, repeated) == pytest.approx((lead, error))  # three looks at the same customers are no more
    made = cdnow_holdout()["n_holdout"]
    gains = np.log(BG.count_probability(cdnow(), made, horizon="273 days")) - np.log(
        PARETO.count_probability(cdnow(), made, horizon="273 days")
    )
    assert error == pytest.approx(gains.std(ddof=0) / np.sqrt(len(gains)))


def test_revisiting_fits_with_what_was_known_then():
    log = read_transactions(
        cdnow_days()[["customer_id", "date", "amount"]],
        observed_from="1997-01-01",
        observed_until="1998-06-30",
        columns={"customer_id": "customer_id", "occurred_at": "date", "amount": "amount"},
        closed_cohort=True,
    )
    found = revisit(log, look_backs=[BACK])[0]
    known = fit_bg_nbd(cdnow()).model
    assert found.models.purchases["BG/NBD"].model.parameters == pytest.approx(known.parameters)
    assert found.holdout["n_holdout"].sum() == 1882
    slow_year = given_season([1.0] * 9 + [0.5] * 3)
    on_clock = revisit(log, look_backs=[BACK], season=slow_year, k=2)[0]
    assert "MBG/CNBD-2" in on_clock.models.purchases
    assert (on_clock.holdout["duration"] < 273).all()  # the weak months are October to December
    assert (on_clock.known["t_observed"] > found.known["t_observed"]).any()


def test_what_happened_is_of_those_who_are_scored():
    half = cdnow().assign(history_complete=cdnow()["n_repeat"] > 0)
    seen = Origin(BACK, half, cdnow_holdout(), Models({}, None, {}))
    assert seen.holdout.index.equals(seen.calibration.index)
    assert 0 < len(seen.holdout) < len(half)


def test_models_of_the_past_are_fitted_to_complete_histories(monkeypatch):
    half, fitted = cdnow().assign(history_complete=cdnow()["n_repeat"] > 0), []
    monkeypatch.setattr(customers, "split_holdout", lambda *_, **__: (half, cdnow_holdout()))
    monkeypatch.setattr(past, "fit_models", lambda customers, k: fitted.append((len(customers), k)))
    revisit(None, look_backs=[BACK], k=3)
    assert fitted == [(half["history_complete"].sum(), 3)]
