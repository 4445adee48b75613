"""How many opportunities are won by a given age, with the open ones counted as open.

An opportunity ends in one of two ways, won or lost, and some have not ended yet. Counting the open ones as
lost makes young cohorts look bad; leaving them out favours whichever end comes faster; a Kaplan-Meier curve
that treats the lost ones as unobserved promises wins that cannot come. The Aalen-Johansen estimate does none
of this. Ages are whole days since the opportunity was created; ties are the rule, and are handled exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pandas as pd

from crm_analysis.errors import DataError
from crm_analysis.rates import normal_quantile, wilson
from crm_analysis.workspace import parse_length

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

MIN_AT_RISK = 10
OUTCOMES = ("won", "lost", "open")


@dataclass(frozen=True, eq=False)
class Incidence:
    """Shares won and lost by age.

    table : index `age` (as asked for: "30 days"), columns age_days, n_at_risk, won, won_low, won_high,
        won_se, lost, lost_low, lost_high, lost_se, open. Missing where the age exceeds every observed one.
    curve : index `age_days`, one row per day on which something ended or was last seen; the same columns
        and n_won, n_lost, n_open (that day).
    horizon_days : last age with at least 10 opportunities at risk; the eventual shares are read here.
    eventual : the curve's row at `horizon_days`.
    median_days : age by which half of the wins that happen have happened; NaN without a win.
    stalled : open opportunities older than any that ever closed; index opportunity_id, column age_days.
    n_opportunities, n_open : how many the curve rests on, and how many of them are open.
    n_undated : opportunities without a creation date, left out.
    level : of the intervals.
    """

    table: pd.DataFrame
    curve: pd.DataFrame
    horizon_days: int
    eventual: pd.Series
    median_days: float
    stalled: pd.DataFrame
    n_opportunities: int
    n_open: int
    n_undated: int
    level: float


@dataclass(frozen=True, eq=False)
class Speed:
    """Two firms' eventual conversion and time to win.

    table : index `measure` with the rows `eventual` (share won, in the end) and `median_days` (of the wins
        that happen, days until half of them have); columns a, a_low, a_high, b, b_low, b_high,
        difference (a - b), low, high.
    same_conversion : the interval of the difference in eventual conversion holds 0.
    slower : "a", "b" or None: whose median is longer, where the interval of the difference leaves out 0.
    level : of the intervals.
    """

    table: pd.DataFrame
    same_conversion: bool
    slower: str | None
    level: float


def incidence(
    pipeline: Pipeline, *, at: Sequence[str] = ("30 days", "90 days"), level: float = 0.95
) -> Incidence:
    """Shares of a pipeline's opportunities won and lost by age, open ones handled as not yet ended.

    Parameters
    ----------
    pipeline : what a door returned.
    at : ages to report, lengths with their unit.
    level : of the intervals.

    Raises
    ------
    DataError
        No opportunity has a creation date, or some close before they are created.
    ConfigError
        An age is no length with a unit.

    Source: Aalen & Johansen (1978), Scandinavian Journal of Statistics 5:141; standard errors as in R's
    `survival::survfit`; intervals on the complementary log-log scale, as Choudhury (2002), Statistics in
    Medicine 21:1129.
    """
    ages = _ages(pipeline)
    ends, n_undated = _ends(ages)
    curve = aalen_johansen(ends["age_days"], outcome=ends["outcome"], n=ends["n"], level=level)
    horizon = last_supported_age(curve)
    closed = ends.loc[ends["outcome"] != "open", "age_days"]
    return Incidence(
        table=_read_at(curve, at),
        curve=curve,
        horizon_days=horizon,
        eventual=curve.loc[[horizon]].iloc[0],
        median_days=age_of_share(curve, share=0.5, horizon_days=horizon),
        stalled=_stalled(ages, oldest_closed=int(closed.max()) if len(closed) else None),
        n_opportunities=int(ends["n"].sum()),
        n_open=int(ends.loc[ends["outcome"] == "open", "n"].sum()),
        n_undated=n_undated,
        level=level,
    )


def aalen_johansen(
    days: Sequence[float] | pd.Series,
    *,
    outcome: Sequence[str] | pd.Series,
    n: Sequence[int] | pd.Series | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Share won, lost and still open by age, with standard errors and intervals.

    Parameters
    ----------
    days : age at the end, or when last seen, in days, >= 0.
    outcome : "won", "lost" or "open", one per age.
    n : how many opportunities each pair stands for; one where not given.

    Returns
    -------
    DataFrame, index `age_days` (0 and the distinct ages, ascending): n_at_risk, n_won, n_lost, n_open, won,
    won_se, won_low, won_high, lost, lost_se, lost_low, lost_high, open.
    """
    ended = pd.DataFrame({"age_days": np.asarray(days), "outcome": np.asarray(outcome, dtype=object)})
    ended["n"] = 1 if n is None else np.asarray(n)
    if unknown := sorted(set(ended["outcome"]) - set(OUTCOMES)):
        raise DataError(f"incidence: outcome {unknown}; expected {list(OUTCOMES)}")
    counts = ended.pivot_table(index="age_days", columns="outcome", values="n", aggfunc="sum", fill_value=0)
    counts = counts.reindex(index=counts.index.union([0]), columns=list(OUTCOMES), fill_value=0)
    counts = counts.astype("int64").rename_axis(index="age_days")
    at_risk = counts.sum(axis=1)[::-1].cumsum()[::-1]
    shares = {kind: _cumulative_incidence(at_risk, counts, kind) for kind in ("won", "lost")}
    curve = counts.add_prefix("n_").rename_axis(columns=None)
    curve.insert(0, "n_at_risk", at_risk)
    for kind, (share, se) in shares.items():
        curve[kind], curve[f"{kind}_se"] = share, se
        curve[f"{kind}_low"], curve[f"{kind}_high"] = _intervals(share, se, at_risk.to_numpy(), level=level)
    curve["open"] = (1 - curve["won"] - curve["lost"]).clip(lower=0.0)
    return curve


