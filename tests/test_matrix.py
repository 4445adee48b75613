"""Value matrix: cells by hand, ties, stated cut points, refusals."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis import selection
from crm_analysis.errors import ConfigError, DataError

CUSTOMERS = pd.DataFrame(
    {"profit": [10.0, 20, 30, 40, 20], "value_12m": [5.0, 50, 5, 50, 20]}, index=list("abcde")
)
drawn = st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 9)), min_size=1, max_size=40)


def matrix(customers=CUSTOMERS, **options):
    return selection.value_matrix(customers, current="profit", potential="value_12m", **options)


def test_by_hand():
    result = matrix()
    assert result.cut_points == {"current": (20.0,), "potential": (20.0,)}
    # b and e earn just the median of 20: not above it.
    assert result.table["cell"].tolist() == ["LL", "LH", "HL", "HH", "LL"]
    assert result.cells.index.tolist() == ["HH", "HL", "LH", "LL"]
    assert result.cells["n_customers"].tolist() == [1, 1, 1, 2]
    assert result.cells["current"].tolist() == [40, 30, 20, 30]
    assert result.cells["share_of_current"].sum() == pytest.approx(1)
    assert result.cells["action"].tolist() == [
        "Maintain",
        "Keep at low cost",
        "Cultivate",
        "Think carefully before investing",
    ]
    # The source's text for current high, potential low is garbled: an assumption is shown as one.
    assert result.cells["note"].astype(bool).tolist() == [False, True, False, False]
    assert "garbled" in result.cells.loc["HL", "note"]


def test_own_actions_carry_no_note():
    result = matrix(actions=dict(HH="a", HL="b", LH="c", LL="d"))
    assert result.cells["note"].tolist() == [""] * 4
    assert result.table.loc["d", "action"] == "a"


def test_kept_cut_points_and_empty_cells():
    result = matrix(cut_points={"current": [100], "potential": [4]})
    assert result.table["cell"].tolist() == ["LH"] * 5
    assert result.cells["n_customers"].tolist() == [0, 0, 5, 0]


def test_three_levels_need_actions():
    names = [a + b for a in "HML" for b in "HML"]
    with pytest.raises(ConfigError, match="3 levels need actions="):
        matrix(levels=3)
    table = pd.DataFrame({"profit": range(9), "value_12m": range(9)})
    result = matrix(table, levels=3, actions={name: name.lower() for name in names})
    assert result.table["cell"].tolist() == ["LL"] * 3 + ["MM"] * 3 + ["HH"] * 3
    assert result.cells.index.tolist() == names


@settings(max_examples=40, deadline=None)
@given(rows=drawn, levels=st.sampled_from([2, 3]), seed=st.integers(0, 99))
def test_every_customer_once_equal_ones_together_better_never_lower(rows, levels, seed):
    letters = {2: "LH", 3: "LMH"}[levels]
    actions = {a + b: a for a in letters for b in letters}
    customers = pd.DataFrame(rows, columns=["profit", "value_12m"])
    result = matrix(customers, levels=levels, actions=actions)
    assert result.cells["n_customers"].sum() == len(rows)
    assert result.cells["current"].sum() == customers["profit"].sum()
    for axis, column in enumerate(["profit", "value_12m"]):
        level = result.table["cell"].str[axis].map(letters.index)
        assert level.groupby(customers[column]).nunique().eq(1).all()
        assert (level.iloc[np.argsort(customers[column], kind="stable")].diff().dropna() >= 0).all()
    shuffled = matrix(customers.sample(frac=1, random_state=seed), levels=levels, actions=actions)
    pd.testing.assert_frame_equal(result.table, shuffled.table.loc[customers.index])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"levels": 4}, ConfigError, "levels=4; expected 2 or 3"),
        ({"actions": {"HH": "x"}}, ConfigError, r"actions for \['HH'\]; expected one for each"),
        ({"cut_points": {"current": [1]}}, ConfigError, "with 1 ascending values each"),
        ({"cut_points": {"current": [1, 2], "potential": [1]}}, ConfigError, "with 1 ascending values each"),
    ],
)
def test_refused(options, error, message):
    with pytest.raises(error, match=message):
        matrix(**options)


def test_bad_tables_are_refused():
    with pytest.raises(DataError, match=r"no column \['value_12m'\]"):
        matrix(CUSTOMERS[["profit"]])
    with pytest.raises(DataError, match=r"of 5 customers without figure .*'profit': 1"):
        matrix(CUSTOMERS.assign(profit=[1, 2, 3, 4, np.nan]))
    with pytest.raises(DataError, match="no customers"):
        matrix(CUSTOMERS.iloc[:0])
    with pytest.raises(ConfigError, match="are both 'profit'"):
        selection.value_matrix(CUSTOMERS, current="profit", potential="profit")


def test_finding_says_the_cells_and_the_losses():
    customers = pd.DataFrame(
        {"profit": [10.0, -2.0, 4.0, 0.0], "value_12m": [5.0, 6.0, 1.0, 0.0]}, index=list("abcd")
    )
    matrix = selection.value_matrix(
        customers, current="profit", potential="value_12m", cut_points={"current": [3.0], "potential": [2.0]}
    )
    losers = pd.DataFrame({"value_at_stake": [2.0]}, index=["b"])
    key, values = selection.finding(matrix, losers=losers, costed=True)
    assert key == "losses"
    assert values["n"] == 4
    assert values["total"] == 12.0
    assert (values["n_losing"], values["loss"]) == (1, 2.0)
    assert (values["above_current"], values["above_potential"]) == (3.0, 2.0)
    assert [values[f"n_{cell}"] for cell in ("HH", "HL", "LH", "LL")] == [1, 1, 1, 1]
    assert [values[f"share_{cell}"] for cell in ("HH", "HL", "LH", "LL")] == [0.83, 0.33, -0.17, 0.0]
    assert selection.finding(matrix, losers=losers.iloc[:0], costed=True)[0] == "no_losses"
    assert selection.finding(matrix, losers=losers, costed=False)[0] == "losses_unknown"


def test_a_share_just_below_nothing_is_nothing():
    customers = pd.DataFrame({"profit": [1000.0, -1.0], "value_12m": [5.0, 0.0]}, index=list("ab"))
    values = selection.finding(
        matrix(customers), losers=customers.iloc[:0].assign(value_at_stake=0.0), costed=True
    )[1]
    assert f"{values['share_LL']:.0%}" == "0%"


def test_cells_take_shares_of_further_amounts():
    placed = matrix(cut_points={"current": [25.0], "potential": [25.0]})
    service = pd.Series([1.0, 2.0, 3.0, 4.0], index=list("abcd"))
    cells = selection.cells_with_shares(placed, service=service, visits=service * 0)
    assert cells["share_of_service"].to_dict() == pytest.approx({"HH": 0.4, "HL": 0.3, "LH": 0.2, "LL": 0.1})
    assert "share_of_visits" not in cells
    assert cells["n_customers"].to_dict() == placed.cells["n_customers"].to_dict()
