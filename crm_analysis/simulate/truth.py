"""The truth behind a firm's files: what an analysis cannot see, and a test compares it with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.simulate import actions, pipeline, plan, purchases, service
from crm_analysis.simulate.clock import FUTURE_END, LOG_END, SEASON, Array, dates, in_log, timestamps
from crm_analysis.simulate.pipeline import text_where
from crm_analysis.simulate.world import Sales, World, accounts


@dataclass(frozen=True)
class Truth:
    """What an analysis cannot see.

    customers : per customer: acquisition, end of life, purchase rate, profit inside the log and its
        parts, what it buys in the 12 and 24 months after the snapshot, reaction to each action.
    opportunities : per opportunity: eventual outcome, furthest stage, what it duplicates.
    rates : true eventual rates by transition and segment.    owners : effects on each transition.
    split, mix : the gap A - B in wins per 1,000 entrants, by transition, and by mix and rate.
    season : index by calendar month, mean 1.    campaigns : what each one did.
    defects : everything planted in a row: defect, file, row (0-based), id, detail.
    """

    customers: pd.DataFrame
    opportunities: pd.DataFrame
    rates: pd.DataFrame
    owners: pd.DataFrame
    split: pd.DataFrame
    mix: pd.DataFrame
    season: pd.DataFrame
    campaigns: pd.DataFrame
    defects: pd.DataFrame


def tell_truth(world: World, transactions: pd.DataFrame, *, firm_plan: plan.Plan, variant: str) -> Truth:
    """Return the truth of `world`; `transactions` is the firm's table, with the column `planted`."""
    return Truth(
        customers=_customers(world),
        opportunities=_opportunities(world),
        rates=plan.rate_table(firm_plan),
        owners=_owners(world.owners),
        split=plan.stage_split(variant),
        mix=plan.mix_split(variant),
        season=pd.DataFrame({"month": np.arange(1, 13), "index": SEASON}),
        campaigns=actions.true_effects(
            world.contacts, world.sales.orders, world.sales.profit, world.customers, world.uplifts
        ),
        defects=_defects(world, transactions),
    )


def _customers(world: World) -> pd.DataFrame:
    customers, n = world.customers, len(world.customers.end)
    spread = np.exp(purchases.ORDER_SPREAD**2 / 2)
    stopped = customers.end < FUTURE_END
    return pd.DataFrame(
        {
            "customer_id": customers.customer_id,
            "acquired_at": dates(customers.acquired),
            "end_of_life": timestamps(customers.end),
            "purchases_per_year": np.round(customers.rate, 4),
            "mean_order_amount": np.round(customers.order_value * purchases.PRICE_RISE**5 * spread, 2),
            **_profit(world),
            **_bought(world.sales, n, LOG_END + 365, "next_12m"),
            **_bought(world.sales, n, FUTURE_END, "next_24m"),
            **{f"uplift_{a}": np.round(world.uplifts[:, k], 4) for k, a in enumerate(actions.ACTIONS)},
            **{k: np.round(v, 4) for k, v in actions.extra_after_snapshot(customers, world.uplifts).items()},
            "reason": text_where(stopped, world.reason),
        }
    )


def _profit(world: World) -> dict[str, Array]:
    """Return revenue, costs and profit of each customer inside the log, CNY."""
    n, orders = len(world.customers.end), world.sales.orders
    lines = world.sales.lines[in_log(world.sales.lines["at"])]
    owner, goods = lines["customer"].to_numpy(), lines["quantity"] * lines["unit_cost"]
    n_orders = np.bincount(orders.loc[in_log(orders["at"]), "customer"], minlength=n)
    parts = {
        "revenue": np.bincount(owner, weights=lines["amount"], minlength=n) / 100,
        "goods": np.bincount(owner, weights=goods, minlength=n) / 100,
        "order_cost": n_orders * service.UNIT_COSTS["order"],
    }
    for kind in ("visit", "call", "return"):
        chosen = world.service.loc[world.service["kind"] == kind, "customer"]
        parts[f"{kind}_cost"] = np.bincount(chosen, minlength=n) * service.UNIT_COSTS[kind]
    parts["credit_cost"] = np.round(service.credit_cost(world.payments, orders, n), 2)
    costs = sum(value for key, value in parts.items() if key != "revenue")
    return {**parts, "profit": np.round(parts["revenue"] - costs, 2)}


