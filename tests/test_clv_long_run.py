"""What a value beyond 12 months rests on, and its roll-forward, of a firm of the sample data."""

from pathlib import Path

import pytest

from crm_analysis.clv.ahead.kept import firm_models
from crm_analysis.clv.ahead.long_run import long_value, roll_forward
from crm_analysis.clv.worth.beyond_log import value_by_model
from crm_analysis.clv.worth.value import value_customers
from crm_analysis.customers import summarise_customers
from crm_analysis.doors.store import open_workspace

DEMO = Path(__file__).parents[1] / "data" / "demo.toml"
SCALE = {"margin": 0.2, "annual_discount_rate": 0.1}


@pytest.fixture(scope="module")
def log():
    return open_workspace(DEMO).transactions("b")


@pytest.fixture(scope="module")
def choice(log):
    return firm_models(open_workspace(DEMO), "b", log=log, customers=summarise_customers(log)).choice


@pytest.fixture(scope="module")
def values(choice):
    return value_customers(choice.customers, **choice.fits, **SCALE)


def test_the_range_over_models_is_that_of_their_values(log, choice, values):
    table = value_by_model(
        choice.customers, purchases=choice.models.purchases, spend=choice.spend, **SCALE,
        observed_from=log.observed_from, observed_until=log.observed_until,
    )  # fmt: skip
    found = long_value(choice, log, **SCALE)
    believed = table["residual_value"].drop("NBD")
    assert found["lowest"] == pytest.approx(believed.min())
    assert found["highest"] == pytest.approx(believed.max())
    assert found["highest"] < table.loc["NBD", "residual_value"]
    assert found["residual"] == pytest.approx(values["residual_value"].sum())
    assert found["low"] < found["residual"] < found["high"]
    assert 0 < found["share_beyond_log"] < found["share_beyond_12m"] < 1
    assert found["years"] == pytest.approx(4, abs=0.001)


def test_the_steps_lead_from_the_value_then_to_the_value_now(choice, values):
    rolled = roll_forward(choice, values, **SCALE)
    steps = rolled.steps
    assert sum(steps.values()) - steps["closing"] == pytest.approx(steps["closing"])
    assert steps["closing"] == pytest.approx(values["residual_value"].sum())
    last = choice.origins[-1]
    assert steps["margin_received"] == pytest.approx(-0.2 * last.happened["amount_holdout"].sum())
    then = last.models
    opening = value_customers(
        last.known, purchases=then.purchases[choice.name], spend=then.spend, **SCALE
    )  # fmt: skip
    assert steps["opening"] == pytest.approx(opening["residual_value"].sum())


def test_without_values_there_are_no_steps(choice):
    assert roll_forward(choice, None, **SCALE) is None
