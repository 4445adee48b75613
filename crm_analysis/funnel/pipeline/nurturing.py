"""Open leads by how soon a win may come and by what it would be worth: whom to work, whom to nurture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel.ageing.open_deals import chances_within
from crm_analysis.funnel.pipeline.cohorts import cohort_of

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

HEATS = ("hot", "mid", "long term", "no win seen")
VALUES = ("high", "middle", "low")
NOT_KNOWN = "not known"
HORIZONS = {"30 days": "30 days", "90 days": "90 days", "ever": None}


@dataclass(frozen=True, eq=False)
class Nurture:
    """Open leads by heat and value.

    matrix : index (`heat`, `value`), all pairs; n, expected_wins, expected_value, and cost_of_neglect
        (expected_value times the share assumed for the heat). Money is missing where no amount is mapped.
    deals : index `opportunity_id`, largest expected value first; heat, value, "30 days", "90 days", "ever"
        (chance of a win from today within that time), expected_value, age_days, and where mapped amount,
        owner, source and segment.
    bounds : amounts from which a lead is of middle and of high value; missing without amounts.
    assumed : by heat, the share of its expected value that is lost if nobody touches a lead. Nothing in the
        data says it: it is an assumption, to be printed as one.
    """

    matrix: pd.DataFrame
    deals: pd.DataFrame
    bounds: tuple[float, float]
    assumed: dict[str, float]


def nurture(
    pipeline: Pipeline,
    *,
    lost_if_neglected: float | Mapping[str, float],
    chances: pd.DataFrame | None = None,
    bounds: tuple[float, float] | None = None,
) -> Nurture:
    """Open leads as a matrix of heat and value, with what they are expected to bring.

    A lead is *hot* where half or more of its chance of a win lies in the next 30 days, *mid* where in the
    next 90, else *long term*; *no win seen* where its chance is 0: nothing that waited so long was ever won,
    or too few waited so long to say. Heat says when; how likely a win is says `expected_wins`.

    Parameters
    ----------
    lost_if_neglected : share of the expected value that is lost if nobody touches a lead, one for all or one
        for each heat. Without default: the data cannot say it.
    chances : index opportunity_id, columns "30 days", "90 days", "ever"; those of `forecast_open` where not
        given.
    bounds : amounts from which a lead is of middle and of high value; thirds of the open leads where not
        given.

    Raises
    ------
    DataError
        No opportunity has a creation date; or an open lead has no chances, or impossible ones.
    ConfigError
        A share outside 0 to 1, or missing for a heat.
    """
    assumed = _assumed(lost_if_neglected)
    deals, _ = cohort_of(pipeline, since=None, until=None)
    leads = deals[deals["outcome"] == "open"].set_index("opportunity_id").sort_index()
    leads = leads.rename(columns={"days": "age_days"})
    found = _forecast(pipeline, leads.index) if chances is None else _given(chances, leads.index)
    leads = leads.join(found)
    leads["heat"] = _heat(leads)
    amount = leads["amount"] if "amount" in leads else pd.Series(np.nan, leads.index)
    bounds = bounds or _thirds(amount)
    leads["value"] = _value(amount, bounds)
    leads["expected_value"] = leads["ever"] * amount
    also = [name for name in ("amount", "owner", "source", "segment") if name in leads]
    listed = leads.sort_values(["expected_value", "ever"], ascending=False, kind="stable")
    return Nurture(
        matrix=_matrix(leads, assumed),
        deals=listed[["heat", "value", *HORIZONS, "expected_value", "age_days", *also]],
        bounds=bounds,
        assumed=assumed,
    )


def _assumed(share: float | Mapping[str, float]) -> dict[str, float]:
    shares = dict(share) if isinstance(share, Mapping) else dict.fromkeys(HEATS, share)
    if set(shares) != set(HEATS) or not all(0 <= x <= 1 for x in shares.values()):
        raise ConfigError(
            f"nurture: lost_if_neglected {shares}; expected a share from 0 to 1, or one for each of "
            f"{list(HEATS)}"
        )
    return {heat: float(shares[heat]) for heat in HEATS}


def _forecast(pipeline: Pipeline, ids: pd.Index) -> pd.DataFrame:
    """Chance of a win within each horizon; a longer one has no lower chance, whatever rounding says."""
    if ids.empty:
        return pd.DataFrame(columns=list(HORIZONS), index=ids, dtype=float)
    return chances_within(pipeline, HORIZONS).reindex(ids).cummax(axis=1)


def _given(chances: pd.DataFrame, ids: pd.Index) -> pd.DataFrame:
    if missing := set(HORIZONS) - set(chances.columns):
        raise DataError(f"nurture: chances have no column {sorted(missing)}; expected {list(HORIZONS)}")
    found = chances.reindex(ids)[list(HORIZONS)].astype(float)
    rising = (found["30 days"] <= found["90 days"] + 1e-9) & (found["90 days"] <= found["ever"] + 1e-9)
    wrong = ~(found.ge(0).all(axis=1) & found.le(1).all(axis=1) & rising)
    if wrong.any():
        raise DataError(
            f"nurture: {int(wrong.sum())} of {len(ids)} open leads, such as {ids[wrong.to_numpy()][0]!r}, "
            "have no chances, or chances outside 0 to 1 or falling with time; give one row for each of them"
        )
    return found


def _heat(leads: pd.DataFrame) -> np.ndarray:
    half = leads["ever"] / 2
    tests = [leads["ever"] <= 0, leads["30 days"] >= half, leads["90 days"] >= half]
    return np.select(tests, ["no win seen", "hot", "mid"], default="long term")


def _thirds(amount: pd.Series) -> tuple[float, float]:
    low, high = amount.quantile([1 / 3, 2 / 3])
    return float(low), float(high)


def _value(amount: pd.Series, bounds: tuple[float, float]) -> np.ndarray:
    middle, high = bounds
    return np.select([amount.isna(), amount >= high, amount >= middle], [NOT_KNOWN, *VALUES[:2]], VALUES[2])


def _matrix(leads: pd.DataFrame, assumed: dict[str, float]) -> pd.DataFrame:
    values = [*VALUES, NOT_KNOWN] if (leads["value"] == NOT_KNOWN).any() else list(VALUES)
    cells = pd.MultiIndex.from_product([HEATS, values], names=["heat", "value"])
    by_cell = leads.groupby(["heat", "value"])
    table = pd.DataFrame(
        {
            "n": by_cell.size().reindex(cells, fill_value=0),
            "expected_wins": by_cell["ever"].sum().reindex(cells, fill_value=0.0),
            "expected_value": by_cell["expected_value"].sum().reindex(cells, fill_value=0.0),
        }
    )
    table.loc[table.index.get_level_values("value") == NOT_KNOWN, "expected_value"] = np.nan
    share = table.index.get_level_values("heat").map(assumed).to_numpy(float)
    return table.assign(cost_of_neglect=table["expected_value"] * share)
