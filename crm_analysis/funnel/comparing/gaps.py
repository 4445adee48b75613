"""Two firms' results side by side: which part of the gap each transition accounts for, and how surely.

A result is a product: leads, one rate per transition and, for revenue, the value of a won deal. The gap
between two products is split exactly (`crm_analysis.split`); the intervals carry the chance in the counts
and, where amounts are given, in the deal values. A split is arithmetic: a firm that qualifies harder lowers
its own rate and raises the next one, so neighbouring transitions are read together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel.counting.counts import StageCounts, transitions
from crm_analysis.funnel.counting.stage_history import count_stages
from crm_analysis.rates import (
    holm,
    newcombe,
    normal_quantile,
    score_test,
    smallest_visible_difference,
    wilson,
)
from crm_analysis.split import log_mean_split, range_over_orders, shapley_split

Per = Literal["1000 entrants", "spend", "revenue"]
Method = Literal["log-mean", "shapley"]
Intervals = Literal["delta", "bootstrap"]
Counts = StageCounts | Sequence[int]
DealValue = float | Sequence[float] | pd.Series

SPLITS = {"log-mean": log_mean_split, "shapley": shapley_split}
DEAL_VALUE = "Deal value"


@dataclass(frozen=True, eq=False)
class Gap:
    """The gap a - b between two firms and its split.

    gap, gap_low, gap_high : value_a - value_b with its interval; in `unit`.
    value_a, value_b : the two results, in `unit`.
    contributions : index `transition` (leads first, then the transitions, then the deal value where one was
        given); contribution, low, high (in `unit`; they add up to the gap), and share, share_low, share_high
        of the gap. Shares and their intervals are missing where the gap's interval holds 0: a share of what
        may be nothing says nothing.
    covariance : of the contributions, rows and columns as there.
    conversion, conversion_low, conversion_high : the transitions' contributions together, in `unit`.
    p_largest : probability that a row's contribution, in the direction of the gap, is the largest of all.
    factors : index as contributions; a, b, ratio (a / b, missing where b is 0): the ratios multiply to
        value_a / value_b. An untried transition (nobody entered its stage) has the other firm's rate here,
        1 where neither tried.
    stages : index `transition`; n_a, k_a, rate_a, low_a, high_a and the same for b (Wilson), difference
        (a - b) with low and high (Newcombe), z, p, p_holm (score test, adjusted by Holm for the number of
        transitions), smallest_visible (the difference that would have been seen with a probability of 80%).
        Rates and differences are missing where nobody entered the stage before; the intervals then say that
        nothing is known.
    orders : index as contributions; log_mean, shapley, lowest and highest over all orders of replacement.
    unit : "wins", "wins per 1,000 entrants", "revenue per 100,000 CNY", ...
    method, intervals, level : how it was made.
    n_entrants : opportunities that the rates of a and of b rest on.
    window_days : conversion windows of a and b in days; None for plain counts.
    """

    gap: float
    gap_low: float
    gap_high: float
    value_a: float
    value_b: float
    contributions: pd.DataFrame
    covariance: pd.DataFrame
    conversion: float
    conversion_low: float
    conversion_high: float
    p_largest: pd.Series
    factors: pd.DataFrame
    stages: pd.DataFrame
    orders: pd.DataFrame
    unit: str
    method: Method
    intervals: Intervals
    level: float
    n_entrants: tuple[int, int]
    window_days: tuple[int | None, int | None]

    @property
    def is_clear(self) -> bool:
        """Whether the interval of the gap leaves out 0."""
        return self.gap_low > 0 or self.gap_high < 0


def compare(
    counts_a: Counts,
    counts_b: Counts,
    *,
    per: Per | None = None,
    spend_a: float | None = None,
    spend_b: float | None = None,
    deal_value_a: DealValue | None = None,
    deal_value_b: DealValue | None = None,
    spend_unit: float = 1.0,
    currency: str = "",
    stages: Sequence[str] | None = None,
    method: Method = "log-mean",
    intervals: Intervals = "delta",
    level: float = 0.95,
    n_draws: int = 4000,
    rng: np.random.Generator | None = None,
) -> Gap:
    """Gap between two firms' wins or revenue, split over leads, transitions and deal value.

    Parameters
    ----------
    counts_a, counts_b : results of `count_stages` or `count_wins`, or counts from first stage to wins.
    per : None: wins as counted. "1000 entrants": wins per 1,000 entrants, so that the number of leads plays
        no part. "spend": wins (revenue, if deal values are given) per `spend_unit` of spend, with leads per
        unit of spend as the first bar. "revenue": revenue, per unit of spend if spend is given.
    spend_a, spend_b : money spent to get the opportunities created in the counts' period. Leads per unit of
        spend count all of these, the ones too young to judge included: their rates are not yet known, their
        number is.
    deal_value_a, deal_value_b : mean value of a won deal, taken as known; or the amounts of won deals, whose
        mean is then uncertain. For revenue, where not given, the counts' own `deal_values`.
    spend_unit, currency : name the unit: 100_000 and "CNY" give "Leads per 100,000 CNY".
    stages : names of the stages of plain counts.
    method : of the split: "log-mean" (LMDI-I) or "shapley" (mean over all orders).
    intervals : "delta" (normal, with the Jacobian of the split at the counts) or "bootstrap" (percentiles of
        firms drawn from the fitted rates).
    level, n_draws, rng : of the intervals; draws for the bootstrap and for `p_largest`, from
        `default_rng(1)` where no generator is given, so that a report does not change by itself.

    Raises
    ------
    ConfigError
        Arguments that do not go together, or stages that differ.
    DataError
        A firm has no entrants, or spend or deal values are not above 0.

    Notes
    -----
    The rate of a transition with n entrants has variance r(1 - r)/n, independent between transitions given
    the leads. Leads are fixed, but per unit of spend they are a count with its own (Poisson) variance. Rates
    of exactly 0 or 1 are moved by half an opportunity, (k + 1/2)/(n + 1), where variances are computed, so
    that they are never certain. The interval of a share is Fieller's, of a ratio of two normals. Sources:
    see `crm_analysis.split`; Fieller (1954), JRSS B 16:175.
    """
    _check_choices(per=per, method=method, intervals=intervals)
    a, b = (_as_counts(c, stages) for c in (counts_a, counts_b))
    _check_stages(a, b)
    spends, deals = (spend_a, spend_b), (deal_value_a, deal_value_b)
    basis = _basis(a, b, per=per, spends=spends, deals=deals, spend_unit=spend_unit, currency=currency)
    rng = rng if rng is not None else np.random.default_rng(1)
    return _split(a, b, basis, method=method, intervals=intervals, level=level, n_draws=n_draws, rng=rng)


@dataclass(frozen=True)
class _Basis:
    """What stands before and after the rates, per firm: values and variances of their logarithms."""

    leads: tuple[float, float]
    leads_variance: tuple[float, float]
    deals: tuple[tuple[float, float], tuple[float, float]] | None
    label: str
    unit: str


@dataclass(frozen=True)
class _Side:
    """One firm's factors, the smoothed ones that variances are taken at, and their log variances."""

    factors: np.ndarray
    smoothed: np.ndarray
    log_variance: np.ndarray
    entrants: int
    n_rates: int


