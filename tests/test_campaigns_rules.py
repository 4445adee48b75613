"""Rules and affinities: intervals, the test against chance, guards, real households."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crm_analysis.campaigns import (
    affinity,
    association_rules,
    evaluate,
    finding,
    frequent_sets,
    lift_interval,
    make_baskets,
    read_baskets,
    strongest_rules,
)
from crm_analysis.doors.transactions import read_transactions
from crm_analysis.errors import ConfigError, DataError

SHARED = Path(__file__).parents[2] / "shared" / "data" / "completejourney"


def drawn(rng, n, *, lift=1.0):
    """Items a and b with rates .3 and .2, together `lift` times as often as by chance; c for nothing."""
    a = rng.random(n) < 0.3
    with_a, without = 0.2 * lift, 0.2 * (1 - 0.3 * lift) / 0.7
    b = rng.random(n) < np.where(a, with_a, without)
    return pd.DataFrame({"a": a, "b": b, "c": rng.random(n) < 0.5})


def rule(rules, left, right):
    chosen = (rules["if_items"] == frozenset(left)) & (rules["then_items"] == frozenset(right))
    return rules[chosen].iloc[0]


@pytest.mark.parametrize("lift", [1.0, 1.8])
def test_the_interval_of_a_lift_holds_the_truth(lift):
    rng, held = np.random.default_rng([3, int(10 * lift)]), 0
    for _ in range(400):
        t = drawn(rng, 400, lift=lift)
        low, high = lift_interval((t["a"] & t["b"]).sum(), t["a"].sum(), t["b"].sum(), 400)
        held += low < lift < high
    assert 0.925 < held / 400 < 0.975


def test_the_p_of_a_rule_is_that_of_fisher_doubled():
    t = drawn(np.random.default_rng(5), 300, lift=1.5)
    found = rule(association_rules(t, min_support=0.05), "a", "b")
    k, a, b = (int(v) for v in ((t["a"] & t["b"]).sum(), t["a"].sum(), t["b"].sum()))
    ways = [math.comb(a, i) * math.comb(300 - a, b - i) / math.comb(300, b) for i in range(min(a, b) + 1)]
    upper, lower = sum(ways[k:]), sum(ways[: k + 1])
    n_rules = len(association_rules(t, min_support=0.05))
    assert found["p_holm"] == pytest.approx(min(1, n_rules * 2 * min(upper, lower)), rel=1e-9)


def test_chance_makes_no_rules_and_a_planted_pair_is_found():
    rng = np.random.default_rng(6)
    nothing = [len(strongest_rules(association_rules(drawn(rng, 400), min_support=0.02))) for _ in range(20)]
    assert sum(n > 0 for n in nothing) <= 2
    found = strongest_rules(association_rules(drawn(rng, 2000, lift=1.8), min_support=0.02, max_length=2))
    assert found[["bought", "also_bought"]].to_numpy().tolist() == [["b", "a"]]
    assert found["lift_low"].iloc[0] < 1.8 < found["lift_high"].iloc[0]


def test_a_lift_is_the_same_both_ways_and_support_is_a_count():
    rules = association_rules(drawn(np.random.default_rng(7), 500), min_support=0.05)
    one, other = rule(rules, "a", "b"), rule(rules, "b", "a")
    assert one["lift"] == pytest.approx(other["lift"], rel=1e-12)
    assert one["n_both"] == other["n_both"]
    assert one["support"] == pytest.approx(one["n_both"] / 500)
    assert one["confidence"] == pytest.approx(one["n_both"] / one["n_if"])
    assert lift_interval(0, 5, 5, 100) == (0.0, np.inf)


def test_metrics_are_those_of_mlxtend():
    from mlxtend.frequent_patterns import association_rules as theirs
    from mlxtend.frequent_patterns import fpgrowth

    t = drawn(np.random.default_rng(8), 400, lift=1.4)
    ours = association_rules(t, min_support=0.05, max_length=None)
    sets = fpgrowth(t, min_support=0.05, use_colnames=True)
    both = theirs(sets, metric="support", min_threshold=0.05).merge(
        ours,
        left_on=["antecedents", "consequents"],
        right_on=["if_items", "then_items"],
        suffixes=("_theirs", ""),
    )
    assert len(both) == len(ours)
    for name in (
        "support",
        "confidence",
        "lift",
        "leverage",
        "conviction",
        "jaccard",
        "certainty",
        "kulczynski",
    ):
        assert both[f"{name}_theirs"].to_numpy() == pytest.approx(both[name].to_numpy())
    assert both["zhangs_metric"].to_numpy() == pytest.approx(both["zhang"].to_numpy())


def test_baskets_that_would_fill_the_memory_are_left_out_and_counted():
    rows = [(1, f"i{k}") for k in range(60)] + [
        (2, "i1"),
        (2, "i2"),
        (2, "i2"),
        (3, "i2"),
        (3, None),
        (4, "i3"),
    ]
    made = make_baskets(pd.DataFrame(rows, columns=["basket", "item"]), max_items=2)
    assert (made.n_left_out, made.n_items_left_out) == (1, 1)
    assert made.table.columns.tolist() == ["i1", "i2"]
    assert made.table.loc[2].tolist() == [True, True]
    assert made.table.loc[4].tolist() == [False, False]
    with pytest.raises(DataError, match="none of 1 baskets has between 1 and 50 items"):
        make_baskets(pd.DataFrame(rows[:60], columns=["basket", "item"]))
    with pytest.raises(DataError, match=r"no column \['item'\]"):
        make_baskets(pd.DataFrame({"basket": [1]}))


@pytest.mark.parametrize(("support", "words"), [(0.0, "expected a share"), (1.5, "share"), (0.001, "0.0125")])
def test_a_support_that_says_nothing_is_refused(support, words):
    with pytest.raises(ConfigError, match=words):
        frequent_sets(drawn(np.random.default_rng(1), 400), min_support=support)


def test_no_frequent_set_is_an_empty_table():
    empty = pd.DataFrame(np.zeros((100, 3), dtype=bool), columns=list("abc"))
    assert frequent_sets(empty, min_support=0.1).empty
    assert association_rules(empty, min_support=0.1).empty
    assert strongest_rules(association_rules(empty, min_support=0.1)).empty


def test_baskets_of_a_log_leave_refunds_out():
    lines = pd.DataFrame(
        {
            "customer_id": ["1", "1", "2", "2", "3"],
            "occurred_at": ["2024-01-02", "2024-02-02", "2024-01-03", "2024-01-09", "2024-03-01"],
            "order_id": ["a", "b", "c", "c", "d"],
            "amount": [5.0, 5, 7, -7, 1],
            "category": ["x", "y", "x", "z", "y"],
        }
    )
    columns = {name: name for name in lines}
    log = read_transactions(lines, columns=columns, observed_from="2024-01-01", observed_until="2024-12-31")
    by_customer = read_baskets(log, item="category").table
    assert by_customer.loc["1"].tolist() == [True, True]
    assert "z" not in by_customer
    assert len(read_baskets(log, item="category", level="order").table) == 4
    assert read_baskets(log, item="category", customers=["3"]).table.index.tolist() == ["3"]
    with pytest.raises(ConfigError, match=r"no column \['product_id'\]"):
        read_baskets(log)


def test_affinity_finds_what_was_planted_and_nothing_else():
    rng = np.random.default_rng(12)
    group = pd.Series(np.repeat(["A", "B"], 500), [f"{i}" for i in range(1000)])
    bought = pd.DataFrame(
        {"x": rng.random(1000) < np.where(group == "A", 0.5, 0.2), "y": rng.random(1000) < 0.4}, group.index
    )
    table = affinity(bought, group)
    row = table.loc[("x", "A")]
    assert row["n_buyers"] == bought["x"][:500].sum()
    assert row["share"] == row["n_buyers"] / 500
    assert row["affinity"] == pytest.approx(100 * row["share"] / bought["x"].mean())
    assert row["difference_low"] < 0.3 < row["difference_high"]
    assert table.loc["x", "p_holm"].max() < 1e-6
    assert table.loc["y", "p_holm"].min() > 0.05
    sums = (table["affinity"] * table["n_customers"]).groupby("item").sum() / 1000
    assert sums.to_numpy() == pytest.approx([100, 100])


def test_affinity_of_one_group_or_none():
    bought = pd.DataFrame({"x": [True, False, True], "y": False}, ["1", "2", "3"])
    table = affinity(bought, pd.Series("A", bought.index))
    assert table.loc[("x", "A"), "affinity"] == pytest.approx(100)
    assert table["difference"].isna().all()
    assert np.isnan(table.loc[("y", "A"), "affinity"])
    with pytest.raises(DataError, match="none of the 3 customers has a group"):
        affinity(bought, pd.Series(dtype=object))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real data of ../shared/data are not here")
def test_households_respond_by_type_of_campaign_and_nothing_incremental_is_told():
    campaigns = pd.read_parquet(SHARED / "campaign_descriptions.parquet")
    campaigns = campaigns.rename(
        columns={"campaign_id": "campaign", "start_date": "started_at", "end_date": "ended_at"}
    )
    contacts = pd.read_parquet(SHARED / "campaigns.parquet").set_axis(["campaign", "customer_id"], axis=1)
    redeemed = pd.read_parquet(SHARED / "coupon_redemptions.parquet").rename(
        columns={"campaign_id": "campaign", "household_id": "customer_id"}
    )
    effects = evaluate(
        contacts.assign(treated=True),
        redeemed[["campaign", "customer_id"]].drop_duplicates(),
        campaigns=campaigns.astype({"campaign": str}).assign(campaign=campaigns["campaign"]),
    )
    kind = campaigns.set_index(campaigns["campaign"].astype(str))["campaign_type"]
    counts = effects.table[["n_treated", "n_responders"]].groupby(kind.reindex(effects.table.index)).sum()
    assert counts.to_numpy().tolist() == [[3647, 604], [2368, 154], [574, 34]]
    keys = ["campaign", "customer_id"]
    said = contacts[keys].apply(tuple, axis=1).isin(set(redeemed[keys].itertuples(index=False, name=None)))
    answered = evaluate(
        contacts.assign(treated=True, responded=said),
        redeemed[keys].iloc[:1],
        campaigns=campaigns.assign(campaign=campaigns["campaign"]),
    ).table["n_answered"]
    assert answered.groupby(kind.reindex(answered.index)).sum().tolist() == [604, 154, 34]
    assert finding(effects)[0] == "no_control"
    assert all(effect.no_control for effect in effects)
    assert effects.table["profit_after_cost"].isna().all()


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real data of ../shared/data are not here")
def test_targeted_households_bought_more_before_any_campaign():
    sales = pd.read_parquet(
        SHARED / "transactions.parquet", columns=["household_id", "sales_value", "transaction_timestamp"]
    )
    targeted = pd.read_parquet(SHARED / "campaigns.parquet")["household_id"].unique()
    annual = sales.groupby("household_id")["sales_value"].sum()
    chosen = annual.index.isin(targeted)
    assert (round(annual[~chosen].mean(), 2), round(annual[chosen].mean(), 2)) == (592.66, 2602.13)
    # The first weeks of the year, before all but two of the 27 campaigns began.
    early = sales[sales["transaction_timestamp"] < "2017-03-01"].groupby("household_id")["sales_value"].sum()
    early = early.reindex(annual.index, fill_value=0.0)
    assert early[chosen].mean() > 3 * early[~chosen].mean()
