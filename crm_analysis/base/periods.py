"""What happened in a period, and what changed against another one.

Everything is computed in the engine, on the merged log; a handful of rows comes back. A customer is active
in a period with at least one order in it (refunds alone are none), and an active customer is exactly one of

- new: acquired in the period. `acquired_at` says so where a customer master knows it, else the first
  purchase seen. Where the log begins in the middle of customers' lives and no master knows better, nobody
  can tell within `burn_in_days` of its begin: `n_new` is missing there, and `new_by` says which it is;
- returning: also active in the period just before;
- reactivated: acquired earlier, and not active in the period just before.

Those active in the period before and not in this one have *not returned*. Without a contract nobody can
know who has left for good.

Sources: Fader, Hardie & Ross, The Customer-Base Audit (2022), lenses 1 and 2. The split of a product into
its factors by logarithmic means: Ang (2005), Energy Policy 33, 867-871 (LMDI).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crm_analysis.errors import ConfigError, CrmError, DataError
from crm_analysis.split import log_mean_split
from crm_analysis.workspace import Calendar, Period

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from crm_analysis.doors.transactions import Transactions

By = Literal["month", "quarter", "year"]
GROUPS = ("new", "returning", "reactivated")


def period_history(log: Transactions, *, by: By, calendar: Calendar | None = None) -> pd.DataFrame:
    """Key numbers of every month, quarter or year that the log touches, in order of time.

    Returns
    -------
    DataFrame, index label, columns
        start, end (first and last day), complete (observed from end to end; an incomplete period is hatched
        in figures and compared with nothing), n_customers, n_new, n_returning, n_reactivated,
        n_not_returned, n_opening (active in the period before), n_orders, revenue, revenue_new,
        revenue_returning, revenue_reactivated, orders_per_customer, average_order_value,
        repeat_buying_rate (n_returning / n_opening); where line costs are known profit, margin and
        average_order_profit; new_by ("acquired_at" or "first seen"). What needs a period before that was not
        wholly observed is missing, not zero; so are new customers within the log's burn-in.
    """
    return _history(log, _period_holding(log.observed_until, by, calendar))


def period_summary(log: Transactions, *, period: Period | str) -> pd.DataFrame:
    """Key numbers of a period, of the one before, and of the same one a year earlier.

    Returns
    -------
    DataFrame, index period, previous, year_before; label, n_days_observed and the columns of
    `period_history`. A period outside the log is a row of missing values.

    Raises
    ------
    ConfigError
        The period lies outside what was observed.
    """
    period = _as_period(period)
    _refuse_unobserved(log, period)
    labels = {
        "period": period.label,
        "previous": period.previous.label,
        "year_before": period.year_before.label,
    }
    history = _history(log, period)
    table = history.reindex(list(labels.values())).rename_axis("label").reset_index()
    table.index = pd.Index(list(labels), name="which")
    table["complete"] = table["complete"].eq(True)
    observed = [_days_observed(log, p) for p in (period, period.previous, period.year_before)]
    return table.assign(n_days_observed=observed)


@dataclass(frozen=True, eq=False)
class Bridge:
    """What lies between the revenue of two periods, in two exact accounts.

    flow : index step: opening, not returned, returning, reactivated, acquired in between (where periods do
        not adjoin), new, refunds only (where there are any), closing; n_customers, revenue, n_orders and,
        where costs are known, profit. The steps between the ends add up to their difference.
    revenue : index customers, orders per customer, order value; before, after, contribution (in money; they
        add up to the change), share_of_change.
    profit : the same for profit with margin as fourth factor; None without costs, or where one of the two
        profits is not above 0 and has no logarithm.
    new_by : "acquired_at" or "first seen": how new customers are known.
    new_known : False within the burn-in of a log that begins in the middle of customers' lives: some of the
        new ones are older, and really reactivated.
    """

    period: Period
    compare: Period
    flow: pd.DataFrame
    revenue: pd.DataFrame
    profit: pd.DataFrame | None
    new_by: str
    new_known: bool


def bridge(log: Transactions, *, period: Period | str, compare: Period | str) -> Bridge:
    """Exact bridge from the revenue of `compare` to that of `period`: by customers' flow, and by factors.

    Raises
    ------
    ConfigError
        A period is not observed from end to end, or they overlap or come in the wrong order.
    DataError
        A period without purchases or without revenue, which no factor can be split from.
    """
    period, compare = _as_period(period), _as_period(compare)
    _refuse_incomparable(log, period, compare)
    groups = _groups(log, period, compare)
    before, after = _totals(log, compare), _totals(log, period)
    flow = _flow(groups, before, after)
    _refuse_gap(flow)
    return Bridge(
        period=period,
        compare=compare,
        flow=flow,
        revenue=_split(_factors(before, compare), _factors(after, period)),
        profit=_profit_split(before, after, (compare, period)),
        new_by=_new_by(log),
        new_known=_new_known(log, period),
    )


def comparison_period(log: Transactions, *, period: Period) -> Period | None:
    """Period to compare with: the same one of last year, else the one before, where observed whole.

    None where neither was, or where `period` itself was not.
    """
    candidates = (period.year_before, period.previous) if _is_complete(log, period) else ()
    return next((earlier for earlier in candidates if _is_complete(log, earlier)), None)


def _split(before: pd.Series, after: pd.Series) -> pd.DataFrame:
    """What each factor, all above 0, accounts for in the change of their product."""
    table = pd.DataFrame({"before": before, "after": after}, dtype="float64").rename_axis("factor")
    table["contribution"] = log_mean_split(table["after"].to_numpy(), table["before"].to_numpy())
    change = float(np.prod(table["after"].to_numpy()) - np.prod(table["before"].to_numpy()))
    table["share_of_change"] = table["contribution"] / change if change else np.nan
    return table


def _as_period(period: Period | str) -> Period:
    return period if isinstance(period, Period) else Period.parse(period)


def _period_holding(day: dt.date, by: By, calendar: Calendar | None) -> Period:
    labels = {
        "month": [f"{day:%Y-%m}"],
        "quarter": [f"{year}Q{quarter}" for year in (day.year, day.year + 1) for quarter in range(1, 5)],
        "year": [f"{day.year}", f"{day.year + 1}"],
    }
    if by not in labels:
        raise ConfigError(f"periods: by={by!r}; expected one of {sorted(labels)}")
    periods = [Period.parse(label, calendar) for label in labels[by]]
    return next(p for p in periods if p.start <= day <= p.end)


def _is_complete(log: Transactions, period: Period) -> bool:
    return log.observed_from <= period.start and period.end <= log.observed_until


def _days_observed(log: Transactions, period: Period) -> int:
    first: dt.date = max(period.start, log.observed_from)
    last: dt.date = min(period.end, log.observed_until)
    return max((last - first).days + 1, 0)


def _refuse_unobserved(log: Transactions, period: Period) -> None:
    if not _days_observed(log, period):
        raise ConfigError(
            f"period {period.label} ({period.start} to {period.end}) was not observed; "
            f"the log holds {log.observed_from} to {log.observed_until}"
        )


def _refuse_incomparable(log: Transactions, period: Period, compare: Period) -> None:
    for which in (compare, period):
        if not _is_complete(log, which):
            raise ConfigError(
                f"bridge: {which.label} ({which.start} to {which.end}) is not observed from end to end; "
                f"the log holds {log.observed_from} to {log.observed_until}"
            )
    if compare.end >= period.start:
        raise ConfigError(
            f"bridge: {compare.label} does not lie before {period.label}; compare= is the earlier period"
        )


# One row per customer and period.


def _order_count(log: Transactions, merged: ir.Table, where: ir.BooleanColumn) -> ir.IntegerScalar:
    """Count a customer's orders; one without an id is its day."""
    if not log.has_orders:
        return merged.occurred_on.nunique(where=where)
    unnamed = merged.count(where=where) - merged.order_id.count(where=where)
    return merged.order_id.nunique(where=where) + unnamed


