"""Two firms' revenue for the same investment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from crm_analysis.funnel.comparing.gap import Gap
from crm_analysis.funnel.comparing.two_firms import compare
from crm_analysis.funnel.telling.comparisons import Comparison


@dataclass(frozen=True, eq=False)
class SameInvestment:
    """The gap in revenue per unit of spend, and what it rests on.

    gap : leads for the money, the transitions, and the value of a won deal.
    spend_a, spend_b : in the period, in the workspace's currency.
    deal_a, deal_b : mean value of a won deal.
    """

    gap: Gap
    spend_a: float
    spend_b: float
    deal_a: float
    deal_b: float

    def facts(self) -> dict[str, Any]:
        """Values of the sentence that says what the gap rests on."""
        names = ("spend_a", "spend_b", "deal_a", "deal_b")
        ends = {
            name: getattr(self.gap, name) for name in ("value_a", "value_b", "gap", "gap_low", "gap_high")
        }
        return {name: getattr(self, name) for name in names} | ends

    def sides(self, names: tuple[str, str]) -> pd.DataFrame:
        """Spend, mean value of a won deal, and revenue per unit of spend, one row per firm."""
        rows = {
            "spend": [self.spend_a, self.spend_b],
            "deal_value": [self.deal_a, self.deal_b],
            "revenue_per_spend": [self.gap.value_a, self.gap.value_b],
        }
        return pd.DataFrame(rows, index=pd.Index(names, name="firm"))

    def words(self, *, unit: str, leads: str) -> dict[str, str]:
        """What the unit and the first bar are called in the language of a page."""
        return {self.gap.unit: unit, str(self.gap.contributions.index[0]): leads}


def same_investment(ws: Any, c: Comparison, *, spend_unit: float = 100_000) -> SameInvestment | None:
    """Compare two firms' revenue per unit of spend; None where spend or deal values are not known for both.

    All opportunities of the period count as leads for the money, those too young to judge too.

    Parameters
    ----------
    ws : the workspace that the comparison was made from.
    spend_unit : of the result, in the workspace's currency.
    """
    spent = [ws.spent(firm, since=c.since, until=c.until) for firm in c.firms]
    deals = [counts.deal_values for counts in c.counts]
    if not all(spent) or not all(len(values) for values in deals):
        return None
    spends = {"spend_a": spent[0], "spend_b": spent[1]}
    gap = compare(*c.counts, per="revenue", spend_unit=spend_unit, currency=ws.settings.currency, **spends)
    return SameInvestment(gap, **spends, deal_a=float(deals[0].mean()), deal_b=float(deals[1].mean()))
