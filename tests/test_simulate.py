"""The simulated firms are what their truth says, counted from their frames alone."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from crm_analysis import simulate
from crm_analysis.errors import ConfigError
from crm_analysis.simulate import actions, clock, pipeline, plan

DATA = Path(__file__).parents[1] / "data"
RANK = {stage: k for k, stage in enumerate((*plan.STAGES, "Lost"))}
SNAPSHOT = pd.Timestamp("2026-01-01")


@pytest.fixture(scope="module", params=["A", "B"])
def firm(request, firms):
    return firms[request.param]


@pytest.fixture(scope="module")
def firms():
    return {name: simulate.firm(name, seed=1) for name in plan.FIRMS}


def frames(simulated):
    """Every frame of a firm and of its truth, by name."""
    own = {f.name: getattr(simulated, f.name) for f in fields(simulated)}
    truth = {f"truth.{f.name}": getattr(simulated.truth, f.name) for f in fields(simulated.truth)}
    return {k: v for k, v in (own | truth).items() if isinstance(v, pd.DataFrame)}


def originals(simulated):
    """True opportunities, duplicates left out, with the position of their furthest stage."""
    table = simulated.truth.opportunities
    return table[table["duplicate_of"].isna()].assign(furthest=lambda t: t["furthest_stage"].map(RANK))


def defect_rows(simulated, defect):
    """The rows of the firm's frame that the truth lists under `defect`."""
    listed = simulated.truth.defects.query("defect == @defect")
    frame = simulated.transactions if listed["file"].iloc[0] == "transactions" else simulated.pipeline
    return frame.loc[listed["row"]]


def previous(simulated):
    """The row before each row of the stage history, missing at a deal's first."""
    return simulated.pipeline.groupby("id").shift()


def sold(simulated):
    """Value and time of each order in the log, refunds left out."""
    lines = simulated.transactions.query("amount > 0")
    return lines.groupby("order_id").agg(
        customer_id=("customer_id", "first"), date=("date", "first"), amount=("amount", "sum")
    )


# The same seed, the same firm


def test_same_seed_gives_the_same_frames_and_another_seed_others(firms):
    again, other = simulate.firm("A", seed=1), simulate.firm("A", seed=2)
    for name, frame in frames(firms["A"]).items():
        pd.testing.assert_frame_equal(frame, frames(again)[name])
    assert not firms["A"].transactions.equals(other.transactions)


def test_a_generator_is_drawn_from_and_the_global_one_left_alone():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    one = simulate.firm("B", seed=np.random.default_rng(5))
    two = simulate.firm("B", seed=np.random.default_rng(5))
    pd.testing.assert_frame_equal(one.pipeline, two.pipeline)
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(
    ("name", "variant", "said"), [("C", "same", "no firm 'C'"), ("A", "x", "no variant 'x'")]
)
def test_unknown_firm_or_variant_is_refused(name, variant, said):
    with pytest.raises(ConfigError, match=said):
        simulate.firm(name, seed=1, variant=variant)


# The pipeline


def test_split_is_the_published_one():
    a, b = np.array([10000, 3000, 1500, 600, 240]), np.array([10000, 3200, 800, 310, 120])
    split = plan.split_gap(a[1:] / a[:-1], b[1:] / b[:-1])
    expected = np.array([-11.173129, 120.0, 5.496443, 5.676686]) / 10
    np.testing.assert_allclose(split["contribution"], expected, atol=1e-6)
    np.testing.assert_allclose(split["share"].sum(), 1)


def test_mix_and_rate_add_up_to_the_gap_and_change_sign_with_the_firms():
    a, b = plan.plan("A", variant="mix"), plan.plan("B", variant="second stage")
    there, back = (plan.split_mix(*pair)["contribution"] for pair in ((a, b), (b, a)))
    assert there.sum() == pytest.approx(1000 * (a.overall_rates.prod() - b.overall_rates.prod()))
    np.testing.assert_allclose(there, -back)


def rate_errors(simulated, segment):
    """Standard errors of the four rates: binomial, and the scatter of 24 owners."""
    deals = originals(simulated)
    history = simulated.pipeline.drop_duplicates("id").set_index("id")
    chosen = history.loc[deals["opportunity_id"], "segment"].to_numpy() == segment
    furthest = deals["furthest"][chosen | (segment == "all")].to_numpy()
    reached = np.array([(furthest >= k).sum() for k in range(5)])
    rate = reached[1:] / reached[:-1]
    weight = simulated.truth.owners["weight"]
    owners = plan.OWNER_SPREAD**2 * (weight**2).sum() / weight.sum() ** 2
    return rate, np.sqrt(rate * (1 - rate) / reached[:-1] + owners * (rate * (1 - rate)) ** 2)


