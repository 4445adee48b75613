"""Who moved from which segment to which."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from crm_analysis.errors import ConfigError
from crm_analysis.rfm.cut_points import Monetary
from crm_analysis.workspace import DAYS_PER_YEAR

NEW, LEFT = "new", "left"


def migration(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """How many customers went from which segment (rows) to which (columns).

    The row "new" holds customers seen only after, the column "left" those seen only before; row sums are
    the segments before, column sums those after.

    Parameters
    ----------
    before, after : what `segment` returned, of two dates and scored with the same cut points.
    """
    moves = _both(before, after)
    counts = pd.crosstab(moves["before"], moves["after"], dropna=False)
    names = _names_of(before, after)
    return counts.reindex(index=[*names, NEW], columns=[*names, LEFT], fill_value=0)


def changes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Who changed segment, is new or has left: index customer_id; columns before, after."""
    moves = _both(before, after)
    return moves[moves["before"] != moves["after"]].sort_index()


def rank_moves(moves: pd.DataFrame) -> pd.DataFrame:
    """Moves from one segment to another, the largest first; who is new or has left made none.

    Parameters
    ----------
    moves : what `migration` returned.

    Returns
    -------
    DataFrame: before, after, n_customers, share_of_before (of the customers who were in `before`)
    """
    wide = moves.rename_axis(index="before").reset_index()
    long = wide.melt(id_vars="before", var_name="after", value_name="n_customers")
    long["share_of_before"] = long["n_customers"] / long.groupby("before")["n_customers"].transform("sum")
    moved = (long["before"] != long["after"]) & (long["before"] != NEW) & (long["after"] != LEFT)
    chosen = long[moved & (long["n_customers"] > 0)]
    return chosen.sort_values("n_customers", ascending=False, kind="stable", ignore_index=True)


def entered_and_left(moves: pd.DataFrame, *, segments: Iterable[str]) -> pd.DataFrame:
    """From where customers came into a group of segments, and to where they went.

    Parameters
    ----------
    moves : what `migration` returned.
    segments : the group; moves within it do not count.

    Returns
    -------
    DataFrame, index segment (outside the group, "new" and "left" among them): entered, left, net. The
    group's customers before, plus net, are its customers after.

    Raises
    ------
    ConfigError
        A segment is not known.
    """
    group = _known_segments(segments, moves.columns.drop(LEFT))
    came, went = moves[group].sum(axis="columns"), moves.loc[group].sum()
    names = [*moves.columns.drop([*group, LEFT]), NEW, LEFT]
    table = pd.DataFrame({"entered": came, "left": went}).reindex(names).fillna(0).astype(int)
    table = table.assign(net=table["entered"] - table["left"]).rename_axis("segment")
    return table[table[["entered", "left"]].any(axis="columns")]


def movers(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    customers: pd.DataFrame,
    targets: Iterable[str],
    origins: Iterable[str] | None = None,
    monetary: Monetary = "total_amount",
) -> pd.DataFrame:
    """Who came from one of `origins` to one of `targets`, those of the highest value first.

    Parameters
    ----------
    before, after : what `segment` returned, of two dates and scored with the same cut points.
    customers : at the later date: days_since_last, n_orders, t_observed and the `monetary` column.
    targets, origins : segments, and "new" for an origin; without origins all that are no target.

    Returns
    -------
    DataFrame, index customer_id: before, after, days_since_last, n_orders, the `monetary` column, and
    value_at_stake: that money per year since the first purchase, which counts as one year at least.

    Raises
    ------
    ConfigError
        A segment is not known.
    """
    names = _names_of(before, after)
    entering = _known_segments(targets, names)
    others = [name for name in [*names, NEW] if name not in entering]
    leaving = others if origins is None else _known_segments(origins, [*names, NEW])
    moves = changes(before, after)
    chosen = moves[moves["before"].isin(leaving) & moves["after"].isin(entering)]
    known = customers.loc[chosen.index]
    years = (known["t_observed"] / DAYS_PER_YEAR).clip(lower=1)
    table = chosen.join(known[["days_since_last", "n_orders", monetary]])
    table["value_at_stake"] = known[monetary] / years
    return table.sort_values("value_at_stake", ascending=False, kind="stable")


def _known_segments(asked: Iterable[str], known: Iterable[str]) -> list[str]:
    asked, names = list(asked), [str(name) for name in known]
    if unknown := [name for name in asked if name not in names]:
        raise ConfigError(f"rfm: no segment {unknown}; segments: {names}")
    return asked


def _both(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Segment of each customer before and after, as text."""
    sides = [before["segment"].astype(object), after["segment"].astype(object)]
    both = pd.concat(sides, axis="columns", keys=["before", "after"], join="outer")
    return both.fillna({"before": NEW, "after": LEFT}).astype(str)


def _names_of(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    names = [*before["segment"].cat.categories, *after["segment"].cat.categories]
    return [str(name) for name in dict.fromkeys(names)]
