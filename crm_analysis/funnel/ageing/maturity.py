"""How old opportunities must be before a rate of them can be judged."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crm_analysis.errors import DataError
from crm_analysis.funnel.ageing.cumulative import aalen_johansen, age_of_share, last_supported_age
from crm_analysis.funnel.ageing.ends import ages, count_ends

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline


def maturity_window(*pipelines: Pipeline, share: float = 0.95) -> str:
    """Age by which `share` of the wins that happen have happened, as a length: "214 days".

    For several pipelines the longest, so that all of them can be counted with one window.

    Raises
    ------
    DataError
        A pipeline has no win to learn the window from.
    """
    return f"{max(maturity_days(pipeline, share) for pipeline in pipelines)} days"


def maturity_days(pipeline: Pipeline, share: float = 0.95) -> int:
    """`maturity_window` of one pipeline as a number of days, at least 1."""
    ends, _ = count_ends(ages(pipeline))
    curve = aalen_johansen(ends["age_days"], outcome=ends["outcome"], n=ends["n"])
    days = age_of_share(curve, share=share, horizon_days=last_supported_age(curve))
    if math.isnan(days):
        raise DataError(
            "funnel: no opportunity was won, so the age at which they are won is unknown; give a window"
        )
    return max(int(days), 1)
