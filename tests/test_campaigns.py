"""Campaigns against a control group: identities, known truth, robustness, refusals, degenerate input."""

import math
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crm_analysis.campaigns import (
    costs_both_ways,
    effect_finding,
    evaluate,
    finding,
    key_numbers,
    latest,
    most_telling,
    next_steps,
    pulled_finding,
    response_table,
    return_on,
    uplift_by,
)
from crm_analysis.campaigns.contrast import Estimate, adjusted, bootstrapped, difference
from crm_analysis.campaigns.returns import added
from crm_analysis.doors.transactions import read_transactions
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.rates import holm

DATA = Path(__file__).parents[1] / "data"
CAMPAIGNS = ["2023 spring mail", "2024 autumn calls", "2025 spring coupon", "2025 autumn mail"]
COLUMNS = {"customer_id": "customer_id", "occurred_at": "date", "amount": "amount", "order_id": "order_id"}
COLUMNS |= {"quantity": "quantity", "unit_cost": "unit_cost"}


@cache
def firm(name):
    """Effects of a firm of the sample, with the truth about them."""
    folder = DATA / f"firm_{name}"
    log = read_transactions(
        folder / "transactions.parquet",
        columns=COLUMNS,
        observed_from="2022-01-01",
        observed_until="2025-12-31",
    )
    effects = evaluate(
        pd.read_parquet(folder / "contacts.parquet"),
        log,
        campaigns=pd.read_csv(folder / "campaigns.csv"),
        after="60 days",
    )
    return effects, pd.read_csv(DATA / "truth" / f"firm_{name}" / "campaigns.csv").set_index("campaign")


def toy(n=200, *, share_control=0.5, seed=3):
    """Contacts of one campaign on 1 March, and everybody's single order some days later."""
    rng = np.random.default_rng(seed)
    ids = [f"{i:04}" for i in range(n)]
    contacts = pd.DataFrame(
        {
            "campaign": "spring",
            "customer_id": ids,
            "sent_at": pd.Timestamp("2024-03-01 09:00"),
            "treated": np.arange(n) >= round(n * share_control),
        }
    )
    days = rng.integers(-300, 120, n)
    orders = pd.DataFrame(
        {
            "customer_id": ids,
            "occurred_at": pd.Timestamp("2024-03-01") + pd.to_timedelta(days, unit="D"),
            "amount": rng.gamma(2.0, 50.0, n),
        }
    )
    return contacts, orders


def measured(contacts, orders, **options):
    given = {"cost_per_contact": 2.0, "margin": 0.4, "window": "30 days", "observed_until": "2024-12-31"}
    return evaluate(contacts, orders, **(given | options))


@pytest.mark.parametrize("name", ["a", "b"])
@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_the_truth_lies_within_the_interval(name, campaign):
    effects, truth = firm(name)
    effect, true = effects[campaign], truth.loc[campaign]
    span = "together" if true["orders_pulled_forward"] else "during"
    orders = effect.of(span, "orders").times(effect.n_treated)
    assert orders.low < true["extra_orders_expected"] < orders.high
    plain = effect.spans.loc[(span, "profit")] * effect.n_treated
    assert plain["low"] < true["extra_profit"] < plain["high"]
    assert (effect.n_treated, effect.n_control) == (true["n_treated"], true["n_control"])
    assert effect.cost == pytest.approx(true["cost"])


