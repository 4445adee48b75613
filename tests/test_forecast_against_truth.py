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
from crm_analysis.simulate.clock import dates
from crm_analysis.simulate.plan import plan
from crm_analysis.simulate.world import draw_world

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
def past(log):
    fits = {"fit": crm.clv.fit_pareto_nbd, "spend": crm.clv.fit_gamma_gamma}
    return crm.clv.forecast_origins(log, origins=["2024-06-30", "2024-12-31"], **fits)


@pytest.fixture(scope="module")
def season(log):
    return crm.clv.season_of(log)


@pytest.fixture(scope="module")
def on_clock(complete, season, log):
    return season.on_clock(complete, observed_until=log.observed_until)


@pytest.fixture(scope="module")
def seasonal(on_clock):
    """Pareto/NBD on the season's clock."""
    return crm.clv.fit_pareto_nbd(on_clock)


@pytest.fixture(scope="module")
def past_in_season(log, season):
    origins = ["2023-12-31", "2024-06-30", "2024-09-30", "2024-12-31"]
    return crm.clv.forecast_origins(log, origins=origins, fit=crm.clv.fit_pareto_nbd, season=season)


@pytest.fixture(scope="module")
def world():
    """Firm A with its future: the same draw that the files were written from."""
    return draw_world(plan("A", variant="second stage"), np.random.default_rng([1, 0]))


@pytest.fixture(scope="module")
def days(world):
    """Purchase days until 2027: customer_id, date, first_at (the day on which the customer was won)."""
    orders, customers = world.sales.orders, world.customers
    days = pd.DataFrame({"customer": orders["customer"], "date": dates(np.floor(orders["at"].to_numpy()))})
    days = days.drop_duplicates(ignore_index=True)
    customer = days["customer"].to_numpy()
    return days.assign(
        customer_id=customers.customer_id[customer], first_at=dates(np.floor(customers.acquired))[customer]
    )


@pytest.fixture(scope="module")
def ahead(customers, models, past):
    generator = np.random.default_rng(1)
    return crm.clv.forecast_groups(customers, **models, past=past, generator=generator).loc["complete"]


