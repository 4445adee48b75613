"""What campaigns brought, measured against the customers who were left alone at random."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from crm_analysis.campaigns.contrast import UNKNOWN, Estimate


@dataclass(frozen=True, eq=False)
class CampaignEffect:
    """What one campaign brought; whatever is not known is missing (NaN).

    status : "known"; "window open" (not over on the last day observed) or "before the log": then nothing of
        it is known yet.
    after_known : whether the days after the window are observed too.
    no_control : nobody was left alone, so nothing incremental can be known.
    n_treated, n_control, n_reached : customers; everybody counts as assigned, reached or not.
    n_unknown : contacted customers who never bought in the log; they count as not responding.
    n_responders, n_control_responders : with an order in the window.
    n_answered : of the treated, those who responded as the contacts say, such as by redeeming a coupon;
        missing where they do not say.    answer_rate : their share, with Wilson's interval.
    response_rate : of the treated, with Wilson's interval.    break_even_rate : cost per contact / profit
        per responder: above it, all that responders brought would pay, had they bought nothing otherwise.
    orders, amount, profit : of the treated in the window, not incremental.    cost : of all contacts.
    incremental_response : treated less control, with Newcombe's interval.
    spans : index (span, measure): treated, control (means per customer), difference, low, high, adjusted,
        adjusted_low, adjusted_high. Spans are during, after, together; measures orders, amount, profit.
    span : the one that is judged: "together" where the days after are known, so that what was only pulled
        forward counts as nothing; else "during".
    readings : that difference read in six ways (`contrast.readings`).
    p_alone : that a contact brings exactly what it costs; missing where it cannot be tested.
    p_together : the same with Holm's allowance for all campaigns that were tested.
    level : of the intervals, and of the verdict.
    """

    campaign: str
    started_on: dt.date
    ended_on: dt.date
    status: str
    after_known: bool
    no_control: bool
    n_treated: int
    n_control: int
    n_reached: int
    n_unknown: int
    n_responders: float
    n_control_responders: float
    response_rate: Estimate
    break_even_rate: float
    orders: float
    amount: float
    profit: float
    cost: float
    incremental_response: Estimate
    spans: pd.DataFrame
    span: str
    readings: pd.DataFrame
    n_answered: float
    answer_rate: Estimate
    p_alone: float
    p_together: float
    level: float

    @property
    def incremental_profit(self) -> Estimate:
        """Profit per treated customer that they would not have brought anyway, before the cost."""
        return self.of(self.span)

    @property
    def cost_per_contact(self) -> float:
        """Cost of a contact, on average."""
        return self.cost / self.n_treated if self.n_treated else math.nan

    @property
    def extra_profit(self) -> Estimate:
        """Incremental profit of all treated customers, before the cost."""
        return self.incremental_profit.times(self.n_treated)

    @property
    def profit_after_cost(self) -> Estimate:
        """Incremental profit of all treated customers, less the cost."""
        return self.extra_profit.less(self.cost)

    @property
    def roi(self) -> Estimate:
        """Profit after cost per unit of cost; 0 where a contact brings exactly what it costs."""
        return self.profit_after_cost.times(1 / self.cost) if self.cost > 0 else UNKNOWN

    def of(self, span: str, measure: str = "profit") -> Estimate:
        """Adjusted difference per treated customer in a span: "during", "after" or "together"."""
        numbers = self.spans.loc[(span, measure), ["adjusted", "adjusted_low", "adjusted_high"]]
        return Estimate(*(float(v) for v in numbers.to_numpy(float)))

    @property
    def verdict(self) -> str:
        """Say "paid" or "lost" where that is beyond chance though several campaigns were looked at.

        Where it is only so for this campaign on its own, ", taken alone" follows. Else "cannot be told",
        "nobody treated", "no control group", "nobody bought", or the status.
        """
        if self.status != "known":
            return self.status
        if self.n_treated == 0:
            return "nobody treated"
        if self.no_control:
            return "no control group"
        if self.orders == 0 and self.n_control_responders == 0:
            return "nobody bought"
        said = {"above": "paid", "below": "lost"}.get(self.profit_after_cost.sign)
        if said is None:
            return "cannot be told"
        return said if self.p_together < 1 - self.level else f"{said}, taken alone"

    @property
    def pulled_forward(self) -> bool:
        """Whether more was bought in the window and less after it, both beyond chance."""
        if not self.after_known or self.no_control or not self.n_treated:
            return False
        more, less = (self.of(span, "orders").sign for span in ("during", "after"))
        return (more, less) == ("above", "below")

    @property
    def one_order_decides(self) -> bool:
        """Whether the verdict is another one without the largest single order."""
        rows = self.readings.loc[["adjusted", "without the largest order"]] - self.cost_per_contact
        with_it, without = (Estimate(*row).sign for row in rows.to_numpy(float))
        return with_it != without


@dataclass(frozen=True, eq=False)
class Effects:
    """Campaigns by name, in the order in which they began.

    members : one row per campaign and customer: treated, reached, start, end, cost, and orders, amount and
        profit before, during and after.
    table : one row per campaign, the numbers of `CampaignEffect` side by side.
    naive : contacted customers beside those who were not contacted (`naive.compare_with_untargeted`).
    not_begun : campaigns whose first day is not observed yet.
    before_days, after_days, level : lengths of the spans, level of the intervals.
    """

    campaigns: Mapping[str, CampaignEffect]
    members: pd.DataFrame
    table: pd.DataFrame
    naive: pd.DataFrame
    not_begun: tuple[str, ...]
    before_days: int
    after_days: int
    level: float

    def __getitem__(self, campaign: str) -> CampaignEffect:
        return self.campaigns[campaign]

    def __iter__(self) -> Iterator[CampaignEffect]:
        return iter(self.campaigns.values())

    def __len__(self) -> int:
        return len(self.campaigns)