def test_what_the_firms_bought_before_narrows_the_intervals():
    """A miss among sixteen intervals of 95% is chance; of 99.9% none is."""
    misses, ratios = 0, []
    for name in "ab":
        effects, truth = firm(name)
        for effect in effects:
            span = "together" if truth.loc[effect.campaign, "orders_pulled_forward"] else "during"
            row = effect.spans.loc[(span, "profit")] * effect.n_treated
            true = truth.loc[effect.campaign, "extra_profit"]
            misses += not row["adjusted_low"] < true < row["adjusted_high"]
            half = (row["adjusted_high"] - row["adjusted_low"]) / 2
            assert abs(row["adjusted"] - true) < 1.7 * half
            ratios.append(half / ((row["high"] - row["low"]) / 2))
    assert misses <= 1
    assert np.mean(ratios) < 0.92


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_coupon_that_only_pulls_forward_is_seen_to_do_so(name):
    effects, truth = firm(name)
    coupon = effects["2025 spring coupon"]
    during, after, together = (
        coupon.of(s, "orders").times(coupon.n_treated) for s in ("during", "after", "together")
    )
    moved = truth.loc["2025 spring coupon", "orders_pulled_forward"]
    assert during.low > 0 > after.high
    assert during.low < moved < during.high
    assert after.low < -moved < after.high
    assert together.low < 0 < together.high
    assert coupon.pulled_forward
    assert coupon.verdict != "paid"
    assert next_steps(effects).loc["2025 spring coupon", "step"] == "stop"
    others = [e.pulled_forward for e in effects if e.campaign != "2025 spring coupon"]
    assert not any(others)


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_naive_comparison_is_a_choice_and_no_effect(name):
    effects, truth = firm(name)
    naive = effects.naive
    # Treated customers had bought about as much more before there was anything to respond to.
    assert (naive["already_before"] > 0.5 * naive["naive"]).all()
    assert (naive["naive"] > 1.5 * naive["against_control"].abs()).all()
    assert naive.loc["2025 spring coupon", "naive"] > 1000
    assert truth.loc["2025 spring coupon", "extra_profit"] == 0


def test_the_naive_comparison_by_hand():
    """Two contacted, two never chosen; what was bought in 100 days before is brought to a window of 10."""
    contacts = pd.DataFrame(
        {
            "campaign": "c",
            "customer_id": ["1", "2"],
            "treated": [True, False],
            "sent_at": pd.Timestamp("2024-06-01"),
        }
    )
    bought = [
        ("1", "2024-05-01", 100),
        ("1", "2024-06-05", 50),
        ("2", "2024-05-30", 7),
        ("2", "2024-06-10", 20),
    ]
    bought += [
        ("8", "2024-04-01", 40),
        ("8", "2024-06-02", 4),
        ("9", "2023-01-01", 9),
        ("7", "2024-06-03", 999),
    ]
    orders = pd.DataFrame(bought, columns=["customer_id", "occurred_at", "amount"])
    row = measured(contacts, orders, window="10 days", before="100 days").naive.loc["c"]
    assert (row["n_targeted"], row["n_untargeted"]) == (1, 2)
    assert (row["targeted"], row["untargeted"], row["naive"]) == (50, 2, 48)
    assert row["already_before"] == pytest.approx((100 - 20) * 10 / 100)
    assert row["against_control"] == 30


def test_spans_add_up_and_totals_are_those_of_the_log():
    effects, _ = firm("a")
    for effect in list(effects)[:3]:
        during, after, together = (
            effect.spans.loc[span, "difference"] for span in ("during", "after", "together")
        )
        assert (during + after).to_numpy() == pytest.approx(together.to_numpy())
        members = effects.members[
            (effects.members["campaign"] == effect.campaign) & effects.members["treated"]
        ]
        assert effect.amount == pytest.approx(members["amount_during"].sum())
        assert effect.profit == pytest.approx(members["profit_during"].sum())
        assert effect.n_responders == (members["orders_during"] > 0).sum()


def test_the_window_counts_both_its_days():
    contacts = pd.DataFrame({"campaign": "c", "customer_id": ["1", "2"], "treated": [True, False]})
    dates = pd.DataFrame({"campaign": ["c"], "started_at": ["2024-03-01"], "ended_at": ["2024-03-10"]})
    days = ["2024-02-29", "2024-03-01 00:00", "2024-03-10 23:59", "2024-03-11", "2024-03-15", "2024-03-16"]
    orders = pd.DataFrame(
        {"customer_id": "1", "occurred_at": pd.to_datetime(days, format="ISO8601"), "amount": 1.0}
    )
    found = evaluate(
        contacts,
        orders,
        campaigns=dates,
        after="5 days",
        margin=1.0,
        observed_until="2024-12-31",
        before="10 days",
    )
    row = found.members.set_index("customer_id").loc["1"]
    assert [row[f"orders_{span}"] for span in ("before", "during", "after")] == [1, 2, 2]
    assert found.members.set_index("customer_id").loc["2", "orders_during"] == 0


