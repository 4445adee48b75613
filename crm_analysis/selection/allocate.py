"""Which customers get the visits and calls that there are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError

CHOSEN, FULL, SERVED, NOTHING = (
    "chosen",
    "capacity used up",
    "customer has another action",
    "nothing at stake",
)


def allocate(
    candidates: pd.DataFrame, *, capacity: Mapping[str, int], value: str = "value_at_stake"
) -> pd.DataFrame:
    """Choose actions under capacity, the highest value at stake first; a customer gets one action at most.

    Every action uses one unit of its capacity. With one candidate per customer no other choice is worth more
    (the best of each capacity are taken); where customers have several candidates, none is worth more than
    twice as much. Equal values are taken in the order of customer_id, then of `uses`, so that the order of
    the rows decides nothing.

    Parameters
    ----------
    candidates : one row per customer and possible action: customer_id, uses (a key of `capacity`), the
        `value` column; other columns are kept.
    capacity : units there are, such as {"visits": 200, "calls": 1500}.

    Returns
    -------
    DataFrame, the candidates in the order in which they were looked at: chosen (bool), reason ("chosen",
    "capacity used up", "customer has another action", "nothing at stake") added.

    Raises
    ------
    DataError
        A column is missing, a value is missing, or a customer has the same action twice.
    ConfigError
        A candidate uses a capacity that is not given, or a capacity is no whole number of 0 or more.
    """
    _check(candidates, capacity, value)
    ordered = candidates.sort_values(
        [value, "customer_id", "uses"], ascending=[False, True, True], kind="stable"
    )
    left, served, reasons = dict(capacity), set(), []
    for customer, uses, worth in ordered[["customer_id", "uses", value]].itertuples(index=False):
        reasons.append(_reason(worth, customer in served, left[uses]))
        if reasons[-1] == CHOSEN:
            left[uses] -= 1
            served.add(customer)
    chosen = [reason == CHOSEN for reason in reasons]
    return ordered.assign(chosen=chosen, reason=reasons).reset_index(drop=True)


def _reason(worth: float, is_served: bool, left: int) -> str:
    if worth <= 0:
        return NOTHING
    if is_served:
        return SERVED
    return CHOSEN if left > 0 else FULL


def _check(candidates: pd.DataFrame, capacity: Mapping[str, int], value: str) -> None:
    columns = ["customer_id", "uses", value]
    if missing := [c for c in columns if c not in candidates]:
        raise DataError(f"allocate: no column {missing}; columns present: {list(candidates.columns)}")
    if wrong := {k: v for k, v in capacity.items() if not isinstance(v, int | np.integer) or v < 0}:
        raise ConfigError(f"allocate: capacity {wrong}; expected whole numbers of 0 or more")
    if unknown := sorted(set(candidates["uses"]) - set(capacity)):
        raise ConfigError(f"allocate: candidates use {unknown}; capacities given: {sorted(capacity)}")
    if n := int((~np.isfinite(candidates[value].astype("float64"))).sum()):
        raise DataError(f"allocate: {n} of {len(candidates)} candidates have no {value}")
    if n := int(candidates.duplicated(["customer_id", "uses"]).sum()):
        raise DataError(f"allocate: {n} candidates repeat a customer and what it uses; keep one row of each")
