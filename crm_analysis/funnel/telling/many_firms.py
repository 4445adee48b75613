"""More than two firms: each beside all the others together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from crm_analysis.funnel.comparing.several import compare_several
from crm_analysis.funnel.counting.stage_history import count_stages, count_wins
from crm_analysis.funnel.telling.comparisons import Comparison


def beside_others(ws: Any, c: Comparison, firms: Sequence[str]) -> pd.DataFrame | None:
    """Compare each of three or more firms with all the others; None for two.

    Parameters
    ----------
    firms : keys; the first two are those of `c`, whose period and window the others are given too.

    Returns
    -------
    DataFrame, index `firm`; n_entrants, value (wins per 1,000 entrants), value_others, gap with gap_low and
    gap_high, p_holm and largest (transition).
    """
    if len(firms) < 3:
        return None
    count = count_stages if c.stages_known else count_wins
    counts = dict(zip(c.names, c.counts, strict=True))
    for key in firms[2:]:
        pipeline = ws.pipeline(key, until=c.until)
        counts[ws.firm_name(key)] = count(
            pipeline, window=f"{c.counts[0].window_days} days", entered_from=c.since
        )
    columns = ["n_entrants", "value", "value_others", "gap", "gap_low", "gap_high", "p_holm", "largest"]
    return compare_several(counts).table[columns]