def test_roi_changes_its_sign_where_a_contact_brings_what_it_costs():
    contacts, orders = toy()
    orders["amount"] *= np.where(contacts["treated"], 3.0, 1.0)
    brings = measured(contacts, orders)["spring"].incremental_profit.value
    assert brings > 0
    for factor, sign in ((0.99, 1), (1.0, 0), (1.01, -1)):
        effect = measured(contacts, orders, cost_per_contact=brings * factor)["spring"]
        assert np.sign(round(effect.roi.value, 9)) == sign
        assert np.sign(round(effect.profit_after_cost.value, 9)) == sign
        assert effect.roi.low < effect.roi.value < effect.roi.high
    low = measured(contacts, orders)["spring"].incremental_profit.low
    assert measured(contacts, orders, cost_per_contact=max(low, 0) + 1e-6)["spring"].verdict != "paid"


def test_everybody_counts_as_assigned_reached_or_not():
    contacts, orders = toy()
    reached = contacts.assign(reached=contacts["treated"] & (np.arange(200) % 2 == 0))
    all_of_them, half = (measured(c, orders)["spring"] for c in (contacts, reached))
    assert half.n_reached == 50
    assert half.incremental_profit == all_of_them.incremental_profit
    assert half.n_treated == all_of_them.n_treated == 100


def test_the_order_of_rows_and_the_scale_of_money_change_nothing_else():
    contacts, orders = toy()
    one = measured(contacts, orders)["spring"]
    other = measured(contacts.sample(frac=1, random_state=1), orders.sample(frac=1, random_state=2))["spring"]
    assert one.spans.to_numpy() == pytest.approx(other.spans.to_numpy(), nan_ok=True)
    tenfold = measured(contacts, orders.assign(amount=orders["amount"] * 10))["spring"]
    assert tenfold.incremental_profit.low == pytest.approx(10 * one.incremental_profit.low)
    swapped = measured(contacts.assign(treated=~contacts["treated"]), orders)["spring"]
    assert swapped.spans["difference"].to_numpy() == pytest.approx(
        -one.spans["difference"].to_numpy(), nan_ok=True
    )


def test_welch_is_that_of_scipy():
    """Ends by scipy.stats.ttest_ind(equal_var=False).confidence_interval(0.9), slow to load."""
    rng = np.random.default_rng(8)
    y, treated = rng.gamma(0.5, 30, 90), np.arange(90) < 60
    ours = difference(y, treated, level=0.9)
    assert (ours.low, ours.high) == pytest.approx((-16.3998637799056, 3.4325884196801084))


def test_the_slope_is_within_groups_and_the_mean_stays():
    rng = np.random.default_rng(4)
    treated = np.arange(400) < 200
    before = rng.normal(100, 20, 400)
    outcome = 2 * before + 50.0 * treated
    fair = adjusted(outcome, before, treated)
    assert difference(fair, treated).value == pytest.approx(50)
    assert fair.mean() == pytest.approx(outcome.mean())
    few = np.arange(40) < 20
    assert adjusted(outcome[:40], before[:40], few) is outcome[:40] or len(few) == 40
    assert (adjusted(outcome[:40], before[:40], few) == outcome[:40]).all()


def test_the_bootstrap_agrees_with_welch_where_both_hold():
    rng = np.random.default_rng(6)
    treated = np.arange(3000) < 2000
    outcome = np.where(rng.random(3000) < 0.4, rng.gamma(2, 50, 3000), 0.0)
    normal = difference(outcome, treated)
    drawn = bootstrapped(outcome, treated, generator=np.random.default_rng(1), draws=4000)
    assert drawn.low == pytest.approx(normal.low, abs=0.08 * (normal.high - normal.low))
    assert drawn.high == pytest.approx(normal.high, abs=0.08 * (normal.high - normal.low))


