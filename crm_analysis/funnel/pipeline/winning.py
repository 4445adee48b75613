"""The win rates, side by side, each named for what it divides by."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from scipy.special import expit

from crm_analysis.errors import ConfigError
from crm_analysis.funnel.ageing.cumulative import aalen_johansen, last_supported_age
from crm_analysis.funnel.pipeline.cohorts import cohort_of
from crm_analysis.funnel.pipeline.owner_clusters import Clusters, ratio_influence
from crm_analysis.rates import wilson

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

By = Literal["owner", "source", "segment"]
MISSING = "(missing)"
COUNTED = {"won of closed": "won + lost", "won of all": "won + lost + open"}
BY_AMOUNT = {"amount won of closed": "amount won + lost"}
IN_THE_END = {"won in the end": "all, by age (Aalen-Johansen)"}


def win_rates(
    pipeline: Pipeline,
    *,
    by: By | None = None,
    since: dt.date | str | None = None,
    until: dt.date | str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return the win rates of the opportunities created from `since` until `until`, one row per denominator.

    "won of closed" favours whoever leaves lost deals open; "won of all" counts open ones as if they could
    not be won any more, so young cohorts look bad; "amount won of closed" is the first weighted by money;
    "won in the end" takes the open ones as open: the Aalen-Johansen share won by the last age with at least
    ten at risk.

    Parameters
    ----------
    by : "owner", "source" or "segment": the same for each of its values, those with most opportunities
        first; what has no value is "(missing)".
    since, until : first and last day of creation, both included; all where not given.

    Returns
    -------
    DataFrame, index `measure` (with `by`: the value, then the measure); denominator (in words), won, of,
    rate, low, high, n (deals that the denominator counts). The rate is missing where the denominator is 0,
    and its interval then says that nothing is known; the row by amount is there where amounts are. Intervals
    are Wilson's for counts; of amounts, from the sandwich variance (by owner, where eight or more are
    mapped); in the end, as in `incidence`.
    """
    deals, _ = cohort_of(pipeline, since=since, until=until)
    if by is None:
        return _rates(deals, level)
    if by not in deals:
        raise ConfigError(f"win rates: by={by!r}; the pipeline has {_mapped(deals)}; map it")
    groups = deals[by].fillna(MISSING)
    order = groups.value_counts(sort=False).sort_index().sort_values(ascending=False, kind="stable").index
    return pd.concat({group: _rates(deals[groups == group], level) for group in order}, names=[by])


def _mapped(deals: pd.DataFrame) -> list[str]:
    return [name for name in ("owner", "source", "segment") if name in deals]


def _rates(deals: pd.DataFrame, level: float) -> pd.DataFrame:
    won, lost = deals["outcome"] == "won", deals["outcome"] == "lost"
    rows = {}
    for (measure, words), n in zip(COUNTED.items(), (int((won | lost).sum()), len(deals)), strict=True):
        rows[measure] = _row(words, int(won.sum()), n, wilson(int(won.sum()), n=n, level=level), n)
    if "amount" in deals:
        rows |= {name: _by_amount(deals, words, level) for name, words in BY_AMOUNT.items()}
    rows |= {name: _in_the_end(deals, words, level) for name, words in IN_THE_END.items()}
    return pd.DataFrame(rows).T.rename_axis("measure").infer_objects()


def _row(
    words: str, won: float, of: float, ends: tuple[float, float], n: int, rate: float | None = None
) -> dict[str, object]:
    share = rate if rate is not None else won / of if of else np.nan
    low, high = ends
    return {"denominator": words, "won": won, "of": of, "rate": share, "low": low, "high": high, "n": n}


def _by_amount(deals: pd.DataFrame, words: str, level: float) -> dict[str, object]:
    closed = deals[deals["outcome"].isin(["won", "lost"]) & deals["amount"].notna()]
    amount = closed["amount"].to_numpy(float)
    won = amount * (closed["outcome"] == "won").to_numpy(float)
    total, above = float(amount.sum()), float(won.sum())
    if not 0 < above < total:
        # All or nothing says as much as the counts do.
        n_won = int((closed["outcome"] == "won").sum()) if total else 0
        ends = wilson(n_won, n=len(closed) if total else 0, level=level)
        return _row(words, above, total, ends, len(closed))
    clusters = Clusters.of(closed)
    rate = above / total
    # Normal on the log odds, which keeps the ends inside 0 and 1.
    variance = clusters.covariance(ratio_influence(won, amount)[:, None])[0, 0] / (1 - rate) ** 2
    half, odds = clusters.quantile(level) * math.sqrt(variance), math.log(rate / (1 - rate))
    return _row(words, above, total, (float(expit(odds - half)), float(expit(odds + half))), len(closed))


def _in_the_end(deals: pd.DataFrame, words: str, level: float) -> dict[str, object]:
    cells = deals.groupby(["days", "outcome"]).size().reset_index(name="n")
    curve = aalen_johansen(cells["days"], outcome=cells["outcome"], n=cells["n"], level=level)
    end = curve.loc[[last_supported_age(curve)], ["won", "won_low", "won_high"]]
    rate, low, high = end.to_numpy(float)[0].tolist()
    n_won = int((deals["outcome"] == "won").sum())
    return _row(words, n_won, np.nan, (low, high), len(deals), rate)
