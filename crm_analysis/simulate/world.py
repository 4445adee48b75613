"""One simulated firm: its files as frames, and the truth behind them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from crm_analysis.simulate import actions, pipeline, purchases, service
from crm_analysis.simulate.clock import FUTURE_END, LOG_END, LOG_FROM, SEASON, Array, dates, timestamps
from crm_analysis.simulate.pipeline import Deals, Owners, text_where
from crm_analysis.simulate.plan import (
    FIRMS,
    SEGMENTS,
    SOURCES,
    STAGES,
    Plan,
    mix_split,
    plan,
    rate_table,
    spend_table,
    stage_split,
)
from crm_analysis.simulate.purchases import PER_CATEGORY, PRICE_RISE, Customers


@dataclass(frozen=True)
class Truth:
    """What an analysis cannot see.

    customers : per customer: acquisition, end of life, purchase rate, profit inside the log and its
        parts, what it buys in the 12 and 24 months after the snapshot, reaction to each action.
    opportunities : per opportunity: eventual outcome, furthest stage, what it duplicates.
    rates : true eventual rates by transition and segment.    owners : effects on each transition.
    split, mix : the gap A - B in wins per 1,000 entrants, by transition, and by mix and rate.
    season : index by calendar month, mean 1.    campaigns : what each one did.
    defects : every planted defect: file, row (0-based), id.
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


@dataclass(frozen=True)
class _Sales:
    """Everything sold by the end of 2027: orders, lines (refunds included), profit of each order in CNY."""

    orders: pd.DataFrame
    lines: pd.DataFrame
    amount: Array  # per order before refunds, cents
    profit: Array


