"""Value of groups with ranges, and what a value beyond 12 months rests on."""

import numpy as np
import pandas as pd
import pytest
from clv_cases import cdnow

from crm_analysis.clv.ahead.forecast import forecast_amount
from crm_analysis.clv.ahead.group_values import value_groups
from crm_analysis.clv.models.bg_nbd import fit_bg_nbd
from crm_analysis.clv.models.gamma_gamma import fit_gamma_gamma
from crm_analysis.clv.worth.value import value_customers
from crm_analysis.errors import DataError


@pytest.fixture(scope="module")
def fits():
    return {"purchases": fit_bg_nbd(cdnow()), "spend": fit_gamma_gamma(cdnow())}


@pytest.fixture(scope="module")
def values(fits):
    return value_customers(cdnow(), **fits, margin=0.3, annual_discount_rate=0.15)


def grouped(values, fits, groups, errors=()):
    generator = np.random.default_rng(3)
    index = pd.MultiIndex.from_product([range(len(errors)), ["amount"]], names=["origin", "quantity"])
    past = pd.DataFrame({"error": errors}, index, dtype=float)
    return value_groups(values, groups, customers=cdnow(), **fits, past=past, generator=generator, draws=60)


def test_groups_add_up_and_the_largest_comes_first(values, fits):
    often = pd.Series(np.where(cdnow()["n_repeat"] > 1, "often", "once or twice"), cdnow().index)
    table = grouped(values, fits, often.sample(frac=1, random_state=1))
    assert table["value"].sum() == pytest.approx(values["value_12m"].sum())
    assert table["residual_value"].sum() == pytest.approx(values["residual_value"].sum())
    assert table["share_of_all"].sum() == pytest.approx(1)
    assert table["value"].is_monotonic_decreasing
    assert table.loc["often", "n_customers"] == (cdnow()["n_repeat"] > 1).sum()
    assert (table["low"] < table["value"]).all()
    assert (table["high"] > table["value"]).all()


def test_one_group_has_the_range_of_the_total(values, fits):
    """In proportion: a margin and a discount move both ends alike."""
    everybody = pd.Series("all", cdnow().index)
    row = grouped(values, fits, everybody).loc["all"]
    generator = np.random.default_rng(3)
    total = forecast_amount(**{k: fits[k] for k in ("purchases", "spend")}, customers=cdnow(),
                            horizon="12 months", generator=generator, draws=60)  # fmt: skip
    assert row["low"] / row["value"] == pytest.approx(total.forecast_low / total.expected)
    assert row["high"] / row["value"] == pytest.approx(total.forecast_high / total.expected)


def test_a_small_group_is_less_sure(values, fits):
    few = pd.Series(np.where(np.arange(len(cdnow())) < 40, "few", "many"), cdnow().index)
    table = grouped(values, fits, few)
    width = (table["high"] - table["low"]) / table["value"]
    assert width["few"] > 2 * width["many"]


def test_past_errors_widen_every_group(values, fits):
    everybody = pd.Series("all", cdnow().index)
    row = grouped(values, fits, everybody, errors=(3.0, -0.5)).loc["all"]
    assert row["low"] == pytest.approx(row["value"] / 4)
    assert row["high"] == pytest.approx(row["value"] * 2)


def test_a_customer_without_a_group_is_refused(values, fits):
    with pytest.raises(DataError, match="1 of 2357 customers have no group, first '0001'"):
        grouped(values, fits, pd.Series("all", cdnow().index[1:]))


def test_the_range_of_a_loss_runs_from_low_to_high(values, fits):
    money = ["value_12m", "residual_value"]
    everybody = pd.Series("all", cdnow().index)
    row = grouped(values.assign(**-values[money]), fits, everybody).loc["all"]
    assert row["low"] < row["value"] < row["high"] < 0