@pytest.mark.parametrize("segment", ["all", *plan.SEGMENTS])
def test_eventual_rates_are_the_true_ones(firm, segment):
    rate, error = rate_errors(firm, segment)
    true = firm.truth.rates.query("segment == @segment")["rate"].to_numpy()
    assert (np.abs(rate - true) < 3.5 * error).all()


def test_history_shows_the_furthest_stage_where_the_deal_is_old(firm):
    seen = (
        firm.pipeline.assign(rank=firm.pipeline["stage"].map(RANK))
        .query("rank < 5")
        .groupby("id")["rank"]
        .max()
    )
    deals = firm.truth.opportunities.set_index("opportunity_id")
    closed = deals[deals["eventual_at"] < SNAPSHOT]
    assert (seen[closed.index] == closed["furthest_stage"].map(RANK)).all()


def test_second_transition_accounts_for_most_of_the_gap(firms):
    split = firms["A"].truth.split.set_index("transition")
    assert split["share"].idxmax() == "Qualified to Proposal"
    assert split.loc["Qualified to Proposal", "share"] > 0.8
    rates = firms["A"].truth.rates.query("segment == 'all'")["rate"].to_numpy()
    np.testing.assert_allclose(split["rate_a"], rates)
    np.testing.assert_allclose(split["contribution"].sum(), firms["A"].truth.mix["contribution"].sum())
    wins = [1000 * split[c].prod() for c in ("rate_a", "rate_b")]
    np.testing.assert_allclose(split["contribution"].sum(), wins[0] - wins[1])


def days_to_win(simulated):
    won = originals(simulated).query("eventual_outcome == 'won'")
    return (won["eventual_at"] - won["created_at"]).dt.total_seconds().mean() / 86400


def test_firm_b_is_slower_and_its_deals_larger(firms):
    assert days_to_win(firms["A"]) == pytest.approx(60, rel=0.03)
    assert days_to_win(firms["B"]) == pytest.approx(100, rel=0.03)
    assert plan.plan("B", variant="second stage").order_size > 1


def test_same_spend_to_the_cent_twice_the_sales(firms):
    a, b = firms["A"], firms["B"]
    pd.testing.assert_frame_equal(a.spend, b.spend, check_exact=True)
    pd.testing.assert_frame_equal(a.spend, simulate.firm("B", seed=9, variant="mix").spend, check_exact=True)
    wins = [(f.pipeline["stage"] == "Won").sum() for f in (a, b)]
    assert 1.8 < wins[0] / wins[1] < 2.5
    assert 1.7 < a.transactions["amount"].sum() / b.transactions["amount"].sum() < 2.3


def test_won_deal_is_a_customer_and_its_first_order(firms):
    a = firms["A"]
    won = a.pipeline.query("stage == 'Won'").set_index("account_id")
    master = a.customers.set_index("customer_id")
    assert (master.loc[won.index, "acquired_at"] == won["entered_at"].dt.normalize()).all()
    assert (master.loc[won.index, "segment"] == won["segment"]).all()
    first = sold(a).sort_index().drop_duplicates("customer_id").set_index("customer_id").loc[won.index]
    np.testing.assert_allclose(first["amount"], won["amount"])
    assert (first["date"] == won["entered_at"]).all()
    assert a.pipeline.query("stage != 'Won'")["account_id"].isna().all()


def test_history_ends_at_the_snapshot_with_deals_open(firm):
    last = firm.pipeline.groupby("id").last()
    assert firm.pipeline["entered_at"].between("2022-01-01", "2025-12-31 23:59").all()
    still_open = ~last["stage"].isin(["Won", "Lost"])
    later = firm.truth.opportunities.set_index("opportunity_id")["eventual_at"] >= SNAPSHOT
    pd.testing.assert_series_equal(still_open, later.rename("stage"), check_names=False)
    assert 200 < still_open.sum() < 800


def test_owners_hold_deals_only_while_employed(firm):
    started = firm.pipeline.drop_duplicates("id").merge(firm.owners, on="owner")
    assert (started["entered_at"] >= started["hired_at"]).all()
    assert not (started["entered_at"] >= started["left_at"]).any()
    assert firm.owners["left_at"].notna().sum() == pipeline.N_LEAVERS


