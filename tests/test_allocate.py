"""Allocation: by hand, against every possible choice, ties, refusals."""

from itertools import product

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis import selection
from crm_analysis.errors import ConfigError, DataError


def candidate_frame(rows):
    return pd.DataFrame(rows, columns=["customer_id", "uses", "value_at_stake"])


def chosen(candidates, **capacity):
    result = selection.allocate(candidates, capacity=capacity)
    return set(result.loc[result["chosen"], ["customer_id", "uses"]].itertuples(index=False, name=None))


def test_by_hand():
    candidates = candidate_frame(
        [
            ("a", "visits", 50.0),
            ("a", "calls", 40.0),
            ("b", "visits", 45.0),
            ("b", "calls", 44.0),
            ("c", "calls", 30.0),
            ("d", "calls", 0.0),
        ]
    ).assign(reason_to_act="x")
    result = selection.allocate(candidates, capacity={"visits": 1, "calls": 2})
    assert result["reason"].tolist() == [
        "chosen",
        "capacity used up",
        "chosen",
        "customer has another action",
        "chosen",
        "nothing at stake",
    ]
    assert result["customer_id"].tolist() == ["a", "b", "b", "a", "c", "d"]
    assert result["reason_to_act"].eq("x").all()


def test_equal_values_go_by_name_whatever_the_order_of_rows():
    rows = [("b", "visits", 9.0), ("a", "visits", 9.0), ("c", "visits", 9.0)]
    for order in (rows, rows[::-1]):
        assert chosen(candidate_frame(order), visits=2) == {("a", "visits"), ("b", "visits")}


def test_equal_candidates_of_a_customer_go_by_the_order_of_the_capacity():
    rows = [(who, uses, worth) for who, worth in (("a", 9.0), ("b", 8.0)) for uses in ("calls", "visits")]
    for order in (rows, rows[::-1]):
        assert chosen(candidate_frame(order), visits=1, calls=5) == {("a", "visits"), ("b", "calls")}
        assert chosen(candidate_frame(order), calls=1, visits=5) == {("a", "calls"), ("b", "visits")}


def test_candidates_by_hand():
    placed = pd.DataFrame(
        {
            "current": [9.0, -2.0, 5.0, 0.0],
            "potential": [7.0, 8.0, 1.0, 0.5],
            "cell": ["HH", "LH", "HL", "LL"],
        },
        index=pd.Index(["a", "b", "c", "d"], name="customer_id"),
    )
    uses = {"HH": ["visits", "calls"], "LH": ["visits", "calls"], "HL": ["calls"], "LL": []}
    found = selection.candidates(placed, uses=uses)
    rows = found[["customer_id", "uses"]].agg(" ".join, axis="columns").tolist()
    assert rows == ["b visits", "b calls", "a visits", "a calls", "c calls"]
    assert found["value_at_stake"].tolist() == [8.0, 8.0, 7.0, 7.0, 1.0]
    even = placed.assign(current=placed["current"].clip(lower=0.0))
    assert selection.candidates(even, uses=uses, spared=["visits"])["uses"].tolist()[:2] == [
        "visits",
        "calls",
    ]
    spared = selection.candidates(placed, uses=uses, spared=["visits"])
    assert spared.loc[spared["customer_id"] == "b", "uses"].tolist() == ["calls"]
    assert spared.loc[spared["customer_id"] == "a", "uses"].tolist() == ["visits", "calls"]
    with pytest.raises(ConfigError, match=r"no cell \['HL', 'LL'\]; it has \['HH', 'LH'\]"):
        selection.candidates(placed, uses={"HH": ["visits"], "LH": []})
    with pytest.raises(
        ConfigError, match=r"spared \['visit'\]; the actions of the cells are \['calls', 'visits'\]"
    ):
        selection.candidates(placed, uses=uses, spared=["visit"])