def _check_choices(*, per: str | None, method: str, intervals: str) -> None:
    choices = {
        "per": (per, (None, "1000 entrants", "spend", "revenue")),
        "method": (method, tuple(SPLITS)),
        "intervals": (intervals, ("delta", "bootstrap")),
    }
    wrong = [
        f"{name}={value!r}, expected one of {known}"
        for name, (value, known) in choices.items()
        if value not in known
    ]
    if wrong:
        raise ConfigError(f"funnel: {'; '.join(wrong)}")


def _as_counts(counts: Counts, stages: Sequence[str] | None) -> StageCounts:
    return counts if isinstance(counts, StageCounts) else count_stages(counts, stages=stages)


def _check_stages(a: StageCounts, b: StageCounts) -> None:
    if a.stages != b.stages:
        raise ConfigError(
            f"funnel: stages differ: {list(a.stages)} and {list(b.stages)}; rename or merge them"
        )
    if not (a.nested and b.nested):
        raise ConfigError("funnel: a split needs nested stages; count both firms with skipped='imputed'")
    if empty := [name for name, c in (("a", a), ("b", b)) if c.counts[0] == 0]:
        raise DataError(f"funnel: firm {' and '.join(empty)} has no entrants, so there is nothing to compare")


def _basis(
    a: StageCounts,
    b: StageCounts,
    *,
    per: Per | None,
    spends: tuple[float | None, float | None],
    deals: tuple[DealValue | None, DealValue | None],
    spend_unit: float,
    currency: str,
) -> _Basis:
    money = per in ("spend", "revenue")
    if not money and any(x is not None for x in (*spends, *deals)):
        raise ConfigError(
            f"funnel: per={per!r} uses no spend and no deal values; per='spend' or 'revenue' do"
        )
    by_spend = per == "spend" or any(s is not None for s in spends)
    revenue = per == "revenue" or any(d is not None for d in deals)
    values = _deal_values(a, b, deals) if revenue else None
    what = "revenue" if revenue else "wins"
    if by_spend:
        spent = _positive(spends, "spend")
        leads = (a.n_entrants * spend_unit / spent[0], b.n_entrants * spend_unit / spent[1])
        unit = f"{spend_unit:,.0f} {currency}".strip() if spend_unit != 1 else f"{currency or 'unit'} spent"
        variance = (1 / a.n_entrants, 1 / b.n_entrants)
        return _Basis(leads, variance, values, f"Leads per {unit}", f"{what} per {unit}")
    fixed = (1000.0, 1000.0) if per == "1000 entrants" else (float(a.counts[0]), float(b.counts[0]))
    unit = f"{what} per 1,000 entrants" if per == "1000 entrants" else what
    return _Basis(fixed, (0.0, 0.0), values, "Leads", unit)