def test_one_giant_order_that_decides_is_seen():
    contacts, orders = toy(400)
    extra = contacts.loc[contacts["treated"], ["customer_id"]].assign(
        occurred_at=pd.Timestamp("2024-03-05"), amount=np.random.default_rng(2).gamma(2, 8, 200)
    )
    paid = measured(contacts, pd.concat([orders, extra]), cost_per_contact=0.1)["spring"]
    assert paid.verdict == "paid"
    assert not paid.one_order_decides
    giant = pd.DataFrame(
        {"customer_id": ["0001"], "occurred_at": [pd.Timestamp("2024-03-09")], "amount": [9000.0]}
    )
    upset = measured(contacts, pd.concat([orders, extra, giant]), cost_per_contact=0.1)["spring"]
    assert upset.verdict == "cannot be told"
    assert upset.one_order_decides
    rows = upset.readings["difference"]
    assert rows["without the largest order"] == pytest.approx(
        paid.readings.loc["adjusted", "difference"], rel=0.05
    )
    assert rows["plain"] < rows["capped"]


def test_response_and_break_even():
    contacts, _ = toy(100)
    buyers = [f"{i:04}" for i in (*range(60, 72), *range(5))]
    orders = pd.DataFrame({"customer_id": buyers, "occurred_at": pd.Timestamp("2024-03-02"), "amount": 100.0})
    effect = measured(contacts, orders)["spring"]
    assert (effect.n_responders, effect.n_control_responders) == (12, 5)
    assert effect.response_rate.value == 0.24
    # Wilson and Newcombe by hand: 12 of 50, less 5 of 50.
    assert (effect.response_rate.low, effect.response_rate.high) == pytest.approx((0.1430, 0.3741), abs=5e-5)
    assert effect.incremental_response.value == pytest.approx(0.14)
    assert (effect.incremental_response.low, effect.incremental_response.high) == pytest.approx(
        (-0.0094, 0.2855), abs=6e-5
    )
    # Two for a contact, forty for a responder.
    assert effect.break_even_rate == pytest.approx(0.05)
    assert (effect.orders, effect.amount, effect.profit, effect.cost) == (12, 1200, 480, 100)


def test_without_control_group_nothing_incremental_is_told():
    contacts, orders = toy()
    effects = measured(contacts.assign(treated=True), orders)
    effect = effects["spring"]
    assert effect.no_control
    assert effect.verdict == "no control group"
    assert effect.response_rate.low > 0
    for estimate in (
        effect.incremental_response,
        effect.incremental_profit,
        effect.roi,
        effect.profit_after_cost,
    ):
        assert all(math.isnan(v) for v in (estimate.value, estimate.low, estimate.high))
    assert finding(effects)[0] == "no_control"
    assert next_steps(effects)["step"].tolist() == ["keep a control group"]
    with pytest.raises(DataError, match="no campaign with a control group"):
        return_on(1000, effects)


def test_a_window_that_is_not_over_is_not_known_and_not_zero():
    contacts, orders = toy()
    effects = measured(contacts, orders, observed_until="2024-03-15")
    effect = effects["spring"]
    assert effect.verdict == effect.status == "window open"
    assert math.isnan(effect.orders)
    assert math.isnan(effect.n_responders)
    assert math.isnan(effect.response_rate.value)
    assert effects.table.loc["spring", ["profit_after_cost", "roi", "amount"]].isna().all()
    assert finding(effects)[0] == "open"
    over = measured(contacts, orders, after="60 days", observed_until="2024-03-30")["spring"]
    assert (over.status, over.after_known, over.span) == ("known", False, "during")
    assert math.isnan(over.of("after").value)
    later = measured(contacts, orders, observed_until="2024-02-28")
    assert (len(later), later.not_begun) == (0, ("spring",))
    assert finding(later)[0] == "none"


