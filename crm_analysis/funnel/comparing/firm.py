"""One firm's opportunities as a comparison needs them: how far each came, its amount, and whose it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from crm_analysis.errors import DataError
from crm_analysis.funnel.comparing.gap import Counts
from crm_analysis.funnel.counting.counts import StageCounts
from crm_analysis.funnel.counting.stage_history import count_stages

CLUSTERS = ("owner", "account_id")


@dataclass(frozen=True, eq=False)
class Firm:
    """Counts of a firm and, where they came from a pipeline, the opportunities behind them.

    counts : opportunities that entered each stage, shape (K + 1,).
    n_entrants : opportunities created in the period, the ones too young to judge included.
    deal_values : amounts of won opportunities.
    reach : number of the furthest stage of each judged opportunity, shape (n,); None for plain counts.
    amount : of each won opportunity with an amount, else NaN; shape (n,).
    owner, account_id : whose each one is, as a number, -1 where not known; shape (n,), or None.
    owners : names of the owners, by their number.
    """

    stages: tuple[str, ...]
    counts: np.ndarray
    n_entrants: int
    deal_values: np.ndarray
    window_days: int | None = None
    reach: np.ndarray | None = None
    amount: np.ndarray | None = None
    owner: np.ndarray | None = None
    account_id: np.ndarray | None = None
    owners: tuple[str, ...] = ()

    def labels(self, cluster: str) -> np.ndarray | None:
        """Numbers of "owner" or "account_id"."""
        return self.owner if cluster == "owner" else self.account_id

    def take(self, chosen: np.ndarray) -> Firm:
        """Return the firm with some of its judged opportunities; those too young to judge stay."""
        assert self.reach is not None
        assert self.amount is not None
        reach, amount = self.reach[chosen], self.amount[chosen]
        return replace(
            self,
            counts=_counts(reach, len(self.stages)),
            n_entrants=self.n_entrants - int(len(self.reach) - len(reach)),
            deal_values=amount[~np.isnan(amount)],
            reach=reach,
            amount=amount,
            owner=None if self.owner is None else self.owner[chosen],
            account_id=None if self.account_id is None else self.account_id[chosen],
        )


def as_counts(counts: Counts, stages: Sequence[str] | None = None) -> StageCounts:
    """Plain counts as counted ones."""
    return counts if isinstance(counts, StageCounts) else count_stages(counts, stages=stages)


def firm_of(counts: StageCounts) -> Firm:
    """Return what a comparison needs of counts; the opportunities behind them must be the counted ones."""
    totals = np.asarray(counts.counts, dtype=float)
    bare = Firm(
        stages=counts.stages,
        counts=totals,
        n_entrants=counts.n_entrants,
        deal_values=counts.deal_values.to_numpy(float),
        window_days=counts.window_days,
    )
    if counts.members is None:
        return bare
    judged = counts.members[judged_of(counts)]
    reach = judged["furthest"].to_numpy(int)
    if not np.array_equal(_counts(reach, len(counts.stages)), totals):
        raise DataError("funnel: the opportunities behind the counts are not those counted; count them again")
    owner, owners = _numbered(judged, "owner")
    return replace(
        bare,
        reach=reach,
        amount=counts.deal_values.reindex(judged.index).to_numpy(float),
        owner=owner,
        account_id=_numbered(judged, "account_id")[0],
        owners=owners,
    )


def judged_of(counts: StageCounts) -> pd.Series:
    """Whether each member is in the counts: old enough to judge, and counted in the first stage."""
    members = counts.known_members()
    return members["judged"] & (members["furthest"] >= 0)


def pooled(firms: Sequence[Firm]) -> Firm:
    """Several firms as one; owners and accounts of different firms stay different ones."""
    return Firm(
        stages=firms[0].stages,
        counts=np.sum([firm.counts for firm in firms], axis=0),
        n_entrants=sum(firm.n_entrants for firm in firms),
        deal_values=np.concatenate([firm.deal_values for firm in firms]),
        window_days=firms[0].window_days,
        reach=_joined([firm.reach for firm in firms]),
        amount=_joined([firm.amount for firm in firms]),
        owner=_joined(_apart(firms, "owner")),
        account_id=_joined(_apart(firms, "account_id")),
        owners=tuple(name for firm in firms for name in firm.owners),
    )


def _apart(firms: Sequence[Firm], cluster: str) -> list[np.ndarray | None]:
    """Numbers of the clusters of each firm, higher than those of the firms before."""
    found: list[np.ndarray | None] = []
    start = 0
    for firm in firms:
        numbers = firm.labels(cluster)
        if numbers is None:
            found.append(None if firm.reach is None else np.full(len(firm.reach), -1))
            continue
        found.append(np.where(numbers >= 0, numbers + start, -1))
        start += int(numbers.max(initial=-1)) + 1
    return found


def _counts(reach: np.ndarray, n_stages: int) -> np.ndarray:
    reached = np.bincount(reach, minlength=n_stages).astype(float)
    return reached[::-1].cumsum()[::-1]


def _numbered(members: pd.DataFrame, name: str) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Number of each member's value, and the values; an empty text is none."""
    if name not in members:
        return None, ()
    values = members[name].astype(object)
    numbers, names = pd.factorize(values.where(values != "", None))
    return numbers.astype(int), tuple(str(name) for name in names)


def _joined(arrays: list[np.ndarray | None]) -> np.ndarray | None:
    there = [array for array in arrays if array is not None]
    if len(there) < len(arrays):
        return None
    return np.concatenate(there)
