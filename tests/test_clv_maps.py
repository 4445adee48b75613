"""Maps of what a model says of every history: one customer at a time, published numbers, the paradox."""

import numpy as np
import pandas as pd
import pytest

from crm_analysis.clv import BgNbd, Nbd, ParetoNbd, alive_map, value_map
from crm_analysis.errors import ConfigError, DataError

# CDNOW, 78 weeks, Fader, Hardie & Lee (2005), Journal of Marketing Research 42.
PARETO = ParetoNbd(r=0.5629966, alpha=12.5590370, s=0.4081095, beta=10.5148048, unit="7D")
AGE = 545

BASE = pd.DataFrame(
    {
        "n_repeat": [0, 0, 0, 1, 2, 2, 9, 30],
        "t_last": [0, 0, 0, 40, 100, 103, 390, 399],
        "t_observed": [400, 200, 3, 50, 400, 400, 400, 400],
    }
)


@pytest.fixture(scope="module")
def alive():
    return alive_map(PARETO, BASE, horizon="26 weeks", up_to=10, steps=20)


@pytest.fixture(scope="module")
def value():
    return value_map(PARETO, BASE, annual_discount_rate=0.15, t_observed=AGE, up_to=12, steps=60)


def test_a_cell_is_what_the_model_says_of_that_customer(alive):
    for row in (0, 5, 37, 120, len(alive) - 1):
        customer = alive.iloc[[row]][["n_repeat", "t_last", "t_observed"]]
        assert alive["p_alive"].iloc[row] == pytest.approx(PARETO.p_alive(customer).iloc[0], rel=1e-12)
        expected = PARETO.p_buy(customer, horizon="26 weeks").iloc[0]
        assert alive["p_buy"].iloc[row] == pytest.approx(expected, rel=1e-9)


def test_cells_are_possible_histories_of_one_age(alive):
    often = alive[alive["n_repeat"] > 0]
    assert (often["t_observed"] == 400).all()
    assert (often["t_last"] + often["days_since_last"] == 400).all()
    assert (often["t_last"] >= often["n_repeat"]).all()
    # Twenty cells of 21 days; in the last one, of two days, nobody can have come back.
    assert often.groupby("n_repeat").size().to_dict() == dict.fromkeys(range(1, 11), 19)
    assert sorted(alive["days_since_last"].unique()) == [*range(10, 399, 21), 400]


def test_who_bought_once_has_been_silent_as_long_as_observed(alive):
    once = alive[alive["n_repeat"] == 0]
    assert (once["t_observed"] == once["days_since_last"]).all()
    assert (once["t_last"] == 0).all()
    bg = alive_map(BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426), BASE, up_to=3)
    assert (bg["p_alive"][bg["n_repeat"] == 0] == 1).all()


def test_a_longer_silence_never_speaks_for_a_customer(alive):
    for _, row in alive.groupby("n_repeat"):
        assert (np.diff(row["p_alive"]) < 0).all()
        assert (np.diff(row["p_buy"]) < 0).all()
    assert (alive["p_buy"] < alive["p_alive"]).all()


def test_after_a_long_silence_more_purchases_speak_against_a_customer(alive):
    silent = alive[(alive["days_since_last"] > 180) & (alive["n_repeat"] > 0)]
    for _, column in silent.groupby("days_since_last"):
        assert (np.diff(column["p_alive"]) < 0).all()


def test_every_customer_of_the_base_is_in_one_cell_or_bought_too_often(alive):
    counted = alive[alive["n_customers"] > 0].set_index(["n_repeat", "days_since_last"])["n_customers"]
    assert counted.to_dict() == {(0, 10): 1, (0, 199): 1, (0, 400): 1, (1, 10): 1, (2, 304): 2, (9, 10): 1}
    assert alive["n_customers"].sum() == len(BASE) - 1


def test_customers_silent_for_longer_than_the_map_are_on_no_cell():
    table = alive_map(PARETO, BASE, t_observed=150, up_to=5)
    # Silent for 400, 200, 300 and 297 days: four; more than 5 repeats: two.
    assert table["n_customers"].sum() == len(BASE) - 6


def test_a_customer_buys_once_a_day_at_most():
    daily = alive_map(PARETO, BASE, t_observed=20, up_to=5, steps=21)
    longest = daily.groupby("n_repeat")["days_since_last"].max()
    assert longest.to_dict() == {0: 20, 1: 19, 2: 18, 3: 17, 4: 16, 5: 15}


