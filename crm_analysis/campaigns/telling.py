"""What the campaigns say: which sentence, and the numbers in it."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from crm_analysis.campaigns.effects import CampaignEffect, Effects
from crm_analysis.campaigns.returns import added


def finding(effects: Effects, *, nobody: str = "") -> tuple[str, dict[str, Any]]:
    """Which headline tells what the campaigns did, and its numbers.

    Parameters
    ----------
    nobody : word in the place of names, where there are none.

    Returns
    -------
    key : "none" (no campaign), "open" (none is over), "no_control" (none has a control group), "not_known"
        (no profit or no cost), "paid", "lost" or "unclear": what all measured campaigns did together.
    values : n, n_measured, n_paid, n_lost, n_unclear, n_open, n_no_control, n_pulled, n_window_only; paid,
        lost, pulled, window_only (names, joined); cost, after_cost, low, high of the measured ones together.
    """
    measured = [effect for effect in effects if not math.isnan(effect.profit_after_cost.low)]
    named = {
        "paid": [e.campaign for e in effects if e.verdict == "paid"],
        "lost": [e.campaign for e in effects if e.verdict == "lost"],
        "pulled": [e.campaign for e in effects if e.pulled_forward],
        "window_only": [e.campaign for e in effects if e.status == "known" and not e.after_known],
    }
    counts: dict[str, Any] = {
        "n": len(effects),
        "n_measured": len(measured),
        "n_paid": len(named["paid"]),
        "n_lost": len(named["lost"]),
        "n_unclear": len(measured) - len(named["paid"]) - len(named["lost"]),
        "n_open": sum(e.status == "window open" for e in effects),
        "n_no_control": sum(e.no_control for e in effects),
        "n_pulled": len(named["pulled"]),
        "n_window_only": len(named["window_only"]),
    }
    values = counts | {name: ", ".join(names) or nobody for name, names in named.items()}
    if not measured:
        return _nothing_measured(effects), values
    together = added([e.profit_after_cost for e in measured])
    values |= {"cost": sum(e.cost for e in measured), "after_cost": together.value}
    values |= {"low": together.low, "high": together.high}
    return {"above": "paid", "below": "lost"}.get(together.sign, "unclear"), values


def _nothing_measured(effects: Effects) -> str:
    if not len(effects):
        return "none"
    known = [effect for effect in effects if effect.status == "known"]
    if not known:
        return "open"
    return "no_control" if all(effect.no_control for effect in known) else "not_known"


def effect_finding(effect: CampaignEffect) -> tuple[str, dict[str, Any]]:
    """Which sentence tells what one campaign did (by its verdict), and its numbers."""
    return effect.verdict.replace(" ", "_"), _effect_values(effect)


def _effect_values(effect: CampaignEffect) -> dict[str, Any]:
    total = effect.extra_profit
    after = effect.profit_after_cost
    values: dict[str, Any] = {
        "campaign": effect.campaign,
        "n": effect.n_treated,
        "n_control": effect.n_control,
        "cost": effect.cost,
        "extra": total.value,
        "after_cost": after.value,
        "low": after.low,
        "high": after.high,
        "roi": effect.roi.value,
        "k": effect.n_responders,
        "rate": effect.response_rate.value,
        "until": effect.ended_on,
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
