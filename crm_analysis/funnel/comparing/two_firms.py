"""Two firms' results side by side: which part of the gap each transition accounts for, and how surely.

A result is a product: leads, one rate per transition and, for revenue, the value of a won deal. The gap
between two products is split exactly (`crm_analysis.split`); the intervals carry the chance in the counts
and, where amounts are given, in the deal values, and allow for opportunities of one owner or account being
alike. A split is arithmetic: a firm that qualifies harder lowers its own rate and raises the next one, so
neighbouring transitions are read together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.funnel.comparing.basis import DEAL_VALUE, Basis, find_basis
from crm_analysis.funnel.comparing.choices import How, check_choices, check_stages
from crm_analysis.funnel.comparing.clusters import choose_clusters, cluster_table
from crm_analysis.funnel.comparing.firm import Firm, as_counts, firm_of
from crm_analysis.funnel.comparing.gap import Cluster, Counts, DealValue, Gap, Intervals, Method, Per
from crm_analysis.funnel.comparing.intervals import (
    Delta,
    Drawn,
    delta,
    draw_clusters,
    draw_factors,
    draw_independent,
    few_clusters_quantile,
)
from crm_analysis.funnel.comparing.pairs import neighbours
from crm_analysis.funnel.comparing.sides import Side, find_sides
from crm_analysis.funnel.comparing.stage_tests import stage_tests
from crm_analysis.funnel.counting.counts import transitions
from crm_analysis.rates import normal_quantile
from crm_analysis.split import log_mean_split, range_over_orders, shapley_split

SPLITS = {"log-mean": log_mean_split, "shapley": shapley_split}


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
    cluster: Cluster | None = "auto",
    level: float = 0.95,
    n_draws: int = 2000,
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
    intervals : "delta" (normal or t, with the Jacobian of the split at the counts) or "bootstrap"
        (percentiles of firms drawn from the fitted rates and of firms whose clusters are drawn anew,
        whichever interval is wider).
    cluster : what makes opportunities alike. "auto": owner and account, where the counts know them and some
        have several opportunities. "owner" or "account_id": that one. None: opportunities are independent.
        Intervals, tests and probabilities allow for it, and are never narrower than without.
    level, n_draws, rng : of the intervals; draws for the bootstrap and for `p_largest`, from
        `default_rng(1)` where no generator is given, so that a report does not change by itself.

    Raises
    ------
    ConfigError
        Arguments that do not go together, stages that differ, or a cluster that is not known.
    DataError
        A firm has no entrants, spend or deal values are not above 0, or all opportunities of a firm belong
        to the one cluster asked for.

    Notes
    -----
    The rate of a transition with n independent entrants has variance r(1 - r)/n, independent between
    transitions given the leads. With clusters the covariance comes from sums per cluster, with a t quantile
    for few of them; what is estimated is the rate of the firm with other owners of the same kind. Leads are
    fixed, but per unit of spend they are a count with its own (Poisson) variance. Rates of exactly 0 or 1
    are moved by half an opportunity, (k + 1/2)/(n + 1), where variances are computed, so that they are never
    certain. The interval of a share is Fieller's, of a ratio of two normals. Sources: see
    `crm_analysis.split` and `comparing.clusters`; Fieller (1954), JRSS B 16:175.
    """
    check_choices(
        per=(per, (None, "1000 entrants", "spend", "revenue")),
        method=(method, tuple(SPLITS)),
        intervals=(intervals, ("delta", "bootstrap")),
    )
    a, b = (as_counts(c, stages) for c in (counts_a, counts_b))
    check_stages(a, b)
    firms = firm_of(a), firm_of(b)
    basis = find_basis(
        *firms,
        per=per,
        spends=(spend_a, spend_b),
        deals=(deal_value_a, deal_value_b),
        spend_unit=spend_unit,
        currency=currency,
    )
    rng = rng if rng is not None else np.random.default_rng(1)
    how = How(method, intervals, choose_clusters(*firms, cluster), level, n_draws)
    return split_gap(*firms, basis, how, rng)


