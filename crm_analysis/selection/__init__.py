"""Which customers to invest in: scorecards, the value matrix, allocation of capacity."""

from crm_analysis.selection.allocate import allocate
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
    "Ahp",
    "Scorecard",
    "ValueMatrix",
    "ahp",
    "allocate",
    "comparison_matrix",
    "entropy_weights",
    "scorecard",
    "sensitivity",
    "topsis",
    "value_matrix",
]
