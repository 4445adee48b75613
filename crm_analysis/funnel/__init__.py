"""Funnels: counts and rates by stage, the split of the gap between two firms, wins by age.

Names are found when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_analysis.funnel.ageing.by_age import (
        Incidence,
        incidence,
    )
    from crm_analysis.funnel.ageing.cumulative import (
        aalen_johansen,
    )
    from crm_analysis.funnel.ageing.gray import (
        GrayTest,
        gray_test,
    )
    from crm_analysis.funnel.ageing.maturity import (
        maturity_window,
    )
    from crm_analysis.funnel.ageing.speeds import (
        Speed,
        compare_speed,
    )
    from crm_analysis.funnel.ageing.waits import (
        days_to_win,
    )
    from crm_analysis.funnel.comparing.gaps import (
        Gap,
        compare,
    )
    from crm_analysis.funnel.counting.breakdowns import (
        attribute,
        breakdown_table,
        cohort_table,
    )
    from crm_analysis.funnel.counting.counts import (
        StageCounts,
        side_by_side,
        transitions,
    )
    from crm_analysis.funnel.counting.merging import (
        merge_stages,
    )
    from crm_analysis.funnel.counting.stage_history import (
        count_stages,
        count_wins,
    )
    from crm_analysis.funnel.telling.findings import (
        finding,
    )
    from crm_analysis.rates import (
        holm,
        newcombe,
        sample_size,
        score_test,
        smallest_visible_difference,
        wilson,
    )

_HOMES = {
    "Gap": "funnel.comparing.gaps",
    "GrayTest": "funnel.ageing.gray",
    "Incidence": "funnel.ageing.by_age",
    "Speed": "funnel.ageing.speeds",
    "StageCounts": "funnel.counting.counts",
    "aalen_johansen": "funnel.ageing.cumulative",
    "attribute": "funnel.counting.breakdowns",
    "breakdown_table": "funnel.counting.breakdowns",
    "cohort_table": "funnel.counting.breakdowns",
    "compare": "funnel.comparing.gaps",
    "compare_speed": "funnel.ageing.speeds",
    "count_stages": "funnel.counting.stage_history",
    "count_wins": "funnel.counting.stage_history",
    "days_to_win": "funnel.ageing.waits",
    "finding": "funnel.telling.findings",
    "gray_test": "funnel.ageing.gray",
    "holm": "rates",
    "incidence": "funnel.ageing.by_age",
    "maturity_window": "funnel.ageing.maturity",
    "merge_stages": "funnel.counting.merging",
    "newcombe": "rates",
    "sample_size": "rates",
    "score_test": "rates",
    "side_by_side": "funnel.counting.counts",
    "smallest_visible_difference": "rates",
    "transitions": "funnel.counting.counts",
    "wilson": "rates",
}

__all__ = [
    "Gap",
    "GrayTest",
    "Incidence",
    "Speed",
    "StageCounts",
    "aalen_johansen",
    "attribute",
    "breakdown_table",
    "cohort_table",
    "compare",
    "compare_speed",
    "count_stages",
    "count_wins",
    "days_to_win",
    "finding",
    "gray_test",
    "holm",
    "incidence",
    "maturity_window",
    "merge_stages",
    "newcombe",
    "sample_size",
    "score_test",
    "side_by_side",
    "smallest_visible_difference",
    "transitions",
    "wilson",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"crm_analysis.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {__all__}")


def __dir__() -> list[str]:
    return __all__