def split_gap(a: Firm, b: Firm, basis: Basis, how: How, rng: np.random.Generator) -> Gap:
    """Split the gap between two firms; see `compare`."""
    names = [basis.label, *transitions(a.stages), *([DEAL_VALUE] if basis.deals else [])]
    index = pd.Index(names, name="transition")
    sides = find_sides(a, b, basis, how.clusters)
    parts = delta(SPLITS[how.method], *sides, level=how.level)
    everything, of_stages = np.ones(len(index)), np.zeros(len(index))
    drawn = _draw((a, b), sides, how, rng, df=parts.degrees(everything))
    found = _Found(parts, drawn if how.intervals == "bootstrap" else parts, index)
    of_stages[1 : len(a.stages)] = 1.0
    gap_low, gap_high = found.intervals.ends(everything)
    conversion_low, conversion_high = found.intervals.ends(of_stages)
    value_a, value_b = (float(side.factors.prod()) for side in sides)
    return Gap(
        gap=value_a - value_b,
        gap_low=gap_low,
        gap_high=gap_high,
        value_a=value_a,
        value_b=value_b,
        contributions=found.contributions(),
        covariance=found.square(parts.covariance),
        conversion=float(parts.values @ of_stages),
        conversion_low=conversion_low,
        conversion_high=conversion_high,
        p_largest=_p_largest(drawn.widest, value_a - value_b, index),
        p_gap=parts.p(everything),
        factors=_factor_table(sides[0].factors, sides[1].factors, index),
        log_covariance=(found.square(sides[0].covariance), found.square(sides[1].covariance)),
        degrees=(sides[0].df, sides[1].df),
        stages=stage_tests((a.counts, b.counts), sides, transitions(a.stages), level=how.level),
        pairs=neighbours((a, b), sides, found.contributions(), found.intervals.ends, level=how.level),
        orders=_orders(sides[0].factors, sides[1].factors, index),
        unit=basis.unit,
        method=how.method,
        intervals=how.intervals,
        level=how.level,
        n_entrants=(int(a.counts[0]), int(b.counts[0])),
        window_days=(a.window_days, b.window_days),
        clusters=cluster_table(a, b, how.clusters),
        design_effect=parts.design_effect(everything),
    )


@dataclass(frozen=True, eq=False)
class _Found:
    """Parts with the intervals that were asked for."""

    parts: Delta
    intervals: Delta | Drawn
    index: pd.Index

    def contributions(self) -> pd.DataFrame:
        values, n = self.parts.values, len(self.index)
        ends = self.intervals.ends
        low, high = ends(np.ones(n))
        clear = low > 0 or high < 0
        table = pd.DataFrame({"contribution": values}, index=self.index)
        table[["low", "high"]] = [ends(row) for row in np.eye(n)]
        table["share"] = values / values.sum() if clear else math.nan
        table[["share_low", "share_high"]] = [
            self.intervals.share_ends(k) if clear else (math.nan, math.nan) for k in range(n)
        ]
        return table

    def square(self, values: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(values, index=self.index, columns=self.index.rename(None))


def _draw(
    firms: tuple[Firm, Firm], sides: tuple[Side, Side], how: How, rng: np.random.Generator, *, df: float
) -> Drawn:
    """Parts of drawn firms: in each way for the bootstrap, else with the covariance of the intervals."""
    split, n = SPLITS[how.method], how.n_draws
    alone = normal_quantile(how.level)
    if how.intervals == "delta" and how.clusters:
        return Drawn([split(*(draw_factors(side, n, rng) for side in sides))], [alone])
    draws = [split(*(draw_independent(side, n, rng) for side in sides))]
    pairs = list(zip(firms, sides, strict=True))
    for cluster in how.clusters:
        draws.append(split(*(draw_clusters(firm, side, cluster, n, rng) for firm, side in pairs)))
    beyond = few_clusters_quantile(how.level, df=df, fewest=min(side.df for side in sides))
    return Drawn(draws, [alone, *(beyond for _ in how.clusters)])


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