def test_a_campaign_before_the_log_is_not_known():
    lines = pd.DataFrame(
        {"customer_id": ["0001", "0150"], "occurred_at": ["2024-03-20", "2024-04-20"], "amount": [5.0, 5.0]}
    )
    columns = {name: name for name in lines}
    log = read_transactions(lines, columns=columns, observed_from="2024-03-10", observed_until="2024-12-31")
    assert measured(toy()[0], log, observed_until=None)["spring"].verdict == "before the log"


@pytest.mark.parametrize("case", ["nobody", "zero", "one", "one control"])
def test_degenerate_campaigns_have_no_interval_and_no_error(case):
    contacts, orders = toy()
    if case == "nobody":
        orders = orders.assign(occurred_at=pd.Timestamp("2023-01-01"))
    elif case == "zero":
        orders = orders.assign(amount=0.0)
    elif case == "one":
        contacts = contacts.iloc[[150]]
    else:
        contacts = contacts.iloc[99:]
    effects = measured(contacts, orders, after="30 days")
    effect = effects["spring"]
    assert math.isnan(effect.incremental_profit.low)
    expected = {"nobody": "nobody bought", "one": "no control group"}
    assert effect.verdict == expected.get(case, "cannot be told")
    assert np.isfinite(effect.cost)
    assert len(effects.table) == len(next_steps(effects)) == 1


def test_an_empty_table_of_responses_is_a_campaign_that_nobody_answered():
    contacts, orders = toy()
    effect = measured(contacts, orders.iloc[:0])["spring"]
    assert effect.verdict == "nobody bought"
    assert effect.response_rate.value == 0
    assert effect.response_rate.high > 0
    assert effect.n_unknown == 200


def test_contacts_unknown_to_the_log_are_counted_and_ids_of_another_kind_refused():
    contacts, orders = toy()
    strangers = contacts.assign(
        customer_id=np.where(np.arange(200) < 7, "x" + contacts["customer_id"], contacts["customer_id"])
    )
    assert measured(strangers, orders)["spring"].n_unknown == 7
    with pytest.raises(DataError, match=r"none of the 200 contacted customers is in the responses.*'x0000'"):
        measured(contacts.assign(customer_id="x" + contacts["customer_id"]), orders)


def test_a_table_of_responses_counts_for_its_campaign_and_needs_no_date():
    contacts = pd.DataFrame(
        {"campaign": ["c", "c", "c", "d"], "customer_id": ["1", "2", "3", "1"], "treated": True}
    )
    dates = pd.DataFrame({"campaign": ["c", "d"], "started_at": "2024-03-01", "ended_at": "2024-03-10"})
    redeemed = pd.DataFrame({"campaign": ["c", "c", "e"], "customer_id": ["1", "1", "1"]})
    effects = evaluate(contacts, redeemed, campaigns=dates)
    assert [e.n_responders for e in effects] == [1, 0]
    assert effects["c"].orders == 2
    assert math.isnan(effects["c"].amount)
    assert math.isnan(effects.naive.loc["c", "naive"])


def test_costs_are_the_contacts_own_the_campaigns_or_given():
    contacts, orders = toy(100)
    dates = pd.DataFrame(
        {
            "campaign": ["spring"],
            "started_at": "2024-03-01",
            "ended_at": "2024-03-30",
            "cost_per_contact": 5.0,
        }
    )
    own = contacts.assign(cost=3.0)
    options = {"cost_per_contact": None, "window": None, "campaigns": dates}
    assert measured(contacts, orders, **options)["spring"].cost == 250
    assert measured(own, orders, **options)["spring"].cost == 150
    assert measured(own, orders, cost_per_contact=4)["spring"].cost == 200
    assert measured(own, orders, cost_per_contact={"spring": 6})["spring"].cost == 300
    both = measured(contacts, orders, **(options | {"campaigns": dates.assign(fixed_cost=70.0)}))["spring"]
    assert both.cost == pytest.approx(320)
    unknown = measured(contacts, orders, cost_per_contact=None)["spring"]
    assert math.isnan(unknown.cost)
    assert unknown.verdict == "cannot be told"


