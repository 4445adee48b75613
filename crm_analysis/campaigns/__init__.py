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
    from crm_analysis.campaigns.page_tables import (
        affinity_finding,
        budget_finding,
        costs_both_ways,
        group_table,
        groups_finding,
        key_numbers,
        list_values,
        naive_finding,
        pipeline_finding,
        profit_table,
        response_table,
        rules_finding,
        wasted_finding,
    )
    from crm_analysis.campaigns.ranking import (
        break_even_index,
        break_even_rate,
        contact_above_break_even,
        gains,
    )
    from crm_analysis.campaigns.returns import Return, Wasted, return_on, wasted_share
    from crm_analysis.campaigns.rules import association_rules, frequent_sets, lift_interval, strongest_rules
    from crm_analysis.campaigns.telling import (
        effect_finding,
        finding,
        latest,
        most_telling,
        pulled_finding,
        span_effects,
    )
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
    "affinity_finding": "page_tables",
    "association_rules": "rules",
    "break_even_index": "ranking",
    "break_even_rate": "ranking",
    "budget_finding": "page_tables",
    "contact_above_break_even": "ranking",
    "costs_both_ways": "page_tables",
    "effect_finding": "telling",
    "evaluate": "measured",
    "finding": "telling",
    "firm_effects": "of_firm",
    "follow_to_pipeline": "opportunities",
    "frequent_sets": "rules",
    "gains": "ranking",
    "group_table": "page_tables",
    "groups_finding": "page_tables",
    "key_numbers": "page_tables",
    "last_measured": "of_firm",
    "latest": "telling",
    "lift_interval": "rules",
    "list_values": "page_tables",
    "make_baskets": "baskets",
    "most_telling": "telling",
    "naive_finding": "page_tables",
    "next_steps": "next_time",
    "perfect_qini_curve": "uplift",
    "perfect_uplift_curve": "uplift",
    "pipeline_finding": "page_tables",
    "profit_table": "page_tables",
    "pulled_finding": "telling",
    "read_baskets": "baskets",
    "responders_baskets": "of_firm",
    "response_table": "page_tables",
    "return_on": "returns",
    "rules_finding": "page_tables",
    "span_effects": "telling",
    "strongest_rules": "rules",
    "uplift_by": "groups",
    "uplift_curve": "uplift",
    "uplift_quality": "uplift",
    "wasted_finding": "page_tables",
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
    "affinity_finding",
    "association_rules",
    "break_even_index",
    "break_even_rate",
    "budget_finding",
    "contact_above_break_even",
    "costs_both_ways",
    "effect_finding",
    "evaluate",
    "finding",
    "firm_effects",
    "follow_to_pipeline",
    "frequent_sets",
    "gains",
    "group_table",
    "groups_finding",
    "key_numbers",
    "last_measured",
    "latest",
    "lift_interval",
    "list_values",
    "make_baskets",
    "most_telling",
    "naive_finding",
    "next_steps",
    "perfect_qini_curve",
    "perfect_uplift_curve",
    "pipeline_finding",
    "profit_table",
    "pulled_finding",
    "read_baskets",
    "responders_baskets",
    "response_table",
    "return_on",
    "rules_finding",
    "span_effects",
    "strongest_rules",
    "uplift_by",
    "uplift_curve",
    "uplift_quality",
    "wasted_finding",
    "wasted_share",
    "whom_next",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"crm_analysis.campaigns.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {__all__}")


def __dir__() -> list[str]:
    return __all__
