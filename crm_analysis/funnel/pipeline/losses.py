"""Why deals are lost: recorded reasons by the stage in which the deal was lost.

A reason is recorded for some of the lost deals only. Shares are of the recorded ones; what they would be if
every unrecorded deal had been lost for another reason, or for this one, bounds them.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from crm_analysis.doors.transactions import as_date
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.rates import holm, newcombe, score_test, wilson

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

By = Literal["stage", "owner", "source", "segment"]
MISSING = "(missing)"
NOT_RECORDED = "(not recorded)"


@dataclass(frozen=True, eq=False)
class LostReasons:
    """Lost deals by reason and by group.

    reasons : index `reason`, most frequent first; n, share_of_recorded with low and high (Wilson),
        cumulative_share, lowest and highest (share of all lost, if no or if every unrecorded loss had this
        reason), value (amounts of these deals, where mapped).
    table : index (`by`, `reason`), groups in their order and reasons as above; the same columns but for
        cumulative_share, of the group's own losses, and n_recorded and n_lost of the group.
    groups : index `by`; n_lost, n_unrecorded, share_unrecorded with low and high, value, value_unrecorded.
    by : what the groups are.    level : of the intervals.
    """

    reasons: pd.DataFrame
    table: pd.DataFrame
    groups: pd.DataFrame
    by: str
    level: float

    @property
    def n_lost(self) -> int:
        """Lost deals, with and without a reason."""
        return int(self.groups["n_lost"].sum())

    @property
    def n_unrecorded(self) -> int:
        """Lost deals without a reason."""
        return int(self.groups["n_unrecorded"].sum())


def lost_reasons(
    pipeline: Pipeline,
    *,
    by: By = "stage",
    since: dt.date | str | None = None,
    until: dt.date | str | None = None,
    level: float = 0.95,
) -> LostReasons:
    """Reasons for which deals were lost, by the stage they were lost in, or by owner, source or segment.

    Parameters
    ----------
    by : "stage": the last stage before the loss, "(missing)" where the shape hides it; or a mapped column.
    since, until : first and last day of the loss, both included; all where not given.

    Raises
    ------
    DataError
        No lost_reason is mapped.
    ConfigError
        `by` is not mapped.
    """
    deals = pipeline.opportunities
    if "lost_reason" not in deals.columns:
        raise DataError("lost reasons: none are mapped; map the column lost_reason of the pipeline")
    if by not in ("stage", "owner", "source", "segment") or (by != "stage" and by not in deals.columns):
        raise ConfigError(f"lost reasons: by={by!r}; expected 'stage', or a mapped owner, source or segment")
    cells = _lost(pipeline, by, since=since, until=until)
    order = [*pipeline.stages, MISSING] if by == "stage" else _by_size(cells, "group", "n")
    groups = [group for group in order if (cells["group"] == group).any()]
    known = cells[cells["reason"] != NOT_RECORDED]
    reasons = _by_size(known, "reason", "n")
    counts = {group: _summed(cells[cells["group"] == group]) for group in groups}
    parts = {group: _shares(counts[group], reasons, level) for group in groups} or {"": _nothing(level)}
    table = pd.concat(parts, names=[str(by), "reason"])
    overall = _shares(_summed(cells), reasons, level)
    overall.insert(4, "cumulative_share", overall["share_of_recorded"].cumsum())
    return LostReasons(
        reasons=overall.drop(columns=["n_recorded", "n_lost"]),
        table=table if groups else table.iloc[:0],
        groups=_groups(counts, by, level),
        by=by,
        level=level,
    )


def compare_lost_reasons(a: LostReasons, b: LostReasons) -> pd.DataFrame:
    """Two firms' reasons side by side, what both have in common or one alone.

    Returns
    -------
    DataFrame, index `reason`: "(not recorded)" of all lost, then each reason of the recorded ones, most
    frequent in both together first; n_a, of_a, share_a, low_a, high_a and the same for b, difference (a - b)
    with low and high (Newcombe), p and p_holm (score test, adjusted for the number of rows). Shares and
    differences are missing where nothing was recorded.
    """
    level = a.level
    counts = pd.concat([x.reasons["n"] for x in (a, b)], axis=1, keys=["a", "b"]).fillna(0).astype(int)
    total = counts.sum(axis=1)
    counts = counts.loc[total.sort_index().sort_values(ascending=False, kind="stable").index]
    recorded = counts.sum()
    rows = {NOT_RECORDED: _side_by_side(a.n_unrecorded, a.n_lost, b.n_unrecorded, b.n_lost, level)}
    for reason, n in counts.iterrows():
        rows[str(reason)] = _side_by_side(n["a"], recorded["a"], n["b"], recorded["b"], level)
    table = pd.DataFrame(rows).T.rename_axis("reason")
    table["p_holm"] = holm(table["p"].tolist())
    return table.astype(dict.fromkeys(["n_a", "of_a", "n_b", "of_b"], "int64"))


def _side_by_side(k_a: int, n_a: int, k_b: int, n_b: int, level: float) -> dict[str, float]:
    row: dict[str, float] = {}
    for firm, k, n in (("a", k_a, n_a), ("b", k_b, n_b)):
        low, high = wilson(k, n=n, level=level)
        share = k / n if n else np.nan
        row |= {f"n_{firm}": k, f"of_{firm}": n, f"share_{firm}": share}
        row |= {f"low_{firm}": low, f"high_{firm}": high}
    low, high = newcombe(k_a, n_a, k_b=k_b, n_b=n_b, level=level)
    p = score_test(k_a, n_a, k_b=k_b, n_b=n_b)[1]
    return row | {"difference": row["share_a"] - row["share_b"], "low": low, "high": high, "p": p}


def _lost(
    pipeline: Pipeline, by: str, *, since: dt.date | str | None, until: dt.date | str | None
) -> pd.DataFrame:
    """Lost deals by group and reason: group, reason, n, value (missing where no amount is mapped)."""
    deals = pipeline.opportunities
    lost = deals.filter(deals.outcome == "lost")
    if since is not None:
        lost = lost.filter(lost.closed_on >= as_date(since, "since"))
    if until is not None:
        lost = lost.filter(lost.closed_on <= as_date(until, "until"))
    if by == "stage":
        history = pipeline.history
        entered = history.stage_number.notnull()  # noqa: PD004, Ibis knows this name only
        last = history.group_by("opportunity_id").agg(
            group=history.stage.argmax(history.sequence, where=entered)
        )
        lost = lost.left_join(last, "opportunity_id")
    else:
        lost = lost.mutate(group=lost[by])
    named = lost.mutate(reason=lost.lost_reason.strip().nullif(""))
    amount = named.amount.cast("float64").sum() if "amount" in deals.columns else None
    sums = {"n": named.count()} | ({"value": amount} if amount is not None else {})
    found = named.group_by("group", "reason").agg(**sums).to_pandas()
    found["group"] = found["group"].astype(object).where(found["group"].notna(), MISSING)
    found["reason"] = found["reason"].astype(object).where(found["reason"].notna(), NOT_RECORDED)
    found["value"] = found["value"].astype(float).fillna(0.0) if "value" in found else np.nan
    return found


def _by_size(cells: pd.DataFrame, column: str, size: str) -> list[str]:
    """Values of a column, largest first, equal ones by name."""
    sums = cells.groupby(column)[size].sum().sort_index().sort_values(ascending=False, kind="stable")
    return [str(name) for name in sums.index]


def _shares(counts: pd.DataFrame, reasons: list[str], level: float) -> pd.DataFrame:
    """Shares of one group's losses by reason, bounds included."""
    n_lost = int(counts["n"].sum())
    found = counts.reindex(pd.Index(reasons, name="reason"))
    n = found["n"].fillna(0).astype("int64")
    unrecorded = n_lost - int(n.sum())
    recorded = int(n.sum())
    ends = np.array([wilson(k, n=recorded, level=level) for k in n]).reshape(-1, 2)
    value = found["value"] if counts["value"].isna().all() else found["value"].fillna(0.0)
    return pd.DataFrame(
        {
            "n": n,
            "share_of_recorded": n / recorded if recorded else np.nan,
            "low": ends[:, 0],
            "high": ends[:, 1],
            "lowest": n / n_lost if n_lost else np.nan,
            "highest": (n + unrecorded) / n_lost if n_lost else np.nan,
            "value": value,
            "n_recorded": recorded,
            "n_lost": n_lost,
        }
    )


def _summed(cells: pd.DataFrame) -> pd.DataFrame:
    return cells.groupby("reason").agg(n=("n", "sum"), value=("value", lambda v: v.sum(min_count=1)))


def _nothing(level: float) -> pd.DataFrame:
    return _shares(pd.DataFrame({"n": [0], "value": [np.nan]}, index=["-"]), ["-"], level)


def _groups(parts: dict[str, pd.DataFrame], by: str, level: float) -> pd.DataFrame:
    rows = []
    for counts in parts.values():
        n, unrecorded = int(counts["n"].sum()), int(counts["n"].get(NOT_RECORDED, 0))
        low, high = wilson(unrecorded, n=n, level=level)
        value = counts["value"].sum(min_count=1)
        hidden = counts["value"].get(NOT_RECORDED, np.nan if np.isnan(value) else 0.0)
        rows.append((n, unrecorded, unrecorded / n, low, high, value, hidden))
    names = ["n_lost", "n_unrecorded", "share_unrecorded", "low", "high", "value", "value_unrecorded"]
    return pd.DataFrame(rows, columns=names, index=pd.Index(list(parts), name=by))
