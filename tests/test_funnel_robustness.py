"""Whether a finding hangs on one owner or one deal; what a point is worth; more than two firms."""

import numpy as np
import pytest
from counted import counted, draw_firm

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel import compare, compare_several, leave_out, what_if

RATES_A, RATES_B = (0.5, 0.7, 0.5), (0.5, 0.35, 0.5)


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(30)
    amount = rng.lognormal(8, 0.4, 800)
    return [
        draw_firm(rng, owners=8, per_owner=100, rates=rates, spread=0.1, amount=amount)
        for rates in (RATES_A, RATES_B)
    ]


# Leaving out ---------------------------------------------------------------------------------------------


def test_each_owner_is_left_out_once(pair):
    found = leave_out(*pair)
    assert found.table[["left_out", "firm"]].value_counts().to_dict() == {
        ("owner", "a"): 8,
        ("owner", "b"): 8,
    }
    assert found.table["name"].tolist()[:2] == ["Owner 0", "Owner 1"]
    assert (found.table["n_left_out"] == 100).all()
    assert found.largest == "Qualified to Proposal"
    assert found.holds
    assert "Qualified to Proposal is the largest in 16 of 16 comparisons with somebody left out" in str(found)


def test_a_row_is_the_comparison_without_that_owner(pair):
    a, b = pair
    row = leave_out(a, b).table.iloc[0]
    rest = a.members[a.members["owner"] != "Owner 0"]
    without = counted(rest["furthest"], owner=rest["owner"].to_numpy(), amount=rest["amount"].to_numpy())
    again = compare(without, b, per="1000 entrants")
    assert (row["gap"], row["gap_low"], row["gap_high"]) == pytest.approx(
        (again.gap, again.gap_low, again.gap_high)
    )
    assert row["share"] == pytest.approx(again.contributions["share"]["Qualified to Proposal"])
    assert row["contribution"] == pytest.approx(again.contributions["contribution"]["Qualified to Proposal"])


def test_one_owner_who_makes_the_finding_is_found():
    """Nearly all of a's lead is one person's; without it, the same row is ahead, and nothing is clear."""
    parts = ([150, 100, 25, 25], [150, 98, 26, 26], [150, 0, 75, 75])
    usual, better, star = (np.repeat([0, 1, 2, 3], n) for n in parts)
    owner = np.repeat([f"Owner {i}" for i in range(6)], 300)
    a = counted(np.concatenate([*[better] * 3, star, *[better] * 2]), owner=owner)
    found = leave_out(a, counted(np.tile(usual, 6), owner=owner), cluster=None)
    assert not found.holds
    assert found.table.loc[~found.table["same"], ["firm", "name"]].to_numpy().tolist() == [["a", "Owner 3"]]
    assert found.table.loc[3, "largest"] == found.largest
    assert found.table.loc[3, "gap_low"] < 0 < found.table.loc[3, "gap"]
    assert np.isnan(found.table.loc[3, "share"])
    assert "11 of 12" in str(found)


def test_leads_stay_where_an_owner_goes(pair):
    spend = {"spend_a": 1000.0, "spend_b": 1000.0, "per": "spend"}
    found = leave_out(*pair, **spend)
    # Per unit of spend both firms have as many leads: without an owner, too.
    assert found.gap == pytest.approx(compare(*pair, **spend).gap)
    assert set(found.table["largest"]) == {"Qualified to Proposal"}


def test_the_largest_deals_are_left_out_for_revenue(pair):
    a, b = pair
    won = a.deal_values.index
    amount = a.members["amount"].copy()
    amount[won[0]] = 60 * amount.median()
    giant = counted(a.members["furthest"], owner=a.members["owner"].to_numpy(), amount=amount.to_numpy())
    found = leave_out(giant, b, per="revenue", n_deals=2)
    deals = found.table[found.table["left_out"] == "largest deals"]
    assert deals[["firm", "name", "n_left_out"]].to_numpy().tolist() == [
        ["a", "1", 1], ["a", "2", 2], ["b", "1", 1], ["b", "2", 2]
    ]  # fmt: skip
    gaps = deals["gap"].to_numpy()
    assert found.gap - gaps[0] > 5 * (gaps[0] - gaps[1]) > 0
    assert gaps[2] > found.gap


def test_without_its_only_owner_nothing_is_left():
    rng = np.random.default_rng(32)
    a = draw_firm(rng, owners=1, per_owner=300, rates=RATES_A)
    found = leave_out(a, draw_firm(rng, owners=5, per_owner=80, rates=RATES_B))
    assert found.irreplaceable == (("a", "Owner 0"),)
    assert not found.holds
    assert len(found.table) == 5
    assert "firm a has one owner only" in str(found)
    nobody = leave_out(a, a)
    assert nobody.table.empty
    assert not nobody.holds
    assert "0 of 0" in str(nobody)


def test_nobody_can_be_left_out_of_plain_counts():
    with pytest.raises(ConfigError, match="the counts know no owners, so none can be left out"):
        leave_out([100, 50], [100, 40])


