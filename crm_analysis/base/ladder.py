"""Payne's relationship ladder as a funnel of roles, each by a rule that is stated.

A role is reached, or is not yet: who reaches a rung has reached every rung below it. What the data do not
know, such as who is a partner, is missing and never 0. Roles are defined by orders, so that value rises with
them by construction: a role is a way to count, and no reason why somebody buys.

Source of the roles: Christopher, Payne & Ballantyne, Relationship Marketing (1991). The rules are the
project's, since it gives none that can be counted.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crm_analysis.base.ladder_dates import order_dates, prospects_of
from crm_analysis.base.waiting import median_wait, share_within
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.rates import wilson
from crm_analysis.workspace import DAYS_PER_YEAR, parse_length

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline
    from crm_analysis.doors.transactions import Transactions

RUNGS = ("prospect", "purchaser", "client", "supporter", "advocate", "partner")


@dataclass(frozen=True)
class LadderRules:
    """What makes a role.

    client_orders : a client has made so many orders.
    supporter_tenure : a supporter is a client who ordered again so long after the first order, or later.
    active_within : who ordered within this time before `observed_until` counts in n_active.
    within : the time within which `share_within` have gone on to the next rung.
    """

    client_orders: int = 3
    supporter_tenure: str = "2 years"
    active_within: str = "12 months"
    within: str = "12 months"


@dataclass(frozen=True, eq=False)
class Ladder:
    """How many stand on each rung, how many go on and how soon, and what they are worth.

    table : index rung, all six; what is not known is missing.
        n_reached (this rung or a higher one), n_here (no higher one), n_by_own_rule (meet the rung's own
        rule, whether or not they reached the rungs below), n_active (of n_here, ordered within
        `active_within`);
        n_next (of n_reached, reached the next rung that is known), share_next with low and high (Wilson; all
        of n_reached, who may still go on);
        n_timed, median_days, share_within, within_low, within_high: time from this rung to the next,
        with those who have not gone on yet counted as still waiting, for histories that are complete; the
        median is missing where fewer than half go on;
        value_per_year (revenue or profit of those in n_here, over the years in which they were customers
        and were observed).
    members : index id; rung, and the day on which each known rung was reached.
    rules : by which it was counted.     value : "revenue" or the name of what was given.
    n_incomplete : customers who may be older than the log; their orders before it are not seen.
    """

    table: pd.DataFrame
    members: pd.DataFrame
    rules: LadderRules
    value: str
    n_incomplete: int
    level: float

    def who(self, rung: str) -> list[str]:
        """Ids of those who stand on a rung and on no higher one, sorted."""
        if rung not in RUNGS:
            raise ConfigError(f"ladder: no rung {rung!r}; rungs: {list(RUNGS)}")
        return sorted(self.members.index[self.members["rung"] == rung])


def relationship_ladder(
    log: Transactions,
    *,
    pipeline: Pipeline | None = None,
    referred_by: pd.Series | None = None,
    partners: Collection[str] | None = None,
    profit: pd.Series | None = None,
    rules: LadderRules | None = None,
    level: float = 0.95,
) -> Ladder:
    """Customers and prospects by role.

    The roles: prospect (an opportunity; n_here are those not won), purchaser (a first order), client (the
    order that makes `client_orders`), supporter (the first order made `supporter_tenure` after the first
    one or later, by a client), advocate (a supporter who has referred a customer), partner (a reached
    advocate, or supporter where referrals are not known, whom the firm calls a partner).

    Parameters
    ----------
    log : the checked purchase log.
    pipeline : where prospects come from; without it they are not known. Its wins and the customers of the log
        are not matched: the first row has its own n_next.
    referred_by : customer_id -> customer who sent it, missing where not referred or not known; without it
        advocates are not known.
    partners : ids of customers whom the firm calls partners; without it partners are not known.
    profit : per customer, over the days of the log; revenue (refunds taken off) where not given.
    rules : defaults as in `LadderRules`.

    Raises
    ------
    DataError
        Nobody has an order.
    ConfigError
        A rule is misspelt.
    """
    rules = rules or LadderRules()
    if rules.client_orders < 2:
        raise ConfigError(f"ladder: client_orders {rules.client_orders}; expected 2 or more")
    tenure = int(parse_length(rules.supporter_tenure))
    customers = order_dates(log, n_orders=rules.client_orders, tenure_days=tenure)
    if customers.empty:
        raise DataError("ladder: the log has no customer with an order")
    own = _own_rules(customers, referred_by, partners)
    reached = _reached(own)
    known = [rung for rung in RUNGS[1:] if rung in reached]
    members = reached.assign(rung=_highest(reached, known))
    until = pd.Timestamp(log.observed_until)
    rows = {
        rung: _row(rung, known, members, own, customers, until=until, rules=rules, level=level)
        for rung in known
    }
    years = ((until - customers["since"]).dt.days + 1) / DAYS_PER_YEAR
    worth = customers["total_amount"] if profit is None else profit.reindex(customers.index).fillna(0.0)
    for rung in known:
        here = members["rung"] == rung
        rows[rung]["value_per_year"] = worth[here].sum() / years[here].sum() if here.any() else np.nan
    if pipeline is not None:
        rows["prospect"], waiting = _prospects(pipeline, rules, level)
        members = pd.concat([members, waiting])
    return Ladder(
        table=_table(rows),
        members=members,
        rules=rules,
        value="revenue" if profit is None else str(profit.name or "profit"),
        n_incomplete=int((~customers["history_complete"]).sum()),
        level=level,
    )


_COUNTS = ("n_reached", "n_here", "n_by_own_rule", "n_active", "n_next", "n_timed")
_MEASURES = (
    "share_next",
    "low",
    "high",
    "median_days",
    "share_within",
    "within_low",
    "within_high",
    "value_per_year",
)


def _table(rows: dict[str, dict[str, float]]) -> pd.DataFrame:
    table = pd.DataFrame.from_dict(rows, orient="index").reindex(RUNGS)
    table = table.reindex(columns=[*_COUNTS, *_MEASURES]).rename_axis("rung")
    return table.astype(dict.fromkeys(_COUNTS, "Int64") | dict.fromkeys(_MEASURES, "float64"))


def _own_rules(
    customers: pd.DataFrame, referred_by: pd.Series | None, partners: Collection[str] | None
) -> pd.DataFrame:
    """Day on which each customer met each rung's own rule; missing where never, no column where unknown."""
    own = customers[["first_on", "client_on", "tenure_on"]].set_axis(RUNGS[1:4], axis=1)
    if referred_by is not None:
        sent = referred_by.dropna()
        joined = customers["first_on"].reindex(sent.index.astype(str))
        first = joined.groupby(sent.astype(str).to_numpy()).min()
        own = own.assign(advocate=first.reindex(own.index))
    if partners is not None:
        always = own["purchaser"].where(own.index.isin([str(name) for name in partners]))
        own = own.assign(partner=always)
    return own