def last_supported_age(curve: pd.DataFrame) -> int:
    """Last age with at least 10 opportunities at risk; the last age of all where there are never so many."""
    supported = curve.index[curve["n_at_risk"] >= MIN_AT_RISK]
    return int(supported[-1] if len(supported) else curve.index[-1])


def age_of_share(curve: pd.DataFrame, *, share: float, horizon_days: int) -> float:
    """Age in days by which `share` of the wins known to happen by the horizon have; NaN without a win."""
    won = curve.loc[:horizon_days, "won"]
    if won.iloc[-1] == 0:
        return math.nan
    # Rounding must not move the answer to the next day.
    return float(won.index[(won >= share * won.iloc[-1] * (1 - 1e-12)).argmax()])


def maturity_window(*pipelines: Pipeline, share: float = 0.95) -> str:
    """Age by which `share` of the wins that happen have happened, as a length: "214 days".

    For several pipelines the longest, so that all of them can be counted with one window.

    Raises
    ------
    DataError
        A pipeline has no win to learn the window from.
    """
    return f"{max(_maturity_days(pipeline, share) for pipeline in pipelines)} days"


def compare_speed(
    a: Incidence,
    b: Incidence,
    *,
    level: float = 0.95,
    n_draws: int = 1000,
    rng: np.random.Generator | None = None,
) -> Speed:
    """Whether two firms win the same share in the end, and which of them takes longer.

    Each firm's eventual share is read at its own last age with enough at risk. Intervals of shares are from
    the Aalen-Johansen standard errors; those of the medians from resampling opportunities.

    Parameters
    ----------
    a, b : results of `incidence`.
    n_draws : resampled firms.
    rng : source of randomness; `default_rng(1)` where not given, so that a report does not change by itself.
    """
    rng = rng if rng is not None else np.random.default_rng(1)
    z = normal_quantile(level)
    won, se = [i.eventual["won"] for i in (a, b)], [i.eventual["won_se"] for i in (a, b)]
    conversion = _difference_row([_share_ends(i, level) for i in (a, b)], won)
    half = z * math.hypot(*se)
    conversion |= {"low": conversion["difference"] - half, "high": conversion["difference"] + half}
    drawn = [_draw_medians(i, n_draws, rng) for i in (a, b)]
    medians = [a.median_days, b.median_days]
    duration = _difference_row([_quantiles(draws, level) for draws in drawn], medians)
    duration["low"], duration["high"] = _quantiles(drawn[0] - drawn[1], level)
    table = pd.DataFrame({"eventual": conversion, "median_days": duration}).T.rename_axis("measure")
    return Speed(
        table=table,
        same_conversion=bool(conversion["low"] <= 0 <= conversion["high"]),
        slower="a" if duration["low"] > 0 else "b" if duration["high"] < 0 else None,
        level=level,
    )


