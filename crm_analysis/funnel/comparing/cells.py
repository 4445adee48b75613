"""Opportunities of two firms by segment, by how far they came and, where known, by owner or account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel.comparing.choices import check_stages
from crm_analysis.funnel.comparing.clusters import choose_clusters, cluster_table, codes_of, usable
from crm_analysis.funnel.comparing.firm import Firm, as_counts, firm_of, judged_of
from crm_analysis.funnel.comparing.gap import Cluster
from crm_analysis.funnel.counting.counts import MISSING, StageCounts

BySegment = StageCounts | Mapping[str, Sequence[int]]


@dataclass(frozen=True, eq=False)
class CellCounts:
    """One firm's counts by segment, and by cluster where known.

    reached : opportunities by segment that reached each stage, shape (S, K + 1).
    clusters : per way of clustering, opportunities by cluster, segment and stage; shape (G, S, K + 1).
    """

    reached: np.ndarray
    clusters: tuple[np.ndarray, ...] = ()

    def ended(self) -> np.ndarray:
        """Opportunities by segment whose furthest stage is each one; shape (S, K + 1)."""
        return -np.diff(self.reached, axis=1, append=0)

    def smoothed(self) -> np.ndarray:
        """Like `reached`, half an opportunity more wherever a segment that is there has none that ended."""
        ended = self.ended()
        there = self.reached[:, :1] > 0
        return np.where((ended == 0) & there, 0.5, ended)[:, ::-1].cumsum(axis=1)[:, ::-1]


@dataclass(frozen=True, eq=False)
class Cells:
    """Counts of both firms by segment, the names of segments and stages, and the table of clusters."""

    a: CellCounts
    b: CellCounts
    segments: list[str]
    stages: tuple[str, ...]
    clusters: pd.DataFrame


def cells_of(counts_a: BySegment, counts_b: BySegment, *, by: str, cluster: Cluster | None) -> Cells:
    """Count both firms by segment; see `mix`."""
    if isinstance(counts_a, StageCounts) and isinstance(counts_b, StageCounts):
        check_stages(counts_a, counts_b)
        firms = firm_of(counts_a), firm_of(counts_b)
        groups = [counts.groups(by)[judged_of(counts)] for counts in (counts_a, counts_b)]
        names = _in_order(set(groups[0]) | set(groups[1]))
        chosen = choose_clusters(*firms, cluster)
        cells = [_by_cluster(f, g.to_numpy(), names, chosen) for f, g in zip(firms, groups, strict=True)]
        return Cells(cells[0], cells[1], names, counts_a.stages, cluster_table(*firms, chosen))
    if isinstance(counts_a, StageCounts) or isinstance(counts_b, StageCounts):
        raise ConfigError("funnel: mix needs both firms counted, or both as counts per segment")
    return _plain(counts_a, counts_b)


def _plain(counts_a: Mapping[str, Sequence[int]], counts_b: Mapping[str, Sequence[int]]) -> Cells:
    """Counts that were given per segment."""
    names = list(dict.fromkeys([*counts_a, *counts_b]))
    firms = [{name: as_counts(list(f[name])).counts for name in f} for f in (counts_a, counts_b)]
    lengths = {len(part) for firm in firms for part in firm.values()}
    if len(lengths) != 1:
        raise ConfigError(f"funnel: segments have {sorted(lengths)} stages; expected the same number in each")
    nothing = [0] * lengths.pop()
    cells = [CellCounts(np.array([f.get(name, nothing) for name in names], dtype=float)) for f in firms]
    if empty := [firm for firm, c in zip("ab", cells, strict=True) if not c.reached[:, 0].sum()]:
        raise DataError(f"funnel: firm {' and '.join(empty)} has no entrants, so there is nothing to compare")
    stages = tuple(f"Stage {k + 1}" for k in range(len(nothing)))
    columns = ["n_a", "n_b", "largest_a", "largest_b"]
    return Cells(
        cells[0], cells[1], names, stages, pd.DataFrame(columns=columns, index=pd.Index([], name="cluster"))
    )


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


def draw_counts(counts: CellCounts, way: int, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Counts of firms drawn anew, shape (n_draws, S, K + 1): opportunities, or clusters of way 1, 2, ...

    A firm without such clusters has its opportunities drawn.
    """
    if not 0 < way <= len(counts.clusters):
        ended = counts.ended()
        drawn = rng.multinomial(int(ended.sum()), ended.ravel() / ended.sum(), n_draws)
        return drawn.reshape(n_draws, *ended.shape)[..., ::-1].cumsum(axis=-1)[..., ::-1].astype(float)
    sums = counts.clusters[way - 1]
    times = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), n_draws)
    return (times @ sums.reshape(len(sums), -1)).reshape(n_draws, *sums.shape[1:])
