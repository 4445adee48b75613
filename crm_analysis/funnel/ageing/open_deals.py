"""What becomes of the open opportunities: wins and revenue to expect of them, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError
from crm_analysis.funnel.ageing.open_chances import learn, open_chances
from crm_analysis.funnel.ageing.owners import draw_sums, owner_likeness
from crm_analysis.funnel.ageing.resampling import quantiles
from crm_analysis.workspace import parse_length

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

LEVELS = (0.80, 0.95)


@dataclass(frozen=True, eq=False)
class OpenForecast:
    """Wins and revenue to expect of the opportunities that are open.

    table : index opportunity_id, those with the highest expected amount first; age_days, p_won, p_lost,
        p_open (neither by the horizon, or not known), amount, expected_amount (p_won x amount; missing where
        no amount is known), stalled (older than any that ever closed: p_won and p_lost are 0), beyond (no
        longer supported by 10 opportunities at risk: 0 too), and where known owner, stage,
        days_in_stage; group as asked for with `by`.
    totals : index `measure` (wins, revenue; the second where amounts are mapped); expected, low_80, high_80,
        low_95, high_95 (parameters and chance, owners unlike each other), static (the share won of all
        closed, times the open ones, whatever their age). Ranges of revenue hold a little less than they
        say where a few deals are many times as large as the rest: 77 and 90 of 100 in simulated firms.
    static_rate : won / (won + lost) of all closed; NaN where nothing has closed.
    given : what chances are conditional on: "stage" (and the days in it), or "age".
    by : what groups they were estimated in.
    horizon : as asked for, None for ever.
    owner_likeness : correlation of the outcomes of one owner's opportunities, from those that closed; 0 where
        no owner is mapped.
    by_owner : owners were drawn again for the intervals, rather than opportunities.
    n_open, n_stalled, n_beyond, n_unpriced : open ones; of these stalled; beyond support; without amount.
    n_undated : opportunities without a creation date, left out.
    """

    table: pd.DataFrame
    totals: pd.DataFrame
    static_rate: float
    given: str
    by: str
    horizon: str | None
    owner_likeness: float
    by_owner: bool
    n_open: int
    n_stalled: int
    n_beyond: int
    n_unpriced: int
    n_undated: int


def forecast_open(
    pipeline: Pipeline,
    *,
    horizon: str | None = None,
    by: str | None = None,
    given: str | None = None,
    n_draws: int = 200,
    rng: np.random.Generator | None = None,
) -> OpenForecast:
    """Chance of each open opportunity to be won and lost, and the wins and revenue to expect in total.

    Parameters
    ----------
    horizon : length looked ahead, "90 days"; for ever where not given.
    by : groups whose chances are estimated apart where they have 10 wins, and from all opportunities where
        not: "amount" (thirds of the amounts), a column of the opportunities ("source"), or "all" for none.
        "amount" where not given and amounts are mapped: where large deals are won more often, or less, the
        revenue of one chance for all would be off.
    given : "stage": chances depend on the stage and the days in it; "age": on the age only. Where not given,
        "stage" if the pipeline knows when stages were entered.
    n_draws : of owners (or opportunities), for the intervals.
    rng : source of randomness; `default_rng(1)` where not given, so that a report does not change by itself.

    Raises
    ------
    DataError
        As `incidence`.
    ConfigError
        The horizon is no length, `by` no column, or the stages that `given` asks for are not known.
    """
    if n_draws < 1:
        raise ConfigError(f"forecast_open: n_draws = {n_draws}; expected 1 or more")
    given, by, days = _given(pipeline, given), _by(pipeline, by), _days(horizon)
    rng = rng if rng is not None else np.random.default_rng(1)
    learnt = learn(pipeline, given=given, by=by)
    open_ = open_chances(learnt, horizon_days=days, n_draws=n_draws, rng=rng)
    deals, chance = open_.deals, open_.chances[0, open_.state]
    likeness = owner_likeness(learnt.ends) if "owner" in learnt.ends else 0.0
    sums = draw_sums(open_.chances[..., 0], open_.state, deals, likeness=likeness, rng=rng)
    rate = _static_rate(learnt.ends)
    return OpenForecast(
        table=_table(deals, chance),
        totals=_totals(deals, chance[:, 0], sums, rate),
        static_rate=rate,
        given=given,
        by=by,
        horizon=horizon,
        owner_likeness=likeness,
        by_owner=open_.by_owner,
        n_open=len(deals),
        n_stalled=int(deals["stalled"].sum()),
        n_beyond=int(deals["beyond"].sum()),
        n_unpriced=int(deals["amount"].isna().sum()) if "amount" in deals else len(deals),
        n_undated=learnt.n_undated,
    )


def chances_within(
    pipeline: Pipeline,
    horizons: Mapping[str, str | None],
    *,
    by: str | None = None,
    given: str | None = None,
) -> pd.DataFrame:
    """Chance of each open opportunity to be won within several horizons, learnt from one count.

    Parameters
    ----------
    horizons : name -> length, or None for ever.
    by, given : as in `forecast_open`, whose p_won these are.

    Returns
    -------
    DataFrame, index opportunity_id, a column for each name.
    """
    learnt = learn(pipeline, given=_given(pipeline, given), by=_by(pipeline, by))
    found = pd.DataFrame(index=learnt.deals.index)
    for name, horizon in horizons.items():
        # No draws: the estimate is what is wanted, not its interval.
        rng = np.random.default_rng(1)
        open_ = open_chances(learnt, horizon_days=_days(horizon), n_draws=0, rng=rng)
        found[name] = open_.chances[0, open_.state, 0]
    return found


def _by(pipeline: Pipeline, by: str | None) -> str:
    return by or ("amount" if "amount" in pipeline.opportunities.columns else "all")


def _days(horizon: str | None) -> int | None:
    return None if horizon is None else int(parse_length(horizon))


def _given(pipeline: Pipeline, given: str | None) -> str:
    known = pipeline.shape != "current stage"
    if given not in (None, "age", "stage"):
        raise ConfigError(f"forecast_open: given = {given!r}; expected 'stage' or 'age'")
    if given == "stage" and not known:
        raise ConfigError(
            f"forecast_open: the shape {pipeline.shape!r} does not know when stages were entered, so that "
            "chances depend on the age only; leave `given` out"
        )
    return given or ("stage" if known else "age")


def _static_rate(ends: pd.DataFrame) -> float:
    closed = ends[ends["outcome"] != "open"]
    n = closed["n"].sum()
    return float(closed.loc[closed["outcome"] == "won", "n"].sum() / n) if n else float("nan")


def _table(deals: pd.DataFrame, chance: np.ndarray) -> pd.DataFrame:
    table = deals.assign(p_won=chance[:, 0], p_lost=chance[:, 1])
    table["p_open"] = (1 - table["p_won"] - table["p_lost"]).clip(0, 1)
    order = ["p_won"]
    if "amount" in deals:
        table["expected_amount"] = table["p_won"] * table["amount"]
        order = ["expected_amount", "p_won"]
    columns = ["owner", "group", "stage", "age_days", "days_in_stage", "p_won", "p_lost", "p_open"]
    columns += ["amount", "expected_amount", "stalled", "beyond"]
    table = table[[name for name in columns if name in table]]
    return table.sort_values(order, ascending=False, kind="stable")


def _totals(deals: pd.DataFrame, p_won: np.ndarray, sums: pd.DataFrame, rate: float) -> pd.DataFrame:
    worth = {"wins": np.ones(len(deals))}
    if "amount" in deals:
        worth["revenue"] = deals["amount"].fillna(0.0).to_numpy()
    rows = {}
    for measure, value in worth.items():
        ends = {f"{side}_{level:.0%}"[:-1]: q for level in LEVELS for side, q in _sides(sums[measure], level)}
        rows[measure] = {"expected": float(p_won @ value), **ends, "static": rate * float(value.sum())}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("measure")


def _sides(draws: pd.Series, level: float) -> list[tuple[str, float]]:
    return list(zip(("low", "high"), quantiles(draws.to_numpy(), level), strict=True))
