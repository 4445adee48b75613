"""How often the intervals of campaigns hold what simulated campaigns did, by measure and span.

`python tests/slow/campaign_coverage.py 60` draws firms A and B with 60 other seeds; no files are made.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from crm_analysis.campaigns import evaluate
from crm_analysis.simulate import actions
from crm_analysis.simulate.clock import timestamps
from crm_analysis.simulate.plan import plan
from crm_analysis.simulate.world import World, draw_world

MEASURES = {"orders": "extra_orders_expected", "profit": "extra_profit"}


def tables(world: World) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Contacts and orders as a firm would have them, refunds aside."""
    orders, ids = world.sales.orders, world.customers.customer_id
    bought = pd.DataFrame(
        {
            "customer_id": ids[orders["customer"]],
            "occurred_at": timestamps(orders["at"].to_numpy()),
            "amount": world.sales.amount / 100,
            "profit": world.sales.profit,
        }
    )
    return actions.contact_table(world.contacts, world.customers), bought


def pulled(world: World, campaign: str) -> tuple[float, float]:
    """Orders, and their profit, that a campaign moved into its window."""
    moved = (world.sales.orders["planted"] == f"pulled by {campaign}").to_numpy()
    return float(moved.sum()), float(world.sales.profit[moved].sum())


def one_firm(name: str, seed: int) -> list[dict[str, object]]:
    """Whether each interval of each campaign holds the truth."""
    world = draw_world(plan(name, variant="second stage"), np.random.default_rng([seed, "AB".index(name)]))
    truth = actions.true_effects(
        world.contacts, world.sales.orders, world.sales.profit, world.customers, world.uplifts
    ).set_index("campaign")
    contacts, orders = tables(world)
    found = evaluate(
        contacts, orders, campaigns=actions.campaign_table(), after="60 days", observed_until="2027-12-31"
    )
    rows: list[dict[str, object]] = []
    for effect in found:
        moved = dict(zip(MEASURES, pulled(world, effect.campaign), strict=True))
        for measure, column in MEASURES.items():
            true = float(truth.loc[effect.campaign, column])
            wanted = {"during": true + moved[measure], "after": -moved[measure], "together": true}
            for span, value in wanted.items():
                row = effect.spans.loc[(span, measure)] * effect.n_treated
                rows.append(
                    {
                        "measure": measure,
                        "span": span,
                        "plain": row["low"] < value < row["high"],
                        "adjusted": row["adjusted_low"] < value < row["adjusted_high"],
                        "width": (row["adjusted_high"] - row["adjusted_low"]) / (row["high"] - row["low"]),
                    }
                )
    return rows


def main(n_seeds: int) -> None:
    """Print the share of intervals that hold the truth, by measure and span."""
    rows = [row for seed in range(1000, 1000 + n_seeds) for name in "AB" for row in one_firm(name, seed)]
    table = pd.DataFrame(rows).groupby(["measure", "span"], sort=False)
    shares = table[["plain", "adjusted", "width"]].mean()
    print(shares.assign(n=table.size()).round(3).to_string())  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
