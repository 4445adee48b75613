"""Which customers to invest in: scorecards, the value matrix, allocation of capacity."""

from crm_analysis.selection.allocate import allocate, candidates, capacity_used
from crm_analysis.selection.criteria import DIRECTIONS, customer_facts, discount_share, known_criteria
from crm_analysis.selection.matrix import ACTIONS, ValueMatrix, value_matrix
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
    "comparison_matrix",
    "customer_facts",
    "discount_share",
    "entropy_weights",
    "known_criteria",
    "scorecard",
    "sensitivity",
    "topsis",
    "value_matrix",
]
