"""The customer base: who bought, who came back, who makes the profit, what changed."""

from crm_analysis.base.periods import (
    Bridge,
    bridge,
    comparison_period,
    period_history,
    period_summary,
)
from crm_analysis.base.profit import (
    Concentration,
    Rule802030,
    WhaleCurve,
    concentration,
    rule_80_20_30,
    whale_curve,
)
from crm_analysis.base.variation import Change, change_on_last_year

__all__ = [
    "Bridge",
    "Change",
    "Concentration",
    "Rule802030",
    "WhaleCurve",
    "bridge",
    "change_on_last_year",
    "comparison_period",
    "concentration",
    "period_history",
    "period_summary",
    "rule_80_20_30",
    "whale_curve",
]
