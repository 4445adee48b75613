"""What the firm does to customers: campaigns with a control group, and how each customer would react.

An action multiplies a customer's purchase rate by (1 + uplift) for 90 days, or for a campaign's window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.simulate.clock import LOG_END, YEAR, Array, dates, day_number, seasonal_time, timestamps
from crm_analysis.simulate.purchases import Customers

ACTIONS = ("visit", "call", "mail")
ACTION_DAYS = 90
# Mean uplift of those who react, by action and segment.
UPLIFT = np.array([[0.05, 0.25, 0.50], [0.40, 0.30, 0.10], [0.35, 0.30, 0.20]])
SHARE_REACTING = 0.7
SHARE_CONTROL = 0.30
PULLED_DAYS, SHARE_PULLED = 45, 0.7


@dataclass(frozen=True)
class Campaign:
    """One campaign: strength multiplies each customer's uplift; pulls_forward moves orders, adding none."""

    name: str
    kind: str
    sent: int
    days: int
    cost: float
    strength: float
    pulls_forward: bool = False


CAMPAIGNS = (
    Campaign("2023 spring mail", "mail", day_number("2023-03-15"), 60, 8.0, 2.4),
    Campaign("2024 autumn calls", "call", day_number("2024-09-10"), 60, 25.0, 2.0),
    Campaign("2025 spring coupon", "mail", day_number("2025-04-10"), 30, 12.0, 0.0, pulls_forward=True),
    Campaign("2025 autumn mail", "mail", day_number("2025-09-15"), 60, 8.0, 0.5),
)


def draw_uplifts(customers: Customers, rng: np.random.Generator) -> Array:
    """Relative rise of each customer's purchase rate after each action, shape (n, 3); 0 for three in ten."""
    mean = UPLIFT[:, customers.segment].T
    reacts = rng.random(mean.shape) < SHARE_REACTING
    return np.where(reacts, mean * rng.gamma(4.0, 0.25, mean.shape), 0.0)


