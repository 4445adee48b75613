"""What the campaigns say: which sentence, and the numbers in it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.campaigns.effects import CampaignEffect, Effects
from crm_analysis.campaigns.returns import added

# So many campaigns are told of in sentences; the tables have all of them.
MOST = 5
VERDICTS = (
    *("paid", "lost", "paid, taken alone", "lost, taken alone", "cannot be told", "nobody bought"),
    *("no control group", "window open", "nobody treated", "before the log"),
)


def finding(effects: Effects) -> tuple[str, dict[str, Any]]:
    """Which headline tells what the campaigns did, and its numbers.

    Returns
    -------
    key : "none" (no campaign), "open" (none is over), "no_control" (none has a control group), "not_known"
        (no profit or no cost), "paid", "lost" or "unclear": what all measured campaigns did together;
        "one_paid", "one_lost", "one_unclear" where only one was measured.
    values : n, days (after the window), n_measured, n_paid, n_lost (beyond chance though several were
        tested), n_unclear, n_alone (paid or lost only if taken alone), n_open, n_no_control, n_pulled,
        n_window_only; paid, lost, pulled, window_only, measured (names, joined); alone ("paid_unclear" and
        the like: which of the three occur);
        cost, after_cost, low, high of the measured ones together.
    """
    measured = [effect for effect in effects if not math.isnan(effect.profit_after_cost.low)]
    named = {
        "paid": [e.campaign for e in measured if e.verdict == "paid"],
        "lost": [e.campaign for e in measured if e.verdict == "lost"],
        "pulled": [e.campaign for e in effects if e.pulled_forward],
        "window_only": [e.campaign for e in effects if e.status == "known" and not e.after_known],
        "measured": [e.campaign for e in measured],
    }
    counts = {f"n_{name}": len(names) for name, names in named.items()}
    counts |= {
        "n": len(effects),
        "days": effects.after_days,
        "n_unclear": len(measured) - counts["n_paid"] - counts["n_lost"],
        "n_alone": sum(effect.verdict.endswith("taken alone") for effect in measured),
        "n_open": sum(effect.status == "window open" for effect in effects),
        "n_no_control": sum(effect.no_control for effect in effects),
    }
    values: dict[str, Any] = counts | {name: joined(names) for name, names in named.items()}
    values["alone"] = "_".join(name for name in ("paid", "lost", "unclear") if counts[f"n_{name}"])
    if not measured:
        return _nothing_measured(effects), values
    together = added([e.profit_after_cost for e in measured])
    values |= {"cost": sum(e.cost for e in measured), "after_cost": together.value}
    values |= {"low": together.low, "high": together.high}
    key = {"above": "paid", "below": "lost"}.get(together.sign, "unclear")
    return f"one_{key}" if len(measured) == 1 else key, values


def joined(names: list[str]) -> str:
    """At most five names, and how many more there are."""
    more = [f"+{len(names) - MOST}"] if len(names) > MOST else []
    return ", ".join([*names[:MOST], *more])


def _nothing_measured(effects: Effects) -> str:
    if not len(effects):
        return "none"
    known = [effect for effect in effects if effect.status == "known"]
    if not known:
        return "open"
    return "no_control" if all(effect.no_control for effect in known) else "not_known"


def pulled_finding(effects: Effects) -> str:
    """Whether purchases were only pulled forward: by "some", "none" that shows it, or "unknown"."""
    if any(effect.pulled_forward for effect in effects):
        return "some"
    seen = any(effect.after_known and not math.isnan(effect.of("after", "orders").low) for effect in effects)
    return "none" if seen else "unknown"


def most_telling(effects: Effects, *, at_most: int = MOST) -> list[CampaignEffect]:
    """Campaigns that a sentence is worth, in the order in which they began.

    Those that paid or lost come before those of which it cannot be told, and these before those that were
    not measured; among equals those with the largest profit or loss, then the latest.
    """
    places = {name: place for place, name in enumerate(VERDICTS)}
    known = list(effects)
    worth = [(places[e.verdict], -_size(e), -i) for i, e in enumerate(known)]
    chosen = sorted(range(len(known)), key=worth.__getitem__)[:at_most]
    return [known[i] for i in sorted(chosen)]


def _size(effect: CampaignEffect) -> float:
    size = abs(effect.profit_after_cost.value)
    return 0.0 if math.isnan(size) else size


def effect_finding(effect: CampaignEffect) -> tuple[str, dict[str, Any]]:
    """Which sentence tells what one campaign did, and its numbers: by its verdict, or by what is missing."""
    key = effect.verdict.replace(",", "").replace(" ", "_")
    if key == "cannot_be_told" and math.isnan(effect.profit_after_cost.low):
        known = {"no_profit": effect.profit, "no_cost": effect.cost}
        key = next((name for name, value in known.items() if math.isnan(value)), "too_few")
    return key, _effect_values(effect)


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


def latest(table: pd.DataFrame, at_most: int | None = None) -> pd.DataFrame:
    """Rows of the latest campaigns (first level of the index), the last begun first."""
    campaigns = table.index.get_level_values(0)
    names = list(dict.fromkeys(campaigns))[::-1][:at_most]
    places = pd.Series(range(len(names)), index=names, dtype=float).reindex(campaigns).to_numpy()
    order = np.argsort(places, kind="stable")[: int(np.isfinite(places).sum())]
    return table.iloc[order]
