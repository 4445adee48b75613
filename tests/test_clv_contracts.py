"""The router between settings, contracts from dates, and what each contract is worth."""

import numpy as np
import pandas as pd
import pytest

import crm_analysis as crm
from crm_analysis.clv.contracts.retention import Geometric, Sbg
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.workspace import read_workspace

SURVIVORS = [1000, 631, 468, 382, 326, 289, 262, 241]
MODEL = Sbg(alpha=0.7, beta=1.2)
CONTRACTS = pd.DataFrame(
    {"tenure": [0, 4, 4, 2, 1], "ended": [False, False, True, False, True], "fee": [10.0, 20, 30, 40, 50]},
    list("abcde"),
)
TABLES = {
    "contracts": CONTRACTS,
    "purchases": pd.DataFrame({"n_repeat": [1], "t_last": [10], "t_observed": [20]}),
    "opportunities": pd.DataFrame({"n_repeat": [1], "last_opportunity": [2], "n_opportunities": [6]}),
}
MODELS = {
    "contracts": ["fit_sbg", "fit_bdw", "fit_dw", "fit_geometric"],
    "purchases": ["fit_bg_nbd", "fit_mbg_nbd", "fit_pareto_nbd", "fit_nbd"],
    "opportunities": ["fit_bg_bb"],
}


# The router.


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_is_told_by_its_columns(kind):
    found = crm.clv.setting(TABLES[kind])
    assert found.name == kind
    assert found.contractual == (kind == "contracts")
    assert found.models[0] in MODELS[kind]


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("given", TABLES)
def test_every_model_refuses_every_other_setting_and_names_the_right_one(kind, given):
    if kind == given:
        return
    for model in MODELS[kind]:
        with pytest.raises(
            DataError, match=f"another setting: .* Use .*{MODELS[given][0]}.*; the model asked"
        ):
            getattr(crm.clv, model)(TABLES[given])


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ({"contracts": True}, "contracts"),
        ({"contracts": False}, "purchases"),
        ({"contracts": False, "fixed_opportunities": True}, "opportunities"),
        ({"contracts": True, "fixed_opportunities": True}, "contracts"),
    ],
)
def test_two_answers_decide(stated, name):
    found = crm.clv.setting(**stated)
    assert found.name == name
    assert all(hasattr(crm.clv, model) for model in found.models)


def test_a_workspace_says_whether_there_are_contracts():
    workspace = read_workspace("demo")
    assert crm.clv.setting(workspace).name == "purchases"
    assert crm.clv.setting(workspace, fixed_opportunities=True).name == "opportunities"
    assert crm.clv.setting(workspace.model_copy(update={"contracts": True})).models == ("fit_sbg", "fit_bdw")
    with pytest.raises(ConfigError, match="contracts=True, but the workspace says contracts = false"):
        crm.clv.setting(workspace, contracts=True)


def test_a_description_that_settles_nothing_is_refused():
    with pytest.raises(ConfigError, match="say whether the end of a relationship is seen"):
        crm.clv.setting()
    with pytest.raises(
        DataError, match=r"columns \['amount'\] are those of no customer table; expected contracts"
    ):
        crm.clv.setting(pd.DataFrame({"amount": [1.0]}))


@pytest.mark.parametrize(
    ("kind", "stated"),
    [
        ("purchases", {"contracts": True}),
        ("contracts", {"contracts": False}),
        ("purchases", {"fixed_opportunities": True}),
        ("opportunities", {"fixed_opportunities": False}),
        ("contracts", {"fixed_opportunities": True}),
    ],
)
def test_columns_against_what_is_stated_are_refused(kind, stated):
    with pytest.raises(DataError, match=f"are those of {kind}, against what is stated"):
        crm.clv.setting(TABLES[kind], **stated)


def test_a_missing_column_is_named():
    with pytest.raises(DataError, match=r"no column \['ended'\]; columns present: \['tenure'\]"):
        crm.clv.fit_sbg(pd.DataFrame({"tenure": [1]}))


# Dates.


def summarised(rows, unit, until="2024-06-30"):
    table = pd.DataFrame(rows, columns=["started_at", "ended_at"])
    return crm.clv.summarise_contracts(table, observed_until=until, unit=unit).to_numpy().tolist()


def test_periods_are_counted_by_anniversaries():
    rows = [
        ("2021-07-01", None),  # the third year ends today
        ("2021-06-30", None),  # renewed for the third time today
        ("2021-07-01", "2022-06-30"),  # not renewed after the first year
        ("2021-07-01", "2022-07-01"),  # renewed once, and left at once
        ("2021-07-01", "2024-06-30"),  # ends with what is observed
        ("2021-07-01", "2024-07-01"),  # ends after what is observed
        ("2024-06-30", None),
    ]
    expected = [[2, False], [3, False], [1, True], [2, True], [3, True], [2, False], [0, False]]
    assert summarised(rows, "1 year") == expected