def _acquired(log: Transactions) -> ir.Table:
    """customer_id, acquired_on: the master's date, or the first purchase where earlier or all there is."""
    seen = log.purchases.group_by("customer_id").aggregate(acquired_on=_.occurred_on.min())
    if log.acquired is None:
        return seen
    known = log.acquired.group_by(known_id=_.customer_id).aggregate(known_on=_.acquired_at.cast("date").min())
    joined = seen.left_join(known, seen.customer_id == known.known_id)
    earliest = ibis.least(joined.acquired_on, joined.known_on.fill_null(joined.acquired_on))
    return joined.select("customer_id", acquired_on=earliest)


def _new_by(log: Transactions) -> str:
    return "first seen" if log.acquired is None else "acquired_at"


def _new_known(log: Transactions, period: Period) -> bool:
    sure_from = log.observed_from + dt.timedelta(days=log.burn_in_days)
    return log.acquired is not None or period.start >= sure_from


def _has_cost(log: Transactions) -> bool:
    return "cost" in log.merged.columns


def _number_of(day: ir.DateColumn, first: Period) -> ir.IntegerColumn:
    """Count periods from `first`, which is 0, to the one that holds the day; earlier days are negative."""
    months = day.year() * 12 + day.month() - (first.start.year * 12 + first.start.month)
    return (months / first.n_months).floor().cast("int32")


