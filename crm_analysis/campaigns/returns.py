"""Which half of the advertising is wasted, and what a budget would return."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.campaigns.contrast import Estimate
from crm_analysis.campaigns.effects import CampaignEffect, Effects
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.rates import holm

BELOW, ABOVE, UNCLEAR = "clearly below its cost", "clearly above its cost", "cannot be told"


@dataclass(frozen=True, eq=False)
class Wasted:
    """Spend by whether the profit that it brought covers it.

    cells : index (campaign, group): as `uplift_by`, with p_cost_holm (all cells are one family) and verdict.
    spend : cost of all cells.
    share_below, share_above, share_unclear : of the spend, in cells clearly below and above their cost, and
        in those of which it cannot be told.
    low, high : the share of the spend that lies in cells which do not bring back their cost is at least `low`
        and at most `high`, in at least `level` of all such comparisons.
    """

    cells: pd.DataFrame
    spend: float
    share_below: float
    share_above: float
    share_unclear: float
    low: float
    high: float
    level: float


def wasted_share(cells: pd.DataFrame, *, level: float = 0.95) -> Wasted:
    """Share of the spend in cells that brought back less than they cost, more, or nobody knows.

    Parameters
    ----------
    cells : `uplift_by`.

    Raises
    ------
    DataError
        There are no cells, or their cost is not known.
    """
    spend = float(cells["cost"].sum(min_count=max(len(cells), 1)))
    if not spend > 0:
        raise DataError(
            f"wasted_share: {len(cells)} cells with a cost of {spend}; expected a known cost above 0"
        )
    p = holm(list(cells["p_cost"]))
    sides = np.where(cells["after_cost"] < 0, BELOW, ABOVE)
    verdicts = np.where(p < 1 - level, sides, UNCLEAR)
    share = {side: float(cells["cost"][verdicts == side].sum() / spend) for side in (BELOW, ABOVE, UNCLEAR)}
    return Wasted(
        cells=cells.assign(p_cost_holm=p, verdict=verdicts),
        spend=spend,
        share_below=share[BELOW],
        share_above=share[ABOVE],
        share_unclear=share[UNCLEAR],
        low=share[BELOW],
        high=1.0 - share[ABOVE],
        level=level,
    )


@dataclass(frozen=True)
class Return:
    """What a budget would bring if it worked as the measured campaigns did: an extrapolation.

    spend : the budget.    measured_cost : cost of the campaigns that were measured.    times : their ratio.
    campaigns : those measured.
    roi : profit after cost per unit of cost, of all of them together.
    extra_profit, profit_after_cost : of the budget, before and after it is paid.
    """

    spend: float
    measured_cost: float
    times: float
    campaigns: tuple[str, ...]
    roi: Estimate
    extra_profit: Estimate
    profit_after_cost: Estimate

    @property
    def verdict(self) -> str:
        """Say "above" where it would pay, "below" where it would not, "unclear" where it cannot be told."""
        return self.profit_after_cost.sign


def return_on(spend: float, effects: Effects, *, campaigns: Collection[str] | None = None) -> Return:
    """Scale the measured return of campaigns to a budget.

    That the next unit of money works like the average one measured is an assumption, and mostly a kind one:
    the best customers are contacted first. Campaigns are added up as independent, since chance assigned each
    customer anew.

    Parameters
    ----------
    campaigns : names of those to go by; by default all with a control group whose window is over.

    Raises
    ------
    ConfigError
        The budget is not above 0, or a campaign is not among the effects.
    DataError
        No campaign has a measured effect and a cost.
    """
    if not spend > 0:
        raise ConfigError(f"return_on: a budget of {spend}; expected an amount above 0")
    if unknown := sorted(set(campaigns or ()) - set(effects.campaigns)):
        raise ConfigError(f"return_on: no campaign {unknown}; campaigns: {list(effects.campaigns)}")
    chosen = [e for e in effects if (campaigns is None or e.campaign in campaigns) and _is_measured(e)]
    if not chosen:
        raise DataError("return_on: no campaign with a control group, a window that is over and a cost")
    extra, cost = added([e.extra_profit for e in chosen]), sum(e.cost for e in chosen)
    scaled = extra.times(spend / cost)
    return Return(
        spend=float(spend),
        measured_cost=cost,
        times=spend / cost,
        campaigns=tuple(e.campaign for e in chosen),
        roi=extra.less(cost).times(1 / cost),
        extra_profit=scaled,
        profit_after_cost=scaled.less(spend),
    )


def added(estimates: list[Estimate]) -> Estimate:
    """Sum of independent estimates; the ends are added as half widths in squares, each side on its own."""
    value = sum(e.value for e in estimates)
    down = math.sqrt(sum((e.value - e.low) ** 2 for e in estimates))
    up = math.sqrt(sum((e.high - e.value) ** 2 for e in estimates))
    return Estimate(value, value - down, value + up)


def _is_measured(effect: CampaignEffect) -> bool:
    return effect.cost > 0 and not math.isnan(effect.extra_profit.low)
