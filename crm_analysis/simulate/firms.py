"""One simulated firm: the frames it would export, and the truth behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.simulate import actions, pipeline, purchases, service
from crm_analysis.simulate.clock import LOG_FROM, Array, dates, in_log, timestamps
from crm_analysis.simulate.plan import FIRMS, SEGMENTS, SOURCES, plan, spend_table
from crm_analysis.simulate.truth import Truth, tell_truth
from crm_analysis.simulate.world import Sales, World, draw_world


@dataclass(frozen=True)
class Firm:
    """The frames that `write_firm` writes as files; data/README.md describes every column."""

    name: str
    variant: str
    transactions: pd.DataFrame
    customers: pd.DataFrame
    pipeline: pd.DataFrame
    contacts: pd.DataFrame
    campaigns: pd.DataFrame
    costs: pd.DataFrame
    service: pd.DataFrame
    payments: pd.DataFrame
    spend: pd.DataFrame
    owners: pd.DataFrame
    churn_reasons: pd.DataFrame
    ledger: pd.DataFrame
    truth: Truth


def firm(name: str, *, seed: int | np.random.Generator, variant: str = "second stage") -> Firm:
    """Draw a firm with known truth: customers won through a pipeline, who then buy without contract.

    Parameters
    ----------
    name : "A" or "B". Both invest the same; A sells about twice as much.
    seed : an integer, which gives A and B streams of their own, or a generator to draw from.
    variant : what accounts for the gap. "first stage", "second stage" (Qualified to Proposal),
        "third stage", "last stage": that transition has half the rate in B, whose deals are also
        larger and slower; "mix": only the segments of the leads differ; "slow": equal rates, B takes
        three times as long; "same": nothing differs.

    Returns
    -------
    Frames of the log 2022-01-01 to 2025-12-31 (local time, CNY) of a firm that began on 2020-01-01.

    Raises
    ------
    ConfigError
        The firm or the variant does not exist.
    """
    firm_plan = plan(name, variant=variant)
    rng = seed if isinstance(seed, np.random.Generator) else np.random.default_rng([seed, FIRMS.index(name)])
    world = draw_world(firm_plan, rng)
    transactions = _transactions(world)
    return Firm(
        name=name,
        variant=variant,
        transactions=transactions.drop(columns="planted"),
        customers=_customer_master(name, world),
        pipeline=world.history.drop(columns=["deal", "planted"]),
        contacts=actions.contact_table(world.contacts, world.customers),
        campaigns=actions.campaign_table(),
        costs=pd.DataFrame({"driver": service.UNIT_COSTS.keys(), "cost": service.UNIT_COSTS.values()}),
        service=service.service_table(world.service, world.customers),
        payments=service.payment_table(world.payments, world.sales.orders, world.customers),
        spend=spend_table(LOG_FROM),
        owners=pipeline.owner_table(world.owners),
        churn_reasons=world.churn_reasons,
        ledger=_ledger(world.sales),
        truth=tell_truth(world, transactions, firm_plan=firm_plan, variant=variant),
    )


def _transactions(world: World) -> pd.DataFrame:
    """Return the order lines inside the log, with a column `planted` that is not for the file."""
    orders = world.sales.orders
    lines = world.sales.lines[in_log(world.sales.lines["at"])].reset_index(drop=True)
    order, product = lines["order"].to_numpy(), lines["product"].to_numpy()
    orphan = lines["is_refund"] & (orders["at"].to_numpy()[order] < LOG_FROM)
    return pd.DataFrame(
        {
            "order_id": orders["order_id"].to_numpy()[order],
            "customer_id": world.customers.customer_id[lines["customer"]],
            "date": timestamps(lines["at"].to_numpy()),
            "product_id": np.char.add("P", np.char.zfill((product + 1).astype(str), 3)),
            "category": np.array(purchases.CATEGORIES)[product // purchases.PER_CATEGORY],
            "quantity": lines["quantity"],
            "amount": lines["amount"] / 100,
            "unit_cost": lines["unit_cost"] / 100,
            "discount": lines["discount"] / 100,
            "channel": np.array(purchases.CHANNELS)[orders["channel"].to_numpy()[order]],
            "planted": lines["planted"].where(~orphan, "refund of an order before the log"),
        }
    )


def _ledger(sales: Sales) -> pd.DataFrame:
    """Return control totals per month: revenue by the date of each line, orders by theirs."""
    lines = sales.lines[in_log(sales.lines["at"])]
    orders = sales.orders[in_log(sales.orders["at"])]
    revenue = lines["amount"].groupby(_month(lines["at"])).sum() / 100
    counted = orders["order_id"].groupby(_month(orders["at"])).count()
    return pd.DataFrame({"revenue": revenue, "orders": counted}).rename_axis("period").reset_index()


def _month(at: pd.Series) -> Array:
    return np.datetime_as_string(timestamps(at.to_numpy()).astype("datetime64[M]"))


def _customer_master(name: str, world: World) -> pd.DataFrame:
    """Return the customer table; firm A knows when each customer was won, firm B never wrote it down."""
    customers = world.customers
    master = pd.DataFrame(
        {
            "customer_id": customers.customer_id,
            "acquired_at": dates(customers.acquired),
            "source": np.array(SOURCES)[world.deals.source[customers.deal]],
            "region": world.region,
            "segment": np.array(SEGMENTS)[customers.segment],
            "acquired_by": np.where(customers.by_discount, "discount", "full price"),
            "referred_by": world.referred_by,
            "credit_days": world.credit_days,
        }
    )
    return master if name == "A" else master.drop(columns="acquired_at")