def _bought(sales: Sales, n: int, until: int, label: str) -> dict[str, Array]:
    """Return purchase days, orders and amount (net of refunds made by then) from the snapshot to `until`."""
    orders = sales.orders[sales.orders["at"].between(LOG_END, until, inclusive="left")]
    lines = sales.lines[sales.lines["at"].between(LOG_END, until, inclusive="left")]
    days = orders.assign(day=np.floor(orders["at"])).drop_duplicates(["customer", "day"])
    return {
        f"purchase_days_{label}": np.bincount(days["customer"], minlength=n),
        f"orders_{label}": np.bincount(orders["customer"], minlength=n),
        f"amount_{label}": np.bincount(lines["customer"], weights=lines["amount"], minlength=n) / 100,
    }


def _opportunities(world: World) -> pd.DataFrame:
    deals, ids = world.deals, pipeline.opportunity_ids(world.deals)
    account = accounts(deals, world.customers)
    copied = deals.duplicate_of >= 0
    table = pd.DataFrame(
        {
            "opportunity_id": ids,
            "created_at": timestamps(deals.created),
            "eventual_outcome": np.where(deals.won, "won", "lost"),
            "eventual_at": timestamps(deals.closed_at),
            "furthest_stage": np.array(plan.STAGES)[deals.furthest],
            "duplicate_of": text_where(copied, ids[deals.duplicate_of]),
            "lost_reason": text_where(~deals.won, pipeline.lost_reasons(deals)),
            "stalled": deals.stalled,
            "customer_id": text_where(account != "", account),
        }
    )
    return table[ids != ""].reset_index(drop=True)


def _owners(owners: pipeline.Owners) -> pd.DataFrame:
    effects = {f"effect: {name}": owners.effect[:, k] for k, name in enumerate(plan.TRANSITIONS)}
    return pd.DataFrame({"owner": owners.name, "weight": owners.weight, **effects}).round(6)


def _defects(world: World, transactions: pd.DataFrame) -> pd.DataFrame:
    history, deal = world.history, world.history["deal"].to_numpy()
    first = ~history["deal"].duplicated()
    still_open = ~history["deal"].duplicated(keep="last") & ~history["stage"].isin(["Won", "Lost"])
    left = pd.Series(world.owners.left, index=world.owners.name).reindex(history["owner"]).to_numpy()
    original = world.deals.duplicate_of[deal]
    original_id = pipeline.opportunity_ids(world.deals)[original]
    gone = still_open & (left < LOG_END)
    marked = [
        _rows(transactions, "transactions", transactions["planted"], transactions["planted"] != ""),
        _rows(history, "stage_history", history["planted"], history["planted"] != ""),
        _rows(history, "stage_history", "duplicate opportunity", first & (original >= 0), original_id),
        _rows(history, "stage_history", "owner has left", gone, history["owner"]),
        _rows(history, "stage_history", "stalled", still_open & world.deals.stalled[deal]),
    ]
    return pd.concat(marked, ignore_index=True)


def _rows(
    table: pd.DataFrame,
    file: str,
    defect: str | pd.Series,
    chosen: pd.Series,
    detail: Array | str | pd.Series = "",
) -> pd.DataFrame:
    """Return the chosen rows as defects; the id is the table's first column."""
    rows = {"defect": defect, "file": file, "row": table.index, "id": table.iloc[:, 0], "detail": detail}
    return pd.DataFrame(rows)[chosen]