def firm(name: str, *, seed: int | np.random.Generator, variant: str = "second stage") -> Firm:
    """A firm with known truth: customers won through a pipeline, who then buy without contract.

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
    owners = pipeline.draw_owners(rng)
    deals = pipeline.draw_deals(firm_plan, owners, rng)
    customers = purchases.draw_customers(deals, firm_plan, rng)
    uplifts = actions.draw_uplifts(customers, rng)
    drawn = purchases.draw_orders(customers, deals, rng)
    drawn, contacts = actions.run_campaigns(drawn, customers, uplifts, rng)
    sales = _sell(purchases.number_orders(drawn), customers, rng)
    history = _history(deals, customers, sales, firm_plan, owners, rng)
    served = _serve(customers, sales, rng)
    credit_days = service.draw_credit_days(customers, rng)
    payments = service.draw_payments(sales.orders, sales.amount, customers, credit_days, rng)
    reason, churn_reasons = service.draw_reasons(customers, rng)
    transactions = _transactions(sales, customers)
    parts = _profit_parts(sales, served, payments, customers)
    planted = _defects(transactions, history, deals, owners)
    truth = Truth(
        customers=_true_customers(customers, sales, parts, uplifts, reason),
        opportunities=_true_opportunities(deals, customers),
        rates=rate_table(firm_plan),
        owners=_true_owners(owners),
        split=stage_split(variant),
        mix=mix_split(variant),
        season=pd.DataFrame({"month": np.arange(1, 13), "index": SEASON}),
        campaigns=actions.true_effects(contacts, sales.orders, sales.profit, customers, uplifts),
        defects=planted,
    )
    return Firm(
        name=name,
        variant=variant,
        transactions=transactions.drop(columns="planted"),
        customers=_customer_master(name, customers, deals, credit_days, rng),
        pipeline=history.drop(columns=["deal", "planted"]),
        contacts=actions.contact_table(contacts, customers),
        campaigns=actions.campaign_table(),
        costs=pd.DataFrame({"driver": service.UNIT_COSTS.keys(), "cost": service.UNIT_COSTS.values()}),
        service=service.service_table(served, customers),
        payments=service.payment_table(payments, sales.orders, customers),
        spend=spend_table(LOG_FROM),
        owners=pipeline.owner_table(owners),
        churn_reasons=churn_reasons,
        ledger=_ledger(sales),
        truth=truth,
    )


def _sell(orders: pd.DataFrame, customers: Customers, rng: np.random.Generator) -> _Sales:
    lines = purchases.draw_lines(orders, customers, rng)
    refunds = purchases.draw_refunds(lines, rng)
    profit = lines["amount"] - lines["quantity"] * lines["unit_cost"]
    lines = pd.concat([lines.assign(is_refund=False), refunds.assign(is_refund=True)], ignore_index=True)
    lines["customer"] = orders["customer"].to_numpy()[lines["order"]]
    sold = ~lines["is_refund"]
    amount = lines.loc[sold, "amount"].groupby(lines.loc[sold, "order"]).sum().to_numpy()
    return _Sales(
        orders=orders,
        lines=lines.sort_values(["at", "order"], kind="stable", ignore_index=True),
        amount=amount,
        profit=profit.groupby(lines.loc[sold, "order"]).sum().to_numpy() / 100,
    )


def _history(
    deals: Deals, customers: Customers, sales: _Sales, plan: Plan, owners: Owners, rng: np.random.Generator
) -> pd.DataFrame:
    """Stage history, in which a won deal is worth what its first order was."""
    usual = purchases.FIRST_ORDER * plan.order_size * purchases.ORDER_VALUE[deals.segment]
    risen = PRICE_RISE ** purchases.year_of(deals.created)
    noise = purchases.VALUE_SPREAD * deals.spend_z + purchases.ORDER_SPREAD * rng.normal(size=len(usual))
    amount = usual * risen * deals.size * np.exp(noise)
    first = sales.orders["is_first"].to_numpy()
    amount[customers.deal[sales.orders["customer"].to_numpy()[first]]] = sales.amount[first] / 100
    account = np.full(len(usual), "", dtype=customers.customer_id.dtype)
    account[customers.deal] = customers.customer_id
    return pipeline.stage_history(deals, amount, account, owners, plan.pace, rng)


def _serve(customers: Customers, sales: _Sales, rng: np.random.Generator) -> pd.DataFrame:
    return service.draw_service(customers, sales.lines[sales.lines["is_refund"]], rng)


def _in_log(at: pd.Series) -> pd.Series:
    return at.between(LOG_FROM, LOG_END, inclusive="left")


def _transactions(sales: _Sales, customers: Customers) -> pd.DataFrame:
    lines = sales.lines[_in_log(sales.lines["at"])].reset_index(drop=True)
    order, product = lines["order"].to_numpy(), lines["product"].to_numpy()
    channel = (order * 7 + order // 3) % 10
    refund = lines["is_refund"] & (sales.orders["at"].to_numpy()[order] < LOG_FROM)
    return pd.DataFrame(
        {
            "order_id": sales.orders["order_id"].to_numpy()[order],
            "customer_id": customers.customer_id[lines["customer"]],
            "date": timestamps(lines["at"].to_numpy()),
            "product_id": np.char.add("P", np.char.zfill((product + 1).astype(str), 3)),
            "category": np.array(purchases.CATEGORIES)[product // PER_CATEGORY],
            "quantity": lines["quantity"],
            "amount": lines["amount"] / 100,
            "unit_cost": lines["unit_cost"] / 100,
            "discount": lines["discount"] / 100,
            "channel": np.array(purchases.CHANNELS)[np.select([channel < 5, channel < 8], [0, 1], 2)],
            "planted": lines["planted"].where(~refund, "refund of an order before the log"),
        }
    )


def _ledger(sales: _Sales) -> pd.DataFrame:
    """Control totals per month: revenue by the date of each line (refunds as made), orders by theirs."""
    lines = sales.lines[_in_log(sales.lines["at"])]
    orders = sales.orders[_in_log(sales.orders["at"])]
    revenue = lines["amount"].groupby(_month(lines["at"])).sum() / 100
    counted = orders["order_id"].groupby(_month(orders["at"])).count()
    return pd.DataFrame(
        {"period": revenue.index, "revenue": revenue.to_numpy(), "orders": counted.to_numpy()}
    )


def _month(at: pd.Series) -> Array:
    return np.datetime_as_string(timestamps(at.to_numpy()).astype("datetime64[M]"))


def _customer_master(
    name: str, customers: Customers, deals: Deals, credit_days: Array, rng: np.random.Generator
) -> pd.DataFrame:
    """Firm A knows when each customer was won; firm B never wrote it down."""
    source = deals.source[customers.deal]
    referred = source == SOURCES.index("Referral")
    regions = np.array(service.REGIONS)
    master = pd.DataFrame(
        {
            "customer_id": customers.customer_id,
            "acquired_at": dates(customers.acquired),
            "source": np.array(SOURCES)[source],
            "region": rng.choice(regions, len(source), p=[0.3, 0.22, 0.18, 0.12, 0.1, 0.08]),
            "segment": np.array(SEGMENTS)[customers.segment],
            "acquired_by": np.where(customers.by_discount, "discount", "full price"),
            "referred_by": service.draw_referrers(customers, referred, rng),
            "credit_days": credit_days,
        }
    )
    return master if name == "A" else master.drop(columns="acquired_at")


def _profit_parts(
    sales: _Sales, served: pd.DataFrame, payments: pd.DataFrame, customers: Customers
) -> dict[str, Array]:
    """Revenue and costs of each customer inside the log, CNY."""
    n = len(customers.acquired)
    lines = sales.lines[_in_log(sales.lines["at"])]
    owner = lines["customer"].to_numpy()
    goods = (lines["quantity"] * lines["unit_cost"]).to_numpy()
    ordered = sales.orders.loc[_in_log(sales.orders["at"]), "customer"].to_numpy()
    parts = {
        "revenue": np.bincount(owner, weights=lines["amount"], minlength=n) / 100,
        "goods": np.bincount(owner, weights=goods, minlength=n) / 100,
        "order_cost": np.bincount(ordered, minlength=n) * service.UNIT_COSTS["order"],
    }
    for kind in ("visit", "call", "return"):
        times = np.bincount(served.loc[served["kind"] == kind, "customer"], minlength=n)
        parts[f"{kind}_cost"] = times * service.UNIT_COSTS[kind]
    parts["credit_cost"] = np.round(service.credit_cost(payments, sales.orders, n), 2)
    costs = sum(value for key, value in parts.items() if key != "revenue")
    parts["profit"] = np.round(parts["revenue"] - costs, 2)
    return parts


def _true_customers(
    customers: Customers, sales: _Sales, parts: dict[str, Array], uplifts: Array, reason: Array
) -> pd.DataFrame:
    mean_amount = customers.order_value * PRICE_RISE**5 * np.exp(purchases.ORDER_SPREAD**2 / 2)
    stopped = customers.end < FUTURE_END
    return pd.DataFrame(
        {
            "customer_id": customers.customer_id,
            "acquired_at": timestamps(customers.acquired),
            "end_of_life": timestamps(customers.end),
            "purchases_per_year": np.round(customers.rate, 4),
            "mean_order_amount": np.round(mean_amount, 2),
            **parts,
            **_bought(sales, len(reason), LOG_END + 365, "next_12m"),
            **_bought(sales, len(reason), FUTURE_END, "next_24m"),
            **{f"uplift_{a}": np.round(uplifts[:, k], 4) for k, a in enumerate(actions.ACTIONS)},
            **{k: np.round(v, 4) for k, v in actions.extra_after_snapshot(customers, uplifts).items()},
            "reason": text_where(stopped, reason),
        }
    )


def _bought(sales: _Sales, n: int, until: int, label: str) -> dict[str, Array]:
    """Purchase days, orders and amount (net of refunds made by then) from the snapshot to `until`."""
    orders = sales.orders[sales.orders["at"].between(LOG_END, until, inclusive="left")]
    lines = sales.lines[sales.lines["at"].between(LOG_END, until, inclusive="left")]
    days = orders.assign(day=np.floor(orders["at"])).drop_duplicates(["customer", "day"])
    return {
        f"purchase_days_{label}": np.bincount(days["customer"], minlength=n),
        f"orders_{label}": np.bincount(orders["customer"], minlength=n),
        f"amount_{label}": np.bincount(lines["customer"], weights=lines["amount"], minlength=n) / 100,
    }


def _true_opportunities(deals: Deals, customers: Customers) -> pd.DataFrame:
    ids = pipeline.opportunity_ids(deals)
    account = np.full(len(ids), "", dtype=customers.customer_id.dtype)
    account[customers.deal] = customers.customer_id
    reasons = np.array(pipeline.LOST_REASONS)[deals.reason]
    reasons = np.where(deals.duplicate_of >= 0, "Duplicate", reasons)
    table = pd.DataFrame(
        {
            "opportunity_id": ids,
            "created_at": timestamps(deals.created),
            "eventual_outcome": np.where(deals.won, "won", "lost"),
            "eventual_at": timestamps(deals.closed_at),
            "furthest_stage": np.array(STAGES)[deals.furthest],
            "duplicate_of": text_where(deals.duplicate_of >= 0, ids[deals.duplicate_of]),
            "lost_reason": text_where(~deals.won, reasons),
            "stalled": deals.stalled,
            "customer_id": text_where(account != "", account),
        }
    )
    return table[ids != ""].reset_index(drop=True)


def _true_owners(owners: Owners) -> pd.DataFrame:
    effects = {f"effect_{a}_to_{b}".lower(): owners.effect[:, k] for k, (a, b) in enumerate(_pairs())}
    return pd.DataFrame({"owner": owners.name, "weight": owners.weight, **effects})


def _pairs() -> list[tuple[str, str]]:
    return list(pairwise(STAGES))


def _defects(transactions: pd.DataFrame, history: pd.DataFrame, deals: Deals, owners: Owners) -> pd.DataFrame:
    """Every planted defect: defect, file, row in that file (0-based), id, detail."""
    ids = pipeline.opportunity_ids(deals)
    first = ~history["deal"].duplicated()
    last = ~history["deal"].duplicated(keep="last") & ~history["stage"].isin(["Won", "Lost"])
    deal = history["deal"].to_numpy()
    left = pd.Series(owners.left, index=owners.name).reindex(history["owner"]).to_numpy()
    original = deals.duplicate_of[deal]
    marked = [
        _rows(
            transactions, "transactions", "order_id", transactions["planted"], transactions["planted"] != ""
        ),
        _rows(history, "stage_history", "id", history["planted"], history["planted"] != ""),
        _rows(
            history, "stage_history", "id", "duplicate opportunity", first & (original >= 0), ids[original]
        ),
        _rows(history, "stage_history", "id", "owner has left", last & (left < LOG_END), history["owner"]),
        _rows(history, "stage_history", "id", "stalled", last & deals.stalled[deal]),
    ]
    return pd.concat(marked, ignore_index=True)


def _rows(
    table: pd.DataFrame,
    file: str,
    key: str,
    defect: str | pd.Series,
    chosen: pd.Series,
    detail: str | Array | pd.Series = "",
) -> pd.DataFrame:
    rows = pd.DataFrame(
        {"defect": defect, "file": file, "row": table.index, "id": table[key], "detail": detail}
    )
    return rows[chosen]
