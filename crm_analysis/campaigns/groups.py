"""For whom a campaign works: the same difference within groups of customers."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from crm_analysis.campaigns.contrast import Estimate, Welch
from crm_analysis.campaigns.effects import CampaignEffect, Effects
from crm_analysis.campaigns.spans import profit_difference
from crm_analysis.rates import holm

NOT_KNOWN = "not known"


def uplift_by(effects: Effects, groups: pd.Series) -> pd.DataFrame:
    """Incremental profit of each campaign in each group of customers, with Holm's adjustment.

    Parameters
    ----------
    groups : customer_id (index) -> group, known before the campaign; customers without one are "not known".

    Returns
    -------
    DataFrame, index (campaign, group):
    n_treated, n_control : customers.
    per_customer, low, high : profit of the treated less control in the span that is judged, adjusted for what
        was bought before.    p_holm : that it is 0; the groups of a campaign are one family.
    p_differ : that all groups of the campaign have one effect.
    to_expect : per customer, drawn towards the campaign's mean (`shrunk`).
    cost, after_cost, after_cost_low, after_cost_high : of all treated of the group.
    p_cost : that a contact brings exactly what it costs.
    Campaigns without control group, and those of which nothing is known yet, have no rows.
    """
    rows = [row for effect in effects if is_measured(effect) for row in _groups_of(effects, effect, groups)]
    columns = ["campaign", "group", "n_treated", "n_control", "per_customer", "low", "high", "p_holm"]
    columns += ["p_differ", "to_expect", "cost", "after_cost", "after_cost_low", "after_cost_high", "p_cost"]
    return pd.DataFrame(rows, columns=columns).set_index(["campaign", "group"])


def is_measured(effect: CampaignEffect) -> bool:
    """Whether a campaign is over, treated somebody and has a control group."""
    return effect.status == "known" and effect.n_treated > 0 and not effect.no_control


def _groups_of(effects: Effects, effect: CampaignEffect, groups: pd.Series) -> list[dict[str, object]]:
    part = effects.members[effects.members["campaign"] == effect.campaign]
    labels = part["customer_id"].map(groups).astype(object).where(lambda found: found.notna(), NOT_KNOWN)
    found = {
        str(name): profit_difference(rows, effect.span) for name, rows in part.groupby(labels, sort=True)
    }
    adjusted_p = holm([each.p() for each in found.values()])
    same, _ = heterogeneity(list(found.values()))
    rows = zip(found.items(), adjusted_p, shrunk(list(found.values())), strict=True)
    return [
        _row(effect, name, part[labels == name], each, effects.level)
        | {"p_holm": p, "p_differ": same, "to_expect": expected}
        for (name, each), p, expected in rows
    ]


def _row(
    effect: CampaignEffect, name: str, rows: pd.DataFrame, found: Welch, level: float
) -> dict[str, object]:
    n, cost = int(rows["treated"].sum()), float(rows["cost"].sum(min_count=len(rows)))
    per_customer: Estimate = found.estimate(level)
    after = per_customer.times(n).less(cost)
    return {
        "campaign": effect.campaign,
        "group": name,
        "n_treated": n,
        "n_control": len(rows) - n,
        "per_customer": per_customer.value,
        "low": per_customer.low,
        "high": per_customer.high,
        "cost": cost,
        "after_cost": after.value,
        "after_cost_low": after.low,
        "after_cost_high": after.high,
        "p_cost": found.p(cost / n) if n else 1.0,
    }


def heterogeneity(found: list[Welch]) -> tuple[float, float]:
    """Whether groups have one effect: p of Cochran's Q, and the variance between their true effects.

    The variance is 0, and p is 1, where the groups differ by no more than chance or fewer than two are known.

    Source: Cochran (1954), Biometrics 10:101; DerSimonian & Laird (1986), Controlled Clinical Trials 7:177.
    """
    from scipy.special import chdtrc

    known = [each for each in found if each.se > 0 and math.isfinite(each.value)]
    if len(known) < 2:
        return 1.0, 0.0
    values, weights = np.array([each.value for each in known]), np.array([each.se**-2 for each in known])
    q = float((weights * (values - (weights @ values) / weights.sum()) ** 2).sum())
    scale = weights.sum() - (weights**2).sum() / weights.sum()
    return float(chdtrc(len(known) - 1, q)), max(0.0, (q - len(known) + 1) / float(scale))


def shrunk(found: list[Welch]) -> list[float]:
    """Effects of groups drawn towards their common mean, the more the less is known of them.

    The best of several uncertain groups looks better than it is; drawn in, its effect is what to expect next
    time. A group of which nothing is known gets the mean.
    """
    _, between = heterogeneity(found)
    variances = np.array([each.se**2 if each.se > 0 else math.inf for each in found])
    values = np.array([each.value if each.se > 0 else 0.0 for each in found])
    weights = 1 / (variances + between)
    if not weights.sum() > 0:
        return [math.nan] * len(found)
    mean = float(weights @ values) / float(weights.sum())
    return [float(v) for v in mean + between * weights * (values - mean)]
