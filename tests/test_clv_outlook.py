"""Days to look back to, forecasts made on them, the next 12 months, and what is said of the errors."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from clv_cases import cdnow, cdnow_days

from crm_analysis.clv.ahead.forecast import forecast_total
from crm_analysis.clv.ahead.look_back import LookBack, longest_look_back, look_backs
from crm_analysis.clv.ahead.origins import revisit
from crm_analysis.clv.ahead.outlook import (
    beside_past,
    fit_models,
    forecast_groups,
    key_numbers,
    own_range,
    past_error,
    past_forecasts,
    value_total,
)
from crm_analysis.clv.models.gamma_gamma import fit_gamma_gamma
from crm_analysis.clv.models.pareto_nbd import fit_pareto_nbd
from crm_analysis.doors.transactions import read_transactions

NINE_MONTHS = LookBack(date(1997, 9, 30), date(1998, 6, 30))


def first_seen(*days):
    return pd.DataFrame({"first_at": pd.to_datetime(list(days))})


@pytest.fixture(scope="module")
def log():
    return read_transactions(
        cdnow_days()[["customer_id", "date", "amount"]],
        observed_from="1997-01-01",
        observed_until="1998-06-30",
        columns={"customer_id": "customer_id", "occurred_at": "date", "amount": "amount"},
        closed_cohort=True,
    )


@pytest.fixture(scope="module")
def past(log):
    return past_forecasts(revisit(log, look_backs=[NINE_MONTHS]), model="BG/NBD", draws=40)


@pytest.fixture(scope="module")
def fits():
    return {"purchases": fit_pareto_nbd(cdnow()), "spend": fit_gamma_gamma(cdnow())}


@pytest.fixture(scope="module")
def halves():
    return cdnow().assign(history_complete=np.arange(len(cdnow())) % 3 > 0)


@pytest.fixture(scope="module")
def ahead(halves, fits):
    nothing = past_forecasts([], model=None)
    return forecast_groups(halves, **fits, past=nothing, generator=np.random.default_rng(1), draws=40)


# Days to look back to ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("2025-12-31", ["2023-12-31", "2024-06-30", "2024-12-31"]),
        ("2025-11-30", ["2023-11-30", "2024-05-31", "2024-11-30"]),
        ("2024-08-31", ["2022-08-31", "2023-02-28", "2023-08-31"]),
    ],
)
def test_three_days_half_a_year_apart_with_a_year_after(until, expected):
    backs = look_backs(first_seen("2021-01-01"), observed_until=date.fromisoformat(until))
    assert [str(back.at) for back in backs] == expected
    assert {(back.n, back.unit) for back in backs} == {(12, "months")}
    assert str(backs[-1].until) == until


@pytest.mark.parametrize(
    ("since", "days"),
    [("2023-07-05", [180, 362, 545]), ("2023-09-01", [180, 333, 487]), ("2025-01-01", [121, 152, 183])],
)
def test_a_shorter_log_is_looked_back_into_at_closer_days(since, days):
    """The first day has seen 180 days, or two thirds of what the last has; all are followed by as long."""
    backs = look_backs(first_seen(since), observed_until=date(2025, 12, 31))
    assert [(back.at - date.fromisoformat(since)).days for back in backs] == pytest.approx(days, abs=1)
    assert len({back.days for back in backs}) == 1
    assert backs[-1] == longest_look_back(first_seen(since), observed_until=date(2025, 12, 31))


def test_a_short_log_is_halved():
    """CDNOW: 546 days, of which the papers use the later 273 (39 weeks) as holdout."""
    back = longest_look_back(first_seen("1997-01-01"), observed_until=date(1998, 6, 30))
    assert back == NINE_MONTHS
    assert (back.days, back.n, back.unit) == (273, 39, "weeks")
    backs = look_backs(first_seen("1997-01-01"), observed_until=date(1998, 6, 30))
    assert [str(back.at) for back in backs] == ["1997-06-30", "1997-08-15", "1997-09-30"]


def test_a_long_log_is_looked_back_into_by_a_year():
    back = longest_look_back(first_seen("2020-01-01"), observed_until=date(2024, 2, 29))
    assert (back.at, back.unit) == (date(2023, 2, 28), "months")


def test_days_where_weeks_are_not_whole():
    assert (
        LookBack(date(2025, 1, 1), date(2025, 4, 11)).n,
        LookBack(date(2025, 1, 1), date(2025, 4, 11)).unit,
    ) == (
        100,
        "days",
    )


def test_nothing_to_look_back_to():
    assert longest_look_back(first_seen(), observed_until=date(2025, 12, 31)) is None
    assert longest_look_back(first_seen("2025-11-10"), observed_until=date(2025, 12, 31)) is None
    assert look_backs(first_seen(), observed_until=date(2025, 12, 31)) == []


# Forecasts made before -----------------------------------------------------------------------------------


def test_a_past_forecast_is_the_published_one(past):
    """BG/NBD on the CDNOW sample: 1,653.4 expected, 1,882 happened."""
    row = past.loc[(pd.Timestamp("1997-09-30"), "purchases")]
    assert row["expected"] == pytest.approx(1653.41, abs=0.005)
    assert (row["actual"], row["n_customers"], row["model"]) == (1882, 2357, "BG/NBD")
    assert (row["n"], row["unit"]) == (39, "weeks")
    assert row["error"] == pytest.approx(-0.1215, abs=5e-5)


def test_an_origin_that_determines_no_model_is_shown_without_a_forecast(log, past):
    """At the end of the second day nobody has come back."""
    early = LookBack(date(1997, 1, 2), date(1997, 3, 31))
    both = past_forecasts(revisit(log, look_backs=[early, NINE_MONTHS]), model="BG/NBD", draws=40)
    assert both.columns.equals(past.columns)
    empty = both.loc[(pd.Timestamp("1997-01-02"), "purchases")]
    assert empty["n_customers"] > 0
    assert empty[["expected", "actual", "model"]].isna().all()
    errors = [past_error(table, quantity="purchases", value=1.0) for table in (both, past)]
    assert errors[0][1] == errors[1][1]


def test_another_model_stands_in(log):
    table = past_forecasts(revisit(log, look_backs=[NINE_MONTHS]), model=None, draws=5)
    assert (table["model"] == "Pareto/NBD").all()


def test_without_an_origin_there_is_nothing():
    nothing = past_forecasts([], model="BG/NBD")
    assert len(nothing) == 0
    assert past_error(nothing, quantity="amount") == ("none", {})


def errors_of(*errors):
    index = pd.MultiIndex.from_product([pd.date_range("2024", periods=len(errors)), ["amount"]])
    return pd.DataFrame(
        {"error": errors, "expected": 1.0, "unit": "months"}, index.set_names(["origin", "quantity"])
    )


@pytest.mark.parametrize(
    ("errors", "key"),
    [((0.1, 0.3), "high"), ((-0.1, -0.3), "low"), ((-0.1, 0.3), "mixed"), ((0.0, 0.1), "mixed")],
)
def test_errors_have_a_direction(errors, key):
    found, values = past_error(errors_of(*errors), quantity="amount", value=110.0)
    assert found == key
    assert values == pytest.approx(
        {
            "n_origins": 2,
            "last": errors[1],
            "lowest": min(errors),
            "highest": max(errors),
            "corrected": 110 / (1 + errors[1]),
        }
    )
    weeks = errors_of(*errors).assign(unit="weeks")
    assert past_error(weeks, quantity="amount")[0] == f"{key}_part"


def test_what_happened_outside_the_models_own_range_was_not_chance(past):
    """CDNOW: 1,882 happened; BG/NBD's own 95% range ends at about 1,850."""
    key, values = own_range(past, quantity="purchases")
    assert (key, values["n_within"], values["n_origins"], values["actual"]) == ("outside", 0, 1, 1882)
    assert (values["low"], values["high"]) == pytest.approx((1475, 1853), abs=30)
    twice = pd.concat([past, past.assign(within=True)])
    key, values = own_range(twice, quantity="purchases")
    assert (key, values["n_within"], values["n_origins"]) == ("inside", 1, 2)
    assert own_range(past.iloc[:0], quantity="purchases") == ("none", {})


