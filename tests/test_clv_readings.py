"""What the sentences about a model say: against tables made for each answer."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from clv_cases import cdnow

import crm_analysis as crm
from crm_analysis.clv import (
    NO_SEASON,
    BgNbd,
    MbgNbd,
    ParetoNbd,
    customer_history,
    daily_repeats,
    errors_by_group,
    fit_bg_nbd,
    flagged_groups,
    follow_firm,
    given_season,
    judge_counts,
    last_silence,
    master_groups,
    once_only,
    paradox,
    parameter_table,
    rhythm,
    season_finding,
    three_intervals,
    tracking,
    value_map,
)
from crm_analysis.clv.ahead.choice import choose_model
from crm_analysis.clv.ahead.look_back import LookBack
from crm_analysis.clv.ahead.origins import revisit
from crm_analysis.clv.ahead.outlook import Models
from crm_analysis.clv.ahead.season import Season
from crm_analysis.clv.models.estimates import ThreeIntervals
from crm_analysis.clv.models.regularity import Regularity
from crm_analysis.errors import DataError

PARETO = ParetoNbd(r=0.553, alpha=10.58, s=0.606, beta=11.66, unit="7D")
WINTER = given_season([3.0, 2.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 2.0, 3.0])


@pytest.fixture(scope="module")
def log():
    """Two years of 400 customers who buy at random and leave; and one who was there before the log."""
    rng, rows = np.random.default_rng(2), [("old", 0, 9.0), ("old", 40, 9.0), ("old", 80, 9.0)]
    for i in range(400):
        day, leaves = int(rng.integers(30, 600)), rng.beta(0.8, 2.0)
        rate = rng.gamma(1.0, 1 / 40)
        while day < 730:
            rows.append((f"{i:03}", day, 10.0 + i % 7))
            if rng.random() < leaves:
                break
            day += 1 + int(rng.exponential(1 / rate))
    table = pd.DataFrame(rows, columns=["c", "day", "m"])
    table["d"] = (pd.Timestamp("2024-01-01") + pd.to_timedelta(table["day"], unit="D")).astype(
        "datetime64[us]"
    )
    return crm.read_transactions(
        table[["c", "d", "m"]],
        columns={"customer_id": "c", "occurred_at": "d", "amount": "m"},
        observed_from="2024-01-01",
        observed_until="2025-12-30",
        burn_in="20 days",
    )


@pytest.fixture(scope="module")
def choice(log):
    customers = crm.summarise_customers(log)
    back = LookBack(pd.Timestamp("2025-06-30").date(), pd.Timestamp("2025-12-30").date())
    return choose_model(customers, origins=revisit(log, look_backs=[back]))


# Groups


def errors(flags, error=(0.5, 0.1, -0.2)):
    rows = {"n_customers": [10, 20, 70], "error": list(error), "flagged": flags}
    table = pd.DataFrame(rows, index=["x", "y", "z"])
    table.loc["all"] = [100, 0.05, any(flags)]
    return table


@pytest.mark.parametrize(
    ("flags", "key", "names", "share"),
    [
        ([False] * 3, "alike", [], 0),
        ([True, False, False], "single", ["x"], 0.1),
        ([True, False, True], "apart", ["x", "z"], 0.8),
    ],
)
def test_flagged_groups_are_named_with_their_share(flags, key, names, share):
    found = flagged_groups(errors(flags))
    assert found[:2] == (key, names)
    assert (found[2]["n"], found[2]["n_flagged"]) == (3, len(names))
    assert found[2]["share"] == pytest.approx(share)
    assert found[2]["error"] == 0.05
    if key == "apart":
        assert (found[2]["lowest"], found[2]["highest"]) == (-0.2, 0.5)


def test_one_group_is_compared_with_none():
    assert flagged_groups(errors([True, False, False]).loc[["x", "all"]])[0] == "one"


def test_groups_are_judged_by_the_last_forecast_and_else_by_the_fit(choice):
    last = choice.origins[-1]
    ahead = errors_by_group(choice)
    assert choice.tested
    assert ahead.loc["all", "actual"] == last.holdout["n_holdout"].sum()
    assert ahead.loc["all", "n_customers"] == len(last.calibration) < len(choice.fitted)
    so_far = errors_by_group(replace(choice, origins=[], quality=None))
    assert so_far.loc["all", "actual"] == choice.fitted["n_repeat"].sum()
    with pytest.raises(DataError, match="the customers determine no model"):
        errors_by_group(replace(choice, name=None, purchases=None))


def test_a_column_of_the_master_is_by_customer_and_empty_without():
    import ibis

    rows = pd.DataFrame({"customer_id": ["1", "2"], "segment": ["Large", "Small"]})
    workspace = SimpleNamespace(customers=lambda firm: {"a": ibis.memtable(rows)}.get(firm))
    assert master_groups(workspace, "a", "segment").to_dict() == {"1": "Large", "2": "Small"}
    for firm, column in (("a", "region"), ("a", "customer_id"), ("a", ""), ("b", "segment")):
        assert master_groups(workspace, firm, column).empty


# Who bought once


def test_who_bought_once_is_asked_of_every_model_and_counted_then(choice):
    once, last = once_only(choice), choice.origins[-1]
    mine, then = choice.fitted[choice.fitted["n_repeat"] == 0], last.calibration
    then = then[then["n_repeat"] == 0]
    assert (once.n, once.n_then, once.kind) == (len(mine), len(then), "tested")
    assert once.share == pytest.approx(len(mine) / len(choice.fitted))
    assert once.table.loc["BG/NBD", "p_alive"] == 1
    assert once.table["p_alive"].min() < 0.9
    model = choice.models.purchases["MBG/NBD"].model
    assert once.table.loc["MBG/NBD", "p_buy"] == pytest.approx(model.p_buy(mine, horizon="12 months").mean())
    bought = (last.holdout.loc[then.index, "n_holdout"] > 0).mean()
    assert once.table["share_bought"].tolist() == pytest.approx([bought] * len(once.table))
    assert once.values["p_alive_low"] == once.table["p_alive"].min()
    assert once.values["share_expected_high"] == once.table["share_expected"].max()


def test_without_an_origin_or_without_anybody_it_says_so(choice):
    untested = once_only(replace(choice, origins=[]))
    assert untested.kind == "untested"
    assert untested.table["share_bought"].isna().all()
    often = choice.customers[choice.customers["n_repeat"] > 0]
    assert once_only(replace(choice, customers=often, origins=[])).kind == "nobody"


# Pictures


def test_the_paradox_is_where_more_purchases_cost_most():
    base = cdnow("1998-06-30")
    table = value_map(PARETO, base, annual_discount_rate=0.15)
    key, values = paradox(table)
    assert key == "less"
    assert values["few"] < values["many"]
    assert values["change"] == pytest.approx(values["value_many"] / values["value_few"] - 1)
    row = table[table["days_since_last"] == values["days_since_last"]].set_index("n_repeat")["value"]
    assert row.idxmax() == values["few"]
    lost = table.groupby("days_since_last")["value"].agg(lambda v: v.max() - v.iloc[-1])
    assert lost.max() == pytest.approx(values["value_few"] - values["value_many"])
    assert paradox(table[table["n_repeat"] == 1]) == ("none", {})


@pytest.mark.parametrize(
    ("p_buy", "key", "after"),
    [
        ([0.9, 0.8, 0.9, 0.6, 0.4], "fell", 2),
        ([0.9, 0.4, 0.9, 0.8, 0.7], "above", 0),
        ([1, 1, 0.4, 0.3, 0.2], "below", 0),
    ],
)
def test_silence_counts_from_the_last_purchase(p_buy, key, after):
    days = pd.date_range("2025-01-01", periods=5)
    history = pd.DataFrame(
        {"bought": [True, False, True, False, False], "p_buy": p_buy, "p_alive": 0.5}, days
    )
    found, values = last_silence(history)
    assert (found, values["days"]) == (key, 2)
    assert (values["p_buy_then"], values["p_buy"]) == (p_buy[2], p_buy[4])
    if key == "fell":
        assert values["fell_after"] == after


# The season's clock


def test_a_history_on_the_clock_ends_with_what_is_said_on_it(log):
    customers = crm.summarise_customers(log)
    often = customers[customers["n_repeat"] >= 3].index[:3]
    days, until = crm.clv.purchase_days(log, customers=often), log.observed_until
    on_clock = WINTER.on_clock(customers.loc[often], observed_until=until)
    for customer in often:
        asked = {"customer_id": customer, "observed_until": until, "season": WINTER}
        last = customer_history(PARETO, days, **asked).iloc[-1]
        names = ["n_repeat", "t_last", "t_observed"]
        assert last[names].tolist() == on_clock.loc[customer, names].tolist()
        assert last["p_alive"] == pytest.approx(PARETO.p_alive(on_clock.loc[[customer]]).iloc[0])


def test_tracking_expects_more_in_strong_months(log):
    customers = crm.summarise_customers(log)
    known = customers[customers["history_complete"]]
    repeats = daily_repeats(log, acquired_until=log.observed_until, complete_only=True)
    asked = {"repeats": repeats, "until": log.observed_until, "step": "1 day"}
    on_clock = tracking(MODEL, known, season=WINTER, **asked)
    flat = tracking(MODEL, known, **asked)
    assert on_clock["expected"]["2025-01"].sum() > 1.5 * on_clock["expected"]["2025-06"].sum()
    assert flat["expected_cumulative"].iloc[-1] == pytest.approx(
        sum(MODEL.expected_purchases_new(horizon=f"{age} days") for age in known["t_observed"])
    )
    ages = WINTER.on_clock(known, observed_until=log.observed_until)["t_observed"]
    assert on_clock["expected_cumulative"].iloc[-1] == pytest.approx(
        sum(MODEL.expected_purchases_new(horizon=f"{age} days") for age in ages)
    )


MODEL = MbgNbd(r=0.6, alpha=4.0, a=0.8, b=2.5)


def test_only_complete_histories_are_followed(log, choice):
    followed = follow_firm(SimpleNamespace(choice=choice, season=NO_SEASON), log, step="1 day")
    assert followed.actual == choice.fitted["n_repeat"].sum()
    everybody = daily_repeats(log, acquired_until=log.observed_until)
    assert everybody.sum() == followed.actual + 2  # those of the customer who was there before
    assert followed.model == choice.name
    assert followed.expected == pytest.approx(followed.table["expected_cumulative"].iloc[-1])
    nothing = SimpleNamespace(choice=replace(choice, purchases=None), season=NO_SEASON)
    with pytest.raises(DataError, match="the customers determine no model"):
        follow_firm(nothing, log)


def test_the_season_says_where_it_comes_from():
    key, values = season_finding(WINTER)
    assert (key, values["strongest"], values["weakest"]) == ("given", 1, 5)
    assert values["high"] / values["low"] == pytest.approx(6)
    found = Season(WINTER.index, "estimated", tuple(0.1 * i for i in WINTER.index), 0.01)
    key, values = season_finding(found)
    assert key == "estimated"
    assert values["high_to"] == pytest.approx(values["high"] * np.exp(0.196))
    assert values["p_value"] == 0.01
    for reason, name in (("short log", "short_log"), ("chance", "chance"), ("", "none")):
        assert season_finding(replace(NO_SEASON, reason=reason))[0] == name


# Rhythm, counts, parameters


@pytest.mark.parametrize(
    ("low", "high", "key"), [(0.9, 1.1, "random"), (1.1, 1.5, "schedule"), (0.7, 0.9, "bursts")]
)
def test_the_rhythm_is_what_the_interval_leaves(low, high, key):
    found = Regularity(k=(low + high) / 2, low=low, high=high, n_customers=9, n_intervals=9, log_days=1.0)
    assert rhythm(found)[0] == key
    assert rhythm(found)[1]["n_customers"] == 9
    assert rhythm(None) == ("unknown", {})


def test_counts_are_joined_until_five_are_expected():
    index = pd.Index(["0", "1", "2", "3+"], name="n_repeat")
    table = pd.DataFrame({"actual": [60, 30, 6, 4], "expected": [62.0, 29.0, 6.0, 3.0]}, index)
    key, values = judge_counts(table, n_parameters=1)
    assert key == "close"
    # Two classes above 1, nine expected and ten counted: 4/62 + 1/29 + 1/9.
    assert values["statistic"] == pytest.approx(4 / 62 + 1 / 29 + 1 / 9)
    assert (values["n_repeat"], values["actual"], values["largest"]) == ("0", 60, pytest.approx(0.02))
    assert judge_counts(table, n_parameters=2)[0] == "unknown"
    assert judge_counts(table.assign(actual=[30, 60, 6, 4]), n_parameters=1)[0] == "off"


def kinds(profile_high=3.1, bootstrap=(1.0, 3.0)):
    rows = {
        "estimate": 2.0, "low, log-Wald": 1.0, "high, log-Wald": 3.0, "low, profile": 1.0,
        "high, profile": profile_high, "low, bootstrap": bootstrap[0], "high, bootstrap": bootstrap[1],
    }  # fmt: skip
    return pd.DataFrame(rows, index=["r"]).T


def test_kinds_of_intervals_agree_part_or_have_no_end():
    agree, apart = ThreeIntervals(kinds(), ""), ThreeIntervals(kinds(bootstrap=(1.7, 3.0)), "")
    assert (agree.kind, agree.largest) == ("agree", pytest.approx(0.05))
    assert (apart.kind, apart.largest) == ("apart", pytest.approx(0.35))
    endless = ThreeIntervals(kinds(profile_high=np.inf, bootstrap=(np.nan, np.nan)), "why")
    assert (endless.kind, endless.open, endless.values["names"]) == ("open_refused", ["r"], "r")
    assert ThreeIntervals(kinds(bootstrap=(np.nan, np.nan)), "why").kind == "agree_refused"


def test_three_kinds_stand_beside_lifetimes(capsys):
    customers = cdnow()
    fit = fit_bg_nbd(customers)
    sure = three_intervals(fit, generator=np.random.default_rng(1), refits=20)
    assert sure.table.loc["low, profile"].tolist() == pytest.approx(
        fit.confidence_intervals(kind="profile")["low"].tolist()
    )
    beside = sure.beside(parameter_table(fit, customers=customers))
    assert beside.index.tolist() == [
        "estimate", "standard error", "low, log-Wald", "high, log-Wald", "low, profile", "high, profile",
        "low, bootstrap", "high, bootstrap", "lifetimes",
    ]  # fmt: skip
    assert beside.loc["lifetimes"].tolist() == pytest.approx(beside.loc["estimate"].tolist(), rel=1e-3)
    assert capsys.readouterr().out == ""


def test_a_base_too_small_for_refits_has_no_bootstrap():
    some = cdnow().iloc[::40]
    sure = three_intervals(fit_bg_nbd(some), generator=np.random.default_rng(1))
    assert "determine no optimum" in sure.refused
    assert sure.table.loc[["low, bootstrap", "high, bootstrap"]].isna().all(axis=None)
    assert isinstance(fit_bg_nbd(some).model, BgNbd)


def test_a_range_that_no_shape_can_have_says_nothing_of_the_rhythm():
    found = Regularity(k=2.0, low=-0.6, high=4.7, n_customers=4, n_intervals=9, log_days=20.0)
    assert rhythm(found)[0] == "unknown"


def test_an_origin_without_a_model_tries_nothing(choice):
    bare = replace(choice.origins[-1], models=Models({}, None, {}))
    assert once_only(replace(choice, origins=[bare])).kind == "untested"


def test_without_a_forecast_to_check_no_groups_are_compared():
    assert flagged_groups(None) == ("untested", [], {})
