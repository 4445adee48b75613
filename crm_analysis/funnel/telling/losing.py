"""Why two firms lose opportunities, as far as somebody recorded it."""

from __future__ import annotations

import pandas as pd

from crm_analysis.funnel.pipeline.losses import compare_lost_reasons, lost_reasons
from crm_analysis.funnel.telling.comparisons import Comparison


def reasons_of_loss(c: Comparison) -> pd.DataFrame | None:
    """Compare the reasons for which opportunities were lost since `c.since`; None where none are mapped.

    Returns
    -------
    DataFrame as `compare_lost_reasons`, without its z and its plain p.
    """
    if not all("lost_reason" in pipeline.opportunities.columns for pipeline in c.pipelines):
        return None
    a, b = (lost_reasons(pipeline, since=c.since, until=c.until) for pipeline in c.pipelines)
    columns = ["n_a", "share_a", "n_b", "share_b", "difference", "low", "high", "p_holm"]
    return compare_lost_reasons(a, b)[columns]