def _ages(pipeline: Pipeline) -> ibis.Table:
    """One row per opportunity: its outcome, and its age at the end or at the snapshot."""
    deals = pipeline.opportunities
    end = ibis.coalesce(deals.closed_on, ibis.literal(pipeline.snapshot_at))
    age = end.delta(deals.created_on, unit="day").cast("int64")
    return deals.select("opportunity_id", "outcome", age_days=age)


def _ends(ages: ibis.Table) -> tuple[pd.DataFrame, int]:
    """How many opportunities ended in each way at each age, and how many have no age."""
    ends = ages.group_by("age_days", "outcome").agg(n=ages.count()).to_pandas()
    undated = ends["age_days"].isna()
    n_undated, ends = int(ends.loc[undated, "n"].sum()), ends[~undated].astype({"age_days": "int64"})
    if ends.empty:
        raise DataError(f"incidence: none of {n_undated} opportunities has a creation date; map created_on")
    if (ends["age_days"] < 0).any():
        n = int(ends.loc[ends["age_days"] < 0, "n"].sum())
        raise DataError(f"incidence: {n} opportunities close before they are created; correct their dates")
    return ends, n_undated


def _stalled(ages: ibis.Table, *, oldest_closed: int | None) -> pd.DataFrame:
    """Open opportunities older than the oldest that closed, oldest first; none where nothing ever closed."""
    if oldest_closed is None:
        return pd.DataFrame({"age_days": pd.Series(dtype="int64")}, index=pd.Index([], name="opportunity_id"))
    older = ages.filter((ages.outcome == "open") & (ages.age_days > oldest_closed))
    found = older.select("opportunity_id", "age_days").to_pandas()
    found = found.sort_values(["age_days", "opportunity_id"], ascending=[False, True])
    return found.set_index("opportunity_id").astype({"age_days": "int64"})