def test_repeated_contacts_are_one_and_both_groups_at_once_are_refused():
    contacts, orders = toy(100)
    twice = pd.concat([contacts, contacts[contacts["treated"]]]).assign(cost=1.0)
    effect = measured(twice, orders, cost_per_contact=None)["spring"]
    assert (effect.n_treated, effect.cost) == (50, 100)
    with pytest.raises(DataError, match="1 customers are both treated and control"):
        measured(pd.concat([contacts, contacts.iloc[[0]].assign(treated=True)]), orders)


@pytest.mark.parametrize(
    ("change", "options", "error", "words"),
    [
        ({}, {"window": None}, ConfigError, "when do responses count"),
        ({}, {"observed_until": None}, ConfigError, "observed_until"),
        ({}, {"window": "30"}, ConfigError, "a number with its unit"),
        ({"treated": None}, {}, DataError, "200 of 200 rows lack one of"),
        ({"sent_at": pd.NaT}, {}, DataError, "200 of 200 rows have no day"),
    ],
)
def test_refusals_say_what_to_do(change, options, error, words):
    contacts, orders = toy()
    with pytest.raises(error, match=words):
        measured(contacts.assign(**change), orders, **options)


def test_missing_columns_are_named():
    contacts, orders = toy()
    with pytest.raises(DataError, match=r"no column \['treated'\]"):
        measured(contacts.drop(columns="treated"), orders)
    with pytest.raises(DataError, match="neither a day"):
        measured(contacts, orders.drop(columns="occurred_at"))
    with pytest.raises(DataError, match=r"campaigns: no row for \['spring'\]"):
        measured(contacts, orders, campaigns=pd.DataFrame({"campaign": [], "started_at": [], "ended_at": []}))


def test_a_budget_is_the_measured_return_to_scale():
    effects, _ = firm("a")
    back = return_on(20_000_000, effects)
    assert back.campaigns == tuple(CAMPAIGNS)
    assert back.times == pytest.approx(20_000_000 / back.measured_cost)
    assert back.profit_after_cost.value == pytest.approx(20_000_000 * back.roi.value)
    assert back.extra_profit.low == pytest.approx(20_000_000 * (1 + back.roi.low))
    alone = return_on(100.0, effects, campaigns=["2025 autumn mail"])
    assert alone.roi.low == pytest.approx(effects["2025 autumn mail"].roi.low)
    with pytest.raises(ConfigError, match=r"no campaign \['2019'\]"):
        return_on(100.0, effects, campaigns=["2019"])
    with pytest.raises(ConfigError, match="a budget of 0"):
        return_on(0, effects)


def test_a_known_cost_is_taken_off_both_ends():
    assert Estimate(3, 1, 6).less(2).times(10) == Estimate(10, -10, 40)


def test_independent_estimates_add_up_in_squares():
    total = added([Estimate(3, 0, 6), Estimate(5, 1, 9)])
    assert (total.value, total.low, total.high) == (8, 3, 13)


def test_the_headline_counts_what_the_campaigns_did():
    effects, _ = firm("a")
    key, values = finding(effects)
    verdicts = [effect.verdict for effect in effects]
    assert values["n_paid"] == verdicts.count("paid")
    assert values["n_paid"] + values["n_lost"] + values["n_unclear"] == values["n_measured"] == 4
    assert values["pulled"] == "2025 spring coupon"
    assert (key == "paid") == (values["low"] > 0)
    assert values["after_cost"] == pytest.approx(sum(e.profit_after_cost.value for e in effects))


