"""Why customers left, beside the shares that the course quotes.

The course names four reasons of firms in the United States, 1995 to 2000: service 68%, price 15%, product
12%, other 5%. The source gives no sample and no definition of a reason, so that nothing can be tested against
it: it stands beside a firm's own shares, and no p is computed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.rates import wilson

REFERENCE: Mapping[str, float] = {"Service": 0.68, "Price": 0.15, "Product": 0.12, "Other": 0.05}
CONTROLLABLE = ("Service", "Price", "Product")


@dataclass(frozen=True, eq=False)
class ChurnReasons:
    """Recorded reasons of leaving, the most frequent first, and how much is not recorded.

    table : index reason; n, share (of those with a reason) with low and high (Wilson), cumulative_share;
        value (of the customers who left for it), share_of_value; reference, and difference (share less
        reference), missing for a reason that the reference does not name.
    n_left : customers who left, as far as known; n_recorded of them with a reason; share_unrecorded
        (missing where nobody says how many left).
    controllable : the reasons that count as in the firm's hands; controllable_share (of those with a
        reason) with controllable_low and controllable_high; controllable_share_of_value.
    level : of the intervals. They take the recorded ones for a random part of those who left; if some reasons
        are noted more readily than others, no interval covers that.
    """

    table: pd.DataFrame
    n_left: int | None
    n_recorded: int
    share_unrecorded: float
    controllable: tuple[str, ...]
    controllable_share: float
    controllable_low: float
    controllable_high: float
    controllable_share_of_value: float
    level: float


def churn_reasons(
    reasons: pd.Series,
    *,
    n_left: int | None = None,
    value: pd.Series | None = None,
    controllable: Collection[str] = CONTROLLABLE,
    reference: Mapping[str, float] = REFERENCE,
    level: float = 0.95,
) -> ChurnReasons:
    """Reasons of leaving by number and by value, beside a reference.

    Parameters
    ----------
    reasons : one reason per customer who left, by customer_id; missing where it was not recorded.
    n_left : how many left in all, where more left than are listed; those listed where not given and some of
        them lack a reason, else not known.
    value : per customer (profit or revenue a year, say); customers without one are worth 0.
    controllable : reasons that the firm could have done something about.
    reference : share of each reason elsewhere.

    Raises
    ------
    DataError
        Nobody has a reason, a customer is there twice, or fewer left than have a reason.
    ConfigError
        A controllable reason is neither recorded nor in the reference.
    """
    _check(reasons, n_left, controllable, reference)
    known = reasons.dropna().astype(str)
    n = known.value_counts()
    worth = (
        pd.Series(np.nan, index=known.index)
        if value is None
        else value.set_axis(value.index.astype(str)).reindex(known.index.astype(str)).fillna(0.0)
    )
    by_value = pd.Series(worth.to_numpy(), index=known.to_numpy()).groupby(level=0).sum(min_count=1)
    table = _table(n, by_value, reference, level=level)
    mine = table.index.isin(list(controllable))
    k = int(table.loc[mine, "n"].sum())
    low, high = wilson(k, n=len(known), level=level)
    left = n_left if n_left is not None else (len(reasons) if len(reasons) > len(known) else None)
    return ChurnReasons(
        table=table,
        n_left=left,
        n_recorded=len(known),
        share_unrecorded=np.nan if left is None else 1 - len(known) / left,
        controllable=tuple(controllable),
        controllable_share=k / len(known),
        controllable_low=low,
        controllable_high=high,
        controllable_share_of_value=float(table.loc[mine, "share_of_value"].sum(min_count=1)),
        level=level,
    )


def churn_reason_table(reasons: pd.Series, *, by: pd.Series, level: float = 0.95) -> pd.DataFrame:
    """Reasons of leaving in each group of customers, as one tidy table, a row per group and reason.

    Parameters
    ----------
    reasons : as in `churn_reasons`.
    by : group of each customer, by customer_id; who has none is in "(missing)", the last one.

    Returns
    -------
    group, reason (in the order of all groups together), n, n_recorded (of the group, with any reason),
    n_unrecorded, share (of n_recorded; missing where that is 0) with low and high (Wilson). The groups add up
    to all.
    """
    whole = churn_reasons(reasons, level=level).table
    group = by.set_axis(by.index.astype(str)).reindex(reasons.index.astype(str)).astype(object)
    group = group.where(group.notna(), "(missing)").astype(str)
    names = sorted(set(group) - {"(missing)"}) + ["(missing)"] * bool((group == "(missing)").any())
    counts = pd.crosstab(group.to_numpy(), reasons.fillna("").astype(str).to_numpy())
    rows = [
        {"group": name, "reason": reason, "n": int(counts.get(reason, pd.Series(dtype=int)).get(name, 0))}
        for name in names
        for reason in whole.index
    ]
    table = pd.DataFrame(rows)
    totals = table.groupby("reason")["n"].sum().reindex(whole.index)
    assert (totals == whole["n"]).all(), "churn reasons: groups do not add up"
    recorded = table.groupby("group")["n"].transform("sum")
    ends = [wilson(k, n=n, level=level) for k, n in zip(table["n"], recorded, strict=True)]
    return table.assign(
        n_recorded=recorded,
        n_unrecorded=table["group"].map(group.value_counts()) - recorded,
        share=(table["n"] / recorded).where(recorded > 0),
        low=[low for low, _ in ends],
        high=[high for _, high in ends],
    )


def _check(
    reasons: pd.Series, n_left: int | None, controllable: Collection[str], reference: Mapping[str, float]
) -> None:
    if reasons.index.has_duplicates:
        twice = reasons.index[reasons.index.duplicated()][0]
        raise DataError(
            f"churn reasons: customer {twice!r} is there twice; one row per customer was expected"
        )
    recorded = set(reasons.dropna().astype(str))
    if not recorded:
        raise DataError(f"churn reasons: none of {len(reasons)} customers has a reason")
    if n_left is not None and n_left < reasons.notna().sum():
        raise DataError(f"churn reasons: {n_left} left, and {reasons.notna().sum()} of them have a reason")
    if unknown := sorted(set(controllable) - recorded - set(reference)):
        raise ConfigError(
            f"churn reasons: controllable {unknown[0]!r} is no reason; recorded: {sorted(recorded)}"
        )


def _table(
    n: pd.Series, by_value: pd.Series, reference: Mapping[str, float], *, level: float
) -> pd.DataFrame:
    """One row per reason that is recorded or in the reference, the most frequent first, then by name."""
    names = sorted({*n.index, *reference}, key=lambda name: (-int(n.get(name, 0)), name))
    table = pd.DataFrame({"n": n.reindex(names).fillna(0).astype(int)}).rename_axis("reason")
    total = int(table["n"].sum())
    ends = np.array([wilson(k, n=total, level=level) for k in table["n"]])
    worth = by_value.reindex(names).fillna(0.0) if by_value.notna().any() else by_value.reindex(names)
    beside = pd.Series(reference, dtype=float).reindex(names)
    all_worth = float(worth.sum(min_count=1))
    return table.assign(
        share=table["n"] / total,
        low=ends[:, 0],
        high=ends[:, 1],
        cumulative_share=table["n"].cumsum() / total,
        value=worth,
        share_of_value=worth / all_worth if all_worth > 0 else np.nan,
        reference=beside,
        difference=table["n"] / total - beside,
    )
