"""What customers cost and how they behave besides buying: service, payment, reasons, referrals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crm_analysis.simulate.clock import LOG_END, LOG_FROM, YEAR, Array, dates, in_log, timestamps
from crm_analysis.simulate.pipeline import text_where
from crm_analysis.simulate.purchases import Customers

UNIT_COSTS = {"order": 12.0, "visit": 150.0, "call": 20.0, "return": 40.0, "credit_per_year": 0.06}
VISITS = np.array([1.7, 3.4, 6.0])  # a year, by segment, for a customer of mean neediness
CALLS = np.array([3.0, 5.0, 8.0])
CREDIT_DAYS = np.array([0, 30, 60, 90])
CREDIT_CHANCE = np.array([[0.5, 0.4, 0.1, 0.0], [0.15, 0.5, 0.3, 0.05], [0.0, 0.35, 0.4, 0.25]])
REASONS = ("Service", "Price", "Product", "Other")
REASON_CHANCE = np.array([0.68, 0.15, 0.12, 0.05])
SHARE_REASON_RECORDED = 0.35
REGIONS = ("East", "South", "North", "Southwest", "Central", "Northeast")


def draw_service(customers: Customers, refunds: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Visits, calls and returns inside the log: customer (position), at, kind; some need far more of them."""
    neediness = np.minimum(rng.lognormal(-0.7, 1.3, len(customers.acquired)), 6.0)
    from_, until = np.maximum(customers.acquired, LOG_FROM), np.minimum(customers.end + 60, LOG_END)
    years = np.maximum(until - from_, 0) / YEAR
    parts = [refunds[["customer", "at"]].assign(kind="return")]
    for kind, per_year in (("visit", VISITS), ("call", CALLS)):
        counts = rng.poisson(per_year[customers.segment] * neediness * years)
        customer = np.repeat(np.arange(len(counts)), counts)
        at = from_[customer] + rng.random(len(customer)) * (until - from_)[customer]
        parts.append(pd.DataFrame({"customer": customer, "at": at, "kind": kind}))
    service = pd.concat(parts, ignore_index=True).assign(quantity=1)
    service = service[in_log(service["at"])]
    return service.sort_values(["at", "customer"], kind="stable", ignore_index=True)


def service_table(service: pd.DataFrame, customers: Customers) -> pd.DataFrame:
    """Firm's service log: customer_id, occurred_at, kind, quantity."""
    return pd.DataFrame(
        {
            "customer_id": customers.customer_id[service["customer"]],
            "occurred_at": timestamps(service["at"].to_numpy()),
            "kind": service["kind"],
            "quantity": service["quantity"],
        }
    )


def draw_credit_days(customers: Customers, rng: np.random.Generator) -> Array:
    """Agreed days of credit: 0, 30, 60 or 90; longer for larger customers."""
    chance = np.cumsum(CREDIT_CHANCE, axis=1)[customers.segment]
    return CREDIT_DAYS[np.minimum((rng.random(len(chance))[:, None] > chance).sum(axis=1), 3)]


def draw_payments(
    orders: pd.DataFrame, amount: Array, customers: Customers, credit_days: Array, rng: np.random.Generator
) -> pd.DataFrame:
    """One payment per order inside the log: order (position), due, paid (infinite: never), amount (cents)."""
    order = np.flatnonzero(in_log(orders["at"]))
    customer = orders["customer"].to_numpy()[order]
    payer = rng.choice(3, len(customers.acquired), p=[0.75, 0.20, 0.05])[customer]
    u = rng.normal(size=len(order))
    late = np.select(
        [payer == 0, payer == 1],
        [np.round(3 * u), np.round(25 * np.exp(0.5 * u))],
        np.round(70 * np.exp(0.6 * u)),
    )
    never = (payer == 2) & (rng.random(len(order)) < 0.05)
    ordered = np.floor(orders["at"].to_numpy()[order])
    due = ordered + credit_days[customer]
    paid = np.where(never, np.inf, np.maximum(due + late, ordered))
    return pd.DataFrame(
        {"order": order, "ordered": ordered, "due": due, "paid": paid, "amount": amount[order]}
    )


def payment_table(payments: pd.DataFrame, orders: pd.DataFrame, customers: Customers) -> pd.DataFrame:
    """Firm's payments: order_id, customer_id, due_at, paid_at (missing: still unpaid), amount."""
    order, paid = payments["order"].to_numpy(), payments["paid"].to_numpy()
    return pd.DataFrame(
        {
            "order_id": orders["order_id"].to_numpy()[order],
            "customer_id": customers.customer_id[orders["customer"].to_numpy()[order]],
            "due_at": dates(payments["due"].to_numpy()),
            "paid_at": dates(np.where(paid < LOG_END, paid, np.inf)),
            "amount": payments["amount"] / 100,
        }
    )


def credit_cost(payments: pd.DataFrame, orders: pd.DataFrame, n_customers: int) -> Array:
    """Interest on the days each amount was outstanding until paid or the snapshot, CNY per customer."""
    days = np.minimum(payments["paid"], LOG_END) - payments["ordered"]
    interest = payments["amount"] / 100 * days / 365 * UNIT_COSTS["credit_per_year"]
    return np.bincount(
        orders["customer"].to_numpy()[payments["order"]], weights=interest, minlength=n_customers
    )


def draw_reasons(customers: Customers, rng: np.random.Generator) -> tuple[Array, pd.DataFrame]:
    """Why each customer stops (known to the truth), and the part of it that was asked and written down."""
    n = len(customers.end)
    reason = np.array(REASONS)[rng.choice(len(REASONS), n, p=REASON_CHANCE)]
    noticed = customers.end + rng.uniform(20, 90, n)
    recorded = (rng.random(n) < SHARE_REASON_RECORDED) & (noticed >= LOG_FROM) & (noticed < LOG_END)
    table = pd.DataFrame(
        {
            "customer_id": customers.customer_id[recorded],
            "left_at": dates(noticed[recorded]),
            "reason": reason[recorded],
        }
    )
    return reason, table.sort_values(["left_at", "customer_id"], ignore_index=True)


def draw_regions(customers: Customers, rng: np.random.Generator) -> Array:
    """Draw each customer's sales region."""
    return rng.choice(np.array(REGIONS), len(customers.acquired), p=[0.3, 0.22, 0.18, 0.12, 0.1, 0.08])


def draw_referrers(customers: Customers, referred: Array, rng: np.random.Generator) -> pd.Series:
    """Who sent each customer that came by referral: an older customer still buying then, if one is found."""
    n = len(customers.acquired)
    candidate = np.floor(rng.random((n, 8)) * np.arange(n)[:, None]).astype(int)
    buying = customers.end[candidate] > customers.acquired[:, None]
    first = candidate[np.arange(n), buying.argmax(axis=1)]
    known = referred & buying.any(axis=1) & (np.arange(n) > 0)
    return text_where(known, customers.customer_id[first])