def _positive(values: tuple[float | None, float | None], name: str) -> tuple[float, float]:
    known = [float(v) if v is not None else math.nan for v in values]
    if not all(math.isfinite(v) and v > 0 for v in known):
        raise DataError(f"funnel: {name} of a and b is {known}; expected two numbers above 0")
    return known[0], known[1]


def _deal_values(
    a: StageCounts, b: StageCounts, deals: tuple[DealValue | None, DealValue | None]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Mean deal value and the variance of its logarithm, per firm; a firm without a win has the other's."""
    pairs = zip(deals, (a, b), strict=True)
    amounts = [
        np.atleast_1d(np.asarray(counts.deal_values if given is None else given, dtype=float))
        for given, counts in pairs
    ]
    known = [x if len(x) else amounts[1 - i] for i, x in enumerate(amounts)]
    if not len(known[0]):
        raise ConfigError("funnel: revenue needs deal_value_a and deal_value_b, or counts with amounts")
    means = _positive((float(known[0].mean()), float(known[1].mean())), "mean deal value")
    spread = [float(x.var(ddof=1)) / len(x) if len(x) > 1 else 0.0 for x in known]
    return (means[0], spread[0] / means[0] ** 2), (means[1], spread[1] / means[1] ** 2)


@dataclass(frozen=True)
class _Parts:
    """Contributions, their covariance, and those of drawn firms."""

    values: np.ndarray
    covariance: np.ndarray
    drawn: np.ndarray
    intervals: Intervals
    level: float

    def ends(self, weights: np.ndarray) -> tuple[float, float]:
        """Interval of a weighted sum of the contributions."""
        if self.intervals == "bootstrap":
            return _percentiles(self.drawn @ weights, self.level)
        middle = float(self.values @ weights)
        half = normal_quantile(self.level) * math.sqrt(max(float(weights @ self.covariance @ weights), 0.0))
        return middle - half, middle + half

    def share_ends(self, k: int) -> tuple[float, float]:
        """Interval of one part's share of the gap, which must be clear."""
        if self.intervals == "bootstrap":
            gaps = self.drawn.sum(axis=1)
            return _percentiles(self.drawn[gaps != 0, k] / gaps[gaps != 0], self.level)
        return _fieller(
            (self.values[k], self.values.sum()),
            variances=(self.covariance[k, k], self.covariance.sum()),
            covariance=self.covariance[k].sum(),
            level=self.level,
        )


def _split(
    a: StageCounts,
    b: StageCounts,
    basis: _Basis,
    *,
    method: Method,
    intervals: Intervals,
    level: float,
    n_draws: int,
    rng: np.random.Generator,
) -> Gap:
    names = [basis.label, *transitions(a.stages), *([DEAL_VALUE] if basis.deals else [])]
    index = pd.Index(names, name="transition")
    side_a, side_b = _sides(a, b, basis)
    split = SPLITS[method]
    parts = _Parts(
        values=split(side_a.factors, side_b.factors) + 0.0,
        covariance=_delta_covariance(side_a, side_b, method),
        drawn=split(_draw(side_a, n_draws, rng), _draw(side_b, n_draws, rng)),
        intervals=intervals,
        level=level,
    )
    value_a, value_b = float(side_a.factors.prod()), float(side_b.factors.prod())
    of_stages = np.array([name in index[1 : len(a.stages)] for name in index], dtype=float)
    gap_low, gap_high = parts.ends(np.ones(len(index)))
    conversion_low, conversion_high = parts.ends(of_stages)
    return Gap(
        gap=value_a - value_b,
        gap_low=gap_low,
        gap_high=gap_high,
        value_a=value_a,
        value_b=value_b,
        contributions=_contributions(parts, index, clear=gap_low > 0 or gap_high < 0),
        covariance=pd.DataFrame(parts.covariance, index=index, columns=index.rename(None)),
        conversion=float(parts.values @ of_stages),
        conversion_low=conversion_low,
        conversion_high=conversion_high,
        p_largest=_p_largest(parts.drawn, value_a - value_b, index),
        factors=_factor_table(side_a.factors, side_b.factors, index),
        stages=_stage_tests(a, b, level=level),
        orders=_orders(side_a.factors, side_b.factors, index),
        unit=basis.unit,
        method=method,
        intervals=intervals,
        level=level,
        n_entrants=(a.counts[0], b.counts[0]),
        window_days=(a.window_days, b.window_days),
    )


def _contributions(parts: _Parts, index: pd.Index, *, clear: bool) -> pd.DataFrame:
    table = pd.DataFrame({"contribution": parts.values}, index=index)
    table[["low", "high"]] = [parts.ends(row) for row in np.eye(len(index))]
    table["share"] = parts.values / parts.values.sum() if clear else math.nan
    unknown = (math.nan, math.nan)
    table[["share_low", "share_high"]] = [
        parts.share_ends(k) if clear else unknown for k in range(len(index))
    ]
    return table


def _sides(a: StageCounts, b: StageCounts, basis: _Basis) -> tuple[_Side, _Side]:
    counts = np.array([a.counts, b.counts], dtype=float)
    rates, smoothed, rate_variance = _rates(counts)
    sides = []
    for i in range(2):
        end = [basis.deals[i]] if basis.deals else []
        values, variances = [value for value, _ in end], [variance for _, variance in end]
        sides.append(
            _Side(
                factors=np.array([basis.leads[i], *rates[i], *values]),
                smoothed=np.array([basis.leads[i], *smoothed[i], *values]),
                log_variance=np.array([basis.leads_variance[i], *rate_variance[i], *variances]),
                entrants=int(counts[i, 0]),
                n_rates=rates.shape[1],
            )
        )
    return sides[0], sides[1]


def _rates(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rates of two firms; the same moved off 0 and 1; variances of their logarithms. Each of shape (2, K).

    A transition that only one firm tried has that firm's rate on both sides and so no part in the gap.
    """
    n, k = counts[:, :-1], counts[:, 1:]
    tried = n > 0
    own = np.where(tried, k / np.maximum(n, 1), np.nan)
    inner = np.where((k == 0) | (k == n), (k + 0.5) / (n + 1), k / np.maximum(n, 1))
    rates = np.where(tried, own, np.where(tried[::-1], own[::-1], 1.0))
    smoothed = np.where(tried | ~tried[::-1], inner, inner[::-1])
    return rates, smoothed, (1 - smoothed) / (smoothed * np.maximum(n, 1))


def _delta_covariance(a: _Side, b: _Side, method: Method) -> np.ndarray:
    """Covariance of the parts: Jacobian by the logarithms of both firms' factors, times their variances."""
    n, step = len(a.factors), 1e-5
    moves = np.exp(np.vstack([np.eye(n), -np.eye(n)]) * step)
    split = SPLITS[method]
    by_a = split(a.smoothed * moves, b.smoothed)
    by_b = split(a.smoothed, b.smoothed * moves)
    jacobian = np.vstack([by_a[:n] - by_a[n:], by_b[:n] - by_b[n:]]) / (2 * step)
    return jacobian.T * np.concatenate([a.log_variance, b.log_variance]) @ jacobian


def _draw(side: _Side, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Factors of firms drawn from the fitted one: nested binomial counts, gamma leads and deal value."""
    drawn = np.empty((n_draws, len(side.factors)))
    n = np.full(n_draws, side.entrants)
    for k, (mean, variance) in enumerate(zip(side.smoothed, side.log_variance, strict=True)):
        if 1 <= k <= side.n_rates:
            went_on = rng.binomial(n, mean)
            drawn[:, k] = np.where(n > 0, went_on / np.maximum(n, 1), mean)
            n = went_on
        else:
            drawn[:, k] = rng.gamma(1 / variance, mean * variance, n_draws) if variance > 0 else mean
    return drawn


def _percentiles(draws: np.ndarray, level: float) -> tuple[float, float]:
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _fieller(
    values: tuple[float, float], *, variances: tuple[float, float], covariance: float, level: float
) -> tuple[float, float]:
    """Shares s for which part - s * gap may be 0; finite, since the gap may not."""
    (part, gap), (part_variance, gap_variance) = values, variances
    z2 = normal_quantile(level) ** 2
    square, cross = gap**2 - z2 * gap_variance, part * gap - z2 * covariance
    half = math.sqrt(max(cross**2 - square * (part**2 - z2 * part_variance), 0.0))
    return float((cross - half) / square), float((cross + half) / square)


def _p_largest(drawn: np.ndarray, gap: float, index: pd.Index) -> pd.Series:
    """How often each row is the largest one, counted in the direction of the gap."""
    ahead = drawn * np.sign(gap) if gap else np.abs(drawn)
    wins = np.bincount(ahead.argmax(axis=1), minlength=len(index)) / len(drawn)
    return pd.Series(wins, index=index, name="p_largest")


def _factor_table(a: np.ndarray, b: np.ndarray, index: pd.Index) -> pd.DataFrame:
    ratio = np.divide(a, b, out=np.full_like(a, np.nan), where=b > 0)
    return pd.DataFrame({"a": a, "b": b, "ratio": ratio}, index=index)


def _orders(a: np.ndarray, b: np.ndarray, index: pd.Index) -> pd.DataFrame:
    lowest, highest = range_over_orders(a, b)
    splits = {"log_mean": log_mean_split(a, b), "shapley": shapley_split(a, b)}
    table = pd.DataFrame(splits | {"lowest": lowest, "highest": highest}, index=index)
    return table + 0.0


def _stage_tests(a: StageCounts, b: StageCounts, *, level: float) -> pd.DataFrame:
    """Each transition's rates and their difference, tested, with what would have been too small to see."""
    pairs = zip(a.counts[:-1], a.counts[1:], b.counts[:-1], b.counts[1:], strict=True)
    rows = [_stage_test(*pair, level=level) for pair in pairs]
    table = pd.DataFrame(rows, index=pd.Index(transitions(a.stages), name="transition"))
    table.insert(list(table).index("p") + 1, "p_holm", holm(table["p"].tolist()))
    return table


def _stage_test(n_a: int, k_a: int, n_b: int, k_b: int, *, level: float) -> dict[str, float]:
    rate_a, rate_b = (k / n if n else math.nan for k, n in ((k_a, n_a), (k_b, n_b)))
    (low_a, high_a), (low_b, high_b) = wilson(k_a, n=n_a, level=level), wilson(k_b, n=n_b, level=level)
    low, high = newcombe(k_a, n_a, k_b=k_b, n_b=n_b, level=level)
    z, p = score_test(k_a, n_a, k_b=k_b, n_b=n_b)
    visible = smallest_visible_difference(rate_b, n_a=n_a, n_b=n_b, level=level) if n_b else 1.0
    return {
        "n_a": n_a, "k_a": k_a, "rate_a": rate_a, "low_a": low_a, "high_a": high_a,
        "n_b": n_b, "k_b": k_b, "rate_b": rate_b, "low_b": low_b, "high_b": high_b,
        "difference": rate_a - rate_b, "low": low, "high": high,
        "z": z, "p": p, "smallest_visible": visible,
    }  # fmt: skip