def test_nobody_to_offer_anything():
    placed = pd.DataFrame({"current": [1.0], "potential": [1.0], "cell": ["LL"]}, index=["a"])
    offered = selection.candidates(placed, uses={"LL": []})
    assert offered.empty
    used = selection.capacity_used(selection.allocate(offered, capacity={"calls": 3}), capacity={"calls": 3})
    assert used.loc["calls"].to_dict() == {"capacity": 3, "n_chosen": 0, "n_left": 3, "value_at_stake": 0.0}


def test_capacity_used_by_hand():
    offered = candidate_frame(
        [("a", "visits", 50.0), ("b", "visits", 45.0), ("c", "calls", 30.0), ("d", "calls", 9.0)]
    )
    capacity = {"visits": 1, "mailings": 2, "calls": 5}
    allocated = selection.allocate(offered.assign(cell=["HH", "HH", "LH", "HH"]), capacity=capacity)
    used = selection.capacity_used(allocated, capacity=capacity)
    assert used.index.tolist() == ["visits", "mailings", "calls"]
    assert used["n_chosen"].tolist() == [1, 0, 2]
    assert used["n_left"].tolist() == [0, 2, 3]
    assert used[["HH", "LH"]].to_numpy().tolist() == [[1, 0], [0, 0], [1, 1]]
    assert used["value_at_stake"].tolist() == [50.0, 0.0, 39.0]


def test_the_most_costly_action_is_for_those_of_whom_much_is_expected():
    uses = selection.cell_uses(["visits", "calls", "mailings"])
    every = ["visits", "calls", "mailings"]
    assert uses == {"HH": every, "LH": every, "HL": ["calls", "mailings"], "LL": []}
    assert selection.cell_uses({"calls": 5}) == {"HH": ["calls"], "LH": ["calls"], "HL": [], "LL": []}


rows_drawn = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["visits", "calls"]), st.integers(-3, 30)),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row[:2],
)


def best_value(rows, capacity):
    """Worth of the best of all possible choices."""
    best = 0
    for take in product([False, True], repeat=len(rows)):
        picked = [row for row, yes in zip(rows, take, strict=True) if yes]
        used = pd.Series([row[1] for row in picked], dtype=object).value_counts()
        if len({row[0] for row in picked}) == len(picked) and all(
            used.get(k, 0) <= n for k, n in capacity.items()
        ):
            best = max(best, sum(row[2] for row in picked))
    return best


@settings(max_examples=40, deadline=None)
@given(rows=rows_drawn, visits=st.integers(0, 3), calls=st.integers(0, 3))
def test_against_every_possible_choice(rows, visits, calls):
    capacity = {"visits": visits, "calls": calls}
    result = selection.allocate(candidate_frame(rows), capacity=capacity)
    taken = result[result["chosen"]]
    best = best_value(rows, capacity)
    assert taken["customer_id"].is_unique
    assert all((taken["uses"] == name).sum() <= n for name, n in capacity.items())
    assert (taken["value_at_stake"] > 0).all()
    assert 2 * taken["value_at_stake"].sum() >= best
    if len({row[0] for row in rows}) == len(rows):
        assert taken["value_at_stake"].sum() == best


def test_refused():
    one = candidate_frame([("a", "visits", 1.0)])
    with pytest.raises(ConfigError, match=r"candidates use \['visits'\]; capacities given: \['calls'\]"):
        selection.allocate(one, capacity={"calls": 1})
    with pytest.raises(ConfigError, match=r"capacity \{'visits': 1.5\}"):
        selection.allocate(one, capacity={"visits": 1.5})
    with pytest.raises(DataError, match=r"no column \['gain'\]"):
        selection.allocate(one, capacity={"visits": 1}, value="gain")
    with pytest.raises(DataError, match="1 candidates repeat a customer"):
        selection.allocate(pd.concat([one, one]), capacity={"visits": 1})
    with pytest.raises(DataError, match="1 of 1 candidates have no value_at_stake"):
        selection.allocate(one.assign(value_at_stake=float("nan")), capacity={"visits": 1})
