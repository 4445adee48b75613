"""What to do next time: which campaigns to repeat, test again or stop, and whom to contact."""

from __future__ import annotations

import math

import pandas as pd

from crm_analysis.campaigns.effects import CampaignEffect, Effects
from crm_analysis.campaigns.groups import NOT_KNOWN
from crm_analysis.rates import normal_quantile

STEPS = {
    "paid": "repeat",
    "lost": "stop",
    "paid, taken alone": "test again",
    "lost, taken alone": "test again",
    "nobody bought": "stop",
    "cannot be told": "test again",
    "no control group": "keep a control group",
    "nobody treated": "not known",
    "window open": "wait",
    "before the log": "not known",
}


def next_steps(effects: Effects) -> pd.DataFrame:
    """One step per campaign: repeat, stop, test again, keep a control group, or wait.

    A campaign whose effect was only pulled forward, and did not pay, is to be stopped.

    Returns
    -------
    DataFrame, index campaign: verdict, p_together, pulled_forward, one_order_decides, step, cost_per_contact,
    visible_profit (profit per contact that would have been seen beyond chance in four of five such
    campaigns, had it been alone).
    """
    rows = {
        effect.campaign: {
            "verdict": effect.verdict,
            "p_together": effect.p_together,
            "pulled_forward": effect.pulled_forward,
            "one_order_decides": effect.one_order_decides,
            "step": step_of(effect),
            "cost_per_contact": effect.cost_per_contact,
            "visible_profit": smallest_visible(effect, level=effects.level),
        }
        for effect in effects
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("campaign")


def step_of(effect: CampaignEffect) -> str:
    """Next step for one campaign."""
    if effect.pulled_forward and effect.verdict in ("cannot be told", "lost, taken alone"):
        return "stop"
    return STEPS[effect.verdict]


def smallest_visible(effect: CampaignEffect, *, level: float, power: float = 0.8) -> float:
    """Incremental profit per contact that would have been seen beyond chance with this power.

    Source: Bloom (1995), Evaluation Review 19:547, minimum detectable effect.
    """
    one_sided = normal_quantile(2 * power - 1)
    half = (effect.incremental_profit.high - effect.incremental_profit.low) / 2
    return half * (1 + one_sided / normal_quantile(level)) if math.isfinite(half) else math.nan


def whom_next(
    effects: Effects,
    cells: pd.DataFrame,
    *,
    customers: pd.DataFrame,
    groups: pd.Series,
    within_days: int = 365,
) -> pd.DataFrame:
    """Return customers whom the last campaign that paid would be expected to pay for again.

    A group's expected gain is its effect drawn towards the campaign's mean, less the cost of a contact.
    Customers of groups that are expected to bring less than they cost are left out.

    Parameters
    ----------
    cells : `uplift_by` with the same groups.
    customers : `summarise_customers(log)`; those who bought within `within_days` may be contacted.
    groups : customer_id (index) -> group.

    Returns
    -------
    DataFrame, index customer_id: group, campaign (to repeat), expected_gain (per contact), days_since_last,
    total_amount; the highest expected gain first, then who bought most. Empty where no campaign paid.
    """
    columns = ["group", "campaign", "expected_gain", "days_since_last", "total_amount"]
    paid = [effect for effect in effects if effect.verdict == "paid" and effect.campaign in cells.index]
    if not paid:
        return pd.DataFrame(columns=columns).rename_axis("customer_id")
    again = paid[-1]
    gain = cells["to_expect"].xs(again.campaign) - again.cost_per_contact
    reached = customers[customers["days_since_last"] < within_days]
    label = pd.Series(groups.reindex(reached.index).to_numpy(), reached.index).fillna(NOT_KNOWN)
    listed = reached.assign(group=label, campaign=again.campaign, expected_gain=label.map(gain))
    listed = listed[listed["expected_gain"] > 0].rename_axis("customer_id").reset_index()
    order = ["expected_gain", "total_amount", "customer_id"]
    listed = listed.sort_values(order, ascending=[False, False, True], kind="stable")
    return listed.set_index("customer_id")[columns]
