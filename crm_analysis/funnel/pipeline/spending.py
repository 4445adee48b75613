"""What each source of leads costs and brings: leads, wins, first orders, return on spend."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import chi2

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel.ageing.maturity import maturity_window
from crm_analysis.funnel.pipeline.cohorts import cohort_of
from crm_analysis.workspace import parse_length

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

ALL, MISSING = "(all)", "(missing)"


def source_returns(
    pipeline: Pipeline,
    spend: pd.DataFrame,
    *,
    margin: float,
    window: str | None = None,
    since: dt.date | str | None = None,
    until: dt.date | str | None = None,
    duplicates: Collection[str] | None = None,
    unowned: Collection[str] | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Per source: spend, leads, wins and revenue to date, and what mature leads cost and bring.

    Parameters
    ----------
    spend : month (its first day), spend, and source where known.
    margin : profit per unit of revenue, above 0 and at most 1.
    window : time given to each lead, "90 days"; where not given, the age by which 95% of the wins that happen
        have happened (`maturity_window`). A month is mature once its last lead is that old.
    since, until : only months that begin in that time; all where not given.
    duplicates, unowned : ids of leads, counted per source if given.

    Returns
    -------
    DataFrame, index `source`, largest spend first, "(all)" last; spend, n_leads, n_won, n_open (still
    nurtured: neither won nor lost), revenue, cost_per_lead, cost_per_win: of all months, to date, so that
    cost_per_win will still fall. Of the mature months, with wins within the window: spend_mature,
    n_leads_mature, n_won_mature, revenue_mature, cost_per_win_mature with its low and high, roi with low and
    high: (revenue_mature * margin - spend_mature) / spend_mature. n_duplicates and n_unowned if given.
    A cost without a win, its high end where no win is possible, and a return without spend are missing; so is
    what needs amounts where none are mapped. Leads without a source are "(missing)"; a source of which no
    spend is known has spend 0, and its leads came for nothing as far as the table knows.

    Raises
    ------
    DataError
        Spend without month or spend, negative spend, or no month of it lies in that time.
    ConfigError
        The margin is no share.

    Notes
    -----
    Spend is known. Wins are a Poisson count (Garwood 1936, Biometrika 28:437), revenue a Poisson sum of
    their amounts, with the gamma interval of Fay & Feuer (1997), Statistics in Medicine 16:791. Revenue is
    that of the first order alone: what the customers buy later is no part of it.
    """
    if not 0 < margin <= 1:
        raise ConfigError(f"source returns: margin {margin}; expected a share above 0 and at most 1")
    spend = _spend(spend, since=since, until=until)
    days = int(parse_length(window or maturity_window(pipeline)))
    deals = _leads(pipeline, spend["month"], days)
    if "source" not in deals:
        spend, deals = spend.assign(source=ALL), deals.assign(source=ALL)
    mature = _is_mature(spend["month"], days, pipeline.snapshot_at)
    sources = list(dict.fromkeys([*_by_size(spend), *sorted(deals["source"].unique())]))
    extra = {"n_duplicates": duplicates, "n_unowned": unowned}
    rows = {}
    for source in [*(s for s in sources if s != ALL), ALL]:
        paid = spend if source == ALL else spend[spend["source"] == source]
        came = deals if source == ALL else deals[deals["source"] == source]
        rows[source] = _row(paid, paid[mature.loc[paid.index]], came, margin=margin, level=level) | {
            name: int(came["opportunity_id"].isin(set(ids)).sum())
            for name, ids in extra.items()
            if ids is not None
        }
    table = pd.DataFrame(rows).T.rename_axis("source")
    return table.astype({str(name): "int64" for name in table if str(name).startswith("n_")})


def _spend(spend: pd.DataFrame, *, since: dt.date | str | None, until: dt.date | str | None) -> pd.DataFrame:
    if missing := {"month", "spend"} - set(spend.columns):
        raise DataError(
            f"source returns: spend has no column {sorted(missing)}; it has {list(spend.columns)}"
        )
    table = spend.assign(month=pd.to_datetime(spend["month"]), spend=spend["spend"].astype(float))
    table["source"] = spend["source"].fillna(MISSING) if "source" in spend else ALL
    if since is not None:
        table = table[table["month"] >= pd.Timestamp(since)]
    if until is not None:
        table = table[table["month"] <= pd.Timestamp(until)]
    if table.empty or not (table["spend"] >= 0).all():
        raise DataError(
            f"source returns: {len(table)} rows of spend from {since or 'the beginning'} until "
            f"{until or 'the end'}, {int((~(table['spend'] >= 0)).sum())} of them negative or unknown; "
            "expected some, each at least 0"
        )
    return table.reset_index(drop=True)


