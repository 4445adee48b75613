"""More than two firms: each beside all the others together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError
from crm_analysis.funnel.comparing.basis import find_basis
from crm_analysis.funnel.comparing.choices import How, check_choices, check_stages
from crm_analysis.funnel.comparing.clusters import choose_clusters
from crm_analysis.funnel.comparing.firm import Firm, as_counts, firm_of, pooled
from crm_analysis.funnel.comparing.gap import Cluster, Counts, Gap, Intervals, Method, Per
from crm_analysis.funnel.comparing.two_firms import SPLITS, split_gap
from crm_analysis.rates import holm


@dataclass(frozen=True, eq=False)
class Several:
    """Each firm compared with the others pooled.

    table : index `firm`; n_entrants, value, value_others, gap (value - value_others) with gap_low, gap_high,
        p, p_holm (adjusted for the number of firms), largest (row that accounts for most of the gap), its
        contribution, share (missing where the gap's interval holds 0) and p_largest.
    gaps : per firm, its comparison in full; there, a is the firm and b the others.
    """

    table: pd.DataFrame
    gaps: dict[str, Gap]
    unit: str


def compare_several(
    firms: Mapping[str, Counts],
    *,
    per: Per = "1000 entrants",
    spends: Mapping[str, float] | None = None,
    spend_unit: float = 1.0,
    currency: str = "",
    method: Method = "log-mean",
    intervals: Intervals = "delta",
    cluster: Cluster | None = "auto",
    level: float = 0.95,
    n_draws: int = 2000,
    rng: np.random.Generator | None = None,
) -> Several:
    """Compare each of several firms with all others together.

    The reference of a firm is everybody but itself, so that both sides are independent; a large firm weighs
    more in it than a small one.

    Parameters
    ----------
    firms : counts by name of firm, three or more; as in `compare`, from which the other arguments are too.
    per : not None, since wins as counted of one firm and of all others cannot be compared.
    spends : money spent by each firm.

    Raises
    ------
    ConfigError
        Fewer than two firms, stages that differ, or a firm without its spend.
    DataError
        A firm has no entrants.
    """
    known = ("1000 entrants", "spend", "revenue")
    check_choices(
        per=(per, known), method=(method, tuple(SPLITS)), intervals=(intervals, ("delta", "bootstrap"))
    )
    if len(firms) < 2:
        raise ConfigError(f"funnel: {len(firms)} firms; expected two or more to compare")
    if spends is not None and set(spends) != set(firms):
        raise ConfigError(f"funnel: spends of {sorted(spends)}; expected those of {sorted(firms)}")
    counted = {name: as_counts(counts) for name, counts in firms.items()}
    first = next(iter(counted.values()))
    for counts in counted.values():
        check_stages(first, counts)
    every = {name: firm_of(counts) for name, counts in counted.items()}
    rng = rng if rng is not None else np.random.default_rng(1)
    gaps = {}
    for name, firm in every.items():
        others = _others(every, name)
        spent = None if spends is None else (spends[name], sum(spends.values()) - spends[name])
        basis = find_basis(
            firm,
            others,
            per=per,
            spends=spent or (None, None),
            deals=(None, None),
            spend_unit=spend_unit,
            currency=currency,
        )
        how = How(method, intervals, choose_clusters(firm, others, cluster), level, n_draws)
        gaps[name] = split_gap(firm, others, basis, how, rng)
    return Several(_table(gaps), gaps, next(iter(gaps.values())).unit)


def _others(every: Mapping[str, Firm], name: str) -> Firm:
    names = [other for other in every if other != name]
    return pooled([every[other] for other in names])


def _table(gaps: Mapping[str, Gap]) -> pd.DataFrame:
    rows = [
        {
            "n_entrants": gap.n_entrants[0],
            "value": gap.value_a,
            "value_others": gap.value_b,
            "gap": gap.gap,
            "gap_low": gap.gap_low,
            "gap_high": gap.gap_high,
            "p": gap.p_gap,
            "largest": gap.largest,
            "contribution": float(gap.contributions["contribution"][gap.largest]),
            "share": float(gap.contributions["share"][gap.largest]),
            "p_largest": float(gap.p_largest[gap.largest]),
        }
        for gap in gaps.values()
    ]
    table = pd.DataFrame(rows, index=pd.Index(list(gaps), name="firm"))
    table.insert(list(table).index("p") + 1, "p_holm", holm(table["p"].tolist()))
    return table