def test_months_end_on_their_last_day():
    rows = [("2024-01-31", "2024-02-28"), ("2024-01-31", "2024-02-29"), ("2024-01-31", None)]
    assert summarised(rows, "1 month") == [[1, True], [2, True], [5, False]]
    assert summarised(rows[2:], "3 months") == [[1, False]]
    assert summarised([("2024-06-01", "2024-06-14"), ("2024-06-01", None)], "1 week") == [
        [2, True],
        [4, False],
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((None, None), "started_at is missing in 1 of 2 rows, first 1"),
        (("2024-07-01", None), "started_at lies after observed_until 2024-06-30"),
        (("2024-03-01", "2024-02-01"), "ended_at lies before started_at"),
    ],
)
def test_impossible_dates_are_refused(row, message):
    with pytest.raises(DataError, match=message):
        summarised([("2023-01-01", None), row], "1 month")


def test_a_unit_is_whole():
    with pytest.raises(ConfigError, match=r"unit '1\.5 months': expected whole days, weeks, months or years"):
        summarised([("2023-01-01", None)], "1.5 months")


# Values.


def test_a_contract_is_worth_its_further_renewals():
    values = crm.clv.value_contracts(
        CONTRACTS, renewals=MODEL, margin="fee", next_renewal="now", annual_discount_rate=0.1
    )
    for who in "abd":
        tenure, fee = int(CONTRACTS.loc[who, "tenure"]), CONTRACTS.loc[who, "fee"]
        ahead = MODEL.discounted_renewals(tenure, next_renewal="now", annual_discount_rate=0.1)
        assert values.loc[who, "discounted_renewals"] == pytest.approx(ahead)
        assert values.loc[who, "residual_value"] == pytest.approx(fee * ahead)
        assert values.loc[who, "p_renew"] == pytest.approx(MODEL.p_renew(tenure))
    assert (values.loc[["c", "e"], ["p_renew", "discounted_renewals", "residual_value"]] == 0).all(axis=None)
    assert values.index.tolist() == list("abcde")
    assert values["residual_value_low"].isna().tolist() == [True, True, False, True, False]


def test_the_interval_is_that_of_the_delta_method():
    fit = crm.clv.fit_sbg(SURVIVORS)
    how = {"next_renewal": "in one period", "rate_per_period": 0.1}
    values = crm.clv.value_contracts(CONTRACTS, renewals=fit, margin=100, **how)
    one = fit.standard_error(lambda model: model.discounted_renewals(4, **how))
    ahead = fit.model.discounted_renewals(4, **how)
    assert values.loc["b", "residual_value_high"] == pytest.approx(
        100 * ahead * np.exp(1.959964 * one / ahead)
    )
    loss = crm.clv.value_contracts(CONTRACTS, renewals=fit, margin=-100, **how)
    assert (loss["residual_value_low"] <= loss["residual_value"]).all()
    assert loss.loc["b", "residual_value_low"] == pytest.approx(-values.loc["b", "residual_value_high"])


def test_loyal_customers_are_worth_more_and_constant_retention_hides_it():
    """Fader & Hardie (2010): at a constant rate the residual value is flat, with differences it rises."""
    how = {"next_renewal": "now", "rate_per_period": 0.1}
    made = pd.Series([1, 2, 5])
    rising = MODEL.discounted_renewals(made, **how)
    flat = Geometric(theta=0.2).discounted_renewals(made, **how)
    assert rising.is_monotonic_increasing
    np.testing.assert_allclose(flat, flat[0])


def test_no_contracts_no_values():
    how = {"margin": 1.0, "next_renewal": "now", "rate_per_period": 0.1}
    assert len(crm.clv.value_contracts(CONTRACTS.iloc[:0], renewals=MODEL, **how)) == 0


def test_margins_must_be_known():
    how = {"renewals": MODEL, "next_renewal": "now", "rate_per_period": 0.1}
    with pytest.raises(
        DataError, match=r"margin: no column 'price'; columns present: \['tenure', 'ended', 'fee'\]"
    ):
        crm.clv.value_contracts(CONTRACTS, margin="price", **how)
    with pytest.raises(DataError, match="margin: missing for 4 contracts, first 'b'"):
        crm.clv.value_contracts(CONTRACTS, margin=pd.Series({"a": 1.0}), **how)


def test_renewals_are_set_beside_each_model():
    """Two cohorts by hand: the second is seen at one renewal only."""
    cohorts = pd.DataFrame([[100, 60, 45], [50, 40, np.nan]])
    table = crm.clv.compare_renewals(cohorts, models={"sBG": MODEL})
    assert table["n_due"].tolist() == [150, 60]
    assert table["n_renewed"].tolist() == [100, 45]
    np.testing.assert_allclose(table["retention"], [100 / 150, 0.75])
    np.testing.assert_allclose(table["sBG"], MODEL.retention(2))


def test_new_contracts_are_due_for_nothing_yet():
    rows = pd.DataFrame({"tenure": [0, 1, 1], "ended": [False, True, False]})
    table = crm.clv.compare_renewals(rows, models={"fit": crm.clv.fit_geometric(rows)})
    assert table.to_numpy().tolist() == [[2, 1, 0.5, pytest.approx(0.5)]]