# The next 12 months --------------------------------------------------------------------------------------


def test_key_numbers_have_their_ends(ahead):
    total = {"n": 3, "value": 10.0, "low": 8.0, "high": 13.0}
    new = pd.Series({"clv_new": 5.0, "clv_new_low": 4.0, "clv_new_high": 6.0})
    numbers = key_numbers(total, ahead, new)
    assert list(numbers) == ["value_12m", "purchases_12m", "amount_12m", "clv_new"]
    assert numbers["value_12m"] == {"value": 10.0, "low": 8.0, "high": 13.0}
    assert numbers["clv_new"] == {"value": 5.0, "low": 4.0, "high": 6.0}
    row = ahead.loc[("all", "amount")]
    assert numbers["amount_12m"] == {
        "value": row["expected"], "low": row["forecast_low"], "high": row["forecast_high"]
    }  # fmt: skip


def test_groups_add_up_to_all(ahead, halves):
    expected = {history: ahead.loc[history, "expected"] for history in ("complete", "cut", "all")}
    np.testing.assert_allclose(expected["complete"] + expected["cut"], expected["all"])
    counts = ahead.xs("amount", level="quantity")["n_customers"]
    assert counts[["complete", "cut"]].sum() == counts["all"] == len(halves)
    assert list(ahead.index.get_level_values("history").unique()) == ["complete", "cut", "all"]


