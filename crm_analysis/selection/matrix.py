"""Current against potential value: whom to maintain, cultivate, keep cheaply, or think twice about.

The matrix is C36 of the course. Its source prints an action for three cells and is garbled in the fourth
(current high, potential low): the default there is ours, and every result says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError

# First letter: current value, second: potential value.
ACTIONS = {
    "HH": "Maintain",
    "LH": "Cultivate",
    "HL": "Keep at low cost",
    "LL": "Think carefully before investing",
}
NOTES = {"HL": "the source's text for this cell is garbled; this action is an assumption"}
AXES = ("current", "potential")
_LETTERS = {2: "LH", 3: "LMH"}


@dataclass(frozen=True, eq=False)
class ValueMatrix:
    """Customers placed by current and potential value.

    table : index of the customers; current, potential, cell (such as "HL": current first), action.
    cells : index cell, every one; n_customers, current, potential (sums), share_of_customers,
        share_of_current, share_of_potential, action, note (where an action is an assumption).
    cut_points : "current" and "potential" -> the value that the higher level must exceed, one per step.
    current_column, potential_column : where the values come from.
    """

    table: pd.DataFrame
    cells: pd.DataFrame
    cut_points: Mapping[str, tuple[float, ...]]
    current_column: str
    potential_column: str


def value_matrix(
    customers: pd.DataFrame,
    *,
    current: str,
    potential: str,
    levels: Literal[2, 3] = 2,
    cut_points: Mapping[str, Sequence[float]] | None = None,
    actions: Mapping[str, str] | None = None,
) -> ValueMatrix:
    """Place each customer by current and potential value; equal values always share a level.

    Parameters
    ----------
    customers : one row per customer with both columns, without gaps.
    levels : 2 (L, H) or 3 (L, M, H) per axis.
    cut_points : {"current": [...], "potential": [...]}, kept from an earlier period or set by the firm. By
        default the median, or the thirds, of these customers; a value on a cut point is below it.
    actions : cell -> action. With two levels `ACTIONS` is the default; with three it has to be given.

    Raises
    ------
    DataError
        A column is missing or has gaps.
    ConfigError
        Cut points or actions that do not fit the levels.
    """
    values = _values(customers, current, potential)
    chosen = _actions(levels, actions)
    cuts = _cut_points(values, levels, cut_points)
    letters = np.array(list(_LETTERS[levels]))
    # left: a value on a cut point stays below it.
    placed = {axis: letters[np.searchsorted(cuts[axis], values[axis], side="left")] for axis in cuts}
    cell = pd.Series(placed["current"], values.index) + pd.Series(placed["potential"], values.index)
    table = values.assign(cell=cell, action=cell.map(chosen))
    notes = NOTES if actions is None else {}
    return ValueMatrix(table, _cells(table, chosen, notes), cuts, current, potential)


def _values(customers: pd.DataFrame, current: str, potential: str) -> pd.DataFrame:
    names = [current, potential]
    if missing := [c for c in names if c not in customers]:
        raise DataError(f"value matrix: no column {missing}; columns present: {list(customers.columns)}")
    if current == potential:
        raise ConfigError(f"value matrix: current and potential are both {current!r}")
    if customers.empty:
        raise DataError("value matrix: no customers")
    values = customers[names].astype("float64").set_axis(list(AXES), axis="columns")
    gaps = (~np.isfinite(values)).sum()
    if gaps.any():
        counts = dict(zip(names, gaps, strict=True))
        raise DataError(
            f"value matrix: of {len(values)} customers without figure {counts}; fill in or leave out"
        )
    return values


def _actions(levels: int, actions: Mapping[str, str] | None) -> dict[str, str]:
    if levels not in _LETTERS:
        raise ConfigError(f"value matrix: levels={levels!r}; expected 2 or 3")
    names = [a + b for a in reversed(_LETTERS[levels]) for b in reversed(_LETTERS[levels])]
    if actions is None and levels != 2:
        raise ConfigError(f"value matrix: {levels} levels need actions= for {names}; the source has only two")
    given = dict(ACTIONS if actions is None else actions)
    if set(given) != set(names):
        raise ConfigError(f"value matrix: actions for {sorted(given)}; expected one for each of {names}")
    return {name: given[name] for name in names}


def _cut_points(
    values: pd.DataFrame, levels: int, given: Mapping[str, Sequence[float]] | None
) -> dict[str, tuple[float, ...]]:
    if given is None:
        steps = np.arange(1, levels) / levels
        return {axis: tuple(float(x) for x in np.quantile(values[axis], steps)) for axis in AXES}
    cuts = {axis: tuple(float(x) for x in given.get(axis, ())) for axis in AXES}
    wrong = any(len(row) != levels - 1 or not np.all(np.diff(row) >= 0) for row in cuts.values())
    if wrong or set(given) != set(cuts):
        raise ConfigError(
            f"value matrix: cut_points={dict(given)}; expected 'current' and 'potential' with {levels - 1} "
            "ascending values each"
        )
    return cuts


def _cells(table: pd.DataFrame, actions: dict[str, str], notes: Mapping[str, str]) -> pd.DataFrame:
    groups = table.groupby("cell")
    sums = groups[["current", "potential"]].sum()
    cells = pd.concat([groups.size().rename("n_customers"), sums], axis="columns")
    cells = cells.reindex(list(actions), fill_value=0).rename_axis("cell")
    cells["share_of_customers"] = cells["n_customers"] / len(table)
    for axis in AXES:
        total = table[axis].sum()
        cells[f"share_of_{axis}"] = cells[axis] / total if total > 0 else np.nan
    return cells.assign(action=pd.Series(actions), note=[notes.get(str(cell), "") for cell in cells.index])


def cells_with_shares(matrix: ValueMatrix, **amounts: pd.Series) -> pd.DataFrame:
    """Cells of a matrix, with the share that each has of further amounts.

    Parameters
    ----------
    amounts : name -> amount per customer, such as service=facts["cost_to_serve"].

    Returns
    -------
    DataFrame, index cell: as `matrix.cells`, and before its words share_of_service (or whatever the name is)
    where the amounts sum to more than 0.
    """
    sums = {
        name: amount.groupby(matrix.table["cell"]).sum().reindex(matrix.cells.index, fill_value=0.0)
        for name, amount in amounts.items()
    }
    cells = matrix.cells.assign(**{f"share_of_{n}": s / s.sum() for n, s in sums.items() if s.sum() > 0})
    words = ["action", "note"]
    return cells[[*cells.columns.drop(words), *words]]


def finding(matrix: ValueMatrix, *, losers: pd.DataFrame, costed: bool) -> tuple[str, dict[str, float]]:
    """What a matrix says, for the sentences about it.

    Parameters
    ----------
    losers : customers with a loss; value_at_stake is the loss.
    costed : whether any cost per customer is known. If not, nobody can be seen to make a loss.

    Returns
    -------
    key : "losses", "no_losses" or "losses_unknown".
    values : n (customers), total (of the current value), n_losing, loss; above_current and above_potential,
        where the highest level begins; n_HH and share_HH (of the current value, to
        whole percents) for each cell.
    """
    key = ("losses" if len(losers) else "no_losses") if costed else "losses_unknown"
    values = {"n": len(matrix.table), "total": float(matrix.table["current"].sum())}
    values |= {"n_losing": len(losers), "loss": float(losers["value_at_stake"].sum())}
    values |= {f"above_{axis}": cuts[-1] for axis, cuts in matrix.cut_points.items()}
    for cell, row in matrix.cells.iterrows():
        # To whole percents, so that a share just below zero is not written as minus nothing.
        share = round(float(row["share_of_current"]), 2) + 0.0
        values |= {f"n_{cell}": int(row["n_customers"]), f"share_{cell}": share}
    return key, values