def _cumulative_incidence(
    at_risk: pd.Series, counts: pd.DataFrame, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """Aalen-Johansen share of `kind` and its standard error, at every age."""
    n, d = at_risk.to_numpy(float), counts[kind].to_numpy(float)
    ended = counts[["won", "lost"]].sum(axis=1).to_numpy(float)
    left = np.cumprod(1 - ended / n)
    before = np.concatenate([[1.0], left[:-1]])
    share = np.cumsum(before * d / n)
    # sum over t_i <= t of (F(t) - F(t_i))^2 a_i + b_i - 2 (F(t) - F(t_i)) c_i, expanded in F(t);
    # once everybody has left, F does not move any more and a_i has no weight.
    a = np.divide(ended, n * (n - ended), out=np.zeros_like(n), where=n > ended)
    b = before**2 * d * (n - d) / n**3
    c = before * d / n**2
    constant = np.cumsum(share**2 * a + b + 2 * share * c)
    linear = np.cumsum(share * a + c)
    return share, np.sqrt(np.maximum(constant - 2 * share * linear + share**2 * np.cumsum(a), 0.0))


def _intervals(
    share: np.ndarray, se: np.ndarray, n_at_risk: np.ndarray, *, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Low and high ends of cumulative shares; for 0 and 1, those of a rate among those at risk."""
    inside = (share > 1e-12) & (share < 1 - 1e-12)
    inner = np.where(inside, share, 0.5)
    width = normal_quantile(level) * se / (inner * np.log(inner))
    low, high = inner ** np.exp(-width), inner ** np.exp(width)
    for i in np.flatnonzero(~inside):
        low[i], high[i] = wilson(round(share[i]) * n_at_risk[i], n=n_at_risk[i], level=level)
    return low, high


def _read_at(curve: pd.DataFrame, at: Sequence[str]) -> pd.DataFrame:
    """Rows of the curve at the given ages; what no opportunity is old enough to show is missing."""
    days = {age: int(parse_length(age)) for age in at}
    ended = ["n_won", "n_lost", "n_open"]
    rows = [curve.loc[:day].iloc[-1] for day in days.values()]
    table = pd.DataFrame(rows).set_axis(pd.Index(days, name="age")).drop(columns=["n_at_risk", *ended])
    table[[day > curve.index[-1] for day in days.values()]] = math.nan
    table.insert(0, "age_days", list(days.values()))
    table.insert(1, "n_at_risk", [int(curve.loc[day:, ended].to_numpy().sum()) for day in days.values()])
    return table


def _maturity_days(pipeline: Pipeline, share: float) -> int:
    ends, _ = _ends(_ages(pipeline))
    curve = aalen_johansen(ends["age_days"], outcome=ends["outcome"], n=ends["n"])
    days = age_of_share(curve, share=share, horizon_days=last_supported_age(curve))
    if math.isnan(days):
        raise DataError(
            "funnel: no opportunity was won, so the age at which they are won is unknown; give a window"
        )
    return max(int(days), 1)


def _share_ends(result: Incidence, level: float) -> tuple[float, float]:
    row = result.eventual
    low, high = _intervals(*(np.array([row[c]]) for c in ("won", "won_se", "n_at_risk")), level=level)
    return float(low[0]), float(high[0])


def _difference_row(ends: list[tuple[float, float]], values: list[float]) -> dict[str, float]:
    (a_low, a_high), (b_low, b_high) = ends
    a, b = values
    row = {"a": a, "a_low": a_low, "a_high": a_high, "b": b, "b_low": b_low, "b_high": b_high}
    return row | {"difference": a - b}


def _draw_medians(result: Incidence, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Median days to win of firms made of as many opportunities drawn with replacement; shape (n_draws,)."""
    curve = result.curve
    cells = curve[["n_won", "n_lost", "n_open"]].to_numpy().T
    drawn = rng.multinomial(cells.sum(), cells.ravel() / cells.sum(), size=n_draws)
    won, lost, open_ = drawn.reshape(n_draws, 3, -1).swapaxes(0, 1)
    at_risk = np.maximum((won + lost + open_)[:, ::-1].cumsum(axis=1)[:, ::-1], 1)
    left = np.cumprod(1 - (won + lost) / at_risk, axis=1)
    before = np.concatenate([np.ones((n_draws, 1)), left[:, :-1]], axis=1)
    share = np.cumsum(before * won / at_risk, axis=1)[:, curve.index <= result.horizon_days]
    reached = share >= 0.5 * share[:, -1:] * (1 - 1e-12)
    medians = curve.index.to_numpy()[reached.argmax(axis=1)].astype(float)
    return np.where(share[:, -1] > 0, medians, np.nan)


def _quantiles(draws: np.ndarray, level: float) -> tuple[float, float]:
    known = draws[~np.isnan(draws)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
