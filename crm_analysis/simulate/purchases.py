"""Customers and what they buy: lives, purchases in season, order lines, late refunds.

On purpose none of the models that are fitted later: gaps between purchases are gamma with shape 1.5
(mildly regular) on a seasonal clock, rates and amounts are lognormal and correlated, lives are Weibull and
shorter for later cohorts and for customers won by a discount.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.simulate.clock import (
    FUTURE_END,
    LOG_END,
    YEAR,
    Array,
    calendar_time,
    in_log,
    seasonal_time,
    year_of,
)
from crm_analysis.simulate.pipeline import WON, Deals
from crm_analysis.simulate.plan import Plan

REGULARITY = 1.5  # shape of the gamma gaps; 1 would be Poisson
RATE = np.array([2.2, 3.4, 5.0])  # median purchases a year by segment
ORDER_VALUE = np.array([480.0, 1000.0, 2100.0])  # median order in 2020 by segment, CNY
RATE_SPREAD, VALUE_SPREAD, ORDER_SPREAD = 0.6, 0.45, 0.45  # of logarithms: customers, customers, orders
LIFE_DAYS = np.array([700.0, 950.0, 1250.0])  # Weibull scale by segment, cohort of 2020
LIFE_SHAPE = 0.9
COHORT_DECAY = 0.10  # each year's newcomers live shorter by about a tenth
DISCOUNT_RATE, DISCOUNT_LIFE = 0.7, 0.55  # customers won by discount, relative to the others
FIRST_ORDER = 2.0  # the deal itself, relative to a later order
PRICE_RISE, COST_RISE = 1.04, 1.035  # a year
SHARE_SECOND_ORDER = 0.03  # of the orders, followed by another one on the same day
SHARE_REFUNDED = 0.03
N_GIANT_ORDERS, GIANT_ORDER = 5, 15.0

CATEGORIES = ("Bearings", "Drives", "Sensors", "Cables", "Valves", "Pumps", "Lubricants", "Services")
PER_CATEGORY = 5
BASE_PRICE = np.array([25.0, 120.0, 60.0, 9.0, 40.0, 160.0, 15.0, 80.0])
COST_SHARE = np.array([0.74, 0.82, 0.64, 0.86, 0.76, 0.84, 0.80, 0.58])
LIST_PRICE = np.outer(BASE_PRICE, [0.6, 0.8, 1.0, 1.35, 1.9]).ravel()
CHANNELS = ("Sales", "Online", "Phone")


@dataclass(frozen=True)
class Customers:
    """Customers in order of acquisition; times are day numbers, rates per year, amounts CNY of 2020."""

    deal: Array
    customer_id: Array
    acquired: Array
    end: Array
    rate: Array
    order_value: Array
    segment: Array
    by_discount: Array
    category: Array


def draw_customers(deals: Deals, plan: Plan, rng: np.random.Generator) -> Customers:
    """One customer for each deal won by the snapshot."""
    won_at = deals.reached[:, WON]
    deal = np.flatnonzero(won_at < LOG_END)
    deal = deal[np.argsort(won_at[deal], kind="stable")]
    acquired, segment, by_discount = won_at[deal], deals.segment[deal], deals.by_discount[deal]
    n = len(deal)
    life = (
        LIFE_DAYS[segment] * np.exp(-COHORT_DECAY * acquired / YEAR) * np.where(by_discount, DISCOUNT_LIFE, 1)
    )
    rate = RATE[segment] * np.exp(RATE_SPREAD * deals.rate_z[deal]) * np.where(by_discount, DISCOUNT_RATE, 1)
    return Customers(
        deal=deal,
        customer_id=np.char.zfill(np.arange(1, n + 1).astype(str), 6),
        acquired=acquired,
        end=acquired + life * rng.weibull(LIFE_SHAPE, n),
        rate=np.minimum(rate, 30.0),
        order_value=plan.order_size * ORDER_VALUE[segment] * np.exp(VALUE_SPREAD * deals.spend_z[deal]),
        segment=segment,
        by_discount=by_discount,
        category=rng.choice(len(CATEGORIES), n, p=[0.2, 0.16, 0.14, 0.14, 0.12, 0.08, 0.1, 0.06]),
    )


def draw_orders(customers: Customers, deals: Deals, rng: np.random.Generator) -> pd.DataFrame:
    """All orders until 2027-12-31: customer (position), at, size (relative to the usual), planted."""
    repeat = _repeat_orders(customers, rng)
    again = repeat[rng.random(len(repeat)) < SHARE_SECOND_ORDER]
    day = np.floor(again["at"])
    second = again.assign(at=day + (again["at"] - day) * 0.5 + 0.45)
    second = second[second["at"] < customers.end[second["customer"]]]
    inside = np.flatnonzero(in_log(repeat["at"]))
    giant = rng.choice(inside, N_GIANT_ORDERS, replace=False)
    repeat.loc[giant, "size"] = GIANT_ORDER
    repeat.loc[giant, "planted"] = "giant order"
    return pd.concat([_first_orders(customers, deals), repeat, second], ignore_index=True)


def _first_orders(customers: Customers, deals: Deals) -> pd.DataFrame:
    size = deals.size[customers.deal]
    return pd.DataFrame(
        {
            "customer": np.arange(len(customers.deal)),
            "at": customers.acquired,
            "size": FIRST_ORDER * size,
            "planted": np.where(size > 1, "giant order", ""),
            "is_first": True,
        }
    )


def _repeat_orders(customers: Customers, rng: np.random.Generator) -> pd.DataFrame:
    years = (np.minimum(customers.end, FUTURE_END) - customers.acquired) / YEAR
    expected = customers.rate * years * 1.3
    n_gaps = np.ceil(expected + 5 * np.sqrt(expected) + 10).astype(int)
    customer = np.repeat(np.arange(len(n_gaps)), n_gaps)
    gaps = rng.gamma(REGULARITY, YEAR / (REGULARITY * customers.rate[customer]))
    total = np.cumsum(gaps)
    before = np.repeat((total - gaps)[np.cumsum(n_gaps) - n_gaps], n_gaps)
    at = calendar_time(seasonal_time(customers.acquired)[customer] + total - before)
    alive = (at < customers.end[customer]) & (at < FUTURE_END)
    return pd.DataFrame(
        {"customer": customer[alive], "at": at[alive], "size": 1.0, "planted": "", "is_first": False}
    )


def number_orders(orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return orders by time, numbered with seven-digit text, each through one channel."""
    orders = orders.sort_values(["at", "customer"], kind="stable", ignore_index=True)
    ids = np.char.zfill(np.arange(1, len(orders) + 1).astype(str), 7)
    return orders.assign(order_id=ids, channel=rng.choice(len(CHANNELS), len(orders), p=[0.5, 0.3, 0.2]))