# What is planted is where the truth says


def test_back_moves_and_skips_are_exactly_the_listed_rows(firm):
    step = firm.pipeline["stage"].map(RANK) - previous(firm)["stage"].map(RANK)
    listed = set(defect_rows(firm, "back-move").index)
    assert listed == set(step.index[step < 0])
    assert len(listed) > 50
    skips = step.index[(step > 1) & (firm.pipeline["stage"] != "Lost")]
    assert set(defect_rows(firm, "skipped stage").index) == set(skips)
    assert len(skips) > 20


def test_rows_that_only_re_price_or_re_date(firm):
    before = previous(firm)
    priced, dated = defect_rows(firm, "re-priced"), defect_rows(firm, "re-dated")
    for rows in (priced, dated):
        assert len(rows) > 500
        assert (rows["stage"] == before.loc[rows.index, "stage"]).all()
    assert (priced["amount"] != before.loc[priced.index, "amount"]).mean() > 0.95
    assert (dated["amount"] == before.loc[dated.index, "amount"]).all()
    assert (dated["expected_close"] > before.loc[dated.index, "expected_close"]).all()


def test_duplicates_share_the_phone_of_their_original_and_are_never_won(firm):
    listed = firm.truth.defects.query("defect == 'duplicate opportunity'")
    first = firm.pipeline.drop_duplicates("id").set_index("id")
    copy, original = first.loc[listed["id"]], first.loc[listed["detail"]]
    assert len(listed) == firm.truth.opportunities["duplicate_of"].notna().sum() > 100
    assert (copy["phone"].to_numpy() == original["phone"].to_numpy()).all()
    assert (copy["entered_at"].to_numpy() > original["entered_at"].to_numpy()).all()
    assert not firm.pipeline.query("stage == 'Won'")["id"].isin(listed["id"]).any()


def test_open_deals_of_departed_owners_and_stalled_ones(firm):
    gone = defect_rows(firm, "owner has left").merge(firm.owners, on="owner")
    assert len(gone) > 10
    assert gone["left_at"].notna().all()
    stalled = firm.truth.defects.query("defect == 'stalled'")["id"]
    deals = firm.truth.opportunities.set_index("opportunity_id").loc[stalled]
    assert len(deals) > 50
    assert (deals["eventual_outcome"] == "lost").all()
    assert (deals["eventual_at"] >= SNAPSHOT).all()


def test_lost_reasons_are_recorded_or_listed(firm):
    lost = firm.pipeline.query("stage == 'Lost'")
    missing = lost.index[lost["lost_reason"].isna()]
    assert set(missing) == set(defect_rows(firm, "lost reason not recorded").index)
    assert 0.3 < len(missing) / len(lost) < 0.4
    true = firm.truth.opportunities.set_index("opportunity_id")["lost_reason"]
    known = lost.dropna(subset="lost_reason")
    assert (true[known["id"]].to_numpy() == known["lost_reason"].to_numpy()).all()


def test_late_refunds_carry_their_order(firm):
    refunds, orphans = (defect_rows(firm, d) for d in ("late refund", "refund of an order before the log"))
    negative = firm.transactions.index[firm.transactions["amount"] < 0]
    assert set(negative) == {*refunds.index, *orphans.index}
    ordered = sold(firm)["date"]
    weeks = (refunds["date"] - refunds["order_id"].map(ordered)).dt.days / 7
    assert weeks.between(2, 11).all()
    assert not orphans["order_id"].isin(ordered.index).any()
    assert len(orphans) > 0
    assert 0.02 < len(refunds) / len(ordered) < 0.04


def test_giant_orders_are_giant(firm):
    orders = sold(firm)
    giant = orders.loc[defect_rows(firm, "giant order")["order_id"].unique()]
    usual = firm.truth.customers.set_index("customer_id")["mean_order_amount"]
    assert len(giant) >= 5
    assert (giant["amount"] > 3 * giant["customer_id"].map(usual)).all()


# Customers and purchases


def test_ids_are_text_with_leading_zeros(firm):
    for frame, column in (
        (firm.transactions, "customer_id"),
        (firm.transactions, "order_id"),
        (firm.pipeline, "id"),
        (firm.customers, "customer_id"),
        (firm.payments, "order_id"),
    ):
        assert frame[column].dtype == "str"
        assert frame[column].str.match(r"0\d{5,6}$").any()
        assert frame[column].str.len().nunique() == 1


