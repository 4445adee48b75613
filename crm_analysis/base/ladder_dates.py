"""The days that matter on the relationship ladder, read from a purchase log and from a pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import pandas as pd

from crm_analysis.customers import summarise_customers

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline
    from crm_analysis.doors.transactions import Transactions


def order_dates(log: Transactions, *, n_orders: int, tenure_days: int) -> pd.DataFrame:
    """First, n-th and last day of a customer's orders, and the first `tenure_days` or more after the first.

    Returns
    -------
    DataFrame, index customer_id: first_on, client_on (the n-th order), tenure_on, last_on, since (a customer,
    and observed, from this day on), history_complete, total_amount. A customer who is older than the log has
    the first day that its master knows, and fewer orders than were made.
    """
    days = _order_days(log)
    place = ibis.row_number().over(ibis.window(group_by=days.customer_id, order_by=days.ordered_on))
    begun = days.ordered_on.min().over(ibis.window(group_by=days.customer_id))
    if log.acquired is not None:
        days = days.left_join(log.acquired, "customer_id").drop("customer_id_right")
        place = ibis.row_number().over(ibis.window(group_by=days.customer_id, order_by=days.ordered_on))
        seen = days.ordered_on.min().over(ibis.window(group_by=days.customer_id))
        begun = ibis.coalesce(ibis.least(days.acquired_at.cast("date"), seen), seen)
    placed = days.mutate(place=place, begun=begun)
    late = placed.ordered_on.delta(placed.begun, unit="day") >= tenure_days
    found = placed.group_by("customer_id").agg(
        first_on=placed.begun.min(),
        client_on=placed.ordered_on.min(where=placed.place == n_orders - 1),
        tenure_on=placed.ordered_on.min(where=late),
        last_on=placed.ordered_on.max(),
    )
    table = found.to_pandas()
    table = table.set_index(table.pop("customer_id").astype(str)).apply(pd.to_datetime)
    known = summarise_customers(log)[["history_complete", "total_amount"]]
    table = table.join(known.set_axis(known.index.astype(str)))
    return table.assign(since=table["first_on"].clip(lower=pd.Timestamp(log.observed_from))).sort_index()


def _order_days(log: Transactions) -> ibis.Table:
    """One row per order, on its first day; a row without an order id is its day's order."""
    rows = log.purchases
    if not log.has_orders:
        return rows.select("customer_id", ordered_on=rows.occurred_on).distinct()
    name = ibis.coalesce(rows.order_id.cast("string"), ibis.literal("day ") + rows.occurred_on.cast("string"))
    orders = (
        rows.mutate(order_name=name)
        .group_by("customer_id", "order_name")
        .agg(ordered_on=rows.occurred_on.min())
    )
    return orders.drop("order_name")


def prospects_of(pipeline: Pipeline) -> pd.DataFrame:
    """Opportunities with a creation date; index opportunity_id, created_on, won_on (missing where not won).

    One that was lost still counts as not won: it waits like the open ones, for it might have been won.
    """
    deals = pipeline.opportunities
    won_on = (deals.outcome == "won").ifelse(deals.closed_on, ibis.null("date"))
    dated = deals.select("opportunity_id", "created_on", won_on=won_on).filter(deals.created_on.notnull())  # noqa: PD004, Ibis
    table = dated.to_pandas()
    return table.set_index(table.pop("opportunity_id").astype(str)).apply(pd.to_datetime).sort_index()
