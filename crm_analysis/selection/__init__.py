"""Which customers to invest in: scorecards, the value matrix, allocation of capacity."""

from crm_analysis.selection.allocate import allocate, candidates, capacity_used, cell_uses
from crm_analysis.selection.criteria import (
    DIRECTIONS,
    customer_facts,
    discount_share,
    known_criteria,
    loss_makers,
    profit_over_time,
)
from crm_analysis.selection.matrix import ACTIONS, ValueMatrix, cells_with_shares, finding, value_matrix
from crm_analysis.selection.scorecard import (
    Ahp,
    Scorecard,
    ahp,
    comparison_matrix,
    entropy_weights,
    scorecard,
    sensitivity,
    topsis,
)

__all__ = [
    "ACTIONS",
    "DIRECTIONS",
    "Ahp",
    "Scorecard",
    "ValueMatrix",
    "ahp",
    "allocate",
    "candidates",
    "capacity_used",
    "cell_uses",
    "cells_with_shares",
    "comparison_matrix",
    "customer_facts",
    "discount_share",
    "entropy_weights",
    "finding",
    "known_criteria",
    "loss_makers",
    "profit_over_time",
    "scorecard",
    "sensitivity",
    "topsis",
    "value_matrix",
]
