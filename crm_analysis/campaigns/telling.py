"""What the campaigns say: which sentence, and the numbers in it."""

from __future__ import annotations

import math

import pandas as pd

from crm_analysis.campaigns.effects import CampaignEffect, Effects
from crm_analysis.campaigns.returns import added


def finding(effects: Effects) -> tuple[str, dict[str, object]]:
    """Which headline tells what the campaigns did, and its numbers.

    Returns
    -------
    key : "none" (no campaign), "open" (none is over), "no_control" (none has a control group), "paid",
        "lost" or "unclear": what all measured campaigns did together.
    values : n, n_measured, n_paid, n_lost, n_unclear, n_open, n_no_control; paid, lost, pulled (names,
        joined); cost, after_cost, low, high of the measured ones together.
    """
    measured = [effect for effect in effects if not math.isnan(effect.profit_after_cost.low)]
    named = {
        "paid": [e.campaign for e in effects if e.verdict == "paid"],
        "lost": [e.campaign for e in effects if e.verdict == "lost"],
        "pulled": [e.campaign for e in effects if e.pulled_forward],
    }
    counts: dict[str, object] = {
        "n": len(effects),
        "n_measured": len(measured),
        "n_paid": len(named["paid"]),
        "n_lost": len(named["lost"]),
        "n_unclear": len(measured) - len(named["paid"]) - len(named["lost"]),
        "n_open": sum(e.status == "window open" for e in effects),
        "n_no_control": sum(e.no_control for e in effects),
    }
    values = counts | {name: ", ".join(names) for name, names in named.items()}
    if not measured:
        return _nothing_measured(effects), values
    together = added([e.profit_after_cost for e in measured])
    values |= {"cost": sum(e.cost for e in measured), "after_cost": together.value}
    values |= {"low": together.low, "high": together.high}
    return {"above": "paid", "below": "lost"}.get(together.sign, "unclear"), values


def _nothing_measured(effects: Effects) -> str:
    if not len(effects):
        return "none"
    if all(effect.status == "window open" for effect in effects):
        return "open"
    return "no_control" if any(effect.no_control for effect in effects) else "not_known"


def response_values(effect: CampaignEffect) -> dict[str, object]:
    """Numbers of the sentence about one campaign."""
    total = effect.extra_profit
    after = effect.profit_after_cost
    values: dict[str, object] = {
        "campaign": effect.campaign,
        "n": effect.n_treated,
        "n_control": effect.n_control,
        "cost": effect.cost,
        "extra": total.value,
        "after_cost": after.value,
        "low": after.low,
        "high": after.high,
        "roi": effect.roi.value,
    }
    for span in ("during", "after", "together"):
        estimate = effect.of(span).times(effect.n_treated)
        values |= {span: estimate.value, f"{span}_low": estimate.low, f"{span}_high": estimate.high}
    return values


def span_effects(effects: Effects, *, measure: str = "orders") -> pd.DataFrame:
    """What the treated of each campaign did more than they would have done, in each span.

    Returns
    -------
    DataFrame, index (campaign, span): value, low, high, in total and adjusted; missing where not known.
    """
    rows = {
        (effect.campaign, span): effect.of(span, measure).times(effect.n_treated)
        for effect in effects
        for span in ("during", "after", "together")
    }
    index = pd.MultiIndex.from_tuples(rows, names=["campaign", "span"]) if rows else None
    table = pd.DataFrame([(e.value, e.low, e.high) for e in rows.values()], index, ["value", "low", "high"])
    return table if rows else table.set_axis(pd.MultiIndex.from_tuples([], names=["campaign", "span"]))
