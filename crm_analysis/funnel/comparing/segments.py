"""Different customers or different selling: a gap between two firms by segment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.funnel.comparing.cells import BySegment, cells_of
from crm_analysis.funnel.comparing.choices import check_choices
from crm_analysis.funnel.comparing.gap import Cluster, Intervals
from crm_analysis.funnel.comparing.mix_spread import Ends
from crm_analysis.funnel.comparing.mixing import log_mean_parts, mix_parts
from crm_analysis.funnel.comparing.odds import OddsRatio
from crm_analysis.funnel.counting.counts import transitions

MOSTLY = 0.5
MIX = "Mix"


@dataclass(frozen=True, eq=False)
class Mix:
    """The gap a - b in wins per 1,000 entrants, as who is asked (mix) and how they answer (rate).

    table : index: segment; n_a, n_b (entrants), share_a, share_b (of the firm's entrants), rate_a, rate_b
        (won, of its entrants; missing where there are none), mix with mix_low and mix_high (centred on the
        firms' mean win rate), rate with rate_low and rate_high, each in `unit`; they add up to the totals.
    gap, mix, rate : totals with _low and _high; gap = mix + rate.
    parts : index `part`: "Mix", then each transition; contribution with low and high (Shapley over mix and
        all transitions' rates), log_mean (the same by the log-mean). Each adds up to the gap.
    odds_ratio : of winning, a over b within segments (Mantel-Haenszel), its interval allowing for clusters;
        chi2 and p are those of independent opportunities.
    reversal : the firm behind in total is ahead within segments: the signs of gap and rate differ, and the
        interval of the rate leaves out 0 or that of the odds ratio lies on the rate's side of 1.
    mix_driven : mix is more than half of the gap in size, and the gap's interval leaves out 0.
    by, unit, level, n_entrants, clusters : as asked for; entrants of a and of b; see `Gap`.
    """

    by: str
    table: pd.DataFrame
    gap: float
    gap_low: float
    gap_high: float
    mix: float
    mix_low: float
    mix_high: float
    rate: float
    rate_low: float
    rate_high: float
    parts: pd.DataFrame
    odds_ratio: OddsRatio
    unit: str
    level: float
    n_entrants: tuple[int, int]
    clusters: pd.DataFrame

    @property
    def is_clear(self) -> bool:
        """Whether the interval of the gap leaves out 0."""
        return self.gap_low > 0 or self.gap_high < 0

    @property
    def reversal(self) -> bool:
        """Whether the totals say the opposite of the segments (Simpson's paradox)."""
        if self.gap * self.rate >= 0:
            return False
        ratio = self.odds_ratio
        beside = ratio.low > 1 if self.rate > 0 else ratio.high < 1
        return self.rate_low > 0 or self.rate_high < 0 or beside

    @property
    def mix_driven(self) -> bool:
        """Whether most of a clear gap lies in who is asked."""
        return self.is_clear and abs(self.mix) > MOSTLY * abs(self.gap)


def mix(
    counts_a: BySegment,
    counts_b: BySegment,
    *,
    by: str = "segment",
    cluster: Cluster | None = "auto",
    intervals: Intervals = "delta",
    level: float = 0.95,
    n_draws: int = 2000,
    rng: np.random.Generator | None = None,
) -> Mix:
    """Gap in wins per 1,000 entrants, split into the mix of segments and the rates within them.

    Parameters
    ----------
    counts_a, counts_b : results of `count_stages` whose members have `by`; or counts from first stage to
        wins per segment. A segment without a name is "(missing)".
    by : column of the members: "segment", "source", "owner", ...
    cluster, intervals, level, n_draws, rng : as in `compare`; of the odds ratio by the delta method always.

    Raises
    ------
    ConfigError
        The counts do not know `by`, or have different stages.
    DataError
        A firm has no entrants.
    """
    check_choices(intervals=(intervals, ("delta", "bootstrap")))
    cells = cells_of(counts_a, counts_b, by=by, cluster=cluster)
    a, b = cells.a.reached, cells.b.reached
    parts, ends = mix_parts(a, b), Ends(cells.a, cells.b, level)
    rng = rng if rng is not None else np.random.default_rng(1)
    low, high = ends.by_delta() if intervals == "delta" else ends.drawn(n_draws, rng)
    n, segments = len(cells.segments), slice(3, 3 + 2 * len(cells.segments))
    table = _table(a, b, pd.Index(cells.segments, name=by))
    for place, name in enumerate(("mix", "rate")):
        table[name] = parts.by_segment[:, place]
        table[f"{name}_low"], table[f"{name}_high"] = (e[segments].reshape(2, n)[place] for e in (low, high))
    jointly = pd.DataFrame(
        {
            "contribution": parts.jointly,
            "low": low[3 + 2 * n :],
            "high": high[3 + 2 * n :],
            "log_mean": log_mean_parts(a, b),
        },
        index=pd.Index([MIX, *transitions(cells.stages)], name="part"),
    )
    return Mix(
        by=by,
        table=table,
        **{
            f"{name}{end}": float(values[place])
            for place, name in enumerate(("gap", "mix", "rate"))
            for end, values in (("", parts.total), ("_low", low), ("_high", high))
        },
        parts=jointly,
        odds_ratio=ends.odds_ratio(),
        unit="wins per 1,000 entrants",
        level=level,
        n_entrants=(int(a[:, 0].sum()), int(b[:, 0].sum())),
        clusters=cells.clusters,
    )


def _table(a: np.ndarray, b: np.ndarray, index: pd.Index) -> pd.DataFrame:
    columns: dict[str, np.ndarray] = {}
    for firm, counts in (("a", a), ("b", b)):
        n = counts[:, 0]
        rate = np.divide(counts[:, -1], n, out=np.full(len(n), np.nan), where=n > 0)
        columns |= {f"n_{firm}": n.astype(int), f"share_{firm}": n / n.sum(), f"rate_{firm}": rate}
    order = ["n_a", "n_b", "share_a", "share_b", "rate_a", "rate_b"]
    return pd.DataFrame({name: columns[name] for name in order}, index=index)
