"""Groups of customers, wasted spend, gains and uplift: known truth, identities, calibration, refusals."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from crm_analysis.campaigns import (
    break_even_rate,
    evaluate,
    follow_to_pipeline,
    gains,
    uplift_by,
    uplift_curve,
    uplift_quality,
    wasted_share,
    whom_next,
)
from crm_analysis.campaigns.contrast import Estimate, Welch
from crm_analysis.campaigns.groups import heterogeneity, shrunk
from crm_analysis.campaigns.page_tables import groups_finding
from crm_analysis.campaigns.returns import ABOVE, BELOW, added
from crm_analysis.errors import ConfigError, DataError

GROUPS = ("big", "none", "small")


def campaign(rng, n=1800, *, effects=(60.0, 0.0, 6.0), cost=10.0, names=("c",)):
    """Campaigns whose true incremental profit per contact by group is `effects`."""
    ids = np.array([f"{i:05}" for i in range(n)])
    group = np.repeat(GROUPS, n // 3)
    contacts, orders = [], []
    for i, name in enumerate(names):
        sent = pd.Timestamp("2024-01-10") + pd.Timedelta(days=200 * i)
        treated = rng.random(n) < 0.6
        contacts.append(
            pd.DataFrame({"campaign": name, "customer_id": ids, "treated": treated, "sent_at": sent})
        )
        effect = pd.Series(effects, GROUPS).reindex(group).to_numpy() * treated
        amount = rng.gamma(4.0, 25.0, n) + effect
        orders.append(
            pd.DataFrame({"customer_id": ids, "occurred_at": sent + pd.Timedelta(days=3), "amount": amount})
        )
    found = evaluate(
        pd.concat(contacts),
        pd.concat(orders),
        window="30 days",
        margin=1.0,
        cost_per_contact=cost,
        observed_until="2026-12-31",
        before="20 days",
    )
    return found, pd.Series(group, ids)


def test_groups_are_told_apart_and_add_up():
    effects, groups = campaign(np.random.default_rng(1))
    cells = uplift_by(effects, groups)
    assert cells["n_treated"].sum() == effects["c"].n_treated
    assert cells["cost"].sum() == pytest.approx(effects["c"].cost)
    for group, true in zip(GROUPS, (60, 0, 6), strict=True):
        row = cells.loc[("c", group)]
        assert row["low"] < true < row["high"]
        assert row["after_cost"] == pytest.approx(row["n_treated"] * (row["per_customer"] - 10))
    assert cells["p_differ"].iloc[0] < 0.001
    assert cells.loc[("c", "big"), "p_holm"] < 0.001
    assert groups_finding(cells)[0] == "differ"


def test_holm_counts_the_groups_of_each_campaign():
    effects, groups = campaign(np.random.default_rng(2), effects=(0, 0, 14.0), names=("c", "d"))
    cells = uplift_by(effects, groups)
    for name in ("c", "d"):
        alone = sorted(uplift_by(effects, groups[groups == g]).loc[(name, g), "p_holm"] / 2 for g in GROUPS)
        assert cells.loc[name, "p_holm"].min() == pytest.approx(min(1.0, 3 * alone[0]))


def test_customers_without_a_group_are_one_of_their_own():
    effects, groups = campaign(np.random.default_rng(3))
    cells = uplift_by(effects, groups[groups != "none"])
    assert sorted(cells.loc["c"].index) == ["big", "not known", "small"]
    assert uplift_by(effects, pd.Series(dtype=object)).index.tolist() == [("c", "not known")]


def test_a_campaign_without_control_group_has_no_groups():
    effects, groups = campaign(np.random.default_rng(3))
    everybody = effects.members[["campaign", "customer_id"]].assign(
        treated=True, sent_at=pd.Timestamp("2024-01-10")
    )
    orders = pd.DataFrame({"customer_id": ["00001"], "occurred_at": ["2024-01-12"], "amount": [5.0]})
    without = evaluate(
        everybody, orders, window="30 days", margin=1.0, cost_per_contact=1, observed_until="2024-12-31"
    )
    cells = uplift_by(without, groups)
    assert cells.empty
    assert groups_finding(cells)[0] == "none"
    with pytest.raises(DataError, match="0 cells"):
        wasted_share(cells)


def test_wasted_spend_is_that_of_groups_clearly_below_their_cost():
    effects, groups = campaign(np.random.default_rng(4))
    wasted = wasted_share(uplift_by(effects, groups))
    verdicts = wasted.cells["verdict"].loc["c"]
    assert verdicts["big"] == ABOVE
    assert verdicts["none"] == BELOW
    assert wasted.share_below + wasted.share_above + wasted.share_unclear == pytest.approx(1)
    assert (wasted.low, wasted.high) == pytest.approx((wasted.share_below, 1 - wasted.share_above))
    assert wasted.share_below >= wasted.cells.loc[("c", "none"), "cost"] / wasted.spend - 1e-12


def test_the_range_of_the_wasted_share_holds_the_truth():
    """Eight cells, three of them wasted, two of them exactly at their cost."""
    rng = np.random.default_rng(7)
    true = np.array([-40.0, -15, -5, 0, 0, 8, 25, 60])
    cost, se, held = np.array([10.0, 20, 5, 10, 15, 10, 20, 10]), 10.0, 0
    for after in true + se * rng.normal(size=(160, 8)):
        p = 2 * ndtr(-np.abs(after) / se)
        wasted = wasted_share(pd.DataFrame({"cost": cost, "after_cost": after, "p_cost": p}))
        least, most = cost[true < 0].sum() / 100, cost[true <= 0].sum() / 100
        held += wasted.low <= most + 1e-9 and wasted.high >= least - 1e-9
        assert wasted.low <= wasted.high
    assert held >= 147


def test_cells_of_spend_are_judged_together():
    cells = pd.DataFrame({"cost": [1.0, 1, 2], "after_cost": [-5.0, 5, -5], "p_cost": [0.03, 0.03, 0.001]})
    wasted = wasted_share(cells)
    assert (wasted.share_below, wasted.share_above, wasted.share_unclear) == (0.5, 0, 0.5)
    assert wasted.cells["p_cost_holm"].tolist() == pytest.approx([0.06, 0.06, 0.003])


def test_effects_of_groups_are_drawn_in_by_what_is_not_known_of_them():
    alike = [Welch(10.0, 5.0, 50), Welch(12.0, 5.0, 50), Welch(8.0, 5.0, 50)]
    assert heterogeneity(alike)[1] == 0
    assert shrunk(alike) == pytest.approx([10, 10, 10])
    apart = [Welch(100.0, 5.0, 50), Welch(0.0, 5.0, 50), Welch(math.nan, math.nan, math.nan)]
    p, between = heterogeneity(apart)
    # Q = 200, one degree of freedom; DerSimonian and Laird by hand: (200 - 1) x 25.
    assert p < 1e-10
    assert between == pytest.approx(199 * 25)
    first, second, unknown = shrunk(apart)
    assert unknown == pytest.approx(50)
    assert (first - 50) == pytest.approx(50 * 4975 / 5000)
    assert second == pytest.approx(100 - first)
    assert all(math.isnan(v) for v in shrunk([Welch(1.0, math.nan, math.nan)]))


def test_only_customers_of_groups_that_pay_are_listed_for_next_time():
    effects, groups = campaign(np.random.default_rng(5), effects=(60, 0, 2.0))
    cells = uplift_by(effects, groups)
    people = pd.DataFrame(
        {"days_since_last": 30, "total_amount": np.arange(float(len(groups)))}, groups.index
    )
    people.loc[people.index[:5], "days_since_last"] = 365
    listed = whom_next(effects, cells, customers=people, groups=groups)
    assert set(listed["group"]) == {"big"}
    assert len(listed) == 595
    assert (listed["expected_gain"] == cells.loc[("c", "big"), "to_expect"] - 10).all()
    assert listed["total_amount"].is_monotonic_decreasing
    dear, _ = campaign(np.random.default_rng(5), cost=1000.0)
    assert whom_next(dear, uplift_by(dear, groups), customers=people, groups=groups).empty


def test_added_intervals_hold_the_truth():
    rng, held = np.random.default_rng(9), 0
    true, half = np.array([5.0, -2, 30]), 1.96 * np.array([1.0, 4, 9])
    for found in true + half / 1.96 * rng.normal(size=(2000, 3)):
        total = added([Estimate(v, v - h, v + h) for v, h in zip(found, half, strict=True)])
        held += total.low < true.sum() < total.high
    assert 0.94 < held / 2000 < 0.96


def test_contacts_are_followed_to_opportunities_that_name_them():
    effects, _ = campaign(np.random.default_rng(1), 30)
    members = effects.members.set_index("customer_id")["treated"]
    own, control = members.index[members][:2], members.index[~members][:1]
    deals = pd.DataFrame(
        {
            "opportunity_id": ["1", "2", "3", "4", "5"],
            "account_id": [own[0], own[0], own[1], control[0], ""],
            "created_on": pd.to_datetime(
                ["2024-01-12", "2024-01-20", "2024-06-01", "2024-01-12", "2024-01-13"]
            ),
            "outcome": ["won", "open", "won", "lost", "open"],
            "amount": [100.0, 5.0, 7.0, 9.0, 1.0],
        }
    )
    found = follow_to_pipeline(effects, deals)
    row = found.table.loc["c"]
    assert (row["n_opportunities"], row["n_customers"], row["n_won"], row["amount_won"]) == (2, 1, 1, 100)
    assert row["control_customers"] == 1
    assert sorted(found.pairs["opportunity_id"]) == ["1", "2", "4"]
    assert found.share_known == pytest.approx(3 / 4)


def test_gains_never_part_equal_scores_and_end_at_everybody():
    score = np.array([3.0, 3, 3, 2, 2, 1, 1, 1, 1, 1])
    responded = np.array([1, 1, 0, 1, 0, 0, 0, 0, 0, 1])
    table = gains(responded, score, bins=5, cost_per_contact=1.0, margin=4.0)
    assert table["n"].tolist() == [3, 2, 5]
    assert table["cum_responders"].tolist() == [2, 3, 4]
    assert table[["gains", "lift", "cum_share"]].iloc[-1].tolist() == [1, 1, 1]
    assert table["profit"].tolist() == [5, 7, 6]
    assert table["rome"].iloc[0] == pytest.approx(5 / 3)
    shuffled = np.random.default_rng(1).permutation(10)
    pd.testing.assert_frame_equal(
        table, gains(responded[shuffled], score[shuffled], bins=5, cost_per_contact=1.0, margin=4.0)
    )
    nobody = gains(np.zeros(10), score)
    assert nobody["gains"].isna().all()


def test_gains_and_break_even_refuse_what_says_nothing():
    with pytest.raises(DataError, match="2 of them missing"):
        gains([1, 0, 1], [1.0, np.nan, np.nan])
    with pytest.raises(ConfigError, match="both"):
        gains([1, 0], [1.0, 2.0], margin=3.0)
    with pytest.raises(ConfigError, match="margin=0"):
        break_even_rate(cost_per_contact=1, margin=0)


def test_uplift_curves_end_at_the_whole_effect_and_know_chance():
    rng = np.random.default_rng(11)
    n = 4000
    treated = rng.random(n) < 0.5
    score = rng.random(n)
    outcome = rng.random(n) < 0.1 + 0.3 * treated * score
    curve = uplift_curve(outcome, treated, score)
    effect = outcome[treated].mean() - outcome[~treated].mean()
    assert curve["uplift"].iloc[-1] == pytest.approx(effect * n)
    assert curve["qini"].iloc[-1] == pytest.approx(effect * treated.sum())
    good = uplift_quality(outcome, treated, score)["value"]
    bad, blind = (uplift_quality(outcome, treated, s)["value"] for s in (-score, rng.random(n)))
    assert good["qini_area"] > 0.01 > abs(blind["qini_area"])
    assert bad["qini_area"] < -0.01
    assert good["uplift_at_30"] > effect
    assert uplift_quality(outcome, treated, score)["definition"].str.len().gt(20).all()
    with pytest.raises(DataError, match="1 missing"):
        uplift_curve([1, 0], [1, 0], [0.1, np.nan])


def test_areas_agree_with_those_of_the_field():
    """An area worked by hand: treated responder, control silent, treated silent, control responder."""
    y, t, s = np.array([1, 0, 0, 1]), np.array([1, 0, 1, 0]), np.array([4.0, 3, 2, 1])
    curve = uplift_curve(y, t, s)
    assert curve["qini"].tolist() == [0, 1, 1, 1, 0]
    assert curve["uplift"].tolist() == [0, 1, 2, 1.5, 0]
    assert uplift_quality(y, t, s)["value"]["qini_area"] == pytest.approx(3 / 16)


def test_equal_scores_count_at_once_in_an_uplift_curve():
    curve = uplift_curve([1, 0, 0, 1], [1, 0, 1, 0], [2.0, 2, 1, 1])
    assert curve["n"].tolist() == [0, 2, 4]
    assert curve["qini"].tolist() == [0, 1, 0]
