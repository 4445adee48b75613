"""Campaigns: what they brought against a control group, for whom, and what responders buy together.

Names are found when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_analysis.campaigns.affinities import affinity
    from crm_analysis.campaigns.baskets import Baskets, make_baskets, read_baskets
    from crm_analysis.campaigns.contrast import Estimate
    from crm_analysis.campaigns.effects import CampaignEffect, Effects
    from crm_analysis.campaigns.groups import uplift_by
    from crm_analysis.campaigns.measured import evaluate
    from crm_analysis.campaigns.next_time import next_steps, whom_next
    from crm_analysis.campaigns.of_firm import firm_effects, last_measured, responders_baskets
    from crm_analysis.campaigns.opportunities import Followed, follow_to_pipeline
    from crm_analysis.campaigns.ranking import (
        break_even_index,
        break_even_rate,
        contact_above_break_even,
        gains,
    )
    from crm_analysis.campaigns.returns import Return, Wasted, return_on, wasted_share
    from crm_analysis.campaigns.rules import association_rules, frequent_sets, lift_interval, strongest_rules
    from crm_analysis.campaigns.telling import finding, response_values, span_effects
    from crm_analysis.campaigns.uplift import (
        perfect_qini_curve,
        perfect_uplift_curve,
        uplift_curve,
        uplift_quality,
    )

_HOMES = {
    "Baskets": "baskets",
    "CampaignEffect": "effects",
    "Effects": "effects",
    "Estimate": "contrast",
    "Followed": "opportunities",
    "Return": "returns",
    "Wasted": "returns",
    "affinity": "affinities",
    "association_rules": "rules",
    "break_even_index": "ranking",
    "break_even_rate": "ranking",
    "contact_above_break_even": "ranking",
    "evaluate": "measured",
    "finding": "telling",
    "firm_effects": "of_firm",
    "follow_to_pipeline": "opportunities",
    "frequent_sets": "rules",
    "gains": "ranking",
    "last_measured": "of_firm",
    "lift_interval": "rules",
    "make_baskets": "baskets",
    "next_steps": "next_time",
    "perfect_qini_curve": "uplift",
    "perfect_uplift_curve": "uplift",
    "read_baskets": "baskets",
    "responders_baskets": "of_firm",
    "response_values": "telling",
    "return_on": "returns",
    "span_effects": "telling",
    "strongest_rules": "rules",
    "uplift_by": "groups",
    "uplift_curve": "uplift",
    "uplift_quality": "uplift",
    "wasted_share": "returns",
    "whom_next": "next_time",
}

__all__ = [
    "Baskets",
    "CampaignEffect",
    "Effects",
    "Estimate",
    "Followed",
    "Return",
    "Wasted",
    "affinity",
    "association_rules",
    "break_even_index",
    "break_even_rate",
    "contact_above_break_even",
    "evaluate",
    "finding",
    "firm_effects",
    "follow_to_pipeline",
    "frequent_sets",
    "gains",
    "last_measured",
    "lift_interval",
    "make_baskets",
    "next_steps",
    "perfect_qini_curve",
    "perfect_uplift_curve",
    "read_baskets",
    "responders_baskets",
    "response_values",
    "return_on",
    "span_effects",
    "strongest_rules",
    "uplift_by",
    "uplift_curve",
    "uplift_quality",
    "wasted_share",
    "whom_next",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"crm_analysis.campaigns.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {__all__}")


def __dir__() -> list[str]:
    return __all__