# What if -------------------------------------------------------------------------------------------------


def test_a_match_of_every_rate_in_turn_closes_the_gap():
    """Changes one at a time: matching only the transition that differs gives the whole gap."""
    table = what_if(compare([1000, 500, 250, 100], [1000, 500, 125, 50]))
    assert table["match_b"].tolist() == pytest.approx([0, 50, 0])
    assert table["match_a"].tolist() == pytest.approx([0, -50, 0])
    assert (table["plus_b_low"] < table["plus_b"]).all()
    assert (table["plus_b"] < table["plus_b_high"]).all()


def test_points_are_of_the_rate_and_stop_at_one():
    table = what_if(compare([1000, 995, 100], [1000, 500, 100]), points=2)
    assert table["plus_a"].iloc[0] == pytest.approx(100 * (1.0 / 0.995 - 1))
    assert table["plus_b"].iloc[0] == pytest.approx(100 * 0.02 / 0.5)
    with pytest.raises(ConfigError, match="points=0; expected a number above 0"):
        what_if(compare([10, 5], [10, 4]), points=0)


def test_the_interval_of_a_match_holds_what_both_firms_do_not_know():
    a, b = [2000, 500], [2000, 400]
    row = what_if(compare(a, b)).iloc[0]
    # b would win as many as a: the difference of two binomial counts, at b's number of leads.
    spread = np.sqrt(2000 * (0.25 * 0.75 + 0.2 * 0.8))
    assert row["match_b"] == pytest.approx(100)
    assert row["match_b_high"] - row["match_b"] == pytest.approx(1.959964 * spread, rel=1e-6)


@pytest.mark.parametrize("a", [[100, 0, 0], [100, 100, 100], [1, 0, 0], [100, 50, 0]])
def test_what_if_of_degenerate_firms_is_finite(a):
    for pair in ((a, [100, 50, 10]), ([100, 50, 10], a), (a, a)):
        assert np.isfinite(what_if(compare(*pair)).to_numpy()).all()


def test_owners_widen_what_if(pair):
    by_owner, alone = (what_if(compare(*pair, cluster=c)) for c in ("owner", None))
    widths = [t["match_b_high"] - t["match_b_low"] for t in (by_owner, alone)]
    assert (widths[0] >= widths[1] * 0.999).all()


# Several firms -------------------------------------------------------------------------------------------


def test_each_firm_is_compared_with_all_others():
    firms = {"A": [1000, 300, 100], "B": [2000, 500, 110], "C": [1500, 450, 150]}
    found = compare_several(firms)
    again = compare([1000, 300, 100], [3500, 950, 260], per="1000 entrants")
    assert found.gaps["A"].gap == pytest.approx(again.gap)
    assert found.table.loc["A", ["gap_low", "gap_high"]].tolist() == pytest.approx(
        [again.gap_low, again.gap_high]
    )
    assert found.table["p_holm"].tolist() == pytest.approx(
        [found.table["p"]["A"], 3 * found.table["p"]["B"], 2 * found.table["p"]["C"]]
    )
    assert found.unit == "wins per 1,000 entrants"
    # Two firms are each other's others.
    two = compare_several({name: firms[name] for name in "AB"})
    assert two.table["gap"].tolist() == pytest.approx([45, -45])


def test_owners_of_several_firms_stay_apart(pair):
    a, b = pair
    found = compare_several({"A": a, "B": b, "C": b})
    assert found.gaps["A"].clusters.loc["owner", ["n_a", "n_b"]].tolist() == [8, 16]
    money = compare_several(
        {"A": a, "B": b}, per="revenue", spends={"A": 500.0, "B": 400.0}, spend_unit=100, currency="CNY"
    )
    direct = compare(a, b, per="revenue", spend_a=500, spend_b=400, spend_unit=100, currency="CNY")
    assert money.gaps["A"].gap == pytest.approx(direct.gap)
    assert (money.gaps["A"].gap_low, money.unit) == (pytest.approx(direct.gap_low), "revenue per 100 CNY")


def test_firms_with_and_without_owners_are_pooled(pair):
    plain = [800, 400, 200, 100]
    found = compare_several({"A": pair[0], "B": pair[1], "C": counted([0, 1, 2, 3] * 50)})
    assert np.isfinite(found.table[["gap_low", "gap_high", "p"]].to_numpy()).all()
    named = {"A": pair[0], "B": pair[1]}
    with pytest.raises(ConfigError, match="stages differ"):
        compare_several(named | {"C": plain})
    with pytest.raises(ConfigError, match="1 firms; expected two or more"):
        compare_several({"A": plain})
    with pytest.raises(ConfigError, match=r"spends of \['A'\]; expected those of \['A', 'B'\]"):
        compare_several(named, per="spend", spends={"A": 1.0})
    with pytest.raises(ConfigError, match="per=None, expected one of"):
        compare_several(named, per=None)
    with pytest.raises(DataError, match="has no entrants"):
        compare_several({"A": plain, "B": [0, 0, 0, 0]})
