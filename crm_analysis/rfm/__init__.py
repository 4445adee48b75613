"""RFM: which groups of customers there are, and who moved between them.

R scores `days_since_last` (fewer is better), F `n_orders`, M `total_amount` or `total_profit`; 1 is worst.
A score depends on the customer's value and the cut points alone, so that equal values always get equal
scores (docs/decisions/0003-ties-in-rfm.md). The analysis date is the one the customer table was counted at.

Sources: Hughes, Strategic Database Marketing (2005); Blattberg, Kim & Neslin, Database Marketing (2008),
chapter 12; cut points as in the R package rfm 0.3.0.
"""

from crm_analysis.rfm.cut_points import CutPoints
from crm_analysis.rfm.kept import KeptCutPoints, keep_cut_points
from crm_analysis.rfm.moves import (
    LEFT,
    NEW,
    changes,
    entered_and_left,
    migration,
    movers,
    rank_moves,
)
from crm_analysis.rfm.scores import Scores, score, score_cells
from crm_analysis.rfm.segments import (
    ACTIONS,
    OTHERS,
    RULES,
    Rule,
    check_rules,
    dead_segments,
    describe_rules,
    rule_cells,
    segment,
    segments_at,
    sensitivity,
    summarise_segments,
)

__all__ = [
    "ACTIONS",
    "LEFT",
    "NEW",
    "OTHERS",
    "RULES",
    "CutPoints",
    "KeptCutPoints",
    "Rule",
    "Scores",
    "changes",
    "check_rules",
    "dead_segments",
    "describe_rules",
    "entered_and_left",
    "keep_cut_points",
    "migration",
    "movers",
    "rank_moves",
    "rule_cells",
    "score",
    "score_cells",
    "segment",
    "segments_at",
    "sensitivity",
    "summarise_segments",
]
