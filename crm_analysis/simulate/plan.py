"""What is planted: stage rates, mix, speed and deal size of each firm and variant, and the split they imply.

Every number here is the truth that an analysis of the simulated files has to find again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError
from crm_analysis.simulate.clock import BEGINNING, Array, month_starts

STAGES = ("Lead", "Qualified", "Proposal", "Negotiation", "Won")
TRANSITIONS = tuple(f"{a} to {b}" for a, b in pairwise(STAGES))
FIRMS = ("A", "B")
SEGMENTS = ("Small", "Medium", "Large")
SOURCES = ("Website", "Exhibition", "Referral", "Telemarketing")

# Share of leads by source, and its effect (log odds) on the first transition only.
SOURCE_MIX = np.array([0.38, 0.22, 0.16, 0.24])
SOURCE_EFFECT = np.array([0.0, -0.25, 0.55, -0.35])
SOURCE_COST = np.array([210.0, 420.0, 120.0, 180.0])  # CNY per lead in 2020
OWNER_SPREAD = 0.15  # standard deviation of an owner's effect on each transition, log odds

STAGE_DAYS = np.array([10.0, 14.0, 18.0, 18.0])  # mean days from each stage to the next, firm A; 60 in all
RATES = np.array([[0.44, 0.62, 0.70], [0.64, 0.76, 0.84], [0.64, 0.76, 0.84], [0.74, 0.84, 0.90]])
MIX = np.array([0.45, 0.35, 0.20])
GUILTY = {"first stage": 0, "second stage": 1, "third stage": 2, "last stage": 3}
VARIANTS = (*GUILTY, "mix", "slow", "same")


@dataclass(frozen=True)
class Plan:
    """What one firm is like.

    rates : share of the entrants of a stage that go on to the next, eventually; transition x segment.
    mix : share of the leads by segment.
    leads_per_spend : leads per unit of spend, relative to the plan's cost per lead.
    order_size : amounts, relative to firm A's.
    pace : times between stages, relative to firm A's 60 days from lead to win.
    """

    rates: Array
    mix: Array
    leads_per_spend: float = 1.0
    order_size: float = 1.0
    pace: float = 1.0

    @property
    def reach(self) -> Array:
        """Share of a segment's leads that ever reach each stage, shape (5, 3)."""
        return np.vstack([np.ones(len(SEGMENTS)), np.cumprod(self.rates, axis=0)])

    @property
    def overall_rates(self) -> Array:
        """Share of the entrants of each stage that go on, all segments together, shape (4,)."""
        reached = self.reach @ self.mix
        return reached[1:] / reached[:-1]


_FIRM_A = Plan(RATES, MIX, leads_per_spend=1.05)


def plan(firm: str, *, variant: str) -> Plan:
    """Return the plan of firm "A" or "B" in one of `VARIANTS`.

    Raises
    ------
    ConfigError
        The firm or the variant does not exist.
    """
    if firm not in FIRMS:
        raise ConfigError(f'simulate.firm: there is no firm {firm!r}; expected "A" or "B"')
    if variant not in VARIANTS:
        raise ConfigError(f"simulate.firm: there is no variant {variant!r}; expected one of {list(VARIANTS)}")
    if variant in GUILTY:
        return _FIRM_A if firm == "A" else _weak_at(GUILTY[variant])
    base = replace(_FIRM_A, leads_per_spend=1.0)
    if variant == "mix":
        return replace(base, mix=np.array([0.15, 0.35, 0.50] if firm == "A" else [0.85, 0.12, 0.03]))
    return replace(base, pace=3.0) if (firm, variant) == ("B", "slow") else base


def _weak_at(transition: int) -> Plan:
    """Firm B: one transition at half of firm A's rate, the others nearly equal; larger and slower deals."""
    factor = np.array([1.02, 0.99, 0.97, 0.96])
    factor[transition] *= 0.5
    return Plan(RATES * factor[:, None], MIX, order_size=1.08, pace=100 / 60)