def _leads(pipeline: Pipeline, months: pd.Series, days: int) -> pd.DataFrame:
    """Leads of the months in which spend is known, whether their month is mature, and won in time."""
    ends = months.max() + pd.offsets.MonthEnd(0)
    until = min(ends.date(), pipeline.snapshot_at)
    deals, _ = cohort_of(pipeline, since=months.min().date(), until=until)
    created = pd.to_datetime(deals["created_on"])
    deals["month"] = created - pd.to_timedelta(created.dt.day - 1, unit="D")
    deals = deals[deals["month"].isin(months.tolist())].copy()
    deals["is_mature"] = _is_mature(deals["month"], days, pipeline.snapshot_at)
    deals["in_time"] = deals["is_mature"] & (deals["outcome"] == "won") & (deals["days"] <= days)
    if "source" in deals:
        deals["source"] = deals["source"].astype(object).where(deals["source"].notna(), MISSING)
    return deals


def _is_mature(months: pd.Series, days: int, snapshot_at: dt.date) -> pd.Series:
    last = months + pd.offsets.MonthEnd(0)
    return last + pd.Timedelta(days=days) <= pd.Timestamp(snapshot_at)


def _by_size(spend: pd.DataFrame) -> list[str]:
    sums = spend.groupby("source")["spend"].sum().sort_index()
    return [str(name) for name in sums.sort_values(ascending=False, kind="stable").index]


def _row(
    spend: pd.DataFrame, mature: pd.DataFrame, deals: pd.DataFrame, *, margin: float, level: float
) -> dict[str, float]:
    """One source's row; `mature` are the rows of spend of mature months."""
    won = deals["outcome"] == "won"
    paid, paid_mature = float(spend["spend"].sum()), float(mature["spend"].sum())
    n_won, n_mature = int(won.sum()), int(deals["in_time"].sum())
    known = "amount" in deals
    amounts = deals.loc[deals["in_time"], "amount"].fillna(0.0).to_numpy(float) if known else np.zeros(0)
    typical = float(deals["amount"].mean()) if known and deals["amount"].notna().any() else 0.0
    revenue = float(amounts.sum()) if known else np.nan
    few, many = _poisson_ends(n_mature, level)
    low, high = _sum_ends(amounts, typical, level) if known else (np.nan, np.nan)
    roi = [_per(x * margin - paid_mature, paid_mature) for x in (revenue, low, high)]
    return {
        "spend": paid,
        "n_leads": len(deals),
        "n_won": n_won,
        "n_open": int((deals["outcome"] == "open").sum()),
        "revenue": float(deals.loc[won, "amount"].sum()) if known else np.nan,
        "cost_per_lead": _per(paid, len(deals)),
        "cost_per_win": _per(paid, n_won),
        "spend_mature": paid_mature,
        "n_leads_mature": int(deals["is_mature"].sum()),
        "n_won_mature": n_mature,
        "revenue_mature": revenue,
        "cost_per_win_mature": _per(paid_mature, n_mature),
        "cost_per_win_low": _per(paid_mature, many),
        "cost_per_win_high": _per(paid_mature, few),
        "roi": roi[0],
        "roi_low": roi[1],
        "roi_high": roi[2],
    }


def _per(value: float, of: float) -> float:
    return value / of if of > 0 else np.nan


def _poisson_ends(n: int, level: float) -> tuple[float, float]:
    tail = (1 - level) / 2
    return (chi2.ppf(tail, 2 * n) / 2 if n else 0.0), chi2.ppf(1 - tail, 2 * n + 2) / 2


def _sum_ends(amounts: np.ndarray, typical: float, level: float) -> tuple[float, float]:
    """Interval of the expected sum of a Poisson number of amounts; `typical` is one where there is none."""
    total, squares = float(amounts.sum()), float((amounts**2).sum())
    one = float(amounts.mean()) if len(amounts) else typical
    if one <= 0:
        return 0.0, 0.0
    tail = (1 - level) / 2
    low = squares / (2 * total) * chi2.ppf(tail, 2 * total**2 / squares) if total > 0 else 0.0
    above, spread = total + one, squares + one**2
    return float(low), float(spread / (2 * above) * chi2.ppf(1 - tail, 2 * above**2 / spread))
