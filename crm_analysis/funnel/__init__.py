"""Funnels: counts and rates by stage, the split of the gap between two firms, wins by age."""

from crm_analysis.funnel.compare import Gap, compare
from crm_analysis.funnel.count import (
    StageCounts,
    count_stages,
    count_wins,
    side_by_side,
    transitions,
)
from crm_analysis.funnel.finding import finding
from crm_analysis.funnel.incidence import (
    Incidence,
    Speed,
    aalen_johansen,
    compare_speed,
    incidence,
    maturity_window,
)
from crm_analysis.funnel.rates import (
    holm,
    newcombe,
    sample_size,
    score_test,
    smallest_visible_difference,
    wilson,
)

__all__ = [
    "Gap",
    "Incidence",
    "Speed",
    "StageCounts",
    "aalen_johansen",
    "compare",
    "compare_speed",
    "count_stages",
    "count_wins",
    "finding",
    "holm",
    "incidence",
    "maturity_window",
    "newcombe",
    "sample_size",
    "score_test",
    "side_by_side",
    "smallest_visible_difference",
    "transitions",
    "wilson",
]
