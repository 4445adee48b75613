"""Campaigns: what they brought against a control group, for whom, and what responders buy together.

Names are found when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_analysis.campaigns.contrast import Estimate
    from crm_analysis.campaigns.effects import CampaignEffect, Effects
    from crm_analysis.campaigns.measured import evaluate

_HOMES = {
    "CampaignEffect": "effects",
    "Effects": "effects",
    "Estimate": "contrast",
    "evaluate": "measured",
}

__all__ = [
    "CampaignEffect",
    "Effects",
    "Estimate",
    "evaluate",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"crm_analysis.campaigns.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {__all__}")


def __dir__() -> list[str]:
    return __all__
