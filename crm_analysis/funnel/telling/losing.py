"""Why two firms lose opportunities, as far as somebody recorded it."""

from __future__ import annotations

import pandas as pd

from crm_analysis.funnel.pipeline.losses import compare_lost_reasons, lost_reasons
from crm_analysis.funnel.telling.comparisons import Comparison


def reasons_of_loss(c: Comparison) -> pd.DataFrame | None:
    """Compare the reasons for which opportunities were lost since `c.since`; None where none are mapped.

    Returns
    -------
    DataFrame, index `reason`; n_reason_a, share_a (of the recorded ones; "(not recorded)": of all lost) and
    the same for b, difference (a - b) with low and high, p_holm. See `compare_lost_reasons`.
    """
    if not all("lost_reason" in pipeline.opportunities.columns for pipeline in c.pipelines):
        return None
    a, b = (lost_reasons(pipeline, since=c.since, until=c.until) for pipeline in c.pipelines)
    columns = ["n_a", "share_a", "n_b", "share_b", "difference", "low", "high", "p_holm"]
    found = compare_lost_reasons(a, b)[columns]
    return found.rename(columns={"n_a": "n_reason_a", "n_b": "n_reason_b"})
