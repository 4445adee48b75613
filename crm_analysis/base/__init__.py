"""The customer base: who bought, who came back, who makes the profit, what changed."""

from crm_analysis.base.churn import ChurnReasons, churn_reason_table, churn_reasons
from crm_analysis.base.ladder import Ladder, LadderRules, relationship_ladder
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
    "ChurnReasons",
    "Concentration",
    "Ladder",
    "LadderRules",
    "Rule802030",
    "WhaleCurve",
    "bridge",
    "change_on_last_year",
    "churn_reason_table",
    "churn_reasons",
    "comparison_period",
    "concentration",
    "period_history",
    "period_summary",
    "relationship_ladder",
    "rule_80_20_30",
    "whale_curve",
]
