"""How long the steps of a funnel of events took those who made them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError
from crm_analysis.funnel.counting.counts import StageCounts


def step_times(
    counts: StageCounts,
    *,
    since: Literal["previous step", "first step"] = "previous step",
    percentiles: Sequence[float] = (0.25, 0.75, 0.9),
) -> pd.DataFrame:
    """Seconds into each step, of the judged entities that made it.

    The times are those of the chain by which an entity first came to its furthest step: what it tried before
    and after does not change them. Who is still on the way is in no row of a step not made, so that slow
    steps look faster than they are where the window is short; the funnel's `incidence` is for that.

    Parameters
    ----------
    counts : from `count_events`, or one of its groups.
    since : from the step made before (an optional one left out is no step before), or from the first.
    percentiles : shares below 1, each a column "p25", "p75", "p90".

    Returns
    -------
    DataFrame, index `stage`, without the first: n, mean, median, the percentiles, shortest, longest; missing
    where n is 0. Percentiles between two values are interpolated.

    Raises
    ------
    ConfigError
        The counts are not of events, or an argument is misspelt.
    """
    if since not in ("previous step", "first step"):
        raise ConfigError(f"funnel: since {since!r}; expected 'previous step' or 'first step'")
    if any(not 0 < share < 1 for share in percentiles):
        raise ConfigError(f"funnel: percentiles {list(percentiles)}; expected shares between 0 and 1")
    members = counts.known_members()
    if "at_0" not in members:
        raise ConfigError("funnel: times between steps are known of events only (count_events)")
    judged = members[members["judged"]]
    at = judged[[f"at_{k}" for k in range(len(counts.stages))]]
    start = at["at_0"].to_frame() if since == "first step" else at.ffill(axis=1)
    rows = []
    for k in range(1, len(counts.stages)):
        before = start["at_0"] if since == "first step" else start[f"at_{k - 1}"]
        rows.append(_summary((at[f"at_{k}"] - before).dropna(), percentiles))
    return pd.DataFrame(rows, index=pd.Index(counts.stages[1:], name="stage"))


def _summary(lengths: pd.Series, percentiles: Sequence[float]) -> dict[str, Any]:
    """Whole microseconds are added up exactly, whatever the order of the rows."""
    n = len(lengths)
    microseconds = lengths.to_numpy("timedelta64[us]").astype(np.int64)
    seconds = microseconds / 1e6
    shares = {f"p{round(100 * share)}": share for share in percentiles}
    return {
        "n": n,
        "mean": int(microseconds.sum()) / n / 1e6 if n else np.nan,
        "median": np.median(seconds) if n else np.nan,
        **{name: np.quantile(seconds, share) if n else np.nan for name, share in shares.items()},
        "shortest": seconds.min() if n else np.nan,
        "longest": seconds.max() if n else np.nan,
    }