def test_a_forecast_is_that_of_twelve_months(ahead, halves, fits):
    total = forecast_total(fits["purchases"], halves, horizon="12 months")
    row = ahead.loc[("all", "purchases")]
    assert row["expected"] == pytest.approx(total.expected)
    assert (row["forecast_low"], row["forecast_high"]) == pytest.approx(
        (total.forecast_low, total.forecast_high)
    )


def test_past_errors_widen_each_quantity_by_its_own(halves, fits, ahead):
    """Amounts were forecast twice too high: the range goes down to half; purchases are left alone."""
    widened = forecast_groups(
        halves, **fits, past=errors_of(1.0), generator=np.random.default_rng(1), draws=40
    )
    amount, before = widened.loc[("all", "amount")], ahead.loc[("all", "amount")]
    assert amount["forecast_low"] == pytest.approx(before["expected"] / 2)
    assert amount["forecast_high"] == before["forecast_high"]
    pd.testing.assert_frame_equal(
        widened.xs("purchases", level="quantity"), ahead.xs("purchases", level="quantity")
    )


def test_a_closed_cohort_is_one_group(halves, fits):
    nothing = past_forecasts([], model=None)
    everybody = halves.assign(history_complete=True)
    table = forecast_groups(everybody, **fits, past=nothing, generator=np.random.default_rng(1), draws=5)
    assert list(table.index) == [("all", "purchases"), ("all", "amount")]


def test_the_time_to_come_stands_under_the_past(past, ahead):
    rows = beside_past(past, ahead, quantity="purchases", origin=date(1998, 6, 30))
    assert list(rows.index) == ["39 weeks after 1997-09-30", "12 months after 1998-06-30"]
    assert rows["actual"].tolist()[0] == 1882
    assert np.isnan(rows["actual"].iloc[1])
    assert rows["expected"].iloc[1] == ahead.loc[("complete", "purchases"), "expected"]
    alone = beside_past(past.iloc[:0], ahead, quantity="amount", origin=date(1998, 6, 30))
    assert list(alone.index) == ["12 months after 1998-06-30"]


def test_value_has_the_range_of_the_amount(ahead):
    values = pd.DataFrame({"value_12m": [70.0, 20.0, 10.0, *[0.0] * 8], "residual_value": 200.0})
    total = value_total(values, ahead)
    amount = ahead.loc[("all", "amount")]
    assert (total["n"], total["value"], total["residual"]) == (11, 100.0, 2200.0)
    assert total["low"] / total["value"] == pytest.approx(amount["forecast_low"] / amount["expected"])
    assert total["high"] / total["value"] == pytest.approx(amount["forecast_high"] / amount["expected"])
    assert total["top"] == pytest.approx(0.9)  # a tenth of 11 customers is two


def test_models_that_cannot_be_fitted_say_why():
    once = cdnow()[cdnow()["n_repeat"] == 0]
    models = fit_models(once)
    assert models.purchases == {}
    assert models.spend is None
    assert set(models.refused) == {"Pareto/NBD", "MBG/NBD", "BG/NBD", "NBD", "Gamma-Gamma"}


def test_an_infinite_mean_amount_is_no_spend_model():
    """Amounts so heavy-tailed that q <= 1: the mean over all customers is infinite."""
    generator = np.random.default_rng(8)
    heavy = cdnow().assign(mean_repeat_amount=1 / generator.gamma(0.6, size=len(cdnow())))
    heavy["n_paid_repeat"] = 3
    models = fit_models(heavy)
    assert models.spend is None
    assert "mean amount over all customers is infinite" in models.refused["Gamma-Gamma"]


def test_a_model_is_not_judged_by_what_stood_in_for_it():
    rows = pd.DataFrame(
        {"expected": 10.0, "forecast_low": 8.0, "forecast_high": 12.0, "actual": [9.0, 20.0]},
        pd.MultiIndex.from_product([pd.date_range("2024-01-31", periods=2, freq="ME"), ["purchases"]]),
    ).rename_axis(["origin", "quantity"])
    past = rows.assign(within=[True, False], model=["MBG/NBD", "NBD"])
    assert own_range(past, quantity="purchases")[0] == "outside"
    key, found = own_range(past, quantity="purchases", model="MBG/NBD")
    assert (key, found["n_origins"], found["actual"]) == ("inside", 1, 9.0)
    assert own_range(past, quantity="purchases", model="BG/NBD") == ("none", {})


def test_the_range_of_a_group_is_of_its_own_customers(ahead):
    amounts = ahead.xs("amount", level="quantity")
    assert (amounts["forecast_low"] < amounts["expected"]).all()
    assert amounts["forecast_high"]["complete"] < amounts["expected"]["all"]


def test_a_schedule_has_the_steps_that_it_is_named_after():
    fits = fit_models(cdnow(), k=3).purchases
    assert fits["MBG/CNBD-3"].model.k == 3