def test_nobody_buys_before_acquisition_or_after_the_end_of_life(firm):
    bought = sold(firm).merge(firm.truth.customers, on="customer_id")
    assert (bought["date"] >= bought["acquired_at"]).all()
    assert (bought["date"] <= bought["end_of_life"]).all()
    dead = firm.truth.customers.query("end_of_life < @SNAPSHOT")
    assert (dead[["purchase_days_next_12m", "orders_next_24m"]] == 0).all().all()


def test_log_begins_mid_life_and_only_firm_a_knows_since_when(firms):
    assert "acquired_at" in firms["A"].customers
    assert "acquired_at" not in firms["B"].customers
    for simulated in firms.values():
        assert simulated.transactions["date"].min() < pd.Timestamp("2022-01-03")
        assert simulated.transactions["date"].max() > pd.Timestamp("2025-12-29")
        old = simulated.truth.customers["acquired_at"] < pd.Timestamp("2022-01-01")
        assert 0.2 < old.mean() < 0.4
    truth = firms["A"].truth.customers.set_index("customer_id")["acquired_at"]
    assert (firms["A"].customers.set_index("customer_id")["acquired_at"] == truth).all()


def test_ledger_agrees_to_the_cent(firm):
    month = firm.transactions["date"].dt.strftime("%Y-%m")
    revenue = firm.transactions["amount"].groupby(month).sum()
    orders = sold(firm)
    counted = orders.groupby(orders["date"].dt.strftime("%Y-%m")).size()
    ledger = firm.ledger.set_index("period")
    assert len(ledger) == 48
    np.testing.assert_allclose(ledger["revenue"], revenue.loc[ledger.index], atol=0.005)
    assert (ledger["orders"] == counted.loc[ledger.index]).all()


def test_true_profit_adds_up_from_the_exported_files(firm):
    lines, cost = firm.transactions, firm.costs.set_index("driver")["cost"]
    per_customer = lines.assign(goods=lines["quantity"] * lines["unit_cost"]).groupby("customer_id")
    profit = per_customer["amount"].sum() - per_customer["goods"].sum()
    served = firm.service.pivot_table(index="customer_id", columns="kind", values="quantity", aggfunc="sum")
    service_cost = (served.fillna(0) * cost[served.columns]).sum(axis="columns")
    orders = sold(firm)
    order_cost = orders.groupby("customer_id").size() * cost["order"]
    paid = firm.payments.set_index("order_id")
    days = (paid["paid_at"].fillna(SNAPSHOT) - orders["date"].dt.normalize().loc[paid.index]).dt.days
    credit = (paid["amount"] * days / 365 * cost["credit_per_year"]).groupby(paid["customer_id"]).sum()
    np.testing.assert_allclose(paid["amount"], orders.loc[paid.index, "amount"])
    everything = pd.concat([profit, -service_cost, -order_cost, -credit], axis="columns").sum(axis="columns")
    true = firm.truth.customers.set_index("customer_id")["profit"]
    assert (true.drop(everything.index) == 0).all()
    np.testing.assert_allclose(everything, true[everything.index], atol=0.02)


