"""Everything that happens in one firm from 2020 to 2027, seen or not: told by `firms` and `truth`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.simulate import actions, pipeline, purchases, service
from crm_analysis.simulate.clock import Array
from crm_analysis.simulate.pipeline import Deals, Owners
from crm_analysis.simulate.plan import SOURCES, Plan
from crm_analysis.simulate.purchases import PRICE_RISE, Customers


@dataclass(frozen=True)
class Sales:
    """Everything sold.

    orders : customer (position), at, order_id, channel, size, planted, is_first.
    lines : order and customer (positions), at, product, money in cents; refunds included.
    amount, profit : per order before refunds: cents; amount less goods in CNY.
    """

    orders: pd.DataFrame
    lines: pd.DataFrame
    amount: Array
    profit: Array


@dataclass(frozen=True)
class World:
    """What happened, with customers, deals and orders known by position and times as day numbers."""

    owners: Owners
    deals: Deals
    customers: Customers
    uplifts: Array
    contacts: pd.DataFrame
    sales: Sales
    history: pd.DataFrame
    service: pd.DataFrame
    credit_days: Array
    payments: pd.DataFrame
    reason: Array
    churn_reasons: pd.DataFrame
    region: Array
    referred_by: pd.Series


def draw_world(plan: Plan, rng: np.random.Generator) -> World:
    """Draw one firm's history and future according to `plan`."""
    owners = pipeline.draw_owners(rng)
    deals = pipeline.draw_deals(plan, owners, rng)
    customers = purchases.draw_customers(deals, plan, rng)
    uplifts = actions.draw_uplifts(customers, rng)
    orders = purchases.draw_orders(customers, deals, rng)
    orders, contacts = actions.run_campaigns(orders, customers, uplifts, rng)
    sales = _sell(purchases.number_orders(orders, rng), customers, rng)
    history = _history(deals, customers, sales, plan, owners, rng)
    served = service.draw_service(customers, sales.lines[sales.lines["is_refund"]], rng)
    credit_days = service.draw_credit_days(customers, rng)
    payments = service.draw_payments(sales.orders, sales.amount, customers, credit_days, rng)
    reason, churn_reasons = service.draw_reasons(customers, rng)
    region = service.draw_regions(customers, rng)
    referred = deals.source[customers.deal] == SOURCES.index("Referral")
    return World(
        owners=owners,
        deals=deals,
        customers=customers,
        uplifts=uplifts,
        contacts=contacts,
        sales=sales,
        history=history,
        service=served,
        credit_days=credit_days,
        payments=payments,
        reason=reason,
        churn_reasons=churn_reasons,
        region=region,
        referred_by=service.draw_referrers(customers, referred, rng),
    )


def _sell(orders: pd.DataFrame, customers: Customers, rng: np.random.Generator) -> Sales:
    lines = purchases.draw_lines(orders, customers, rng)
    refunds = purchases.draw_refunds(lines, rng)
    profit = lines["amount"] - lines["quantity"] * lines["unit_cost"]
    everything = pd.concat([lines.assign(is_refund=False), refunds.assign(is_refund=True)])
    everything["customer"] = orders["customer"].to_numpy()[everything["order"]]
    return Sales(
        orders=orders,
        lines=everything.sort_values(["at", "order"], kind="stable", ignore_index=True),
        amount=lines["amount"].groupby(lines["order"]).sum().to_numpy(),
        profit=profit.groupby(lines["order"]).sum().to_numpy() / 100,
    )


def _history(
    deals: Deals, customers: Customers, sales: Sales, plan: Plan, owners: Owners, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw the stage history, in which a won deal is worth what its first order was."""
    usual = purchases.FIRST_ORDER * plan.order_size * purchases.ORDER_VALUE[deals.segment]
    risen = PRICE_RISE ** purchases.year_of(deals.created)
    noise = purchases.VALUE_SPREAD * deals.spend_z + purchases.ORDER_SPREAD * rng.normal(size=len(usual))
    amount = usual * risen * deals.size * np.exp(noise)
    first = sales.orders["is_first"].to_numpy()
    amount[customers.deal[sales.orders["customer"].to_numpy()[first]]] = sales.amount[first] / 100
    return pipeline.stage_history(deals, amount, accounts(deals, customers), owners, plan.pace, rng)


def accounts(deals: Deals, customers: Customers) -> Array:
    """Return for each deal the customer_id it was won as, "" where it was not won by the snapshot."""
    account = np.full(len(deals.created), "", dtype=customers.customer_id.dtype)
    account[customers.deal] = customers.customer_id
    return account
