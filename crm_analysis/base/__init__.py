"""The customer base: who bought, who came back, who makes the profit, what changed."""

from crm_analysis.base.periods import Bridge, bridge, log_mean_split, period_history, period_summary
from crm_analysis.base.profit import (
    Concentration,
    Rule802030,
    WhaleCurve,
    concentration,
    rule_80_20_30,
    whale_curve,
)

__all__ = [
    "Bridge",
    "Concentration",
    "Rule802030",
    "WhaleCurve",
    "bridge",
    "concentration",
    "log_mean_split",
    "period_history",
    "period_summary",
    "rule_80_20_30",
    "whale_curve",
]