def test_some_customers_cost_more_than_they_bring(firm):
    profit = firm.truth.customers["profit"].sort_values(ascending=False)
    assert 0.1 < (profit < 0).mean() < 0.35
    assert profit.cumsum().max() / profit.sum() > 1.05
    assert profit.head(len(profit) // 5).sum() > 0.7 * profit[profit > 0].sum()


def test_season_is_visible_in_repeat_orders(firms):
    """Orders, given the customers alive and their rates, follow the index; campaigns left out."""
    dates = pd.concat([unprompted_orders(f)["date"] for f in firms.values()])
    months = pd.period_range("2022-01", "2024-12", freq="M")  # in 2025 a coupon moves orders
    made = dates.dt.to_period("M").value_counts().reindex(months)
    due = pd.Series([sum(orders_due(f.truth.customers, m) for f in firms.values()) for m in months], months)
    seen = made.groupby(months.month).sum() / due.groupby(months.month).sum()
    index = firms["A"].truth.season.set_index("month")["index"]
    assert index.mean() == pytest.approx(1)
    np.testing.assert_allclose(seen / seen.mean(), index, atol=0.06)
    assert seen.idxmin() == index.idxmin() == 2


def unprompted_orders(simulated):
    """Repeat orders that no campaign brought."""
    defects = simulated.truth.defects
    brought = defects.loc[defects["defect"].str.startswith("brought by"), "id"]
    orders = repeat_orders(simulated)
    return orders[~orders["order_id"].isin(brought)]


def orders_due(customers, month):
    """Orders that rates and lives imply for a month without season."""
    start, end = month.start_time, (month + 1).start_time
    alive = customers["end_of_life"].clip(start, end) - customers["acquired_at"].clip(start, end)
    return (customers["purchases_per_year"] * alive.dt.total_seconds()).sum() / 86400 / 365.25


def repeat_orders(simulated):
    """Orders other than the won deal itself."""
    orders = sold(simulated).reset_index().merge(simulated.truth.customers, on="customer_id")
    return orders[orders["date"].dt.normalize() > orders["acquired_at"]]


def test_buying_is_mildly_regular_on_the_seasonal_clock(firms):
    bought = repeat_orders(firms["A"]).sort_values(["customer_id", "date"])
    bought = bought[bought.groupby("customer_id")["order_id"].transform("size") >= 25]
    day = (bought["date"] - pd.Timestamp("2020-01-01")).dt.total_seconds() / 86400
    gap = pd.Series(clock.seasonal_time(day.to_numpy()), bought.index).groupby(bought["customer_id"]).diff()
    variation = gap.groupby(bought["customer_id"]).agg(lambda g: g.std() / g.mean())
    # Gamma gaps of shape 1.5 vary by .816; Poisson would be 1. Second orders of a day add some.
    assert len(variation) > 50
    assert 0.75 < variation.mean() < 0.93


def test_rate_and_amount_go_together_and_later_cohorts_are_worse(firms):
    truth = firms["A"].truth.customers.merge(firms["A"].customers[["customer_id", "segment", "acquired_by"]])
    for _, group in truth.groupby("segment"):
        logs = np.log(group[["purchases_per_year", "mean_order_amount"]])
        assert 0.25 < logs.corr().iloc[0, 1] < 0.55
    life = (truth["end_of_life"] - truth["acquired_at"]).dt.days.groupby(truth["acquired_at"].dt.year).mean()
    assert life.loc[[2024, 2025]].mean() < 0.8 * life.loc[[2020, 2021]].mean()


def test_customers_won_by_discount_are_worth_less(firm):
    truth = firm.truth.customers.merge(firm.customers[["customer_id", "acquired_by"]])
    truth["life"] = (truth["end_of_life"] - truth["acquired_at"]).dt.days
    by = truth.groupby("acquired_by")[["purchases_per_year", "life", "profit", "amount_next_12m"]].mean()
    assert (by.loc["discount"] < 0.8 * by.loc["full price"]).all()


def test_prices_rise_by_four_per_cent_a_year(firm):
    lines = firm.transactions.query("amount > 0")
    price = (lines["amount"] + lines["discount"]) / lines["quantity"]
    priced = lines.assign(price=price, year=lines["date"].dt.year)
    by_year = priced.pivot_table(index="product_id", columns="year", values="price")
    np.testing.assert_allclose(by_year[2025] / by_year[2024], 1.04, atol=0.002)
    np.testing.assert_allclose(by_year[2023] / by_year[2022], 1.04, atol=0.002)


@pytest.mark.parametrize(
    ("column", "until"), [("orders_next_12m", "2027-01-01"), ("orders_next_24m", "2028-01-01")]
)
def test_coming_years_are_what_rate_season_and_life_imply(firms, column, until):
    truth = pd.concat([f.truth.customers for f in firms.values()])
    days = [(d - pd.Timestamp("2020-01-01")).days for d in (SNAPSHOT, pd.Timestamp(until))]
    end = (truth["end_of_life"] - pd.Timestamp("2020-01-01")).dt.total_seconds().to_numpy() / 86400
    alive = clock.seasonal_time(np.clip(end, *days)) - clock.seasonal_time(np.array(days[0]))
    expected = (truth["purchases_per_year"] * alive / 365.25).sum() * 1.03  # 3% second orders
    assert truth[column].sum() == pytest.approx(expected, rel=0.05)
    assert (truth[column.replace("orders", "purchase_days")] <= truth[column]).all()


def test_uplift_is_relative_to_the_purchase_rate(firm):
    """In the 90 days from January, which sell 0.864 of an average month, to those who live through them."""
    truth = firm.truth.customers[firm.truth.customers["end_of_life"] > pd.Timestamp("2026-04-01")]
    for action in actions.ACTIONS:
        extra = truth[f"uplift_{action}"] * truth["purchases_per_year"] * 90 / 365.25 * 0.864
        np.testing.assert_allclose(truth[f"extra_orders_{action}"], extra, rtol=0.02, atol=1e-3)
        assert (truth[f"uplift_{action}"] == 0).mean() == pytest.approx(1 - actions.SHARE_REACTING, abs=0.06)


def test_no_line_of_the_log_occurs_twice(firm):
    assert not firm.transactions.duplicated().any()
    assert not firm.transactions.duplicated(["order_id", "product_id", "date"]).any()


# Campaigns and service


def in_window(simulated, campaign, until):
    """Orders per reached customer from the start of the campaign to `until`, and whether treated."""
    contacts = simulated.contacts.query("campaign == @campaign")
    started = contacts["sent_at"].iloc[0].normalize()
    orders = sold(simulated)
    n = orders[orders["date"].between(started, until)].groupby("customer_id").size()
    return contacts.assign(n=contacts["customer_id"].map(n).fillna(0))


def difference(contacts):
    """Treated less control, and its standard error."""
    groups = contacts.groupby("treated")["n"].agg(["mean", "var", "size"])
    return groups["mean"][True] - groups["mean"][False], np.sqrt((groups["var"] / groups["size"]).sum())


def test_campaign_effects_are_found_against_the_control_group(firm):
    table = firm.campaigns.merge(firm.truth.campaigns, on="campaign")
    for row in table[~table["campaign"].str.contains("coupon")].itertuples():
        effect, error = difference(in_window(firm, row.campaign, row.ended_at + pd.Timedelta(days=1)))
        assert abs(effect - row.extra_orders_expected / row.n_treated) < 3.5 * error


def test_a_strong_campaign_is_plain_to_see(firms):
    both = pd.concat([in_window(f, "2023 spring mail", pd.Timestamp("2023-05-14")) for f in firms.values()])
    effect, error = difference(both)
    assert effect > 2.5 * error


def test_the_coupon_only_moves_orders_forward(firm):
    row = firm.campaigns.query("campaign == '2025 spring coupon'").iloc[0]
    end = row["ended_at"] + pd.Timedelta(days=1)
    effect, error = difference(in_window(firm, row["campaign"], end))
    later, later_error = difference(
        in_window(firm, row["campaign"], end + pd.Timedelta(days=actions.PULLED_DAYS))
    )
    assert effect > 2.5 * error
    assert abs(later) < 3.5 * later_error
    assert firm.truth.campaigns.set_index("campaign").loc[row["campaign"], "extra_orders"] == 0


def test_control_groups_are_random_and_cost_nothing(firm):
    control = ~firm.contacts["treated"]
    assert control.mean() == pytest.approx(actions.SHARE_CONTROL, abs=0.03)
    assert (firm.contacts.loc[control, "cost"] == 0).all()
    assert (firm.contacts.loc[~control, "cost"] > 0).all()
    before = firm.contacts.merge(firm.truth.customers, on="customer_id")
    rate = before.groupby("treated")["purchases_per_year"].agg(["mean", "sem"])
    assert abs(rate["mean"][True] - rate["mean"][False]) < 4 * np.hypot(*rate["sem"])


def test_payments_service_referrals_and_reasons(firm):
    due = firm.payments["due_at"]
    assert 0.15 < (firm.payments["paid_at"] > due).mean() < 0.7
    assert firm.payments["paid_at"].isna().any()
    assert set(firm.service["kind"]) == {"visit", "call", "return"}
    assert (firm.service["kind"] == "return").sum() == (firm.transactions["amount"] < 0).sum()
    referred = firm.customers.dropna(subset="referred_by")
    assert (referred["source"] == "Referral").all()
    assert len(referred) > 100
    assert (referred["referred_by"] < referred["customer_id"]).all()
    reasons = firm.churn_reasons.merge(firm.truth.customers, on="customer_id")
    assert (reasons["reason_x"] == reasons["reason_y"]).all()
    assert (reasons["left_at"] >= reasons["end_of_life"].dt.normalize()).all()
    assert (reasons["reason_x"] == "Service").mean() == pytest.approx(0.68, abs=0.08)


# Variants


@pytest.mark.parametrize(
    ("variant", "transition"), [("first stage", 0), ("third stage", 2), ("last stage", 3)]
)
def test_another_stage_can_be_guilty(variant, transition):
    b = simulate.firm("B", seed=1, variant=variant)
    split = b.truth.split
    assert split["contribution"].idxmax() == transition
    assert split["share"][transition] > 0.8
    rate, error = rate_errors(b, "all")
    assert (np.abs(rate - split["rate_b"]) < 3.5 * error).all()
    assert rate[transition] < 0.6 * split["rate_a"][transition]


def test_only_the_mix_is_guilty():
    a, b = (simulate.firm(name, seed=1, variant="mix") for name in plan.FIRMS)
    by_segment = [f.truth.rates.query("segment != 'all'")["rate"] for f in (a, b)]
    np.testing.assert_allclose(*by_segment)
    mix = a.truth.mix.set_index("part")["contribution"]
    assert mix["rate"] == 0
    assert mix["mix"] == pytest.approx(a.truth.split["contribution"].sum())
    share = [
        f.pipeline.drop_duplicates("id")["segment"].value_counts(normalize=True)["Small"] for f in (a, b)
    ]
    assert share[0] == pytest.approx(0.15, abs=0.02)
    assert share[1] == pytest.approx(0.85, abs=0.02)


def test_only_slow_and_nothing_different():
    slow, same = (simulate.firm("B", seed=1, variant=v) for v in ("slow", "same"))
    reference = simulate.firm("A", seed=1, variant="slow")
    for simulated in (slow, same):
        assert (simulated.truth.split["contribution"] == 0).all()
        assert simulated.truth.split["share"].isna().all()
        rate, error = rate_errors(simulated, "all")
        assert (np.abs(rate - simulated.truth.split["rate_a"]) < 3.5 * error).all()
    assert days_to_win(slow) / days_to_win(reference) == pytest.approx(3, rel=0.05)
    assert days_to_win(same) / days_to_win(reference) == pytest.approx(1, rel=0.05)


# Files


def test_sizes(firms):
    for simulated in firms.values():
        assert 9_500 < simulated.pipeline["id"].nunique() < 11_500
    assert 5_000 < sum(len(f.customers) for f in firms.values()) < 7_000
    assert firms["A"].transactions["order_id"].value_counts().max() <= 8


def test_files_hold_the_frames_and_the_same_bytes_every_time(firm, tmp_path):
    paths = simulate.write_firm(firm, tmp_path / "one", truth_folder=tmp_path / "one" / "answers")
    again = simulate.write_firm(firm, tmp_path / "two", truth_folder=tmp_path / "two" / "answers")
    assert len(paths) == len(simulate.FILES) + len(simulate.TRUTH_FILES)
    assert [p.read_bytes() for p in paths] == [p.read_bytes() for p in again]
    table = pq.read_table(tmp_path / "one" / "transactions.parquet")
    assert str(table.schema.field("amount").type) == "decimal128(18, 4)"
    assert str(table.schema.field("date").type) == "timestamp[us]"
    np.testing.assert_array_equal(table["amount"].to_pandas().astype(float), firm.transactions["amount"])
    assert (
        pq.ParquetFile(tmp_path / "one" / "service.parquet").metadata.row_group(0).column(0).compression
        == "ZSTD"
    )


def read(path):
    """A committed file as a frame, text left as text."""
    return pq.read_table(path).to_pandas() if path.suffix == ".parquet" else pd.read_csv(path, dtype=str)


def test_committed_data_are_what_the_generator_makes(tmp_path):
    made = simulate.write_sample(tmp_path)
    committed = {
        p.relative_to(DATA) for p in DATA.rglob("*") if p.suffix in (".parquet", ".csv") and "firm_" in str(p)
    }
    assert committed == {p.relative_to(tmp_path) for p in made}
    for path in made:
        pd.testing.assert_frame_equal(read(path), read(DATA / path.relative_to(tmp_path)), rtol=1e-9)


def test_committed_files_are_small():
    assert sum(p.stat().st_size for p in DATA.rglob("*") if p.is_file()) < 12e6


def test_every_column_is_in_the_dictionary(firms):
    text = (DATA / "README.md").read_text()
    missing = {
        c for f in firms.values() for k in simulate.FILES for c in getattr(f, k).columns if c not in text
    }
    assert not missing
