"""Whether a change on last year is more than what this business has seen before.

Each earlier period's change on the same period of its own year before is a draw of what usually happens; a
new change is judged by their mean and spread. Comparing like with like takes the season out without a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from crm_analysis.errors import DataError

MIN_EARLIER = 6
SPREADS = 2.0
Judgement = Literal["usual", "above", "below", "unknown"]


@dataclass(frozen=True)
class Change:
    """A period's change on last year, beside what is usual.

    value, before : the measure in the period and a year earlier; change = value / before - 1.
    low, high : the usual range of such changes; missing where fewer than six earlier ones are known.
    judgement : "usual", "above", "below", or "unknown" where there is nothing to compare with.
    n_earlier : number of earlier changes the range rests on.
    """

    value: float
    before: float
    change: float
    low: float
    high: float
    judgement: Judgement
    n_earlier: int


def change_on_last_year(history: pd.DataFrame, *, label: str, measure: str = "revenue") -> Change:
    """Judge the change of `measure` from the same period of last year to the period `label`.

    The usual range is mean +- 2 standard deviations of the logarithms of earlier year-on-year ratios, widened
    by sqrt(1 + 1/n) since the mean is estimated too (a prediction interval of about 95%).

    Parameters
    ----------
    history : as `period_history` gives it: months, quarters or years in order of time, with `complete`.

    Raises
    ------
    DataError
        The history has no such period.
    """
    if label not in history.index:
        raise DataError(
            f"history: no period {label!r}; it holds {history.index[0]!r} to {history.index[-1]!r}"
        )
    values = history[measure].where(history["complete"] & (history[measure] > 0)).astype(float)
    per_year = _periods_per_year(history)
    ratios = (values / values.shift(per_year)).map(np.log).loc[:label]
    earlier, now = ratios.iloc[:-1].dropna(), float(ratios.iloc[-1])
    value = float(history[measure].loc[label])
    before = float(values.shift(per_year).loc[label])
    low, high = _usual_range(earlier)
    return Change(
        value=value,
        before=before,
        change=float(np.expm1(now)),
        low=float(np.expm1(low)),
        high=float(np.expm1(high)),
        judgement=_judge(now, low, high),
        n_earlier=len(earlier),
    )


def _periods_per_year(history: pd.DataFrame) -> int:
    days = (history["end"] - history["start"]).dt.days.median() + 1
    return max(1, round(365.25 / days))


def _usual_range(ratios: pd.Series) -> tuple[float, float]:
    if len(ratios) < MIN_EARLIER:
        return np.nan, np.nan
    half = SPREADS * float(ratios.std(ddof=1)) * np.sqrt(1 + 1 / len(ratios))
    return float(ratios.mean()) - half, float(ratios.mean()) + half


def _judge(now: float, low: float, high: float) -> Judgement:
    if not (np.isfinite(now) and np.isfinite(low)):
        return "unknown"
    return "above" if now > high else "below" if now < low else "usual"
