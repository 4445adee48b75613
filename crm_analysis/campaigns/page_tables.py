"""Tables and sentences of the page of campaigns: which are shown, with which numbers."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from crm_analysis.campaigns.affinities import affinity
from crm_analysis.campaigns.baskets import read_baskets
from crm_analysis.campaigns.effects import Effects
from crm_analysis.campaigns.groups import NOT_KNOWN, is_measured
from crm_analysis.campaigns.of_firm import last_measured, responders_baskets
from crm_analysis.campaigns.opportunities import follow_to_pipeline
from crm_analysis.campaigns.returns import return_on, wasted_share
from crm_analysis.campaigns.rules import FEWEST, association_rules, strongest_rules
from crm_analysis.campaigns.telling import finding, joined
from crm_analysis.errors import DataError

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline
    from crm_analysis.doors.transactions import Transactions

Told = tuple[str, dict[str, Any]]
RESPONSE = [
    "n_treated",
    "n_control",
    "response_rate",
    "response_rate_low",
    "response_rate_high",
]
RESPONSE += [
    "break_even_rate",
    "incremental_response",
    "incremental_response_low",
    "incremental_response_high",
]
ANSWERS = ["n_answered", "answer_rate", "answer_rate_low", "answer_rate_high"]
MONEY = ["amount", "profit", "cost", "extra_profit", "profit_after_cost", "profit_after_cost_low"]
MONEY += ["profit_after_cost_high", "roi", "verdict"]


def response_table(effects: Effects) -> pd.DataFrame:
    """Who was contacted and who responded, with intervals, beside break-even.

    Where contacts say who responded, such as by redeeming a coupon, that is shown beside the orders.
    """
    answered = effects.table["n_answered"].notna().any()
    shown = effects.table[[*RESPONSE, *ANSWERS] if answered else RESPONSE]
    return shown.rename(columns=lambda name: name.replace("incremental_response", "incremental_rate"))


def profit_table(effects: Effects) -> pd.DataFrame:
    """What was bought, what of it is due to the campaign, and what it cost."""
    return effects.table[MONEY]


def key_numbers(effects: Effects) -> dict[str, dict[str, Any]]:
    """Key numbers of all measured campaigns together: name -> value, unit, and its ends; none without any."""
    _, values = finding(effects)
    if "cost" not in values:
        return {}
    cost = values["cost"]
    money = {"value": values["after_cost"], "low": values["low"], "high": values["high"]}
    roi = {name: number / cost for name, number in money.items()} if cost > 0 else {}
    return {
        "campaigns_measured": {"value": values["n_measured"]},
        "campaign_cost": {"value": cost, "unit": "money"},
        "profit_after_cost": money | {"unit": "money"},
    } | ({"roi": roi} if roi else {})


def group_table(cells: pd.DataFrame) -> pd.DataFrame:
    """Groups as they are shown: without the tests that only serve other tables."""
    names = {"per_customer": "extra_profit", "low": "extra_profit_low", "high": "extra_profit_high"}
    names["to_expect"] = "profit_to_expect"
    left_out = ["p_cost", "p_differ", "after_cost_low", "after_cost_high"]
    return cells.drop(columns=left_out).rename(columns=names)


def costs_both_ways(effects: Effects, cells: pd.DataFrame) -> pd.DataFrame:
    """Cost of each campaign that has groups, and the sum of its groups; those of known cost.

    Returns
    -------
    DataFrame, index campaign: of_campaign, of_groups.
    """
    rows = {
        effect.campaign: (effect.cost, cells["cost"].xs(effect.campaign, level="campaign").sum())
        for effect in effects
        if is_measured(effect) and not math.isnan(effect.cost)
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["of_campaign", "of_groups"])


def list_values(listed: pd.DataFrame, n_listed: int) -> dict[str, Any]:
    """Numbers of the sentence about the list of customers to contact."""
    campaign = str(listed["campaign"].iloc[0]) if len(listed) else ""
    gain = float(listed["expected_gain"].head(n_listed).sum())
    groups = joined(list(dict.fromkeys(map(str, listed["group"]))))
    return {"n": len(listed), "n_shown": min(len(listed), n_listed), "campaign": campaign, "gain": gain} | {
        "groups": groups
    }


def naive_finding(effects: Effects) -> Told:
    """What the naive comparison says of all campaigns, weighted by contacts: "known" or "unknown"."""
    table = effects.naive.dropna()
    if table.empty:
        return "unknown", {}
    weights = table["n_targeted"] / table["n_targeted"].sum()
    values: dict[str, Any] = {
        name: float((weights * table[name]).sum()) for name in ("naive", "already_before", "against_control")
    }
    return "known", values | {"n": len(table)}


def groups_finding(cells: pd.DataFrame, *, level: float = 0.95) -> Told:
    """Whether groups differ in some campaign: "differ", "alike", "one_group" or "none"."""
    if cells.empty:
        return "none", {}
    names = set(cells.index.get_level_values("group")) - {NOT_KNOWN}
    if len(names) < 2:
        return "one_group", {}
    by_campaign = cells["p_differ"].groupby(level="campaign", sort=False).first()
    differ = [str(name) for name in by_campaign.index[by_campaign * len(by_campaign) < 1 - level]]
    seen = int((cells["p_holm"] < 1 - level).sum())
    values: dict[str, Any] = {"n": len(cells), "n_seen": seen, "campaigns": joined(differ)}
    return ("differ" if differ else "alike"), values


def wasted_finding(cells: pd.DataFrame) -> Told:
    """Shares of the spend: "known", "unclear" (of none can it be told), or "unknown" (no cost is known)."""
    try:
        wasted = wasted_share(cells)
    except DataError:
        return "unknown", {}
    told = "known" if wasted.share_unclear < 1 else "unclear"
    return told, vars(wasted) | {"n": len(cells)}


def budget_finding(effects: Effects, budget: float) -> Told:
    """What a budget would return: "above", "below", "unclear", or "unknown" where nothing was measured."""
    try:
        back = return_on(budget, effects)
    except DataError:
        return "unknown", {"budget": budget}
    ends = back.profit_after_cost
    values = {"budget": budget, "times": back.times, "measured": back.measured_cost, "roi": back.roi.value}
    return back.verdict, values | {"value": ends.value, "low": ends.low, "high": ends.high}


def pipeline_finding(effects: Effects, pipeline: Pipeline | None) -> Told:
    """Opportunities of contacted customers: "known", "nobody" (none), or "no_pipeline" of accounts."""
    if pipeline is None or not len(effects) or "account_id" not in pipeline.opportunities.columns:
        return "no_pipeline", {}
    followed = follow_to_pipeline(effects, pipeline.opportunities.to_pandas())
    totals = followed.table[["n_contacted", "n_opportunities", "n_customers", "n_won", "amount_won"]].sum()
    share = 0.0 if math.isnan(followed.share_known) else followed.share_known
    values: dict[str, Any] = {str(name): float(value) for name, value in totals.items()}
    values["share_known"] = share
    return ("known" if values["n_opportunities"] else "nobody"), values


def rules_finding(
    effects: Effects, log: Transactions, *, item: str, min_support: float
) -> tuple[str, dict[str, Any], pd.DataFrame]:
    """What the last campaign's responders bought together: "known", "nothing" or "unknown", and the rules.

    A support of fewer than five baskets is raised to five.
    """
    last = last_measured(effects)
    baskets = responders_baskets(effects, log, campaign=last.campaign, item=item) if last else None
    if last is None or baskets is None:
        return "unknown", {"item": item}, pd.DataFrame()
    n = len(baskets.table)
    support = min(max(min_support, FEWEST / n), 1.0)
    rules = strongest_rules(association_rules(baskets, min_support=support, max_length=2))
    values: dict[str, Any] = {"campaign": last.campaign, "n": n, "n_rules": len(rules), "support": support}
    values |= {"n_left_out": baskets.n_left_out, "n_items_left_out": baskets.n_items_left_out, "item": item}
    return ("known" if len(rules) else "nothing"), values, rules


def affinity_finding(
    log: Transactions, groups: pd.Series, *, item: str, since: dt.date, level: float = 0.95
) -> tuple[str, dict[str, Any], pd.DataFrame]:
    """Items that a group buys more or less often, beyond chance: "known", "nothing" or "unknown"."""
    if item not in log.lines.columns or groups.dropna().nunique() < 2:
        return "unknown", {"item": item}, pd.DataFrame()
    since = max(since, log.observed_from)
    try:
        bought = read_baskets(log, item=item, since=since).table
        table = affinity(bought, groups, level=level)
    except DataError:
        return "unknown", {"item": item}, pd.DataFrame()
    beyond = table[table["p_holm"] < 1 - level].sort_values("affinity", ascending=False, kind="stable")
    beyond = beyond.rename(columns={"low": "share_low", "high": "share_high"})
    columns = ["n_customers", "n_buyers", "share", "share_low", "share_high", "share_of_others"]
    columns += ["affinity", "p_holm"]
    values: dict[str, Any] = {"n": len(table), "n_beyond": len(beyond), "since": since, "item": item}
    return ("known" if len(beyond) else "nothing"), values, beyond[columns]