def _reached(own: pd.DataFrame) -> pd.DataFrame:
    """Day on which each rung and all below it were reached: the latest of their days, missing if one is."""
    # NaT stays NaT in a running maximum.
    latest = np.maximum.accumulate(own.to_numpy(dtype="datetime64[s]"), axis=1)
    return pd.DataFrame(latest, index=own.index, columns=own.columns)


def _highest(reached: pd.DataFrame, known: list[str]) -> np.ndarray:
    return np.array(known, dtype=object)[reached[known].notna().sum(axis=1).to_numpy() - 1]


def _row(
    rung: str,
    known: list[str],
    members: pd.DataFrame,
    own: pd.DataFrame,
    customers: pd.DataFrame,
    *,
    until: pd.Timestamp,
    rules: LadderRules,
    level: float,
) -> dict[str, float]:
    here = members["rung"] == rung
    active_from = until - pd.Timedelta(days=int(parse_length(rules.active_within)))
    row: dict[str, float] = {
        "n_reached": int(members[rung].notna().sum()),
        "n_here": int(here.sum()),
        "n_by_own_rule": int(own[rung].notna().sum()),
        "n_active": int((here & (customers["last_on"] > active_from)).sum()),
    }
    if rung == known[-1]:
        return row
    on_it = members[members[rung].notna()]
    following = known[known.index(rung) + 1]
    timed = customers["history_complete"].reindex(on_it.index).to_numpy()
    return row | _transition(on_it[rung], on_it[following], until, rules, level, timed=timed)


def _prospects(pipeline: Pipeline, rules: LadderRules, level: float) -> tuple[dict[str, float], pd.DataFrame]:
    """Row of the prospects, and those that are not won."""
    deals = prospects_of(pipeline)
    created, won_on = deals["created_on"], deals["won_on"]
    row = _transition(created, won_on, pd.Timestamp(pipeline.snapshot_at), rules, level)
    row |= {"n_here": int(won_on.isna().sum()), "n_by_own_rule": len(deals)}
    return row, pd.DataFrame({"rung": "prospect", "prospect": created[won_on.isna()]})


def _transition(
    since: pd.Series,
    reached: pd.Series,
    until: pd.Timestamp,
    rules: LadderRules,
    level: float,
    *,
    timed: np.ndarray | None = None,
) -> dict[str, float]:
    """Share that went on from a rung, and the time it took."""
    n, n_next = len(since), int(reached.notna().sum())
    low, high = wilson(n_next, n=n, level=level)
    timed = since.notna().to_numpy() if timed is None else timed
    days = (reached.fillna(until) - since).dt.days.to_numpy()[timed]
    happened = reached.notna().to_numpy()[timed]
    within = share_within(days, happened, days=int(parse_length(rules.within)), level=level)
    return {
        "n_reached": n,
        "n_next": n_next,
        "share_next": n_next / n if n else np.nan,
        "low": low,
        "high": high,
        "n_timed": len(days),
        "median_days": median_wait(days, happened),
        "share_within": within[0],
        "within_low": within[1],
        "within_high": within[2],
    }
