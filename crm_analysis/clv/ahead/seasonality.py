"""Which months are strong? An index estimated from repeat purchases, or none where there is no telling.

What is counted matters. The base grows, newcomers come in seasons of their own, and customers buy less as
they grow older: a month's total mixes all of that. So purchases are counted per day at risk, by the month in
which customers came and the month in which they bought, beside a smooth function of age and a trend over
cohorts (which together hold any trend over time, too). What then differs between Januaries and Junes, year
after year, is the season.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import fdtrc

from crm_analysis.clv.ahead.season import MONTH_DAYS, NO_SEASON, Season, given_season, normalised
from crm_analysis.clv.histories import FloatArray, IntArray
from crm_analysis.errors import DataError

if TYPE_CHECKING:
    from crm_analysis.doors.transactions import Transactions

FEWEST_MONTHS = 24
LEVEL = 0.05  # p-value above which what is seen may be chance
_TREND = 5  # columns of the design that are no month


def season_of(log: Transactions, *, given: Sequence[float] | None = None) -> Season:
    """Return the season given, else the one that the log shows, else none with its reason.

    Parameters
    ----------
    given : 12 numbers, January to December, where somebody knows better.
    """
    if given is not None:
        return given_season(given)
    try:
        return estimate_season(monthly_repeats(log))
    except DataError:
        return Season(NO_SEASON.index, "none", reason="short log")


def monthly_repeats(log: Transactions) -> pd.DataFrame:
    """Count repeat purchase days by the month in which customers came and the month in which they bought.

    Returns
    -------
    DataFrame, one row per came and bought (first days of months), of customers with complete histories in
    the months that were observed whole: n_repeats, and n_days, customer days at risk.
    """
    from crm_analysis.customers import customer_table  # reads a log, and so needs the engine

    customers = customer_table(log)
    customers = customers.filter(customers.history_complete)
    first = customers.select("customer_id", first_on=customers.first_at.cast("date"))
    days = log.merged.filter(log.merged.n_lines > 0).select("customer_id", "occurred_on").distinct()
    bought = days.inner_join(first, "customer_id").filter(lambda t: t.occurred_on > t.first_on)
    counts = bought.group_by(
        came=bought.first_on.truncate("month"), bought=bought.occurred_on.truncate("month")
    ).agg(n=bought.count())
    born = first.group_by("first_on").agg(n=first.count()).to_pandas()
    return count_cells(
        counts.to_pandas(), born.set_index("first_on")["n"], since=log.observed_from, until=log.observed_until
    )


def count_cells(counts: pd.DataFrame, born: pd.Series, *, since: object, until: object) -> pd.DataFrame:
    """Set counts beside the days at risk, for `monthly_repeats`.

    Parameters
    ----------
    counts : came, bought (first days of months) and n, repeat purchase days.
    born : customers by the day of their first purchase; they are at risk from the day after.
    since, until : first and last day observed; months that were not observed whole are left out.
    """
    days, n_born = born.index.to_numpy("datetime64[D]"), born.to_numpy(float)
    first = np.datetime64(str(since)[:10], "D")
    whole = np.arange(
        (first - 1).astype("datetime64[M]") + 1,
        (np.datetime64(str(until)[:10], "D") + 1).astype("datetime64[M]"),
        dtype="datetime64[M]",
    )
    came = days.astype("datetime64[M]")
    cohorts, cohort = np.unique(came, return_inverse=True)
    begin, end = whole.astype("datetime64[D]"), (whole + 1).astype("datetime64[D]")
    at_risk = np.clip((end - np.maximum(begin, days[:, None] + 1)).astype(int), 0, None)
    n_days = np.zeros((len(cohorts), len(whole)))
    np.add.at(n_days, cohort, n_born[:, None] * at_risk)
    cells = pd.DataFrame(
        {"n_days": n_days.ravel()}, pd.MultiIndex.from_product([cohorts, whole], names=["came", "bought"])
    )
    keys = [counts[name].to_numpy("datetime64[M]") for name in ("came", "bought")]
    seen = pd.Series(counts["n"].to_numpy(), pd.MultiIndex.from_arrays(keys, names=["came", "bought"]))
    cells["n_repeats"] = seen.reindex(cells.index).fillna(0).astype(int)
    return cells[cells["n_days"] > 0].reset_index()


def estimate_season(cells: pd.DataFrame) -> Season:
    """Estimate the index from at least 24 whole months.

    Parameters
    ----------
    cells : `monthly_repeats`.

    Returns
    -------
    Season "estimated" with standard errors, or "none" where no month differs beyond chance (5%).

    Raises
    ------
    DataError
        Fewer than 24 months of customers with complete histories, or nobody came back.

    Notes
    -----
    Poisson counts, log mean linear in the month of the year, the cohort and the age (its logarithm, that
    squared, and itself). Standard errors are scaled to how much the same month differs from year to year,
    since what happens in one month happens to all customers. A month far from the same month of other years,
    as a campaign makes it, counts less or not at all (Tukey's biweight).
    """
    month = cells["bought"].to_numpy("datetime64[M]").astype(int)
    month, n_months = month - month.min(initial=month.max(initial=0)), len(np.unique(month))
    if n_months < FEWEST_MONTHS or not cells["n_repeats"].any():
        raise DataError(
            f"season: {n_months} whole months with customers of complete histories, "
            f"{cells['n_repeats'].sum()} repeat purchases; {FEWEST_MONTHS} months are needed. Give an index "
            "or forecast without"
        )
    found = _robust(cells, month)
    dispersion, freedom = found.dispersion
    effects, covariance = found.effects[_TREND:], found.covariance[_TREND:, _TREND:] * dispersion
    p_value = float(fdtrc(11, freedom, effects @ np.linalg.solve(covariance, effects) / 11))
    if p_value > LEVEL:
        return Season(NO_SEASON.index, "none", p_value=p_value, reason="chance")
    index, errors = _index(effects, covariance)
    return Season(tuple(index.tolist()), "estimated", tuple(errors.tolist()), p_value)


@dataclass(frozen=True)
class _Found:
    """Effects with their covariance; per month counts, what was expected, and the weight it got."""

    effects: FloatArray
    covariance: FloatArray
    actual: FloatArray
    expected: FloatArray
    weight: FloatArray

    @property
    def dispersion(self) -> tuple[float, float]:
        """How much more months differ than Poisson counts would, at least 1, and its degrees of freedom."""
        freedom = max(float(self.weight.sum()) - 12 - 2, 1.0)
        apart = self.weight * (self.actual - self.expected) ** 2 / self.expected
        return max(1.0, float(apart.sum() / freedom)), freedom

    @property
    def reweighted(self) -> FloatArray:
        """Tukey's biweight of how far each month lies from the same month of other years."""
        usual = self.expected * self._usual_ratio
        far = (self.actual - usual) / np.sqrt(usual)
        spread = max(1.0, float(np.median(np.abs(far[far != 0]))) / 0.6745)
        return np.clip(1 - (far / (4.685 * spread)) ** 2, 0, None) ** 2

    @property
    def _usual_ratio(self) -> FloatArray:
        """Median over the years of actual to expected, per month; years weighted by their precision."""
        ratio, same = (self.actual + 0.5) / (self.expected + 0.5), np.arange(len(self.expected)) % 12
        usual = np.empty(12)
        for month in range(12):
            years = np.flatnonzero(same == month)
            years = years[np.argsort(ratio[years])]
            reached = np.cumsum(np.sqrt(self.expected[years]))
            usual[month] = ratio[years[np.searchsorted(reached, reached[-1] / 2)]]
        return usual[same]


def _robust(cells: pd.DataFrame, month: IntArray) -> _Found:
    """Fit again and again, each month weighted by how well it agrees with the same month of other years."""
    design, n_days = _design(cells), cells["n_days"].to_numpy(float)
    counts = cells["n_repeats"].to_numpy(float)
    weight, effects = np.ones(month.max() + 1), None
    for _ in range(20):
        effects, covariance = _poisson(design, counts, n_days, weight[month], effects)
        expected: FloatArray = np.bincount(month, n_days * np.exp(design @ effects)).astype(float)
        actual: FloatArray = np.bincount(month, counts).astype(float)
        found = _Found(effects, covariance, actual, expected, weight)
        if np.abs(found.reweighted - weight).max() < 1e-3:
            break
        weight = found.reweighted
    return found


def _design(cells: pd.DataFrame) -> FloatArray:
    """Columns: constant, cohort, three of age; then February to December."""
    came = cells["came"].to_numpy("datetime64[M]").astype(int)
    bought = cells["bought"].to_numpy("datetime64[M]").astype(int)
    age = np.log1p(bought - came)
    trend = [np.ones(len(cells)), (came - came.min()) / 12, age, age**2, (bought - came) / 12]
    return np.column_stack([*trend, *(bought % 12 == month for month in range(1, 12))])


def _poisson(
    design: FloatArray, counts: FloatArray, exposure: FloatArray, weight: FloatArray, start: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Effects and their covariance by Newton's method; a column that tells nothing gets no effect."""
    effects = np.zeros(design.shape[1]) if start is None else start
    if start is None:
        effects[0] = np.log(counts.sum() / exposure.sum())
    for _ in range(50):
        mean = exposure * np.exp(np.clip(design @ effects, -50, 50))
        inverse = np.linalg.pinv(design.T @ ((weight * mean)[:, None] * design)).astype(float)
        step = inverse @ (design.T @ (weight * (counts - mean)))
        effects = effects + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    return effects, inverse


def _index(effects: FloatArray, covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Index with mean 1 from the effects of February to December, and standard errors by the delta method."""
    index = normalised(np.exp(np.concatenate([[0.0], effects])))
    slope = np.diag(index) - np.outer(index, index * MONTH_DAYS / MONTH_DAYS.sum())
    padded = np.zeros((12, 12))
    padded[1:, 1:] = covariance
    return index, np.sqrt(np.diag(slope @ padded @ slope.T))