def draw_lines(orders: pd.DataFrame, customers: Customers, rng: np.random.Generator) -> pd.DataFrame:
    """One to four lines per order: order (position), at, product, quantity and money in cents."""
    n_lines = 1 + rng.choice(4, len(orders), p=[0.45, 0.30, 0.17, 0.08])
    order = np.repeat(np.arange(len(orders)), n_lines)
    share = rng.uniform(0.4, 1.6, len(order))
    share /= np.bincount(order, weights=share)[order]
    target = _order_targets(orders, customers, rng)[order] * share
    at = orders["at"].to_numpy()[order]
    product = _choose_products(customers.category[orders["customer"].to_numpy()[order]], order, rng)
    price = np.round(100 * LIST_PRICE[product] * PRICE_RISE ** year_of(at)).astype(np.int64)
    quantity = np.maximum(np.round(100 * target / price), 1).astype(np.int64)
    cut = _discounts(orders, customers, rng)[order]
    discount = np.round(price * quantity * cut).astype(np.int64)
    cost_share = COST_SHARE[product // PER_CATEGORY]
    cost = np.round(100 * LIST_PRICE[product] * cost_share * COST_RISE ** year_of(at)).astype(np.int64)
    return pd.DataFrame(
        {
            "order": order,
            "at": at,
            "product": product,
            "quantity": quantity,
            "amount": price * quantity - discount,
            "unit_cost": cost,
            "discount": discount,
            "planted": orders["planted"].to_numpy()[order],
        }
    )


def _order_targets(orders: pd.DataFrame, customers: Customers, rng: np.random.Generator) -> Array:
    usual = customers.order_value[orders["customer"]] * PRICE_RISE ** year_of(orders["at"].to_numpy())
    return usual * orders["size"].to_numpy() * np.exp(ORDER_SPREAD * rng.normal(size=len(orders)))


def _choose_products(category: Array, order: Array, rng: np.random.Generator) -> Array:
    """Mostly the customer's own category, often its partner (0 with 1, 2 with 3, ...), else any.

    No product comes twice in an order: its lines take successive places of the price list.
    """
    u = rng.random(len(category))
    anything = rng.integers(0, len(CATEGORIES), len(category))
    chosen = np.where(u < 0.55, category, np.where(u < 0.78, category ^ 1, anything))
    first = np.floor(PER_CATEGORY * rng.random(order[-1] + 1) ** 1.5).astype(int)
    line = np.arange(len(order)) - np.searchsorted(order, order)
    return chosen * PER_CATEGORY + (first[order] + line) % PER_CATEGORY


def _discounts(orders: pd.DataFrame, customers: Customers, rng: np.random.Generator) -> Array:
    """Discount of each order, as a share of its list value."""
    n, cheap = len(orders), customers.by_discount[orders["customer"]]
    u = rng.random(n)
    habitual = np.where(u < 0.45, rng.choice([0.10, 0.15, 0.20], n), 0.0)
    rare = np.where(u < 0.12, rng.choice([0.05, 0.10], n), 0.0)
    later = np.where(cheap, habitual, rare)
    return np.where(orders["is_first"] & cheap, 0.20, later)


def draw_refunds(lines: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Negative lines, two to eleven weeks after the order, for all or half of one line's quantity."""
    first = ~lines["order"].duplicated().to_numpy()
    chosen = lines[first & (rng.random(len(lines)) < SHARE_REFUNDED) & (lines["planted"] == "")]
    quantity = chosen["quantity"].to_numpy()
    back = np.where(rng.random(len(chosen)) < 0.5, quantity, (quantity + 1) // 2)
    at = chosen["at"].to_numpy() + rng.uniform(14, 77, len(chosen))
    return chosen.assign(
        at=at,
        quantity=-back,
        amount=-np.round(chosen["amount"] * back / quantity).astype(np.int64),
        discount=-np.round(chosen["discount"] * back / quantity).astype(np.int64),
        planted="late refund",
    )