def test_the_more_campaigns_are_looked_at_the_more_is_asked_of_each():
    """One campaign that pays with p of about .01; then the same one among nine others like it."""
    contacts, orders = toy()
    orders["amount"] *= np.where(contacts["treated"], 2.0, 1.0)
    orders["occurred_at"] = pd.Timestamp("2024-03-05")
    found = measured(contacts, orders)["spring"].incremental_profit
    cost = found.low - 0.1 * (found.value - found.low)
    alone = measured(contacts, orders, cost_per_contact=cost)
    assert alone["spring"].p_together == alone["spring"].p_alone
    assert 0.01 < alone["spring"].p_alone < 0.05
    assert (finding(alone)[0], alone["spring"].verdict) == ("one_paid", "paid")
    many = pd.concat(contacts.assign(campaign=f"c{i}") for i in range(10))
    ten = measured(many, orders, cost_per_contact=cost)
    p = [effect.p_alone for effect in ten]
    assert [effect.p_together for effect in ten] == pytest.approx(holm(p))
    assert {effect.verdict for effect in ten} == {"paid, taken alone"}
    key, values = finding(ten)
    assert (key, values["alone"], values["n_alone"], values["n_paid"]) == ("paid", "unclear", 10, 0)
    assert values["measured"] == "c0, c1, c2, c3, c4, +5"
    assert set(next_steps(ten)["step"]) == {"test again"}
    surer = measured(many, orders, cost_per_contact={f"c{i}": 0.0 if i == 7 else cost for i in range(10)})
    assert finding(surer)[1]["paid"] == "c7"
    assert finding(surer)[1]["alone"] == "paid_unclear"
    told = [effect.campaign for effect in most_telling(surer)]
    assert told == ["c5", "c6", "c7", "c8", "c9"]
    assert [e.campaign for e in most_telling(surer, at_most=1)] == ["c7"]
    assert latest(surer.table, 2).index.tolist() == ["c9", "c8"]


def test_p_and_the_interval_say_the_same_of_a_cost():
    contacts, orders = toy()
    found = measured(contacts, orders)["spring"].incremental_profit
    for cost in (found.low, found.high):
        assert measured(contacts, orders, cost_per_contact=cost)["spring"].p_alone == pytest.approx(0.05)
    assert math.isnan(measured(contacts, orders, cost_per_contact=None)["spring"].p_alone)


def test_what_contacts_say_of_responses_is_shown_beside_orders():
    contacts, orders = toy(100)
    assert "n_answered" not in response_table(measured(contacts, orders))
    said = contacts.assign(responded=np.arange(100) % 5 == 0)
    effects = measured(pd.concat([said, said.assign(responded=None)]), orders)
    effect = effects["spring"]
    assert (effect.n_answered, effect.answer_rate.value) == (10, 0.2)
    assert (effect.answer_rate.low, effect.answer_rate.high) == pytest.approx((0.1124, 0.3304), abs=5e-5)
    assert response_table(effects).loc["spring", ["n_answered", "answer_rate"]].tolist() == [10, 0.2]
    assert effect.n_responders == measured(contacts, orders)["spring"].n_responders


def test_what_is_missing_has_a_sentence_of_its_own():
    contacts, orders = toy()
    no_cost = measured(contacts, orders, cost_per_contact=None)
    assert effect_finding(no_cost["spring"])[0] == "no_cost"
    assert effect_finding(measured(contacts, orders, margin=None)["spring"])[0] == "no_profit"
    assert effect_finding(measured(contacts.iloc[99:], orders)["spring"])[0] == "too_few"
    groups = pd.Series("g", contacts["customer_id"])
    cells = uplift_by(no_cost, groups)
    assert cells["cost"].isna().all()
    assert costs_both_ways(no_cost, cells).empty
    free = measured(contacts, orders, cost_per_contact=0.0)
    both = costs_both_ways(free, uplift_by(free, groups))
    assert both.to_numpy().tolist() == [[0, 0]]
    assert "roi" not in key_numbers(free)
    nobody = measured(contacts.assign(treated=False), orders)
    assert nobody["spring"].verdict == "nobody treated"
    assert uplift_by(nobody, groups).empty
    assert next_steps(nobody)["step"].tolist() == ["not known"]


def test_pulled_forward_is_not_denied_where_the_days_after_are_not_observed():
    contacts, orders = toy()
    assert pulled_finding(measured(contacts, orders, after="30 days")) == "none"
    assert pulled_finding(measured(contacts, orders)) == "unknown"
    assert pulled_finding(measured(contacts.assign(treated=True), orders, after="30 days")) == "unknown"
    assert pulled_finding(firm("a")[0]) == "some"
