"""Which customers get the visits and calls that there are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError

CHOSEN, FULL, SERVED, NOTHING = (
    "chosen",
    "capacity used up",
    "customer has another action",
    "nothing at stake",
)


def cell_uses(capacity: Iterable[str]) -> dict[str, list[str]]:
    """Name the actions that the customers of each cell of a value matrix may get.

    All of them where much is expected (HH, LH), all but the most costly where much was earned and little is
    expected (HL), none where both are low (LL).

    Parameters
    ----------
    capacity : names of the actions, the most costly first.
    """
    every = list(capacity)
    return {"HH": every, "LH": every, "HL": every[1:], "LL": []}


def candidates(
    placed: pd.DataFrame, *, uses: Mapping[str, Sequence[str]], spared: Collection[str] = ()
) -> pd.DataFrame:
    """One row per customer and action that the customer's cell allows, the highest value at stake first.

    Parameters
    ----------
    placed : index customer_id; current, potential, cell: the table of a value matrix.
    uses : cell -> the actions that its customers may get; none for those left alone.
    spared : actions that a customer with a current value below 0 does not get.

    Returns
    -------
    DataFrame: customer_id, cell, uses, value_at_stake (the potential value)

    Raises
    ------
    ConfigError
        `uses` lacks a cell, or `spared` names an action that no cell has.
    """
    if missing := sorted(set(placed["cell"]) - set(uses)):
        raise ConfigError(f"candidates: uses= has no cell {missing}; it has {sorted(uses)}")
    known = {action for actions in uses.values() for action in actions}
    if unknown := sorted(set(spared) - known):
        raise ConfigError(f"candidates: spared {unknown}; the actions of the cells are {sorted(known)}")
    offered = placed.assign(uses=placed["cell"].map(lambda cell: list(uses[cell])))
    offered = offered.explode("uses").dropna(subset="uses")
    offered = offered[~(offered["uses"].isin(spared) & (offered["current"] < 0))]
    listed = offered.rename_axis("customer_id").reset_index().rename(columns={"potential": "value_at_stake"})
    columns = ["customer_id", "cell", "uses", "value_at_stake"]
    by_value = listed.sort_values(["value_at_stake", "customer_id"], ascending=[False, True], kind="stable")
    return by_value[columns].reset_index(drop=True)


def allocate(
    candidates: pd.DataFrame, *, capacity: Mapping[str, int], value: str = "value_at_stake"
) -> pd.DataFrame:
    """Choose actions under capacity, the highest value at stake first; a customer gets one action at most.

    Every action uses one unit of its capacity. With one candidate per customer no other choice is worth more
    (the best of each capacity are taken); where customers have several candidates, none is worth more than
    twice as much. Equal values are taken in the order of customer_id, then of `capacity`, which names what is
    preferred first; the order of the rows decides nothing.

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
    preferred = {name: place for place, name in enumerate(capacity)}
    ordered = candidates.sort_values(
        [value, "customer_id", "uses"],
        ascending=[False, True, True],
        key=lambda column: column.map(preferred) if column.name == "uses" else column,
    )
    left, served, reasons = dict(capacity), set(), []
    for customer, uses, worth in ordered[["customer_id", "uses", value]].itertuples(index=False):
        reasons.append(_reason(worth, customer in served, left[uses]))
        if reasons[-1] == CHOSEN:
            left[uses] -= 1
            served.add(customer)
    chosen = np.array(reasons, dtype=object) == CHOSEN
    return ordered.assign(chosen=chosen, reason=reasons).reset_index(drop=True)


def capacity_used(allocated: pd.DataFrame, *, capacity: Mapping[str, int]) -> pd.DataFrame:
    """How much of each capacity is used, for which cells, and what is at stake with those who get it.

    Parameters
    ----------
    allocated : what `allocate` gives, with the cell of each candidate.

    Returns
    -------
    DataFrame, index uses in the order of `capacity`: capacity, n_chosen, n_left (units), one column per cell
    (units of n_chosen), value_at_stake (of the chosen)
    """
    chosen = allocated[allocated["chosen"]]
    cells = pd.crosstab(chosen["uses"], chosen["cell"]).reindex(list(capacity), fill_value=0)
    stake = chosen.groupby("uses")["value_at_stake"].sum().reindex(list(capacity), fill_value=0.0)
    table = pd.DataFrame({"capacity": dict(capacity)}, dtype=int).rename_axis("uses")
    table["n_chosen"] = cells.sum(axis="columns").astype(int)
    table["n_left"] = table["capacity"] - table["n_chosen"]
    return table.join(cells.rename_axis(columns=None)).assign(value_at_stake=stake.astype(float))


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