def run_campaigns(
    orders: pd.DataFrame, customers: Customers, uplifts: Array, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the orders with all effects, and the contacts: campaign, customer (position), treated."""
    contacts = []
    for campaign in CAMPAIGNS:
        reached = _eligible(orders, campaign)
        treated = rng.random(len(reached)) >= SHARE_CONTROL
        contacts.append(pd.DataFrame({"campaign": campaign.name, "customer": reached, "treated": treated}))
        if campaign.pulls_forward:
            orders = _pull_forward(orders, reached[treated], campaign, rng)
        else:
            extra = _extra_orders(reached[treated], customers, uplifts, campaign, rng)
            orders = pd.concat([orders, extra], ignore_index=True)
    return orders, pd.concat(contacts, ignore_index=True)


def _eligible(orders: pd.DataFrame, campaign: Campaign) -> Array:
    """Return the customers who bought in the year before: not a random choice, as in life."""
    recent = orders["at"].between(campaign.sent - 365, campaign.sent)
    return np.unique(orders.loc[recent, "customer"])


def expected_extra(customers: Customers, uplift: Array, start: float, days: int) -> Array:
    """Return the expected extra orders of each customer in the `days` from `start`, none after its end."""
    until = np.clip(customers.end, start, start + days)
    return uplift * customers.rate / YEAR * (seasonal_time(until) - seasonal_time(np.full_like(until, start)))


def _extra_orders(
    treated: Array, customers: Customers, uplifts: Array, campaign: Campaign, rng: np.random.Generator
) -> pd.DataFrame:
    uplift = campaign.strength * uplifts[:, ACTIONS.index(campaign.kind)]
    expected = expected_extra(customers, uplift, campaign.sent, campaign.days)[treated]
    customer = np.repeat(treated, rng.poisson(expected))
    until = np.minimum(customers.end[customer], campaign.sent + campaign.days)
    at = campaign.sent + rng.random(len(customer)) * (until - campaign.sent)
    return pd.DataFrame(
        {
            "customer": customer,
            "at": at,
            "size": 1.0,
            "planted": f"brought by {campaign.name}",
            "is_first": False,
        }
    )


def _pull_forward(
    orders: pd.DataFrame, treated: Array, campaign: Campaign, rng: np.random.Generator
) -> pd.DataFrame:
    """Move orders: most of what the treated would have bought just after the window is bought inside it."""
    end = campaign.sent + campaign.days
    later = orders["customer"].isin(treated) & orders["at"].between(end, end + PULLED_DAYS)
    later &= orders["planted"] == ""
    moved = later & (rng.random(len(orders)) < SHARE_PULLED)
    at = campaign.sent + rng.random(len(orders)) * campaign.days
    return orders.assign(
        at=orders["at"].where(~moved, at),
        planted=orders["planted"].where(~moved, f"pulled by {campaign.name}"),
    )


def contact_table(contacts: pd.DataFrame, customers: Customers) -> pd.DataFrame:
    """Firm's contacts: campaign, customer_id, sent_at, treated, cost (0 for the control group)."""
    by_name = {c.name: c for c in CAMPAIGNS}
    sent = contacts["campaign"].map({name: c.sent for name, c in by_name.items()}).to_numpy(float)
    cost = contacts["campaign"].map({name: c.cost for name, c in by_name.items()})
    return pd.DataFrame(
        {
            "campaign": contacts["campaign"],
            "customer_id": customers.customer_id[contacts["customer"]],
            "sent_at": timestamps(sent),
            "treated": contacts["treated"],
            "cost": cost.where(contacts["treated"], 0.0),
        }
    )


def campaign_table() -> pd.DataFrame:
    """Firm's campaigns: campaign, kind, started_at, ended_at (both days belong to it), cost_per_contact."""
    return pd.DataFrame(
        {
            "campaign": [c.name for c in CAMPAIGNS],
            "kind": [c.kind for c in CAMPAIGNS],
            "started_at": dates(np.array([c.sent for c in CAMPAIGNS], dtype=float)),
            "ended_at": dates(np.array([c.sent + c.days - 1 for c in CAMPAIGNS], dtype=float)),
            "cost_per_contact": [c.cost for c in CAMPAIGNS],
        }
    )


def true_effects(
    contacts: pd.DataFrame, orders: pd.DataFrame, profit: Array, customers: Customers, uplifts: Array
) -> pd.DataFrame:
    """Return what each campaign did: expected and realised extra orders, what they brought and cost.

    Parameters
    ----------
    profit : amount less goods of each order, CNY.
    """
    rows = []
    for campaign in CAMPAIGNS:
        group = contacts[contacts["campaign"] == campaign.name]
        treated = group.loc[group["treated"], "customer"].to_numpy()
        brought = (orders["planted"] == f"brought by {campaign.name}").to_numpy()
        uplift = campaign.strength * uplifts[:, ACTIONS.index(campaign.kind)]
        expected = expected_extra(customers, uplift, campaign.sent, campaign.days)[treated].sum()
        cost = campaign.cost * len(treated)
        rows.append(
            {
                "campaign": campaign.name,
                "n_treated": len(treated),
                "n_control": len(group) - len(treated),
                "extra_orders_expected": float(expected),
                "extra_orders": int(brought.sum()),
                "orders_pulled_forward": int((orders["planted"] == f"pulled by {campaign.name}").sum()),
                "extra_profit": float(profit[brought].sum()),
                "cost": cost,
                "profit_after_cost": float(profit[brought].sum()) - cost,
            }
        )
    return pd.DataFrame(rows)


def extra_after_snapshot(customers: Customers, uplifts: Array) -> dict[str, Array]:
    """Return the expected extra orders in the 90 days after the snapshot, by action."""
    return {
        f"extra_orders_{action}": expected_extra(customers, uplifts[:, k], LOG_END, ACTION_DAYS)
        for k, action in enumerate(ACTIONS)
    }