def _cells(log: Transactions, first: Period) -> ir.Table:
    """One row per customer and period with any line in it: n_orders, revenue and cost."""
    merged = log.merged.mutate(number=_number_of(log.merged.occurred_on, first))
    sums = {"n_orders": _order_count(log, merged, merged.n_lines > 0), "revenue": merged.amount.sum()}
    if _has_cost(log):
        sums["cost"] = merged.cost.sum()
    return merged.group_by("customer_id", "number").aggregate(**sums)


def _grouped(log: Transactions, first: Period) -> ir.Table:
    """One row per period and group of customers."""
    cells = _cells(log, first)
    active = cells.filter(_.n_orders > 0)
    before = active.number.lag().over(ibis.window(group_by="customer_id", order_by="number"))
    active = active.mutate(before=before).left_join(_acquired(log), "customer_id")
    group = ibis.cases(
        (_number_of(active.acquired_on, first) == active.number, "new"),
        (active.number - active.before == 1, "returning"),
        else_="reactivated",
    )
    refunds = cells.filter(_.n_orders == 0).mutate(group=ibis.literal("refunds only"))
    columns = [*cells.columns, "group"]
    both = active.mutate(group=group).select(columns).union(refunds.select(columns))
    sums = {c: both[c].sum().cast("float64") for c in ("revenue", "cost") if c in columns}
    return both.group_by("number", "group").aggregate(
        n_customers=(_.n_orders > 0).sum(), n_orders=_.n_orders.sum(), **sums
    )


def _history(log: Transactions, last: Period) -> pd.DataFrame:
    periods = _back_to(log.observed_from, last)
    grouped = _grouped(log, periods[0]).execute()
    grouped = grouped[grouped["number"].between(0, len(periods) - 1)]
    totals = grouped.groupby("number")[[c for c in grouped if c not in ("number", "group")]].sum()
    totals = totals.reindex(range(len(periods)), fill_value=0)
    for name in GROUPS:
        part = grouped[grouped["group"] == name].set_index("number").reindex(totals.index)
        totals[f"n_{name}"] = part["n_customers"].fillna(0)
        totals[f"revenue_{name}"] = part["revenue"].fillna(0.0)
    return _finish(_with_calendar(totals, log, periods), log)


def _back_to(day: dt.date, last: Period) -> list[Period]:
    """Periods of the same length from the one that holds `day` to `last`."""
    periods = [last]
    while periods[0].start > day:
        periods.insert(0, periods[0].previous)
    return periods


def _with_calendar(totals: pd.DataFrame, log: Transactions, periods: list[Period]) -> pd.DataFrame:
    totals.index = pd.Index([p.label for p in periods], name="label")
    return totals.assign(
        start=pd.to_datetime([p.start for p in periods]),
        end=pd.to_datetime([p.end for p in periods]),
        complete=[_is_complete(log, p) for p in periods],
        new_by=_new_by(log),
        new_known=[_new_known(log, p) for p in periods],
    )


def _finish(totals: pd.DataFrame, log: Transactions) -> pd.DataFrame:
    counts = ["n_customers", "n_new", "n_returning", "n_reactivated", "n_orders"]
    table = totals.astype(dict.fromkeys(counts, "float64"))
    table["n_opening"] = table["n_customers"].shift()
    table["n_not_returned"] = table["n_opening"] - table["n_returning"]
    table["orders_per_customer"] = _ratio(table["n_orders"], table["n_customers"])
    table["average_order_value"] = _ratio(table["revenue"], table["n_orders"])
    table["repeat_buying_rate"] = _ratio(table["n_returning"], table["n_opening"])
    if "cost" in table:
        table["profit"] = table["revenue"] - table["cost"]
        table["margin"] = _ratio(table["profit"], table["revenue"])
        table["average_order_profit"] = _ratio(table["profit"], table["n_orders"])
    return _order_columns(_hide_unknowable(table, log))


def _ratio(top: pd.Series, bottom: pd.Series) -> pd.Series:
    return top / bottom.where(bottom > 0)


def _hide_unknowable(table: pd.DataFrame, log: Transactions) -> pd.DataFrame:
    """Blank what compares with a period not wholly observed, and new customers that may be older."""
    compared = ["n_opening", "n_not_returned", "n_returning", "n_reactivated", "repeat_buying_rate"]
    compared += ["revenue_returning", "revenue_reactivated"]
    table.loc[~table["complete"].shift(fill_value=False), compared] = np.nan
    table.loc[~table["new_known"], ["n_new", "revenue_new"]] = np.nan
    return table.drop(columns="new_known")


def _order_columns(table: pd.DataFrame) -> pd.DataFrame:
    first = ["start", "end", "complete", "n_customers", "n_new", "n_returning", "n_reactivated"]
    first += ["n_not_returned", "n_opening", "n_orders", "revenue"]
    rest = [c for c in table if c not in (*first, "new_by", "cost")]
    return table[[*first, *rest, "new_by"]]


# The bridge between two periods.


