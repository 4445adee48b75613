"""Different customers or different selling: a gap between two firms by segment."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel.comparing.clusters import choose_clusters, cluster_table, codes_of, usable
from crm_analysis.funnel.comparing.firm import Firm, as_counts, firm_of, judged_of
from crm_analysis.funnel.comparing.gap import Cluster
from crm_analysis.funnel.comparing.mixing import CellCounts, jacobian, mix_parts, variances
from crm_analysis.funnel.comparing.odds import OddsRatio, mantel_haenszel
from crm_analysis.funnel.comparing.two_firms import check_stages
from crm_analysis.funnel.counting.counts import MISSING, StageCounts, transitions
from crm_analysis.rates import pooled_degrees, t_quantile

MOSTLY = 0.5
MIX = "Mix"
BySegment = StageCounts | Mapping[str, Sequence[int]]


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
    level: float = 0.95,
) -> Mix:
    """Gap in wins per 1,000 entrants, split into the mix of segments and the rates within them.

    Parameters
    ----------
    counts_a, counts_b : results of `count_stages` whose members have `by`; or counts from first stage to
        wins per segment. A segment without a name is "(missing)".
    by : column of the members: "segment", "source", "owner", ...
    cluster, level : as in `compare`; intervals are by the delta method.

    Raises
    ------
    ConfigError
        The counts do not know `by`, or have different stages.
    DataError
        A firm has no entrants.
    """
    cells_a, cells_b, names, stages, clusters = _cells(counts_a, counts_b, by=by, cluster=cluster)
    parts = mix_parts(cells_a.reached, cells_b.reached)
    ends = _Ends(cells_a, cells_b, level)
    low, high = ends.of_parts(parts.flat)
    n, segments = len(names), slice(3, 3 + 2 * len(names))
    table = _table(cells_a.reached, cells_b.reached, pd.Index(names, name=by))
    for place, name in enumerate(("mix", "rate")):
        table[name] = parts.by_segment[:, place]
        table[f"{name}_low"], table[f"{name}_high"] = (e[segments].reshape(2, n)[place] for e in (low, high))
    jointly = pd.DataFrame(
        {
            "contribution": parts.jointly,
            "low": low[3 + 2 * n :],
            "high": high[3 + 2 * n :],
            "log_mean": parts.log_mean,
        },
        index=pd.Index([MIX, *transitions(stages)], name="part"),
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
        n_entrants=(int(cells_a.reached[:, 0].sum()), int(cells_b.reached[:, 0].sum())),
        clusters=clusters,
    )


@dataclass(frozen=True, eq=False)
class _Ends:
    """Intervals of what two firms' counts by segment give."""

    a: CellCounts
    b: CellCounts
    level: float

    def half(self, jacobians: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        found = [variances(cells, j) for cells, j in zip((self.a, self.b), jacobians, strict=True)]
        dfs = [df for _, df in found]
        pairs = zip(*(variance for variance, _ in found), strict=True)
        return np.array(
            [t_quantile(self.level, df=pooled_degrees(pair, dfs)) * math.sqrt(sum(pair)) for pair in pairs]
        )

    def of_parts(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        half = self.half(jacobian(lambda x, y: mix_parts(x, y).flat, self.a.smoothed(), self.b.smoothed()))
        return values - half, values + half

    def odds_ratio(self) -> OddsRatio:
        (n_a, k_a), (n_b, k_b) = ((c.reached[:, 0], c.reached[:, -1]) for c in (self.a, self.b))
        found = mantel_haenszel(k_a, n_a, k_b=k_b, n_b=n_b, level=self.level)
        if not (self.a.clusters or self.b.clusters) or not 0 < found.low < found.high < math.inf:
            return found
        smoothed = self.a.smoothed(), self.b.smoothed()
        half = float(self.half(jacobian(_log_odds_ratio, *smoothed))[0])
        half = max(half, math.log(found.high / found.ratio))
        return replace(found, low=found.ratio * math.exp(-half), high=found.ratio * math.exp(half))


def _log_odds_ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Logarithm of the common odds ratio, of counts (..., S, K + 1); shape (..., 1)."""
    n_a, k_a, n_b, k_b = a[..., 0], a[..., -1], b[..., 0], b[..., -1]
    total = np.maximum(n_a + n_b, 1e-9)
    for_a, for_b = k_a * (n_b - k_b) / total, (n_a - k_a) * k_b / total
    return np.log(for_a.sum(axis=-1) / for_b.sum(axis=-1))[..., None]


def _table(a: np.ndarray, b: np.ndarray, index: pd.Index) -> pd.DataFrame:
    columns: dict[str, np.ndarray] = {}
    for firm, counts in (("a", a), ("b", b)):
        n = counts[:, 0]
        rate = np.divide(counts[:, -1], n, out=np.full(len(n), np.nan), where=n > 0)
        columns |= {f"n_{firm}": n.astype(int), f"share_{firm}": n / n.sum(), f"rate_{firm}": rate}
    order = ["n_a", "n_b", "share_a", "share_b", "rate_a", "rate_b"]
    return pd.DataFrame({name: columns[name] for name in order}, index=index)


def _cells(
    counts_a: BySegment, counts_b: BySegment, *, by: str, cluster: Cluster | None
) -> tuple[CellCounts, CellCounts, list[str], tuple[str, ...], pd.DataFrame]:
    """Counts of both firms by segment and cluster, names of segments and stages, table of clusters."""
    if isinstance(counts_a, StageCounts) and isinstance(counts_b, StageCounts):
        check_stages(counts_a, counts_b)
        firms = firm_of(counts_a), firm_of(counts_b)
        groups = [counts.groups(by)[judged_of(counts)] for counts in (counts_a, counts_b)]
        names = _in_order(set(groups[0]) | set(groups[1]))
        chosen = choose_clusters(*firms, cluster)
        cells = [_by_cluster(f, g.to_numpy(), names, chosen) for f, g in zip(firms, groups, strict=True)]
        return cells[0], cells[1], names, counts_a.stages, cluster_table(*firms, chosen)
    if isinstance(counts_a, StageCounts) or isinstance(counts_b, StageCounts):
        raise ConfigError("funnel: mix needs both firms counted, or both as counts per segment")
    names = list(dict.fromkeys([*counts_a, *counts_b]))
    tables = [
        {name: as_counts(list(part)).counts for name, part in firm.items()} for firm in (counts_a, counts_b)
    ]
    lengths = {len(part) for table in tables for part in table.values()}
    if len(lengths) != 1:
        raise ConfigError(f"funnel: segments have {sorted(lengths)} stages; expected the same number in each")
    nothing = [0] * lengths.pop()
    cells = [CellCounts(np.array([t.get(name, nothing) for name in names], dtype=float)) for t in tables]
    if empty := [firm for firm, c in zip("ab", cells, strict=True) if not c.reached[:, 0].sum()]:
        raise DataError(f"funnel: firm {' and '.join(empty)} has no entrants, so there is nothing to compare")
    stages = tuple(f"Stage {k + 1}" for k in range(len(nothing)))
    return cells[0], cells[1], names, stages, pd.DataFrame(columns=["n_a", "n_b", "largest_a", "largest_b"])


def _in_order(names: set[str]) -> list[str]:
    """Segments by name, the one without a name last."""
    return sorted(names - {MISSING}) + [MISSING] * (MISSING in names)


def _by_cluster(firm: Firm, segments: np.ndarray, names: Sequence[str], chosen: Sequence[str]) -> CellCounts:
    assert firm.reach is not None
    place = pd.Index(names).get_indexer(pd.Index(segments))
    everybody = _sums(firm, place, np.zeros(len(place), dtype=int), len(names))
    ways = [codes_of(labels) for c in chosen if usable(firm, c) and (labels := firm.labels(c)) is not None]
    return CellCounts(everybody[0], tuple(_sums(firm, place, codes, len(names)) for codes in ways))


def _sums(firm: Firm, place: np.ndarray, codes: np.ndarray, n_segments: int) -> np.ndarray:
    """Opportunities by cluster, segment and stage reached; shape (G, S, K + 1)."""
    assert firm.reach is not None
    n_stages, n_codes = len(firm.stages), int(codes.max()) + 1
    cell = (codes * n_segments + place) * n_stages + firm.reach
    ended = np.bincount(cell, minlength=n_codes * n_segments * n_stages).reshape(
        n_codes, n_segments, n_stages
    )
    return ended[..., ::-1].cumsum(axis=-1)[..., ::-1].astype(float)