@pytest.mark.parametrize(
    ("repeats", "up_to"), [([1] * 50, 5), (range(21), 19), ([*range(300)], 40)], ids=["few", "some", "many"]
)
def test_the_map_reaches_as_far_as_the_base(repeats, up_to):
    base = pd.DataFrame({"n_repeat": repeats, "t_last": 300}).assign(t_observed=lambda t: 310 + t.index)
    table = alive_map(PARETO, base, steps=5)
    assert table["n_repeat"].max() == up_to
    assert table["t_observed"].max() == 309 + len(base)
    assert table["days_since_last"].nunique() == 5


def test_published_discounted_purchases(value):
    """DERT at T = 77.86, t_x = 30 weeks: with 0.0027 a week as printed; ours is ln(1.15) a year: 0.8% off."""
    days = value_map(PARETO, BASE, annual_discount_rate=0.15, t_observed=AGE, up_to=10, steps=AGE + 1)
    found = days[days["days_since_last"] == AGE - 210].set_index("n_repeat")["value"]
    printed = [2.1992, 2.8435, 2.8671, 2.4454, 1.8405, 1.2624, 0.8096, 0.4948, 0.2920, 0.1679]
    np.testing.assert_allclose(found.loc[1:10], printed, rtol=0.008)
    # The paradox: after so long a silence the fourth repeat purchase makes a customer worth less.
    assert found.idxmax() == 3
    assert (np.diff(found.loc[3:]) < 0).all()


def test_the_longer_the_silence_the_fewer_purchases_are_worth_most(value):
    grid = value.pivot_table(index="n_repeat", columns="days_since_last", values="value")
    best = grid.idxmax()
    assert (np.diff(best) <= 0).all()
    assert best.iloc[0] == 12
    assert best.iloc[-1] == 1
    # Just bought, every purchase is worth more: lines of equal value bend back only after a silence.
    assert (np.diff(grid.iloc[:, 0]) > 0).all()


def test_where_nobody_leaves_more_purchases_are_always_worth_more():
    base = BASE[BASE["n_repeat"] > 0]
    table = value_map(Nbd(r=0.4, alpha=8.0), base, annual_discount_rate=0.15, horizon="12 months", up_to=6)
    for _, column in table.groupby("days_since_last"):
        assert (np.diff(column["value"]) > 0).all()


def test_a_value_is_discounted_purchases_times_what_one_earns(value):
    money = value_map(
        PARETO, BASE, annual_discount_rate=0.15, t_observed=AGE, up_to=12, steps=60, per_purchase=10.5
    )
    np.testing.assert_allclose(money["value"], 10.5 * value["value"], rtol=1e-12)
    assert value["n_repeat"].min() == 1
    customer = value.iloc[[100]]
    expected = PARETO.discounted_purchases(customer, annual_discount_rate=0.15).iloc[0]
    assert value["value"].iloc[100] == pytest.approx(expected, rel=1e-9)
    year = value_map(
        PARETO, BASE, annual_discount_rate=0.15, horizon="12 months", t_observed=AGE, up_to=12, steps=60
    )
    assert (year["value"] < value["value"]).all()


def test_the_order_of_the_customers_does_not_matter(alive):
    shuffled = alive_map(PARETO, BASE.iloc[::-1], horizon="26 weeks", up_to=10, steps=20)
    pd.testing.assert_frame_equal(shuffled, alive)


def test_a_base_of_one_new_customer_has_a_map_of_one_cell():
    new = pd.DataFrame({"n_repeat": [0], "t_last": [0], "t_observed": [0]})
    table = alive_map(PARETO, new)
    assert table[["n_repeat", "days_since_last", "n_customers"]].to_numpy().tolist() == [[0, 0, 1]]
    assert table["p_alive"].iloc[0] == 1
    assert value_map(PARETO, new, annual_discount_rate=0.15).empty


def test_refused():
    with pytest.raises(DataError, match="no customers; give t_observed and up_to"):
        alive_map(PARETO, BASE.iloc[:0])
    assert len(alive_map(PARETO, BASE.iloc[:0], t_observed=100, up_to=3))
    with pytest.raises(ConfigError, match="per_purchase 0"):
        value_map(PARETO, BASE, annual_discount_rate=0.15, per_purchase=0)
    with pytest.raises(ConfigError, match="number with its unit"):
        alive_map(PARETO, BASE, horizon="12")
