"""Which products belong to which groups of customers: the affinity index."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crm_analysis.errors import DataError
from crm_analysis.rates import holm, newcombe, score_test, wilson


def affinity(bought: pd.DataFrame, groups: pd.Series, *, level: float = 0.95) -> pd.DataFrame:
    """How much more often a group buys each item than the customers of the other groups do.

    Parameters
    ----------
    bought : booleans, one row per customer (index customer_id), one column per item: the table of
        `read_baskets(log, level="customer")`.
    groups : customer_id (index) -> group; customers without one are left out.

    Returns
    -------
    DataFrame, index (item, group): n_customers (of the group), n_buyers, share (of the group's customers, who
    buy it), low, high (Wilson), share_of_others (of all other customers), affinity (share / share of all
    customers x 100; 100 is average), difference, difference_low, difference_high (share less share_of_others,
    Newcombe), p_holm (score test of that difference; all rows are one family).

    Raises
    ------
    DataError
        No customer has a group.
    """
    label = pd.Series(groups.reindex(bought.index).to_numpy(), bought.index).dropna()
    if label.empty:
        raise DataError(f"affinity: none of the {len(bought)} customers has a group; compare the ids")
    table = bought.loc[label.index]
    n, k = label.value_counts().sort_index(), table.groupby(label).sum()
    rows = [
        _row(
            str(item),
            str(group),
            int(k.loc[group, item]),
            int(n[group]),
            int(k[item].sum()),
            len(table),
            level,
        )
        for item in table.columns
        for group in n.index
    ]
    frame = pd.DataFrame(rows).set_index(["item", "group"])
    return frame.assign(p_holm=holm(list(frame.pop("p"))))


def _row(item: str, group: str, k: int, n: int, k_all: int, n_all: int, level: float) -> dict[str, object]:
    others = (k_all - k) / (n_all - n) if n_all > n else np.nan
    low, high = wilson(k, n=n, level=level)
    ends = newcombe(k, n, k_b=k_all - k, n_b=n_all - n, level=level)
    known = n_all > n
    return {
        "item": item,
        "group": group,
        "n_customers": n,
        "n_buyers": k,
        "share": k / n,
        "low": low,
        "high": high,
        "share_of_others": others,
        "affinity": 100 * (k / n) / (k_all / n_all) if k_all else np.nan,
        "difference": k / n - others,
        "difference_low": ends[0] if known else np.nan,
        "difference_high": ends[1] if known else np.nan,
        "p": score_test(k, n, k_b=k_all - k, n_b=n_all - n)[1],
    }
