"""Campaigns evaluated: contacts and what was bought become one effect per campaign."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crm_analysis.campaigns.contacts import assigned, not_begun
from crm_analysis.campaigns.contrast import UNKNOWN, Estimate
from crm_analysis.campaigns.effects import CampaignEffect, Effects
from crm_analysis.campaigns.naive import compare_with_untargeted
from crm_analysis.campaigns.outcomes import Orders, member_outcomes, read_orders, unknown_customers
from crm_analysis.campaigns.spans import MEASURES, profit_difference, readings_of, span_table
from crm_analysis.rates import holm, newcombe, wilson
from crm_analysis.workspace import parse_length

if TYPE_CHECKING:
    from crm_analysis.doors.transactions import Transactions


def evaluate(
    contacts: pd.DataFrame,
    responses: Transactions | pd.DataFrame,
    *,
    cost_per_contact: float | Mapping[str, float] | None = None,
    margin: float | None = None,
    window: str | None = None,
    campaigns: pd.DataFrame | None = None,
    after: str | None = None,
    before: str = "365 days",
    observed_until: dt.date | str | None = None,
    level: float = 0.95,
    seed: int = 1,
) -> Effects:
    """Compare who was contacted with who was left alone, campaign by campaign.

    Parameters
    ----------
    contacts : campaign, customer_id, treated; sent_at, cost, reached, responded where known
        (`contacts.assigned`).
    responses : a checked log; or a table of customer_id, occurred_at, amount, profit; with a column campaign,
        a table of responses, each counted for its campaign.
    cost_per_contact : for all campaigns, or by campaign; by default what contacts or campaigns say.
    margin : profit as a share of the amount; by default the log's costs, or the table's profit.
    window : length in which responses count, from sent_at on; or `campaigns` (campaign, started_at, ended_at,
        both days included, and cost_per_contact).
    after : length of the days after the window, in which what was pulled forward is missing.
    before : length of the days before, by which customers are made comparable.
    observed_until : last day that a table of responses covers.
    seed : of the bootstrap.

    Raises
    ------
    DataError
        A column is missing, a customer is in both groups, no contacted customer is in the responses.
    ConfigError
        No window, or responses with dates and no `observed_until`.
    """
    orders = read_orders(responses, margin=margin, observed_until=observed_until)
    rows = assigned(contacts, campaigns=campaigns, window=window, cost_per_contact=cost_per_contact)
    ahead = [] if orders.observed_until is None else not_begun(rows, orders.observed_until)
    rows = rows[~rows["campaign"].isin(ahead)].reset_index(drop=True)
    lengths = {"before_days": _days(before), "after_days": _days(after)}
    members, found = member_outcomes(rows, orders, **lengths)
    members["unknown"] = unknown_customers(rows, orders)
    generator = np.random.default_rng(seed)
    effects = _tested_together(
        {
            str(name): _effect(part, found, orders, generator, level)
            for name, part in members.groupby("campaign", sort=False)
        }
    )
    return Effects(
        campaigns=effects,
        members=members,
        table=_table(effects),
        naive=compare_with_untargeted(members, orders, before_days=lengths["before_days"]),
        not_begun=tuple(ahead),
        level=level,
        **lengths,
    )


def _days(length: str | None) -> int:
    return 0 if length is None else round(parse_length(length))


def _effect(
    part: pd.DataFrame, found: pd.DataFrame, orders: Orders, generator: np.random.Generator, level: float
) -> CampaignEffect:
    treated = part["treated"].to_numpy(bool)
    known = bool(part["orders_during"].notna().all())
    after_known = known and bool(part["orders_after"].notna().all())
    span = "together" if after_known else "during"
    bought = (part["orders_during"] > 0).to_numpy()
    k, k_control = (float((bought & group).sum()) if known else math.nan for group in (treated, ~treated))
    n, n_control = int(treated.sum()), int((~treated).sum())
    gross = part.loc[treated, [f"{m}_during" for m in MEASURES]].sum(min_count=len(part[treated]))
    cost = float(part["cost"].sum(min_count=len(part)))
    per_responder = float(gross["profit_during"]) / k if k else math.nan
    answered = float(part.loc[treated, "responded"].sum(min_count=1))
    test = profit_difference(part, span)
    return CampaignEffect(
        campaign=str(part["campaign"].iloc[0]),
        started_on=part["start"].min().date(),
        ended_on=part["end"].max().date(),
        status=_status(part, orders, known),
        after_known=after_known,
        no_control=n_control == 0,
        n_treated=n,
        n_control=n_control,
        n_reached=int(part["reached"].sum()),
        n_unknown=int(part["unknown"].sum()),
        n_responders=k,
        n_control_responders=k_control,
        response_rate=_rate(k, n, level),
        break_even_rate=cost / n / per_responder if n and per_responder > 0 else math.nan,
        orders=float(gross["orders_during"]),
        amount=float(gross["amount_during"]),
        profit=float(gross["profit_during"]),
        cost=cost,
        incremental_response=_more_responders(k, n, k_control, n_control, level),
        spans=span_table(part, level=level),
        span=span,
        readings=readings_of(part, found, span=span, generator=generator, level=level),
        n_answered=answered,
        answer_rate=_rate(answered, n, level),
        p_alone=test.p(cost / n) if test.se > 0 and not math.isnan(cost) else math.nan,
        p_together=math.nan,
        level=level,
    )


def _rate(k: float, n: int, level: float) -> Estimate:
    return UNKNOWN if math.isnan(k) or not n else Estimate(k / n, *wilson(k, n=n, level=level))


def _tested_together(effects: dict[str, CampaignEffect]) -> dict[str, CampaignEffect]:
    """Campaigns with the p that allows for how many of them were tested."""
    tested = [name for name, effect in effects.items() if not math.isnan(effect.p_alone)]
    p = dict(zip(tested, holm([effects[name].p_alone for name in tested]), strict=True))
    return {name: replace(e, p_together=float(p.get(name, math.nan))) for name, e in effects.items()}


def _status(part: pd.DataFrame, orders: Orders, known: bool) -> str:
    if known:
        return "known"
    begun = orders.observed_from
    return "before the log" if begun and part["start"].min() < pd.Timestamp(begun) else "window open"


def _more_responders(k: float, n: int, k_control: float, n_control: int, level: float) -> Estimate:
    if math.isnan(k) or not n or not n_control:
        return UNKNOWN
    low, high = newcombe(k, n, k_b=k_control, n_b=n_control, level=level)
    return Estimate(k / n - k_control / n_control, low, high)


def _table(effects: Mapping[str, CampaignEffect]) -> pd.DataFrame:
    """One row per campaign."""
    rows = {name: _row(effect) for name, effect in effects.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("campaign")


def _row(effect: CampaignEffect) -> dict[str, object]:
    row: dict[str, object] = {
        name: getattr(effect, name)
        for name in (
            *("started_on", "ended_on", "n_treated", "n_control", "n_responders", "break_even_rate"),
            *("orders", "amount", "profit", "cost", "span", "n_answered", "p_alone", "p_together", "verdict"),
        )
    }
    rates = ("response_rate", "answer_rate", "incremental_response")
    for name in (*rates, "extra_profit", "profit_after_cost", "roi"):
        estimate: Estimate = getattr(effect, name)
        row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return row
