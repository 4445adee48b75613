"""Whether a finding hangs on one owner, or on a few large deals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError
from crm_analysis.funnel.comparing.basis import DEAL_VALUE, Basis, find_basis, mean_deals
from crm_analysis.funnel.comparing.choices import check_choices, check_stages
from crm_analysis.funnel.comparing.clusters import choose_clusters
from crm_analysis.funnel.comparing.firm import Firm, as_counts, firm_of
from crm_analysis.funnel.comparing.gap import Cluster, Counts, Method, Per, largest_part
from crm_analysis.funnel.comparing.intervals import delta
from crm_analysis.funnel.comparing.sides import find_sides
from crm_analysis.funnel.comparing.two_firms import SPLITS
from crm_analysis.funnel.counting.counts import transitions


@dataclass(frozen=True, eq=False)
class Robustness:
    """A comparison made again without each owner, and without the largest deals.

    largest : row with the largest contribution in the direction of the gap, when nothing is left out.
    gap, share : the gap then, and that row's share of it (missing where the gap's interval holds 0).
    table : a row for each comparison; left_out ("owner" or "largest deals"), firm ("a" or "b"), name (of the
        owner; or how many of the largest deals), n_left_out (opportunities), gap, gap_low, gap_high, largest
        (row), contribution (of that row), share (of `largest`, as above), same (the same row is the largest,
        the gap has the same sign, and is as clear as with everybody).
    irreplaceable : (firm, owner) who cannot be left out, since nothing would remain.
    """

    largest: str
    gap: float
    share: float
    table: pd.DataFrame
    irreplaceable: tuple[tuple[str, str], ...]

    @property
    def holds(self) -> bool:
        """Whether every comparison names the same row, and somebody could be left out."""
        return bool(len(self.table)) and bool(self.table["same"].all()) and not self.irreplaceable

    @property
    def shares(self) -> tuple[float, float]:
        """Smallest and largest share of the row that is largest with everybody; missing where none is."""
        return float(self.table["share"].min()), float(self.table["share"].max())

    def __str__(self) -> str:
        """One line."""
        n, same = len(self.table), int(self.table["same"].sum()) if len(self.table) else 0
        low, high = self.shares
        share = f"; its share lies between {low:.0%} and {high:.0%}" if low == low else ""
        none = "".join(f"; firm {firm} has one owner only" for firm, _ in self.irreplaceable)
        return (
            f"{self.largest} is the largest in {same} of {n} comparisons with somebody left out{share}{none}"
        )


def leave_out(
    counts_a: Counts,
    counts_b: Counts,
    *,
    per: Per | None = "1000 entrants",
    spend_a: float | None = None,
    spend_b: float | None = None,
    spend_unit: float = 1.0,
    currency: str = "",
    method: Method = "log-mean",
    cluster: Cluster | None = "auto",
    level: float = 0.95,
    n_deals: int = 3,
) -> Robustness:
    """Compare two firms again without each owner in turn and, for revenue, without the largest deals.

    The number of leads, or of leads per unit of spend, stays what it is: somebody else would have had them.

    Parameters
    ----------
    counts_a, counts_b : results of `count_stages`, with owners or, for revenue, with amounts.
    per, spend_a, spend_b, spend_unit, currency, method, cluster, level : as in `compare`.
    n_deals : for revenue, how many of a firm's largest won deals to leave out: the largest, the two
        largest, ...

    Raises
    ------
    ConfigError
        The counts know neither owners nor, for revenue, amounts.
    """
    check_choices(per=(per, (None, "1000 entrants", "spend", "revenue")), method=(method, tuple(SPLITS)))
    a, b = (as_counts(counts) for counts in (counts_a, counts_b))
    check_stages(a, b)
    firms, spends = (firm_of(a), firm_of(b)), (spend_a, spend_b)
    basis = find_basis(
        *firms, per=per, spends=spends, deals=(None, None), spend_unit=spend_unit, currency=currency
    )
    again = _Again(firms, basis, choose_clusters(*firms, cluster), method, level)
    asked = [*_owners(firms), *(_largest_deals(firms, n_deals) if basis.deals else [])]
    if not asked:
        raise ConfigError(
            "funnel: the counts know no owners, so none can be left out; map owner in the pipeline"
        )
    everybody = again.split(*firms)
    found = [again.without(left, everybody) for left in asked if left.kept.any()]
    return Robustness(
        largest=everybody.largest,
        gap=everybody.gap,
        share=everybody.shares[everybody.largest],
        table=pd.DataFrame(found, columns=COLUMNS).astype({"same": bool}),
        irreplaceable=tuple(("ab"[left.firm], left.name) for left in asked if not left.kept.any()),
    )


COLUMNS = ["left_out", "firm", "name", "n_left_out", "gap", "gap_low", "gap_high"]
COLUMNS += ["largest", "contribution", "share", "same"]


@dataclass(frozen=True, eq=False)
class _Left:
    """Who is left out of which firm (0 or 1), and which of its judged opportunities remain."""

    what: str
    firm: int
    name: str
    kept: np.ndarray


@dataclass(frozen=True, eq=False)
class _Split:
    """A gap with its interval, its contributions, and their shares where it is clear."""

    gap: float
    low: float
    high: float
    contributions: pd.Series

    @property
    def clear(self) -> bool:
        return self.low > 0 or self.high < 0

    @property
    def largest(self) -> str:
        return largest_part(self.contributions, self.gap)

    @property
    def shares(self) -> pd.Series:
        return self.contributions / (self.contributions.sum() if self.clear else math.nan)


@dataclass(frozen=True, eq=False)
class _Again:
    """How to compare once more, with leads as they were."""

    firms: tuple[Firm, Firm]
    basis: Basis
    clusters: tuple[str, ...]
    method: Method
    level: float

    def split(self, a: Firm, b: Firm) -> _Split:
        deals = mean_deals(a, b, (None, None)) if self.basis.deals else None
        sides = find_sides(a, b, replace(self.basis, deals=deals), self.clusters)
        parts = delta(SPLITS[self.method], *sides, level=self.level)
        low, high = parts.ends(np.ones(len(parts.values)))
        names = [self.basis.label, *transitions(a.stages), *([DEAL_VALUE] if deals else [])]
        return _Split(float(parts.values.sum()), low, high, pd.Series(parts.values, index=names))

    def without(self, left: _Left, everybody: _Split) -> dict[str, Any]:
        firms = [f.take(left.kept) if i == left.firm else f for i, f in enumerate(self.firms)]
        found = self.split(*firms)
        same = found.largest == everybody.largest and found.clear == everybody.clear
        return {
            "left_out": left.what,
            "firm": "ab"[left.firm],
            "name": left.name,
            "n_left_out": int((~left.kept).sum()),
            "gap": found.gap,
            "gap_low": found.low,
            "gap_high": found.high,
            "largest": found.largest,
            "contribution": float(found.contributions[found.largest]),
            "share": float(found.shares[everybody.largest]),
            "same": same and np.sign(found.gap) == np.sign(everybody.gap),
        }


def _owners(firms: tuple[Firm, Firm]) -> list[_Left]:
    """Each owner of each firm, by name."""
    return [
        _Left("owner", i, firm.owners[number], firm.owner != number)
        for i, firm in enumerate(firms)
        if firm.owner is not None
        for number in np.argsort(firm.owners)
    ]


def _largest_deals(firms: tuple[Firm, Firm], n_deals: int) -> list[_Left]:
    """Each firm's largest won deal, its two largest, ..."""
    left = []
    for i, firm in enumerate(firms):
        if firm.amount is None:
            continue
        order = np.argsort(-np.where(np.isnan(firm.amount), -np.inf, firm.amount), kind="stable")
        for n in range(1, min(n_deals, int((~np.isnan(firm.amount)).sum())) + 1):
            kept = np.ones(len(order), dtype=bool)
            kept[order[:n]] = False
            left.append(_Left("largest deals", i, str(n), kept))
    return left