def test_fits_at_30_june_and_31_december_against_the_log(past):
    """Purchase days +7.6% and +31.0%, amount -4.2% and +16.7%.

    From 31 December the forecast starts at the end of the strong season, when many have just bought; on the
    season's clock it does not matter when (below). What remains is no season: see what is taken for active.
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


def test_season_is_found(season, log):
    """Every month within three standard errors of the truth, and the strongest months by name.

    April had a campaign in two of four years, and is 1.03 where an April without one is 0.97.
    """
    truth = pd.read_csv(ROOT / "data" / "truth" / "firm_a" / "season.csv").set_index("month")["index"]
    z = (season.table["index"] - truth) / np.array(season.standard_errors)
    assert season.source == "estimated"
    assert z.abs().max() < 3
    assert set(season.table["index"].nlargest(2).index) == {11, 12}
    assert season.table["index"].idxmin() == 2
    assert crm.clv.season_of(log.as_of("2023-06-30")).reason == "short log"


def test_in_season_the_day_of_the_forecast_matters_less(past, past_in_season, log):
    """+15.7% from 30 September and +21.2% from 31 December; on a plain clock +12.3% and +31.0%.

    Chance is 4.5% each (parameters and process); over seeds the two days are alike, see tests/slow.
    """
    plain = crm.clv.forecast_origins(log, origins=["2024-09-30"], fit=crm.clv.fit_pareto_nbd)
    errors = past_in_season["error"].droplevel("quantity")
    assert errors["2024-09-30"] == pytest.approx(0.157, abs=0.01)
    assert errors["2024-12-31"] == pytest.approx(0.212, abs=0.01)
    apart = past.loc[(pd.Timestamp("2024-12-31"), "purchases"), "error"] - plain["error"].iloc[0]
    assert errors["2024-12-31"] - errors["2024-09-30"] < 0.4 * apart


def test_past_errors_correct_the_forecast(seasonal, on_clock, past_in_season, truth):
    """In season +9.3%, and the range lies above the truth; corrected by the error of 12 months before -9.8%,
    and the range, which reaches as far as those of 18 and 24 months before, holds the truth.

    One firm says little: over seeds a corrected forecast has no bias, see tests/slow.
    """
    ahead = crm.clv.forecast_total(seasonal, on_clock, horizon="12 months")
    actual = truth["purchase_days_next_12m"].sum()
    three = past_in_season.drop(pd.Timestamp("2024-09-30"), level="origin")
    corrected = crm.clv.past_bias(three).correct(ahead)
    assert ahead.expected / actual - 1 == pytest.approx(0.093, abs=0.01)
    assert ahead.forecast_low > actual
    assert corrected.expected / actual - 1 == pytest.approx(-0.098, abs=0.01)
    assert corrected.forecast_low < actual < corrected.forecast_high


def test_months_are_as_strong_as_they_were_to_be(seasonal, complete, season, log, past_in_season, days):
    """Months of 2026, corrected as above: 10 of 12 lie in their ranges; as forecast on a plain clock 4 do."""
    known = days[days["customer_id"].isin(complete.index)]
    later = known[known["date"].between("2026-01-01", "2026-12-31")]
    actual = later["date"].dt.strftime("%Y-%m").value_counts()
    three = past_in_season.drop(pd.Timestamp("2024-09-30"), level="origin")
    table = crm.clv.forecast_by_period(
        seasonal, complete, season=season, observed_until=log.observed_until, bias=crm.clv.past_bias(three)
    )
    actual = actual.reindex(table.index)
    assert actual.between(table["forecast_low"], table["forecast_high"]).sum() >= 10
    assert np.corrcoef(table["expected"], actual)[0, 1] > 0.8
    assert table["expected"].sum() / actual.sum() - 1 == pytest.approx(-0.098, abs=0.01)


def test_first_year_of_new_customers(seasonal, customers, season, log, days):
    """Truly 2.84 repeat purchases in the first 365 days, of those who came inside the log, known to 2027.

    Expected, fitted to complete histories: 2.84. Fitted to everybody from the first row seen, which takes
    survivors of 2020 and 2021 for newcomers of 2022: 2.96, and the truth lies outside.
    """
    came = days[days["first_at"] >= "2022-01-01"]
    first_year = came["date"] <= came["first_at"] + pd.Timedelta("365D")
    truth = first_year.groupby(came["customer_id"]).sum().mean() - 1
    new = crm.clv.forecast_new(seasonal)
    naive = crm.clv.forecast_new(
        crm.clv.fit_pareto_nbd(season.on_clock(customers, observed_until=log.observed_until))
    )
    assert new.expected_low < truth < new.expected_high
    assert not naive.expected_low < truth < naive.expected_high
    assert (truth, new.expected, naive.expected) == pytest.approx((2.844, 2.840, 2.964), abs=0.01)


def test_customers_that_the_pooled_model_fails(log, season):
    """From 31 December 2024: +81% for those won by a discount, +11% for the others; cohorts are alike."""
    calibration, holdout = crm.split_holdout(log, at="2024-12-31")
    complete = calibration["history_complete"]
    known = season.on_clock(calibration[complete], observed_until="2024-12-31")
    later = season.holdout_on_clock(holdout[complete], observed_until="2024-12-31")
    fit = crm.clv.fit_pareto_nbd(known)
    master = pd.read_parquet(ROOT / "data" / "firm_a" / "customers.parquet").set_index("customer_id")
    by_terms = crm.clv.cohort_errors(fit, known, holdout=later, by=master["acquired_by"])
    assert by_terms["flagged"].all()
    assert by_terms["error"].to_dict() == pytest.approx(
        {"discount": 0.806, "full price": 0.112, "all": 0.212}, abs=0.01
    )
    assert not crm.clv.cohort_errors(fit, known, holdout=later)["flagged"].any()
    so_far = crm.clv.cohort_errors(fit, known)
    assert so_far.loc[2022, "error"] < so_far.loc[2024, "error"]
    assert so_far.loc["all", "flagged"]
