"""Forecasts of the open opportunities of simulated firms, against what is planted; by hand, some minutes.

python tests/slow/open_deals.py 8        # seeds
"""

from __future__ import annotations

import sys
from itertools import product

import numpy as np
import pandas as pd

import crm_analysis as crm
from crm_analysis.funnel.ageing.past_forecasts import briers, compared
from crm_analysis.simulate.plan import STAGES

SNAPSHOTS = ("2024-06-30", "2024-12-31", "2025-06-30", "2025-12-31")
WAYS = {
    "age": {"given": "age", "by": "all"},
    "stage": {"given": "stage", "by": "all"},
    "stage, by amount": {"given": "stage", "by": "amount"},
    "stage, by segment": {"given": "stage", "by": "segment"},
}
COLUMNS = {name: name for name in ("entered_at", "stage", "owner", "amount", "source", "segment")} | {
    "opportunity_id": "id"
}


def forecasts(firm_name: str, seed: int, variant: str) -> pd.DataFrame:
    """Every way at every snapshot, eventual outcomes from the truth."""
    firm = crm.simulate.firm(firm_name, seed=seed, variant=variant)
    pipeline = crm.read_pipeline(
        firm.pipeline, columns=COLUMNS, stages=STAGES, snapshot_at="2025-12-31", timezone="Asia/Shanghai"
    )
    final = pipeline.opportunities.select(
        "opportunity_id", amount=pipeline.opportunities.amount.cast("float64")
    )
    amount = final.to_pandas().set_index("opportunity_id")["amount"]
    truth = firm.truth.opportunities.set_index("opportunity_id")
    came = pd.DataFrame({"won": truth["eventual_outcome"] == "won", "open": False}).join(amount)
    found = []
    then = {day: pipeline.as_of(day) for day in SNAPSHOTS}
    for day, (way, arguments) in product(SNAPSHOTS, WAYS.items()):
        forecast = crm.funnel.forecast_open(then[day], n_draws=100, **arguments)
        of_open = came.reindex(forecast.table.index)
        table = compared(forecast, of_open).reset_index()
        found.append(table.assign(at=day, way=way, **briers(forecast, of_open["won"])))
    return pd.concat(found).assign(firm=firm_name, seed=seed)


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """Errors and coverage per firm, measure and way."""
    groups = found.groupby(["firm", "measure", "way"])
    sums = groups[["expected", "static", "actual"]].sum()
    return pd.DataFrame(
        {
            "bias": sums["expected"] / sums["actual"] - 1,
            "static_bias": sums["static"] / sums["actual"] - 1,
            "mean_error": groups["error"].apply(lambda e: e.abs().mean()),
            "worst_error": groups["error"].apply(lambda e: e.abs().max()),
            "static_mean_error": groups["static_error"].apply(lambda e: e.abs().mean()),
            "in_80": groups["in_80"].mean(),
            "in_95": groups["in_95"].mean(),
            "brier": groups["brier"].mean(),
            "static_brier": groups["static_brier"].mean(),
            "n": groups.size(),
        }
    )


def main() -> None:
    """Write the summary for as many seeds as asked for."""
    n_seeds, variant = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "second stage"
    found = [forecasts(firm, seed, variant) for firm, seed in product("AB", np.arange(101, 101 + n_seeds))]
    with pd.option_context("display.width", 200, "display.max_columns", 20, "display.precision", 3):
        sys.stdout.write(f"{summary(pd.concat(found))}\n")


if __name__ == "__main__":
    main()
