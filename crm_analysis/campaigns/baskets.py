"""Baskets: what was bought together, guarded against those that would not fit into memory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError

if TYPE_CHECKING:
    from crm_analysis.doors.transactions import Transactions

MAX_ITEMS, MAX_BASKET = 300, 50


@dataclass(frozen=True, eq=False)
class Baskets:
    """Baskets by items, as booleans.

    table : one row per basket, one column per item.
    n_left_out : baskets with more than `max_basket` items, which would take the memory of all others.
    n_items_left_out : items beyond the `max_items` most frequent.
    level : "customer" or "order": what one basket is.
    """

    table: pd.DataFrame
    n_left_out: int
    n_items_left_out: int
    level: str


def read_baskets(
    log: Transactions,
    *,
    item: str = "product_id",
    level: str = "customer",
    customers: Collection[str] | None = None,
    since: dt.date | None = None,
    until: dt.date | None = None,
    max_items: int = MAX_ITEMS,
    max_basket: int = MAX_BASKET,
) -> Baskets:
    """Baskets of a log, refunds left out.

    Parameters
    ----------
    item : column of the log, "product_id" or "category".
    level : "customer": one basket is all that a customer bought in those days; or "order".
    customers : those whose baskets are wanted; by default everybody's.
    since, until : days, both included.
    max_items, max_basket : see `make_baskets`.

    Raises
    ------
    ConfigError
        The log has no such column, or no order ids.
    """
    basket = {"customer": "customer_id", "order": "order_id"}.get(level, level)
    if missing := [name for name in (item, basket) if name not in log.lines.columns]:
        raise ConfigError(f"baskets: the log has no column {missing}; it has {list(log.lines.columns)}")
    lines: Any = log.lines.filter(~log.lines.is_refund)
    lines = lines.filter(lines.occurred_on.between(since or log.observed_from, until or log.observed_until))
    rows = lines.select("customer_id", basket=lines[basket], item=lines[item]).distinct().to_pandas()
    if customers is not None:
        rows = rows[rows["customer_id"].isin(set(customers))]
    return make_baskets(rows, level=level, max_items=max_items, max_basket=max_basket)


def make_baskets(
    rows: pd.DataFrame, *, level: str = "order", max_items: int = MAX_ITEMS, max_basket: int = MAX_BASKET
) -> Baskets:
    """Baskets of rows with columns basket and item; missing values are left out.

    A basket with more than `max_basket` items is left out, since sets grow with two to the power of its size;
    of the items the `max_items` most frequent are kept, ties by name. Both are counted.

    Raises
    ------
    DataError
        A column is missing, or no basket is left.
    """
    if missing := [name for name in ("basket", "item") if name not in rows]:
        raise DataError(f"baskets: no column {missing}; columns present: {list(rows.columns)}")
    pairs = rows[["basket", "item"]].dropna().drop_duplicates()
    sizes = pairs.groupby("basket")["item"].size()
    pairs = pairs[pairs["basket"].map(sizes) <= max_basket]
    if pairs.empty:
        raise DataError(
            f"baskets: none of {len(sizes)} baskets has between 1 and {max_basket} items; raise max_basket= "
            "or use coarser items, such as category"
        )
    counts = pairs["item"].value_counts().rename_axis("item").reset_index(name="n")
    kept = counts.sort_values(["n", "item"], ascending=[False, True], kind="stable")["item"].head(max_items)
    row, names = pd.factorize(pairs["basket"])
    column = pd.Index(sorted(kept)).get_indexer(pd.Index(pairs["item"]))
    table = np.zeros((len(names), len(kept)), dtype=bool)
    table[row[column >= 0], column[column >= 0]] = True
    return Baskets(
        table=pd.DataFrame(table, pd.Index(names, name="basket"), sorted(kept)),
        n_left_out=int((sizes > max_basket).sum()),
        n_items_left_out=len(counts) - len(kept),
        level=level,
    )
