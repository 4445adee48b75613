"""Forecasts of firm A's complete histories against what it truly sold, and against its own log.

The firm is no model of ours: it has seasons, mildly regular buyers, rates and amounts that go together, and
cohorts that get worse. What is measured is stated beside each bound; the bounds leave room for the last
digits of another platform, not for another formula.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import crm_analysis as crm

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def log():
    return crm.open_workspace(ROOT / "data" / "demo.toml").transactions("a")


@pytest.fixture(scope="module")
def customers(log):
    return crm.summarise_customers(log)


@pytest.fixture(scope="module")
def complete(customers):
    return customers[customers["history_complete"]]


@pytest.fixture(scope="module")
def truth(complete):
    file = ROOT / "data" / "truth" / "firm_a" / "customers.parquet"
    return pd.read_parquet(file).set_index("customer_id").loc[complete.index]


@pytest.fixture(scope="module")
def models(complete):
    return {"purchases": crm.clv.fit_pareto_nbd(complete), "spend": crm.clv.fit_gamma_gamma(complete)}


@pytest.fixture(scope="module")
def past(log, complete):
    backs = crm.clv.look_backs(complete, observed_until=log.observed_until)
    return crm.clv.past_forecasts(log, look_backs=backs, model="Pareto/NBD")


@pytest.fixture(scope="module")
def ahead(customers, models, past):
    generator = np.random.default_rng(1)
    return crm.clv.forecast_groups(customers, **models, past=past, generator=generator).loc["complete"]


def test_fits_at_30_june_and_31_december_against_the_log(past):
    """Purchase days +7.6% and +31.0%, amount -4.2% and +16.7%.

    From 31 December the forecast starts at the end of the strong season: on a clock that runs with the true
    season the error is 21.5%. What remains is no season (see what is taken for active, below).
    """
    expected = {
        ("2024-06-30", "purchases"): 0.076,
        ("2024-06-30", "amount"): -0.042,
        ("2024-12-31", "purchases"): 0.310,
        ("2024-12-31", "amount"): 0.167,
    }
    errors = {(f"{at:%Y-%m-%d}", quantity): error for (at, quantity), error in past["error"].items()}
    assert errors == pytest.approx(expected, abs=0.01)
    assert past["n_customers"].tolist() == [1664, 1664, 2023, 2023]
    assert past["within"].tolist() == [True, True, False, False]
    assert (past["model"] == "Pareto/NBD").all()


def test_what_happened_is_counted_in_the_log(log, past):
    """The same totals without the package: distinct days, and money with its refunds, of 2025."""
    complete = crm.summarise_customers(log.as_of("2024-12-31"))
    ids = complete.index[complete["history_complete"]]
    lines = log.lines.filter(log.lines.customer_id.isin(ids.tolist())).to_pandas()
    later = lines[pd.to_datetime(lines["occurred_on"]) > "2024-12-31"]
    bought = later[~later["is_refund"]]
    n_days = len(bought[["customer_id", "occurred_on"]].drop_duplicates())
    actual = past["actual"].loc[pd.Timestamp("2024-12-31")]
    assert actual["purchases"] == n_days
    assert actual["amount"] == pytest.approx(float(later["amount"].sum()), rel=0.02)


def test_next_12_months_against_the_truth(ahead, truth):
    """Purchase days 3,788 against 3,225 (+17.4%), amount 8.93 million against 8.49 (+5.2%); both in range."""
    actual = {"purchases": truth["purchase_days_next_12m"].sum(), "amount": truth["amount_next_12m"].sum()}
    errors = {quantity: ahead["expected"][quantity] / actual[quantity] - 1 for quantity in actual}
    assert errors == pytest.approx({"purchases": 0.174, "amount": 0.052}, abs=0.01)
    for quantity, total in actual.items():
        assert ahead["forecast_low"][quantity] < total < ahead["forecast_high"][quantity]


def test_without_past_errors_the_range_misses_the_truth(complete, models, truth):
    """What the errors made before are for: the model's own range ends 10% above what is bought."""
    own = crm.clv.forecast_total(models["purchases"], complete, horizon="12 months")
    actual = truth["purchase_days_next_12m"].sum()
    assert 0.05 < own.forecast_low / actual - 1 < 0.15


def test_next_24_months_against_the_truth(complete, models, truth):
    """Purchase days 6,230 against 5,112 (+21.9%), amount +3.9%.

    In money the error is smaller at either horizon, for another one goes the other way: prices rise, and who
    buys often spends more, which the spend model does not know.
    """
    days = models["purchases"].model.expected_purchases(complete, horizon="24 months")
    amount = (days * models["spend"].model.expected_amount(complete)).sum()
    assert days.sum() / truth["purchase_days_next_24m"].sum() - 1 == pytest.approx(0.219, abs=0.01)
    assert amount / truth["amount_next_24m"].sum() - 1 == pytest.approx(0.039, abs=0.01)


def test_more_customers_are_taken_for_active_than_are(complete, models, truth):
    """1,244 expected active, 1,018 are (+22%); rates while active are right.

    Regular buyers who fall silent are gone, when in a model of random buyers they may still be waiting.
    """
    model = models["purchases"].model
    active = truth["end_of_life"] > pd.Timestamp("2025-12-31")
    assert model.p_alive(complete).sum() / active.sum() - 1 == pytest.approx(0.222, abs=0.01)
    known = complete[active]
    rate = (model.r + known["n_repeat"]) / (model.alpha + known["t_observed"] / 7) * 365.25 / 7
    assert rate.mean() == pytest.approx(truth["purchases_per_year"][active].mean(), rel=0.06)


def test_ranks_who_buys(complete, models, truth):
    """Of a customer who will buy and one who will not, the buyer has the higher chance in 92 of 100."""
    chance = models["purchases"].model.p_buy(complete, horizon="12 months")
    buys = truth["purchase_days_next_12m"] > 0
    ranks = chance.rank()[buys]
    n = buys.sum()
    auc = (ranks.sum() - n * (n + 1) / 2) / (n * (len(buys) - n))
    assert auc == pytest.approx(0.922, abs=0.005)


def test_range_of_one_customer_holds_eight_in_ten(complete, models, truth):
    """Meant for eight in ten at least, counts being whole; it is 96.6%."""
    model = models["purchases"].model
    low, high = (model.purchase_quantiles(complete, horizon="12 months", level=level) for level in (0.1, 0.9))
    assert truth["purchase_days_next_12m"].between(low, high).mean() == pytest.approx(0.966, abs=0.01)


def test_value_against_the_truth(complete, models, truth):
    """The best tenth by value_12m spends 79% of what the best tenth in hindsight does."""
    values = crm.clv.value_customers(complete, **models, margin=1.0, annual_discount_rate=0.1)
    n = len(values) // 10
    chosen = truth["amount_next_12m"][values["value_12m"].nlargest(n).index].sum()
    assert chosen / truth["amount_next_12m"].nlargest(n).sum() == pytest.approx(0.789, abs=0.02)
