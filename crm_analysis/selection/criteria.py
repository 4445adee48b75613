"""What customers are judged by: their value now and later, and the criteria of a scorecard.

A firm knows more or less of its customers: a criterion that it does not know is left out, and named.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.selection.scorecard import Direction

if TYPE_CHECKING:
    from crm_analysis.doors.store import OpenWorkspace
    from crm_analysis.doors.transactions import Transactions
    from crm_analysis.workspace import Period

DIRECTIONS: Mapping[str, Direction] = {
    "profit": "higher",
    "value_12m": "higher",
    "n_orders": "higher",
    "days_since_last": "lower",
    "cost_to_serve_share": "lower",
    "discount_share": "lower",
}
FORECAST = ["value_12m", "p_buy", "purchases_p10", "purchases_p90"]


def customer_facts(
    customers: pd.DataFrame,
    *,
    profit: pd.DataFrame,
    values: pd.DataFrame | None,
    discount_share: pd.Series | None = None,
) -> pd.DataFrame:
    """Side by side what each customer brings now, what is expected later, and what it takes.

    Parameters
    ----------
    customers : `summarise_customers(log)`.
    profit : revenue, cost_of_goods, cost_to_serve, profit of some months; whoever has no row did nothing.
    values : `value_customers`, same index; None where no model could be fitted: what is expected is then the
        profit of these months again, losses not, and its purchases are not known.
    discount_share : as the function of that name gives it.

    Returns
    -------
    DataFrame with the index of `customers`: revenue, cost_of_goods, cost_to_serve, profit, value_12m, p_buy,
    purchases_p10, purchases_p90, n_orders (in the log), days_since_last; discount_share if given; and, if
    anything was spent on service, cost_to_serve_share (of revenue; where there is none, the worst of all,
    but no less than 1).

    Raises
    ------
    DataError
        A customer has no value.
    """
    facts = profit.reindex(customers.index).fillna(0.0)
    expected = _as_before(facts["profit"]) if values is None else values[FORECAST].reindex(customers.index)
    if n := int(expected["value_12m"].isna().sum()):
        raise DataError(f"customer_facts: {n} of {len(facts)} customers have no value_12m; value them all")
    facts = facts.join(expected).join(customers[["n_orders", "days_since_last"]])
    if (facts["cost_to_serve"] > 0).any():
        facts["cost_to_serve_share"] = _share_of_revenue(facts["cost_to_serve"], facts["revenue"])
    if discount_share is not None:
        facts["discount_share"] = discount_share.reindex(facts.index).fillna(0.0)
    return facts


def discount_share(log: Transactions, *, since: dt.date, until: dt.date) -> pd.Series | None:
    """Discount of each customer in those days, both included, as a share of the amount without discount.

    Returns
    -------
    Series, index customer_id, in [0, 1]; 0 where more was given back than bought. None where the log has no
    discounts.
    """
    if "discount" not in log.lines.columns:
        return None
    lines = log.lines.filter((log.lines.occurred_on >= since) & (log.lines.occurred_on <= until))
    sums = {name: lines[name].sum().cast("float64") for name in ("discount", "amount")}
    frame = lines.group_by("customer_id").agg(**sums).to_pandas().set_index("customer_id").fillna(0.0)
    list_amount = frame["discount"] + frame["amount"]
    share = (frame["discount"] / list_amount.where(list_amount > 0)).fillna(0.0)
    return share.clip(0.0, 1.0).sort_index().rename("discount_share")


def loss_makers(facts: pd.DataFrame) -> pd.DataFrame:
    """Customers who cost more than they brought, the largest loss first.

    Returns
    -------
    `facts` of those customers, with value_at_stake (the loss, above 0) and kind, what most of the loss is:
    "idle" (they bought nothing and were served), "service" (the cost to serve), or "goods" (what these did
    not leave over: prices, discounts, returns).
    """
    losing = facts[facts["profit"] < 0].sort_values("profit", kind="stable")
    idle = (losing[["revenue", "cost_of_goods"]] == 0).all(axis="columns")
    served = losing["cost_to_serve"] >= losing["cost_of_goods"] - losing["revenue"]
    kind = np.select([idle, served], ["idle", "service"], "goods")
    return losing.assign(value_at_stake=-losing["profit"], kind=kind)


def profit_over_time(
    workspace: OpenWorkspace, firm: str, *, period: Period, months: int, margin: float | None = None
) -> pd.DataFrame:
    """Profit of the months up to the end of a period, of the one before, and of the same one last year.

    Parameters
    ----------
    margin : used where the lines carry no costs; by default the workspace's.

    Returns
    -------
    DataFrame, index period, previous, year_before: profit (all customers), n_losing and share_losing
    (customers with a loss, of those who bought, were refunded or served); NaN where the months were not
    observed from end to end.
    """
    ends = {"period": period, "previous": period.previous, "year_before": period.year_before}
    rows = {name: _profit_until(workspace, firm, end, months, margin) for name, end in ends.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["profit", "n_losing", "share_losing"])


def _profit_until(
    workspace: OpenWorkspace, firm: str, end: Period, months: int, margin: float | None
) -> list[float]:
    since, observed = end.months_up_to_end(months), workspace.settings.firm(firm)
    if since < observed.observed_from or end.end > observed.observed_until:
        return [float("nan")] * 3
    profit = workspace.profit(firm, since=since, until=end.end, margin=margin)["profit"]
    losing = profit < 0
    return [float(profit.sum()), float(losing.sum()), float(losing.mean())]


def known_criteria(facts: pd.DataFrame, *, wanted: Iterable[str]) -> dict[str, Direction]:
    """Criteria of `wanted` that the facts hold, each with the direction that is better.

    Raises
    ------
    ConfigError
        A criterion that no firm has: it is misspelt.
    """
    names = list(wanted)
    if unknown := sorted(set(names) - set(DIRECTIONS)):
        raise ConfigError(f"criteria: unknown {unknown}; expected some of {list(DIRECTIONS)}")
    return {name: DIRECTIONS[name] for name in names if name in facts}


def _as_before(profit: pd.Series) -> pd.DataFrame:
    return profit.clip(lower=0.0).to_frame("value_12m").reindex(columns=FORECAST)


def _share_of_revenue(cost: pd.Series, revenue: pd.Series) -> pd.Series:
    share = cost / revenue.where(revenue > 0)
    worst = max(1.0, share.fillna(0.0).max())
    return share.fillna(worst).where(cost > 0, 0.0)