def rate_table(firm_plan: Plan) -> pd.DataFrame:
    """Return the true eventual rates: transition, segment ("all" or one of SEGMENTS), rate."""
    columns = [firm_plan.overall_rates, *firm_plan.rates.T]
    return pd.DataFrame(
        [
            (transition, segment, rates[k])
            for segment, rates in zip(("all", *SEGMENTS), columns, strict=True)
            for k, transition in enumerate(TRANSITIONS)
        ],
        columns=["transition", "segment", "rate"],
    )


def log_mean(a: float, b: float) -> float:
    """Return (a - b) / ln(a / b), and a where both are equal."""
    return a if a == b else (a - b) / float(np.log(a / b))


def stage_split(variant: str) -> pd.DataFrame:
    """Split the true gap of a variant, firm A less firm B, over the transitions."""
    a, b = (plan(firm, variant=variant).overall_rates for firm in FIRMS)
    return split_gap(a, b)


def split_gap(rates_a: Array, rates_b: Array) -> pd.DataFrame:
    """Split the gap in wins per 1,000 entrants over the transitions.

    Returns
    -------
    One row per transition: rate_a, rate_b, contribution = L(W_A, W_B) ln(rate_a / rate_b) with
    L the logarithmic mean, and share of the gap (missing where the gap is 0). Contributions add up
    to the gap exactly.

    Source: Ang (2004), Energy Policy 32, 1131 (LMDI-I).
    """
    wins_a, wins_b = 1000 * float(rates_a.prod()), 1000 * float(rates_b.prod())
    contribution = log_mean(wins_a, wins_b) * np.log(rates_a / rates_b)
    gap = wins_a - wins_b
    return pd.DataFrame(
        {
            "transition": TRANSITIONS,
            "rate_a": rates_a,
            "rate_b": rates_b,
            "contribution": contribution,
            "share": contribution / gap if gap else np.nan,
        }
    )


def mix_split(variant: str) -> pd.DataFrame:
    """Split the same gap into mix and rate."""
    a, b = (plan(firm, variant=variant) for firm in FIRMS)
    return split_mix(a, b)


def split_mix(a: Plan, b: Plan) -> pd.DataFrame:
    """Split the gap in wins per 1,000 entrants into who is asked (mix) and how they answer (rate).

    Source: Kitagawa (1955), Journal of the American Statistical Association 50, 1168.
    """
    win_a, win_b = a.reach[-1], b.reach[-1]
    mix = 1000 * float(((a.mix - b.mix) * (win_a + win_b) / 2).sum())
    rate = 1000 * float(((win_a - win_b) * (a.mix + b.mix) / 2).sum())
    return pd.DataFrame({"part": ["mix", "rate"], "contribution": [mix, rate]})


def planned_leads() -> pd.DataFrame:
    """Leads that the budget pays for, per month and source: month (day number), source, leads, spend (CNY).

    The same for every firm, seed and variant: the firms invest the same, to the cent.
    """
    months = month_starts(0, 2192)
    years, month = np.divmod(np.arange(len(months)), 12)
    volume = np.array([170.0, 190.0, 205.0, 215.0, 222.0, 226.0])[years]
    leads = volume[:, None] * SOURCE_MIX * _source_calendar()[month]
    spend = np.round(leads * SOURCE_COST * 1.03 ** years[:, None], 2)
    return pd.DataFrame(
        {
            "month": np.repeat(months, len(SOURCES)),
            "source": np.tile(SOURCES, len(months)),
            "leads": leads.ravel(),
            "spend": spend.ravel(),
        }
    )


def _source_calendar() -> Array:
    """How each source's year is spread over months (mean 1): exhibitions are in April and October."""
    calendar = np.ones((12, len(SOURCES)))
    calendar[:, 1] = np.array([0.3, 0.3, 0.8, 3.2, 0.9, 0.5, 0.4, 0.4, 0.9, 3.2, 0.7, 0.4])
    return calendar / calendar.mean(axis=0)


def spend_table(first: int) -> pd.DataFrame:
    """Investment from day number `first` on: month (YYYY-MM), source, spend (CNY)."""
    planned = planned_leads().query("month >= @first")
    month = np.datetime_as_string((BEGINNING + planned["month"].to_numpy()).astype("datetime64[M]"))
    return pd.DataFrame(
        {"month": month, "source": planned["source"].to_numpy(), "spend": planned["spend"].to_numpy()}
    )