def _per_customer(log: Transactions, windows: dict[str, Period]) -> ir.Table:
    """One row per customer with any line in a window: n_orders, revenue, cost with the window's suffix."""
    merged = log.merged.filter(ibis.or_(*(_within(log.merged, p) for p in windows.values())))
    sums: dict[str, ir.Value] = {}
    for suffix, period in windows.items():
        inside = _within(merged, period)
        sums[f"n_orders{suffix}"] = _order_count(log, merged, inside & (merged.n_lines > 0))
        sums[f"revenue{suffix}"] = merged.amount.sum(where=inside)
        if _has_cost(log):
            sums[f"cost{suffix}"] = merged.cost.sum(where=inside)
    return merged.group_by("customer_id").aggregate(**sums)


def _within(merged: ir.Table, period: Period) -> ir.BooleanColumn:
    return merged.occurred_on.between(ibis.literal(period.start), ibis.literal(period.end))


def _totals(log: Transactions, period: Period) -> pd.Series:
    customers = _per_customer(log, {"": period})
    sums = {c: customers[c].sum().cast("float64") for c in customers.columns if c != "customer_id"}
    totals = customers.aggregate(n_customers=(_.n_orders > 0).sum(), **sums).execute()
    return totals.iloc[0].fillna(0).astype("float64")


def _groups(log: Transactions, period: Period, compare: Period) -> pd.DataFrame:
    """One row per group of customers: active and money in both periods."""
    customers = _per_customer(log, {"_before": compare, "_after": period})
    sums = {c: _[c].sum().cast("float64") for c in customers.columns if c != "customer_id"}
    customers = customers.left_join(_acquired(log), "customer_id")
    table = customers.group_by(group=_group_of(customers, period, compare)).aggregate(
        n_customers_before=(_.n_orders_before > 0).sum(),
        n_customers_after=(_.n_orders_after > 0).sum(),
        **sums,
    )
    return table.execute().set_index("group").fillna(0)


def _group_of(customers: ir.Table, period: Period, compare: Period) -> ir.StringColumn:
    before, after = customers.n_orders_before > 0, customers.n_orders_after > 0
    acquired = customers.acquired_on
    return ibis.cases(
        (before & after, "returning"),
        (before, "not returned"),
        (after & (acquired >= ibis.literal(period.start)), "new"),
        (after & (acquired > ibis.literal(compare.end)), "acquired in between"),
        (after, "reactivated"),
        else_="refunds only",
    )


def _flow(groups: pd.DataFrame, opening: pd.Series, closing: pd.Series) -> pd.DataFrame:
    """List the steps from opening to closing; two of them only where they hold customers or money."""
    steps = ["not returned", "returning", "reactivated", "acquired in between", "new", "refunds only"]
    filled = groups.reindex(steps, fill_value=0).astype("float64")
    measures = list(opening.index)
    change = pd.DataFrame({m: filled[f"{m}_after"] - filled[f"{m}_before"] for m in measures})
    optional = change.index.isin(["acquired in between", "refunds only"])
    change = change[~optional | change.any(axis="columns")]
    ends = pd.DataFrame([opening, closing], index=["opening", "closing"])
    flow = pd.concat([ends.iloc[:1], change, ends.iloc[1:]]).rename_axis("step")
    if "cost" in flow:
        flow["profit"] = flow["revenue"] - flow.pop("cost")
    return flow


def _refuse_gap(flow: pd.DataFrame) -> None:
    """Hold the steps against the closing figures, which were counted by themselves."""
    reached = flow.iloc[:-1].sum()
    scale = flow.loc[["opening", "closing"]].abs().max() + 1.0
    gap = reached - flow.loc["closing"]
    if (missed := gap[gap.abs() > 1e-9 * scale]).size:
        raise CrmError(f"bridge: the steps miss the closing figures by {dict(missed)}; the flow is not exact")


def _factors(totals: pd.Series, period: Period) -> pd.Series:
    if totals["n_customers"] == 0 or totals["revenue"] <= 0:
        raise DataError(
            f"bridge: {period.label} has {totals['n_customers']:.0f} active customers and revenue "
            f"{totals['revenue']:.2f}; without both there are no factors to compare"
        )
    return pd.Series(
        {
            "customers": totals["n_customers"],
            "orders per customer": totals["n_orders"] / totals["n_customers"],
            "order value": totals["revenue"] / totals["n_orders"],
        }
    )


def _profit_split(before: pd.Series, after: pd.Series, periods: tuple[Period, Period]) -> pd.DataFrame | None:
    if "cost" not in before:
        return None
    margins = [1 - side["cost"] / side["revenue"] for side in (before, after)]
    if min(margins) <= 0:
        return None
    sides = [
        pd.concat([_factors(side, period), pd.Series({"margin": margin})])
        for side, period, margin in zip((before, after), periods, margins, strict=True)
    ]
    return _split(*sides)
