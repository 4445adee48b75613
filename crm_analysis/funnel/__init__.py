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
from crm_analysis.funnel.split import log_mean_split, range_over_orders, shapley_split

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
    "log_mean_split",
    "maturity_window",
    "newcombe",
    "range_over_orders",
    "sample_size",
    "score_test",
    "shapley_split",
    "side_by_side",
    "smallest_visible_difference",
    "transitions",
    "wilson",
]
