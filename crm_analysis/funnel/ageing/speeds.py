"""Whether two firms win the same share in the end, and which of them takes longer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.funnel.ageing.by_age import Incidence
from crm_analysis.funnel.ageing.cumulative import cumulative_shares, share_ends
from crm_analysis.funnel.ageing.gray import ENDED, gray_test
from crm_analysis.funnel.ageing.resampling import by_owner, draw_ends, quantiles
from crm_analysis.funnel.ageing.waits import waits_of
from crm_analysis.rates import normal_quantile


@dataclass(frozen=True, eq=False)
class Speed:
    """Two firms' eventual conversion and time to win.

    table : index `measure` with the rows `eventual` (share won, in the end) and `median_days` (of the wins
        that happen, days until half of them have); columns a, a_low, a_high, b, b_low, b_high,
        difference (a - b), low, high.
    same_conversion : the interval of the difference in eventual conversion holds 0.
    slower : "a", "b" or None: whose median is longer, where the interval of the difference leaves out 0.
    level : of the intervals.
    gray : index `outcome` (won, lost); statistic, df, p of Gray's test over the whole course, which takes
        opportunities as independent.
    by_owner : the intervals of the eventual shares are from drawing owners again, in both firms.
    """

    table: pd.DataFrame
    same_conversion: bool
    slower: str | None
    level: float
    gray: pd.DataFrame
    by_owner: bool


def compare_speed(
    a: Incidence,
    b: Incidence,
    *,
    level: float = 0.95,
    n_draws: int = 1000,
    rng: np.random.Generator | None = None,
) -> Speed:
    """Whether two firms win the same share in the end, and which of them takes longer.

    Each firm's eventual share is read at its own last age with enough at risk. The deals of one owner are
    alike: where both firms have 8 owners or more, owners are drawn again for all intervals. Else those of
    shares are from the Aalen-Johansen standard errors, those of medians from drawing opportunities again.

    Parameters
    ----------
    a, b : results of `incidence`.
    n_draws : resampled firms.
    rng : source of randomness; `default_rng(1)` where not given, so that a report does not change by itself.
    """
    rng = rng if rng is not None else np.random.default_rng(1)
    shares, medians = zip(*(_draw(i, n_draws, rng) for i in (a, b)), strict=True)
    clustered = by_owner(a.ends) and by_owner(b.ends)
    spread = [
        _spread(i, draws) if clustered else float(i.eventual["won_se"])
        for i, draws in zip((a, b), shares, strict=True)
    ]
    half = normal_quantile(level) * math.hypot(*spread)
    won = [float(i.eventual["won"]) for i in (a, b)]
    conversion = _row([_ends(i, se, level) for i, se in zip((a, b), spread, strict=True)], won)
    conversion |= {"low": conversion["difference"] - half, "high": conversion["difference"] + half}
    duration = _row([quantiles(draws, level) for draws in medians], [a.median_days, b.median_days])
    duration["low"], duration["high"] = quantiles(medians[0] - medians[1], level)
    return Speed(
        table=pd.DataFrame({"eventual": conversion, "median_days": duration}).T.rename_axis("measure"),
        same_conversion=bool(conversion["low"] <= 0 <= conversion["high"]),
        slower="a" if duration["low"] > 0 else "b" if duration["high"] < 0 else None,
        level=level,
        gray=_gray(a, b),
        by_owner=clustered,
    )


def _draw(result: Incidence, n_draws: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Eventual share won and median days of every draw, each of shape (n_draws,)."""
    days, won, lost, open_ = draw_ends(result.ends, n_draws=n_draws, rng=rng)
    shares = cumulative_shares(won, lost, open_)[0]
    eventual = shares[:, np.searchsorted(days, result.horizon_days, side="right") - 1]
    return eventual, waits_of(days, shares, [0.5], result.horizon_days)[:, 0]


def _spread(result: Incidence, draws: np.ndarray) -> float:
    """Standard error over the draws, widened for few owners; at least that of independent opportunities."""
    n = result.ends["owner"].nunique()
    return max(float(draws.std(ddof=1)) * math.sqrt(n / (n - 1)), float(result.eventual["won_se"]))


def _ends(result: Incidence, se: float, level: float) -> tuple[float, float]:
    row = result.eventual
    low, high = share_ends([row["won"]], [se], n_at_risk=[row["n_at_risk"]], level=level)
    return float(low[0]), float(high[0])


def _row(ends: list[tuple[float, float]], values: list[float]) -> dict[str, float]:
    (a_low, a_high), (b_low, b_high) = ends
    a, b = values
    row = {"a": a, "a_low": a_low, "a_high": a_high, "b": b, "b_low": b_low, "b_high": b_high}
    return row | {"difference": a - b}


def _gray(a: Incidence, b: Incidence) -> pd.DataFrame:
    tests = {outcome: gray_test({"a": a, "b": b}, outcome=outcome) for outcome in ENDED}
    rows = {outcome: {"statistic": t.statistic, "df": t.df, "p": t.p} for outcome, t in tests.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("outcome")
